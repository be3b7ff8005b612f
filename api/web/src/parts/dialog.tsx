// SPDX-License-Identifier: MIT
// Modal dialogs on the browser's own <dialog>: focus stays inside, Escape closes.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../i18n";
import { useAction } from "../lib/action";
import { Problem } from "./basics";

interface DialogProps {
	title: string;
	onClose: () => void;
	children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
	const ref = useRef<HTMLDialogElement>(null);
	const id = useId();
	useEffect(() => {
		const before = document.activeElement as HTMLElement | null;
		ref.current?.showModal();
		return () => before?.focus();
	}, []);
	return (
		<dialog ref={ref} aria-labelledby={id} onClose={onClose}>
			<h2 id={id}>{title}</h2>
			{children}
		</dialog>
	);
}

interface FormButtonsProps {
	submit: string;
	disabled: boolean;
	onCancel: () => void;
}

/** What a form in a dialog ends with. */
export function FormButtons({ submit, disabled, onCancel }: FormButtonsProps) {
	return (
		<div class="buttons">
			<button type="button" class="button" onClick={onCancel}>
				{t("common.cancel")}
			</button>
			<button type="submit" class="button primary" disabled={disabled}>
				{submit}
			</button>
		</div>
	);
}

interface ConfirmProps {
	title: string;
	text: string;
	confirm: string;
	act: () => Promise<unknown>;
	onClose: () => void;
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, text, confirm, act, onClose }: ConfirmProps) {
	const { busy, error, run } = useAction();
	const go = async () => {
		await act();
		onClose();
	};
	return (
		<Dialog title={title} onClose={onClose}>
			<p>{text}</p>
			<Problem error={error} />
			<div class="buttons">
				<button type="button" class="button" onClick={onClose}>
					{t("common.cancel")}
				</button>
				<button
					type="button"
					class="button danger"
					disabled={busy}
					onClick={() => void run(go)}
				>
					{confirm}
				</button>
			</div>
		</Dialog>
	);
}
