// SPDX-License-Identifier: MIT
// The list of rules: state, where new connections go, traffic; filters; removal.
import { Component } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { t } from "../i18n";
import { fleet } from "../lib/fleet";
import { bytes, count } from "../lib/format";
import { lang } from "../lib/preferences";
import { keepQuery, Link } from "../lib/router";
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
import { actorText, reasonText } from "../words/codes";
import { whyUnreachable } from "../words/unreachable";

function Current({ rule }: { rule: Rule }) {
	const { kind, reason } = parseState(rule.state);
	if (kind === "failed") return <span class="bad-text words">{reasonText(reason)}</span>;
	const choice = choiceOf(rule);
	const target = rule.targets[choice.index];
	const failed = failedTargets(rule);
	const n = rule.targets.length;
	const name = target ? endpoint(target.host, target.port) : "";
	const others = rule.targets
		.filter((_, i) => i !== choice.index)
		.map(x => endpoint(x.host, x.port))
		.join(t("common.comma"));
	if (choice.why === "all-failed" || choice.why === "drained")
		return (
			<>
				<span class="bad-text words">
					{t(
						choice.why === "drained"
							? "detail.now_drained"
							: "detail.now_unreachable",
					)}
				</span>
				<span class="sub words">
					{choice.why === "drained"
						? t("detail.why.drained")
						: whyUnreachable(rule)}
				</span>
			</>
		);
	return (
		<>
			<span class={choice.why === "fallback" ? "moved" : ""}>{name}</span>{" "}
			{failed > 0 && (
				<Badge tone="warn">
					{t("rules.healthy_of", { healthy: n - failed, n })}
				</Badge>
			)}
			{n > 1 && <span class="sub">{t("rules.others", { list: others })}</span>}
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

/** Are rendered again only when something about their rule has changed, not by a filter. */
class Cells extends Component<Omit<RowProps, "hidden">> {
	shouldComponentUpdate(next: Omit<RowProps, "hidden">) {
		return next.rule !== this.props.rule || next.write !== this.props.write;
	}

	render({ rule, write, onRemove }: Omit<RowProps, "hidden">) {
		const s = rule.stats;
		return (
			<>
				<th scope="row">
					<Link to={`/rules/${rule.id}`}>{`#${rule.id}`}</Link>
				</th>
				<td>
					<StateBadge state={parseState(rule.state)} />
				</td>
				<td class="wide">
					{rule.client_name}{" "}
					<span class="mono">{listenText(rule)}</span>{" "}
					{rule.protocol === "udp" && <Badge tone="plain">UDP</Badge>}
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
				<td class="muted words" data-label={t("rules.owner")}>
					{actorText(rule.owner_user_id)}
				</td>
				{write && (
					<td class="act">
						<Link
							to={`/rules/${rule.id}/edit`}
							class="button quiet"
							label={t("rules.edit_rule", {
								id: rule.id,
							})}
						>
							{t("rules.edit")}
						</Link>
						<button
							type="button"
							class="button quiet risky"
							aria-label={t("rules.remove_rule", {
								id: rule.id,
							})}
							onClick={() => onRemove(rule)}
						>
							{t("rules.remove")}
						</button>
					</td>
				)}
			</>
		);
	}
}

class Row extends Component<RowProps> {
	shouldComponentUpdate(next: RowProps) {
		const { rule, hidden, write } = this.props;
		return next.rule !== rule || next.hidden !== hidden || next.write !== write;
	}

	render({ hidden, ...cells }: RowProps) {
		return (
			<tr hidden={hidden}>
				<Cells {...cells} />
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
	const { rules, clients, error } = useStore(fleet);
	const write = mayWrite(useStore(session));
	const asked = new URLSearchParams(location.search);
	const [text, setText] = useState(asked.get("q") ?? "");
	const [edge, setEdge] = useState(asked.get("client") ?? "");
	const [state, setState] = useState((asked.get("state") ?? "") as StateFilter);
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

	useEffect(() => keepQuery({ q: text.trim(), client: edge, state }), [text, edge, state]);

	const push = write && (
		<Link to="/rules/new" class="button primary">
			{t("rules.push")}
		</Link>
	);
	if (!rules)
		return (
			<>
				<Heading aside={push}>{t("rules.title")}</Heading>
				{!error && <Loading />}
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
