// SPDX-License-Identifier: MIT
// Calls of the operator API: same origin, by the session's cookie.
import { signedOut } from "./session";

export class ApiError extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
	) {
		super(message);
	}
}

/** The server's message, without its code when it repeats that at the front. */
export function plainMessage(code: string, message: string): string {
	return message.startsWith(`${code}:`) ? message.slice(code.length + 1).trim() : message;
}

export async function errorOf(r: Response): Promise<ApiError> {
	const text = await r.text().catch(() => "");
	try {
		const { code, message } = JSON.parse(text).error;
		return new ApiError(
			r.status,
			String(code),
			plainMessage(String(code), String(message)),
		);
	} catch {
		return new ApiError(r.status, `http_${r.status}`, text || r.statusText);
	}
}

interface Options {
	body?: unknown;
	signal?: AbortSignal;
	/** A 401 is an answer here, not the end of the session. */
	signIn?: boolean;
}

async function request(method: string, path: string, o: Options): Promise<Response> {
	const headers: Record<string, string> = { Accept: "application/json" };
	if (method !== "GET") headers["X-Portunus-CSRF"] = "1";
	if (o.body !== undefined) headers["Content-Type"] = "application/json";
	let r: Response;
	try {
		r = await fetch(path, {
			method,
			headers,
			body: o.body === undefined ? undefined : JSON.stringify(o.body),
			credentials: "same-origin",
			cache: "no-store",
			signal: o.signal,
		});
	} catch (e) {
		if (o.signal?.aborted) throw e;
		throw new ApiError(0, "unreachable", "");
	}
	if (r.ok) return r;
	const error = await errorOf(r);
	if (r.status === 401 && !o.signIn) signedOut(true);
	throw error;
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
	return (await request("GET", path, { signal })).json();
}

export async function getText(path: string): Promise<string> {
	return (await request("GET", path, {})).text();
}

/** A write; gives the answer's body, or null when it has none. */
export async function send<T>(
	method: string,
	path: string,
	body?: unknown,
	signIn = false,
): Promise<T | null> {
	const r = await request(method, path, { body, signIn });
	return r.status === 204 ? null : r.json();
}
