// SPDX-License-Identifier: MIT
// New tokens and a new certificate while the edges stay connected: asked for, and followed.
import { useEffect, useState } from "preact/hooks";
import { t, tn } from "../i18n";
import { useAction } from "../lib/action";
import { getJson, send } from "../lib/api";
import type { Client } from "../lib/types";
import { Problem } from "./basics";
import { Confirm, Dialog } from "./dialog";

/** Gives a connected edge a new token. The server answers when the edge has stored it. */
export function RotateToken({ client, onClose }: { client: Client; onClose: () => void }) {
	const [done, setDone] = useState(false);
	const action = useAction();
	const rotate = async () => {
		await send("POST", `/v1/clients/${client.client_id}/token`);
		setDone(true);
	};
	const name = client.client_name;
	const state = action.busy ? "edges.token_waiting" : "edges.token_done";
	return (
		<Dialog title={t("edges.token_title", { name })} onClose={onClose}>
			<p>{t("edges.token_text")}</p>
			<Problem error={action.error} />
			<p role="status" class={done ? "calm" : "muted"}>
				{(action.busy || done) && t(state, { name })}
			</p>
			<div class="buttons">
				<button type="button" class="button" onClick={onClose}>
					{t(done ? "common.close" : "common.cancel")}
				</button>
				{!done && (
					<button
						type="button"
						class="button primary"
						disabled={action.busy}
						onClick={() => void action.run(rotate)}
					>
						{t("edges.token_confirm")}
					</button>
				)}
			</div>
		</Dialog>
	);
}

interface State {
	state: "in_use" | "announced";
	/** Edges that do not have the next one yet. */
	waiting: string[];
}

const ASK_MS = 2000;
const NAMES = 8;

/** How many edges have the next certificate, and who is waited for. */
function Progress({ state, edges }: { state: State; edges: number }) {
	const waiting = state.waiting.length;
	const more = waiting - NAMES;
	const names = state.waiting.slice(0, NAMES).join(", ");
	return (
		<>
			<p role="status">
				{tn("certificate.progress", edges, {
					have: Math.max(0, edges - waiting),
				})}
			</p>
			<progress
				aria-label={t("certificate.title")}
				max={Math.max(1, edges)}
				value={Math.max(0, edges - waiting)}
			/>
			{waiting > 0 && (
				<p class="muted">
					{t("certificate.waiting", { names })}
					{more > 0 && ` ${tn("certificate.more", more)}`}
				</p>
			)}
		</>
	);
}

/** The certificate that edges know the server by. For admins; @edges: those that are not revoked. */
export function Certificate({ edges }: { edges: number }) {
	const [state, setState] = useState<State | null>(null);
	const [error, setError] = useState<unknown>(null);
	const [asked, setAsked] = useState(false);
	const [renewed, setRenewed] = useState(false);
	const take = (next: State | null) => {
		if (state?.state === "announced" && next?.state === "in_use") setRenewed(true);
		setState(next);
		setError(null);
	};
	const announced = state?.state === "announced";
	// biome-ignore lint/correctness/useExhaustiveDependencies: each answer plans the next question.
	useEffect(() => {
		const ask = () => getJson<State>("/v1/certificate").then(take, setError);
		if (!state && !error) void ask();
		if (!announced && !error) return;
		const later = setTimeout(() => void ask(), ASK_MS);
		return () => clearTimeout(later);
	}, [state, error]);
	const renew = async () => {
		const next = await send<State>("POST", "/v1/certificate");
		setRenewed(next?.state === "in_use");
		setState(next);
	};
	return (
		<section class="card" aria-labelledby="certificate">
			<h2 id="certificate">{t("certificate.title")}</h2>
			<p class="muted">{t("certificate.text")}</p>
			<Problem error={error} />
			{announced && state && <Progress state={state} edges={edges} />}
			{renewed && (
				<p role="status" class="calm">
					{t("certificate.done")}
				</p>
			)}
			{state && !announced && (
				<button type="button" class="button" onClick={() => setAsked(true)}>
					{t("certificate.renew")}
				</button>
			)}
			{asked && (
				<Confirm
					title={t("certificate.ask")}
					text={t("certificate.ask_text")}
					confirm={t("certificate.renew")}
					act={renew}
					onClose={() => setAsked(false)}
				/>
			)}
		</section>
	);
}
