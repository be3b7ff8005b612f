// SPDX-License-Identifier: MIT
// Texts in the chosen language.
import { lang } from "../lib/preferences";
import { en, type Key } from "./en";
import { zh } from "./zh-CN";

const TEXTS = { en, "zh-CN": zh };

type Params = Record<string, string | number>;
type Stem<K> = K extends `${infer S}.other` ? S : never;
export type PluralKey = Stem<Key>;

export function fill(text: string, params?: Params): string {
	return params ? text.replace(/\{(\w+)\}/g, (all, p) => String(params[p] ?? all)) : text;
}

export function t(key: Key, params?: Params): string {
	return fill(TEXTS[lang.value][key], params);
}

const PLURALS = { en: new Intl.PluralRules("en"), "zh-CN": new Intl.PluralRules("zh-CN") };

/** A text that depends on a number; that is its {n}. */
export function tn(key: PluralKey, n: number, params?: Params): string {
	const form = PLURALS[lang.value].select(n) === "one" ? "one" : "other";
	return t(`${key}.${form}` as Key, { n, ...params });
}

export type { Key } from "./en";
