// SPDX-License-Identifier: MIT
// What Prometheus gets: a few gauges, and the text itself.
import { useEffect, useMemo, useState } from "preact/hooks";
import { t } from "../i18n";
import { getText } from "../lib/api";
import { bytes, duration } from "../lib/format";
import { parseMetrics, total } from "../lib/metrics";
import { lang } from "../lib/preferences";
import { CopyButton, Heading, Problem, Tile } from "../parts/basics";
import { Field } from "../parts/field";

const PERIOD = 5000;

export function Metrics() {
	const [text, setText] = useState<string | null>(null);
	const [filter, setFilter] = useState("");
	const [error, setError] = useState<unknown>(null);

	useEffect(() => {
		let open = true;
		const load = () =>
			getText("/v1/metrics").then(
				v => {
					if (!open) return;
					setText(v);
					setError(null);
				},
				e => open && setError(e),
			);
		void load();
		const timer = setInterval(() => void load(), PERIOD);
		return () => {
			open = false;
			clearInterval(timer);
		};
	}, []);

	const samples = useMemo(() => parseMetrics(text ?? ""), [text]);
	const shown = useMemo(() => {
		const want = filter.trim().toLowerCase();
		if (!text || !want) return text ?? "";
		return text
			.split("\n")
			.filter(l => l.toLowerCase().includes(want))
			.join("\n");
	}, [text, filter]);
	const value = (name: string, form: (n: number) => string) => {
		const v = total(samples, name);
		return v === null ? "–" : form(v);
	};
	const version = samples.find(s => s.name === "portunus_build_info")?.labels.version ?? "–";

	return (
		<>
			<Heading aside={text && <CopyButton text={text} />}>
				{t("metrics.title")}
			</Heading>
			<p class="muted">{t("metrics.intro")}</p>
			<Problem error={error} />
			<dl class="tiles">
				<Tile label={t("metrics.version")}>{version}</Tile>
				<Tile label={t("metrics.uptime")}>
					{value("process_start_time_seconds", s =>
						duration(Date.now() - s * 1000, lang.value),
					)}
				</Tile>
				<Tile label={t("metrics.memory")}>
					{value("process_resident_memory_bytes", bytes)}
				</Tile>
				<Tile label={t("metrics.cpu")}>
					{value(
						"process_cpu_seconds_total",
						s => `${s.toFixed(1)} s`,
					)}
				</Tile>
				<Tile label={t("metrics.fds")}>
					{value("process_open_fds", String)}
				</Tile>
				<Tile label={t("metrics.streams")}>
					{value("portunus_sse_subscribers", String)}
				</Tile>
			</dl>
			<Field
				label={t("metrics.filter")}
				type="search"
				value={filter}
				onValue={setFilter}
			/>
			{/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
			<pre class="raw" tabIndex={0} role="region" aria-label={t("metrics.raw")}>
				{shown}
			</pre>
		</>
	);
}
