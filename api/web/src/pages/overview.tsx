// SPDX-License-Identifier: MIT
// Overview: what needs attention, and how much goes through.
import { useState } from "preact/hooks";
import { t, tn } from "../i18n";
import { busy, type Fleet, fleet, traffic } from "../lib/fleet";
import { bitRate, bytes, count } from "../lib/format";
import { movesOf } from "../lib/moves";
import { lang } from "../lib/preferences";
import { Link } from "../lib/router";
import { drainedOf, endpoint, healthOf, listenText, parseState } from "../lib/rule";
import { isAdmin, mayWrite, session } from "../lib/session";
import { useStore } from "../lib/store";
import type { HealthChange, Rule } from "../lib/types";
import { Empty, Heading, Loading, Tile } from "../parts/basics";
import { TrafficChart } from "../parts/chart";
import { Recent } from "../parts/timeline";
import { concernsOf } from "../words/concerns";

/** As many concerns as are shown before they are asked for. */
const FEW = 8;

function Attention({ f }: { f: Fleet }) {
	const [all, setAll] = useState(false);
	const list = concernsOf(f.rules ?? [], f.clients ?? []);
	const more = list.length - FEW;
	return (
		<section class="card" aria-labelledby="attention">
			<h2 id="attention">{t("overview.attention")}</h2>
			{list.length === 0 && <p class="calm">{t("overview.all_well")}</p>}
			<ul class="concerns">
				{(all ? list : list.slice(0, FEW)).map(c => (
					<li key={c.key} class={c.tone}>
						<Link to={c.to}>{c.title}</Link>
						<span class="muted">{c.text}</span>
					</li>
				))}
			</ul>
			{more > 0 && (
				<button
					type="button"
					class="button more"
					aria-expanded={all}
					onClick={() => setAll(!all)}
				>
					{all ? t("attention.fewer") : tn("attention.more", more)}
				</button>
			)}
		</section>
	);
}

function Busiest({ rules }: { rules: Rule[] }) {
	const top = busy.top(rules, 5);
	const max = Math.max(1, ...top.map(l => l.rate ?? 0));
	return (
		<section class="card" aria-labelledby="busiest">
			<h2 id="busiest">{t("overview.busiest")}</h2>
			{top.length === 0 && <p class="muted">{t("overview.nobody_busy")}</p>}
			<ul class="bars">
				{top.map(({ rule, rate, bytes: sum }) => (
					<li key={rule.id}>
						<Link
							to={`/rules/${rule.id}`}
						>{`#${rule.id} ${rule.client_name} ${listenText(rule)}`}</Link>
						<span class="num">
							{rate === null ? "–" : bitRate(rate)}{" "}
							<small class="muted">
								{t("overview.in_all", {
									n: bytes(sum),
								})}
							</small>
						</span>
						<span class="bar-track" aria-hidden="true">
							<span
								style={{
									width: `${((rate ?? 0) / max) * 100}%`,
								}}
							/>
						</span>
					</li>
				))}
			</ul>
		</section>
	);
}

function FirstSteps({ f }: { f: Fleet }) {
	const who = useStore(session);
	if (f.clients?.length === 0)
		return (
			<Empty title={t("overview.first_edge")}>
				<p>{t("overview.first_edge_why")}</p>
				{isAdmin(who) && (
					<Link to="/edges" class="button primary">
						{t("edges.enrol")}
					</Link>
				)}
			</Empty>
		);
	return (
		<Empty title={t("overview.first_rule")}>
			<p>{t("overview.first_rule_why")}</p>
			{mayWrite(who) && (
				<Link to="/rules/new" class="button primary">
					{t("rules.push")}
				</Link>
			)}
		</Empty>
	);
}

/** How often new connections went on to another target, over all rules. */
function movesAmong(rules: Rule[], changes: HealthChange[]): number {
	const byRule = new Map<number, HealthChange[]>();
	for (const c of changes) byRule.set(c.rule_id, [...(byRule.get(c.rule_id) ?? []), c]);
	return rules.reduce((n, r) => {
		const mine = byRule.get(r.id);
		if (!mine) return n;
		const names = r.targets.map(x => endpoint(x.host, x.port));
		const health = r.targets.map(x => healthOf(x));
		return n + movesOf(names, health, drainedOf(r), mine).filter(m => m.counts).length;
	}, 0);
}

function Tiles({ f }: { f: Fleet }) {
	const clients = (f.clients ?? []).filter(c => !c.revoked_at);
	const rules = f.rules ?? [];
	const connected = clients.filter(c => c.connected).length;
	const active = rules.filter(r => parseState(r.state).kind === "active").length;
	const connections = rules.reduce((n, r) => n + (r.stats?.active_connections ?? 0), 0);
	const changes = f.changes?.filter(c => c.at_unix_ms > f.at - 3_600_000);
	const moves = changes && movesAmong(rules, changes);
	const last = traffic.latest;
	return (
		<dl class="tiles">
			<Tile
				label={t("overview.edges")}
				tone={connected < clients.length ? "warn" : undefined}
			>
				{connected} <small>{t("overview.of", { n: clients.length })}</small>
			</Tile>
			<Tile
				label={t("overview.rules")}
				tone={active < rules.length ? "warn" : undefined}
			>
				{active} <small>{t("overview.of", { n: rules.length })}</small>
			</Tile>
			<Tile label={t("overview.connections")}>
				{count(connections, lang.value)}
			</Tile>
			<Tile label={t("overview.throughput")}>
				{last ? bitRate(last.in + last.out) : "–"}
			</Tile>
			<Tile label={t("overview.moved")} tone={moves ? "warn" : undefined}>
				{changes ? (
					<>
						{tn("detail.times", moves ?? 0)}{" "}
						<small class="below">
							{tn(
								"detail.health_changes",
								changes.length,
							)}
						</small>
					</>
				) : (
					"–"
				)}
			</Tile>
		</dl>
	);
}

function RecentCard({ changes }: { changes: HealthChange[] | null }) {
	return (
		<section class="card" aria-labelledby="recent">
			<h2 id="recent">{t("overview.recent")}</h2>
			{!changes && <p class="problem">{t("detail.timeline_failed")}</p>}
			{changes?.length === 0 && <p class="calm">{t("overview.no_failovers")}</p>}
			{changes && changes.length > 0 && <Recent changes={changes.slice(0, 8)} />}
		</section>
	);
}

export function Overview() {
	const f = useStore(fleet);
	if (!f.rules || !f.clients)
		return (
			<>
				<Heading>{t("nav.overview")}</Heading>
				{!f.error && <Loading />}
			</>
		);
	return (
		<>
			<Heading>{t("nav.overview")}</Heading>
			<Tiles f={f} />
			{f.rules.length === 0 ? (
				<FirstSteps f={f} />
			) : (
				<>
					<Attention f={f} />
					<div class="two">
						<Busiest rules={f.rules} />
						<RecentCard changes={f.changes} />
					</div>
					<section class="card" aria-labelledby="throughput">
						<h2 id="throughput">{t("overview.throughput")}</h2>
						<TrafficChart series={traffic} version={f.at} />
					</section>
				</>
			)}
		</>
	);
}
