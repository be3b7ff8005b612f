// SPDX-License-Identifier: MIT
// What needs attention, worst first: rules that are not served, targets that failed, edges that are away.
import { type Key, t, tn } from "../i18n";
import { msOf } from "../lib/format";
import { choiceOf, endpoint, failedTargets, listenText, parseState } from "../lib/rule";
import type { Client, Rule } from "../lib/types";
import { reasonText } from "./codes";
import { whyUnreachable } from "./unreachable";

export interface Concern {
	key: string;
	tone: "bad" | "warn" | "info";
	rank: number;
	to: string;
	title: string;
	text: string;
}

type Said = Pick<Concern, "tone" | "rank" | "title" | "text">;

function aboutState(r: Rule): Said | null {
	const { kind, reason } = parseState(r.state);
	const id = `#${r.id}`;
	const where = `${r.client_name} ${listenText(r)}`;
	if (kind === "failed")
		return {
			tone: "bad",
			rank: 0,
			title: t("attention.rule_failed", { id, where }),
			text: reasonText(reason),
		};
	if (kind === "pending")
		return {
			tone: "warn",
			rank: 2,
			title: t("attention.rule_pending", { id, where }),
			text: t("attention.rule_pending_why", { edge: r.client_name }),
		};
	return null;
}

function aboutTargets(r: Rule): Said | null {
	const failed = failedTargets(r);
	if (!failed) return null;
	const choice = choiceOf(r);
	const target = r.targets[choice.index];
	const id = `#${r.id}`;
	if (choice.why === "all-failed")
		return {
			tone: "bad",
			rank: 1,
			title: t("attention.all_failed", { id }),
			text: whyUnreachable(r),
		};
	return {
		tone: "warn",
		rank: 4,
		title: tn("attention.target_failed", failed, { id }),
		text: target
			? t("attention.now_to", { target: endpoint(target.host, target.port) })
			: t("detail.why.drained"),
	};
}

function ofRule(r: Rule): Concern | null {
	const said = aboutState(r) ?? aboutTargets(r);
	return said && { key: `r${r.id}`, to: `/rules/${r.id}`, ...said };
}

const SHARED_MS = 15 * 60_000;

/** Two hosts take turns with one edge's credential: until lately, so that it ends when it is mended. */
export function isShared(c: Client, now: number): boolean {
	const at = msOf(c.shared_credential_at);
	return !c.revoked_at && at > now - SHARED_MS;
}

function ofShared(c: Client): Concern | null {
	if (!isShared(c, Date.now())) return null;
	return {
		key: `s${c.client_id}`,
		tone: "bad",
		rank: 1,
		to: "/edges",
		title: t("attention.edge_shared", { name: c.client_name }),
		text: t("attention.edge_shared_why", {
			name: c.client_name,
			address: c.shared_credential_addr ?? "?",
		}),
	};
}

function ofEdge(c: Client): Concern | null {
	if (c.revoked_at || (c.connected && c.accounting !== "user")) return null;
	const what = c.connected ? "edge_accounting" : "edge_lost";
	return {
		key: `e${c.client_id}`,
		tone: c.connected ? "info" : "warn",
		rank: c.connected ? 5 : 3,
		to: "/edges",
		title: t(`attention.${what}` as Key, { name: c.client_name }),
		text: t(`attention.${what}_why` as Key),
	};
}

export function concernsOf(rules: Rule[], clients: Client[]): Concern[] {
	const all = [...rules.map(ofRule), ...clients.map(ofEdge), ...clients.map(ofShared)];
	return all.filter(c => c !== null).sort((a, b) => a.rank - b.rank);
}
