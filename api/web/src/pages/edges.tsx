// SPDX-License-Identifier: MIT
// Edges: who is connected, enrolment, renaming, revoking.
import { useState } from "preact/hooks";
import { t, tn } from "../i18n";
import { useAction } from "../lib/action";
import { send } from "../lib/api";
import { fleet, refreshFleet } from "../lib/fleet";
import { msOf } from "../lib/format";
import { Link } from "../lib/router";
import { isAdmin, session } from "../lib/session";
import { useStore } from "../lib/store";
import type { Client } from "../lib/types";
import { Ago, Badge, Empty, Heading, Loading, Problem, WithLasting } from "../parts/basics";
import { Confirm, Dialog, FormButtons } from "../parts/dialog";
import { Enrol } from "../parts/enrol";
import { Field } from "../parts/field";
import { OwnerCaps } from "../parts/ownercaps";
import { Certificate, RotateToken } from "../parts/renewal";
import { isShared } from "../words/concerns";

type Action =
	| { kind: "enrol" }
	| {
			kind: "token" | "reenroll" | "limits" | "rename" | "revoke" | "delete";
			client: Client;
	  };

function Status({ client }: { client: Client }) {
	if (client.revoked_at) return <Badge tone="bad">{t("edges.revoked")}</Badge>;
	return (
		<Badge tone={client.connected ? "good" : "warn"}>
			{t(client.connected ? "edges.connected" : "edges.disconnected")}
		</Badge>
	);
}

function Accounting({ mode }: { mode?: string | null }) {
	if (mode === "bpf") return <>{t("edges.bpf")}</>;
	if (mode === "user") return <Badge tone="warn">{t("edges.user")}</Badge>;
	return <span class="muted">{mode || "–"}</span>;
}

interface RowProps {
	client: Client;
	rules: number;
	admin: boolean;
	act: (a: Action) => void;
}

function Row({ client, rules, admin, act }: RowProps) {
	const name = client.client_name;
	const since = client.connected && client.connected_at;
	const button = (
		kind: "token" | "rename" | "limits" | "reenroll" | "revoke" | "delete",
		risky = false,
	) => (
		<button
			type="button"
			class={risky ? "button quiet risky" : "button quiet"}
			aria-label={`${t(`edges.${kind}`)} ${name}`}
			onClick={() => act({ kind, client })}
		>
			{t(`edges.${kind}`)}
		</button>
	);
	return (
		<tr>
			<th scope="row">{name}</th>
			<td>
				<Status client={client} />{" "}
				{isShared(client, Date.now()) && (
					<Badge tone="bad">{t("edges.shared")}</Badge>
				)}
				<span class="sub">
					{since && (
						<WithLasting
							text={t("detail.for", { long: "{long}" })}
							ms={msOf(since)}
						/>
					)}
				</span>
			</td>
			<td data-label={t("edges.version")}>{client.version || "–"}</td>
			<td data-label={t("edges.accounting")}>
				<Accounting mode={client.accounting} />
			</td>
			<td data-label={t("edges.address")} class="mono">
				{client.client_address || client.remote_addr || "–"}
				{client.client_address && client.remote_addr && (
					<span class="sub">{client.remote_addr}</span>
				)}
			</td>
			<td data-label={t("edges.seen")}>
				<Ago ms={msOf(client.last_seen_at)} />
			</td>
			<td data-label={t("edges.rules")} class="num">
				<Link to={`/rules?client=${encodeURIComponent(name)}`}>
					{rules}
				</Link>
			</td>
			{admin && (
				<td class="act">
					{button("rename")}
					{!client.revoked_at && button("limits")}
					{client.connected && button("token")}
					{button("reenroll")}
					{button(client.revoked_at ? "delete" : "revoke", true)}
				</td>
			)}
		</tr>
	);
}

