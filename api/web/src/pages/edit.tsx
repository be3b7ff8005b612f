// SPDX-License-Identifier: MIT
// Changing a rule in place: the form filled with what is stored, and a look at the difference before it is sent.
import { useCallback, useEffect, useState } from "preact/hooks";
import { t, tn } from "../i18n";
import { useAction } from "../lib/action";
import { ApiError, getTagged, send } from "../lib/api";
import { type Change, changeBody, changesOf, draftOf, dropped } from "../lib/change";
import { useDraft } from "../lib/draft";
import { refreshFleet } from "../lib/fleet";
import type { RuleDraft } from "../lib/form";
import { OPTIONS } from "../lib/options";
import { Link, navigate } from "../lib/router";
import { listenText } from "../lib/rule";
import { mayWrite, session } from "../lib/session";
import { useStore } from "../lib/store";
import type { Rule } from "../lib/types";
import { Empty, Failure, Heading, Loading } from "../parts/basics";
import { Dialog } from "../parts/dialog";
import { labelOf, RuleForm, useMistakes } from "../parts/ruleform";
import { valueText } from "../parts/settings";
import { revive } from "./push";

interface Stored {
	value: Rule;
	tag: string | null;
}

function Value({ field, values }: { field: string; values: string[] }) {
	if (field === "targets")
		return (
			<ol class="mono">
				{values.map(v => (
					<li key={v}>{v}</li>
				))}
			</ol>
		);
	const [value = ""] = values;
	const option = OPTIONS.find(o => o.path === field);
	const text = option ? valueText(option, value) : value;
	return text === "" ? <i>{t("edit.default")}</i> : <>{text}</>;
}

function Difference({ changes }: { changes: Change[] }) {
	return (
		<table class="list difference">
			<thead>
				<tr>
					<th scope="col">{t("edit.setting")}</th>
					<th scope="col">{t("edit.now")}</th>
					<th scope="col">{t("edit.then")}</th>
				</tr>
			</thead>
			<tbody>
				{changes.map(c => (
					<tr key={c.field}>
						<th scope="row">{labelOf(c.field)}</th>
						<td data-label={t("edit.now")}>
							<Value field={c.field} values={c.from} />
						</td>
						<td data-label={t("edit.then")}>
							<Value field={c.field} values={c.to} />
						</td>
					</tr>
				))}
			</tbody>
		</table>
	);
}

interface ReviewProps {
	rule: Rule;
	draft: RuleDraft;
	busy: boolean;
	apply: () => void;
	onClose: () => void;
}

function Review({ rule, draft, busy, apply, onClose }: ReviewProps) {
	const changes = changesOf(rule, draft);
	const gone = dropped(rule, draft);
	return (
		<Dialog title={t("edit.review", { id: `#${rule.id}` })} onClose={onClose}>
			{changes.length === 0 ? (
				<p>{t("edit.nothing")}</p>
			) : (
				<>
					<Difference changes={changes} />
					<p>{t("edit.kept", { listen: listenText(rule) })}</p>
					{gone.length > 0 && (
						<p>
							{tn("edit.gone", gone.length, {
								list: gone.join(", "),
							})}
						</p>
					)}
				</>
			)}
			<div class="buttons">
				<button type="button" class="button" onClick={onClose}>
					{t("edit.back")}
				</button>
				{changes.length > 0 && (
					<button
						type="button"
						class="button primary"
						disabled={busy}
						onClick={apply}
					>
						{busy ? t("push.sending") : t("edit.apply")}
					</button>
				)}
			</div>
		</Dialog>
	);
}

function Form({ stored, reload }: { stored: Stored; reload: () => Promise<void> }) {
	const rule = stored.value;
	const start = () => revive(draftOf(rule));
	const draft = useDraft(`edit.${rule.id}`, start, revive);
	const mistakes = useMistakes();
	const action = useAction();
	const [reviewing, setReviewing] = useState(false);
	const apply = async () => {
		try {
			await send("PUT", `/v1/rules/${rule.id}`, changeBody(rule, draft.value), {
				ifMatch: stored.tag,
			});
			draft.drop(start());
			await refreshFleet();
			navigate(`/rules/${rule.id}`);
		} catch (e) {
			setReviewing(false);
			mistakes.refused(e);
			// The draft stays; what it is compared with is what is stored now.
			if (e instanceof ApiError && e.status === 412) await reload();
		}
	};
	return (
		<>
			<p class="facts">
				<span>
					{t("detail.edge")} <b>{rule.client_name}</b>
				</span>
				<span>
					{t("detail.listens")} <b class="mono">{listenText(rule)}</b>
				</span>
				<span>{t("edit.fixed")}</span>
			</p>
			<RuleForm
				draft={draft}
				mistakes={mistakes}
				edges={null}
				start={start}
				busy={action.busy}
				submit={t("edit.submit")}
				cancel={`/rules/${rule.id}`}
				act={() => setReviewing(true)}
			/>
			{reviewing && (
				<Review
					rule={rule}
					draft={draft.value}
					busy={action.busy}
					apply={() => void action.run(apply)}
					onClose={() => setReviewing(false)}
				/>
			)}
		</>
	);
}

function Load({ id }: { id: number }) {
	const [stored, setStored] = useState<Stored | null>(null);
	const [error, setError] = useState<unknown>(null);
	const load = useCallback(
		() =>
			getTagged<Rule>(`/v1/rules/${id}`).then(
				s => {
					setStored(s);
					setError(null);
				},
				e => setError(e),
			),
		[id],
	);
	useEffect(() => void load(), [load]);
	if (error instanceof ApiError && error.status === 404)
		return (
			<Empty title={t("detail.gone")}>
				<Link to="/rules" class="button">
					{t("common.back_rules")}
				</Link>
			</Empty>
		);
	if (error && !stored) return <Failure error={error} retry={() => void load()} />;
	return stored ? <Form stored={stored} reload={load} /> : <Loading />;
}

export function Edit({ id }: { id: number }) {
	const write = mayWrite(useStore(session));
	return (
		<>
			<Heading>{t("edit.title", { id: `#${id}` })}</Heading>
			{write ? (
				<Load key={id} id={id} />
			) : (
				<Empty title={t("common.read_only")} />
			)}
		</>
	);
}
