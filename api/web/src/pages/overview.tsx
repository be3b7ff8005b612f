// SPDX-License-Identifier: MIT
// Overview: what needs attention, and how much goes through.
import { t, tn } from "../i18n";
import { type Fleet, fleet, traffic } from "../lib/fleet";
import { bitRate, bytes, count } from "../lib/format";
import { lang } from "../lib/preferences";
import { Link } from "../lib/router";
import { choiceOf, endpoint, failedTargets, listenText, parseState } from "../lib/rule";
import { isAdmin, mayWrite, session } from "../lib/session";
import { useStore } from "../lib/store";
import type { Client, HealthChange, Rule } from "../lib/types";
import { Ago, Empty, Heading, Loading, Tile, type Tone } from "../parts/basics";
import { TrafficChart } from "../parts/chart";

interface Concern {
	key: string;
	tone: Tone;
	rank: number;
	to: string;
	title: string;
	text: string;
}

function concernOfRule(r: Rule): Concern | null {
	const to = `/rules/${r.id}`;
	const state = parseState(r.state);
	const id = `#${r.id}`;
	if (state.kind === "failed")
		return {
			key: `r${r.id}`,
			tone: "bad",
			rank: 0,
			to,
			title: t("attention.rule_failed", { id, reason: state.reason }),
			text: `${r.client_name} ${listenText(r)}`,
		};
	const failed = failedTargets(r);
	if (!failed) return null;
	const choice = choiceOf(r);
	const target = r.targets[choice.index];
	const name = target ? endpoint(target.host, target.port) : t("detail.now_none");
	if (choice.why === "all-failed")
		return {
			key: `r${r.id}`,
			tone: "bad",
			rank: 1,
			to,
			title: t("attention.all_failed", { id }),
			text: t("attention.tries_first", { target: name }),
		};
	return {
		key: `r${r.id}`,
		tone: "warn",
		rank: 3,
		to,
		title: tn("attention.target_failed", failed, { id }),
		text: t("attention.now_to", { target: name }),
	};
}

function concernOfEdge(c: Client): Concern | null {
	if (c.revoked_at) return null;
	if (!c.connected)
		return {
			key: `e${c.client_id}`,
			tone: "warn",
			rank: 2,
			to: "/edges",
			title: t("attention.edge_lost", { name: c.client_name }),
			text: t("attention.edge_forwards"),
		};
	if (c.accounting === "user")
		return {
			key: `e${c.client_id}`,
			tone: "info",
			rank: 4,
			to: "/edges",
			title: t("attention.edge_accounting", { name: c.client_name }),
			text: t("attention.edge_accounting_why"),
		};
	return null;
}

function concerns(f: Fleet): Concern[] {
	const all = [
		...(f.rules ?? []).map(concernOfRule),
		...(f.clients ?? []).map(concernOfEdge),
	];
	return all.filter(c => c !== null).sort((a, b) => a.rank - b.rank);
}

function Attention({ f }: { f: Fleet }) {
	const list = concerns(f);
	return (
		<section class="card" aria-labelledby="attention">
			<h2 id="attention">{t("overview.attention")}</h2>
			{list.length === 0 ? (
				<p class="calm">{t("overview.all_well")}</p>
			) : (
				<ul class="concerns">
					{list.slice(0, 8).map(c => (
						<li key={c.key} class={c.tone}>
							<Link to={c.to}>{c.title}</Link>
							<span class="muted">{c.text}</span>
						</li>
					))}
				</ul>
			)}
		</section>
	);
}

export function ChangeList({ changes, withRule }: { changes: HealthChange[]; withRule?: boolean }) {
	return (
		<ol class="timeline">
			{changes.map(c => (
				<li key={c.seq} class={c.failed ? "bad" : "good"}>
					<span class="when">
						<Ago ms={c.at_unix_ms} />
					</span>
					<span>
						{t(
							c.failed
								? "detail.became_failed"
								: "detail.became_healthy",
							{
								target: endpoint(c.host, c.port),
							},
						)}
						{withRule && (
							<>
								{" "}
								<Link
									to={`/rules/${c.rule_id}`}
								>{`#${c.rule_id}`}</Link>
							</>
						)}
					</span>
				</li>
			))}
		</ol>
	);
}

function Busiest({ rules }: { rules: Rule[] }) {
	const sum = (r: Rule) => (r.stats?.bytes_in ?? 0) + (r.stats?.bytes_out ?? 0);
	const top = rules
		.slice()
		.sort((a, b) => sum(b) - sum(a))
		.slice(0, 5);
	const max = Math.max(1, ...top.map(sum));
	return (
		<section class="card" aria-labelledby="busiest">
			<h2 id="busiest">{t("overview.busiest")}</h2>
			<ul class="bars">
				{top.map(r => (
					<li key={r.id}>
						<Link
							to={`/rules/${r.id}`}
						>{`#${r.id} ${r.client_name} ${listenText(r)}`}</Link>
						<span class="num">{bytes(sum(r))}</span>
						<span class="bar-track" aria-hidden="true">
							<span
								style={{
									width: `${(sum(r) / max) * 100}%`,
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

function Tiles({ f }: { f: Fleet }) {
	const clients = (f.clients ?? []).filter(c => !c.revoked_at);
	const rules = f.rules ?? [];
	const connected = clients.filter(c => c.connected).length;
	const active = rules.filter(r => parseState(r.state).kind === "active").length;
	const connections = rules.reduce((n, r) => n + (r.stats?.active_connections ?? 0), 0);
	const failovers = f.changes.filter(c => c.at_unix_ms > f.at - 3_600_000).length;
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
			<Tile label={t("overview.failovers")} tone={failovers ? "warn" : undefined}>
				{count(failovers, lang.value)}
			</Tile>
		</dl>
	);
}

export function Overview() {
	const f = useStore(fleet);
	if (!f.rules || !f.clients)
		return (
			<>
				<Heading>{t("nav.overview")}</Heading>
				<Loading />
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
					<section class="card" aria-labelledby="throughput">
						<h2 id="throughput">{t("overview.throughput")}</h2>
						<TrafficChart series={traffic} version={f.at} />
					</section>
					<div class="two">
						<Busiest rules={f.rules} />
						<section class="card" aria-labelledby="recent">
							<h2 id="recent">{t("overview.recent")}</h2>
							{f.changes.length ? (
								<ChangeList
									changes={f.changes.slice(
										0,
										8,
									)}
									withRule
								/>
							) : (
								<p class="calm">
									{t("overview.no_failovers")}
								</p>
							)}
						</section>
					</div>
				</>
			)}
		</>
	);
}
