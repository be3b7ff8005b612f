// SPDX-License-Identifier: MIT
// Bundles the page, and writes it as C arrays that the server carries.
// usage: node build.mjs OUTDIR   (needs the packages in OUTDIR/node_modules)
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? "");
const modules = join(out, "node_modules");
const esbuild = createRequire(join(modules, "x.js"))("esbuild");
const BUDGET = 150 * 1024;

const TYPES = {
	".html": "text/html; charset=utf-8",
	".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
};

async function bundle() {
	const result = await esbuild.build({
		entryPoints: [join(here, "src/main.tsx")],
		bundle: true,
		minify: true,
		write: false,
		format: "esm",
		target: ["es2022", "chrome123", "firefox120", "safari17.5"],
		jsx: "automatic",
		jsxImportSource: "preact",
		nodePaths: [modules],
		legalComments: "none",
		outdir: out,
		logLevel: "warning",
	});
	return result.outputFiles.map(f => ({
		ext: extname(f.path),
		name: basename(f.path, extname(f.path)),
		data: Buffer.from(f.contents),
	}));
}

function hashed(name, ext, data) {
	const hash = createHash("sha256").update(data).digest("hex").slice(0, 12);
	return { path: `/assets/${name}-${hash}${ext}`, ext, data };
}

// One string literal a line; octal escapes of three digits never run into what follows.
function literal(data) {
	const lines = [];
	for (let i = 0; i < data.length; i += 64) {
		let text = "";
		for (const b of data.subarray(i, i + 64)) {
			const plain =
				b >= 0x20 && b < 0x7f && b !== 0x22 && b !== 0x5c && b !== 0x3f;
			text += plain
				? String.fromCharCode(b)
				: `\\${b.toString(8).padStart(3, "0")}`;
		}
		lines.push(`\t"${text}"`);
	}
	return lines.join("\n");
}

function writeC(assets) {
	const rows = [];
	const parts = ['// Made by api/web/build.mjs.\n#include "api/routes/assets.h"\n'];
	assets.forEach((a, i) => {
		parts.push(`static const char plain_${i}[] =\n${literal(a.data)};`);
		parts.push(`static const char gzip_${i}[] =\n${literal(a.gzip)};`);
		rows.push(
			`\t{"${a.path}", "${TYPES[a.ext]}", "${a.etag}", plain_${i}, gzip_${i}, ` +
				`sizeof(plain_${i}) - 1, sizeof(gzip_${i}) - 1},`,
		);
	});
	parts.push(`const struct asset assets[] = {\n${rows.join("\n")}\n};`);
	parts.push(`const size_t n_assets = ${assets.length};\n`);
	writeFileSync(join(out, "assets.c"), parts.join("\n\n"));
}

const files = await bundle();
const js = files.find(f => f.ext === ".js");
const css = files.find(f => f.ext === ".css");
const named = {
	js: hashed("page", ".js", js.data),
	css: hashed("page", ".css", css.data),
	icon: hashed("icon", ".svg", readFileSync(join(here, "src/icon.svg"))),
};
const html = readFileSync(join(here, "index.html"), "utf8");
// Links are relative, so that the page works below any base path: a document for each depth at which a
// page lies. No request asks for them by name, so the names have no slash in front.
const documents = [0, 1, 2, 3].map(depth => ({
	path: `index-${depth}.html`,
	ext: ".html",
	data: Buffer.from(
		html.replace(
			/@(\w+)@/g,
			(_, key) => `${"../".repeat(depth) || "./"}${named[key].path.slice(1)}`,
		),
	),
}));
const assets = [...documents, ...Object.values(named)];
let total = 0;
rmSync(join(out, "dist"), { recursive: true, force: true });
for (const a of assets) {
	a.gzip = gzipSync(a.data, { level: 9 });
	a.etag = createHash("sha256").update(a.data).digest("hex").slice(0, 16);
	total += a.gzip.length;
	const file = join(out, "dist", a.path);
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, a.data);
}
writeC(assets);
writeFileSync(join(out, "size"), `${total}\n`);
if (total > BUDGET) {
	console.error(`the page takes ${total} bytes gzipped; its budget is ${BUDGET}`);
	process.exit(1);
}
