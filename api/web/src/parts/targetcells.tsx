// SPDX-License-Identifier: MIT
// What the cells of a target's row say.
import type { ComponentChildren } from "preact";
import { type Key, t, tn } from "../i18n";
import { now } from "../lib/clock";
import { count, micros, percent } from "../lib/format";
import { lang } from "../lib/preferences";
import { endpoint, type HealthKind } from "../lib/rule";
import { useStore } from "../lib/store";
import type { Kernel, Target, TargetStats } from "../lib/types";
import { Badge, Exactly, HealthBadge, WithAgo, WithLasting } from "./basics";

export function HealthCell({ health, row }: { health: HealthKind; row?: TargetStats }) {
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

/** When it was last reached, and when not, 0: never. */
function checksOf(target: Target, row?: TargetStats): { ok: number; bad: number } {
	const from = row ?? target.health;
	return {
		ok: from?.last_success_at_unix_ms ?? 0,
		bad: from?.last_failure_at_unix_ms ?? 0,
	};
}

interface ChecksProps {
	target: Target;
	row?: TargetStats;
	/** What is known is old: nothing is said of what comes next. */
	stale: boolean;
}

/** Last success, last failure, next check: of a row of the stream, else of the list. */
export function ChecksCell({ target, row, stale }: ChecksProps) {
	const { ok, bad } = checksOf(target, row);
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
			<span class="line muted">
				{next > 0 && !stale && <NextCheck ms={next} />}
			</span>
		</>
	);
}

export function Share({ part, whole }: { part: number; whole: number }) {
	const p = percent(part, whole);
	return (
		<span class="share">
			<span class="hidden">{t("detail.share")}</span>
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

const meanConnect = (k: Kernel) => (k.connects_ok ? k.connect_us_sum / k.connects_ok : 0);

export function KernelCell({ kernel }: { kernel?: Kernel | null }) {
	if (!kernel) return <>–</>;
	const mean = meanConnect(kernel);
	return (
		<>
			<span class="line">
				{kernel.srtt_us
					? t("detail.rtt", { v: micros(kernel.srtt_us) })
					: "–"}
			</span>
			<span class="line muted">
				{mean ? t("detail.connect", { v: micros(mean) }) : ""}
			</span>
		</>
	);
}

interface DetailsProps {
	target: Target;
	row?: TargetStats;
	kernel?: Kernel | null;
}

/** What is not worth a column, but must be found without a mouse: exact times, and how connects ended. */
export function Details({ target, row, kernel }: DetailsProps) {
	const { ok, bad } = checksOf(target, row);
	const n = (v: number) => count(v, lang.value);
	const facts: [Key, ComponentChildren][] = [];
	if (row || target.health)
		facts.push(
			["detail.fact.ok", <Exactly key="ok" ms={ok} />],
			["detail.fact.failed", <Exactly key="bad" ms={bad} />],
		);
	if (kernel)
		facts.push(
			["detail.fact.connected", n(kernel.connects_ok)],
			["detail.fact.refused", n(kernel.connects_failed)],
			["detail.fact.timed_out", n(kernel.connects_timed_out)],
			["detail.fact.abandoned", n(kernel.connects_abandoned)],
		);
	// Only the kernel knows these.
	if (kernel?.basis === "acked")
		facts.push(
			["detail.fact.mean", micros(meanConnect(kernel))],
			["detail.fact.longest", micros(kernel.connect_us_max)],
			["detail.fact.resets", n(kernel.resets)],
			["detail.fact.retransmits", n(kernel.retransmits)],
		);
	if (facts.length === 0) return null;
	return (
		<details class="facts-of">
			<summary>
				{t("detail.details")}
				<span class="hidden"> {endpoint(target.host, target.port)}</span>
			</summary>
			<dl>
				{facts.map(([key, value]) => (
					<div key={key}>
						<dt>{t(key)}</dt>
						<dd>{value}</dd>
					</div>
				))}
			</dl>
		</details>
	);
}
