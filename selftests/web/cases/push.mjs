// SPDX-License-Identifier: MIT
// The forms that push and change rules.
import assert from "node:assert/strict";
import dgram from "node:dgram";
import net from "node:net";
import tls from "node:tls";
import { axe, dropRule, goto, makeRule, shot, test, TICK, where, withPage, world } from "../kit.mjs";
import { Backend, eventually, freePort, TOKEN } from "../rig.mjs";

test("a rule with two targets is pushed by clicking, reordered by keyboard and by drag", async () => {
	const a = await new Backend(1).start();
	const b = await new Backend(1).start();
	const port = await freePort();
	let id = 0;
	await withPage(
		async page => {
			await page.getByLabel("Edge", { exact: true }).selectOption("edge-01");
			await page.getByLabel("Listen port").fill(String(port));
			await page.getByLabel("Target 1: host").fill("127.0.0.1");
			await page.getByLabel("Target 1: port").fill(String(b.port));
			await page.getByRole("button", { name: "Add another target" }).click();
			await eventually("the new row has the focus", 5, async () =>
				(await page.evaluate(() => document.activeElement.placeholder)) === "Target host or IP",
			);
			await page.keyboard.type("127.0.0.1");
			await page.getByLabel("Target 2: port").fill(String(b.port));
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.locator(".target-row").getByText("The same as target 1.").waitFor();
			await page.getByLabel("Target 2: port").fill(String(a.port));
			const hosts = () => page.locator(".target-row .port input").evaluateAll(x => x.map(i => Number(i.value)));
			const order = (what, want) =>
				eventually(`the order ${what}`, 5, async () => String(await hosts()) === String(want));
			await page.getByRole("button", { name: /^Move target 2/ }).focus();
			await page.keyboard.press("ArrowUp");
			await order("[a.port, b.port]", [a.port, b.port]);
			await page.getByText("Target is now number 1 of 2.").waitFor({ state: "attached" });
			const from = await page.locator(".handle").first().boundingBox();
			const to = await page.locator(".handle").last().boundingBox();
			await page.mouse.move(from.x + 5, from.y + 5);
			await page.mouse.down();
			await page.mouse.move(to.x + 5, to.y + 10, { steps: 4 });
			await page.mouse.up();
			await order("[b.port, a.port]", [b.port, a.port]);
			await eventually("the handle has the focus", 5, () =>
				page.evaluate(() => document.activeElement.classList.contains("handle")),
			);
			await page.keyboard.press("ArrowUp");
			await order("[a.port, b.port]", [a.port, b.port]);
			await page.getByLabel("Health-check interval").fill("1");
			await shot(page, "push");
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.waitForURL(/\/rules\/\d+$/);
			id = Number(page.url().split("/").pop());
			await page.getByText("Streaming").waitFor();
			assert.equal(await where(page), `127.0.0.1:${a.port}`);
		},
		{ path: "/rules/new" },
	);
	const stored = await world.server.call("GET", `/v1/rules/${id}`);
	assert.deepEqual(
		stored.targets.map(x => [x.port, x.priority]),
		[
			[a.port, 0],
			[b.port, 1],
		],
	);
	await dropRule({ id, backends: [a, b] });
});

test("what the server refuses is shown at its field", async () => {
	const rule = await makeRule(1);
	await withPage(
		async page => {
			await page.getByLabel("Edge", { exact: true }).selectOption("edge-01");
			await page.getByLabel("Listen port").fill(String(rule.port));
			await page.getByLabel("Target 1: host").fill("-hyphen.example");
			await page.getByLabel("Target 1: port").fill("80");
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.locator(".target-row .host .error").waitFor();
			await page.getByLabel("Target 1: host").fill("127.0.0.1");
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.locator(".field", { has: page.getByLabel("Listen port") }).locator(".error").waitFor();
			await page.getByText("Another rule of this edge already listens on this port.").first().waitFor();
			await eventually("the summary has the focus", 5, () =>
				page.evaluate(() => document.activeElement.classList.contains("summary")),
			);
			await page.locator(".summary").getByRole("button", { name: "Listen port" }).click();
			assert.equal(await page.evaluate(() => document.activeElement.value), String(rule.port));
		},
		{ path: "/rules/new", expected: /40[09]/ },
	);
	await dropRule(rule);
});

