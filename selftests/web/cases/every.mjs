// SPDX-License-Identifier: MIT
// What holds for every page: keyboard, languages, sizes, accessibility.
import assert from "node:assert/strict";
import { axe, DESKTOP, goto, PHONE, shot, test, withPage, world } from "../kit.mjs";
import { eventually, sleep } from "../rig.mjs";

test("every page works by keyboard, with the focus visible", () =>
	withPage(async page => {
		await goto(page, "/rules");
		await page.keyboard.press("Tab");
		await page.keyboard.press("Enter");
		assert.equal(await page.evaluate(() => document.activeElement.id), "main");
		await page.keyboard.press("Tab");
		const focus = await page.evaluate(() => {
			const s = getComputedStyle(document.activeElement);
			return [document.activeElement.textContent, s.outlineStyle, s.outlineWidth];
		});
		assert.deepEqual(focus, ["Push rule", "solid", "2px"]);
		await page.keyboard.press("Enter");
		await page.getByRole("heading", { name: "Push rule" }).waitFor();
		await eventually("the heading has the focus", 5, () =>
			page.evaluate(() => document.activeElement.tagName === "H1"),
		);
	}));

const PAGES = [
	["overview", "/"],
	["rules", "/rules"],
	["rule", () => `/rules/${world.rule.id}`],
	["push", "/rules/new"],
	["edit", () => `/rules/${world.rule.id}/edit`],
	["edges", "/edges"],
	["tokens", "/tokens"],
	["audit", "/audit"],
	["metrics", "/metrics"],
];

/** Every page in one language, theme and size: axe, no overflow, the right language, a picture. */
function tour(name, { lang, colorScheme, viewport }) {
	test(`every page: ${name}`, () =>
		withPage(
			async page => {
				await page.waitForSelector(".tiles");
				for (const [id, path] of PAGES) {
					await goto(page, typeof path === "string" ? path : path());
					if (id === "rule") await page.waitForSelector(".stream .badge.good");
					if (id === "push") await page.locator("fieldset > button").click();
					await sleep(400);
					assert.deepEqual(await axe(page), [], `axe on ${id}`);
					const { wide, html, text } = await page.evaluate(() => ({
						wide: document.documentElement.scrollWidth - innerWidth,
						html: document.documentElement.lang,
						text: document.querySelector("h1").innerText,
					}));
					assert.ok(wide <= 0, `${id} is ${wide} px too wide`);
					assert.equal(html, lang);
					assert.equal(/\p{Script=Han}/u.test(text), lang === "zh-CN", `${id}: ${text}`);
					await shot(page, `${id}-${name.replaceAll(/[^a-z0-9]+/gi, "-")}`);
				}
			},
			{ locale: lang, colorScheme, viewport },
		));
}

tour("English, light, desktop", { lang: "en", colorScheme: "light", viewport: DESKTOP });
tour("English, dark, 360 px", { lang: "en", colorScheme: "dark", viewport: PHONE });
tour("Chinese, dark, desktop", { lang: "zh-CN", colorScheme: "dark", viewport: DESKTOP });
tour("Chinese, light, 360 px", { lang: "zh-CN", colorScheme: "light", viewport: PHONE });

test("language and theme can be chosen, and are kept", () =>
	withPage(async page => {
		await page.getByLabel("Language").selectOption("zh-CN");
		await page.getByRole("heading", { name: "总览" }).waitFor();
		await page.getByLabel("主题").selectOption("dark");
		await page.reload();
		await page.getByRole("heading", { name: "总览" }).waitFor();
		const dark = await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
		assert.equal(dark, "dark");
	}));
