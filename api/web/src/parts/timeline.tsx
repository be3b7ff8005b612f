// SPDX-License-Identifier: MIT
// Changes of health, newest first, each with what it meant for new connections.
import { t } from "../i18n";
import { exact } from "../lib/format";
import type { Move } from "../lib/moves";
import { lang } from "../lib/preferences";
import { Link } from "../lib/router";
import { endpoint } from "../lib/rule";
import type { HealthChange, Rule } from "../lib/types";
import { Ago } from "./basics";

function happened(c: HealthChange): string {
	const target = endpoint(c.host, c.port);
	return t(c.failed ? "detail.became_failed" : "detail.became_healthy", { target });
}

function Effect({ move, rule }: { move: Move; rule: Rule }) {
	if (move.to === null) return null;
	const target = rule.targets[move.to];
	return (
		<span class={move.to < 0 ? "line bad-text" : "line strong"}>
			{target
				? t("detail.moved_to", {
						target: endpoint(target.host, target.port),
					})
				: t("detail.moved_nowhere")}
		</span>
	);
}

/** Of all rules: what failed, or came back, where. */
export function Recent({ changes }: { changes: HealthChange[] }) {
	return (
		<ol class="timeline">
			{changes.map(c => (
				<li key={c.seq} class={c.failed ? "bad" : "good"}>
					<span class="when">
						<Ago ms={c.at_unix_ms} />
					</span>
					<span>
						{happened(c)}{" "}
						<Link to={`/rules/${c.rule_id}`}>
							{t("detail.title", { id: `#${c.rule_id}` })}
						</Link>
					</span>
				</li>
			))}
		</ol>
	);
}

/** Of one rule, with exact times. */
export function Timeline({ moves, rule }: { moves: Move[]; rule: Rule }) {
	return (
		<ol class="timeline exact">
			{moves.map(m => (
				<li key={m.change.seq} class={m.change.failed ? "bad" : "good"}>
					<span class="when">
						<Ago ms={m.change.at_unix_ms} />
						<span class="sub">
							{exact(m.change.at_unix_ms, lang.value)}
						</span>
					</span>
					<span>
						{happened(m.change)}
						<Effect move={m} rule={rule} />
					</span>
				</li>
			))}
		</ol>
	);
}
