// SPDX-License-Identifier: MIT
// Language and theme: as the browser prefers until chosen here. Nothing secret is kept.
import { Store } from "./store";

export type Lang = "en" | "zh-CN";
export type Theme = "system" | "light" | "dark";

function stored(key: string): string | null {
	try {
		return localStorage.getItem(key);
	} catch {
		return null;
	}
}

function keep(key: string, value: string): void {
	try {
		localStorage.setItem(key, value);
	} catch {
		// Only for this visit, then.
	}
}

function preferredLang(): Lang {
	const kept = stored("portunus.lang");
	if (kept === "en" || kept === "zh-CN") return kept;
	const first = navigator.languages.find(l => /^(zh|en)\b/i.test(l)) ?? "en";
	return first.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

export const lang = new Store<Lang>(preferredLang());
export const theme = new Store<Theme>((stored("portunus.theme") as Theme | null) ?? "system");

function apply(): void {
	document.documentElement.lang = lang.value;
	if (theme.value === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme.value;
}

lang.subscribe(() => {
	keep("portunus.lang", lang.value);
	apply();
});
theme.subscribe(() => {
	keep("portunus.theme", theme.value);
	apply();
});
apply();
