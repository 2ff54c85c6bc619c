// SPDX-License-Identifier: Apache-2.0
// queue.jsx - the cases that wait, in the order in which they should be looked at. Filters stand in
// the address, so that a link is a saved filter.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, post } from "./api.js";
import { count, monies } from "./format.js";
import { casePath, go } from "./go.js";
import { Comment, Dialog, Due, Problem, Score, Severity, useKeys } from "./parts.jsx";
import { outcomes, t } from "./words.js";

const names = ["state", "owner", "severity", "account", "pattern", "score", "sort"];

function Filter({ args, user }) {
  const change = (name, value) => {
    const next = new URLSearchParams(args);
    if (value) next.set(name, value);
    else next.delete(name);
    go(`queue?${next}`);
  };
  const choice = (name, label, options) => (
    <label>
      {label}
      <select value={args.get(name) || ""} onChange={(e) => change(name, e.target.value)}>
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <form class="filter" onSubmit={(e) => e.preventDefault()}>
      {choice("state", t("State"), [
        ["", t("Active")],
        ...["open", "waiting", "snoozed", "escalated", "approval", "closed"].map((s) => [s, t(s)]),
        ["any", t("All")],
      ])}
      {choice("owner", t("Owner"), [
        ["", t("All")],
        [user.name, t("Mine")],
        ["-", t("Unassigned")],
      ])}
      {choice("severity", t("Severity"), [
        ["", t("All")],
        ...["critical", "high", "medium", "low"].map((s) => [s, t(s)]),
      ])}
      {choice("sort", t("Priority"), [
        ["", t("by priority")],
        ["due", t("by deadline")],
      ])}
      <label>
        {t("Accounts")}
        <input
          type="search"
          value={args.get("account") || ""}
          onChange={(e) => change("account", e.target.value.trim())}
        />
      </label>
      <label>
        {t("Score")} &ge;
        <input
          type="number"
          min="0"
          max="1"
          step="0.01"
          value={args.get("score") || ""}
          onChange={(e) => change("score", e.target.value)}
        />
      </label>
    </form>
  );
}

