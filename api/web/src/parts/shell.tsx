// SPDX-License-Identifier: MIT
// What is around every page: the bar with its links, language, theme, and who is signed in.
import type { ComponentChildren } from "preact";
import { type Key, t } from "../i18n";
import { send } from "../lib/api";
import { dropDrafts } from "../lib/draft";
import { fleet, refreshFleet } from "../lib/fleet";
import { type Lang, lang, type Theme, theme } from "../lib/preferences";
import { Link, usePlace } from "../lib/router";
import { isAdmin, session, signedOut } from "../lib/session";
import { useStore } from "../lib/store";
import { actorText, errorText, roleText } from "../words/codes";
import { WithAgo } from "./basics";

const LINKS: [path: string, key: Key, adminOnly: boolean][] = [
	["/", "nav.overview", false],
	["/rules", "nav.rules", false],
	["/edges", "nav.edges", false],
	["/tokens", "nav.tokens", true],
	["/audit", "nav.audit", true],
	["/metrics", "nav.metrics", true],
];

export function Logo() {
	return (
		<svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true" class="logo">
			<rect width="32" height="32" rx="7" />
			<path d="M8 24V9h7.5a5 5 0 0 1 0 10H8" />
			<path d="M19 24h6m-3-3 3 3-3 3" />
		</svg>
	);
}

export function Preferences() {
	const l = useStore(lang);
	const th = useStore(theme);
	return (
		<>
			<label>
				<span class="hidden">{t("nav.language")}</span>
				<select
					value={l}
					onChange={e => lang.set(e.currentTarget.value as Lang)}
				>
					<option value="en">English</option>
					<option value="zh-CN">中文</option>
				</select>
			</label>
			<label>
				<span class="hidden">{t("nav.theme")}</span>
				<select
					value={th}
					onChange={e => theme.set(e.currentTarget.value as Theme)}
				>
					<option value="system">{t("theme.system")}</option>
					<option value="light">{t("theme.light")}</option>
					<option value="dark">{t("theme.dark")}</option>
				</select>
			</label>
		</>
	);
}

async function signOut(): Promise<void> {
	await send("POST", "/v1/auth/logout").catch(() => null);
	dropDrafts();
	signedOut(false);
}

/** That the server is silent is told once; how long it has been ticks beside it, unannounced. */
function LostBanner() {
	const { error, at } = useStore(fleet);
	return (
		<>
			<div role="status">
				{error ? (
					<p class="banner">
						{errorText(error)} {t("common.lost")}
					</p>
				) : null}
			</div>
			{error ? (
				<p class="banner more">
					{at > 0 && (
						<span>
							<WithAgo
								text={t("common.lost_since", {
									when: "{when}",
								})}
								ms={at}
							/>
						</span>
					)}
					<button
						type="button"
						class="button"
						onClick={() => void refreshFleet()}
					>
						{t("common.retry")}
					</button>
				</p>
			) : null}
		</>
	);
}

export function Shell({ children }: { children: ComponentChildren }) {
	const { path } = usePlace();
	const who = useStore(session);
	const current = (to: string) =>
		to === "/" ? path === "/" : path === to || path.startsWith(`${to}/`);
	return (
		<>
			<a class="skip" href="#main">
				{t("nav.skip")}
			</a>
			<header class="bar">
				<Link to="/" class="brand">
					<Logo />
					<span>Portunus</span>
				</Link>
				<nav aria-label={t("nav.label")}>
					{LINKS.filter(([, , admin]) => !admin || isAdmin(who)).map(
						([to, key]) => (
							<Link
								key={to}
								to={to}
								current={current(to)}
							>
								{t(key)}
							</Link>
						),
					)}
				</nav>
				<div class="prefs">
					<Preferences />
					<span class="me">
						<span class="hidden">{t("sign.as")} </span>
						{actorText(who.name)}
						<small>{roleText(who.scope)}</small>
					</span>
					<button
						type="button"
						class="button quiet"
						onClick={() => void signOut()}
					>
						{t("sign.out")}
					</button>
				</div>
			</header>
			<main id="main" tabIndex={-1}>
				<LostBanner />
				{children}
			</main>
		</>
	);
}
