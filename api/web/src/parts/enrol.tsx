// SPDX-License-Identifier: MIT
// Making an enrolment command: name, code with its countdown, and the wait for the edge.
import { useState } from "preact/hooks";
import { t } from "../i18n";
import { useAction } from "../lib/action";
import { send } from "../lib/api";
import { now } from "../lib/clock";
import { useDraft } from "../lib/draft";
import { fleet } from "../lib/fleet";
import { clock } from "../lib/format";
import { useStore } from "../lib/store";
import type { Client } from "../lib/types";
import { CopyButton, Problem } from "./basics";
import { Dialog, FormButtons } from "./dialog";
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

/** Where the unit of the packages and the manual look for it. */
const BUNDLE = "/etc/portunus/client.bundle.json";

/** What is run on the edge's host, one step after the other. */
function steps(offer: Offer, again: boolean): [text: string, command: string][] {
	const enrol = `sudo ${offer.command} --out ${BUNDLE}`;
	if (again)
		return [
			[t("enrol.run"), enrol],
			[t("enrol.reload"), "sudo systemctl reload-or-restart portunus-client"],
		];
	return [
		[t("enrol.run"), enrol],
		[
			t("enrol.start"),
			`echo 'PORTUNUS_CLIENT_OPTIONS=--bundle ${BUNDLE}' | sudo tee /etc/default/portunus-client
sudo systemctl enable --now portunus-client`,
		],
	];
}

function Steps({ offer, again }: { offer: Offer; again: boolean }) {
	return (
		<ol class="steps">
			{steps(offer, again).map(([text, command]) => (
				<li key={command}>
					<p>{text}</p>
					<pre class="command">
						<code>{command}</code>
					</pre>
					<CopyButton text={command} />
				</li>
			))}
		</ol>
	);
}

/** A code with an address that leads to the server from its own host alone. */
const ONLY_HERE = /portunus:\/\/(127\.|localhost[:/]|\[::1\])/;

function Command({ offer, made, again }: { offer: Offer; made: number; again: boolean }) {
	const at = useStore(now);
	const left = Date.parse(offer.expires_at) - at;
	const arrival = useArrival(offer.client_name, made);
	const name = offer.client_name;
	return (
		<>
			<Steps offer={offer} again={again} />
			{ONLY_HERE.test(offer.command) && (
				<p class="note">{t("enrol.only_here")}</p>
			)}
			<p class="muted">
				{t(again ? "enrol.by_hand_again" : "enrol.by_hand")}{" "}
				<code>sudo portunus-client --bundle {BUNDLE}</code>
			</p>
			<p class="muted" role="timer">
				{arrival === "waiting" &&
					(left > 0
						? t("enrol.left", { left: clock(left) })
						: t("enrol.over"))}
			</p>
			<p role="status" class={arrival === "waiting" ? "muted" : "calm"}>
				{arrival === "connected" && t("enrol.done", { name })}
				{arrival === "enrolled" && t("enrol.redeemed", { name })}
				{arrival === "waiting" && left > 0 && t("enrol.waiting")}
			</p>
		</>
	);
}

interface FormProps {
	client?: Client;
	onOffer: (offer: Offer) => void;
	onClose: () => void;
}

const blank = () => ({ name: "", address: "", ttl: "600" });

function Form({ client, onOffer, onClose }: FormProps) {
	const draft = useDraft("enrol", blank);
	const { name, address, ttl } = draft.value;
	const action = useAction();
	const make = async () => {
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
		const offer = await send<Offer>("POST", path, body);
		draft.drop(blank());
		if (offer) onOffer(offer);
	};
	return (
		<form
			onSubmit={e => {
				e.preventDefault();
				void action.run(make);
			}}
		>
			{!client && (
				<>
					<Field
						label={t("edges.name")}
						name="name"
						value={name}
						onValue={v => draft.set({ name: v })}
					/>
					<Field
						label={t("enrol.address")}
						name="address"
						value={address}
						onValue={v => draft.set({ address: v })}
						hint={t("enrol.address_hint")}
					/>
				</>
			)}
			<Select
				label={t("enrol.ttl")}
				value={ttl}
				onValue={v => draft.set({ ttl: v })}
				options={[
					["600", t("enrol.ttl_10")],
					["3600", t("enrol.ttl_60")],
					["86400", t("enrol.ttl_1440")],
				]}
			/>
			<Problem error={action.error} />
			<FormButtons
				submit={t("enrol.make")}
				disabled={action.busy || !(client || name.trim())}
				onCancel={onClose}
			/>
		</form>
	);
}

export function Enrol({ client, onClose }: { client?: Client; onClose: () => void }) {
	const [offer, setOffer] = useState<Offer | null>(null);
	// What the clocks differ by must not hide an edge that comes at once.
	const [opened] = useState(() => Date.now() - 2000);
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
					<Command offer={offer} made={opened} again={!!client} />
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
				<Form client={client} onOffer={setOffer} onClose={onClose} />
			)}
		</Dialog>
	);
}