test("the summary of errors stands first in the form, and has the focus", () =>
	withPage(
		async page => {
			await page.getByRole("button", { name: "Push rule" }).click();
			await eventually("the summary has the focus", 5, () =>
				page.evaluate(() => document.activeElement === document.querySelector("form > :first-child")),
			);
			const text = await page.locator("form > :first-child").innerText();
			for (const part of ["Listen port: A port", "Target 1: host or IP: Say", "Target 1: port: 1 to"])
				assert.ok(text.includes(part), text);
			assert.deepEqual(await axe(page), []);
		},
		{ path: "/rules/new" },
	));

test("a form is kept when one leaves it, over a reload, and at the session's end", () =>
	withPage(
		async (page, context) => {
			const host = page.getByLabel("Target 1: host");
			await page.getByLabel("Listen port").fill("4711");
			await host.fill("db1.example");
			await page.getByRole("link", { name: "Edges", exact: true }).click();
			await page.goBack();
			assert.equal(await host.inputValue(), "db1.example");
			await page.reload();
			await page.getByText("What you had typed is still here.").waitFor();
			assert.equal(await host.inputValue(), "db1.example");
			await page.getByLabel("Target 1: port").fill("5432");
			await context.clearCookies();
			await page.getByText("The session has ended.").waitFor({ timeout: 10_000 });
			await page.fill("input[name=token]", TOKEN);
			await page.click("button[type=submit]");
			assert.equal(await page.getByLabel("Target 1: port").inputValue(), "5432");
			assert.equal(await page.getByLabel("Listen port").inputValue(), "4711");
			await page.getByRole("button", { name: "Start over" }).click();
			assert.equal(await host.inputValue(), "");
			// Whoever signs out leaves nothing to the next one.
			await host.fill("secret.example");
			await page.getByRole("button", { name: "Sign out" }).click();
			await page.waitForSelector("input[name=token]");
			const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage }));
			assert.equal(kept.includes("secret.example"), false, kept);
		},
		{ path: "/rules/new", expected: /401/ },
	));

test("a rule is edited: what changes is shown first, open connections stay", async () => {
	const rule = await makeRule(2);
	const [a, b] = rule.backends;
	const open = net.connect(rule.port, "127.0.0.1");
	let ended = false;
	open.on("close", () => {
		ended = true;
	});
	open.on("error", () => {});
	open.write("hello");
	await eventually("the connection is open", 5, () => a.open.size > 0);
	await withPage(
		async page => {
			const writes = [];
			page.on("request", r => r.method() === "PUT" && writes.push(r.postDataJSON()));
			await page.getByRole("link", { name: "Edit" }).click();
			assert.equal(await page.getByLabel("Target 2: port").inputValue(), String(b.port));
			assert.equal(await page.getByLabel("Health-check interval").inputValue(), "1");
			await page.getByRole("button", { name: /^Move target 2/ }).focus();
			await page.keyboard.press("ArrowUp");
			await page.getByLabel("Health-check interval").fill("2");
			await page.getByRole("button", { name: "See what changes" }).click();
			const dialog = page.locator("dialog");
			await dialog.getByText("open connections stay where they are").waitFor();
			const difference = await dialog.locator("table").innerText();
			for (const part of [`127.0.0.1:${a.port}`, `127.0.0.1:${b.port}`, "Health-check interval"])
				assert.ok(difference.includes(part), difference);
			assert.deepEqual(writes, [], "nothing is sent before it was looked at");
			assert.deepEqual(await axe(page), []);
			await shot(page, "edit");
			await dialog.getByRole("button", { name: "Change the rule" }).click();
			await page.waitForURL(/\/rules\/\d+$/);
			await eventually("new connections go to the other one", TICK, async () =>
				(await where(page)) === `127.0.0.1:${b.port}`,
			);
			assert.equal(writes.length, 1);
		},
		{ path: `/rules/${rule.id}` },
	);
	const stored = await world.server.call("GET", `/v1/rules/${rule.id}`);
	assert.deepEqual(
		[stored.targets.map(x => x.port), stored.health_check_interval_secs],
		[[b.port, a.port], 2],
	);
	assert.equal(ended, false, "the open connection was ended");
	open.destroy();
	await dropRule(rule);
});

