// SPDX-License-Identifier: MIT
// Server-sent events, taken apart as they arrive. Pure.

export interface SseEvent {
	event: string;
	data: string;
}

/** Takes text in pieces of any size and gives the events that are complete. */
export class SseParser {
	private rest = "";
	private event = "";
	private data: string[] = [];
	private skipLf = false;

	feed(text: string): SseEvent[] {
		const done: SseEvent[] = [];
		// A CR LF may be cut in two; the CR alone has ended the line already.
		if (this.skipLf && text.startsWith("\n")) text = text.slice(1);
		if (text !== "") this.skipLf = text.endsWith("\r");
		this.rest += text;
		for (;;) {
			const at = this.rest.search(/\r\n|\n|\r/);
			if (at < 0) return done;
			const line = this.rest.slice(0, at);
			this.rest = this.rest.slice(
				at + (this.rest.startsWith("\r\n", at) ? 2 : 1),
			);
			const e = this.line(line);
			if (e) done.push(e);
		}
	}

	private line(line: string): SseEvent | null {
		if (line === "") {
			const e = { event: this.event || "message", data: this.data.join("\n") };
			const any = this.data.length > 0;
			this.event = "";
			this.data = [];
			return any ? e : null;
		}
		const colon = line.indexOf(":");
		if (colon === 0) return null; // a comment
		const field = colon < 0 ? line : line.slice(0, colon);
		let value = colon < 0 ? "" : line.slice(colon + 1);
		if (value.startsWith(" ")) value = value.slice(1);
		if (field === "event") this.event = value;
		else if (field === "data") this.data.push(value);
		return null;
	}
}

/** How long to wait before try number @n (from 0): 1 s doubling to 30 s. */
export function backoff(n: number): number {
	return Math.min(30_000, 1000 * 2 ** Math.min(n, 10));
}
