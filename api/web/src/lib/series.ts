// SPDX-License-Identifier: MIT
// Rates over time out of counters that only grow. Pure.

export interface Point {
	/** seconds since 1970 */
	t: number;
	in: number;
	out: number;
}

/** Keeps the last @limit rates of one pair of byte counters. */
export class Series {
	points: Point[] = [];
	private last: { t: number; in: number; out: number } | null = null;

	constructor(private readonly limit = 360) {}

	/** @ms is when the counters had these values. Older or equal times are left out. */
	add(ms: number, bytesIn: number, bytesOut: number): void {
		const t = ms / 1000;
		const last = this.last;
		if (last && t - last.t < 0.2) return;
		this.last = { t, in: bytesIn, out: bytesOut };
		if (!last) return;
		const dt = t - last.t;
		// A counter that fell began anew: nothing is known about this step.
		const fell = bytesIn < last.in || bytesOut < last.out;
		this.points.push({
			t,
			in: fell ? 0 : (bytesIn - last.in) / dt,
			out: fell ? 0 : (bytesOut - last.out) / dt,
		});
		if (this.points.length > this.limit)
			this.points.splice(0, this.points.length - this.limit);
	}

	get latest(): Point | null {
		return this.points[this.points.length - 1] ?? null;
	}
}

/** The points of an SVG polyline in a box of @w × @h, scaled to @max. */
export function polyline(
	values: number[],
	w: number,
	h: number,
	max: number,
	slots: number,
): string {
	const step = slots > 1 ? w / (slots - 1) : w;
	const from = w - (values.length - 1) * step;
	return values
		.map((v, i) => {
			const y = max > 0 ? h - 1 - (v / max) * (h - 2) : h - 1;
			return `${(from + i * step).toFixed(1)},${y.toFixed(1)}`;
		})
		.join(" ");
}
