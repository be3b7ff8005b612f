// SPDX-License-Identifier: MIT
// One rule, live: where new connections go now, its targets, what went where, what failed when.
import { useEffect, useMemo, useState } from "preact/hooks";
import { t, tn } from "../i18n";
import { getJson } from "../lib/api";
import { fleet } from "../lib/fleet";
import { bytes, count } from "../lib/format";
import { lang } from "../lib/preferences";
import { Link, navigate } from "../lib/router";
import {
	type Choice,
	choiceOf,
	drainedOf,
	endpoint,
	healthOf,
	listenText,
	liveRows,
	parseState,
} from "../lib/rule";
import { Series } from "../lib/series";
import { mayWrite, session } from "../lib/session";
import { useStore } from "../lib/store";
import { type Live, RuleStream, type StreamState } from "../lib/stream";
import type { HealthChange, Rule, Stats } from "../lib/types";
import {
	Badge,
	Empty,
	Heading,
	Loading,
	StateBadge,
	Tile,
	type Tone,
	WithAgo,
	WithLasting,
} from "../parts/basics";
import { TrafficChart } from "../parts/chart";
import { RemoveRule } from "../parts/remove";
import { TargetTable } from "../parts/targettable";
import { ChangeList } from "./overview";

/** The rates of a rule and its targets, kept while the page moves elsewhere and back. */
interface History {
	whole: Series;
	targets: Map<string, Series>;
	reported: string;
}
const histories = new Map<number, History>();

function historyOf(id: number): History {
	let h = histories.get(id);
	if (!h) {
		h = { whole: new Series(), targets: new Map(), reported: "" };
		histories.set(id, h);
	}
	return h;
}

function note(h: History, stats: Stats): void {
	const at = Date.parse(stats.updated_at ?? "");
	if (!at || h.reported === stats.updated_at) return;
	h.reported = stats.updated_at ?? "";
	h.whole.add(at, stats.bytes_in, stats.bytes_out);
	for (const row of stats.per_target ?? []) {
		const name = endpoint(row.host, row.port);
		const series = h.targets.get(name) ?? new Series(60);
		h.targets.set(name, series);
		series.add(at, row.bytes_in, row.bytes_out);
	}
}

function useLive(id: number, history: History): Live {
	const [stream] = useState(() => new RuleStream(id));
	const live = useStore(stream.live);
	useEffect(() => {
		const online = () => stream.hurry();
		addEventListener("online", online);
		return () => {
			removeEventListener("online", online);
			stream.close();
		};
	}, [stream]);
	useMemo(() => live.stats && note(history, live.stats), [live.stats, history]);
	return live;
}

const STREAM_TONE: Record<StreamState, Tone> = {
	connecting: "plain",
	streaming: "good",
	reconnecting: "warn",
	polling: "warn",
	gone: "plain",
};

function StreamPill({ live }: { live: Live }) {
	return (
		<span class="stream">
			<span class="muted">
				{live.at > 0 && (
					<WithAgo
						text={t("stream.age", { when: "{when}" })}
						ms={live.at}
					/>
				)}
				{live.reconnects > 0 &&
					` · ${tn("stream.reconnects", live.reconnects)}`}
			</span>
			<Badge tone={STREAM_TONE[live.state]}>{t(`stream.${live.state}`)}</Badge>
		</span>
	);
}

function reasons(rule: Rule, stats: Stats | null, choice: Choice): string[] {
	const name = (i: number) => {
		const x = rule.targets[i];
		return x ? endpoint(x.host, x.port) : "";
	};
	const drained = drainedOf(rule, stats);
	const before = rule.targets.map((_, i) => i).slice(0, Math.max(0, choice.index));
	const failed = before.filter(i => !drained.includes(i));
	const lines: string[] = [];
	switch (choice.why) {
		case "fallback":
			if (failed.length)
				lines.push(
					tn("detail.why.fallback", failed.length, {
						list: failed.map(name).join(", "),
					}),
				);
			break;
		case "all-failed":
			lines.push(t("detail.why.all_failed"));
			break;
		default:
			lines.push(t(`detail.why.${choice.why}`));
	}
	if (drained.length && choice.index >= 0)
		lines.push(t("detail.why.skip_drained", { list: drained.map(name).join(", ") }));
	return lines;
}

