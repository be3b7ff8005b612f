// SPDX-License-Identifier: MIT
// One rule, live: where new connections go now, its targets, what went where, what failed when.
import { useEffect, useState } from "preact/hooks";
import { t, tn } from "../i18n";
import { getJson } from "../lib/api";
import { fleet } from "../lib/fleet";
import { bytes, count } from "../lib/format";
import { historyOf, useLive } from "../lib/history";
import { type Move, movesOf } from "../lib/moves";
import { lang } from "../lib/preferences";
import { Link, navigate } from "../lib/router";
import {
	drainedOf,
	endpoint,
	groupOf,
	healthOf,
	listenText,
	liveRows,
	parseState,
} from "../lib/rule";
import { mayWrite, session } from "../lib/session";
import { useStore } from "../lib/store";
import type { Live, StreamState } from "../lib/stream";
import type { HealthChange, Rule, Stats } from "../lib/types";
import {
	Badge,
	Empty,
	Failure,
	Heading,
	Loading,
	StateBadge,
	Tile,
	type Tone,
	WithAgo,
} from "../parts/basics";
import { TrafficChart } from "../parts/chart";
import { Flows } from "../parts/flows";
import { Names } from "../parts/names";
import { NowCard } from "../parts/now";
import { RemoveRule } from "../parts/remove";
import { Settings } from "../parts/settings";
import { TargetTable } from "../parts/targettable";
import { Timeline } from "../parts/timeline";
import { actorText } from "../words/codes";

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

function Facts({ rule }: { rule: Rule }) {
	const every = rule.health_check_interval_secs;
	return (
		<p class="facts">
			<span>
				{t("detail.edge")} <b>{rule.client_name}</b>
			</span>
			<span>
				{t("detail.listens")} <b class="mono">{listenText(rule)}</b>{" "}
				{rule.protocol.toUpperCase()}{" "}
				{rule.sni_pattern && <b class="mono">{rule.sni_pattern}</b>}
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
				{t("detail.owner")} <b>{actorText(rule.owner_user_id)}</b>
			</span>
		</p>
	);
}

/** How often new connections went elsewhere; more changes than are remembered make it a lower bound. */
function Moved({ stats, moves }: { stats: Stats | null; moves: Move[] | null }) {
	const changes = Math.max(stats?.target_failovers_total ?? 0, moves?.length ?? 0);
	const n = moves?.filter(m => m.counts).length ?? 0;
	const least = moves && moves.length < changes;
	return (
		<Tile label={t("detail.failovers")} tone={n ? "warn" : undefined}>
			{moves
				? least
					? tn("detail.times_least", n)
					: tn("detail.times", n)
				: "–"}{" "}
			<small class="below">{stats && tn("detail.health_changes", changes)}</small>
		</Tile>
	);
}

const figure = (v: number | undefined) => (v === undefined ? "–" : count(v, lang.value));

function Connections({ stats }: { stats: Stats | null }) {
	const accepted = stats?.per_target?.length
		? stats.per_target.reduce((sum, x) => sum + x.connections_accepted, 0)
		: stats?.kernel?.connects_ok;
	return (
		<Tile label={t("detail.connections")}>
			{figure(stats?.active_connections)}{" "}
			<small>
				{accepted === undefined
					? ""
					: t("detail.accepted", { n: figure(accepted) })}
			</small>
		</Tile>
	);
}

function FlowFigures({ stats }: { stats: Stats | null }) {
	const dropped = stats?.flows_dropped_overflow;
	return (
		<>
			<Tile label={t("detail.flows")} tone={dropped ? "warn" : undefined}>
				{figure(stats?.active_flows)}{" "}
				<small>
					{dropped
						? t("detail.flows_dropped", { n: figure(dropped) })
						: ""}
				</small>
			</Tile>
			<Tile label={t("detail.datagrams")}>
				{figure(stats?.datagrams_in)} / {figure(stats?.datagrams_out)}
			</Tile>
		</>
	);
}

function Figures({
	rule,
	stats,
	moves,
}: {
	rule: Rule;
	stats: Stats | null;
	moves: Move[] | null;
}) {
	return (
		<dl class="tiles">
			{rule.protocol === "udp" ? (
				<FlowFigures stats={stats} />
			) : (
				<Connections stats={stats} />
			)}
			<Tile label={t("detail.to_targets")}>
				{stats ? bytes(stats.bytes_in) : "–"}
			</Tile>
			<Tile label={t("detail.to_clients")}>
				{stats ? bytes(stats.bytes_out) : "–"}
			</Tile>
			{rule.targets.length > 1 && <Moved stats={stats} moves={moves} />}
			<Tile
				label={t("detail.dns")}
				tone={stats?.dns_failures ? "warn" : undefined}
			>
				{figure(stats?.dns_failures)}{" "}
				<small>
					{stats?.hedge_wins
						? t("detail.hedged", {
								n: figure(stats.hedge_wins),
							})
						: ""}
				</small>
			</Tile>
		</dl>
	);
}

