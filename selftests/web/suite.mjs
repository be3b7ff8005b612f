// SPDX-License-Identifier: MIT
// The page in Chromium, against portunus-server with edges that forward real connections.
// usage: node suite.mjs FIRST [NAME…]   FIRST: how many cases came before
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { cases, makeRule, SHOTS, world } from "./kit.mjs";
import { browse, Server, sleep, Traffic } from "./rig.mjs";
import "./cases/document.mjs";
import "./cases/signin.mjs";
import "./cases/push.mjs";
import "./cases/rule.mjs";
import "./cases/lists.mjs";
import "./cases/edges.mjs";
import "./cases/access.mjs";
import "./cases/places.mjs";
import "./cases/every.mjs";

const [first = "0", ...only] = process.argv.slice(2);
// A case that is late goes on beside the next ones and changes what they look at: only one that hangs may be.
const CASE_SECONDS = 120;

async function tooLate() {
	await sleep(CASE_SECONDS * 1000);
	throw new Error(`not done after ${CASE_SECONDS} s`);
}

async function setUp() {
	world.server = new Server();
	await world.server.start();
	await world.server.edge("edge-01");
	world.chromium = await browse();
	world.browser = world.chromium.browser;
	world.rule = await makeRule(3);
	world.traffic = new Traffic(world.rule.port);
}

async function tearDown() {
	world.traffic?.stop();
	await world.chromium?.close();
	await world.server?.clear();
}

async function main() {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	const n = () => Number(first) + counts.passed + counts.failed + counts.skipped;
	const sum = () =>
		console.log(`browser: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
	const lacks = existsSync("/usr/bin/chromium") ? process.geteuid() && "an edge needs root" : "no chromium";
	if (lacks) {
		for (const c of cases) {
			counts.skipped++;
			console.log(`skip ${n()} ${c.name}: ${lacks}`);
		}
		return sum();
	}
	rmSync(SHOTS, { recursive: true, force: true });
	mkdirSync(SHOTS, { recursive: true });
	try {
		await setUp();
		for (const c of cases) {
			if (only.length && !only.some(o => c.name.includes(o))) continue;
			try {
				const words = await Promise.race([c.f(), tooLate()]);
				counts.passed++;
				console.log(`ok ${n()} ${c.name}${words ? ` (${words})` : ""}`);
			} catch (e) {
				counts.failed++;
				console.log(`not ok ${n()} ${c.name}: ${String(e.message).replaceAll(/\s*\n\s*/g, " ").slice(0, 400)}`);
			}
		}
	} catch (e) {
		counts.failed++;
		console.log(`not ok ${n()} set-up: ${e.message}`);
	} finally {
		await tearDown();
	}
	return sum();
}

for (const s of ["SIGINT", "SIGTERM"])
	process.on(s, () => tearDown().finally(() => process.exit(1)));
await main();
process.exit();
