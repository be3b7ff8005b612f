// SPDX-License-Identifier: MIT
// Figures as people read them. Pure: the language and the clock come in as arguments.

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const RATE_UNITS = ["b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"];

/** Three significant digits, without an exponent: 1.46, 14.6, 146, 1023. */
function digits(value: number): string {
	if (value >= 100) return String(Math.round(value));
	return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value: number, base: number, units: string[]): string {
	let v = Math.max(0, value);
	let unit = 0;
	while (v >= base - 0.5 && unit < units.length - 1) {
		v /= base;
		unit++;
	}
	return `${unit === 0 ? Math.round(v) : digits(v)} ${units[unit]}`;
}

/** The server's time in milliseconds, 0 for none. */
export function msOf(time?: string | null): number {
	return time ? Date.parse(time) : 0;
}

/** 1536 → "1.50 KiB" */
export function bytes(n: number): string {
	return scaled(n, 1024, BYTE_UNITS);
}

/** Bytes per second → "12.3 Mb/s" */
export function bitRate(bytesPerSecond: number): string {
	return scaled(bytesPerSecond * 8, 1000, RATE_UNITS);
}

/** Bits per second for an axis, without idle zeros: "6 Mb/s" */
export function axisRate(bits: number): string {
	return bits === 0
		? "0"
		: bitRate(bits / 8)
				.replace(/\.0+ /, " ")
				.replace(/(\.\d*?)0+ /, "$1 ");
}

/** Makes each formatter once: that costs far more than using it. */
function once<T>(make: (key: string) => T): (key: string) => T {
	const made = new Map<string, T>();
	return key => {
		let f = made.get(key);
		if (!f) {
			f = make(key);
			made.set(key, f);
		}
		return f;
	};
}

const numbers = once(lang => new Intl.NumberFormat(lang));

/** 1234567 → "1,234,567" */
export function count(n: number, lang: string): string {
	return numbers(lang).format(n);
}

/** Microseconds → "310 µs", "1.20 ms", "2.10 s" */
export function micros(us: number): string {
	if (us < 1000) return `${Math.round(us)} µs`;
	return us < 1e6 ? `${digits(us / 1000)} ms` : `${digits(us / 1e6)} s`;
}

/** A part of a whole: "42 %", and "< 1 %" for what is there but small. */
export function percent(part: number, whole: number): string {
	if (whole <= 0 || part <= 0) return "0 %";
	const p = (part / whole) * 100;
	return p < 1 ? "< 1 %" : `${Math.round(p)} %`;
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
	["day", 86_400_000],
	["hour", 3_600_000],
	["minute", 60_000],
	["second", 1000],
];

const relative = once(
	lang => new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" }),
);

/** The time of @ms seen from @now: "2 min. ago", "in 4 sec.", "now". */
export function ago(ms: number, now: number, lang: string): string {
	const diff = ms - now;
	const f = relative(lang);
	for (const [unit, size] of STEPS)
		if (Math.abs(diff) >= size) return f.format(Math.trunc(diff / size), unit);
	return f.format(0, "second");
}

const DURATION_UNITS: [string, number][] = [
	["day", 86400],
	["hour", 3600],
	["minute", 60],
	["second", 1],
];

const units = once(key => {
	const [lang, unit] = key.split(" ");
	return new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "narrow" });
});

/** How long, in the two largest units: "4s", "3m 20s", "2h 5m" */
export function duration(ms: number, lang: string): string {
	let rest = Math.max(0, Math.floor(ms / 1000));
	const parts: string[] = [];
	let first = -1;
	DURATION_UNITS.forEach(([unit, size], i) => {
		const n = Math.floor(rest / size);
		rest %= size;
		if (first < 0 && (n > 0 || unit === "second")) first = i;
		if (first < 0 || i > first + 1 || (n === 0 && i > first)) return;
		parts.push(units(`${lang} ${unit}`).format(n));
	});
	return parts.join(" ");
}

/** "9:59", for a countdown */
export function clock(ms: number): string {
	const s = Math.max(0, Math.ceil(ms / 1000));
	const pad = (n: number) => String(n).padStart(2, "0");
	const h = Math.floor(s / 3600);
	const m = Math.floor(s / 60) % 60;
	return h > 0 ? `${h}:${pad(m)}:${pad(s % 60)}` : `${m}:${pad(s % 60)}`;
}

const exactly = once(
	lang =>
		new Intl.DateTimeFormat(lang, {
			year: "numeric",
			month: "short",
			day: "numeric",
			hour: "2-digit",
			minute: "2-digit",
			second: "2-digit",
			fractionalSecondDigits: 3,
			hour12: false,
			timeZoneName: "short",
		}),
);

/** The exact time, with the zone, for a tooltip. */
export function exact(ms: number, lang: string): string {
	return exactly(lang).format(ms);
}
