// SPDX-License-Identifier: MIT
// Who is signed in. The credential itself is in a cookie that no script can read.
import { Store } from "./store";
import type { Me } from "./types";

export type Scope = "admin" | "operator" | "viewer";

export interface Session {
	state: "asking" | "out" | "in";
	/** It ended without being asked to. */
	expired: boolean;
	name: string;
	scope: Scope;
}

export const session = new Store<Session>({
	state: "asking",
	expired: false,
	name: "",
	scope: "viewer",
});

export function signedIn(me: Me): void {
	const scope = me.scope ?? (me.role === "superadmin" ? "admin" : "operator");
	session.set({ state: "in", expired: false, name: me.user_id, scope: scope as Scope });
}

export function signedOut(expired: boolean): void {
	const { state } = session.value;
	// Several calls may learn of it at once: the first one tells.
	if (state === "out") return;
	session.set({
		state: "out",
		expired: expired && state === "in",
		name: "",
		scope: "viewer",
	});
}

export const mayWrite = (s: Session): boolean => s.scope !== "viewer";
export const isAdmin = (s: Session): boolean => s.scope === "admin";
