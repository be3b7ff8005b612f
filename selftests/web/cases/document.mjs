// SPDX-License-Identifier: MIT
// The document as it is served: headers, caching, size.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { goto, test, withPage, world } from "../kit.mjs";
import { WEB } from "../rig.mjs";

test("the document: policy, framing, caching, compression", async () => {
	const get = (path, headers) => fetch(world.server.origin + path, { headers });
	const doc = await get("/");
	const html = await doc.text();
	const policy = doc.headers.get("content-security-policy");
	assert.match(policy, /default-src 'none'/);
	assert.match(policy, /script-src 'self';/);
	assert.doesNotMatch(policy, /unsafe/);
	assert.equal(doc.headers.get("x-frame-options"), "DENY");
	assert.equal(doc.headers.get("x-content-type-options"), "nosniff");
	assert.equal(doc.headers.get("referrer-policy"), "same-origin");
	assert.match(doc.headers.get("cache-control"), /must-revalidate/);
	assert.doesNotMatch(html, /<script[^>]*>[^<]|<style|style=/, "nothing inline");
	const again = await get("/", { "If-None-Match": doc.headers.get("etag") });
	assert.equal(again.status, 304);
	for (const path of html.match(/\/assets\/[\w.-]+/g)) {
		const asset = await get(path);
		assert.equal(asset.status, 200, path);
		assert.equal(asset.headers.get("cache-control"), "public, max-age=31536000, immutable");
		assert.equal(asset.headers.get("content-encoding"), "gzip");
		await asset.arrayBuffer();
	}
	assert.equal((await get("/assets/page-000000000000.js")).status, 404);
	assert.equal((await get("/nothing")).status, 404);
});

test("the page is small, and is painted", async () => {
	const size = Number(readFileSync(join(WEB, "size"), "utf8"));
	assert.ok(size < 150 * 1024, `${size} bytes`);
	let paint = Number.POSITIVE_INFINITY;
	await withPage(async page => {
		for (let i = 0; i < 3; i++) {
			await goto(page, "/");
			const at = await page.evaluate(
				() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
			);
			paint = Math.min(paint, at ?? paint);
		}
	});
	// How soon says more of the machine than of the page: only told.
	assert.ok(paint > 0 && Number.isFinite(paint), `first contentful paint after ${paint} ms`);
	return `${(size / 1024).toFixed(1)} KiB gzipped, first contentful paint ${paint.toFixed(0)} ms`;
});
