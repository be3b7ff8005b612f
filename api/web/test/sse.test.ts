// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, type SseEvent, SseParser } from "../src/lib/sse";

const STREAM = 'event: stats\ndata: {"a":1}\n\n: keepalive\n\nevent: stats\ndata: {"a":2}\n\n';
const WANT: SseEvent[] = [
	{ event: "stats", data: '{"a":1}' },
	{ event: "stats", data: '{"a":2}' },
];

test("a stream cut anywhere gives the same events", () => {
	for (let size = 1; size <= STREAM.length; size++) {
		const p = new SseParser();
		const got: SseEvent[] = [];
		for (let i = 0; i < STREAM.length; i += size)
			got.push(...p.feed(STREAM.slice(i, i + size)));
		assert.deepEqual(got, WANT, `pieces of ${size}`);
	}
});

test("line ends of every kind, also cut within CR LF", () => {
	for (const end of ["\r\n", "\r"]) {
		const text = STREAM.replaceAll("\n", end);
		const p = new SseParser();
		const got = [...text].flatMap(c => p.feed(c));
		assert.deepEqual(got, WANT, JSON.stringify(end));
	}
});

test("several data lines are one event; without data there is none", () => {
	const p = new SseParser();
	assert.deepEqual(p.feed("data: a\ndata:b\n\nevent: x\n\n"), [
		{ event: "message", data: "a\nb" },
	]);
	assert.deepEqual(p.feed("data: c\n"), []);
	assert.deepEqual(p.feed("\n"), [{ event: "message", data: "c" }]);
});

test("back-off doubles from 1 s to 30 s", () => {
	assert.deepEqual(
		[0, 1, 2, 3, 4, 5, 50].map(backoff),
		[1000, 2000, 4000, 8000, 16000, 30000, 30000],
	);
});