test("somebody else's change is not overwritten", async () => {
	const rule = await makeRule(2);
	const change = interval =>
		world.server.call("PUT", `/v1/rules/${rule.id}`, {
			client: "edge-01",
			listen_port: rule.port,
			health_check_interval_secs: interval,
			targets: rule.backends.map(b => ({ host: "127.0.0.1", port: b.port })),
		});
	await withPage(
		async page => {
			await page.getByLabel("Health-check interval").fill("9");
			await change(7);
			await page.getByRole("button", { name: "See what changes" }).click();
			await page.getByRole("button", { name: "Change the rule" }).click();
			await page.locator(".summary").getByText("Somebody else has changed this").waitFor();
			assert.equal((await world.server.call("GET", `/v1/rules/${rule.id}`)).health_check_interval_secs, 7);
			// What was typed is there still, and is compared with what is stored now.
			assert.equal(await page.getByLabel("Health-check interval").inputValue(), "9");
			await page.getByRole("button", { name: "See what changes" }).click();
			await page.locator("dialog td", { hasText: /^7$/ }).waitFor();
			await page.getByRole("button", { name: "Change the rule" }).click();
			await page.waitForURL(/\/rules\/\d+$/);
			assert.equal((await world.server.call("GET", `/v1/rules/${rule.id}`)).health_check_interval_secs, 9);
		},
		{ path: `/rules/${rule.id}/edit`, expected: /412/ },
	);
	await dropRule(rule);
});

test("limits and who may come are set by the form, and come back into it", async () => {
	const a = await new Backend(1).start();
	const port = await freePort();
	let id = 0;
	await withPage(
		async page => {
			await page.getByLabel("Edge", { exact: true }).selectOption("edge-01");
			await page.getByLabel("Listen port").fill(String(port));
			await page.getByLabel("Target 1: host").fill("127.0.0.1");
			await page.getByLabel("Target 1: port").fill(String(a.port));
			await page.getByText("More settings").click();
			await page.getByLabel("Allowed addresses").fill("127.0.0.1 10.0.0.1/8");
			await page.getByLabel("To targets, bytes/s").fill("ten");
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.getByText("A size like 4096, 64K or 1.5M.").first().waitFor();
			await page.getByLabel("To targets, bytes/s").fill("10M");
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.locator(".field", { has: page.getByLabel("Allowed addresses") }).locator(".error").waitFor();
			await page.getByLabel("Allowed addresses").fill("127.0.0.1, 10.0.0.0/8");
			await shot(page, "push-limits");
			assert.deepEqual(await axe(page), []);
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.waitForURL(/\/rules\/\d+$/);
			id = Number(page.url().split("/").pop());
			await page.locator(".settings").getByText("10.0.0.0/8, 127.0.0.1").waitFor();
			await page.getByRole("link", { name: "Edit" }).click();
			await page.getByText("More settings").click();
			assert.equal(await page.getByLabel("To targets, bytes/s").inputValue(), "10M");
			await page.getByLabel("To targets, bytes/s").fill("");
			await page.getByLabel("Open connections or flows").fill("7");
			await page.getByRole("button", { name: "See what changes" }).click();
			await page.getByRole("button", { name: "Change the rule" }).click();
			await page.waitForURL(/\/rules\/\d+$/);
		},
		{ path: "/rules/new", expected: /40[09]/ },
	);
	const stored = await world.server.call("GET", `/v1/rules/${id}`);
	assert.deepEqual(stored.allow, ["10.0.0.0/8", "127.0.0.1"]);
	assert.deepEqual(stored.rate_limit, { concurrent_connections: 7 });
	await dropRule({ id, backends: [a] });
});