interface Changes {
	list: HealthChange[] | null;
	error: unknown;
	again: () => void;
}

/** The server's memory of this rule's changes; asked for again when the count of them moves. */
function useChanges(id: number, failovers: number | undefined): Changes {
	const [list, setList] = useState<HealthChange[] | null>(null);
	const [error, setError] = useState<unknown>(null);
	const [round, setRound] = useState(0);
	// biome-ignore lint/correctness/useExhaustiveDependencies: a new count means new changes
	useEffect(() => {
		const quit = new AbortController();
		getJson<HealthChange[]>(`/v1/health-changes?rule=${id}`, quit.signal).then(
			got => {
				setList(got);
				setError(null);
			},
			e => !quit.signal.aborted && setError(e),
		);
		return () => quit.abort();
	}, [id, failovers, round]);
	return { list, error, again: () => setRound(n => n + 1) };
}

function History({ rule, changes, moves }: { rule: Rule; changes: Changes; moves: Move[] | null }) {
	return (
		<section class="card" aria-labelledby="timeline">
			<h2 id="timeline">{t("detail.timeline")}</h2>
			{changes.error ? (
				<Failure error={changes.error} retry={changes.again} />
			) : (
				!moves && <Loading />
			)}
			{moves?.length === 0 && !changes.error && (
				<p class="calm">{t("detail.timeline_none")}</p>
			)}
			{moves && moves.length > 0 && (
				<>
					<Timeline moves={moves.slice(0, 30)} rule={rule} />
					<p class="muted">{t("detail.timeline_since")}</p>
				</>
			)}
		</section>
	);
}

function Actions({ rule, live }: { rule: Rule; live: Live }) {
	const write = mayWrite(useStore(session));
	const [removing, setRemoving] = useState(false);
	return (
		<>
			<StreamPill live={live} />
			{write && (
				<span class="group">
					<Link to={`/rules/${rule.id}/edit`} class="button">
						{t("rules.edit")}
					</Link>
					<button
						type="button"
						class="button risky"
						onClick={() => setRemoving(true)}
					>
						{t("rules.remove")}
					</button>
				</span>
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

function Body({ rule }: { rule: Rule }) {
	const history = historyOf(rule.id);
	const live = useLive(rule.id, history);
	const { stats } = live;
	const rows = liveRows(stats);
	const health = rule.targets.map((x, i) =>
		healthOf(
			x,
			rows.find(r => r.index === i),
		),
	);
	const changes = useChanges(rule.id, stats?.target_failovers_total);
	const names = rule.targets.map(x => endpoint(x.host, x.port));
	const moves =
		changes.list &&
		movesOf(names, health, drainedOf(rule, stats), changes.list, {
			groupOf: row => groupOf(rule, row),
			manual: rule.failback === "manual",
		});
	const basis = stats?.kernel?.basis;
	const several = rule.targets.length > 1;

	if (live.state === "gone") return <Gone />;
	return (
		<>
			<Heading aside={<Actions rule={rule} live={live} />}>
				{t("detail.title", { id: `#${rule.id}` })}{" "}
				<StateBadge state={parseState(rule.state)} />
			</Heading>
			<Facts rule={rule} />
			<NowCard rule={rule} live={live} />
			<Figures rule={rule} stats={stats} moves={moves} />
			<section class="card" aria-labelledby="targets">
				<h2 id="targets">
					{t(several ? "detail.targets" : "detail.target")}
				</h2>
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
			{rule.protocol === "udp" && <Flows rule={rule} />}
			<Names rule={rule} stats={stats} />
			<Settings rule={rule} />
			{several && <History rule={rule} changes={changes} moves={moves} />}
			<section class="card" aria-labelledby="throughput">
				<h2 id="throughput">{t("detail.throughput")}</h2>
				<TrafficChart series={history.whole} version={live.at} />
			</section>
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
	const { rules, error } = useStore(fleet);
	const rule = rules?.find(r => r.id === id);
	if (!rules)
		return (
			<>
				<Heading>{t("detail.title", { id: `#${id}` })}</Heading>
				{!error && <Loading />}
			</>
		);
	if (!rule)
		return (
			<>
				<Heading>{t("detail.title", { id: `#${id}` })}</Heading>
				<Gone />
			</>
		);
	return <Body key={id} rule={rule} />;
}
