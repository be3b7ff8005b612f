// SPDX-License-Identifier: MIT
// What the cases in the browser share: the world they look at, pages of it, and short names for parts of a page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Backend, freePort, require, signIn, WEB } from "./rig.mjs";

export const SHOTS = join(WEB, "screenshots");
export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };
/** One tick of the stream, and what the machine may lag. */
export const TICK = 7;

/** The server, its edges, the browser, and a rule with traffic; filled by the suite. */
export const world = { server: null, rule: null, traffic: null, chromium: null, browser: null };
export const cases = [];
export const test = (name, f) => cases.push({ name, f });

/** A page of its own; fails the case when the console has an error that is not in @expected. */
export async function withPage(f, { signed = true, path = "/", expected, ...options } = {}) {
	const context = await world.browser.newContext({ viewport: DESKTOP, locale: "en-US", ...options });
	const page = await context.newPage();
	const errors = [];
	page.on("pageerror", e => errors.push(String(e)));
	page.on("console", m => m.type() === "error" && errors.push(m.text()));
	page.setDefaultTimeout(8000);
	try {
		if (signed) await signIn(page, world.server.origin, path);
		await f(page, context);
		const odd = errors.filter(e => !expected?.test(e));
		assert.deepEqual(odd, [], "errors in the console");
	} finally {
		await context.close();
	}
}

export const shot = (page, name) => page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
export const where = page => page.locator(".now .where").innerText();
export const row = (page, i) => page.locator(`.targets tr[data-target="${i}"]`);
export const badge = (page, i) => row(page, i).locator("td .badge").first().innerText();

export async function goto(page, path) {
	await page.goto(world.server.origin + path);
	await page.waitForSelector("header.bar");
	await page.waitForSelector(".loading", { state: "detached" });
}

/** A rule with @n living backends and an interval of 1 s. */
export async function makeRule(n, edge = "edge-01") {
	const backends = await Promise.all(Array.from({ length: n }, () => new Backend(3).start()));
	const port = await freePort();
	const made = await world.server.call("POST", "/v1/rules", {
		client: edge,
		listen_port: port,
		health_check_interval_secs: n > 1 ? 1 : undefined,
		targets: backends.map(b => ({ host: "127.0.0.1", port: b.port })),
	});
	return { id: made.rule_id, port, backends };
}

export async function dropRule(rule) {
	await world.server.call("DELETE", `/v1/rules/${rule.id}`);
	for (const b of rule.backends) await b.stop();
}

/** What axe finds wrong. It comes in by the debugger, not by a script element: the policy stays in force. */
export async function axe(page) {
	const cdp = await page.context().newCDPSession(page);
	const expression = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
	await cdp.send("Runtime.evaluate", { expression });
	await cdp.detach();
	return page.evaluate(() =>
		window.axe.run(document, { resultTypes: ["violations"] }).then(r =>
			r.violations.map(v => `${v.id}: ${v.nodes.map(n => n.target.join(" ")).slice(0, 3)}`),
		),
	);
}
