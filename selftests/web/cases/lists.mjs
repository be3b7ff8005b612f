// SPDX-License-Identifier: MIT
// Overview and the lists.
import assert from "node:assert/strict";
import { dropRule, goto, makeRule, shot, test, withPage, world } from "../kit.mjs";
import { eventually, Server } from "../rig.mjs";

test("empty lists say what to do first", async () => {
	const lonely = new Server();
	await lonely.start();
	const { server } = world;
	world.server = lonely;
	try {
		await withPage(async page => {
			await page.getByText("Connect the first edge").waitFor();
			await shot(page, "first-steps");
			await page.getByRole("link", { name: "Enrol an edge" }).click();
			await page.getByText("No edge is enrolled yet.").waitFor();
			await page.getByRole("link", { name: "Rules", exact: true }).click();
			await page.getByText("There is no rule yet.").waitFor();
		});
	} finally {
		world.server = server;
		await lonely.clear();
	}
});

test("500 rules are shown and filtered in less than 200 ms", async () => {
	const [sample] = await world.server.call("GET", "/v1/rules?stats=true");
	const many = Array.from({ length: 500 }, (_, i) => ({
		...sample,
		id: 1000 + i,
		listen_port: 10_000 + i,
		client_name: `edge-${i % 7}`,
	}));
	const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
	await withPage(async page => {
		await page.route("**/v1/rules?stats=true", r => r.fulfill({ json: many }));
		await goto(page, "/rules");
		const shown = n => `document.querySelectorAll(".rules tbody tr:not([hidden])").length === ${n}`;
		await page.waitForFunction(shown(500));
		// What the page's thread has worked: the machine may have other things to do.
		const cdp = await page.context().newCDPSession(page);
		await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
		const worked = async () => {
			const { metrics } = await cdp.send("Performance.getMetrics");
			return metrics.find(m => m.name === "TaskDuration").value * 1000;
		};
		const type = async (text, n) => {
			const start = await worked();
			await page.evaluate(
				([value, want]) =>
					new Promise((done, fail) => {
						const input = document.querySelector("input[type=search]");
						const late = setTimeout(() => fail(new Error(`${want} rows did not come`)), 5000);
						input.value = value;
						input.dispatchEvent(new Event("input", { bubbles: true }));
						const look = () => {
							if (document.querySelectorAll(".rules tbody tr:not([hidden])").length !== want)
								return requestAnimationFrame(look);
							clearTimeout(late);
							return requestAnimationFrame(() => requestAnimationFrame(done));
						};
						look();
					}),
				[text, n],
			);
			return (await worked()) - start;
		};
		for (let i = 0; i < 3; i++) {
			best[0] = Math.min(best[0], await type("edge-3 10003", 1));
			best[1] = Math.min(best[1], await type("", 500));
		}
	});
	const words = `filter ${best[0].toFixed(0)} ms, all 500 rows ${best[1].toFixed(0)} ms`;
	assert.ok(best[0] > 0 && Math.max(...best) < 200, words);
	return words;
});

test("a rule is removed only after a confirmation", async () => {
	const rule = await makeRule(1);
	await withPage(
		async page => {
			const remove = page.getByRole("button", { name: `Remove rule ${rule.id}` });
			await remove.click();
			await page.getByText("This cannot be undone").waitFor();
			await shot(page, "remove");
			await page.keyboard.press("Escape");
			await page.locator("dialog").waitFor({ state: "detached" });
			assert.equal(await remove.evaluate(e => e === document.activeElement), true, "focus is back");
			await remove.click();
			await page.getByRole("button", { name: "Remove for good" }).click();
			await remove.waitFor({ state: "detached" });
		},
		{ path: "/rules" },
	);
	const rules = await world.server.call("GET", "/v1/rules");
	assert.equal(rules.some(r => r.id === rule.id), false);
	for (const b of rule.backends) await b.stop();
});

test("the filter is in the address, and there again on Back", async () => {
	const rule = await makeRule(1);
	await withPage(
		async page => {
			await page.locator("input[type=search]").fill(`:${rule.port}`);
			await page.getByLabel("Edge", { exact: true }).selectOption("edge-01");
			await page.getByLabel("State", { exact: true }).selectOption("active");
			const rows = page.locator(".rules tbody tr:not([hidden])");
			await eventually("one rule is shown", 5, async () => (await rows.count()) === 1);
			await rows.getByRole("link", { name: `#${rule.id}`, exact: true }).click();
			await page.getByRole("heading", { name: `Rule #${rule.id}` }).waitFor();
			await page.goBack();
			await eventually("one rule is shown again", 5, async () => (await rows.count()) === 1);
			assert.equal(await page.locator("input[type=search]").inputValue(), `:${rule.port}`);
			await page.reload();
			await rows.first().waitFor();
			assert.equal(await rows.count(), 1);
			assert.equal(await page.getByLabel("State", { exact: true }).inputValue(), "active");
			// The link in the bar begins anew.
			await page.getByRole("link", { name: "Rules", exact: true }).click();
			assert.equal(await page.locator("input[type=search]").inputValue(), "");
		},
		{ path: "/rules" },
	);
	await dropRule(rule);
});

/** What the list of rules says, made up from one that is there. */
async function withRules(page, make) {
	const [sample] = await world.server.call("GET", "/v1/rules?stats=true");
	await page.route("**/v1/rules?stats=true", r => r.fulfill({ json: make(sample) }));
}

test("a rule that is pending is a concern, and more than eight are counted", () =>
	withPage(async page => {
		let n = 1;
		await withRules(page, sample =>
			Array.from({ length: n }, (_, i) => ({ ...sample, id: 700 + i, state: { kind: "pending" } })),
		);
		await goto(page, "/");
		await page.locator(".concerns").getByText("Rule #700 on edge-01").waitFor();
		assert.doesNotMatch(await page.locator("main").innerText(), /Every rule is active/);
		n = 20;
		await goto(page, "/");
		// The edge counts in user space, which is the 21st.
		await page.getByRole("button", { name: /and 1[3-9] more/ }).click();
		await page.getByText("Rule #719 on edge-01").waitFor();
	}));

test("the busiest rules carry something, most first", () =>
	withPage(async page => {
		let round = 0;
		const rule = (sample, id, from, step, more) => ({
			...sample,
			id,
			stats: { ...sample.stats, bytes_in: from + round * step, bytes_out: 0 },
			...more,
		});
		await withRules(page, sample => {
			round++;
			return [
				rule(sample, 801, 9_000_000, 0),
				rule(sample, 802, 1000, 500_000),
				rule(sample, 803, 0, 0, { state: { kind: "failed", reason: "port_in_use" } }),
				rule(sample, 804, 0, 0),
			];
		});
		await goto(page, "/");
		const names = () => page.locator(".bars a").allInnerTexts();
		await eventually("the one that carries most now is first", 9, async () =>
			(await names()).join().replace(/ [^,]*/g, "") === "#802,#801",
		);
	}));

test("a first load that fails is told, and tried again", () =>
	withPage(
		async page => {
			let broken = true;
			await page.route("**/v1/clients", r => (broken ? r.abort() : r.continue()));
			await page.reload();
			await page.getByText("The server does not answer.").waitFor();
			assert.equal(await page.locator(".loading").count(), 0);
			broken = false;
			await page.getByRole("button", { name: "Try again" }).click();
			await page.waitForSelector(".tiles");
			await page.getByText("The server does not answer.").waitFor({ state: "detached" });
		},
		{ expected: /ERR_FAILED/ },
	));
