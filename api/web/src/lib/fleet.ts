// SPDX-License-Identifier: MIT
// Rules and edges, asked for every 5 s while somebody is signed in: lists, overview and tab title
// all read this one copy.
import { ApiError, getJson } from "./api";
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
	changes: HealthChange[];
	/** When the last answer came; 0: never. */
	at: number;
	/** The last try got no answer. */
	lost: boolean;
}

const NOTHING: Fleet = { rules: null, clients: null, changes: [], at: 0, lost: false };

export const fleet = new Store<Fleet>(NOTHING);
/** Throughput of all rules together, for as long as this page is open. */
export let traffic = new Series();

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
}

async function load(signal: AbortSignal): Promise<void> {
	const since = Date.now() - HOUR;
	const [rules, clients, changes] = await Promise.all([
		getJson<Rule[]>("/v1/rules?stats=true", signal),
		getJson<Client[]>("/v1/clients", signal),
		getJson<HealthChange[]>(`/v1/health-changes?since=${since}`, signal),
	]);
	const at = Date.now();
	note(rules, at);
	fleet.set({ rules, clients, changes, at, lost: false });
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
		if (mine.signal.aborted) return;
		fleet.update({
			lost: e instanceof ApiError && (e.status === 0 || e.status >= 500),
		});
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
	fleet.set(NOTHING);
});

document.addEventListener("visibilitychange", () => {
	if (!document.hidden && session.value.state === "in") void refreshFleet();
});
