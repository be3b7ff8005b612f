// SPDX-License-Identifier: MIT
// The rates of a rule and its targets, kept while the page moves elsewhere and back.
import { useEffect, useMemo, useState } from "preact/hooks";
import { endpoint } from "./rule";
import { Series } from "./series";
import { useStore } from "./store";
import { type Live, RuleStream } from "./stream";
import type { Stats } from "./types";

export interface History {
	whole: Series;
	targets: Map<string, Series>;
	reported: string;
}
const histories = new Map<number, History>();

export function historyOf(id: number): History {
	let h = histories.get(id);
	if (!h) {
		h = { whole: new Series(), targets: new Map(), reported: "" };
		histories.set(id, h);
	}
	return h;
}

function note(h: History, stats: Stats): void {
	const at = Date.parse(stats.updated_at ?? "");
	if (!at || h.reported === stats.updated_at) return;
	h.reported = stats.updated_at ?? "";
	h.whole.add(at, stats.bytes_in, stats.bytes_out);
	for (const row of stats.per_target ?? []) {
		const name = endpoint(row.host, row.port);
		const series = h.targets.get(name) ?? new Series(60);
		h.targets.set(name, series);
		series.add(at, row.bytes_in, row.bytes_out);
	}
}

/** The figures of rule @id as they come, for as long as the component is there. */
export function useLive(id: number, history: History): Live {
	const [stream] = useState(() => new RuleStream(id));
	const live = useStore(stream.live);
	useEffect(() => {
		const online = () => stream.hurry();
		addEventListener("online", online);
		return () => {
			removeEventListener("online", online);
			stream.close();
		};
	}, [stream]);
	useMemo(() => live.stats && note(history, live.stats), [live.stats, history]);
	return live;
}
