// SPDX-License-Identifier: MIT
// The targets of a rule in order of preference, with what is known of each.
import { t, tn } from "../i18n";
import { now } from "../lib/clock";
import { bitRate, bytes, count, micros, percent } from "../lib/format";
import { lang } from "../lib/preferences";
import { choiceOf, endpoint, type HealthKind, liveRows } from "../lib/rule";
import { Series } from "../lib/series";
import { useStore } from "../lib/store";
import type { Kernel, Rule, Stats, Target, TargetStats } from "../lib/types";
import { Badge, HealthBadge, WithAgo, WithLasting } from "./basics";
import { Sparkline } from "./chart";

const NO_TREND = new Series();

function HealthCell({ health, row }: { health: HealthKind; row?: TargetStats }) {
	const since = row?.health_since_unix_ms ?? 0;
	return (
		<>
			<HealthBadge health={health} />{" "}
			{row?.drained && <Badge tone="warn">{t("health.drained")}</Badge>}
			<span class="line muted">
				{since > 0 && (
					<WithLasting
						text={t("detail.for", { long: "{long}" })}
						ms={since}
					/>
				)}
			</span>
			<span class="line bad-text">
				{row &&
					row.consecutive_failures > 0 &&
					tn("detail.in_row", row.consecutive_failures)}
			</span>
		</>
	);
}

/** Between two reports a check may have been made already: then it is due, never in the past. */
function NextCheck({ ms }: { ms: number }) {
	const at = useStore(now);
	if (ms <= at) return <>{t("detail.next_due")}</>;
	return <WithAgo text={t("detail.next", { when: "{when}" })} ms={ms} ahead />;
}

/** Last success, last failure, next check: of a row of the stream, else of the list. */
function ChecksCell({ target, row }: { target: Target; row?: TargetStats }) {
	const ok = row?.last_success_at_unix_ms ?? target.health?.last_success_at_unix_ms ?? 0;
	const bad = row?.last_failure_at_unix_ms ?? target.health?.last_failure_at_unix_ms ?? 0;
	const next = row?.next_check_unix_ms ?? 0;
	return (
		<>
			<span class="line">
				{ok ? (
					<WithAgo
						text={t("detail.last_ok", { when: "{when}" })}
						ms={ok}
					/>
				) : (
					t("detail.no_ok")
				)}
			</span>
			<span class={bad > ok ? "line bad-text" : "line"}>
				{bad ? (
					<WithAgo
						text={t("detail.last_fail", { when: "{when}" })}
						ms={bad}
					/>
				) : (
					t("detail.no_fail")
				)}
			</span>
			<span class="line muted">{next > 0 && <NextCheck ms={next} />}</span>
		</>
	);
}

function Share({ part, whole }: { part: number; whole: number }) {
	const p = percent(part, whole);
	return (
		<span class="share" title={t("detail.share_of", { p })}>
			<span class="bar-track" aria-hidden="true">
				<span
					style={{
						width: `${whole > 0 ? (part / whole) * 100 : 0}%`,
					}}
				/>
			</span>
			<span class="num">{p}</span>
		</span>
	);
}

function KernelCell({ kernel }: { kernel?: Kernel | null }) {
	if (!kernel) return <>–</>;
	const mean = kernel.connects_ok ? kernel.connect_us_sum / kernel.connects_ok : 0;
	const hint = t("detail.connect_hint", {
		mean: micros(mean),
		max: micros(kernel.connect_us_max),
		ok: kernel.connects_ok,
		failed: kernel.connects_failed,
		timed: kernel.connects_timed_out,
		retransmits: kernel.retransmits,
	});
	return (
		<span title={hint}>
			<span class="line">
				{kernel.srtt_us
					? t("detail.rtt", { v: micros(kernel.srtt_us) })
					: "–"}
			</span>
			<span class="line muted">
				{mean ? t("detail.connect", { v: micros(mean) }) : ""}
			</span>
		</span>
	);
}

interface Figures {
	bytesIn: number;
	bytesOut: number;
	open: number;
	all: number;
	kernel?: Kernel | null;
}

