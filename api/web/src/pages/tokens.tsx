// SPDX-License-Identifier: MIT
// Operators' tokens: who may do what, adding one, revoking one.
import { useEffect, useState } from "preact/hooks";
import { type Key, t } from "../i18n";
import { useAction } from "../lib/action";
import { getJson, send } from "../lib/api";
import { useDraft } from "../lib/draft";
import { msOf } from "../lib/format";
import { session } from "../lib/session";
import { useStore } from "../lib/store";
import type { Token } from "../lib/types";
import { Ago, Badge, CopyButton, Empty, Failure, Heading, Loading, Problem } from "../parts/basics";
import { Confirm, Dialog, FormButtons } from "../parts/dialog";
import { Field, Select } from "../parts/field";
import { actorText, roleText } from "../words/codes";

const ROLES = ["viewer", "operator", "admin"] as const;
const isOver = (x: Token) => x.expires_at && msOf(x.expires_at) <= Date.now();

function Status({ token }: { token: Token }) {
	if (token.revoked_at) return <Badge tone="plain">{t("tokens.revoked")}</Badge>;
	if (isOver(token)) return <Badge tone="bad">{t("tokens.expired")}</Badge>;
	return <Badge tone="good">{t("tokens.live")}</Badge>;
}

/** A secret that is shown this once. */
function Made({ name, secret, onClose }: { name: string; secret: string; onClose: () => void }) {
	return (
		<>
			<p>{t("tokens.made", { name })}</p>
			<pre class="command">
				<code>{secret}</code>
			</pre>
			<p class="row">
				<CopyButton text={secret} />
				<span class="muted">{t("tokens.once")}</span>
			</p>
			<div class="buttons">
				<button type="button" class="button primary" onClick={onClose}>
					{t("common.close")}
				</button>
			</div>
		</>
	);
}

interface AddProps {
	/** The server knows tokens that end by themselves. */
	expiry: boolean;
	onClose: () => void;
	onAdded: () => Promise<void>;
}

const blank = () => ({ name: "", role: "viewer", days: "" });

function Add({ expiry, onClose, onAdded }: AddProps) {
	const draft = useDraft("token", blank);
	const { name, role, days } = draft.value;
	const [secret, setSecret] = useState("");
	const [made, setMade] = useState("");
	const action = useAction();
	const add = async () => {
		const body: Record<string, string> = { name: name.trim(), role };
		if (expiry && days)
			body.expires_at = new Date(
				Date.now() + Number(days) * 86_400_000,
			).toISOString();
		const got = await send<{ token: string }>("POST", "/v1/tokens", body);
		setSecret(got?.token ?? "");
		setMade(name.trim());
		draft.drop(blank());
		await onAdded();
	};
	return (
		<Dialog title={t("tokens.add")} onClose={onClose}>
			{secret ? (
				<Made name={made} secret={secret} onClose={onClose} />
			) : (
				<form
					onSubmit={e => {
						e.preventDefault();
						void action.run(add);
					}}
				>
					<Field
						label={t("tokens.name")}
						name="name"
						value={name}
						onValue={v => draft.set({ name: v })}
						hint={t("tokens.name_hint")}
					/>
					<Select
						label={t("tokens.role")}
						value={role}
						onValue={v => draft.set({ role: v })}
						options={ROLES.map(r => [
							r,
							`${roleText(r)}: ${t(`role.${r}_may` as Key)}`,
						])}
					/>
					{expiry && (
						<Select
							label={t("tokens.expiry")}
							value={days}
							onValue={v => draft.set({ days: v })}
							options={[
								["", t("tokens.expiry_never")],
								["30", t("tokens.expiry_30")],
								["90", t("tokens.expiry_90")],
								["365", t("tokens.expiry_365")],
							]}
						/>
					)}
					<Problem error={action.error} />
					<FormButtons
						submit={t("tokens.make")}
						disabled={action.busy || !name.trim()}
						onCancel={onClose}
					/>
				</form>
			)}
		</Dialog>
	);
}

interface TableProps {
	tokens: Token[];
	expiry: boolean;
	used: boolean;
	onRevoke: (token: Token) => void;
}

