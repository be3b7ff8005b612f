// SPDX-License-Identifier: MIT
// What is wrong with a form, at its start: each line leads to its field.
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { tn } from "../i18n";

export interface Mistake {
	/** The name of the input, "" for the form as a whole */
	field: string;
	label: string;
	text: string;
}

interface Props {
	form: RefObject<HTMLFormElement>;
	mistakes: Mistake[];
	/** Another number: shown anew, which takes the focus. */
	round: number;
}

function reveal(form: HTMLFormElement | null, name: string): void {
	const input = form?.querySelector<HTMLElement>(`[name="${name}"]`);
	input?.closest("details")?.setAttribute("open", "");
	input?.focus();
}

export function Summary({ form, mistakes, round }: Props) {
	const box = useRef<HTMLDivElement>(null);
	useEffect(() => {
		if (round > 0) box.current?.focus();
	}, [round]);
	if (mistakes.length === 0) return null;
	return (
		<div
			ref={box}
			class="problem summary"
			role="group"
			aria-labelledby="summary"
			tabIndex={-1}
		>
			<h2 id="summary">{tn("error.form", mistakes.length)}</h2>
			<ul>
				{mistakes.map(m => (
					<li key={m.field + m.text}>
						{m.field ? (
							<button
								type="button"
								class="link"
								onClick={() =>
									reveal(
										form.current,
										m.field,
									)
								}
							>
								{m.label}
							</button>
						) : (
							m.label
						)}
						{m.label && ": "}
						{m.text}
					</li>
				))}
			</ul>
		</div>
	);
}
