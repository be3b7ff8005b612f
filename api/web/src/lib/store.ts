// SPDX-License-Identifier: MIT
// A value that components subscribe to; the one kind of shared state in this page.
import { useEffect, useReducer, useRef } from "preact/hooks";

export class Store<T> {
	private listeners = new Set<() => void>();

	constructor(private current: T) {}

	get value(): T {
		return this.current;
	}

	set(value: T): void {
		if (Object.is(value, this.current)) return;
		this.current = value;
		for (const l of [...this.listeners]) l();
	}

	update(patch: Partial<T>): void {
		this.set({ ...this.current, ...patch });
	}

	subscribe(listener: () => void): () => void {
		this.listeners.add(listener);
		return () => this.listeners.delete(listener);
	}
}

/** Renders the component again when the store's value, or what @pick takes of it, changes. */
export function useStore<T>(store: Store<T>): T {
	const [, again] = useReducer<number, void>(n => n + 1, 0);
	const shown = useRef(store.value);
	shown.current = store.value;
	useEffect(() => {
		// Effects run after the paint: nobody was told of what changed until now.
		if (!Object.is(store.value, shown.current)) again();
		return store.subscribe(() => again());
	}, [store]);
	return shown.current;
}
