// SPDX-License-Identifier: MIT
// The settings of a rule that may be left blank, as data: where they lie, what they may be, whom they concern. Pure.

type Json = Record<string, unknown>;

export type Protocol = "tcp" | "udp";

/** Where an option stands in the form, in this order; the first ones stand with the targets. */
export const GROUPS = ["checks", "choice", "time", "who", "limits", "out", "listen"] as const;

export interface Option {
	/** The member of a rule; with a dot, of one of its members: "rate_limit.bandwidth_in_bps". */
	path: string;
	/** A size may be written as 10M, 1.5G; a list has blanks or commas between its parts. */
	kind: "number" | "size" | "text" | "list" | "flag" | "word";
	/** Of a word: what it may be, the default first. */
	words?: readonly string[];
	group: (typeof GROUPS)[number];
	min?: number;
	max?: number;
	/** Means nothing with the other protocol. */
	protocol?: Protocol;
	/** Means nothing with a single target. */
	several?: boolean;
	/** A rule that exists keeps it. */
	fixed?: boolean;
	/** Takes a whole line of the form. */
	wide?: boolean;
}

const MOST = 2 ** 53 - 1;
const U32 = 2 ** 32 - 1;
const tcp = "tcp" as const;
const udp = "udp" as const;

/** In the order in which they stand in their group. */
export const OPTIONS: readonly Option[] = [
	{
		path: "health_check_interval_secs",
		kind: "number",
		group: "checks",
		min: 1,
		max: 3600,
		several: true,
	},
	{
		path: "balance",
		kind: "word",
		words: ["order", "round_robin", "least_connections", "source_hash"],
		group: "choice",
		several: true,
	},
	{
		path: "eject.resets",
		kind: "number",
		group: "checks",
		min: 1,
		max: 1000,
		protocol: tcp,
		several: true,
	},
	{
		path: "eject.window_secs",
		kind: "number",
		group: "checks",
		min: 1,
		max: 3600,
		protocol: tcp,
		several: true,
	},
	{
		path: "eject.for_secs",
		kind: "number",
		group: "checks",
		min: 1,
		max: 86400,
		protocol: tcp,
		several: true,
	},
	{ path: "health_check.send", kind: "text", group: "checks", several: true },
	{ path: "health_check.expect", kind: "text", group: "checks", several: true },
	{
		path: "health_check.port",
		kind: "number",
		group: "checks",
		min: 1,
		max: 65535,
		several: true,
	},
	{ path: "health_check.tls", kind: "flag", group: "checks", several: true },
	{
		path: "on_failure",
		kind: "word",
		words: ["keep", "end_sessions"],
		group: "choice",
		several: true,
	},
	{
		path: "failback",
		kind: "word",
		words: ["auto", "manual"],
		group: "choice",
		several: true,
	},
	{
		path: "hedge_delay_ms",
		kind: "number",
		group: "time",
		min: 0,
		max: 60000,
		protocol: tcp,
		wide: true,
	},
	{
		path: "connect_timeout_ms",
		kind: "number",
		group: "time",
		min: 1,
		max: 60000,
		protocol: tcp,
	},
	{
		path: "idle_timeout_secs",
		kind: "number",
		group: "time",
		min: 0,
		max: 604800,
		protocol: tcp,
	},
	{
		path: "half_close_timeout_secs",
		kind: "number",
		group: "time",
		min: 0,
		max: 86400,
		protocol: tcp,
	},
	{
		path: "udp_flow_idle_secs",
		kind: "number",
		group: "time",
		min: 1,
		max: 86400,
		protocol: udp,
	},
	{
		path: "udp_reply_timeout_ms",
		kind: "number",
		group: "time",
		min: 100,
		max: 60000,
		protocol: udp,
	},
	{
		path: "udp_max_flows",
		kind: "number",
		group: "time",
		min: 1,
		max: 1048576,
		protocol: udp,
	},
	{ path: "allow", kind: "list", group: "who" },
	{ path: "deny", kind: "list", group: "who" },
	{ path: "rate_limit.bandwidth_in_bps", kind: "size", group: "limits", min: 1, max: MOST },
	{ path: "rate_limit.bandwidth_out_bps", kind: "size", group: "limits", min: 1, max: MOST },
	{
		path: "rate_limit.new_connections_per_sec",
		kind: "number",
		group: "limits",
		min: 1,
		max: U32,
	},
	{
		path: "rate_limit.concurrent_connections",
		kind: "number",
		group: "limits",
		min: 1,
		max: U32,
	},
	{ path: "rate_limit.bandwidth_in_burst", kind: "size", group: "limits", min: 1, max: MOST },
	{
		path: "rate_limit.bandwidth_out_burst",
		kind: "size",
		group: "limits",
		min: 1,
		max: MOST,
	},
	{
		path: "rate_limit.new_connections_burst",
		kind: "number",
		group: "limits",
		min: 1,
		max: U32,
	},
	{ path: "source_address", kind: "list", group: "out" },
	{ path: "source_interface", kind: "text", group: "out" },
	{ path: "congestion_control", kind: "text", group: "out", protocol: tcp },
	{ path: "health_check_proxy", kind: "flag", group: "checks", protocol: tcp },
	{ path: "prefer_ipv6", kind: "flag", group: "out" },
	{
		path: "accept_proxy",
		kind: "word",
		words: ["off", "optional", "required"],
		group: "who",
		protocol: tcp,
	},
	{ path: "accept_proxy_from", kind: "list", group: "who", protocol: tcp },
	{
		path: "relay",
		kind: "word",
		words: ["user", "auto", "kernel"],
		group: "time",
		protocol: tcp,
	},
	{ path: "sni_pattern", kind: "text", group: "listen", protocol: tcp },
	{ path: "fallback_non_tls", kind: "flag", group: "listen", protocol: tcp },
	{ path: "listen_address", kind: "text", group: "listen", fixed: true },
	{ path: "listen_interface", kind: "text", group: "listen", fixed: true },
];