const NOW_TONE: Record<Choice["why"], string> = {
	single: "plain",
	preferred: "good",
	fallback: "warn",
	"all-failed": "bad",
	drained: "bad",
	unknown: "plain",
};

function NowCard({ rule, live }: { rule: Rule; live: Live }) {
	const { stats } = live;
	const choice = choiceOf(rule, stats);
	const target = rule.targets[choice.index];
	const state = parseState(rule.state);
	const since =
		stats?.per_target?.find(x => x.index === choice.index)?.health_since_unix_ms ?? 0;
	// Before the first report nothing is known rather than out of date.
	const stale = stats?.stale === true && !!stats.report_age_ms && state.kind === "active";
	return (
		<section
			class={`now ${stale || state.kind !== "active" ? "warn" : NOW_TONE[choice.why]}`}
			aria-labelledby="now"
		>
			<h2 id="now">{t("detail.now")}</h2>
			<p class="where" aria-live="polite">
				{target ? endpoint(target.host, target.port) : t("detail.now_none")}
			</p>
			<p class="why">
				{reasons(rule, stats, choice).join(" ")}{" "}
				{since > 0 && choice.why !== "single" && (
					<span class="muted">
						<WithLasting
							text={t(
								choice.why === "all-failed"
									? "detail.failed_for"
									: "detail.healthy_for",
								{
									long: "{long}",
								},
							)}
							ms={since}
						/>
					</span>
				)}
			</p>
			{state.kind !== "active" && (
				<p class="why strong">
					{t("detail.not_active", {
						reason: state.reason || t(`state.${state.kind}`),
					})}
				</p>
			)}
			{stale && stats && (
				<p class="why strong">
					<WithAgo
						text={t("detail.stale", {
							edge: rule.client_name,
							when: "{when}",
						})}
						ms={Date.parse(stats.updated_at ?? "") || 0}
					/>
				</p>
			)}
		</section>
	);
}

function Facts({ rule }: { rule: Rule }) {
	const every = rule.health_check_interval_secs;
	return (
		<p class="facts">
			<span>
				{t("detail.edge")} <b>{rule.client_name}</b>
			</span>
			<span>
				{t("detail.listens")} <b class="mono">{listenText(rule)}</b>{" "}
				{rule.protocol.toUpperCase()}
			</span>
			{rule.targets.length > 1 && (
				<span>
					{t("detail.checks")}{" "}
					<b>
						{every
							? t("detail.checks_every", { n: every })
							: t("detail.checks_passive")}
					</b>
				</span>
			)}
			<span>
				{t("detail.owner")} <b>{rule.owner_user_id}</b>
			</span>
		</p>
	);
}

function Figures({ rule, stats }: { rule: Rule; stats: Stats | null }) {
	const n = (v: number | undefined) => (v === undefined ? "–" : count(v, lang.value));
	const accepted = stats?.per_target?.length
		? stats.per_target.reduce((sum, x) => sum + x.connections_accepted, 0)
		: stats?.kernel?.connects_ok;
	return (
		<dl class="tiles">
			<Tile label={t("detail.connections")}>
				{n(stats?.active_connections)}{" "}
				<small>
					{accepted === undefined
						? ""
						: t("detail.accepted", { n: n(accepted) })}
				</small>
			</Tile>
			<Tile label={t("detail.to_targets")}>
				{stats ? bytes(stats.bytes_in) : "–"}
			</Tile>
			<Tile label={t("detail.to_clients")}>
				{stats ? bytes(stats.bytes_out) : "–"}
			</Tile>
			{rule.targets.length > 1 && (
				<Tile
					label={t("detail.failovers")}
					tone={stats?.target_failovers_total ? "warn" : undefined}
				>
					{n(stats?.target_failovers_total)}{" "}
					<small>
						{stats?.hedge_wins
							? t("detail.hedged", {
									n: n(stats.hedge_wins),
								})
							: ""}
					</small>
				</Tile>
			)}
			<Tile label={t("detail.dns")}>{n(stats?.dns_failures)}</Tile>
		</dl>
	);
}

