// SPDX-License-Identifier: MIT
// The headline of a rule: where new connections go now, or why they go nowhere.
import { t, tn } from "../i18n";
import { useAction } from "../lib/action";
import { send } from "../lib/api";
import { fleet } from "../lib/fleet";
import {
	type Choice,
	choiceOf,
	drainedOf,
	endpoint,
	groupOf,
	listenText,
	parseState,
	type RuleState,
	takersOf,
} from "../lib/rule";
import { mayWrite, session } from "../lib/session";
import { useStore } from "../lib/store";
import type { Live } from "../lib/stream";
import type { Rule, Stats } from "../lib/types";
import { listText, reasonText } from "../words/codes";
import { causesOf, firstTried, unreachableSince } from "../words/unreachable";
import { Exactly, Problem, WithAgo, WithLasting } from "./basics";

function names(rule: Rule, rows: number[]): string {
	const all = rows.map(i => rule.targets[i]).map(x => (x ? endpoint(x.host, x.port) : ""));
	return listText(all);
}

/** Why this target and no other. */
function reasons(rule: Rule, stats: Stats | null, choice: Choice): string[] {
	const drained = drainedOf(rule, stats);
	const end = choice.index < 0 ? 0 : groupOf(rule, choice.index);
	const before = rule.targets.map((_, i) => i).slice(0, end);
	const failed = before.filter(i => !drained.includes(i));
	const lines: string[] = [];
	if (choice.why === "fallback") {
		if (failed.length)
			lines.push(
				tn("detail.why.fallback", failed.length, {
					list: names(rule, failed),
				}),
			);
	} else if (choice.why !== "all-failed") {
		lines.push(t(`detail.why.${choice.why}`));
	}
	if (drained.length && choice.index >= 0)
		lines.push(t("detail.why.skip_drained", { list: names(rule, drained) }));
	return lines;
}

function Unreachable({ rule, stats }: { rule: Rule; stats: Stats | null }) {
	const since = unreachableSince(rule, stats);
	const causes = causesOf(rule, stats);
	return (
		<p class="why">
			{since > 0 ? (
				<>
					{t("detail.unreachable_since")} <Exactly ms={since} />,{" "}
					{t("detail.because", { causes })}
				</>
			) : (
				t("detail.because_only", { causes })
			)}{" "}
			<b>{t("detail.tries_first", { target: firstTried(rule, stats) })}</b>{" "}
			{reasons(rule, stats, choiceOf(rule, stats)).join(" ")}
		</p>
	);
}

function Chosen({ rule, stats, choice }: { rule: Rule; stats: Stats | null; choice: Choice }) {
	const row = stats?.per_target?.find(x => x.index === choice.index);
	const since = stats?.stale ? 0 : (row?.health_since_unix_ms ?? 0);
	return (
		<p class="why">
			{reasons(rule, stats, choice).join(" ")}{" "}
			{since > 0 && (choice.why === "preferred" || choice.why === "fallback") && (
				<span class="muted">
					<WithLasting
						text={t("detail.healthy_for", { long: "{long}" })}
						ms={since}
					/>
				</span>
			)}
		</p>
	);
}

/** The figures are old: the edge is away, or only silent. */
function Stale({ rule, stats }: { rule: Rule; stats: Stats }) {
	const { clients } = useStore(fleet);
	const edge = clients?.find(c => c.client_id === rule.client_id);
	const key = edge && !edge.connected ? "detail.away" : "detail.stale";
	return (
		<p class="why strong">
			<WithAgo
				text={t(key, { edge: rule.client_name, when: "{when}" })}
				ms={Date.parse(stats.updated_at ?? "") || 0}
			/>
		</p>
	);
}

/** A rule that its edge does not serve, or has not said that it does. */
function NotServed({ rule, state }: { rule: Rule; state: RuleState }) {
	const failed = state.kind === "failed";
	const since = Date.parse(rule.last_state_change_at) || 0;
	return (
		<section class={`now ${failed ? "bad" : "warn"}`} aria-labelledby="now">
			<h2 id="now">{t("detail.now_listen", { listen: listenText(rule) })}</h2>
			<p class="where words" aria-live="polite">
				{failed
					? t("detail.now_not_served")
					: t("detail.now_pending", { edge: rule.client_name })}
			</p>
			<p class="why">
				{failed ? reasonText(state.reason) : t("detail.why.pending")}{" "}
				{since > 0 && (
					<span class="muted">
						<WithLasting
							text={t("detail.lasting", {
								long: "{long}",
							})}
							ms={since}
						/>
					</span>
				)}
			</p>
		</section>
	);
}

/** Gives new connections back to the best target that works. */
function Failback({ rule }: { rule: Rule }) {
	const write = mayWrite(useStore(session));
	const action = useAction();
	if (!write) return null;
	return (
		<p>
			<button
				type="button"
				class="button"
				disabled={action.busy}
				onClick={() =>
					void action.run(() =>
						send("POST", `/v1/rules/${rule.id}/failback`),
					)
				}
			>
				{t("detail.failback")}
			</button>
			<Problem error={action.error} />
		</p>
	);
}

const TONE: Record<Choice["why"], string> = {
	single: "plain",
	manual: "warn",
	preferred: "good",
	fallback: "warn",
	"all-failed": "bad",
	drained: "bad",
	unknown: "plain",
};

export function NowCard({ rule, live }: { rule: Rule; live: Live }) {
	const { stats } = live;
	const state = parseState(rule.state);
	if (state.kind !== "active") return <NotServed rule={rule} state={state} />;
	const choice = choiceOf(rule, stats);
	const takers = takersOf(rule, stats);
	const lost = choice.why === "all-failed";
	// Before the first report nothing is known rather than out of date.
	const stale = stats?.stale === true && !!stats.report_age_ms;
	return (
		<section
			class={`now ${stale && !lost ? "warn" : TONE[choice.why]}`}
			aria-labelledby="now"
		>
			<h2 id="now">
				{lost
					? t("detail.now_listen", { listen: listenText(rule) })
					: t(takers.length > 1 ? "detail.now_shared" : "detail.now")}
			</h2>
			<p class={lost ? "where words" : "where"} aria-live="polite">
				{lost && t("detail.now_unreachable")}
				{!lost &&
					(takers.length
						? names(rule, takers)
						: t("detail.now_drained"))}
			</p>
			{lost ? (
				<Unreachable rule={rule} stats={stats} />
			) : (
				<Chosen rule={rule} stats={stats} choice={choice} />
			)}
			{choice.why === "manual" && <Failback rule={rule} />}
			{stale && stats && <Stale rule={rule} stats={stats} />}
		</section>
	);
}