test("targets that share are pushed, seen, and failed back by hand", async () => {
	const a = await new Backend(1).start();
	const b = await new Backend(1).start();
	const c = await new Backend(1).start();
	const port = await freePort();
	let id = 0;
	await withPage(
		async page => {
			await page.getByLabel("Edge", { exact: true }).selectOption("edge-01");
			await page.getByLabel("Listen port").fill(String(port));
			for (const [i, x] of [a, b, c].entries()) {
				if (i > 0) await page.getByRole("button", { name: "Add another target" }).click();
				await page.getByLabel(`Target ${i + 1}: host`).fill("127.0.0.1");
				await page.getByLabel(`Target ${i + 1}: port`).fill(String(x.port));
			}
			await page.getByLabel("Health-check interval").fill("1");
			await page.getByText("More settings").click();
			await page.getByLabel("Sharing of new connections").selectOption("round_robin");
			await page.getByLabel("When a better target is back").selectOption("manual");
			await page.getByLabel("Target 2 shares with target 1").check();
			await page.getByLabel("Target 1: weight").fill("3");
			await page.getByLabel("Target 1: health-check port").fill("0");
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.locator(".field", { has: page.getByLabel("Target 1: health-check port") }).locator(".error").waitFor();
			await page.getByLabel("Target 1: health-check port").fill(String(a.port));
			await page.getByLabel("Target 1: PROXY protocol").selectOption("v2+unique_id");
			await shot(page, "push-shared");
			assert.deepEqual(await axe(page), []);
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.waitForURL(/\/rules\/\d+$/);
			id = Number(page.url().split("/").pop());
			await page.getByText("New connections are shared by").waitFor();
			await eventually("two targets share", TICK, async () => (await where(page)).includes(`127.0.0.1:${b.port}`));
			assert.equal(await page.locator(".targets tr.takes").count(), 2);
			await a.stop();
			await b.stop();
			await eventually("the third one takes over", TICK, async () => (await where(page)) === `127.0.0.1:${c.port}`);
			await a.start();
			await b.start();
			await page.getByText("waits for the fail-back").waitFor({ timeout: TICK * 1000 });
			assert.equal(await where(page), `127.0.0.1:${c.port}`);
			await shot(page, "rule-manual");
			await page.getByRole("button", { name: "Fail back" }).click();
			await eventually("both share again", TICK, async () => (await where(page)).includes(`127.0.0.1:${b.port}`));
		},
		{ path: "/rules/new" },
	);
	const [first, second] = (await world.server.call("GET", `/v1/rules/${id}`)).targets;
	assert.deepEqual([first.health_check_port, first.proxy_protocol_tlvs], [a.port, ["unique_id"]]);
	assert.deepEqual([second.health_check_port ?? null, second.proxy_protocol_tlvs], [null, undefined]);
	await dropRule({ id, backends: [a, b, c] });
});

