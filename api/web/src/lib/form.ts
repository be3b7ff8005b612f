// SPDX-License-Identifier: MIT
// The push form: what it checks by itself, what it sends, and where an error of the server belongs. Pure.
import {
	applies,
	isWrong,
	OPTIONS,
	type Protocol,
	setOptions,
	TARGET_OPTIONS,
	type TargetOption,
	targetJson,
	type Values,
	wholeIn,
} from "./options";
import { endpoint } from "./rule";

export const TARGETS_MAX = 8;

export interface TargetDraft {
	/** Tells rows apart while they move. */
	key: number;
	host: string;
	port: string;
	/** "", "v1", "v2", or "v2" and what its header says besides: "v2+unique_id" */
	proxy: string;
	/** Its share where new connections are shared; "" is 1. */
	weight: string;
	/** Of the same priority as the row above. */
	tied: boolean;
	/** Its options by their members; a draft of an older page has none. */
	more?: Values;
}

export interface RuleDraft {
	edge: string;
	protocol: Protocol;
	listenPort: string;
	targets: TargetDraft[];
	options: Values;
}

export interface FieldError {
	/** "edge", "listen_port", "targets.0.host", …; "" for the form as a whole */
	field: string;
	/** A key of the texts, or with @text the server's own words. */
	key: string;
	params?: Record<string, string | number>;
	text?: string;
}

export function normal(t: { host: string; port: string | number }): string {
	return endpoint(t.host.trim().toLowerCase().replace(/\.$/, ""), Number(t.port));
}

/** Whether targets of equal priority share new connections. */
export function isShared(d: RuleDraft): boolean {
	const balance = d.options.balance ?? "";
	return balance !== "" && balance !== "order" && d.targets.length > 1;
}

/** By row: the next number for each row that is not tied to the one above. */
function priorities(d: RuleDraft): number[] {
	let priority = -1;
	return d.targets.map((x, i) => {
		if (!(i > 0 && x.tied && isShared(d))) priority++;
		return priority;
	});
}

export function targetApplies(o: TargetOption, d: RuleDraft): boolean {
	const ports = portsOf(d.listenPort);
	return (
		(!o.several || d.targets.length > 1) &&
		(!o.range || (ports !== null && ports.last > ports.first))
	);
}

function checkTargetOptions(d: RuleDraft): FieldError[] {
	const errors: FieldError[] = [];
	d.targets.forEach((x, i) => {
		for (const o of TARGET_OPTIONS) {
			const text = x.more?.[o.member]?.trim();
			if (!text || o.kind !== "number" || !targetApplies(o, d)) continue;
			const [min, max] = [o.min ?? 0, o.max ?? 0];
			if (!wholeIn(text, min, max))
				errors.push({
					field: `targets.${i}.${o.member}`,
					key: "error.between",
					params: { min, max },
				});
		}
	});
	return errors;
}

/** The options of a row that are set and apply. */
function targetOptions(x: TargetDraft, d: RuleDraft): Record<string, unknown> {
	const set = TARGET_OPTIONS.filter(o => x.more?.[o.member]?.trim() && targetApplies(o, d));
	return Object.fromEntries(
		set.map(o => [o.member, targetJson(o, x.more?.[o.member] ?? "")]),
	);
}

/** The header of a row: its version, and what it says besides. */
function headerOf(x: TargetDraft, d: RuleDraft): Record<string, unknown> {
	const [version, ...tlvs] = d.protocol === "tcp" ? x.proxy.split("+") : [];
	if (!version) return {};
	return { proxy_protocol: version, ...(tlvs.length > 0 && { proxy_protocol_tlvs: tlvs }) };
}

function checkTargets(targets: TargetDraft[]): FieldError[] {
	const errors: FieldError[] = [];
	const seen = new Map<string, number>();
	targets.forEach((t, i) => {
		const host = t.host.trim();
		if (!host) errors.push({ field: `targets.${i}.host`, key: "error.required" });
		else if (/[\s/]/.test(host))
			errors.push({ field: `targets.${i}.host`, key: "error.host" });
		else if (host.includes(":") && !/^\[.*\]$/.test(host))
			errors.push({ field: `targets.${i}.host`, key: "error.host_colon" });
		if (!wholeIn(t.port, 1, 65535))
			errors.push({ field: `targets.${i}.port`, key: "error.port_short" });
		else if (host) {
			const twin = seen.get(normal(t));
			if (twin !== undefined)
				errors.push({
					field: `targets.${i}.host`,
					key: "error.duplicate",
					params: { row: twin + 1 },
				});
			else seen.set(normal(t), i);
		}
	});
	targets.forEach((t, i) => {
		if (t.weight.trim() && !wholeIn(t.weight, 1, 256))
			errors.push({
				field: `targets.${i}.weight`,
				key: "error.between",
				params: { min: 1, max: 256 },
			});
	});
	if (targets.length > TARGETS_MAX) errors.push({ field: "targets", key: "error.too_many" });
	return errors;
}

