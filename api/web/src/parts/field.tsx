// SPDX-License-Identifier: MIT
// A labelled input with its hint and its error.
import type { JSX } from "preact";
import { useId } from "preact/hooks";

type FieldProps = {
	label: string;
	value: string;
	onValue: (value: string) => void;
	hint?: string;
	error?: string;
	class?: string;
	/** The label is for readers of the screen only. */
	quiet?: boolean;
} & Pick<
	JSX.InputHTMLAttributes<HTMLInputElement>,
	| "type"
	| "inputMode"
	| "autocomplete"
	| "placeholder"
	| "disabled"
	| "required"
	| "autofocus"
	| "name"
	| "readOnly"
>;

export function Field({
	label,
	value,
	onValue,
	hint,
	error,
	class: cls,
	quiet,
	...rest
}: FieldProps) {
	const id = useId();
	const about = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
	return (
		<div class={`field ${cls ?? ""}`}>
			<label for={id} class={quiet ? "hidden" : undefined}>
				{label}
			</label>
			<input
				id={id}
				value={value}
				onInput={e => onValue(e.currentTarget.value)}
				aria-describedby={about || undefined}
				aria-invalid={error ? true : undefined}
				spellcheck={false}
				{...rest}
			/>
			{error && (
				<p class="error" id={`${id}-error`}>
					{error}
				</p>
			)}
			{hint && (
				<p class="hint" id={`${id}-hint`}>
					{hint}
				</p>
			)}
		</div>
	);
}

interface SelectProps {
	label: string;
	value: string;
	onValue: (value: string) => void;
	options: [value: string, text: string, disabled?: boolean][];
	name?: string;
	error?: string;
	quiet?: boolean;
	class?: string;
}

export function Select({
	label,
	value,
	onValue,
	options,
	name,
	error,
	quiet,
	class: cls,
}: SelectProps) {
	const id = useId();
	return (
		<div class={`field ${cls ?? ""}`}>
			<label for={id} class={quiet ? "hidden" : undefined}>
				{label}
			</label>
			<select
				id={id}
				name={name}
				value={value}
				onChange={e => onValue(e.currentTarget.value)}
				aria-invalid={error ? true : undefined}
				aria-describedby={error ? `${id}-error` : undefined}
			>
				{options.map(([v, text, disabled]) => (
					<option key={v} value={v} disabled={disabled}>
						{text}
					</option>
				))}
			</select>
			{error && (
				<p class="error" id={`${id}-error`}>
					{error}
				</p>
			)}
		</div>
	);
}
