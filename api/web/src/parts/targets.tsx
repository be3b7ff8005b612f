// SPDX-License-Identifier: MIT
// The rows of targets in the push form, moved by dragging or by the arrow keys.
import { useRef, useState } from "preact/hooks";
import { t } from "../i18n";
import { move, TARGETS_MAX, type TargetDraft } from "../lib/form";
import { Field, Select } from "./field";

let nextKey = 1;

export function newTarget(from: Partial<TargetDraft> = {}): TargetDraft {
	return {
		host: "",
		port: "",
		proxy: "",
		weight: "",
		tied: false,
		more: {},
		...from,
		key: nextKey++,
	};
}

/** With what the rule has already, should this page not know it. */
function headers(now: string): [string, string][] {
	const known = ["", "v1", "v2", "v2+unique_id"];
	const names: Record<string, string> = {
		"": t("push.proxy_none"),
		"v2+unique_id": t("push.proxy_unique_id"),
	};
	return [...new Set([...known, now])].map(x => [x, names[x] ?? `PROXY ${x}`]);
}

interface RowProps {
	target: TargetDraft;
	index: number;
	all: number;
	/** Whether a header of the PROXY protocol can be asked for. */
	proxies: boolean;
	/** Whether rows of equal priority share new connections. */
	shared: boolean;
	dragged: boolean;
	errorAt: (field: string) => string | undefined;
	onChange: (target: TargetDraft) => void;
	onRemove: () => void;
	onMove: (to: number) => void;
	onGrab: (e: PointerEvent) => void;
}

function TargetRow(p: RowProps) {
	const { target, index, all } = p;
	const n = index + 1;
	const style = `target-row${p.proxies ? " proxies" : ""}${p.dragged ? " dragged" : ""}`;
	const key = (e: KeyboardEvent) => {
		const step = e.key === "ArrowUp" ? -1 : e.key === "ArrowDown" ? 1 : 0;
		if (!step) return;
		e.preventDefault();
		p.onMove(index + step);
	};
	return (
		<li class={style} data-key={target.key}>
			<button
				type="button"
				class="handle"
				aria-label={t("push.move", { n, all })}
				title={t("push.move", { n, all })}
				disabled={all < 2}
				onKeyDown={key}
				onPointerDown={p.onGrab}
			>
				<svg viewBox="0 0 10 16" width="10" height="16" aria-hidden="true">
					<path d="M2 3h.01M8 3h.01M2 8h.01M8 8h.01M2 13h.01M8 13h.01" />
				</svg>
			</button>
			<span class="priority">{t("push.place", { n })}</span>
			<Field
				label={t("push.host_n", { n })}
				quiet
				name={`targets.${index}.host`}
				placeholder={t("push.host")}
				value={target.host}
				onValue={host => p.onChange({ ...target, host })}
				error={p.errorAt(`targets.${index}.host`)}
				class="host"
			/>
			<Field
				label={t("push.port_n", { n })}
				quiet
				name={`targets.${index}.port`}
				placeholder={t("push.port")}
				inputMode="numeric"
				value={target.port}
				onValue={port => p.onChange({ ...target, port })}
				error={p.errorAt(`targets.${index}.port`)}
				class="port"
			/>
			{p.proxies && (
				<Select
					label={t("push.proxy_n", { n })}
					quiet
					name={`targets.${index}.proxy`}
					value={target.proxy}
					onValue={proxy => p.onChange({ ...target, proxy })}
					error={p.errorAt(`targets.${index}.proxy`)}
					options={headers(target.proxy)}
					class="proxy"
				/>
			)}
			{p.shared && (
				<span class="share">
					<Field
						label={t("push.weight_n", { n })}
						name={`targets.${index}.weight`}
						inputMode="numeric"
						placeholder="1"
						value={target.weight}
						onValue={weight =>
							p.onChange({ ...target, weight })
						}
						error={p.errorAt(`targets.${index}.weight`)}
					/>
					{index > 0 && (
						<label class="check">
							<input
								type="checkbox"
								checked={target.tied}
								onChange={e =>
									p.onChange({
										...target,
										tied: e
											.currentTarget
											.checked,
									})
								}
							/>
							{t("push.tied_n", { n, above: n - 1 })}
						</label>
					)}
				</span>
			)}
			<button
				type="button"
				class="button quiet"
				aria-label={t("push.remove_target", { n })}
				title={t("push.remove_target", { n })}
				disabled={all < 2}
				onClick={p.onRemove}
			>
				<svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
					<path d="m2 2 8 8m0-8-8 8" />
				</svg>
			</button>
		</li>
	);
}

