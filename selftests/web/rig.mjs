// SPDX-License-Identifier: MIT
// A real server, real edges, backends and clients on loopback, and a browser that looks at them.
import { spawn, spawnSync } from "node:child_process";
import dgram from "node:dgram";
import { closeSync, existsSync, mkdtempSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const BUILD = process.env.PORTUNUS_BUILD ?? join(ROOT, "build");
export const WEB = join(ROOT, "build/web");
export const TOKEN = "operator-token-of-the-browser";
export const require = createRequire(join(WEB, "node_modules/x.js"));
const CLIENT = join(BUILD, "portunus-client");
const SERVER = join(BUILD, "portunus-server");

export const sleep = ms => new Promise(done => setTimeout(done, ms));

export async function eventually(what, seconds, f) {
	const end = Date.now() + seconds * 1000;
	for (;;) {
		const value = await f();
		if (value) return value;
		if (Date.now() > end) throw new Error(`${what} did not come true within ${seconds} s`);
		await sleep(50);
	}
}

/** Whether nobody has @port of this machine. */
function isFree(port) {
	const tcp = new Promise(done => {
		const s = net.createServer();
		s.once("error", () => done(false));
		s.listen(port, "0.0.0.0", () => s.close(() => done(true)));
	});
	const udp = new Promise(done => {
		const s = dgram.createSocket("udp4");
		s.once("error", () => {
			s.close();
			done(false);
		});
		s.bind(port, "0.0.0.0", () => s.close(() => done(true)));
	});
	return Promise.all([tcp, udp]).then(free => free.every(Boolean));
}

/** A free port that the kernel gives to nobody who asks for any, also while its owner is away. */
export async function freePort() {
	for (;;) {
		const port = 23000 + Math.floor(Math.random() * 9768);
		if (await isFree(port)) return port;
	}
}

function exit(child) {
	if (child.exitCode !== null || child.signalCode) return Promise.resolve();
	return new Promise(done => child.once("exit", done));
}

async function end(child, signal = "SIGTERM") {
	child.kill(signal);
	const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
	await exit(child);
	clearTimeout(late);
}

/** portunus-server in a data directory of its own. Its ports stay the same over a restart. */
export class Server {
	/** @settings are further lines of server.toml. */
	constructor(settings = "") {
		this.settings = settings;
		// Not /tmp: that may be a tmpfs, which the server refuses.
		this.dir = mkdtempSync("/var/tmp/portunus-web.");
		this.data = join(this.dir, "data");
		mkdirSync(this.data, { mode: 0o700 });
		this.edges = [];
	}

	async start() {
		if (!this.http) [this.http, this.grpc] = [await freePort(), await freePort()];
		writeFileSync(
			join(this.data, "server.toml"),
			`control_listen = "127.0.0.1:${this.grpc}"
operator_http_listen = "127.0.0.1:${this.http}"
metrics_listen = "127.0.0.1:0"
operator_token = "${TOKEN}"
${this.settings}
`,
		);
		this.origin = `http://127.0.0.1:${this.http}`;
		const env = Object.fromEntries(
			Object.entries(process.env).filter(([k]) => !k.startsWith("PORTUNUS_")),
		);
		this.log = "";
		this.child = spawn(SERVER, ["--data-dir", this.data, "serve"], {
			env,
			stdio: ["ignore", "ignore", "pipe"],
		});
		this.child.stderr.on("data", d => {
			this.log += d;
		});
		await eventually("the server listens", 20, () => {
			if (this.child.exitCode !== null) throw new Error(`the server ended: ${this.log}`);
			return this.log.includes("server.listening");
		});
	}

	stop() {
		return end(this.child);
	}

	async call(method, path, body) {
		const r = await fetch(this.origin + path, {
			method,
			headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
			body: body && JSON.stringify(body),
		});
		const text = await r.text();
		if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
		return text ? JSON.parse(text) : null;
	}

	async edge(name) {
		const edge = new Edge(this, name);
		this.edges.push(edge);
		await edge.enrol();
		await edge.start();
		return edge;
	}

	async clear() {
		for (const e of this.edges) await e.stop();
		if (this.child) await this.stop();
		rmSync(this.dir, { recursive: true, force: true });
	}
}

/** portunus-client with state, socket and instance of its own; it counts by itself, so no pins. */
class Edge {
	constructor(server, name) {
		this.server = server;
		this.name = name;
		this.dir = join(server.dir, name);
		this.instance = `${name}-web-${process.pid}`;
		mkdirSync(this.dir);
	}

	async enrol() {
		const { uri } = await this.server.call("POST", "/v1/client-enrollments", { name: this.name });
		const p = spawnSync(CLIENT, ["enroll", uri, "--out", join(this.dir, "bundle.json")], {
			timeout: 20_000,
			encoding: "utf8",
		});
		if (p.status !== 0) throw new Error(`enroll: ${p.stderr}`);
	}

	async start() {
		const log = openSync(join(this.dir, "log"), "a");
		this.child = spawn(
			CLIENT,
			`--bundle ${this.dir}/bundle.json --instance ${this.instance} --state-dir ${this.dir}/state
			--status-socket ${this.dir}/sock --accounting user --workers 1
			--reconnect-initial-delay-ms 50 --reconnect-max-delay-secs 1
			--shutdown-drain-timeout-secs 1`.split(/\s+/),
			{ stdio: ["ignore", log, log] },
		);
		closeSync(log);
		await eventually(`${this.name} is connected`, 10, async () => {
			const clients = await this.server.call("GET", "/v1/clients");
			return clients.some(c => c.client_name === this.name && c.connected);
		});
	}

	async stop() {
		if (this.child) await end(this.child);
		this.child = null;
		rmSync(`/run/portunus/client-${this.instance}.lock`, { force: true });
	}
}

/** Answers every chunk with @factor bytes for each; can be killed and revived on its port. */
export class Backend {
	constructor(factor = 1) {
		this.factor = factor;
		this.open = new Set();
	}

	async start() {
		this.port ??= await freePort();
		return new Promise((done, fail) => {
			this.server = net.createServer(c => {
				this.open.add(c);
				c.on("close", () => this.open.delete(c));
				c.on("error", () => {});
				c.on("data", d => c.write(Buffer.alloc(d.length * this.factor, 120)));
				c.on("end", () => c.end());
			});
			this.server.once("error", fail);
			this.server.listen(this.port, "127.0.0.1", () => done(this));
		});
	}

	stop() {
		for (const c of this.open) c.destroy();
		return new Promise(done => this.server.close(done));
	}
}

/** Makes connections to @port, some a second, and keeps @held of them open and talking. */
export class Traffic {
	constructor(port, perSecond = 10, held = 3, size = 8192) {
		this.holds = [];
		const once = () => {
			const c = net.connect(port, "127.0.0.1", () => c.write(Buffer.alloc(size)));
			c.on("data", () => c.destroy());
			c.on("error", () => {});
		};
		const hold = () => {
			if (this.over) return;
			const c = net.connect(port, "127.0.0.1");
			const timer = setInterval(() => c.write(Buffer.alloc(size)), 200);
			c.on("data", () => {});
			c.on("error", () => {});
			c.on("close", () => {
				clearInterval(timer);
				this.holds.splice(this.holds.indexOf(c), 1);
				if (!this.over) setTimeout(hold, 300);
			});
			this.holds.push(c);
		};
		this.timer = setInterval(once, 1000 / perSecond);
		for (let i = 0; i < held; i++) hold();
	}

	stop() {
		this.over = true;
		clearInterval(this.timer);
		for (const c of [...this.holds]) c.destroy();
	}
}

export async function browse() {
	const { chromium } = require("playwright-core");
	const profile = mkdtempSync("/var/tmp/portunus-chromium.");
	const browser = await chromium.launch({
		executablePath: ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync),
		args: [
			"--headless",
			"--no-sandbox",
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync",
		],
		env: { ...process.env, HOME: profile },
	});
	return {
		browser,
		async close() {
			await browser.close();
			// Children of the browser still write for a moment.
			rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
		},
	};
}

export async function signIn(page, origin, path = "/", token = TOKEN) {
	await page.goto(origin + path);
	await page.fill("input[name=token]", token);
	await page.click("button[type=submit]");
	await page.waitForSelector("header.bar");
}