/** The server's memory of this rule's changes; asked for again when the count of them moves. */
function useChanges(id: number, failovers: number | undefined): HealthChange[] | null {
	const [changes, setChanges] = useState<HealthChange[] | null>(null);
	// biome-ignore lint/correctness/useExhaustiveDependencies: a new count means new changes
	useEffect(() => {
		const quit = new AbortController();
		getJson<HealthChange[]>(`/v1/health-changes?rule=${id}`, quit.signal).then(
			setChanges,
			() => {},
		);
		return () => quit.abort();
	}, [id, failovers]);
	return changes;
}

function Timeline({ rule, failovers }: { rule: Rule; failovers: number | undefined }) {
	const changes = useChanges(rule.id, failovers);
	return (
		<section class="card" aria-labelledby="timeline">
			<h2 id="timeline">{t("detail.timeline")}</h2>
			{changes?.length ? (
				<>
					<ChangeList changes={changes.slice(0, 30)} />
					<p class="muted">{t("detail.timeline_since")}</p>
				</>
			) : (
				<p class="calm">{t("detail.timeline_none")}</p>
			)}
		</section>
	);
}

function Body({ rule }: { rule: Rule }) {
	const history = historyOf(rule.id);
	const live = useLive(rule.id, history);
	const [removing, setRemoving] = useState(false);
	const write = mayWrite(useStore(session));
	const { stats } = live;
	const health = rule.targets.map((x, i) =>
		healthOf(
			x,
			liveRows(stats).find(r => r.index === i),
		),
	);
	const basis = stats?.kernel?.basis;

	if (live.state === "gone") return <Gone />;
	return (
		<>
			<Heading
				aside={
					<>
						<StreamPill live={live} />
						{write && (
							<button
								type="button"
								class="button"
								onClick={() => setRemoving(true)}
							>
								{t("rules.remove")}
							</button>
						)}
					</>
				}
			>
				{t("detail.title", { id: `#${rule.id}` })}{" "}
				<StateBadge state={parseState(rule.state)} />
			</Heading>
			<Facts rule={rule} />
			<NowCard rule={rule} live={live} />
			<Figures rule={rule} stats={stats} />
			<section class="card" aria-labelledby="targets">
				<h2 id="targets">{t("detail.targets")}</h2>
				<TargetTable
					rule={rule}
					stats={stats}
					health={health}
					trends={history.targets}
					whole={history.whole}
				/>
				<p class="muted basis">
					{(basis === "acked" || basis === "written") &&
						t(`detail.basis.${basis}`)}
				</p>
			</section>
			<section class="card" aria-labelledby="throughput">
				<h2 id="throughput">{t("detail.throughput")}</h2>
				<TrafficChart series={history.whole} version={live.at} />
			</section>
			{rule.targets.length > 1 && (
				<Timeline rule={rule} failovers={stats?.target_failovers_total} />
			)}
			{removing && (
				<RemoveRule
					rule={rule}
					onClose={() => setRemoving(false)}
					onRemoved={() => navigate("/rules")}
				/>
			)}
		</>
	);
}

function Gone() {
	return (
		<Empty title={t("detail.gone")}>
			<Link to="/rules" class="button">
				{t("common.back_rules")}
			</Link>
		</Empty>
	);
}

export function RulePage({ id }: { id: number }) {
	const { rules } = useStore(fleet);
	const rule = rules?.find(r => r.id === id);
	if (!rules)
		return (
			<>
				<Heading>{t("detail.title", { id: `#${id}` })}</Heading>
				<Loading />
			</>
		);
	if (!rule) return <Gone />;
	return <Body key={id} rule={rule} />;
}
