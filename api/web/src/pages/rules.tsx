// SPDX-License-Identifier: MIT
// The list of rules: state, where new connections go, traffic; filters; removal.
import { Component } from "preact";
import { useMemo, useState } from "preact/hooks";
import { t } from "../i18n";
import { fleet } from "../lib/fleet";
import { bytes, count } from "../lib/format";
import { lang } from "../lib/preferences";
import { Link } from "../lib/router";
import {
	choiceOf,
	endpoint,
	failedTargets,
	filterRules,
	listenText,
	parseState,
	type StateFilter,
} from "../lib/rule";
import { mayWrite, session } from "../lib/session";
import { useStore } from "../lib/store";
import type { Rule } from "../lib/types";
import { Badge, Empty, Heading, Loading, StateBadge } from "../parts/basics";
import { Field, Select } from "../parts/field";
import { RemoveRule } from "../parts/remove";

function Current({ rule }: { rule: Rule }) {
	const choice = choiceOf(rule);
	const target = rule.targets[choice.index];
	const failed = failedTargets(rule);
	const n = rule.targets.length;
	const list = rule.targets.map(x => endpoint(x.host, x.port)).join(", ");
	return (
		<>
			<span
				class={
					choice.why === "fallback" || choice.why === "all-failed"
						? "moved"
						: ""
				}
			>
				{target ? endpoint(target.host, target.port) : t("detail.now_none")}
			</span>{" "}
			{n > 1 && (
				<span class="pill" title={t("rules.mt_hint", { n, list })}>
					{t("rules.mt", { n })}
				</span>
			)}
			{failed > 0 && (
				<span class="sub">
					<Badge tone={failed === n ? "bad" : "warn"}>
						{t("rules.healthy_of", { healthy: n - failed, n })}
					</Badge>
				</span>
			)}
		</>
	);
}

interface RowProps {
	rule: Rule;
	/** Filtered out: kept in the document, because making hundreds of rows anew takes long. */
	hidden: boolean;
	write: boolean;
	onRemove: (rule: Rule) => void;
}

/** Is rendered again only when something about its own rule has changed. */
class Row extends Component<RowProps> {
	shouldComponentUpdate(next: RowProps) {
		const { rule, hidden, write } = this.props;
		return next.rule !== rule || next.hidden !== hidden || next.write !== write;
	}

	render({ rule, hidden, write, onRemove }: RowProps) {
		const s = rule.stats;
		return (
			<tr hidden={hidden}>
				<th scope="row">
					<Link to={`/rules/${rule.id}`}>{`#${rule.id}`}</Link>
				</th>
				<td>
					<StateBadge state={parseState(rule.state)} />
				</td>
				<td class="wide">
					{rule.client_name}{" "}
					<span class="mono">{listenText(rule)}</span>
				</td>
				<td class="wide mono">
					<Current rule={rule} />
				</td>
				<td class="num" data-label={t("rules.traffic")}>
					{s ? `${bytes(s.bytes_in)} / ${bytes(s.bytes_out)}` : "–"}
				</td>
				<td class="num" data-label={t("rules.connections")}>
					{s ? count(s.active_connections, lang.value) : "–"}
				</td>
				<td class="muted" data-label={t("rules.owner")}>
					{rule.owner_user_id}
				</td>
				{write && (
					<td class="act">
						<button
							type="button"
							class="button quiet"
							aria-label={t("rules.remove_rule", {
								id: rule.id,
							})}
							onClick={() => onRemove(rule)}
						>
							{t("rules.remove")}
						</button>
					</td>
				)}
			</tr>
		);
	}
}

interface TableProps {
	rules: Rule[];
	shown: Set<Rule>;
	write: boolean;
	onRemove: (rule: Rule) => void;
}

function Table({ rules, shown, write, onRemove }: TableProps) {
	return (
		<table class="list rules">
			<thead>
				<tr>
					<th scope="col">{t("rules.rule")}</th>
					<th scope="col">{t("rules.state")}</th>
					<th scope="col">{t("rules.listen")}</th>
					<th scope="col">{t("rules.current")}</th>
					<th scope="col" class="num">
						{t("rules.traffic")}
					</th>
					<th scope="col" class="num">
						{t("rules.connections")}
					</th>
					<th scope="col">{t("rules.owner")}</th>
					{write && (
						<th scope="col">
							<span class="hidden">
								{t("common.actions")}
							</span>
						</th>
					)}
				</tr>
			</thead>
			<tbody>
				{rules.map(r => (
					<Row
						key={r.id}
						rule={r}
						hidden={!shown.has(r)}
						write={write}
						onRemove={onRemove}
					/>
				))}
			</tbody>
		</table>
	);
}

export function Rules() {
	const { rules, clients } = useStore(fleet);
	const write = mayWrite(useStore(session));
	const asked = new URLSearchParams(location.search);
	const [text, setText] = useState("");
	const [edge, setEdge] = useState(asked.get("client") ?? "");
	const [state, setState] = useState<StateFilter>("");
	const [removing, setRemoving] = useState<Rule | null>(null);
	const shown = useMemo(
		() => new Set(filterRules(rules ?? [], { text, edge, state })),
		[rules, text, edge, state],
	);
	const edges = useMemo(() => {
		const names = [
			...(clients ?? []).map(c => c.client_name),
			...(rules ?? []).map(r => r.client_name),
		];
		return [...new Set(names)].sort();
	}, [clients, rules]);

	const push = write && (
		<Link to="/rules/new" class="button primary">
			{t("rules.push")}
		</Link>
	);
	if (!rules)
		return (
			<>
				<Heading aside={push}>{t("rules.title")}</Heading>
				<Loading />
			</>
		);
	const clear = () => {
		setText("");
		setEdge("");
		setState("");
	};
	return (
		<>
			<Heading aside={push}>{t("rules.title")}</Heading>
			{rules.length === 0 ? (
				<Empty title={t("rules.empty")}>
					<p>{t("overview.first_rule_why")}</p>
				</Empty>
			) : (
				<>
					<search class="filters">
						<Field
							label={t("rules.filter")}
							type="search"
							placeholder={t("rules.filter_hint")}
							value={text}
							onValue={setText}
							class="grow"
						/>
						<Select
							label={t("rules.edge")}
							value={edge}
							onValue={setEdge}
							options={[
								["", t("rules.all_edges")],
								...edges.map(
									e =>
										[e, e] as [
											string,
											string,
										],
								),
							]}
						/>
						<Select
							label={t("rules.state")}
							value={state}
							onValue={v => setState(v as StateFilter)}
							options={[
								["", t("rules.all_states")],
								["trouble", t("rules.trouble")],
								["active", t("state.active")],
								["pending", t("state.pending")],
								["failed", t("state.failed")],
							]}
						/>
						<p class="muted count" role="status">
							{t("rules.count", {
								shown: shown.size,
								all: rules.length,
							})}
						</p>
					</search>
					<div hidden={shown.size === 0}>
						<Table
							rules={rules}
							shown={shown}
							write={write}
							onRemove={setRemoving}
						/>
					</div>
					{shown.size === 0 && (
						<Empty title={t("rules.none_match")}>
							<button
								type="button"
								class="button"
								onClick={clear}
							>
								{t("rules.clear")}
							</button>
						</Empty>
					)}
				</>
			)}
			{removing && (
				<RemoveRule rule={removing} onClose={() => setRemoving(null)} />
			)}
		</>
	);
}
