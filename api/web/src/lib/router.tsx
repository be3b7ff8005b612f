// SPDX-License-Identifier: MIT
// Paths and links.
import type { ComponentChildren, JSX } from "preact";
import { Store, useStore } from "./store";

const at = () => location.pathname.replace(/(.)\/+$/, "$1");
const path = new Store(at());

addEventListener("popstate", () => path.set(at()));

export function navigate(to: string): void {
	history.pushState(null, "", to);
	path.set(at());
	scrollTo(0, 0);
	// A new page is read from its heading on.
	requestAnimationFrame(() => document.querySelector<HTMLElement>("h1")?.focus());
}

export function usePath(): string {
	return useStore(path);
}

type LinkProps = {
	to: string;
	class?: string;
	current?: boolean;
	children: ComponentChildren;
} & Pick<JSX.HTMLAttributes<HTMLAnchorElement>, "title">;

export function Link({ to, current, children, ...rest }: LinkProps) {
	const click = (e: MouseEvent) => {
		if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
		e.preventDefault();
		navigate(to);
	};
	return (
		<a href={to} aria-current={current ? "page" : undefined} onClick={click} {...rest}>
			{children}
		</a>
	);
}
