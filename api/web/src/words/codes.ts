// SPDX-License-Identifier: MIT
// Sentences for what the server and the edges say in codes.

import { t, tn } from "../i18n";
import { en, type Key } from "../i18n/en";
import { ApiError } from "../lib/api";
import type { Cause } from "../lib/cause";
import { lang } from "../lib/preferences";
import { splitReason } from "../lib/reason";
import { endpoint } from "../lib/rule";
import type { AuditEntry, Target } from "../lib/types";

const has = (key: string): key is Key => key in en;

/** Codes whose message says more than the sentence: which rule, which key, which value. */
const TELLING = new Set([
	"activation_failed",
	"conflict",
	"endpoint_not_in_cert_san",
	"exceeds_cap",
	"internal",
	"internal_error",
	"invalid_body",
	"invalid_json",
	"invalid_name",
	"option_conflict",
	"option_out_of_range",
	"port_in_use",
	"range_invalid",
	"target_is_listener",
	"target_unusable",
	"rule_options_unsupported_by_client",
	"validation.rule_update_shape_mismatch",
]);

/** A sentence, and in brackets the words that came with the code. */
function sentence(key: Key, words: string): string {
	return words ? t("common.in_words", { sentence: t(key), words }) : t(key);
}

function reasonOf(text: string, where: string[]): string {
	const { code, rest } = splitReason(text);
	for (const kind of where) {
		const key = `${kind}.${code || text}`;
		if (has(key)) return sentence(key, rest);
	}
	return text;
}

/** Why an edge does not serve a rule: its own reasons, then those of the server. */
export function reasonText(reason: string): string {
	return reasonOf(reason, ["reason", "code"]) || t("reason.unspecified");
}

export function errorText(e: unknown): string {
	if (!(e instanceof ApiError)) return e instanceof Error ? e.message : String(e);
	if (e.status === 0) return t("error.unreachable");
	// What the edge said stands behind this code, in a code of its own.
	if (e.code === "activation_failed") {
		const { code } = splitReason(e.message);
		return `${t("code.activation_failed")} ${reasonText(code || e.message)}`;
	}
	const key = `code.${e.code}`;
	if (!has(key)) return e.message || e.code;
	// "targets[1].host: must be …": the place is shown by where the sentence stands.
	return sentence(key, TELLING.has(e.code) ? e.message.replace(/^[\w.[\]]+: /, "") : "");
}

/** "a:1 and b:2 refuse connections": a part of a sentence. */
export function causeText(cause: Cause, targets: Target[]): string {
	const names = targets.map(x => endpoint(x.host, x.port));
	return tn(`cause.${cause}`, names.length, { list: listText(names) });
}

const LISTS = { en: new Intl.ListFormat("en"), "zh-CN": new Intl.ListFormat("zh-CN") };

/** "a, b and c" */
export function listText(names: string[]): string {
	return LISTS[lang.value].format(names);
}

const ACTORS: Record<string, Key> = {
	_legacy: "actor.legacy",
	_superadmin: "actor.bootstrap",
	_anonymous: "actor.anonymous",
	_local: "actor.local",
	_edge: "actor.edge",
};

/** The owner of a rule, or who did something: a token's name, or words for the server's own. */
export function actorText(name: string): string {
	const key = ACTORS[name];
	return key ? t(key) : name;
}

export function roleText(role: string): string {
	const name = role === "superadmin" ? "admin" : role === "user" ? "operator" : role;
	return has(`role.${name}`) ? t(`role.${name}` as Key) : role;
}

export function actionText(e: AuditEntry): string {
	if (e.action && has(`action.${e.action}`)) return t(`action.${e.action}` as Key);
	if (e.action) return e.action;
	if (e.path === "/v1/auth/token") return t("action.sign_in");
	if (e.path === "/v1/auth/logout") return t("action.sign_out");
	const { method, path } = e;
	return method === "GET" ? t("action.read", { path }) : t("action.plain", { method, path });
}

/** Why something was refused, or failed, in the audit trail. */
export function outcomeText(reason: string): string {
	return reasonOf(reason, ["code", "reason"]);
}

/** "listen_port=8443 targets=2 client=edge-01" and "old -> new" as people write them. */
export function detailText(details: string): string {
	const value = (key: string) =>
		new RegExp(`(?:^| )${key}=(.*?)(?= \\w+=|$)`).exec(details)?.[1];
	const [edge, port, n] = [value("client"), value("listen_port"), value("targets")];
	if (edge && port && n) return tn("audit.of_rule", Number(n), { edge, port });
	return details.replace(/ -> /g, " → ");
}
