// SPDX-License-Identifier: MIT
// The page of one rule, live.
import assert from "node:assert/strict";
import net from "node:net";
import { axe, badge, dropRule, goto, makeRule, row, shot, test, TICK, where, withPage, world } from "../kit.mjs";
import { eventually, sleep, Traffic } from "../rig.mjs";

test("killing the primary moves new connections within a tick; reviving it brings them back", async () => {
	const rule = await makeRule(2);
	const [a, b] = rule.backends;
	const traffic = new Traffic(rule.port);
	const took = {};
	try {
		await withPage(
			async page => {
				await page.getByText("Streaming").waitFor();
				await eventually("both are healthy", TICK, async () => (await badge(page, 0)) === "Healthy");
				assert.equal(await where(page), `127.0.0.1:${a.port}`);
				await eventually("bytes are shown", TICK, async () =>
					/[1-9].* (KiB|MiB)/.test(await page.locator(".tile").nth(1).innerText()),
				);
				await sleep(6000);
				await shot(page, "rule");
				// What stays in place is updated, not made anew.
				await row(page, 0).evaluate(e => {
					e.marked = true;
				});
				let start = Date.now();
				await a.stop();
				await eventually("the badge says Failed", TICK, async () => (await badge(page, 0)) === "Failed");
				took.failed = Date.now() - start;
				await eventually("new connections move", 5, async () => (await where(page)) === `127.0.0.1:${b.port}`);
				assert.match(await row(page, 1).innerText(), /takes new connections/);
				assert.doesNotMatch(await row(page, 0).innerText(), /takes new connections/);
				await eventually("the title shows it", TICK, async () => (await page.title()).startsWith("(1 failure)"));
				await page.locator(".timeline").getByText(`127.0.0.1:${a.port} failed`).waitFor();
				await shot(page, "rule-failed");
				start = Date.now();
				await a.start();
				await eventually("it returns", TICK, async () => (await where(page)) === `127.0.0.1:${a.port}`);
				took.back = Date.now() - start;
				await page.locator(".timeline").getByText(`127.0.0.1:${a.port} is healthy again`).waitFor();
				assert.equal(await row(page, 0).evaluate(e => e.marked === true), true, "the row was made anew");
			},
			{ path: `/rules/${rule.id}` },
		);
	} finally {
		traffic.stop();
		await dropRule(rule);
	}
	return `shown after ${took.failed} ms, back after ${took.back} ms`;
});

test("live updates move nothing on the page", async () => {
	const rule = await makeRule(2);
	const traffic = new Traffic(rule.port);
	try {
		await withPage(
			async page => {
				await eventually("health is known", TICK, async () => (await badge(page, 0)) === "Healthy");
				await sleep(1000);
				await page.evaluate(() => {
					window.shift = 0;
					window.moved = [];
					new PerformanceObserver(list => {
						for (const e of list.getEntries()) {
							window.shift += e.value;
							window.moved.push(...e.sources.map(x => x.node?.className || x.node?.nodeName));
						}
					}).observe({ type: "layout-shift" });
				});
				await sleep(7000);
				const [shift, moved] = await page.evaluate(() => [window.shift, window.moved]);
				assert.ok(shift < 0.02, `layout shift ${shift}: ${moved}`);
			},
			{ path: `/rules/${rule.id}` },
		);
	} finally {
		traffic.stop();
		await dropRule(rule);
	}
});

test("a cut stream reconnects; when it cannot, the page polls and says so", async () => {
	const rule = await makeRule(2);
	try {
		await withPage(
			async page => {
				await page.getByText("Streaming").waitFor();
				await page.route("**/stats/stream*", r => r.abort());
				await goto(page, `/rules/${rule.id}`);
				await page.getByText("Reconnecting").waitFor();
				await page.getByText("Polling").waitFor();
				await page.locator(".tile", { hasText: "To targets" }).getByText("0 B").waitFor();
				await page.unroute("**/stats/stream*");
				await page.getByText("Streaming").waitFor({ timeout: 12_000 });
			},
			{ path: `/rules/${rule.id}`, expected: /ERR_FAILED/ },
		);
	} finally {
		await dropRule(rule);
	}
});