function Table({ tokens, expiry, used, onRevoke }: TableProps) {
	const { name: me } = useStore(session);
	return (
		<table class="list tokens">
			<thead>
				<tr>
					<th scope="col">{t("tokens.name")}</th>
					<th scope="col">{t("tokens.role")}</th>
					<th scope="col">{t("tokens.status")}</th>
					<th scope="col">{t("tokens.created")}</th>
					{used && <th scope="col">{t("tokens.used")}</th>}
					{expiry && <th scope="col">{t("tokens.ends")}</th>}
					<th scope="col">
						<span class="hidden">{t("common.actions")}</span>
					</th>
				</tr>
			</thead>
			<tbody>
				{tokens.map(x => (
					<tr
						key={`${x.name} ${x.created_at}`}
						class={x.revoked_at ? "over" : ""}
					>
						<th scope="row">
							{actorText(x.name)}{" "}
							{x.name === me && (
								<Badge tone="info">
									{t("tokens.yours")}
								</Badge>
							)}
						</th>
						<td data-label={t("tokens.role")}>
							{roleText(x.role)}
						</td>
						<td data-label={t("tokens.status")}>
							<Status token={x} />
						</td>
						<td data-label={t("tokens.created")}>
							<Ago ms={msOf(x.created_at)} />
						</td>
						{used && (
							<td data-label={t("tokens.used")}>
								<Ago ms={msOf(x.last_used_at)} />
							</td>
						)}
						{expiry && (
							<td data-label={t("tokens.ends")}>
								<Ago
									ms={msOf(x.expires_at)}
									ahead
								/>
							</td>
						)}
						<td class="act">
							{!x.revoked_at && (
								<button
									type="button"
									class="button quiet risky"
									aria-label={t(
										"tokens.revoke_name",
										{
											name: actorText(
												x.name,
											),
										},
									)}
									onClick={() => onRevoke(x)}
								>
									{t("tokens.revoke")}
								</button>
							)}
						</td>
					</tr>
				))}
			</tbody>
		</table>
	);
}

/** Live ones by name, then revoked ones. */
function sorted(tokens: Token[]): Token[] {
	const key = (x: Token) => `${x.revoked_at ? 1 : 0} ${x.name}`;
	return tokens.slice().sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

export function Tokens() {
	const [tokens, setTokens] = useState<Token[] | null>(null);
	const [error, setError] = useState<unknown>(null);
	const [adding, setAdding] = useState(false);
	const [revoking, setRevoking] = useState<Token | null>(null);
	const me = useStore(session).name;
	const load = () =>
		getJson<Token[]>("/v1/tokens").then(
			list => {
				setTokens(sorted(list));
				setError(null);
			},
			e => setError(e),
		);
	// biome-ignore lint/correctness/useExhaustiveDependencies: once
	useEffect(() => void load(), []);
	const any = (key: keyof Token) => (tokens ?? []).some(x => x[key] !== undefined);
	const add = (
		<button type="button" class="button primary" onClick={() => setAdding(true)}>
			{t("tokens.add")}
		</button>
	);
	return (
		<>
			<Heading aside={add}>{t("tokens.title")}</Heading>
			<p class="muted">{t("tokens.intro")}</p>
			{error ? (
				<Failure error={error} retry={() => void load()} />
			) : (
				!tokens && <Loading />
			)}
			{tokens?.length === 0 && <Empty title={t("tokens.empty")} />}
			{tokens && tokens.length > 0 && (
				<Table
					tokens={tokens}
					expiry={any("expires_at")}
					used={any("last_used_at")}
					onRevoke={setRevoking}
				/>
			)}
			{adding && (
				<Add
					expiry={any("expires_at")}
					onClose={() => setAdding(false)}
					onAdded={load}
				/>
			)}
			{revoking && (
				<Confirm
					title={t("tokens.revoke_title", {
						name: actorText(revoking.name),
					})}
					text={t(
						revoking.name === me
							? "tokens.revoke_own"
							: "tokens.revoke_text",
					)}
					confirm={t("tokens.revoke_confirm")}
					act={async () => {
						await send(
							"DELETE",
							`/v1/tokens/${encodeURIComponent(revoking.name)}`,
						);
						await load();
					}}
					onClose={() => setRevoking(null)}
				/>
			)}
		</>
	);
}
