// SPDX-License-Identifier: MIT
// A port that several rules share by server name: which name leads where, and who got nowhere.
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n";
import { getJson } from "../lib/api";
import { count } from "../lib/format";
import { lang } from "../lib/preferences";
import { Link } from "../lib/router";
import type { Rule, SniListener, Stats } from "../lib/types";
import { Failure } from "./basics";

/** Asked for again with each report that comes. */
function useListener(rule: Rule, at: string | null | undefined) {
	const [listener, setListener] = useState<SniListener | null>(null);
	const [error, setError] = useState<unknown>(null);
	const [round, setRound] = useState(0);
	// biome-ignore lint/correctness/useExhaustiveDependencies: a new report means new figures
	useEffect(() => {
		const quit = new AbortController();
		const path = `/v1/clients/${encodeURIComponent(rule.client_id)}/sni-listeners`;
		getJson<SniListener[]>(path, quit.signal).then(
			list => {
				setListener(list.find(l => l.port === rule.listen_port) ?? null);
				setError(null);
			},
			e => !quit.signal.aborted && setError(e),
		);
		return () => quit.abort();
	}, [rule.client_id, rule.listen_port, at, round]);
	return { listener, error, again: () => setRound(n => n + 1) };
}

function Routes({ listener, own }: { listener: SniListener; own: number }) {
	const rows: [string, number][] = listener.routes.map(r => [r.pattern, r.rule_id]);
	if (listener.fallback_rule_id !== null)
		rows.push([t("names.fallback"), listener.fallback_rule_id]);
	return (
		<ul class="names">
			{rows.map(([name, id]) => (
				<li key={id}>
					<span class="mono">{name}</span>{" "}
					{id === own ? (
						<span class="muted">{t("names.this")}</span>
					) : (
						<Link to={`/rules/${id}`}>{`#${id}`}</Link>
					)}
				</li>
			))}
		</ul>
	);
}

/** Nothing for a rule that has its port for itself. */
export function Names({ rule, stats }: { rule: Rule; stats: Stats | null }) {
	const shared =
		rule.sni_pattern !== undefined || stats?.sni_route_fallback_total !== undefined;
	if (!shared) return null;
	return <Shared rule={rule} stats={stats} />;
}

function Shared({ rule, stats }: { rule: Rule; stats: Stats | null }) {
	const { listener, error, again } = useListener(rule, stats?.updated_at);
	const n = (v: number | undefined) => (v === undefined ? "–" : count(v, lang.value));
	return (
		<section class="card" aria-labelledby="names">
			<h2 id="names">{t("names.title", { port: rule.listen_port })}</h2>
			{error ? <Failure error={error} retry={again} /> : null}
			{listener && <Routes listener={listener} own={rule.id} />}
			<dl class="settings">
				<div>
					<dt>{t("names.routed")}</dt>
					<dd>
						{t("names.routed_how", {
							exact: n(stats?.sni_route_exact_total),
							wildcard: n(
								stats?.sni_route_wildcard_total,
							),
							fallback: n(
								stats?.sni_route_fallback_total,
							),
						})}
					</dd>
				</div>
				<div>
					<dt>{t("names.missed")}</dt>
					<dd>{n(listener?.route_miss_total)}</dd>
				</div>
				<div>
					<dt>{t("names.unread")}</dt>
					<dd>{n(listener?.parse_failures_total)}</dd>
				</div>
				<div>
					<dt>{t("names.rejected")}</dt>
					<dd>{n(listener?.peek_rejected_total)}</dd>
				</div>
			</dl>
		</section>
	);
}
