// SPDX-License-Identifier: MIT
// Signing in: the token is exchanged for a session cookie.
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n";
import { ApiError, getJson, send } from "../lib/api";
import { session, signedIn } from "../lib/session";
import { useStore } from "../lib/store";
import type { Me } from "../lib/types";
import { Field } from "../parts/field";
import { Logo, Preferences } from "../parts/shell";
import { errorText } from "../words/codes";

function wordsFor(e: unknown): string {
	if (e instanceof ApiError && e.status === 429) return t("sign.limited");
	return errorText(e);
}

export function SignIn() {
	const { expired } = useStore(session);
	const [token, setToken] = useState("");
	const [error, setError] = useState("");
	const [busy, setBusy] = useState(false);
	const [fresh, setFresh] = useState(false);

	useEffect(() => {
		getJson<{ onboarding_required: boolean }>("/v1/auth/status").then(
			s => setFresh(s.onboarding_required),
			() => setFresh(false),
		);
	}, []);

	const submit = async (e: Event) => {
		e.preventDefault();
		setBusy(true);
		setError("");
		try {
			await send(
				"POST",
				"/v1/auth/token",
				{ token: token.trim() },
				{ signIn: true },
			);
			signedIn(await getJson<Me>("/v1/users/me"));
		} catch (err) {
			setError(wordsFor(err));
			setBusy(false);
		}
	};

	return (
		<main class="signin">
			<form onSubmit={e => void submit(e)} noValidate>
				<h1>
					<Logo /> Portunus
				</h1>
				{expired && (
					<p class="note" role="status">
						{t("sign.expired")}
					</p>
				)}
				{fresh && (
					<div class="note">
						<p>{t("sign.no_tokens")}</p>
						<code>
							portunus-server token-add --role admin NAME
						</code>
					</div>
				)}
				{/* Password managers keep a secret for a name: this is the name. */}
				<input
					type="text"
					name="username"
					autocomplete="username"
					value="operator"
					readOnly
					hidden
				/>
				<Field
					label={t("sign.token")}
					type="password"
					name="token"
					autocomplete="current-password"
					value={token}
					onValue={setToken}
					hint={t("sign.hint")}
					error={error || undefined}
				/>
				<button
					type="submit"
					class="button primary"
					disabled={busy || !token.trim()}
				>
					{t("sign.in")}
				</button>
			</form>
			<div class="prefs">
				<Preferences />
			</div>
		</main>
	);
}
