// SPDX-License-Identifier: Apache-2.0
// main.jsx - the frame: who is signed in, where one is, keys that hold everywhere, news.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "./style.css";
import { begin, get, listen, post } from "./api.js";
import { Accounts } from "./account.jsx";
import { Audit, Retention, Users } from "./admin.jsx";
import { CasePage } from "./case.jsx";
import { Health } from "./health.jsx";
import { Palette } from "./palette.jsx";
import { Queue } from "./queue.jsx";
import { RecordPage, Records, ReviewPage } from "./record.jsx";
import { RingPage } from "./ring.jsx";
import { Rules } from "./rules.jsx";
import { go } from "./go.js";
import { SignIn } from "./signin.jsx";
import { choose, language, t } from "./words.js";
import { Dialog, typing } from "./parts.jsx";

const fraud = ["viewer", "analyst", "supervisor", "auditor"];
const pages = [
  { path: "queue", label: "Queue", roles: fraud, page: Queue, key: "q" },
  { path: "rules", label: "Rules and models", roles: fraud, page: Rules, key: "r" },
  { path: "health", label: "Health", roles: fraud, page: Health, key: "h" },
  { path: "records", label: "Records", roles: ["clinician"], page: Records, key: "q" },
  { path: "audit", label: "Audit", roles: ["auditor", "administrator"], page: Audit, key: "a" },
  { path: "users", label: "Users", roles: ["administrator", "auditor"], page: Users, key: "w" },
  {
    path: "retention",
    label: "Retention",
    roles: ["administrator", "auditor"],
    page: Retention,
    key: "z",
  },
  { path: "case", roles: fraud, page: CasePage },
  { path: "ring", roles: fraud, page: RingPage },
  { path: "account", roles: fraud, page: Accounts },
  { path: "record", roles: ["clinician"], page: RecordPage },
  { path: "review", roles: ["clinician"], page: ReviewPage },
];

// #/case/17?x=y: a path, what is behind it, and arguments.
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name, rest: decodeURIComponent(rest.join("/")), args: new URLSearchParams(query || "") };
}

function Help({ close }) {
  const rows = [
    ["j / k", t("next and previous row")],
    ["Enter", t("open the row")],
    ["n", t("take the next case")],
    ["c f u", t("confirmed fraud, false positive, legitimate but unusual")],
    ["e s i", t("escalate, snooze, need information")],
    ["1 \u2013 9", t("a reason, in the form of a decision")],
    ["Ctrl Enter", t("send the form")],
    ["a", t("assign the case to me")],
    ["g", t("the ring of the case")],
    ["x", t("choose the payment of the row")],
    ["/", t("search")],
    ["Ctrl K", t("all commands")],
    ["Esc", t("close, or back")],
    ["?", t("this list")],
  ];
  return (
    <Dialog title={t("Help")} close={close}>
      <table class="plain">
        <tbody>
          {rows.map(([key, text]) => (
            <tr key={key}>
              <th scope="row">
                <kbd>{key}</kbd>
              </th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
}

function Frame({ user, signedOut }) {
  const [at, setAt] = useState(place());
  const [over, setOver] = useState(null); // "help", "palette"
  const [connected, setConnected] = useState(true);
  const [database, setDatabase] = useState(true);
  const [, again] = useState(0);
  const heard = useRef(new Set());
  const allowed = pages.filter((p) => p.roles.includes(user.role));
  const first = allowed[0];
  const here = allowed.find((p) => p.path === at.name) || first;

  useEffect(() => {
    const moved = () => setAt(place());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(
    () =>
      listen((type, data) => {
        if (type === "database") setDatabase(data === "back");
        for (const f of heard.current) f(type, data);
      }, setConnected),
    [],
  );
  useEffect(() => {
    const pressed = (e) => {
      if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") {
        e.preventDefault();
        setOver("palette");
      } else if (typing(e) || e.ctrlKey || e.metaKey || e.altKey) {
        return;
      } else if (e.key === "?") {
        setOver("help");
      } else if (e.key === "/") {
        e.preventDefault();
        setOver("palette");
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  useEffect(() => {
    document.title = `${t(here.label || here.path)} ${at.rest} \u00b7 R1`;
  }, [here, at]);

  const onNews = (f) => {
    heard.current.add(f);
    return () => heard.current.delete(f);
  };
  const signOut = () => post("logout").then(signedOut, signedOut);
  const Page = here.page;
  const commands = [
    ...allowed.filter((p) => p.label).map((p) => ({ label: t(p.label), run: () => go(p.path) })),
    { label: t("Light"), run: () => theme("light") },
    { label: t("Dark"), run: () => theme("dark") },
    {
      label: language() === "zh" ? "English" : "\u4e2d\u6587",
      run: () => {
        choose(language() === "zh" ? "en" : "zh");
        again((n) => n + 1);
      },
    },
    { label: t("Help"), run: () => setOver("help") },
    { label: t("Sign out"), run: signOut },
  ];
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(e) => (e.preventDefault(), document.getElementById("main").focus())}
      >
        {t("Skip to the content")}
      </a>
      <header class="top">
        <strong class="mark">R1</strong>
        <nav aria-label={t("Pages")}>
          {allowed
            .filter((p) => p.label)
            .map((p) => (
              <a key={p.path} href={`#/${p.path}`} aria-current={here === p ? "page" : undefined}>
                {t(p.label)}
              </a>
            ))}
        </nav>
        <span class="grow" />
        <button class="quiet" onClick={() => setOver("palette")}>
          {t("Search")} <kbd>/</kbd>
        </button>
        <button class="quiet" onClick={() => setOver("help")} aria-label={t("Help")}>
          <kbd>?</kbd>
        </button>
        <span class="who">
          {user.name} <small>{t(user.role)}</small>
        </span>
        <button class="quiet" onClick={signOut}>
          {t("Sign out")}
        </button>
      </header>
      <div role="status" aria-live="polite">
        {!connected && (
          <p class="banner">
            {t("The server cannot be reached. What you typed stays; this page tries again.")}
          </p>
        )}
        {connected && !database && (
          <p class="banner">{t("The database does not answer. What you see may be old.")}</p>
        )}
      </div>
      <main id="main" tabIndex={-1}>
        <Page
          key={`${here.path}/${at.rest}/${language()}`}
          user={user}
          rest={at.rest}
          args={at.args}
          onNews={onNews}
          busy={over !== null}
        />
      </main>
      {over === "help" && <Help close={() => setOver(null)} />}
      {over === "palette" && (
        <Palette commands={commands} user={user} close={() => setOver(null)} />
      )}
    </>
  );
}

function App() {
  const [user, setUser] = useState(undefined);
  const [ended, setEnded] = useState(false);
  const signedIn = (u) => {
    begin(u, () => {
      setEnded(true);
      setUser(null);
    });
    setEnded(false);
    setUser(u);
  };
  useEffect(() => {
    get("me").then(signedIn, () => setUser(null));
  }, []);
  if (user === undefined) return null;
  if (user === null) return <SignIn signedIn={signedIn} ended={ended} />;
  return <Frame user={user} signedOut={() => setUser(null)} />;
}

document.documentElement.lang = language();
theme(
  localStorage.getItem("theme") ||
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"),
);
render(<App />, document.getElementById("page"));
