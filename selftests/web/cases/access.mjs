// SPDX-License-Identifier: MIT
// Tokens, and the audit trail.
import assert from "node:assert/strict";
import { axe, DESKTOP, goto, PHONE, shot, test, withPage, world } from "../kit.mjs";
import { eventually, TOKEN } from "../rig.mjs";

test("a token is made, shown once, and revoked", () =>
	withPage(
		async page => {
			await page.getByText("server.toml token").first().waitFor();
			await page.getByRole("button", { name: "Add a token" }).click();
			await page.getByLabel("Name", { exact: true }).fill("deploy-ci");
			await page.getByLabel("Role", { exact: true }).selectOption("operator");
			await page.getByLabel("Good for").selectOption("30");
			await page.getByRole("button", { name: "Make the token" }).click();
			const secret = await page.locator("dialog pre").innerText();
			await page.getByRole("button", { name: "Copy" }).click();
			await page.getByText("Copied").waitFor();
			const rules = () =>
				fetch(`${world.server.origin}/v1/rules`, { headers: { Authorization: `Bearer ${secret}` } });
			assert.equal((await rules()).status, 200);
			assert.deepEqual(await axe(page), []);
			await shot(page, "token");
			await page.getByRole("button", { name: "Close" }).click();
			const row = page.locator(".tokens tr", { hasText: "deploy-ci" });
			assert.match(await row.innerText(), /Operator.*in (30|29) days/s);
			assert.match(await row.innerText(), /\d+ sec. ago|now/, "it has just been used");
			assert.equal((await page.locator("body").innerText()).includes(secret), false);
			// A name that is taken, and one that cannot be: sentences, not codes.
			await page.getByRole("button", { name: "Add a token" }).click();
			await page.getByLabel("Name", { exact: true }).fill("deploy-ci");
			await page.getByRole("button", { name: "Make the token" }).click();
			await page.getByText("There is a token of this name. Revoke it first.").waitFor();
			await page.getByRole("button", { name: "Cancel" }).click();
			await page.getByRole("button", { name: "Revoke the token deploy-ci" }).click();
			await page.getByRole("button", { name: "Revoke this token" }).click();
			await row.getByText("Revoked").waitFor();
			assert.equal((await rules()).status, 401);
		},
		{ path: "/tokens", permissions: ["clipboard-write"], expected: /409/ },
	));

const ULID = "01M8PT66AQTVNWK6Q2VHAAABTQ";
const ENTRIES = [
	{ actor: "_legacy", method: "POST", path: "/v1/rules", outcome: "allow", reason: "activation_failed", action: "rule.push", resource_kind: "rule", resource_value: "7", details: "client=edge-01 listen_port=8443 targets=3" },
	{ actor: "ops-anna", method: "POST", path: `/v1/clients/${ULID}/revoke`, outcome: "allow", action: "client.revoke", resource_kind: "client", resource_value: ULID, remote_addr: "203.0.113.9" },
	{ actor: "_anonymous", method: "GET", path: "/v1/rules", outcome: "deny", reason: "credential_invalid", times: 40 },
	{ actor: "_legacy", method: "PATCH", path: "/v1/clients/x/name", outcome: "allow", action: "client.rename", resource_kind: "client", resource_value: ULID, details: "edge-with-quite-a-long-name -> edge-with-another-long-name" },
].map((e, i) => ({ timestamp: new Date(Date.now() - i * 60_000).toISOString(), ...e }));

/** Words that stand on two lines; after a hyphen a line may end. */
const broken = page =>
	page.evaluate(() => {
		const found = [];
		const walk = document.createTreeWalker(document.querySelector("table.audit"), NodeFilter.SHOW_TEXT);
		for (let node = walk.nextNode(); node; node = walk.nextNode())
			for (const word of node.data.matchAll(/[\w@.:→]+/g)) {
				const range = document.createRange();
				range.setStart(node, word.index);
				range.setEnd(node, word.index + word[0].length);
				const tops = new Set([...range.getClientRects()].filter(r => r.width > 1).map(r => Math.round(r.top)));
				if (tops.size > 1) found.push(word[0]);
			}
		return found;
	});

for (const [size, viewport, longest] of [
	["on a desktop", DESKTOP, 4000],
	["on a phone", PHONE, 3000],
])
	test(`the audit trail is readable ${size}`, () =>
		withPage(
			async page => {
				await page.route("**/v1/audit?*", r => {
					const limit = Number(new URL(r.request().url()).searchParams.get("limit"));
					const entries = Array.from({ length: limit }, (_, i) => ENTRIES[i % ENTRIES.length]);
					return r.fulfill({ json: { entries, count: limit } });
				});
				await goto(page, "/audit");
				const rows = page.locator(".audit tbody tr");
				await rows.first().waitFor();
				assert.deepEqual(await broken(page), [], "words in two pieces");
				assert.deepEqual(await axe(page), []);
				const [failed, done, refused] = await rows.evaluateAll(list =>
					list.slice(0, 3).map(r => [r.innerText, r.querySelector(".badge").className]),
				);
				assert.match(failed[0], /Failed[^]*The edge could not start the rule/);
				assert.doesNotMatch(failed[1], /good/);
				assert.match(failed[0], /edge-01, port 8443, 3 targets/);
				assert.match(done[1], /good/);
				assert.ok(done[0].includes(ULID) && done[0].includes("203.0.113.9"), done[0]);
				assert.match(refused[1], /bad/);
				assert.match(refused[0], /\b40 times/);
				const text = await page.locator(".audit tbody").innerText();
				assert.doesNotMatch(text, /_legacy|_anonymous|activation_failed|credential_invalid|rule\.push/);
				const { height } = await page.locator(".audit").boundingBox();
				assert.ok(height < longest, `${height} px long`);
			},
			{ viewport },
		));

test("a token that is revoked signs out whoever uses it", async () => {
	const { token } = await world.server.call("POST", "/v1/tokens", { name: "gone-soon", role: "admin" });
	await withPage(
		async page => {
			await page.goto(`${world.server.origin}/tokens`);
			await page.fill("input[name=token]", token);
			await page.click("button[type=submit]");
			await page.getByRole("button", { name: "Revoke the token gone-soon" }).click();
			await page.getByText("you are signed out at once").waitFor();
			await page.getByRole("button", { name: "Revoke this token" }).click();
			await page.waitForSelector("input[name=token]", { timeout: 10_000 });
			await page.fill("input[name=token]", TOKEN);
			await page.click("button[type=submit]");
			await eventually("it is listed as revoked", 5, async () =>
				/Revoked/.test(await page.locator(".tokens tr", { hasText: "gone-soon" }).innerText()),
			);
		},
		{ signed: false, expected: /401/ },
	);
});
