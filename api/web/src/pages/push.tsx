// SPDX-License-Identifier: MIT
// Pushing a rule: one form for one target or several.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Key, t, tn } from "../i18n";
import { ApiError, send } from "../lib/api";
import { fleet, refreshFleet } from "../lib/fleet";
import { checkDraft, draftBody, type FieldError, fieldOfError, type RuleDraft } from "../lib/form";
import { Link, navigate } from "../lib/router";
import { useStore } from "../lib/store";
import { Heading, messageOf } from "../parts/basics";
import { Field, Select } from "../parts/field";
import { newTarget, TargetRows } from "../parts/targets";

const blank = (): RuleDraft => ({
	edge: "",
	listenPort: "",
	listenAddress: "",
	targets: [newTarget()],
	interval: "",
	connectTimeout: "",
	hedgeDelay: "",
	idleTimeout: "",
	preferIpv6: false,
});

const textOf = (e: FieldError) => e.text ?? t(e.key as Key, e.params);

interface MoreProps {
	draft: RuleDraft;
	set: (patch: Partial<RuleDraft>) => void;
	errorAt: (field: string) => string | undefined;
}

const MORE_FIELDS = ["listen_address", "connect_timeout_ms", "hedge_delay_ms", "idle_timeout_secs"];

function MoreSettings({ draft, set, errorAt }: MoreProps) {
	const wrong = MORE_FIELDS.some(f => errorAt(f));
	return (
		<details open={wrong || undefined}>
			<summary>{t("push.more")}</summary>
			<div class="grid">
				<Field
					label={t("push.hedge")}
					inputMode="numeric"
					value={draft.hedgeDelay}
					onValue={hedgeDelay => set({ hedgeDelay })}
					hint={t("push.hedge_hint")}
					error={errorAt("hedge_delay_ms")}
					class="span"
				/>
				<Field
					label={t("push.connect_timeout")}
					inputMode="numeric"
					value={draft.connectTimeout}
					onValue={connectTimeout => set({ connectTimeout })}
					hint={t("push.connect_timeout_hint")}
					error={errorAt("connect_timeout_ms")}
				/>
				<Field
					label={t("push.idle")}
					inputMode="numeric"
					value={draft.idleTimeout}
					onValue={idleTimeout => set({ idleTimeout })}
					hint={t("push.idle_hint")}
					error={errorAt("idle_timeout_secs")}
				/>
				<Field
					label={t("push.address")}
					value={draft.listenAddress}
					onValue={listenAddress => set({ listenAddress })}
					hint={t("push.address_hint")}
					error={errorAt("listen_address")}
				/>
				<label class="check">
					<input
						type="checkbox"
						checked={draft.preferIpv6}
						onChange={e =>
							set({ preferIpv6: e.currentTarget.checked })
						}
					/>
					{t("push.ipv6")}
				</label>
			</div>
		</details>
	);
}

export function Push() {
	const { clients } = useStore(fleet);
	const [draft, setDraft] = useState(blank);
	const [errors, setErrors] = useState<FieldError[]>([]);
	const [busy, setBusy] = useState(false);
	const form = useRef<HTMLFormElement>(null);
	const edges = (clients ?? []).filter(c => !c.revoked_at);
	const only = edges.length === 1 && edges[0]?.connected ? edges[0].client_name : "";

	useEffect(() => {
		if (only) setDraft(d => (d.edge ? d : { ...d, edge: only }));
	}, [only]);

	const set = (patch: Partial<RuleDraft>) => setDraft(d => ({ ...d, ...patch }));
	const errorAt = (field: string) => {
		const e = errors.find(x => x.field === field);
		return e && textOf(e);
	};
	const show = (list: FieldError[]) => {
		setErrors(list);
		requestAnimationFrame(() =>
			form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(),
		);
	};
	const submit = async (e: Event) => {
		e.preventDefault();
		const wrong = checkDraft(draft);
		show(wrong);
		if (wrong.length) return;
		setBusy(true);
		try {
			const made = await send<{ rule_id: number }>(
				"POST",
				"/v1/rules",
				draftBody(draft),
			);
			await refreshFleet();
			navigate(`/rules/${made?.rule_id}`);
		} catch (err) {
			const code = err instanceof ApiError ? err.code : "";
			const text = messageOf(err);
			setBusy(false);
			show([{ field: fieldOfError(code, text), key: "", text }]);
		}
	};
	const general = errors.find(e => e.field === "");

	return (
		<>
			<Heading>{t("push.title")}</Heading>
			{clients && edges.length === 0 && (
				<p class="note">
					{t("push.no_edges")}{" "}
					<Link to="/edges">{t("edges.enrol")}</Link>
				</p>
			)}
			<form
				ref={form}
				class="card form"
				onSubmit={e => void submit(e)}
				noValidate
			>
				<div class="grid">
					<Select
						label={t("push.edge")}
						value={draft.edge}
						onValue={edge => set({ edge })}
						error={errorAt("edge")}
						options={[
							["", t("push.choose")],
							...edges.map(
								c =>
									[
										c.client_name,
										c.connected
											? c.client_name
											: t(
													"push.offline",
													{
														name: c.client_name,
													},
												),
									] as [string, string],
							),
						]}
					/>
					<Field
						label={t("push.listen_port")}
						inputMode="numeric"
						value={draft.listenPort}
						onValue={listenPort => set({ listenPort })}
						hint={t("push.listen_hint")}
						error={errorAt("listen_port")}
					/>
				</div>
				<TargetRows
					targets={draft.targets}
					onChange={targets => {
						set({ targets });
						// They are at rows, and the rows have changed.
						setErrors(list =>
							list.filter(
								x => !x.field.startsWith("targets"),
							),
						);
					}}
					errorAt={errorAt}
				/>
				<Field
					label={t("push.interval")}
					inputMode="numeric"
					disabled={draft.targets.length < 2}
					value={draft.interval}
					onValue={interval => set({ interval })}
					hint={t(
						draft.targets.length < 2
							? "push.interval_single"
							: "push.interval_hint",
					)}
					error={errorAt("health_check_interval_secs")}
				/>
				<MoreSettings draft={draft} set={set} errorAt={errorAt} />
				<div role="alert">
					{general && <p class="problem">{textOf(general)}</p>}
					{!general && errors.length > 0 && (
						<p class="problem">
							{tn("error.form", errors.length)}
						</p>
					)}
				</div>
				<div class="buttons">
					<Link to="/rules" class="button">
						{t("common.cancel")}
					</Link>
					<button
						type="submit"
						class="button primary"
						disabled={busy}
					>
						{busy ? t("push.sending") : t("push.submit")}
					</button>
				</div>
			</form>
		</>
	);
}
