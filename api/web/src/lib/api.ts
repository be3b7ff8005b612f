// SPDX-License-Identifier: MIT
// Calls of the operator API: same origin, by the session's cookie.
import { href } from "./base";
import { signedOut } from "./session";

export class ApiError extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
		/** The rule that a refusal left behind. */
		readonly ruleId: number | null = null,
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
		const { code, message, rule_id } = JSON.parse(text).error;
		return new ApiError(
			r.status,
			String(code),
			plainMessage(String(code), String(message)),
			rule_id ? Number(rule_id) : null,
		);
	} catch {
		return new ApiError(r.status, `http_${r.status}`, text || r.statusText);
	}
}

interface Options {
	body?: unknown;
	signal?: AbortSignal;
	/** Write only if what is stored still has this tag. */
	ifMatch?: string | null;
	/** A 401 is an answer here, not the end of the session. */
	signIn?: boolean;
}

async function request(method: string, path: string, o: Options): Promise<Response> {
	const headers: Record<string, string> = { Accept: "application/json" };
	if (method !== "GET") headers["X-Portunus-CSRF"] = "1";
	if (o.body !== undefined) headers["Content-Type"] = "application/json";
	if (o.ifMatch) headers["If-Match"] = o.ifMatch;
	let r: Response;
	try {
		r = await fetch(href(path), {
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

/** What is stored, with its tag; null when the server gives none. */
export async function getTagged<T>(path: string): Promise<{ value: T; tag: string | null }> {
	const r = await request("GET", path, {});
	return { value: await r.json(), tag: r.headers.get("etag") };
}

/** A write; gives the answer's body, or null when it has none. */
export async function send<T>(
	method: string,
	path: string,
	body?: unknown,
	options: Pick<Options, "ifMatch" | "signIn"> = {},
): Promise<T | null> {
	const r = await request(method, path, { body, ...options });
	return r.status === 204 ? null : r.json();
}
