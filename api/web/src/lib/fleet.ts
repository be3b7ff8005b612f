// SPDX-License-Identifier: MIT
// Rules and edges, asked for every 5 s while somebody is signed in: lists, overview and tab title
// all read this one copy.
import { getJson } from "./api";
import { Busy } from "./busy";
import { Series } from "./series";
import { session } from "./session";
import { Store } from "./store";
import type { Client, HealthChange, Rule } from "./types";

const PERIOD = 5000;
const HOUR = 3_600_000;

export interface Fleet {
	/** null: not asked yet */
	rules: Rule[] | null;
	clients: Client[] | null;
	/** Of the last hour, newest first; null: could not be read. */
	changes: HealthChange[] | null;
	/** When the last answer came; 0: never. */
	at: number;
	/** Why the last try got no answer; null: it got one. */
	error: unknown;
}

const NOTHING: Fleet = { rules: null, clients: null, changes: [], at: 0, error: null };

export const fleet = new Store<Fleet>(NOTHING);
/** Throughput of all rules together, for as long as this page is open. */
export let traffic = new Series();
/** How busy each rule is. */
export let busy = new Busy();

let timer = 0;
let running: AbortController | null = null;

function note(rules: Rule[], at: number): void {
	let bytesIn = 0;
	let bytesOut = 0;
	for (const r of rules) {
		bytesIn += r.stats?.bytes_in ?? 0;
		bytesOut += r.stats?.bytes_out ?? 0;
	}
	traffic.add(at, bytesIn, bytesOut);
	busy.add(at, rules);
}

async function load(signal: AbortSignal): Promise<void> {
	const since = Date.now() - HOUR;
	const [rules, clients, changes] = await Promise.all([
		getJson<Rule[]>("/v1/rules?stats=true", signal),
		getJson<Client[]>("/v1/clients", signal),
		// Without these the rest is still worth showing.
		getJson<HealthChange[]>(`/v1/health-changes?since=${since}`, signal).catch(
			() => null,
		),
	]);
	const at = Date.now();
	note(rules, at);
	fleet.set({ rules, clients, changes, at, error: null });
}

/** Asks at once, and from then on every 5 s again. */
export async function refreshFleet(): Promise<void> {
	clearTimeout(timer);
	running?.abort();
	const mine = new AbortController();
	running = mine;
	try {
		await load(mine.signal);
	} catch (e) {
		if (mine.signal.aborted || session.value.state !== "in") return;
		fleet.update({ error: e });
	}
	if (session.value.state === "in" && running === mine)
		timer = window.setTimeout(refreshFleet, PERIOD);
}

session.subscribe(() => {
	if (session.value.state === "in") {
		void refreshFleet();
		return;
	}
	clearTimeout(timer);
	running?.abort();
	traffic = new Series();
	busy = new Busy();
	fleet.set(NOTHING);
});

document.addEventListener("visibilitychange", () => {
	if (!document.hidden && session.value.state === "in") void refreshFleet();
});
