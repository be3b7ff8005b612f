// SPDX-License-Identifier: MIT
// The flows that a UDP rule has now, asked of its edge when somebody wants to see them.
import { useState } from "preact/hooks";
import { t } from "../i18n";
import { useAction } from "../lib/action";
import { getJson } from "../lib/api";
import { bytes, count, duration } from "../lib/format";
import { lang } from "../lib/preferences";
import type { Flow, Rule } from "../lib/types";
import { Problem } from "./basics";

interface Answer {
	flows: Flow[];
	more: boolean;
}

function Table({ flows }: { flows: Flow[] }) {
	const pair = (a: string, b: string) => `${a} / ${b}`;
	const n = (v: number) => count(v, lang.value);
	return (
		<table class="list">
			<thead>
				<tr>
					<th scope="col">{t("flows.client")}</th>
					<th scope="col">{t("detail.target")}</th>
					<th scope="col" class="num">
						{t("flows.age")}
					</th>
					<th scope="col" class="num">
						{t("flows.idle")}
					</th>
					<th scope="col" class="num">
						{t("flows.datagrams")}
					</th>
					<th scope="col" class="num">
						{t("flows.bytes")}
					</th>
				</tr>
			</thead>
			<tbody>
				{flows.map(f => (
					<tr key={`${f.client} ${f.listen_port}`}>
						<th scope="row" class="mono">
							{f.client}
						</th>
						<td class="mono" data-label={t("detail.target")}>
							{f.target}
						</td>
						<td class="num" data-label={t("flows.age")}>
							{duration(f.age_ms, lang.value)}
						</td>
						<td class="num" data-label={t("flows.idle")}>
							{duration(f.idle_ms, lang.value)}
						</td>
						<td class="num" data-label={t("flows.datagrams")}>
							{pair(
								n(f.datagrams_in),
								n(f.datagrams_out),
							)}
						</td>
						<td class="num" data-label={t("flows.bytes")}>
							{pair(
								bytes(f.bytes_in),
								bytes(f.bytes_out),
							)}
						</td>
					</tr>
				))}
			</tbody>
		</table>
	);
}

export function Flows({ rule }: { rule: Rule }) {
	const [answer, setAnswer] = useState<Answer | null>(null);
	const action = useAction();
	const ask = async () => setAnswer(await getJson<Answer>(`/v1/rules/${rule.id}/flows`));
	return (
		<section class="card" aria-labelledby="flows">
			<h2 id="flows">{t("flows.title")}</h2>
			{answer?.flows.length === 0 && <p class="calm">{t("flows.none")}</p>}
			{answer && answer.flows.length > 0 && <Table flows={answer.flows} />}
			{answer?.more && <p class="muted">{t("flows.more")}</p>}
			<Problem error={action.error} />
			<button
				type="button"
				class="button"
				disabled={action.busy}
				onClick={() => void action.run(ask)}
			>
				{t(answer ? "flows.again" : "flows.show")}
			</button>
		</section>
	);
}
