// SPDX-License-Identifier: MIT
// The audit trail: the newest entries as they come, older ones on demand.
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n";
import { getJson } from "../lib/api";
import type { AuditEntry } from "../lib/types";
import { Ago, Badge, Empty, Heading, Problem } from "../parts/basics";
import { Select } from "../parts/field";

const PERIOD = 5000;
const PAGE = 50;

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

function Row({ e }: { e: AuditEntry }) {
	const what = e.action ?? `${e.method} ${e.path}`;
	return (
		<tr>
			<td>
				<Ago ms={Date.parse(e.timestamp)} />
			</td>
			<td data-label={t("audit.actor")}>
				{e.actor === "_anonymous" ? <i>{t("audit.anonymous")}</i> : e.actor}
			</td>
			<td data-label={t("audit.action")} title={`${e.method} ${e.path}`}>
				{what}
			</td>
			<td data-label={t("audit.resource")}>
				{e.resource_kind
					? `${e.resource_kind} ${e.resource_value ?? ""}`
					: "–"}
			</td>
			<td data-label={t("audit.outcome")}>
				<Badge tone={e.outcome === "allow" ? "good" : "bad"}>
					{t(`audit.${e.outcome}`)}
				</Badge>{" "}
				<span class="muted">{e.reason}</span>
			</td>
			<td data-label={t("audit.details")} class="muted">
				{e.details ?? ""}
			</td>
		</tr>
	);
}

const keyOf = (e: AuditEntry, i: number) => `${e.timestamp} ${e.path} ${i}`;

export function Audit() {
	const [outcome, setOutcome] = useState("");
	const [newest, setNewest] = useState<Page | null>(null);
	const [older, setOlder] = useState<AuditEntry[]>([]);
	const [cursor, setCursor] = useState<string | undefined>();
	const [error, setError] = useState<unknown>(null);
	const paged = older.length > 0;

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
	}, [outcome, paged]);

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
			<Problem error={error} />
			{newest && rows.length === 0 && <Empty title={t("audit.empty")} />}
			{rows.length > 0 && (
				<table class="list audit">
					<thead>
						<tr>
							<th scope="col">{t("audit.time")}</th>
							<th scope="col">{t("audit.actor")}</th>
							<th scope="col">{t("audit.action")}</th>
							<th scope="col">{t("audit.resource")}</th>
							<th scope="col">{t("audit.outcome")}</th>
							<th scope="col">{t("audit.details")}</th>
						</tr>
					</thead>
					<tbody>
						{rows.map((e, i) => (
							<Row key={keyOf(e, i)} e={e} />
						))}
					</tbody>
				</table>
			)}
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
