// SPDX-License-Identifier: MIT
// The form of a rule, for pushing one and for changing one.
import { useRef, useState } from "preact/hooks";
import { type Key, t } from "../i18n";
import { ApiError } from "../lib/api";
import type { Draft } from "../lib/draft";
import {
	checkDraft,
	type FieldError,
	fieldOfError,
	isShared,
	type RuleDraft,
	targetApplies,
} from "../lib/form";
import {
	applies,
	GROUPS,
	INTERVAL,
	OPTIONS,
	type Option,
	type Protocol,
	TARGET_OPTIONS,
} from "../lib/options";
import { Link } from "../lib/router";
import { errorText } from "../words/codes";
import { Field, Select } from "./field";
import { type Mistake, Summary } from "./summary";
import { TargetRows } from "./targets";

const LABELS: Record<string, Key> = {
	edge: "push.edge",
	protocol: "push.protocol",
	listen_port: "push.listen_port",
	targets: "push.targets",
};

/** What a field is called: "targets.0.host" is the first target's host. */
export function labelOf(field: string): string {
	const row = /^targets\.(\d+)\.(\w+)$/.exec(field);
	if (row) return t(`push.${row[2]}_n` as Key, { n: Number(row[1]) + 1 });
	const key = LABELS[field];
	if (key) return t(key);
	return OPTIONS.some(o => o.path === field) ? t(`option.${field}` as Key) : "";
}

export interface Mistakes {
	list: FieldError[];
	round: number;
	show: (list: FieldError[]) => void;
	/** Puts what the server refused at the field that it is about. */
	refused: (e: unknown) => void;
	/** Rows have moved: what was said of them is at the wrong place. */
	forgetTargets: () => void;
}

export function useMistakes(): Mistakes {
	const [state, setState] = useState<{ list: FieldError[]; round: number }>({
		list: [],
		round: 0,
	});
	const show = (list: FieldError[]) =>
		setState(s => ({ list, round: list.length ? s.round + 1 : s.round }));
	return {
		...state,
		show,
		refused: e => {
			const known = e instanceof ApiError ? fieldOfError(e.code, e.message) : "";
			show([{ field: known, key: "", text: errorText(e) }]);
		},
		forgetTargets: () =>
			setState(s => ({
				...s,
				list: s.list.filter(x => !x.field.startsWith("targets")),
			})),
	};
}

const textOf = (e: FieldError) => e.text ?? t(e.key as Key, e.params);

interface FieldsProps {
	draft: RuleDraft;
	set: (patch: Partial<RuleDraft>) => void;
	errorAt: (field: string) => string | undefined;
	/** A rule that exists keeps its edge, protocol, port and address. */
	fixed: boolean;
}

function Place({ draft, set, errorAt, edges }: Omit<FieldsProps, "fixed"> & { edges: Options }) {
	return (
		<div class="grid">
			<Select
				label={t("push.edge")}
				name="edge"
				value={draft.edge}
				onValue={edge => set({ edge })}
				error={errorAt("edge")}
				options={[["", t("push.choose")], ...edges]}
				class="span"
			/>
			<Select
				label={t("push.protocol")}
				name="protocol"
				value={draft.protocol}
				onValue={protocol => set({ protocol: protocol as Protocol })}
				error={errorAt("protocol")}
				options={[
					["tcp", "TCP"],
					["udp", "UDP"],
				]}
			/>
			<Field
				label={t("push.listen_port")}
				name="listen_port"
				inputMode="numeric"
				value={draft.listenPort}
				onValue={listenPort => set({ listenPort })}
				hint={t("push.listen_hint")}
				error={errorAt("listen_port")}
			/>
		</div>
	);
}

interface OptionProps extends Omit<FieldsProps, "fixed"> {
	option: Option;
}

function OptionField({ option, draft, set, errorAt }: OptionProps) {
	const { path, kind } = option;
	const value = draft.options[path] ?? "";
	const change = (text: string) => set({ options: { ...draft.options, [path]: text } });
	const label = t(`option.${path}` as Key);
	if (kind === "flag")
		return (
			<label class="check">
				<input
					type="checkbox"
					checked={value === "1"}
					onChange={e => change(e.currentTarget.checked ? "1" : "")}
				/>
				{label}
			</label>
		);
	if (option.words)
		return (
			<Select
				label={label}
				name={path}
				value={value || (option.words[0] as string)}
				onValue={change}
				error={errorAt(path)}
				options={option.words.map(w => [
					w,
					t(`option_word.${path}.${w}` as Key),
				])}
			/>
		);
	// Health is tracked from two targets on: the field says so instead of vanishing.
	const single = option.several && draft.targets.length < 2;
	return (
		<Field
			label={label}
			name={path}
			inputMode={kind === "number" ? "numeric" : undefined}
			disabled={single}
			value={value}
			onValue={change}
			hint={t(single ? "push.interval_single" : (`option_hint.${path}` as Key))}
			error={errorAt(path)}
			class={option.wide ? "span" : undefined}
		/>
	);
}

