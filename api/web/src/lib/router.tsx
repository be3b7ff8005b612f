// SPDX-License-Identifier: MIT
// Paths and links. A path here is seen from the page's base: "/rules" wherever the page lies.
import type { ComponentChildren, JSX } from "preact";
import { href, pathOf } from "./base";
import { Store, useStore } from "./store";

export interface Place {
	path: string;
	/** As it was when the place was entered; keepQuery() does not change it. */
	search: string;
}

const here = (): Place => ({ path: pathOf(location.pathname), search: location.search });
const place = new Store(here());

addEventListener("popstate", () => place.set(here()));

export function navigate(to: string): void {
	history.pushState(null, "", href(to));
	place.set(here());
	scrollTo(0, 0);
	// A new page is read from its heading on.
	requestAnimationFrame(() => document.querySelector<HTMLElement>("h1")?.focus());
}

export function usePlace(): Place {
	return useStore(place);
}

/** Writes what a list is filtered by into the address, so that Back, a reload and a copied link keep it. */
export function keepQuery(values: Record<string, string>): void {
	const given = Object.entries(values).filter(([, v]) => v);
	const query = given.length ? `?${new URLSearchParams(given)}` : "";
	if (query !== location.search)
		history.replaceState(history.state, "", location.pathname + query);
}

type LinkProps = {
	to: string;
	class?: string;
	current?: boolean;
	label?: string;
	children: ComponentChildren;
} & Pick<JSX.HTMLAttributes<HTMLAnchorElement>, "title">;

export function Link({ to, current, label, children, ...rest }: LinkProps) {
	const click = (e: MouseEvent) => {
		if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
		e.preventDefault();
		navigate(to);
	};
	return (
		<a
			href={href(to)}
			aria-current={current ? "page" : undefined}
			aria-label={label}
			onClick={click}
			{...rest}
		>
			{children}
		</a>
	);
}
