// SPDX-License-Identifier: MIT
// The targets of a rule in order of preference, with what is known of each.
import { t } from "../i18n";
import { bitRate, bytes, count } from "../lib/format";
import { lang } from "../lib/preferences";
import {
	choiceOf,
	endpoint,
	type HealthKind,
	headerText,
	liveRows,
	parseState,
	takersOf,
} from "../lib/rule";
import { Series } from "../lib/series";
import type { Kernel, Rule, Stats, Target, TargetStats } from "../lib/types";
import { Badge } from "./basics";
import { Sparkline } from "./chart";
import { ChecksCell, Details, HealthCell, KernelCell, Share } from "./targetcells";

const NO_TREND = new Series();

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
		open: stats.active_connections + (stats.active_flows ?? 0),
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
	/** All have failed: it takes nothing, but is tried first. */
	lost: boolean;
	trend: Series;
	single: boolean;
	stale: boolean;
}

function Row(p: RowProps) {
	const { target, index, health, row, figures, total, takes, lost, trend, single } = p;
	const name = endpoint(target.host, target.port);
	const rate = trend.latest ? bitRate(trend.latest.in + trend.latest.out) : "–";
	return (
		<>
			<tr class={takes && !lost ? "takes" : ""} data-target={index}>
				<th scope="row">
					<span class="mono">{name}</span>
					<span class="line">
						{(target.weight ?? 1) > 1 && (
							<Badge tone="plain">{`× ${target.weight}`}</Badge>
						)}{" "}
						{target.proxy_protocol && (
							<Badge tone="plain">
								{`PROXY ${headerText(target)}`}
							</Badge>
						)}{" "}
						{takes && (
							<Badge tone={lost ? "bad" : "info"}>
								{t(
									lost
										? "detail.tried"
										: "detail.takes",
								)}
							</Badge>
						)}
					</span>
				</th>
				{!single && (
					<>
						<td data-label={t("detail.health")}>
							<HealthCell health={health} row={row} />
						</td>
						<td data-label={t("detail.last")} class="checks">
							<ChecksCell
								target={target}
								row={row}
								stale={p.stale}
							/>
						</td>
					</>
				)}
				<td data-label={t("detail.traffic")} class="traffic">
					<span class="line num">
						<span class="arrow in" aria-hidden="true">
							→
						</span>
						<span class="hidden">
							{t("detail.to_targets")}{" "}
						</span>
						{figures ? bytes(figures.bytesIn) : "–"}
					</span>
					<span class="line num">
						<span class="arrow out" aria-hidden="true">
							←
						</span>
						<span class="hidden">
							{t("detail.to_clients")}{" "}
						</span>
						{figures ? bytes(figures.bytesOut) : "–"}
					</span>
					{!single && (
						<Share
							part={
								figures
									? figures.bytesIn +
										figures.bytesOut
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
									n: count(
										figures.open,
										lang.value,
									),
								})
							: "–"}
					</span>
					<span class="line muted">
						{figures
							? t("detail.all", {
									n: count(
										figures.all,
										lang.value,
									),
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
			<tr class="more">
				<td colSpan={single ? 5 : 7}>
					<Details
						target={target}
						row={row}
						kernel={figures?.kernel}
					/>
				</td>
			</tr>
		</>
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
	const takers = takersOf(rule, stats);
	const served = parseState(rule.state).kind === "active";
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
							takes={served && takers.includes(i)}
							lost={choice.why === "all-failed"}
							trend={
								(single
									? whole
									: trends.get(name)) ??
								NO_TREND
							}
							single={single}
							stale={stats?.stale === true}
						/>
					);
				})}
			</tbody>
		</table>
	);
}
