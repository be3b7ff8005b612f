// SPDX-License-Identifier: MIT
// Where the page lies on its host. Its script is at BASE/assets/, so its own address tells.

/** "/rules" below "/portunus/" → "/portunus/rules" */
export function below(base: string, path: string): string {
	return base + path.slice(1);
}

/** The reverse: "/portunus/rules/" → "/rules" */
export function within(base: string, pathname: string): string {
	const path = pathname.startsWith(base) ? pathname.slice(base.length - 1) : "/";
	return path.replace(/(.)\/+$/, "$1");
}

/** "/" or, behind a base path, "/portunus/" */
const BASE = new URL("..", import.meta.url).pathname;

export const href = (path: string): string => below(BASE, path);
export const pathOf = (pathname: string): string => within(BASE, pathname);
