// SPDX-License-Identifier: MIT
// The page: asks who is signed in, then shows what the path names.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import "./style/index.css";
import { type Key, t, tn } from "./i18n";
import { ApiError, getJson } from "./lib/api";
import { fleet } from "./lib/fleet";
import { lang } from "./lib/preferences";
import { Link, type Place, usePlace } from "./lib/router";
import { failedTargets, parseState } from "./lib/rule";
import { isAdmin, session, signedIn, signedOut } from "./lib/session";
import { Store, useStore } from "./lib/store";
import type { Me } from "./lib/types";
import { Audit } from "./pages/audit";
import { Edges } from "./pages/edges";
import { Edit } from "./pages/edit";
import { Metrics } from "./pages/metrics";
import { Overview } from "./pages/overview";
import { Push } from "./pages/push";
import { RulePage } from "./pages/rule";
import { Rules } from "./pages/rules";
import { SignIn } from "./pages/signin";
import { Tokens } from "./pages/tokens";
import { Empty, Heading, Loading } from "./parts/basics";
import { Shell } from "./parts/shell";

interface Shown {
	title: string;
	page: preact.JSX.Element;
}

function adminOnly(key: Key, page: preact.JSX.Element): Shown {
	if (isAdmin(session.value)) return { title: t(key), page };
	return {
		title: t(key),
		page: (
			<>
				<Heading>{t(key)}</Heading>
				<Empty title={t("common.forbidden")} />
			</>
		),
	};
}

function NotFound() {
	return (
		<>
			<Heading>{t("common.not_found")}</Heading>
			<Empty title={t("common.not_found_why")}>
				<Link to="/" class="button">
					{t("common.to_overview")}
				</Link>
			</Empty>
		</>
	);
}

function shown({ path, search }: Place): Shown {
	const rule = /^\/rules\/(\d+)$/.exec(path);
	if (rule) {
		const id = Number(rule[1]);
		return { title: t("detail.title", { id: `#${id}` }), page: <RulePage id={id} /> };
	}
	const edit = /^\/rules\/(\d+)\/edit$/.exec(path);
	if (edit) {
		const id = Number(edit[1]);
		return { title: t("edit.title", { id: `#${id}` }), page: <Edit id={id} /> };
	}
	switch (path) {
		case "/":
		case "/index.html":
		case "/login":
			return { title: t("nav.overview"), page: <Overview /> };
		case "/rules":
			return { title: t("rules.title"), page: <Rules key={search} /> };
		case "/rules/new":
			return { title: t("push.title"), page: <Push /> };
		case "/edges":
		case "/clients":
			return { title: t("edges.title"), page: <Edges /> };
		case "/tokens":
			return adminOnly("tokens.title", <Tokens />);
		case "/audit":
			return adminOnly("audit.title", <Audit />);
		case "/metrics":
			return adminOnly("metrics.title", <Metrics />);
		default:
			return { title: t("common.not_found"), page: <NotFound /> };
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
	const at = usePlace();
	useStore(session);
	const { title, page } = shown(at);
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

// Its address is relative, and would follow that of each page.
const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
if (icon) icon.setAttribute("href", icon.href);

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
