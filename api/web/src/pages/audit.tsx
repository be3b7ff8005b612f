// SPDX-License-Identifier: MIT
// The audit trail: the newest entries as they come, older ones on demand.
import { useEffect, useState } from "preact/hooks";
import { t, tn } from "../i18n";
import { getJson } from "../lib/api";
import { fleet } from "../lib/fleet";
import { Link } from "../lib/router";
import { useStore } from "../lib/store";
import type { AuditEntry, Client } from "../lib/types";
import { Ago, Badge, Empty, Failure, Heading, Loading, type Tone } from "../parts/basics";
import { Select } from "../parts/field";
import { actionText, actorText, detailText, outcomeText } from "../words/codes";

const PERIOD = 5000;
/** A phone shows fewer at a time. */
const PAGE = matchMedia("(max-width: 640px)").matches ? 20 : 50;

interface Page {
	entries: AuditEntry[];
	next_cursor?: string;
}

function query(outcome: string, cursor?: string): string {
	const q = new URLSearchParams({ limit: String(PAGE) });
	if (outcome) q.set("outcome", outcome);
	if (cursor) q.set("cursor", cursor);
	else q.set("since", "1970-01-01T00:00:00Z");
	return `/v1/audit?${q}`;
}

/** Allowed is not yet done: what was allowed can fail all the same. */
function outcomeOf(e: AuditEntry): ["done" | "failed" | "deny", Tone] {
	if (e.outcome === "deny") return ["deny", "bad"];
	return e.reason ? ["failed", "warn"] : ["done", "good"];
}

/** On what: an edge by its name, a rule by a link; the id stays whole. */
function Resource({ e }: { e: AuditEntry }) {
	const { rules, clients } = useStore(fleet);
	const id = e.resource_value ?? "";
	if (e.resource_kind === "rule") {
		const known = rules?.some(r => String(r.id) === id);
		const text = t("detail.title", { id: `#${id}` });
		return known ? <Link to={`/rules/${id}`}>{text}</Link> : <>{text}</>;
	}
	if (e.resource_kind === "client") {
		const name = clients?.find(c => c.client_id === id)?.client_name;
		return (
			<>
				{name ?? (id.length === 26 ? "" : id)}
				{(name || id.length === 26) && <span class="sub id">{id}</span>}
			</>
		);
	}
	return <>{actorText(id)}</>;
}

/** The details only repeat what the edge is called. */
const isItsName = (e: AuditEntry, clients: Client[] | null) =>
	(clients ?? []).some(c => c.client_id === e.resource_value && c.client_name === e.details);

function Row({ e }: { e: AuditEntry }) {
	const { clients } = useStore(fleet);
	const [outcome, tone] = outcomeOf(e);
	return (
		<tr>
			<td class="when">
				<Ago ms={Date.parse(e.timestamp)} />
			</td>
			<td class="who">
				{e.actor === "_anonymous" ? (
					<i>{actorText(e.actor)}</i>
				) : (
					actorText(e.actor)
				)}
				{e.remote_addr && <span class="sub id">{e.remote_addr}</span>}
			</td>
			<td class="what">
				{actionText(e)}
				{(e.times ?? 1) > 1 && `, ${tn("detail.times", e.times ?? 1)}`}
			</td>
			<td class="on">
				<Resource e={e} />
				{e.details && !isItsName(e, clients) && (
					<span class="sub">{detailText(e.details)}</span>
				)}
			</td>
			<td class="outcome">
				<Badge tone={tone}>{t(`audit.${outcome}`)}</Badge>
				{e.reason && <span class="sub">{outcomeText(e.reason)}</span>}
			</td>
		</tr>
	);
}

function Table({ rows }: { rows: AuditEntry[] }) {
	return (
		<table class="list audit">
			<thead>
				<tr>
					<th scope="col">{t("audit.time")}</th>
					<th scope="col">{t("audit.actor")}</th>
					<th scope="col">{t("audit.action")}</th>
					<th scope="col">{t("audit.resource")}</th>
					<th scope="col">{t("audit.outcome")}</th>
				</tr>
			</thead>
			<tbody>
				{rows.map((e, i) => (
					<Row key={`${e.timestamp} ${e.path} ${i}`} e={e} />
				))}
			</tbody>
		</table>
	);
}

export function Audit() {
	const [outcome, setOutcome] = useState("");
	const [newest, setNewest] = useState<Page | null>(null);
	const [older, setOlder] = useState<AuditEntry[]>([]);
	const [cursor, setCursor] = useState<string | undefined>();
	const [error, setError] = useState<unknown>(null);
	const [round, setRound] = useState(0);
	const paged = older.length > 0;

	// biome-ignore lint/correctness/useExhaustiveDependencies: another round asks at once
	useEffect(() => {
		const quit = new AbortController();
		const load = () =>
			getJson<Page>(query(outcome), quit.signal).then(
				p => {
					setNewest(p);
					setCursor(p.next_cursor);
					setError(null);
				},
				e => !quit.signal.aborted && setError(e),
			);
		// Once older pages are open, a list that moves under the reader would only disturb.
		if (!paged) void load();
		const timer = paged ? 0 : setInterval(() => void load(), PERIOD);
		return () => {
			quit.abort();
			clearInterval(timer);
		};
	}, [outcome, paged, round]);

	const more = async () => {
		try {
			const p = await getJson<Page>(query(outcome, cursor));
			setOlder([...older, ...p.entries]);
			setCursor(p.next_cursor);
		} catch (e) {
			setError(e);
		}
	};
	const pick = (v: string) => {
		setOlder([]);
		setNewest(null);
		setOutcome(v);
	};
	const rows = [...(newest?.entries ?? []), ...older];

	return (
		<>
			<Heading>{t("audit.title")}</Heading>
			<div class="filters">
				<Select
					label={t("audit.outcome")}
					value={outcome}
					onValue={pick}
					options={[
						["", t("audit.all")],
						["allow", t("audit.allow")],
						["deny", t("audit.deny")],
					]}
				/>
			</div>
			{error ? (
				<Failure error={error} retry={() => setRound(n => n + 1)} />
			) : (
				!newest && <Loading />
			)}
			{newest && rows.length === 0 && <Empty title={t("audit.empty")} />}
			{rows.length > 0 && <Table rows={rows} />}
			{cursor && (
				<p>
					<button
						type="button"
						class="button"
						onClick={() => void more()}
					>
						{t("audit.more")}
					</button>
				</p>
			)}
		</>
	);
}