test("rules share a port by server name, and the page says which leads where", async () => {
	const a = await new Backend(1).start();
	const port = await freePort();
	const ids = [];
	const push = async (page, name) => {
		await page.getByLabel("Edge", { exact: true }).selectOption("edge-01");
		await page.getByLabel("Listen port").fill(String(port));
		await page.getByLabel("Target 1: host").fill("127.0.0.1");
		await page.getByLabel("Target 1: port").fill(String(a.port));
		await page.getByText("More settings").click();
		await page.getByLabel("Server name (SNI)").fill(name);
		await page.getByRole("button", { name: "Push rule" }).click();
	};
	await withPage(
		async page => {
			for (const name of ["shop.example.org", "*.example.org", ""]) {
				await goto(page, "/rules/new");
				await push(page, name);
				await page.waitForURL(/\/rules\/\d+$/);
				ids.push(Number(page.url().split("/").pop()));
			}
			await goto(page, "/rules/new");
			await push(page, "shop.example.org");
			await page.locator(".field", { has: page.getByLabel("Server name (SNI)") }).locator(".error").waitFor();
			const miss = tls.connect({ port, host: "127.0.0.1", servername: "other.test" });
			miss.on("error", () => {});
			await goto(page, `/rules/${ids[0]}`);
			const names = page.locator(".card", { has: page.getByText("Server names on port") });
			await names.getByText("*.example.org").waitFor({ timeout: TICK * 1000 });
			await names.getByText("everything else").waitFor();
			await names.getByRole("link", { name: `#${ids[1]}` }).waitFor();
			await shot(page, "rule-names");
			assert.deepEqual(await axe(page), []);
			miss.destroy();
		},
		{ path: "/rules", expected: /409/ },
	);
	for (const id of ids) await dropRule({ id, backends: [] });
	await a.stop();
});

test("a UDP rule is pushed, changed and looked at in the terms of datagrams", async () => {
	const echo = dgram.createSocket("udp4").on("message", (m, from) => echo.send(m, from.port, from.address));
	await new Promise(done => echo.bind(0, "127.0.0.1", done));
	const port = await freePort();
	let id = 0;
	await withPage(
		async page => {
			await page.getByLabel("Edge", { exact: true }).selectOption("edge-01");
			await page.getByLabel("Listen port").fill(String(port));
			await page.getByLabel("Target 1: host").fill("127.0.0.1");
			await page.getByLabel("Target 1: port").fill(String(echo.address().port));
			await page.getByLabel("Target 1: PROXY protocol").selectOption("v2");
			await page.getByLabel("Protocol", { exact: true }).selectOption("udp");
			assert.equal(await page.getByLabel("Target 1: PROXY protocol").count(), 0);
			await page.getByText("More settings").click();
			assert.equal(await page.getByLabel("Hedge delay").count(), 0);
			await page.getByLabel("Reply time-out").fill("99");
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.locator(".field", { has: page.getByLabel("Reply time-out") }).locator(".error").waitFor();
			await page.getByLabel("Reply time-out").fill("2000");
			await shot(page, "push-udp");
			assert.deepEqual(await axe(page), []);
			await page.getByRole("button", { name: "Push rule" }).click();
			await page.waitForURL(/\/rules\/\d+$/);
			id = Number(page.url().split("/").pop());
			const client = dgram.createSocket("udp4");
			const answer = new Promise(done => client.once("message", done));
			client.send("hello", port, "127.0.0.1");
			assert.equal(String(await answer), "hello");
			await page.locator(".tiles").getByText("1 / 1").waitFor({ timeout: TICK * 1000 });
			await page.locator(".settings").getByText("2000").waitFor();
			await page.getByRole("button", { name: "Show the flows" }).click();
			await page.locator("tr", { hasText: `127.0.0.1:${echo.address().port}` }).getByText("1 / 1").waitFor();
			await shot(page, "rule-udp");
			client.close();
			await page.getByRole("link", { name: "Edit" }).click();
			await page.getByText("More settings").click();
			await page.getByLabel("Most flows").fill("5");
			await page.getByRole("button", { name: "See what changes" }).click();
			await page.getByRole("button", { name: "Change the rule" }).click();
			await page.waitForURL(/\/rules\/\d+$/);
		},
		{ path: "/rules/new" },
	);
	const stored = await world.server.call("GET", `/v1/rules/${id}`);
	assert.deepEqual([stored.protocol, stored.udp_reply_timeout_ms, stored.udp_max_flows], ["udp", 2000, 5]);
	assert.equal(stored.targets[0].proxy_protocol, null);
	await dropRule({ id, backends: [] });
	echo.close();
});