test("a restarted server is found again, without signing in anew", async () => {
	const rule = await makeRule(2);
	try {
		await withPage(
			async page => {
				await page.getByText("Streaming").waitFor();
				await world.server.stop();
				await page.getByText(/Reconnecting|Polling/).waitFor();
				await page.getByText("The server does not answer.").waitFor({ timeout: 10_000 });
				await shot(page, "server-down");
				await world.server.start();
				await page.getByText("Streaming").waitFor({ timeout: 20_000 });
				await page.getByText("The server does not answer.").waitFor({ state: "detached" });
				await eventually("health is known again", 10, async () => (await badge(page, 0)) === "Healthy");
			},
			{ path: `/rules/${rule.id}`, expected: /ERR_|Failed to load/ },
		);
	} finally {
		await dropRule(rule);
	}
});

test("a rule whose targets have all failed says so, since when and why; the list too", async () => {
	const rule = await makeRule(2);
	const [a, b] = rule.backends;
	const traffic = new Traffic(rule.port);
	try {
		await withPage(
			async page => {
				await eventually("both are healthy", TICK, async () => (await badge(page, 0)) === "Healthy");
				await a.stop();
				await b.stop();
				await page.locator(".now .where", { hasText: "No target is reachable" }).waitFor();
				const why = await page.locator(".now").innerText();
				assert.match(why, /Since \w{3} \d+, \d{4}.*\(.*\), because/s);
				assert.match(why, new RegExp(`127.0.0.1:${a.port} and 127.0.0.1:${b.port} refuse connections`));
				assert.match(why, new RegExp(`tries 127.0.0.1:${a.port} first`));
				// The timeline may tell of the moment when only one of them had failed.
				const now = why + (await page.locator(".targets").innerText());
				assert.doesNotMatch(now, /takes new connections|go to 127/);
				await page.getByText("No target was left").waitFor();
				await sleep(1500);
				assert.deepEqual(await axe(page), []);
				await shot(page, "rule-all-down");
				await page.getByRole("link", { name: "Rules", exact: true }).click();
				const line = page.locator(".rules tr", { hasText: `#${rule.id}` });
				await eventually("the list says it", TICK, async () =>
					/No target is reachable/.test(await line.innerText()),
				);
				assert.match(await line.innerText(), new RegExp(`trying 127.0.0.1:${a.port} first`));
			},
			{ path: `/rules/${rule.id}` },
		);
	} finally {
		traffic.stop();
		await world.server.call("DELETE", `/v1/rules/${rule.id}`);
	}
});

test("a rule that its edge cannot serve says why, on its page and in the list", async () => {
	const taken = net.createServer().listen(0, "0.0.0.0");
	await new Promise(done => taken.once("listening", done));
	const { port } = taken.address();
	const refused = await world.server
		.call("POST", "/v1/rules", { client: "edge-01", listen_port: port, target_host: "127.0.0.1", target_port: 80 })
		.catch(e => String(e));
	assert.match(refused, /port_in_use/);
	const rule = (await world.server.call("GET", "/v1/rules")).find(r => r.listen_port === port);
	const why = "Another program on the edge's host listens on this port.";
	try {
		await withPage(
			async page => {
				await page.locator(".now", { hasText: why }).waitFor();
				assert.equal(await where(page), "Not served by the edge");
				assert.doesNotMatch(await page.locator("main").innerText(), /port_in_use|takes new connections/);
				await sleep(500);
				assert.deepEqual(await axe(page), []);
				await shot(page, "rule-not-served");
				await page.getByRole("link", { name: "Rules", exact: true }).click();
				await page.locator(".rules tr", { hasText: why }).waitFor();
				await page.getByRole("link", { name: "Overview" }).click();
				await page.locator(".concerns li", { hasText: why }).waitFor();
			},
			{ path: `/rules/${rule.id}` },
		);
	} finally {
		taken.close();
		await world.server.call("DELETE", `/v1/rules/${rule.id}`);
	}
});

