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

let printing = false;

function apply(): void {
	document.documentElement.lang = lang.value;
	const shown = printing ? "light" : theme.value;
	if (shown === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = shown;
}

function print(on: boolean): void {
	printing = on;
	apply();
}

// What is painted by script, charts, cannot follow the sheet for paper by itself.
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(false));

lang.subscribe(() => {
	keep("portunus.lang", lang.value);
	apply();
});
theme.subscribe(() => {
	keep("portunus.theme", theme.value);
	apply();
});
apply();
