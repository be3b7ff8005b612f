// SPDX-License-Identifier: MIT
// Why a target cannot be reached, as far as its figures tell. Pure.
import type { Kernel } from "./types";

export type Cause =
	| "refused"
	| "silent"
	| "no_route"
	| "forbidden"
	| "reset"
	| "failed_or_refused"
	| "unknown";

/** Linux's numbers: they come from the edge, whatever this page runs on. */
const OF_ERRNO: Record<number, Cause> = {
	1: "forbidden", // EPERM
	13: "forbidden", // EACCES
	100: "no_route", // ENETDOWN
	101: "no_route", // ENETUNREACH
	104: "reset", // ECONNRESET
	110: "silent", // ETIMEDOUT
	111: "refused", // ECONNREFUSED
	112: "no_route", // EHOSTDOWN
	113: "no_route", // EHOSTUNREACH
};

/** An edge that counts by itself has no error numbers, but says how connects ended. */
export function causeOf(kernel?: Partial<Kernel> | null): Cause {
	if (!kernel) return "unknown";
	const known = OF_ERRNO[kernel.last_errno ?? 0];
	if (known) return known;
	const failed = kernel.connects_failed ?? 0;
	const silent = kernel.connects_timed_out ?? 0;
	if (silent > failed) return "silent";
	return failed ? "failed_or_refused" : "unknown";
}
