// SPDX-License-Identifier: MIT
// Runs the unit tests: bundles each, then hands them to Node's test runner.
// usage: node test.mjs OUTDIR   (needs the packages in OUTDIR/node_modules)
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? "");
const modules = join(out, "node_modules");
const esbuild = createRequire(join(modules, "x.js"))("esbuild");
const tests = readdirSync(join(here, "test")).filter(f => f.endsWith(".test.ts"));

rmSync(join(out, "test"), { recursive: true, force: true });
await esbuild.build({
	entryPoints: tests.map(f => join(here, "test", f)),
	bundle: true,
	platform: "node",
	format: "esm",
	target: "node18",
	nodePaths: [modules],
	outdir: join(out, "test"),
	outExtension: { ".js": ".mjs" },
	logLevel: "warning",
});
const files = tests.map(f => join(out, "test", f.replace(/\.ts$/, ".mjs")));
const p = spawnSync(process.execPath, ["--test", ...files], {
	stdio: "inherit",
	env: { ...process.env, WEB_SRC: join(here, "src") },
});
process.exit(p.status ?? 1);
