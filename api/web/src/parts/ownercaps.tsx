// SPDX-License-Identifier: MIT
// What all rules of an owner may do together on an edge: shown, set and lifted.
import { useCallback, useEffect, useState } from "preact/hooks";
import { type Key, t } from "../i18n";
import { useAction } from "../lib/action";
import { ApiError, getJson, send } from "../lib/api";
import { fieldOfError } from "../lib/form";
import { isWrong, LIMITS, setLimits, type Values, valuesOf } from "../lib/options";
import type { Client, Owner } from "../lib/types";
import { actorText, errorText } from "../words/codes";
import { Empty, Failure, Loading, Problem } from "./basics";
import { Dialog, FormButtons } from "./dialog";
import { Field, Select } from "./field";

interface EnvelopeProps {
	path: string;
	capped: boolean;
	onDone: () => void;
	onCancel: () => void;
}

/** The caps of one owner; nothing is shown before they are known. */
function Envelope({ path, capped, onDone, onCancel }: EnvelopeProps) {
	const [values, setValues] = useState<Values | null>(capped ? null : {});
	const [wrong, setWrong] = useState<Record<string, string>>({});
	const action = useAction();
	useEffect(() => {
		if (!capped) return;
		const quit = new AbortController();
		getJson<object>(path, quit.signal).then(
			got => setValues(valuesOf(got)),
			e => !quit.signal.aborted && setWrong({ "": errorText(e) }),
		);
		return () => quit.abort();
	}, [path, capped]);
	if (!values) return wrong[""] ? <p class="error">{wrong[""]}</p> : <Loading />;

	const save = async () => {
		const bad = LIMITS.filter(o => isWrong(o, values[o.path] ?? ""));
		setWrong(
			Object.fromEntries(
				bad.map(o => [
					o.path,
					t(o.kind === "size" ? "error.size" : "error.between", {
						min: o.min ?? 0,
						max: o.max ?? 0,
					}),
				]),
			),
		);
		if (bad.length) return;
		try {
			await send("PUT", `${path}?strict=true`, setLimits(values));
			onDone();
		} catch (e) {
			const field = e instanceof ApiError ? fieldOfError(e.code, e.message) : "";
			setWrong({ [field]: errorText(e) });
		}
	};
	const lift = async () => {
		await send("DELETE", path);
		onDone();
	};
	return (
		<form
			noValidate
			onSubmit={e => {
				e.preventDefault();
				void action.run(save);
			}}
		>
			<div class="grid">
				{LIMITS.map(o => (
					<Field
						key={o.path}
						label={t(`option.${o.path}` as Key)}
						name={o.path}
						inputMode={
							o.kind === "number" ? "numeric" : undefined
						}
						value={values[o.path] ?? ""}
						onValue={text =>
							setValues({ ...values, [o.path]: text })
						}
						error={wrong[o.path]}
					/>
				))}
			</div>
			{wrong[""] && <p class="error">{wrong[""]}</p>}
			<Problem error={action.error} />
			{capped && (
				<button
					type="button"
					class="button risky"
					disabled={action.busy}
					onClick={() => void action.run(lift)}
				>
					{t("owners.lift")}
				</button>
			)}
			<FormButtons
				submit={t("common.save")}
				disabled={action.busy || setLimits(values) === null}
				onCancel={onCancel}
			/>
		</form>
	);
}

export function OwnerCaps({ client, onClose }: { client: Client; onClose: () => void }) {
	const [owners, setOwners] = useState<Owner[] | null>(null);
	const [error, setError] = useState<unknown>(null);
	const [chosen, setChosen] = useState("");
	const base = `/v1/clients/${encodeURIComponent(client.client_id)}/owners`;
	const load = useCallback(
		() =>
			getJson<Owner[]>(base).then(
				list => {
					setOwners(list);
					setChosen(now => now || (list[0]?.owner_id ?? ""));
					setError(null);
				},
				e => setError(e),
			),
		[base],
	);
	useEffect(() => void load(), [load]);
	const owner = owners?.find(o => o.owner_id === chosen);
	const name = (o: Owner) =>
		t(o.has_rate_limit ? "owners.capped" : "owners.uncapped", {
			owner: actorText(o.owner_id),
			rules: o.rule_count,
		});
	return (
		<Dialog title={t("owners.title", { name: client.client_name })} onClose={onClose}>
			<p>{t("owners.text")}</p>
			{error ? <Failure error={error} retry={() => void load()} /> : null}
			{!owners && !error && <Loading />}
			{owners?.length === 0 && <Empty title={t("owners.none")} />}
			{owners && owner && (
				<>
					<Select
						label={t("rules.owner")}
						name="owner"
						value={chosen}
						onValue={setChosen}
						options={owners.map(o => [o.owner_id, name(o)])}
					/>
					<Envelope
						key={`${owner.owner_id} ${owner.has_rate_limit}`}
						path={`${base}/${encodeURIComponent(owner.owner_id)}/rate-limit`}
						capped={owner.has_rate_limit}
						onDone={onClose}
						onCancel={onClose}
					/>
				</>
			)}
		</Dialog>
	);
}
