// SPDX-License-Identifier: MIT
// Something that is sent once, however often its button is pressed.
import { useRef, useState } from "preact/hooks";

export interface Action {
	busy: boolean;
	error: unknown;
	run: (f: () => Promise<unknown>) => Promise<void>;
}

export function useAction(): Action {
	// The state comes with the next rendering, which is too late for a double click.
	const running = useRef(false);
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>(null);
	const run = async (f: () => Promise<unknown>) => {
		if (running.current) return;
		running.current = true;
		setBusy(true);
		setError(null);
		try {
			await f();
		} catch (e) {
			setError(e);
		} finally {
			running.current = false;
			setBusy(false);
		}
	};
	return { busy, error, run };
}