/** "8443", or "30000-30099" of a range; null: neither. */
export function portsOf(text: string): { first: number; last: number } | null {
	const [first = "", last = first, more] = text.trim().split(/\s*[-–]\s*/);
	if (more !== undefined || !wholeIn(first, 1, 65535) || !wholeIn(last, 1, 65535))
		return null;
	return Number(last) < Number(first) ? null : { first: Number(first), last: Number(last) };
}

/** In the order in which the fields stand. */
export function checkDraft(d: RuleDraft): FieldError[] {
	const errors: FieldError[] = [];
	if (!d.edge) errors.push({ field: "edge", key: "error.edge" });
	const ports = portsOf(d.listenPort);
	if (!ports) errors.push({ field: "listen_port", key: "error.port" });
	errors.push(...checkTargets(d.targets), ...checkTargetOptions(d));
	for (const o of OPTIONS)
		if (applies(o, d) && isWrong(o, d.options[o.path] ?? ""))
			errors.push({
				field: o.path,
				key: o.kind === "size" ? "error.size" : "error.between",
				params: { min: o.min ?? 0, max: o.max ?? 0 },
			});
	return errors;
}

/** The body of POST /v1/rules. */
export function draftBody(d: RuleDraft): Record<string, unknown> {
	const priority = priorities(d);
	const ports = portsOf(d.listenPort) ?? { first: 0, last: 0 };
	const shared = isShared(d);
	const body: Record<string, unknown> = {
		client: d.edge,
		listen_port: ports.first,
		...(ports.last > ports.first && { listen_port_end: ports.last }),
		protocol: d.protocol,
		targets: d.targets.map((t, i) => ({
			host: t.host.trim(),
			port: Number(t.port),
			priority: priority[i],
			...(shared && Number(t.weight) > 1 && { weight: Number(t.weight) }),
			...headerOf(t, d),
			...targetOptions(t, d),
		})),
	};
	setOptions(body, d.options, d);
	return body;
}

const FIELD_OF_CODE: Record<string, string> = {
	port_in_use: "listen_port",
	exceeds_cap: "listen_port",
	range_targets_unsupported_by_client: "edge",
	range_invalid: "listen_port",
	client_not_connected: "edge",
	invalid_name: "edge",
	multi_target_unsupported_by_client: "edge",
	unsupported_protocol: "protocol",
	"conflict.sni_route_duplicate": "sni_pattern",
	"conflict.sni_fallback_duplicate": "sni_pattern",
	"conflict.legacy_to_sni_unsupported": "sni_pattern",
	targets_empty: "targets",
	targets_too_many: "targets",
	invalid_listen_address: "listen_address",
	health_check_interval_out_of_range: "health_check_interval_secs",
	connect_timeout_out_of_range: "connect_timeout_ms",
	hedge_delay_out_of_range: "hedge_delay_ms",
	idle_timeout_out_of_range: "idle_timeout_secs",
};

/** What a field of a target's row is called after in the API. */
const MEMBERS: Record<string, string> = {
	port: "port",
	proxy_protocol: "proxy",
	proxy_protocol_tlvs: "proxy",
	weight: "weight",
	...Object.fromEntries(TARGET_OPTIONS.map(o => [o.member, o.member])),
};

/** Puts an answer of the server at the field that it is about. */
export function fieldOfError(code: string, message: string): string {
	const row = /targets\[(\d+)\](?:\.(\w+))?/.exec(message);
	if (row) {
		const member = MEMBERS[row[2] ?? ""] ?? "host";
		return `targets.${row[1]}.${member}`;
	}
	if (code === "activation_failed" && /port_in_use|listen|bind/.test(message))
		return "listen_port";
	const known = FIELD_OF_CODE[code];
	if (known) return known;
	const named = /^(?:\w+: )?([a-z][a-z0-9_.]*)(?:\[\d+\])?: /.exec(message)?.[1] ?? "";
	if (named === "client") return "edge";
	const fields = ["listen_port", "protocol", ...OPTIONS.map(o => o.path)];
	return fields.includes(named) ? named : "";
}

/** Moves one row to another place. */
export function move<T>(list: T[], from: number, to: number): T[] {
	if (from === to || from < 0 || to < 0 || from >= list.length || to >= list.length)
		return list;
	const next = list.slice();
	const [row] = next.splice(from, 1);
	next.splice(to, 0, row as T);
	return next;
}
