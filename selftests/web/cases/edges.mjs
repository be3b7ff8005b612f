// SPDX-License-Identifier: MIT
// Edges and their enrolment.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { axe, dropRule, goto, makeRule, shot, test, withPage, world } from "../kit.mjs";
import { signIn } from "../rig.mjs";

test("an edge is enrolled, appears, is renamed and revoked", () =>
	withPage(
		async page => {
			await page.getByRole("button", { name: "Enrol an edge" }).click();
			await page.getByLabel("Name", { exact: true }).fill("edge-new");
			await page.getByRole("button", { name: "Make the command" }).click();
			await page.getByText(/Good for another (10:00|9:5\d)/).waitFor();
			const [enrol, start] = await page.locator("pre.command").allInnerTexts();
			assert.match(enrol, /^sudo portunus-client enroll 'portunus:.*' --out \/etc\/portunus\/client.bundle.json$/);
			assert.match(start, /--bundle \/etc\/portunus\/client.bundle.json[^]*systemctl enable --now portunus-client$/);
			await page.getByRole("button", { name: "Copy" }).first().click();
			await page.getByText("Copied").waitFor();
			await page.getByText("start the server with --advertised-endpoint HOST:PORT").waitFor();
			assert.deepEqual(await axe(page), []);
			await shot(page, "enrol");
			const edge = await world.server.edge("edge-new");
			await page.getByText("edge-new is connected.").waitFor();
			await page.getByRole("button", { name: "Close" }).click();
			await page.getByRole("button", { name: "Rename edge-new" }).click();
			await page.getByLabel("Name", { exact: true }).fill("edge-renamed");
			await page.getByRole("button", { name: "Save" }).click();
			await page.getByRole("rowheader", { name: "edge-renamed" }).waitFor();
			await page.getByRole("button", { name: "Revoke edge-renamed" }).click();
			await page.getByRole("button", { name: "Revoke this edge" }).click();
			await page.locator("tr", { hasText: "edge-renamed" }).getByText("Revoked").waitFor();
			await edge.stop();
			await page.getByRole("button", { name: "Delete edge-renamed" }).click();
			await page.getByRole("button", { name: "Delete for good" }).click();
			await page.locator("tr", { hasText: "edge-renamed" }).waitFor({ state: "detached" });
		},
		{ path: "/edges", permissions: ["clipboard-write"] },
	));

test("a code that leads to the server from everywhere has no warning", () =>
	withPage(
		async page => {
			await page.route("**/v1/client-enrollments", async r => {
				const answer = await r.fetch();
				const json = JSON.parse((await answer.text()).replaceAll("127.0.0.1", "portunus.example"));
				return r.fulfill({ json, status: 201 });
			});
			await page.getByRole("button", { name: "Enrol an edge" }).click();
			await page.getByLabel("Name", { exact: true }).fill("edge-abroad");
			await page.getByRole("button", { name: "Make the command" }).click();
			await page.getByText("portunus://portunus.example").waitFor();
			assert.equal(await page.getByText("--advertised-endpoint").count(), 0);
		},
		{ path: "/edges" },
	));

/** Both clicks come before the page is drawn again, as those of a shaking hand do. */
const clickTwice = locator =>
	locator.evaluate(button => {
		button.click();
		button.click();
	});

test("a double click makes one code and one renaming", () =>
	withPage(
		async page => {
			const sent = [];
			page.on("request", r => r.method() !== "GET" && sent.push(`${r.method()} ${new URL(r.url()).pathname}`));
			await page.getByRole("button", { name: "Enrol an edge" }).click();
			await page.getByLabel("Name", { exact: true }).fill("edge-twice");
			await clickTwice(page.getByRole("button", { name: "Make the command" }));
			await page.locator("pre.command").first().waitFor();
			await page.keyboard.press("Escape");
			assert.deepEqual(sent.splice(0), ["POST /v1/client-enrollments"]);
			await page.getByRole("button", { name: "Rename edge-01" }).click();
			await clickTwice(page.getByRole("button", { name: "Save" }));
			await page.locator("dialog").waitFor({ state: "detached" });
			assert.equal(sent.length, 1, String(sent));
		},
		{ path: "/edges" },
	));

test("what takes something away looks like it", () =>
	withPage(
		async page => {
			const color = name =>
				page.getByRole("button", { name }).evaluate(e => getComputedStyle(e).color);
			const [rename, revoke] = [await color("Rename edge-01"), await color("Revoke edge-01")];
			assert.notEqual(rename, revoke);
		},
		{ path: "/edges" },
	));

test("two hosts with one credential are a concern, and marked in the list", () =>
	withPage(async page => {
		await page.route("**/v1/clients", async r => {
			const answer = await r.fetch();
			const [first, ...rest] = await answer.json();
			const shared = {
				...first,
				shared_credential_at: new Date(Date.now() - 5000).toISOString(),
				shared_credential_addr: "203.0.113.7",
			};
			return r.fulfill({ json: [shared, ...rest] });
		});
		await goto(page, "/");
		await page.getByText("Two hosts use the credential of edge-01").waitFor();
		await page.getByText("203.0.113.7 was turned away").waitFor();
		await page.getByRole("link", { name: "Edges", exact: true }).click();
		await page.locator(".edges tr", { hasText: "edge-01" }).getByText("used by two hosts").waitFor();
	}));