function figuresOf(
	stats: Stats | null,
	row: TargetStats | undefined,
	single: boolean,
): Figures | null {
	if (row)
		return {
			bytesIn: row.bytes_in,
			bytesOut: row.bytes_out,
			open: row.kernel?.active ?? 0,
			all: row.connections_accepted,
			kernel: row.kernel,
		};
	if (!single || !stats) return null;
	return {
		bytesIn: stats.bytes_in,
		bytesOut: stats.bytes_out,
		open: stats.active_connections,
		all: stats.kernel?.connects_ok ?? 0,
		kernel: stats.kernel,
	};
}

interface RowProps {
	target: Target;
	index: number;
	health: HealthKind;
	row?: TargetStats;
	figures: Figures | null;
	total: number;
	takes: boolean;
	trend: Series;
	single: boolean;
}

function Row({ target, index, health, row, figures, total, takes, trend, single }: RowProps) {
	const name = endpoint(target.host, target.port);
	const rate = trend.latest ? bitRate(trend.latest.in + trend.latest.out) : "–";
	return (
		<tr class={takes ? "takes" : ""} data-target={index}>
			<th scope="row">
				<span class="mono">{name}</span>
				<span class="sub">
					{t("push.priority", { n: target.priority })}
				</span>
				<span class="line">
					{takes && <Badge tone="info">{t("detail.takes")}</Badge>}
				</span>
			</th>
			{!single && (
				<>
					<td data-label={t("detail.health")}>
						<HealthCell health={health} row={row} />
					</td>
					<td data-label={t("detail.last")} class="checks">
						<ChecksCell target={target} row={row} />
					</td>
				</>
			)}
			<td data-label={t("detail.traffic")} class="traffic">
				<span class="line num">
					<span class="arrow in" title={t("detail.to_targets")}>
						→
					</span>
					{figures ? bytes(figures.bytesIn) : "–"}
				</span>
				<span class="line num">
					<span class="arrow out" title={t("detail.to_clients")}>
						←
					</span>
					{figures ? bytes(figures.bytesOut) : "–"}
				</span>
				{!single && (
					<Share
						part={
							figures
								? figures.bytesIn + figures.bytesOut
								: 0
						}
						whole={total}
					/>
				)}
			</td>
			<td data-label={t("detail.conns")} class="num">
				<span class="line">
					{figures
						? t("detail.open", {
								n: count(figures.open, lang.value),
							})
						: "–"}
				</span>
				<span class="line muted">
					{figures
						? t("detail.all", {
								n: count(figures.all, lang.value),
							})
						: ""}
				</span>
			</td>
			<td data-label={t("detail.kernel")} class="num">
				<KernelCell kernel={figures?.kernel} />
			</td>
			<td data-label={t("detail.trend")} class="trend">
				<Sparkline
					series={trend}
					label={t("detail.trend_of", { target: name, rate })}
				/>
				<span class="line num muted">{rate}</span>
			</td>
		</tr>
	);
}

interface Props {
	rule: Rule;
	stats: Stats | null;
	health: HealthKind[];
	trends: Map<string, Series>;
	whole: Series;
}

export function TargetTable({ rule, stats, health, trends, whole }: Props) {
	const single = rule.targets.length === 1;
	const choice = choiceOf(rule, stats);
	const active = liveRows(stats).reduce((sum, x) => sum + x.bytes_in + x.bytes_out, 0);
	return (
		<table class="list targets">
			<thead>
				<tr>
					<th scope="col">{t("detail.target")}</th>
					{!single && (
						<th scope="col" class="healths">
							{t("detail.health")}
						</th>
					)}
					{!single && (
						<th scope="col" class="checks">
							{t("detail.last")}
						</th>
					)}
					<th scope="col" class="traffic">
						{t("detail.traffic")}
					</th>
					<th scope="col" class="num">
						{t("detail.conns")}
					</th>
					<th scope="col" class="num">
						{t("detail.kernel")}
					</th>
					<th scope="col">{t("detail.trend")}</th>
				</tr>
			</thead>
			<tbody>
				{rule.targets.map((target, i) => {
					const name = endpoint(target.host, target.port);
					const row = liveRows(stats).find(x => x.index === i);
					return (
						<Row
							key={name}
							target={target}
							index={i}
							health={health[i] ?? "unknown"}
							row={row}
							figures={figuresOf(stats, row, single)}
							total={active}
							takes={choice.index === i}
							trend={
								(single
									? whole
									: trends.get(name)) ??
								NO_TREND
							}
							single={single}
						/>
					);
				})}
			</tbody>
		</table>
	);
}
