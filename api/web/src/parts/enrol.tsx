// SPDX-License-Identifier: MIT
// Making an enrolment command: name, code with its countdown, and the wait for the edge.
import { useState } from "preact/hooks";
import { t } from "../i18n";
import { send } from "../lib/api";
import { now } from "../lib/clock";
import { fleet } from "../lib/fleet";
import { clock } from "../lib/format";
import { useStore } from "../lib/store";
import type { Client } from "../lib/types";
import { CopyButton, Problem } from "./basics";
import { Dialog } from "./dialog";
import { Field, Select } from "./field";

interface Offer {
	client_name: string;
	expires_at: string;
	command: string;
}

/** Whether the edge of an offer made at @made has come. */
function useArrival(name: string, made: number): "waiting" | "enrolled" | "connected" {
	const { clients } = useStore(fleet);
	const found = (clients ?? []).filter(c => c.client_name === name && !c.revoked_at);
	if (found.some(c => c.connected && Date.parse(c.connected_at ?? "") >= made))
		return "connected";
	return found.some(c => Date.parse(c.provisioned_at) >= made) ? "enrolled" : "waiting";
}

function Command({ offer, made }: { offer: Offer; made: number }) {
	const at = useStore(now);
	const left = Date.parse(offer.expires_at) - at;
	const arrival = useArrival(offer.client_name, made);
	const name = offer.client_name;
	return (
		<>
			<p>{t("enrol.run")}</p>
			<pre class="command">
				<code>{offer.command}</code>
			</pre>
			<p class="row">
				<CopyButton text={offer.command} />
				<span class="muted" role="timer">
					{arrival === "waiting" &&
						(left > 0
							? t("enrol.left", { left: clock(left) })
							: t("enrol.over"))}
				</span>
			</p>
			<p role="status" class={arrival === "waiting" ? "muted" : "calm"}>
				{arrival === "connected" && t("enrol.done", { name })}
				{arrival === "enrolled" && t("enrol.redeemed", { name })}
				{arrival === "waiting" && left > 0 && t("enrol.waiting")}
			</p>
		</>
	);
}

export function Enrol({ client, onClose }: { client?: Client; onClose: () => void }) {
	const [name, setName] = useState(client?.client_name ?? "");
	const [address, setAddress] = useState("");
	const [ttl, setTtl] = useState("600");
	const [offer, setOffer] = useState<Offer | null>(null);
	const [made, setMade] = useState(0);
	const [error, setError] = useState<unknown>(null);

	const submit = async (e: Event) => {
		e.preventDefault();
		setError(null);
		const ttl_secs = Number(ttl);
		const body = client
			? { ttl_secs }
			: {
					name: name.trim(),
					ttl_secs,
					...(address.trim() && { address: address.trim() }),
				};
		const path = client
			? `/v1/clients/${client.client_id}/enrollment`
			: "/v1/client-enrollments";
		try {
			// What the clocks differ by must not hide an edge that comes at once.
			setMade(Date.now() - 2000);
			setOffer(await send<Offer>("POST", path, body));
		} catch (err) {
			setError(err);
		}
	};

	return (
		<Dialog
			title={
				client
					? t("enrol.again", { name: client.client_name })
					: t("enrol.title")
			}
			onClose={onClose}
		>
			{offer ? (
				<>
					<Command offer={offer} made={made} />
					<div class="buttons">
						<button
							type="button"
							class="button primary"
							onClick={onClose}
						>
							{t("common.close")}
						</button>
					</div>
				</>
			) : (
				<form onSubmit={e => void submit(e)}>
					{!client && (
						<>
							<Field
								label={t("edges.name")}
								value={name}
								onValue={setName}
							/>
							<Field
								label={t("enrol.address")}
								value={address}
								onValue={setAddress}
								hint={t("enrol.address_hint")}
							/>
						</>
					)}
					<Select
						label={t("enrol.ttl")}
						value={ttl}
						onValue={setTtl}
						options={[
							["600", t("enrol.ttl_10")],
							["3600", t("enrol.ttl_60")],
							["86400", t("enrol.ttl_1440")],
						]}
					/>
					<Problem error={error} />
					<div class="buttons">
						<button
							type="button"
							class="button"
							onClick={onClose}
						>
							{t("common.cancel")}
						</button>
						<button
							type="submit"
							class="button primary"
							disabled={!name.trim()}
						>
							{t("enrol.make")}
						</button>
					</div>
				</form>
			)}
		</Dialog>
	);
}