const tokenOf = edge => JSON.parse(readFileSync(join(edge.dir, "bundle.json"), "utf8")).token;

test("an edge gets a new token and goes on", () =>
	withPage(
		async page => {
			const [edge] = world.server.edges;
			const before = tokenOf(edge);
			const connected = async () =>
				(await world.server.call("GET", "/v1/clients")).find(c => c.client_name === "edge-01").connected_at;
			const since = await connected();
			await page.getByRole("button", { name: "New token edge-01" }).click();
			assert.deepEqual(await axe(page), []);
			await shot(page, "token");
			await page.getByRole("button", { name: "Change the token" }).click();
			await page.getByText("edge-01 has its new token.").waitFor();
			assert.notEqual(tokenOf(edge), before);
			assert.equal(await connected(), since);
			await page.getByRole("button", { name: "Close" }).click();
		},
		{ path: "/edges" },
	));

test("an edge that cannot change its token is said so in words", () =>
	withPage(
		async page => {
			await page.route("**/v1/clients/*/token", r =>
				r.fulfill({
					status: 422,
					json: { error: { code: "rotation_unsupported_by_client", message: "x" } },
				}),
			);
			await page.getByRole("button", { name: "New token edge-01" }).click();
			await page.getByRole("button", { name: "Change the token" }).click();
			await page.getByText("This edge cannot change its token by itself").waitFor();
			await page.getByRole("button", { name: "Change the token" }).waitFor();
		},
		{ path: "/edges", expected: /422/ },
	));

test("the certificate is renewed when all edges have the next one", () =>
	withPage(
		async page => {
			const away = await world.server.edge("edge-late");
			const { client_id } = (await world.server.call("GET", "/v1/clients")).find(
				c => c.client_name === "edge-late",
			);
			await away.stop();
			await page.getByRole("button", { name: "Renew the certificate" }).click();
			await page.locator("dialog").getByRole("button", { name: "Renew the certificate" }).click();
			await page.getByText("1 of 2 edges have the next certificate.").waitFor();
			await page.getByText("Waiting for: edge-late").waitFor();
			assert.deepEqual(await axe(page), []);
			await shot(page, "certificate");
			await world.server.call("POST", `/v1/clients/${client_id}/revoke`);
			await page.getByText("The new certificate is in use.").waitFor();
			await page.getByRole("button", { name: "Renew the certificate" }).waitFor();
			await world.server.call("DELETE", `/v1/clients/${client_id}`);
			const [edge] = await world.server.call("GET", "/v1/clients");
			assert.ok(edge.connected, "the other edge was not cut off");
		},
		{ path: "/edges" },
	));

test("who is no admin sees neither", async () => {
	const { token } = await world.server.call("POST", "/v1/tokens", { name: "onlooker", role: "viewer" });
	await withPage(
		async page => {
			await signIn(page, world.server.origin, "/edges", token);
			await page.getByRole("rowheader", { name: "edge-01" }).waitFor();
			assert.equal(await page.getByRole("button", { name: "New token edge-01" }).count(), 0);
			assert.equal(await page.getByText("The server's certificate").count(), 0);
		},
		{ signed: false },
	);
	await world.server.call("DELETE", "/v1/tokens/onlooker");
});

test("an owner's limits on an edge are set and lifted", async () => {
	const rule = await makeRule(1);
	const [client] = await world.server.call("GET", "/v1/clients");
	const owners = () => world.server.call("GET", `/v1/clients/${client.client_id}/owners`);
	await withPage(
		async page => {
			const row = page.locator("tr", { has: page.getByText(client.client_name, { exact: true }) });
			await row.getByRole("button", { name: "Limits" }).click();
			const dialog = page.locator("dialog");
			await dialog.getByLabel("Open connections or flows").fill("0");
			await dialog.getByRole("button", { name: "Save" }).click();
			await dialog.locator(".error").first().waitFor();
			await dialog.getByLabel("Open connections or flows").fill("100");
			await dialog.getByLabel("To clients, bytes/s").fill("2M");
			assert.deepEqual(await axe(page), []);
			await shot(page, "owner-limits");
			await dialog.getByRole("button", { name: "Save" }).click();
			await dialog.waitFor({ state: "detached" });
			const [owner] = await owners();
			assert.equal(owner.has_rate_limit, true);
			await row.getByRole("button", { name: "Limits" }).click();
			assert.equal(await dialog.getByLabel("To clients, bytes/s").inputValue(), "2M");
			await dialog.getByRole("button", { name: "Lift all limits" }).click();
			await dialog.waitFor({ state: "detached" });
		},
		{ path: "/edges" },
	);
	assert.equal((await owners())[0].has_rate_limit, false);
	await dropRule(rule);
});
