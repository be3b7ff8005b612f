// SPDX-License-Identifier: MIT
// Pushing a rule: one form for one target or several.
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n";
import { useAction } from "../lib/action";
import { ApiError, send } from "../lib/api";
import { useDraft } from "../lib/draft";
import { fleet, refreshFleet } from "../lib/fleet";
import { draftBody, type RuleDraft } from "../lib/form";
import { Link, navigate } from "../lib/router";
import { mayWrite, session } from "../lib/session";
import { useStore } from "../lib/store";
import { Empty, Heading } from "../parts/basics";
import { RuleForm, useMistakes } from "../parts/ruleform";
import { newTarget } from "../parts/targets";

const blank = (): RuleDraft => ({
	edge: "",
	protocol: "tcp",
	listenPort: "",
	targets: [newTarget()],
	options: {},
});

/** The rows of a draft that was kept get keys of this visit. */
export const revive = (d: RuleDraft): RuleDraft => ({
	...d,
	targets: d.targets.map(x => newTarget(x)),
});

/** The rule that a refused push has left behind, if it has. */
function leftBehind(d: RuleDraft): number | null {
	const rule = fleet.value.rules?.find(
		r => r.client_name === d.edge && r.listen_port === Number(d.listenPort),
	);
	return rule?.id ?? null;
}

function Form() {
	const { clients } = useStore(fleet);
	const draft = useDraft("push", blank, revive);
	const mistakes = useMistakes();
	const action = useAction();
	const [stored, setStored] = useState<number | null>(null);
	const edges = (clients ?? []).filter(c => !c.revoked_at);
	const only = edges.length === 1 && edges[0]?.connected ? edges[0].client_name : "";
	const edge = draft.value.edge || only;
	const start = () => ({ ...blank(), edge: only });

	// biome-ignore lint/correctness/useExhaustiveDependencies: once, when the list of edges has come
	useEffect(() => {
		if (only && !draft.value.edge) draft.set({ edge: only });
	}, [only]);

	const push = async () => {
		try {
			const made = await send<{ rule_id: number }>(
				"POST",
				"/v1/rules?strict=true",
				draftBody({ ...draft.value, edge }),
			);
			draft.drop(start());
			await refreshFleet();
			navigate(`/rules/${made?.rule_id}`);
		} catch (e) {
			mistakes.refused(e);
			if (!(e instanceof ApiError)) return;
			if (e.code !== "activation_failed" && e.code !== "ack_timeout") return;
			await refreshFleet();
			setStored(e.ruleId ?? leftBehind(draft.value));
		}
	};
	return (
		<>
			{clients && edges.length === 0 && (
				<p class="note">
					{t("push.no_edges")}{" "}
					<Link to="/edges">{t("edges.enrol")}</Link>
				</p>
			)}
			{stored !== null && (
				<p class="note">
					{t("push.stored")}{" "}
					<Link to={`/rules/${stored}`}>
						{t("detail.title", { id: `#${stored}` })}
					</Link>
				</p>
			)}
			<RuleForm
				draft={draft}
				mistakes={mistakes}
				edges={edges.map(c => [
					c.client_name,
					c.connected
						? c.client_name
						: t("push.offline", { name: c.client_name }),
				])}
				start={start}
				busy={action.busy}
				submit={t("push.submit")}
				cancel="/rules"
				act={() => void action.run(push)}
			/>
		</>
	);
}

export function Push() {
	const write = mayWrite(useStore(session));
	return (
		<>
			<Heading>{t("push.title")}</Heading>
			{write ? <Form /> : <Empty title={t("common.read_only")} />}
		</>
	);
}