interface RowsProps {
	targets: TargetDraft[];
	proxies: boolean;
	shared: boolean;
	onChange: (targets: TargetDraft[]) => void;
	errorAt: (field: string) => string | undefined;
}

export function TargetRows({ targets, proxies, shared, onChange, errorAt }: RowsProps) {
	const list = useRef<HTMLOListElement>(null);
	const order = useRef(targets);
	const [dragged, setDragged] = useState<number | null>(null);
	const [said, setSaid] = useState("");
	order.current = targets;

	const place = (from: number, to: number) => {
		if (to < 0 || to >= order.current.length || from === to) return;
		onChange(move(order.current, from, to));
		setSaid(t("push.moved", { n: to + 1, all: order.current.length }));
	};
	const refocus = (key: number) =>
		requestAnimationFrame(() =>
			list.current
				?.querySelector<HTMLElement>(`[data-key="${key}"] .handle`)
				?.focus(),
		);
	/** The row that the pointer is over by height. */
	const rowAt = (y: number) => {
		const rows = [...(list.current?.children ?? [])];
		const at = rows.findIndex(r => y < r.getBoundingClientRect().bottom);
		return at < 0 ? rows.length - 1 : at;
	};
	const grab = (key: number) => (e: PointerEvent) => {
		if (e.button !== 0 || targets.length < 2) return;
		setDragged(key);
		// On the window: a row that moves in the document loses a captured pointer.
		const drag = (m: PointerEvent) =>
			place(
				order.current.findIndex(x => x.key === key),
				rowAt(m.clientY),
			);
		const drop = () => {
			setDragged(null);
			removeEventListener("pointermove", drag);
			removeEventListener("pointerup", drop);
			removeEventListener("pointercancel", drop);
			refocus(key);
		};
		addEventListener("pointermove", drag);
		addEventListener("pointerup", drop);
		addEventListener("pointercancel", drop);
	};
	const add = () => {
		const row = newTarget({ tied: shared });
		onChange([...targets, row]);
		requestAnimationFrame(() =>
			list.current
				?.querySelector<HTMLElement>(`[data-key="${row.key}"] input`)
				?.focus(),
		);
	};
	const full = targets.length >= TARGETS_MAX;

	return (
		<fieldset>
			<legend>{t("push.targets")}</legend>
			<p class="hint">{t(shared ? "push.shared_hint" : "push.targets_hint")}</p>
			<ol ref={list} class="target-rows">
				{targets.map((target, i) => (
					<TargetRow
						key={target.key}
						target={target}
						index={i}
						all={targets.length}
						proxies={proxies}
						shared={shared}
						dragged={dragged === target.key}
						errorAt={errorAt}
						onChange={next =>
							onChange(
								targets.map(x =>
									x.key === target.key
										? next
										: x,
								),
							)
						}
						onRemove={() =>
							onChange(
								targets.filter(
									x => x.key !== target.key,
								),
							)
						}
						onMove={to => {
							place(i, to);
							refocus(target.key);
						}}
						onGrab={grab(target.key)}
					/>
				))}
			</ol>
			<p class="hidden" role="status">
				{said}
			</p>
			<button type="button" class="button" disabled={full} onClick={add}>
				{t("push.add")}
			</button>
			{full && <span class="muted"> {t("push.full")}</span>}
			{errorAt("targets") && <p class="error">{errorAt("targets")}</p>}
		</fieldset>
	);
}
