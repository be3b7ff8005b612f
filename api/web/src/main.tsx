// SPDX-License-Identifier: MIT
// The page: asks who is signed in, then shows what the path names.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import "./style.css";
import { type Key, t, tn } from "./i18n";
import { ApiError, getJson } from "./lib/api";
import { fleet } from "./lib/fleet";
import { lang } from "./lib/preferences";
import { usePath } from "./lib/router";
import { failedTargets, parseState } from "./lib/rule";
import { isAdmin, session, signedIn, signedOut } from "./lib/session";
import { Store, useStore } from "./lib/store";
import type { Me } from "./lib/types";
import { Audit } from "./pages/audit";
import { Edges } from "./pages/edges";
import { Metrics } from "./pages/metrics";
import { Overview } from "./pages/overview";
import { Push } from "./pages/push";
import { RulePage } from "./pages/rule";
import { Rules } from "./pages/rules";
import { SignIn } from "./pages/signin";
import { Empty, Heading, Loading } from "./parts/basics";
import { Shell } from "./parts/shell";

interface Place {
	title: string;
	page: preact.JSX.Element;
}

function adminOnly(key: Key, page: preact.JSX.Element): Place {
	if (isAdmin(session.value)) return { title: t(key), page };
	return { title: t(key), page: <Empty title={t("common.forbidden")} /> };
}

function place(path: string): Place {
	const rule = /^\/rules\/(\d+)$/.exec(path);
	if (rule) {
		const id = Number(rule[1]);
		return { title: t("detail.title", { id: `#${id}` }), page: <RulePage id={id} /> };
	}
	switch (path) {
		case "/":
		case "/login":
			return { title: t("nav.overview"), page: <Overview /> };
		case "/rules":
			return { title: t("rules.title"), page: <Rules key={location.search} /> };
		case "/rules/new":
			return { title: t("push.title"), page: <Push /> };
		case "/edges":
		case "/clients":
			return { title: t("edges.title"), page: <Edges /> };
		case "/audit":
			return adminOnly("audit.title", <Audit />);
		case "/metrics":
			return adminOnly("metrics.title", <Metrics />);
		default:
			return { title: "", page: <Heading>{t("common.not_found")}</Heading> };
	}
}

/** "(2 failures) Rules · Portunus": what is wrong shows even in a tab of the background. */
function useTitle(title: string): void {
	const { rules } = useStore(fleet);
	const failures = (rules ?? []).reduce(
		(n, r) => n + failedTargets(r) + (parseState(r.state).kind === "failed" ? 1 : 0),
		0,
	);
	useEffect(() => {
		const mark = failures ? `(${tn("title.failed", failures)}) ` : "";
		document.title = `${mark}${title ? `${title} · ` : ""}Portunus`;
	}, [failures, title]);
}

function Inside() {
	const path = usePath();
	useStore(session);
	const { title, page } = place(path);
	useTitle(title);
	return <Shell>{page}</Shell>;
}

const ASK_AGAIN_MS = 2000;
/** Who is signed in could not be found out yet. */
const noAnswer = new Store(false);

function App() {
	const { state } = useStore(session);
	const language = useStore(lang);
	const silent = useStore(noAnswer);
	if (state === "asking")
		return (
			<main>
				{silent ? (
					<p role="alert">{t("error.unreachable_retry")}</p>
				) : (
					<Loading />
				)}
			</main>
		);
	if (state === "out") {
		document.title = `${t("sign.in")} · Portunus`;
		return <SignIn key={language} />;
	}
	return <Inside key={language} />;
}

const root = document.getElementById("app");
if (root) render(<App />, root);

/** Asks until there is an answer: a server that restarts has not signed anybody out. */
async function start(): Promise<void> {
	try {
		const { signed_in } = await getJson<{ signed_in?: boolean }>("/v1/auth/status");
		if (signed_in) signedIn(await getJson<Me>("/v1/users/me"));
		else signedOut(false);
	} catch (e) {
		if (e instanceof ApiError && e.status > 0 && e.status < 500)
			return signedOut(false);
		noAnswer.set(true);
		setTimeout(() => void start(), ASK_AGAIN_MS);
	}
}

void start();