test("the figures of an edge that is away are old, and say so", async () => {
	const edge = await world.server.edge("edge-away");
	const rule = await makeRule(2, "edge-away");
	try {
		await withPage(
			async page => {
				await eventually("health is known", TICK, async () => (await badge(page, 0)) === "Healthy");
				await edge.stop();
				await page.getByText("edge-away is not connected. It goes on forwarding").waitFor({ timeout: 12_000 });
				assert.doesNotMatch(await page.locator(".targets").innerText(), /being checked|next check/);
				await sleep(500);
				assert.deepEqual(await axe(page), []);
				await shot(page, "rule-edge-away");
			},
			{ path: `/rules/${rule.id}` },
		);
	} finally {
		await dropRule(rule);
		// An edge that stays enrolled and never comes back is waited for by what comes later.
		const gone = (await world.server.call("GET", "/v1/clients")).find(c => c.client_name === "edge-away");
		await world.server.call("POST", `/v1/clients/${gone.client_id}/revoke`);
		await world.server.call("DELETE", `/v1/clients/${gone.client_id}`);
	}
});

test("spare targets that fail and return change health, but move no traffic", async () => {
	const rule = await makeRule(2);
	const [, spare] = rule.backends;
	try {
		await withPage(
			async page => {
				await eventually("both are healthy", TICK, async () => (await badge(page, 1)) === "Healthy");
				await spare.stop();
				await eventually("the spare has failed", TICK, async () => (await badge(page, 1)) === "Failed");
				await spare.start();
				await eventually("the spare is back", TICK, async () => (await badge(page, 1)) === "Healthy");
				const tile = page.locator(".tile", { hasText: "Traffic moved" });
				await tile.getByText("2 changes of health").waitFor();
				assert.match(await tile.innerText(), /\b0 times/);
				assert.doesNotMatch(await page.locator(".timeline").innerText(), /New connections go to/);
			},
			{ path: `/rules/${rule.id}` },
		);
	} finally {
		await dropRule(rule);
	}
});

test("the timeline says that it is loading, and when it cannot be read", async () => {
	const rule = await makeRule(2);
	try {
		await withPage(
			async page => {
				let fail = null;
				const asked = new Promise(done => {
					fail = done;
				});
				let broken = true;
				await page.route("**/v1/health-changes?rule=*", async r => {
					if (!broken) return r.continue();
					await asked;
					return r.abort();
				});
				await goto(page, "/");
				await page.evaluate(id => {
					history.pushState(null, "", `/rules/${id}`);
					dispatchEvent(new PopStateEvent("popstate"));
				}, rule.id);
				const card = page.locator("section", { has: page.getByRole("heading", { name: "Timeline" }) });
				await card.getByText("Loading").waitFor();
				assert.doesNotMatch(await card.innerText(), /No target has failed/);
				fail();
				await card.getByText("The server does not answer.").waitFor();
				assert.doesNotMatch(await card.innerText(), /No target has failed/);
				broken = false;
				await card.getByRole("button", { name: "Try again" }).click();
				await card.getByText("No target has failed or come back").waitFor();
			},
			{ expected: /ERR_FAILED/ },
		);
	} finally {
		await dropRule(rule);
	}
});

test("exact times, and how connects ended, are found by keyboard", async () => {
	const rule = await makeRule(2);
	try {
		await withPage(
			async page => {
				await eventually("health is known", TICK, async () => (await badge(page, 0)) === "Healthy");
				await page.locator(".targets summary").first().focus();
				await page.keyboard.press("Enter");
				assert.deepEqual(await axe(page), []);
				const text = await page.locator(".targets details").first().innerText();
				assert.match(text, /Last reached\s+\w{3} \d+, \d{4}, \d\d:\d\d:\d\d/);
				for (const part of ["Refused or unreachable", "Timed out", "Connected"])
					assert.ok(text.includes(part), text);
			},
			{ path: `/rules/${rule.id}` },
		);
	} finally {
		await dropRule(rule);
	}
});

test("a chart with nothing in it takes no room", async () => {
	const rule = await makeRule(2);
	try {
		await withPage(
			async page => {
				const card = page.locator("section", { has: page.getByRole("heading", { name: "Throughput" }) });
				await card.getByText("Nothing has been carried").waitFor({ timeout: 15_000 });
				const { height } = await card.boundingBox();
				assert.ok(height < 120, `${height} px`);
			},
			{ path: `/rules/${rule.id}` },
		);
	} finally {
		await dropRule(rule);
	}
});
