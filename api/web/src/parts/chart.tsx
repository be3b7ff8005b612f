// SPDX-License-Identifier: MIT
// Throughput over time (uPlot), and the small trend line of one target.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { t } from "../i18n";
import { axisRate, bitRate } from "../lib/format";
import { lang, theme } from "../lib/preferences";
import { type Point, polyline, type Series } from "../lib/series";
import { useStore } from "../lib/store";

/** Seconds that the chart shows: as many as there are, between these. */
const WINDOW = [60, 600] as const;
const HEIGHT = 180;

/** A colour of the style sheet as the canvas wants it. */
function color(name: string, at: Element): string {
	const probe = document.createElement("span");
	probe.style.color = `var(${name})`;
	at.append(probe);
	const value = getComputedStyle(probe).color;
	probe.remove();
	return value;
}

function span(points: Point[]): [number, number] {
	const end = Date.now() / 1000;
	const first = points[0]?.t ?? end;
	return [end - Math.min(WINDOW[1], Math.max(WINDOW[0], end - first)), end];
}

function options(el: HTMLElement, points: Point[]): uPlot.Options {
	const grid = { stroke: color("--line", el), width: 1 };
	const text = color("--muted", el);
	const font = "12px system-ui, sans-serif";
	const time = new Intl.DateTimeFormat(lang.value, { timeStyle: "medium", hour12: false });
	const series = (name: string, label: string): uPlot.Series => ({
		label,
		stroke: color(name, el),
		width: 1.5,
		fill: color(`${name}-fill`, el),
		points: { show: false },
	});
	return {
		width: el.clientWidth,
		height: HEIGHT,
		legend: { show: false },
		cursor: { show: false },
		select: { show: false, left: 0, top: 0, width: 0, height: 0 },
		padding: [8, 32, 0, 0],
		scales: {
			x: { time: true, range: () => span(points) },
			y: { range: (_u, _min, max) => [0, Math.max(max || 0, 1000) * 1.15] },
		},
		axes: [
			{
				stroke: text,
				font,
				grid: { show: false },
				ticks: grid,
				size: 28,
				incrs: [10, 15, 30, 60, 120, 300],
				space: 80,
				values: (_u, at) => at.map(s => time.format(s * 1000)),
			},
			{
				stroke: text,
				font,
				grid,
				ticks: { show: false },
				size: 72,
				space: 36,
				values: (_u, at) => at.map(axisRate),
			},
		],
		series: [{}, series("--in", t("chart.in")), series("--out", t("chart.out"))],
	};
}

function columns(points: Point[]): uPlot.AlignedData {
	return [points.map(p => p.t), points.map(p => p.in * 8), points.map(p => p.out * 8)];
}

interface Props {
	series: Series;
	/** Changes whenever the series has got a point. */
	version: number;
	label: string;
}

function Plot({ series, version, label }: Props) {
	const box = useRef<HTMLDivElement>(null);
	const plot = useRef<uPlot | null>(null);
	const mode = useStore(theme);

	// biome-ignore lint/correctness/useExhaustiveDependencies: a new theme wants new colours
	useEffect(() => {
		const el = box.current;
		if (!el) return;
		const draw = () => {
			plot.current?.destroy();
			plot.current = new uPlot(
				options(el, series.points),
				columns(series.points),
				el,
			);
		};
		draw();
		const dark = matchMedia("(prefers-color-scheme: dark)");
		dark.addEventListener("change", draw);
		// On paper the colours are others.
		addEventListener("beforeprint", draw);
		addEventListener("afterprint", draw);
		const sized = new ResizeObserver(() =>
			plot.current?.setSize({ width: el.clientWidth, height: HEIGHT }),
		);
		sized.observe(el);
		return () => {
			dark.removeEventListener("change", draw);
			removeEventListener("beforeprint", draw);
			removeEventListener("afterprint", draw);
			sized.disconnect();
			plot.current?.destroy();
			plot.current = null;
		};
	}, [series, mode]);

	// biome-ignore lint/correctness/useExhaustiveDependencies: the points changed in place
	useEffect(() => plot.current?.setData(columns(series.points)), [series, version]);

	return <div ref={box} class="plot" role="img" aria-label={label} />;
}

/** Takes up room only once there is something to draw. */
export function TrafficChart({ series, version }: Omit<Props, "label">) {
	const last = series.latest;
	if (!last || series.points.length < 2) return <p class="muted">{t("chart.waiting")}</p>;
	if (!series.points.some(p => p.in > 0 || p.out > 0))
		return <p class="muted">{t("chart.nothing")}</p>;
	const words = { in: bitRate(last.in), out: bitRate(last.out) };
	return (
		<figure class="chart">
			<figcaption>
				<span class="key in">{t("chart.in")}</span> <b>{words.in}</b>
				<span class="key out">{t("chart.out")}</span> <b>{words.out}</b>
				<span class="muted end">{t("chart.window")}</span>
			</figcaption>
			<Plot series={series} version={version} label={t("chart.label", words)} />
		</figure>
	);
}

const W = 96;
const H = 28;
const SLOTS = 60;

export function Sparkline({ series, label }: { series: Series; label: string }) {
	const values = series.points.slice(-SLOTS).map(p => p.in + p.out);
	const max = Math.max(0, ...values);
	return (
		<svg
			class="spark"
			viewBox={`0 0 ${W} ${H}`}
			width={W}
			height={H}
			role="img"
			aria-label={label}
		>
			<line x1="0" x2={W} y1={H - 0.5} y2={H - 0.5} class="base" />
			{values.length > 1 && (
				<polyline points={polyline(values, W, H, max, SLOTS)} />
			)}
		</svg>
	);
}
