// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";

// The texts ask the browser for its language.
Object.assign(globalThis, {
	document: { documentElement: { dataset: {} } },
	addEventListener: () => {},
	sessionStorage: {},
});
if (!("navigator" in globalThis)) Object.assign(globalThis, { navigator: { languages: ["en"] } });

test("what the audit trail says of a rule", async () => {
	const { detailText } = await import("../src/words/codes");
	const want = "edge 01, port 8443, 3 targets";
	assert.equal(detailText("client=edge 01 listen_port=8443 targets=3"), want);
	assert.equal(detailText("listen_port=8443 targets=3 client=edge 01"), want);
	assert.equal(detailText("a -> b"), "a → b");
});

test("refusals are sentences, with what only the message knows", async () => {
	const { errorText, reasonText } = await import("../src/words/codes");
	const { ApiError } = await import("../src/lib/api");
	assert.equal(
		errorText(new ApiError(409, "port_in_use", "rule 2 already listens on 80")),
		"Another rule of this edge already listens on this port. (rule 2 already listens on 80)",
	);
	assert.match(
		errorText(new ApiError(422, "activation_failed", "port_in_use")),
		/could not start the rule.*Another program on the edge/,
	);
	assert.equal(
		errorText(new ApiError(409, "last_superadmin", "nobody could")).includes(
			"nobody could do",
		),
		false,
	);
	assert.equal(
		errorText(new ApiError(500, "brand_new", "words of its own")),
		"words of its own",
	);
	assert.match(reasonText("bind_failed"), /^The edge could not listen there/);
	assert.equal(reasonText("some words"), "some words");
	assert.equal(reasonText(""), "The edge did not say why.");
});

test("causes are gathered", async () => {
	const { causesOf } = await import("../src/words/unreachable");
	const target = (host: string, last_errno: number) => ({
		host,
		port: 1,
		health: { healthy: false, last_errno },
	});
	const rule = { targets: [target("a", 111), target("b", 110), target("c", 111)] };
	assert.equal(
		causesOf(rule as never),
		"a:1 and c:1 refuse connections, b:1 does not answer",
	);
});