/** A setting of one target that may be left blank. */
export interface TargetOption {
	member: string;
	kind: "number" | "flag";
	min?: number;
	max?: number;
	/** Means nothing with a single target; one that has it keeps it. */
	several?: boolean;
	/** Means nothing with a single port, and is refused there. */
	range?: boolean;
}

export const TARGET_OPTIONS: readonly TargetOption[] = [
	{ member: "health_check_port", kind: "number", min: 1, max: 65535, several: true },
	{ member: "same_port", kind: "flag", range: true },
];

export const INTERVAL = OPTIONS[0] as Option;

/** What the form has for each option, by its path; "" or nothing is the default, a flag is "1". */
export type Values = Record<string, string>;

export interface Situation {
	protocol: Protocol;
	targets: unknown[];
}

export function applies(o: Option, s: Situation): boolean {
	return (!o.protocol || o.protocol === s.protocol) && (!o.several || s.targets.length > 1);
}

export function wholeIn(text: string, min: number, max: number): boolean {
	const s = text.trim();
	return /^\d{1,16}$/.test(s) && Number(s) >= min && Number(s) <= max;
}

const SIZES = ["", "K", "M", "G", "T"];

/** "1.5M" in bytes, as the command line takes it: 1024-based; NaN where it is none. */
export function sizeOf(text: string): number {
	const parts = /^(\d{1,15}(?:\.\d{1,6})?) ?([KMGT]?)(?:i?B)?$/i.exec(text.trim());
	if (!parts) return Number.NaN;
	const bytes = Number(parts[1]) * 1024 ** SIZES.indexOf((parts[2] ?? "").toUpperCase());
	return Math.round(bytes);
}

/** The shortest way to write a size exactly. */
function sizeText(bytes: number): string {
	let n = 0;
	let value = bytes;
	while (n < SIZES.length - 1 && value >= 1024 && value % 1024 === 0) {
		value /= 1024;
		n++;
	}
	return `${value}${SIZES[n]}`;
}

const partsOf = (text: string) => text.split(/[\s,]+/).filter(Boolean);

/** A number or size that is none, or lies outside what it may be. */
export function isWrong(o: Option, text: string): boolean {
	const [min, max] = [o.min ?? 0, o.max ?? Number.MAX_SAFE_INTEGER];
	if (!text.trim()) return false;
	if (o.kind === "number") return !wholeIn(text, min, max);
	if (o.kind !== "size") return false;
	const bytes = sizeOf(text);
	return !(bytes >= min && bytes <= max);
}

/** The text in the one spelling that two of them are compared in. */
export function plain(o: Option, text: string | undefined): string {
	const s = (text ?? "").trim();
	if (!s || s === o.words?.[0]) return "";
	if (o.kind === "list") return partsOf(s).join(", ");
	if (o.kind === "size") return Number.isNaN(sizeOf(s)) ? s : sizeText(sizeOf(s));
	return o.kind === "number" ? String(Number(s)) : s;
}

function jsonOf(o: Option, text: string): unknown {
	switch (o.kind) {
		case "flag":
			return true;
		case "number":
			return Number(text);
		case "size":
			return sizeOf(text);
		case "list":
			return partsOf(text);
		case "text":
		case "word":
			return text;
	}
}

/** Sets @path of @body, whose inner objects are made as they are needed. */
function set(body: Json, path: string, value: unknown): void {
	const names = path.split(".");
	const last = names.pop() as string;
	let at = body;
	for (const name of names) {
		at[name] ??= {};
		at = at[name] as Json;
	}
	at[last] = value;
}

function get(from: object, path: string): unknown {
	let at: unknown = from;
	for (const name of path.split(".")) at = (at as Json | null | undefined)?.[name];
	return at;
}

/** Puts what is set and applies into the body of a rule. */
export function setOptions(body: Json, values: Values, s: Situation): void {
	for (const o of OPTIONS) {
		const text = plain(o, values[o.path]);
		if (text && applies(o, s)) set(body, o.path, jsonOf(o, text));
	}
}

function textOf(o: Option, value: unknown): string {
	if (o.kind === "flag") return "1";
	if (o.kind === "size") return sizeText(Number(value));
	return Array.isArray(value) ? value.join(", ") : String(value);
}

/** What a rule of the server says, as the form shows it. */
export function valuesOf(rule: object): Values {
	const values: Values = {};
	for (const o of OPTIONS) {
		const value = get(rule, o.path);
		if (value === undefined || value === null || value === false) continue;
		values[o.path] = textOf(o, value);
	}
	return values;
}

export function targetJson(o: TargetOption, text: string): unknown {
	return o.kind === "flag" ? true : Number(text);
}

/** What a target of the server says, as the form shows it. */
export function targetValues(target: object): Values {
	const values: Values = {};
	for (const o of TARGET_OPTIONS) {
		const value = get(target, o.member);
		if (value) values[o.member] = o.kind === "flag" ? "1" : String(value);
	}
	return values;
}

/** The members of a rule that the options lie in. */
export const MEMBERS = [...new Set(OPTIONS.map(o => o.path.split(".")[0] as string))];

/** The caps of a rule, and of an owner. */
export const LIMITS = OPTIONS.filter(o => o.group === "limits");

/** An envelope of the caps that are set; null: none is. */
export function setLimits(values: Values): Json | null {
	const body: Json = {};
	for (const o of LIMITS) {
		const text = plain(o, values[o.path]);
		if (text) set(body, o.path, jsonOf(o, text));
	}
	return (body.rate_limit as Json | undefined) ?? null;
}
