// SPDX-License-Identifier: MIT
// Small pieces that every page uses.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n";
import { now } from "../lib/clock";
import { ago, duration, exact } from "../lib/format";
import { lang } from "../lib/preferences";
import type { HealthKind, RuleState } from "../lib/rule";
import { useStore } from "../lib/store";
import { errorText } from "../words/codes";

export type Tone = "good" | "bad" | "warn" | "info" | "plain";

export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
	return <span class={`badge ${tone}`}>{children}</span>;
}

const STATE_TONE = {
	active: "good",
	pending: "warn",
	failed: "bad",
	removed: "plain",
	unknown: "plain",
} as const;

export function StateBadge({ state }: { state: RuleState }) {
	return <Badge tone={STATE_TONE[state.kind]}>{t(`state.${state.kind}`)}</Badge>;
}

const HEALTH_TONE = { healthy: "good", failed: "bad", unknown: "plain" } as const;

export function HealthBadge({ health }: { health: HealthKind }) {
	return <Badge tone={HEALTH_TONE[health]}>{t(`health.${health}`)}</Badge>;
}

/** How long ago, ticking, with the exact time on hover. */
export function Ago({ ms, ahead }: { ms: number; ahead?: boolean }) {
	const at = useStore(now);
	if (!ms) return <>{t("common.never")}</>;
	// The clocks of two hosts differ: what has happened is never shown as still to come.
	const seen = !ahead && ms > at ? ms : at;
	return (
		<time dateTime={new Date(ms).toISOString()} title={exact(ms, lang.value)}>
			{ago(ms, seen, lang.value)}
		</time>
	);
}

/** For how long now, ticking, with the beginning on hover. */
function Lasting({ ms }: { ms: number }) {
	const at = useStore(now);
	return (
		<time dateTime={new Date(ms).toISOString()} title={exact(ms, lang.value)}>
			{duration(Math.max(0, at - ms), lang.value)}
		</time>
	);
}

/** A text with one {long} in it that is the time since @ms. */
export function WithLasting({ text, ms }: { text: string; ms: number }) {
	const [before, after] = text.split("{long}");
	return (
		<>
			{before}
			<Lasting ms={ms} />
			{after}
		</>
	);
}

export function Loading() {
	return (
		<p class="loading" role="status">
			{t("common.loading")} …
		</p>
	);
}

/** A text with one {when} in it that is a time which ticks. */
export function WithAgo({ text, ms, ahead }: { text: string; ms: number; ahead?: boolean }) {
	const [before, after] = text.split("{when}");
	return (
		<>
			{before}
			<Ago ms={ms} ahead={ahead} />
			{after}
		</>
	);
}

export function Tile({
	label,
	children,
	tone,
}: {
	label: string;
	children: ComponentChildren;
	tone?: Tone;
}) {
	return (
		<div class={`tile ${tone ?? ""}`}>
			<dt>{label}</dt>
			<dd>{children}</dd>
		</div>
	);
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
	return (
		<div class="empty">
			<p class="lead">{title}</p>
			{children}
		</div>
	);
}

export function Problem({ error }: { error: unknown }) {
	if (!error) return null;
	return (
		<p class="problem" role="alert">
			{errorText(error)}
		</p>
	);
}

/** What could not be loaded, and a button that tries again. */
export function Failure({ error, retry }: { error: unknown; retry: () => void }) {
	return (
		<div class="problem failure" role="alert">
			<p>{errorText(error)}</p>
			<button type="button" class="button" onClick={retry}>
				{t("common.retry")}
			</button>
		</div>
	);
}

/** The exact time and, ticking, how long ago: for what is read closely. */
export function Exactly({ ms }: { ms: number }) {
	if (!ms) return <>{t("common.never")}</>;
	return (
		<>
			{exact(ms, lang.value)} (<Ago ms={ms} />)
		</>
	);
}

/** The heading of a page; it takes the focus after a change of page. */
export function Heading({
	children,
	aside,
}: {
	children: ComponentChildren;
	aside?: ComponentChildren;
}) {
	return (
		<div class="heading">
			<h1 tabIndex={-1}>{children}</h1>
			{aside && <div class="aside">{aside}</div>}
		</div>
	);
}

async function copyText(text: string): Promise<void> {
	if (navigator.clipboard) return navigator.clipboard.writeText(text);
	// Without HTTPS there is no clipboard but this one.
	const area = document.createElement("textarea");
	area.value = text;
	(document.querySelector("dialog[open]") ?? document.body).append(area);
	area.select();
	document.execCommand("copy");
	area.remove();
}

export function CopyButton({ text }: { text: string }) {
	const [done, setDone] = useState(false);
	const timer = useRef(0);
	useEffect(() => () => clearTimeout(timer.current), []);
	const copy = async () => {
		await copyText(text);
		setDone(true);
		timer.current = window.setTimeout(() => setDone(false), 2000);
	};
	return (
		<button type="button" class="button" onClick={() => void copy()}>
			<span aria-live="polite">
				{done ? t("common.copied") : t("common.copy")}
			</span>
		</button>
	);
}
