// SPDX-License-Identifier: MIT
// What somebody has typed into a form, kept in this tab until it is sent or thrown away: over a look
// at another page, a reload, and the end of the session.
import { useState } from "preact/hooks";
import { session } from "./session";

const PREFIX = "portunus.draft.";

function read<T>(key: string): T | null {
	try {
		const { who, value } = JSON.parse(sessionStorage.getItem(PREFIX + key) ?? "");
		return who === session.value.name ? value : null;
	} catch {
		return null;
	}
}

function write(key: string, value: unknown): void {
	try {
		if (value === null) sessionStorage.removeItem(PREFIX + key);
		else
			sessionStorage.setItem(
				PREFIX + key,
				JSON.stringify({ who: session.value.name, value }),
			);
	} catch {
		// Only until this page is left, then.
	}
}

/** Whoever signs out leaves nothing to the next one. */
export function dropDrafts(): void {
	try {
		for (const key of Object.keys(sessionStorage))
			if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
	} catch {
		// There is no storage, so there is nothing in it.
	}
}

export interface Draft<T> {
	value: T;
	set: (patch: Partial<T>) => void;
	/** It was typed before, and found again. */
	kept: boolean;
	/** Sent, or not wanted any more: @next is what the form shows from now on. */
	drop: (next: T) => void;
}

/** @start makes what the form shows when nothing was kept; @revive mends what was. */
export function useDraft<T extends object>(
	key: string,
	start: () => T,
	revive: (kept: T) => T = x => x,
): Draft<T> {
	const [state, setState] = useState(() => {
		const kept = read<T>(key);
		const value = kept ? revive({ ...start(), ...kept }) : start();
		return { value, kept: kept !== null };
	});
	const set = (patch: Partial<T>) =>
		setState(s => {
			const value = { ...s.value, ...patch };
			write(key, value);
			return { ...s, value };
		});
	const drop = (next: T) => {
		write(key, null);
		setState({ value: next, kept: false });
	};
	return { ...state, set, drop };
}
