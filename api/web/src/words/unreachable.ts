// SPDX-License-Identifier: MIT
// In words: why no target of a rule can be reached, and which is tried first.
import { t } from "../i18n";
import { type Cause, causeOf } from "../lib/cause";
import { choiceOf, endpoint, liveRows } from "../lib/rule";
import type { Rule, Stats, Target } from "../lib/types";
import { causeText } from "./codes";

/** "a:1 and b:2 refuse connections, c:3 does not answer" */
export function causesOf(rule: Rule, stats?: Stats | null): string {
	const rows = liveRows(stats);
	const of = new Map<Cause, Target[]>();
	rule.targets.forEach((target, i) => {
		const row = rows.find(r => r.index === i);
		const cause = causeOf(row?.kernel ?? target.health);
		of.set(cause, [...(of.get(cause) ?? []), target]);
	});
	return [...of].map(([cause, targets]) => causeText(cause, targets)).join(t("common.comma"));
}

/** When the last of them failed, 0: unknown. */
export function unreachableSince(rule: Rule, stats?: Stats | null): number {
	const rows = liveRows(stats);
	return Math.max(
		0,
		...rule.targets.map((target, i) => {
			const row = rows.find(r => r.index === i);
			return row?.health_since_unix_ms ?? target.health?.since_unix_ms ?? 0;
		}),
	);
}

export function firstTried(rule: Rule, stats?: Stats | null): string {
	const target = rule.targets[choiceOf(rule, stats).index];
	return target ? endpoint(target.host, target.port) : "";
}

/** One sentence, for lists. */
export function whyUnreachable(rule: Rule): string {
	return t("detail.unreachable", { causes: causesOf(rule), target: firstTried(rule) });
}
