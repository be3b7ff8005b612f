// SPDX-License-Identifier: MIT
// What a rule says beside its port and targets; nothing where all is as it is by default.
import { type Key, t } from "../i18n";
import { OPTIONS, type Option, plain, valuesOf } from "../lib/options";
import type { Rule } from "../lib/types";

/** Said elsewhere on the page. */
const TOLD = ["health_check_interval_secs", "listen_address", "sni_pattern"];

/** A value of an option in words. */
export function valueText(o: Option, value: string): string {
	if (o.kind === "flag") return t(value === "1" ? "edit.yes" : "edit.no");
	if (o.words) return t(`option_word.${o.path}.${value || o.words[0]}` as Key);
	return value;
}

export function Settings({ rule }: { rule: Rule }) {
	const values = valuesOf(rule);
	const set = OPTIONS.filter(o => plain(o, values[o.path]) && !TOLD.includes(o.path));
	if (set.length === 0) return null;
	return (
		<section class="card" aria-labelledby="settings">
			<h2 id="settings">{t("detail.settings")}</h2>
			<dl class="settings">
				{set.map(o => (
					<div key={o.path}>
						<dt>{t(`option.${o.path}` as Key)}</dt>
						<dd>{valueText(o, values[o.path] ?? "")}</dd>
					</div>
				))}
			</dl>
		</section>
	);
}
