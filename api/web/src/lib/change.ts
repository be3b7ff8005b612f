// SPDX-License-Identifier: MIT
// Changing a rule: the form made from it, what is sent back, and what that changes. Pure.
import { draftBody, isShared, normal, type RuleDraft, targetApplies } from "./form";
import {
	applies,
	MEMBERS,
	OPTIONS,
	plain,
	TARGET_OPTIONS,
	targetValues,
	valuesOf,
} from "./options";
import { endpoint, headerText } from "./rule";
import type { Rule } from "./types";

/** What a row of the list says about a rule beside the rule itself. */
const OF_THE_ROW = new Set([
	"id",
	"client_id",
	"client_name",
	"target_host",
	"target_port_end",
	"target_port",
	"state",
	"created_at",
	"last_state_change_at",
	"owner_user_id",
	"stats",
	"warnings",
]);

const OF_THE_TARGET = [
	"host",
	"port",
	"priority",
	"health",
	"proxy_protocol",
	"proxy_protocol_tlvs",
];

/** What the form decides of a target. What it does not show, as weights where nothing is shared, stays. */
function decided(d: RuleDraft): Set<string> {
	const options = TARGET_OPTIONS.filter(o => o.range || targetApplies(o, d));
	return new Set([
		...OF_THE_TARGET,
		...(isShared(d) ? ["weight"] : []),
		...options.map(o => o.member),
	]);
}

type Json = Record<string, unknown>;

/** The members of @from that are set and not in @known: settings that the form does not show. */
function others(from: object, known: Set<string>): Json {
	return Object.fromEntries(
		Object.entries(from).filter(([k, v]) => !known.has(k) && v !== null),
	);
}

export function draftOf(rule: Rule): RuleDraft {
	return {
		edge: rule.client_name,
		protocol: rule.protocol === "udp" ? "udp" : "tcp",
		listenPort:
			(rule.listen_port_end ?? 0) > rule.listen_port
				? `${rule.listen_port}-${rule.listen_port_end}`
				: String(rule.listen_port),
		targets: rule.targets.map((x, key) => ({
			key,
			host: x.host,
			port: String(x.port),
			proxy: headerText(x),
			weight: (x.weight ?? 1) > 1 ? String(x.weight) : "",
			tied: key > 0 && x.priority === rule.targets[key - 1]?.priority,
			more: targetValues(x),
		})),
		options: valuesOf(rule),
	};
}

const OF_THE_FORM = [...MEMBERS, "targets", "protocol"];

function sameTargets(rule: Rule, d: RuleDraft): boolean {
	const names = (list: { host: string; port: string | number }[]) =>
		list.map(normal).join(" ");
	return names(rule.targets) === names(d.targets);
}

/** As the command line writes them. */
const SHORT: Record<string, string> = { health_check_port: "check", same_port: "same-port" };

/** The rows as the difference names them: "a:443 ×4 +v2", and "= b:443" of the same priority. */
function named(d: RuleDraft): string[] {
	return d.targets.map((x, i) => {
		const parts = [endpoint(x.host.trim(), Number(x.port))];
		if (i > 0 && x.tied && isShared(d)) parts.unshift("=");
		if (Number(x.weight) > 1 && isShared(d)) parts.push(`×${Number(x.weight)}`);
		if (x.proxy && d.protocol === "tcp") parts.push(`+${x.proxy}`);
		for (const o of TARGET_OPTIONS) {
			const text = x.more?.[o.member]?.trim();
			if (text && targetApplies(o, d))
				parts.push(
					`+${SHORT[o.member]}${o.kind === "flag" ? "" : `=${Number(text)}`}`,
				);
		}
		return parts.join(" ");
	});
}

/** The body of PUT /v1/rules/{id}: what the form shows, and what else the rule has. */
export function changeBody(rule: Rule, d: RuleDraft): Json {
	const body = draftBody(d);
	const before = draftOf(rule);
	const kept =
		sameTargets(rule, d) &&
		d.targets.every((x, i) => x.tied === before.targets[i]?.tied);
	body.targets = (body.targets as Json[]).map((row, i) => {
		const draft = d.targets[i];
		const old = rule.targets.find(x => draft && normal(x) === normal(draft));
		return {
			...(old && others(old, decided(d))),
			...row,
			// Equal priorities are the operator's own; only a new order makes new ones.
			...(kept && old && { priority: old.priority }),
		};
	});
	return { ...others(rule, new Set([...OF_THE_ROW, ...OF_THE_FORM])), ...body };
}

export interface Change {
	/** Which field, as errors name it. */
	field: string;
	/** "" stands for the default. */
	from: string[];
	to: string[];
}

/** What sending the form would change. */
export function changesOf(rule: Rule, d: RuleDraft): Change[] {
	const before = draftOf(rule);
	const changes: Change[] = [];
	const [from, to] = [named(before), named(d)];
	if (!sameTargets(rule, d) || String(from) !== String(to))
		changes.push({ field: "targets", from, to });
	for (const o of OPTIONS) {
		const was = plain(o, before.options[o.path]);
		// What no longer applies is not sent.
		const will = applies(o, d) ? plain(o, d.options[o.path]) : "";
		if (was !== will) changes.push({ field: o.path, from: [was], to: [will] });
	}
	return changes;
}

/** Targets that would be taken out. */
export function dropped(rule: Rule, d: RuleDraft): string[] {
	const stay = d.targets.map(normal);
	return rule.targets
		.filter(x => !stay.includes(normal(x)))
		.map(x => endpoint(x.host, x.port));
}