// Several cases, one outcome; each is decided as it was seen.
function Batch({ rows, outcome, close, done }) {
  const [reason, setReason] = useState(outcomes[outcome].reasons[0][0]);
  const [comment, setComment] = useState(t(outcomes[outcome].reasons[0][1]));
  const [said, setSaid] = useState([]);
  const send = async (e) => {
    e.preventDefault();
    const failed = [];
    for (const c of rows)
      await post("case/decide", { id: c.id, version: c.version, outcome, reason, comment }).catch(
        (x) => failed.push(`${t("Case")} ${c.id}: ${x.message}`),
      );
    setSaid(failed);
    done();
    if (!failed.length) close();
  };
  return (
    <Dialog title={`${t(outcomes[outcome].label)}: ${rows.length} ${t("Case")}`} close={close}>
      <form onSubmit={send}>
        <label>
          {t("Reason")}
          <select
            value={reason}
            onChange={(e) => {
              setReason(e.target.value);
              setComment(t(outcomes[outcome].reasons.find((r) => r[0] === e.target.value)[1]));
            }}
          >
            {outcomes[outcome].reasons.map(([code]) => (
              <option key={code} value={code}>
                {t(code)}
              </option>
            ))}
          </select>
        </label>
        <Comment value={comment} set={setComment} />
        {said.map((s) => (
          <Problem key={s} text={s} />
        ))}
        <div class="row">
          <button class="main">{t("Decide")}</button>
          <button type="button" onClick={close}>
            {t("Cancel")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function Queue({ user, args, onNews, busy }) {
  const decides = ["analyst", "supervisor"].includes(user.role);
  const [rows, setRows] = useState(null);
  const [open, setOpen] = useState(0);
  const [more, setMore] = useState(false);
  const [problem, setProblem] = useState(null);
  const [at, setAt] = useState(0);
  const [chosen, setChosen] = useState(new Set());
  const [batch, setBatch] = useState(null);
  const body = useRef(null);
  const key = names.map((n) => args.get(n) || "").join("|");
  const path = args.get("sort") === "due" ? "cases/due" : "cases";
  const filter = Object.fromEntries(names.filter((n) => n !== "sort").map((n) => [n, args.get(n)]));

  const load = (after) =>
    get(path, { ...filter, ...after }).then(
      (answer) => {
        setRows((old) => (after ? [...old, ...answer.cases] : answer.cases));
        setOpen(answer.open);
        setMore(answer.cases.length === 50);
        setProblem(null);
      },
      (e) => setProblem(e.message),
    );
  useEffect(() => {
    setAt(0);
    setChosen(new Set());
    load();
  }, [key]);
  // News: the first page is read again, at most once a second; what was paged in stays away then.
  useEffect(() => {
    let wait = null;
    const off = onNews(() => {
      wait ||= setTimeout(() => {
        wait = null;
        load();
      }, 1000);
    });
    return () => {
      clearTimeout(wait);
      off();
    };
  }, [key]);
  useEffect(() => {
    body.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const take = () =>
    post("cases/take").then(
      ({ id }) => (id ? go(casePath(id)) : setProblem(t("No case is open and free."))),
      (e) => setProblem(e.message),
    );
  const last = (rows || [])[rows?.length - 1];
  const next = () =>
    load({ after: path === "cases" ? last.priority : last.due_at, after_id: last.id });
  const toggle = (id) =>
    setChosen((old) => {
      const now = new Set(old);
      if (!now.delete(id)) now.add(id);
      return now;
    });
  const picked = (rows || []).filter((c) => chosen.has(c.id));
  useKeys(
    {
      j: () => setAt((i) => Math.min((rows || []).length - 1, i + 1)),
      k: () => setAt((i) => Math.max(0, i - 1)),
      Enter: () => rows?.[at] && go(casePath(rows[at].id)),
      ...(decides && {
        n: take,
        x: () => rows?.[at] && toggle(rows[at].id),
        c: () => picked.length && setBatch("fraud"),
        f: () => picked.length && setBatch("false_positive"),
        u: () => picked.length && setBatch("unusual"),
        e: () => picked.length && setBatch("escalate"),
      }),
    },
    busy || batch,
  );
  return (
    <>
      <div class="row">
        <h1>{t("Queue")}</h1>
        <span>{open > 1000 ? "> 1,000" : count(open)}</span>
        <span class="grow" />
        {picked.length > 0 &&
          ["fraud", "false_positive", "unusual", "escalate"].map((o) => (
            <button key={o} onClick={() => setBatch(o)}>
              {t(outcomes[o].label)} ({picked.length})
            </button>
          ))}
        {user.may_export && (
          <a class="button" href="/api/v1/export/cases.csv" download>
            {t("CSV")}
          </a>
        )}
        {decides && (
          <button class="main" onClick={take}>
            {t("Take next")} <kbd>n</kbd>
          </button>
        )}
      </div>
      <Filter args={args} user={user} />
      <Problem text={problem} />
      <div class="scroll" tabIndex={0} role="region" aria-label={t("Queue")}>
        <table class="list">
          <thead>
            <tr>
              {decides && (
                <th scope="col">
                  <span class="unseen">{t("Chosen")}</span>
                </th>
              )}
              <th scope="col">{t("Case")}</th>
              <th scope="col">{t("Severity")}</th>
              <th scope="col" class="number">
                {t("Priority")}
              </th>
              <th scope="col">{t("Due")}</th>
              <th scope="col" class="number">
                {t("Score")}
              </th>
              <th scope="col" class="number">
                {t("At risk")}
              </th>
              <th scope="col">{t("Reasons")}</th>
              <th scope="col">{t("Ring")}</th>
              <th scope="col">{t("Owner")}</th>
              <th scope="col">{t("State")}</th>
            </tr>
          </thead>
          <tbody ref={body}>
            {(rows || []).map((c, i) => (
              <tr
                key={c.id}
                class={i === at ? "here" : ""}
                onClick={() => setAt(i)}
                onDblClick={() => go(casePath(c.id))}
              >
                {decides && (
                  <td>
                    <input
                      type="checkbox"
                      aria-label={`${t("Case")} ${c.id}`}
                      checked={chosen.has(c.id)}
                      onChange={() => toggle(c.id)}
                    />
                  </td>
                )}
                <td>
                  <a href={`#/${casePath(c.id)}`}>{c.id}</a>
                </td>
                <td>
                  <Severity of={c.severity} />
                </td>
                <td class="number">{c.priority.toFixed(2)}</td>
                <td>{c.state === "closed" ? "" : <Due at={c.due_at} />}</td>
                <td class="number">
                  <Score of={c.score} />
                </td>
                <td class="number">{monies(c.at_risk)}</td>
                <td class="reasons">
                  {(c.reasons || [c.headline]).map((r, k) => (
                    <span key={r}>
                      {k ? " \u00b7 " : ""}
                      {r}
                    </span>
                  ))}
                </td>
                <td>
                  {t(c.pattern || "\u2013")}{" "}
                  <small>
                    {c.n_member} / {c.n_alert}
                  </small>
                </td>
                <td>{c.owner || "\u2013"}</td>
                <td>{t(c.outcome || c.state)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows && !rows.length && <p>{t("Nothing here.")}</p>}
      {more && (
        <button onClick={next} class="wide">
          {t("More")}
        </button>
      )}
      {batch && (
        <Batch
          rows={picked}
          outcome={batch}
          close={() => setBatch(null)}
          done={() => (setChosen(new Set()), load())}
        />
      )}
    </>
  );
}
