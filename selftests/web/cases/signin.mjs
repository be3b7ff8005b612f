// SPDX-License-Identifier: MIT
// Signing in, and the end of a session.
import assert from "node:assert/strict";
import { goto, test, withPage, world } from "../kit.mjs";
import { TOKEN } from "../rig.mjs";

test("signing in is refused with a wrong token, and works with the right one", async () => {
	const run = async (page, context) => {
		await page.goto(world.server.origin);
		await page.fill("input[name=token]", "wrong");
		await page.click("button[type=submit]");
		await page.getByText("That token is not known here.").waitFor();
		await page.fill("input[name=token]", TOKEN);
		await page.keyboard.press("Enter");
		await page.waitForSelector("header.bar");
		const [cookie] = await context.cookies();
		assert.match(cookie.name, /^portunus_session_\w+$/);
		assert.equal(cookie.httpOnly, true);
		assert.equal(cookie.sameSite, "Strict");
		const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
		assert.equal(kept.includes(TOKEN), false, "the token is in storage");
		assert.equal(page.url().includes(TOKEN), false, "the token is in the address");
	};
	await withPage(run, { signed: false, expected: /401/ });
});

test("what is learnt before the first paint is shown after it", () =>
	withPage(async (page, context) => {
		// A busy machine: the frame comes late, the answers do not.
		await context.addInitScript(() => {
			const after = window.setTimeout;
			window.requestAnimationFrame = () => 0;
			window.setTimeout = (f, ms, ...rest) => after(f, ms <= 100 ? 700 : ms, ...rest);
		});
		await page.reload();
		await page.waitForSelector("header.bar", { timeout: 4000 });
	}));

test("a server that does not answer at first has not signed anybody out", () =>
	withPage(
		async page => {
			let broken = true;
			await page.route("**/v1/auth/status", r => (broken ? r.abort() : r.continue()));
			await page.reload();
			await page.getByText("The server cannot be reached; trying again.").waitFor();
			broken = false;
			await page.waitForSelector("header.bar");
		},
		{ expected: /ERR_FAILED/ },
	));

test("a session that ends leads to the sign-in, and back to the same page", () =>
	withPage(
		async (page, context) => {
			await goto(page, "/edges");
			await context.clearCookies();
			await page.getByText("The session has ended.").waitFor({ timeout: 10_000 });
			await page.fill("input[name=token]", TOKEN);
			await page.click("button[type=submit]");
			await page.getByRole("heading", { name: "Edges" }).waitFor();
			await page.getByRole("button", { name: "Sign out" }).click();
			await page.waitForSelector("input[name=token]");
			assert.equal((await context.cookies()).length, 0);
		},
		{ expected: /401/ },
	));

test("a token that may only read sees no buttons that write", async () => {
	const { token } = await world.server.call("POST", "/v1/tokens", { name: "reader", role: "viewer" });
	await withPage(
		async page => {
			await page.goto(world.server.origin);
			await page.fill("input[name=token]", token);
			await page.click("button[type=submit]");
			await page.waitForSelector("header.bar");
			assert.equal(await page.getByRole("link", { name: "Audit" }).count(), 0);
			await page.getByRole("link", { name: "Rules", exact: true }).click();
			await page.waitForSelector(".rules tbody tr");
			assert.equal(await page.getByRole("button", { name: /Remove/ }).count(), 0);
			assert.equal(await page.getByRole("link", { name: "Push rule" }).count(), 0);
			await goto(page, "/audit");
			await page.getByText("This page needs an admin token.").waitFor();
		},
		{ signed: false },
	);
});

test("password managers can keep the token", () =>
	withPage(
		async page => {
			await page.goto(world.server.origin);
			const form = page.locator("form", { has: page.locator("input[type=password]") });
			assert.equal(await form.locator("input[type=password]").getAttribute("autocomplete"), "current-password");
			assert.equal(await form.locator("input[autocomplete=username]").count(), 1);
		},
		{ signed: false },
	));