function Rename({ client, onClose }: { client: Client; onClose: () => void }) {
	const [name, setName] = useState(client.client_name);
	const action = useAction();
	const rename = async () => {
		await send("PATCH", `/v1/clients/${client.client_id}/name`, {
			client_name: name.trim(),
		});
		await refreshFleet();
		onClose();
	};
	return (
		<Dialog
			title={t("edges.rename_title", { name: client.client_name })}
			onClose={onClose}
		>
			<form
				onSubmit={e => {
					e.preventDefault();
					void action.run(rename);
				}}
			>
				<Field
					label={t("edges.name")}
					name="name"
					value={name}
					onValue={setName}
				/>
				<Problem error={action.error} />
				<FormButtons
					submit={t("common.save")}
					disabled={action.busy || !name.trim()}
					onCancel={onClose}
				/>
			</form>
		</Dialog>
	);
}

function Dialogs({ action, rules, close }: { action: Action; rules: number; close: () => void }) {
	if (action.kind === "enrol") return <Enrol onClose={close} />;
	const { client } = action;
	const name = client.client_name;
	if (action.kind === "reenroll") return <Enrol client={client} onClose={close} />;
	if (action.kind === "token") return <RotateToken client={client} onClose={close} />;
	if (action.kind === "limits") return <OwnerCaps client={client} onClose={close} />;
	if (action.kind === "rename") return <Rename client={client} onClose={close} />;
	const revoke = action.kind === "revoke";
	const path = `/v1/clients/${client.client_id}`;
	return (
		<Confirm
			title={t(revoke ? "edges.revoke_title" : "edges.delete_title", { name })}
			text={revoke ? t("edges.revoke_text") : tn("edges.delete_text", rules)}
			confirm={t(revoke ? "edges.revoke_confirm" : "edges.delete_confirm")}
			act={async () => {
				await (revoke
					? send("POST", `${path}/revoke`)
					: send("DELETE", path));
				await refreshFleet();
			}}
			onClose={close}
		/>
	);
}

export function Edges() {
	const { clients, rules, error } = useStore(fleet);
	const admin = isAdmin(useStore(session));
	const [action, setAction] = useState<Action | null>(null);
	const rulesOf = (c: Client) =>
		(rules ?? []).filter(r => r.client_id === c.client_id).length;
	const enrol = admin && (
		<button
			type="button"
			class="button primary"
			onClick={() => setAction({ kind: "enrol" })}
		>
			{t("edges.enrol")}
		</button>
	);
	return (
		<>
			<Heading aside={enrol}>{t("edges.title")}</Heading>
			{!clients && !error && <Loading />}
			{clients?.length === 0 && (
				<Empty title={t("edges.empty")}>
					<p>{t("edges.empty_why")}</p>
				</Empty>
			)}
			{clients && clients.length > 0 && (
				<table class="list edges">
					<thead>
						<tr>
							<th scope="col">{t("edges.name")}</th>
							<th scope="col">{t("edges.status")}</th>
							<th scope="col">{t("edges.version")}</th>
							<th scope="col">{t("edges.accounting")}</th>
							<th scope="col">{t("edges.address")}</th>
							<th scope="col">{t("edges.seen")}</th>
							<th scope="col" class="num">
								{t("edges.rules")}
							</th>
							{admin && (
								<th scope="col">
									<span class="hidden">
										{t(
											"common.actions",
										)}
									</span>
								</th>
							)}
						</tr>
					</thead>
					<tbody>
						{clients.map(c => (
							<Row
								key={c.client_id}
								client={c}
								rules={rulesOf(c)}
								admin={admin}
								act={setAction}
							/>
						))}
					</tbody>
				</table>
			)}
			{admin && clients && (
				<Certificate edges={clients.filter(c => !c.revoked_at).length} />
			)}
			{action && (
				<Dialogs
					action={action}
					rules={action.kind === "enrol" ? 0 : rulesOf(action.client)}
					close={() => setAction(null)}
				/>
			)}
		</>
	);
}
