// SPDX-License-Identifier: MIT
// The push form: what it checks by itself, what it sends, and where an error of the server belongs. Pure.
import { endpoint } from "./rule";

export const TARGETS_MAX = 8;

export interface TargetDraft {
	/** Tells rows apart while they move. */
	key: number;
	host: string;
	port: string;
}

export interface RuleDraft {
	edge: string;
	listenPort: string;
	listenAddress: string;
	targets: TargetDraft[];
	interval: string;
	connectTimeout: string;
	hedgeDelay: string;
	idleTimeout: string;
	preferIpv6: boolean;
}

export interface FieldError {
	/** "edge", "listen_port", "targets.0.host", …; "" for the form as a whole */
	field: string;
	/** A key of the texts, or with @text the server's own words. */
	key: string;
	params?: Record<string, string | number>;
	text?: string;
}

function wholeIn(text: string, min: number, max: number): boolean {
	const s = text.trim();
	return /^\d{1,9}$/.test(s) && Number(s) >= min && Number(s) <= max;
}

function normal(t: TargetDraft): string {
	return endpoint(t.host.trim().toLowerCase().replace(/\.$/, ""), Number(t.port));
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
	if (targets.length > TARGETS_MAX) errors.push({ field: "targets", key: "error.too_many" });
	return errors;
}

const OPTIONAL: [keyof RuleDraft, string, number, number][] = [
	["interval", "health_check_interval_secs", 1, 3600],
	["connectTimeout", "connect_timeout_ms", 1, 60000],
	["hedgeDelay", "hedge_delay_ms", 0, 60000],
	["idleTimeout", "idle_timeout_secs", 0, 604800],
];

export function checkDraft(d: RuleDraft): FieldError[] {
	const errors: FieldError[] = [];
	if (!d.edge) errors.push({ field: "edge", key: "error.edge" });
	if (!wholeIn(d.listenPort, 1, 65535))
		errors.push({ field: "listen_port", key: "error.port" });
	errors.push(...checkTargets(d.targets));
	for (const [key, field, min, max] of OPTIONAL) {
		const text = String(d[key]).trim();
		if (text && !wholeIn(text, min, max))
			errors.push({ field, key: "error.between", params: { min, max } });
	}
	return errors;
}

/** The body of POST /v1/rules. */
export function draftBody(d: RuleDraft): Record<string, unknown> {
	const body: Record<string, unknown> = {
		client: d.edge,
		listen_port: Number(d.listenPort),
		protocol: "tcp",
		targets: d.targets.map((t, i) => ({
			host: t.host.trim(),
			port: Number(t.port),
			priority: i,
		})),
	};
	for (const [key, field] of OPTIONAL) {
		const text = String(d[key]).trim();
		if (text && !(key === "interval" && d.targets.length < 2))
			body[field] = Number(text);
	}
	if (d.preferIpv6) body.prefer_ipv6 = true;
	if (d.listenAddress.trim()) body.listen_address = d.listenAddress.trim();
	return body;
}

const FIELD_OF_CODE: Record<string, string> = {
	port_in_use: "listen_port",
	range_invalid: "listen_port",
	client_not_connected: "edge",
	client_not_granted: "edge",
	invalid_name: "edge",
	multi_target_unsupported_by_client: "edge",
	targets_empty: "targets",
	targets_too_many: "targets",
	health_check_interval_out_of_range: "health_check_interval_secs",
	connect_timeout_out_of_range: "connect_timeout_ms",
	hedge_delay_out_of_range: "hedge_delay_ms",
	idle_timeout_out_of_range: "idle_timeout_secs",
};

/** Puts an answer of the server at the field that it is about. */
export function fieldOfError(code: string, message: string): string {
	const row = /targets\[(\d+)\](?:\.(\w+))?/.exec(message);
	if (row) return `targets.${row[1]}.${row[2] === "port" ? "port" : "host"}`;
	if (code === "activation_failed" && /port_in_use|listen|bind/.test(message))
		return "listen_port";
	const known = FIELD_OF_CODE[code];
	if (known) return known;
	const named = /^(?:invalid_body: )?(listen_port|listen_address|client)\b/.exec(message);
	return named ? (named[1] === "client" ? "edge" : (named[1] ?? "")) : "";
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