/** What may be said of one target beside its row. */
function TargetFields({ draft, set, errorAt }: FieldsProps) {
	const shown = TARGET_OPTIONS.filter(o => targetApplies(o, draft));
	const change = (key: number, member: string, text: string) =>
		set({
			targets: draft.targets.map(x =>
				x.key === key ? { ...x, more: { ...x.more, [member]: text } } : x,
			),
		});
	if (shown.length === 0) return null;
	return (
		<fieldset>
			<legend>{t("option_group.targets")}</legend>
			<div class="grid">
				{draft.targets.flatMap((x, i) =>
					shown.map(o => (
						<TargetField
							key={`${x.key} ${o.member}`}
							flag={o.kind === "flag"}
							name={`targets.${i}.${o.member}`}
							value={x.more?.[o.member] ?? ""}
							change={text =>
								change(x.key, o.member, text)
							}
							errorAt={errorAt}
						/>
					)),
				)}
			</div>
		</fieldset>
	);
}

interface TargetFieldProps {
	flag: boolean;
	name: string;
	value: string;
	change: (text: string) => void;
	errorAt: (field: string) => string | undefined;
}

function TargetField({ flag, name, value, change, errorAt }: TargetFieldProps) {
	if (flag)
		return (
			<label class="check">
				<input
					type="checkbox"
					checked={value === "1"}
					onChange={e => change(e.currentTarget.checked ? "1" : "")}
				/>
				{labelOf(name)}
			</label>
		);
	return (
		<Field
			label={labelOf(name)}
			name={name}
			inputMode="numeric"
			value={value}
			onValue={change}
			hint={t("push.health_check_port_hint")}
			error={errorAt(name)}
		/>
	);
}

function MoreSettings(p: FieldsProps) {
	const shown = OPTIONS.filter(
		o => o !== INTERVAL && applies(o, p.draft) && !(o.fixed && p.fixed),
	);
	const wrong =
		shown.some(o => p.errorAt(o.path)) ||
		p.draft.targets.some((_, i) =>
			TARGET_OPTIONS.some(o => p.errorAt(`targets.${i}.${o.member}`)),
		);
	return (
		<details open={wrong || undefined}>
			<summary>{t("push.more")}</summary>
			<TargetFields {...p} />
			{GROUPS.map(group => {
				const options = shown.filter(o => o.group === group);
				return (
					options.length > 0 && (
						<fieldset key={group}>
							<legend>
								{t(`option_group.${group}` as Key)}
							</legend>
							<div class="grid">
								{options.map(o => (
									<OptionField
										key={o.path}
										option={o}
										{...p}
									/>
								))}
							</div>
						</fieldset>
					)
				);
			})}
		</details>
	);
}

type Options = [value: string, text: string][];

interface Props {
	draft: Draft<RuleDraft>;
	mistakes: Mistakes;
	/** The edges to choose from; null: the rule has one already. */
	edges: Options | null;
	/** What the form shows once the draft is thrown away. */
	start: () => RuleDraft;
	busy: boolean;
	submit: string;
	cancel: string;
	/** Called when nothing is wrong as far as this page can tell. */
	act: () => void;
}

export function RuleForm(p: Props) {
	const { draft, mistakes } = p;
	const form = useRef<HTMLFormElement>(null);
	const fields = {
		draft: draft.value,
		set: draft.set,
		errorAt: (field: string) => {
			const e = mistakes.list.find(x => x.field === field);
			return e && textOf(e);
		},
		fixed: p.edges === null,
	};
	const submit = (e: Event) => {
		e.preventDefault();
		const wrong = checkDraft(draft.value);
		mistakes.show(wrong);
		if (wrong.length === 0) p.act();
	};
	const told: Mistake[] = mistakes.list.map(e => ({
		field: e.field,
		label: labelOf(e.field),
		text: textOf(e),
	}));
	return (
		<form ref={form} class="card form" onSubmit={submit} noValidate>
			<Summary form={form} mistakes={told} round={mistakes.round} />
			{draft.kept && (
				<p class="note row">
					{t("common.kept")}
					<button
						type="button"
						class="button"
						onClick={() => {
							mistakes.show([]);
							draft.drop(p.start());
						}}
					>
						{t("common.start_over")}
					</button>
				</p>
			)}
			{p.edges && <Place {...fields} edges={p.edges} />}
			<TargetRows
				targets={draft.value.targets}
				proxies={draft.value.protocol === "tcp"}
				shared={isShared(draft.value)}
				onChange={targets => {
					draft.set({ targets });
					mistakes.forgetTargets();
				}}
				errorAt={fields.errorAt}
			/>
			<OptionField option={INTERVAL} {...fields} />
			<MoreSettings {...fields} />
			<div class="buttons">
				<Link to={p.cancel} class="button">
					{t("common.cancel")}
				</Link>
				<button type="submit" class="button primary" disabled={p.busy}>
					{p.busy ? t("push.sending") : p.submit}
				</button>
			</div>
		</form>
	);
}
