// SPDX-License-Identifier: MIT
// Codes of the server and of edges, taken apart. Pure.

export interface Reason {
	/** "" when the text does not begin with one */
	code: string;
	rest: string;
}

const CODE = /^([a-z][a-z0-9]*(?:[._][a-z0-9]+)+)(?:[:;]\s*|$)/;

/** "port_in_use: held by nginx" → {code: "port_in_use", rest: "held by nginx"} */
export function splitReason(text: string): Reason {
	const m = CODE.exec(text);
	if (!m) return { code: "", rest: text.trim() };
	return { code: m[1] ?? "", rest: text.slice(m[0].length).trim() };
}
