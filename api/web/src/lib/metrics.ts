// SPDX-License-Identifier: MIT
// Reads Prometheus text. Pure.

export interface Sample {
	name: string;
	labels: Record<string, string>;
	value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text: string): Sample[] {
	const samples: Sample[] = [];
	for (const line of text.split("\n")) {
		if (line.startsWith("#")) continue;
		const m = LINE.exec(line);
		if (!m) continue;
		const labels: Record<string, string> = {};
		for (const l of (m[2] ?? "").matchAll(LABEL))
			labels[l[1] ?? ""] = (l[2] ?? "").replace(/\\(.)/g, (_, c) =>
				c === "n" ? "\n" : c,
			);
		samples.push({ name: m[1] ?? "", labels, value: Number(m[3]) });
	}
	return samples;
}

/** The sum of a metric over its rows; null when it has none. */
export function total(samples: Sample[], name: string): number | null {
	const rows = samples.filter(s => s.name === name);
	return rows.length ? rows.reduce((sum, s) => sum + s.value, 0) : null;
}
