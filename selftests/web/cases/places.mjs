// SPDX-License-Identifier: MIT
// Where the page can be: below another path, on paper, at an address that is none.
import assert from "node:assert/strict";
import http from "node:http";
import { goto, shot, test, withPage, world } from "../kit.mjs";
import { eventually, Server, signIn, sleep } from "../rig.mjs";

/** A proxy that gives the server's paths another beginning, as an operator's nginx would. */
function proxyBelow(base) {
	const proxy = http.createServer((req, res) => {
		if (!req.url.startsWith(base)) {
			res.writeHead(418).end();
			return;
		}
		const up = http.request(
			world.server.origin + req.url.slice(base.length - 1),
			// The Host stays what the browser said: the server compares it with Origin.
			{ method: req.method, headers: req.headers },
			answer => {
				res.writeHead(answer.statusCode, answer.headers);
				answer.pipe(res);
			},
		);
		up.on("error", () => res.destroy());
		res.on("close", () => up.destroy());
		req.pipe(up);
	});
	return new Promise(done => proxy.listen(0, "127.0.0.1", () => done(proxy)));
}

test("the page works below operator_http_base_path", async () => {
	const server = new Server('operator_http_base_path = "/portunus"');
	await server.start();
	const origin = `${server.origin}/portunus`;
	try {
		await withPage(
			async page => {
				const strays = [];
				page.on("request", r => r.url().startsWith(origin) || strays.push(r.url()));
				await signIn(page, origin);
				await page.getByRole("link", { name: "Enrol an edge" }).click();
				await page.waitForURL(`${origin}/edges`);
				await page.goto(`${origin}/no/such/thing`);
				await page.getByRole("link", { name: "To the overview" }).click();
				await page.getByText("Connect the first edge").waitFor();
				assert.deepEqual(strays, []);
			},
			{ signed: false, expected: /404/ },
		);
	} finally {
		await server.clear();
	}
});

test("the page works below a path that a proxy takes away", async () => {
	const proxy = await proxyBelow("/portunus/");
	const origin = `http://127.0.0.1:${proxy.address().port}/portunus`;
	try {
		await withPage(
			async page => {
				const strays = [];
				page.on("request", r => r.url().startsWith(origin) || strays.push(r.url()));
				await signIn(page, origin, `/rules/${world.rule.id}`);
				await page.getByText("Streaming").waitFor();
				await page.getByRole("link", { name: "Edit" }).click();
				await page.waitForURL(`${origin}/rules/${world.rule.id}/edit`);
				await page.getByLabel("Target 1: host").waitFor();
				await page.reload();
				await page.getByLabel("Target 1: host").waitFor();
				await page.getByRole("link", { name: "Rules", exact: true }).click();
				await page.locator("input[type=search]").fill("edge-01");
				await eventually("the filter is in the address", 5, async () =>
					page.url() === `${origin}/rules?q=edge-01`,
				);
				await page.getByRole("link", { name: "Overview" }).click();
				await page.waitForURL(`${origin}/`);
				await page.waitForSelector(".tiles");
				assert.deepEqual(strays, []);
			},
			{ signed: false },
		);
	} finally {
		proxy.closeAllConnections();
		proxy.close();
	}
});

test("an address that is none leads back, in the page's own words", async () => {
	const get = accept => fetch(`${world.server.origin}/no/such/thing`, { headers: { Accept: accept } });
	const [html, json] = [await get("text/html,*/*;q=0.8"), await get("*/*")];
	assert.deepEqual([html.status, json.status], [404, 404]);
	assert.match(html.headers.get("content-type"), /text\/html/);
	assert.equal((await json.json()).error.code, "not_found");
	assert.equal((await fetch(`${world.server.origin}/index-1.html`)).status, 404);
	await withPage(
		async page => {
			await page.goto(`${world.server.origin}/no/such/thing`);
			await page.getByRole("heading", { name: "There is no page here." }).waitFor();
			await page.getByRole("link", { name: "To the overview" }).click();
			await page.waitForSelector(".tiles");
		},
		{ expected: /404/ },
	);
});

test("on paper there are no menus, no buttons and no dark ground", () =>
	withPage(
		async page => {
			await goto(page, `/rules/${world.rule.id}`);
			await page.waitForSelector(".stream .badge.good");
			await page.emulateMedia({ media: "print", colorScheme: "dark" });
			const seen = await page.evaluate(() => ({
				buttons: [...document.querySelectorAll("button, .button, nav, select")].filter(
					e => e.checkVisibility() && e.getClientRects().length,
				).length,
				ground: getComputedStyle(document.documentElement).backgroundColor,
				ink: getComputedStyle(document.querySelector("h1")).color,
			}));
			assert.deepEqual(seen, { buttons: 0, ground: "rgb(255, 255, 255)", ink: "rgb(27, 33, 41)" });
			await shot(page, "print");
			// What scripts paint follows the browser's own event.
			await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
			assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
			await page.evaluate(() => dispatchEvent(new Event("afterprint")));
			assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), undefined);
		},
		{ colorScheme: "dark" },
	));

test("what is announced does not change every second", () =>
	withPage(
		async page => {
			const lost = page.getByText("The server does not answer.");
			let broken = true;
			await page.route("**/v1/**", r => (broken ? r.abort() : r.continue()));
			await lost.waitFor({ timeout: 10_000 });
			await sleep(300);
			await page.evaluate(() => {
				window.said = [];
				const regions = "[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]";
				new MutationObserver(list => {
					for (const m of list) {
						const e = m.target.nodeType === 1 ? m.target : m.target.parentElement;
						if (e?.closest(regions)) window.said.push(e.closest(regions).innerText);
					}
				}).observe(document.body, { childList: true, characterData: true, subtree: true });
			});
			await sleep(3500);
			assert.deepEqual(await page.evaluate(() => window.said), []);
			broken = false;
			await lost.waitFor({ state: "detached", timeout: 8000 });
		},
		{ expected: /ERR_FAILED/ },
	));
