// SPDX-License-Identifier: MIT
// The figures of one rule as they come: by the event stream, or by asking when that keeps failing.
import { ApiError, errorOf, getJson } from "./api";
import { href } from "./base";
import { signedOut } from "./session";
import { backoff, SseParser } from "./sse";
import { Store } from "./store";
import type { Stats } from "./types";

export type StreamState = "connecting" | "streaming" | "reconnecting" | "polling" | "gone";

export interface Live {
	state: StreamState;
	stats: Stats | null;
	/** When the last figures came. */
	at: number;
	reconnects: number;
}

const POLL_AFTER = 3;
const POLL_PERIOD = 5000;
/** The server says something every 5 s; after this much silence the connection is dead. */
const SILENCE = 20_000;

export class RuleStream {
	readonly live = new Store<Live>({ state: "connecting", stats: null, at: 0, reconnects: 0 });
	private abort = new AbortController();
	private failures = 0;
	private retry = 0;
	private poll = 0;
	private closed = false;

	constructor(private readonly id: number) {
		void this.open();
	}

	close(): void {
		this.closed = true;
		clearTimeout(this.retry);
		clearInterval(this.poll);
		this.abort.abort();
	}

	/** Tries again now, not when the back-off is over. */
	hurry(): void {
		const { state } = this.live.value;
		if (this.closed || state === "streaming" || state === "gone") return;
		clearTimeout(this.retry);
		void this.open();
	}

	private take(stats: Stats): void {
		this.live.update({ stats, at: Date.now() });
	}

	private gone(): void {
		this.live.update({ state: "gone" });
		this.close();
	}

	private async open(): Promise<void> {
		this.abort.abort();
		const mine = new AbortController();
		this.abort = mine;
		try {
			await this.read(mine);
		} catch (e) {
			if (e instanceof ApiError && e.status === 404) return this.gone();
			if (e instanceof ApiError && e.status === 401) return signedOut(true);
		}
		if (this.closed || this.abort !== mine) return;
		this.again();
	}

	private async read(mine: AbortController): Promise<void> {
		let watchdog = window.setTimeout(() => mine.abort(), SILENCE);
		try {
			const r = await fetch(
				href(`/v1/rules/${this.id}/stats/stream?per_target=true`),
				{
					headers: { Accept: "text/event-stream" },
					credentials: "same-origin",
					cache: "no-store",
					signal: mine.signal,
				},
			);
			if (!r.ok || !r.body) throw await errorOf(r);
			const reader = r.body.getReader();
			const text = new TextDecoder();
			const parser = new SseParser();
			for (;;) {
				const { value, done } = await reader.read();
				if (done) return;
				clearTimeout(watchdog);
				watchdog = window.setTimeout(() => mine.abort(), SILENCE);
				for (const e of parser.feed(text.decode(value, { stream: true })))
					if (e.event === "stats") this.event(JSON.parse(e.data));
			}
		} finally {
			clearTimeout(watchdog);
		}
	}

	private event(stats: Stats): void {
		this.failures = 0;
		clearInterval(this.poll);
		this.poll = 0;
		this.take(stats);
		if (this.live.value.state !== "streaming") this.live.update({ state: "streaming" });
	}

	private again(): void {
		const wait = backoff(this.failures++);
		const polling = this.failures >= POLL_AFTER;
		if (polling && !this.poll) {
			this.poll = window.setInterval(() => void this.ask(), POLL_PERIOD);
			void this.ask();
		}
		this.live.update({
			state: polling ? "polling" : "reconnecting",
			reconnects: this.live.value.reconnects + 1,
		});
		this.retry = window.setTimeout(() => void this.open(), wait);
	}

	private async ask(): Promise<void> {
		try {
			this.take(
				await getJson<Stats>(`/v1/rules/${this.id}/stats?per_target=true`),
			);
		} catch (e) {
			if (e instanceof ApiError && e.status === 404) this.gone();
		}
	}
}
