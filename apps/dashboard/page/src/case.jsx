// SPDX-License-Identifier: Apache-2.0
// case.jsx - one case: what is known, why it was stopped, and what a person decides.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, post } from "./api.js";
import { count, monies, score, when } from "./format.js";
import { accountPath, casePath, go } from "./go.js";
import {
  CaseLink,
  Comment,
  Dialog,
  Due,
  Problem,
  Score,
  Severity,
  Time,
  useCall,
  useKeys,
} from "./parts.jsx";
import { Payments } from "./payments.jsx";
import { outcomes, t } from "./words.js";

const tomorrow = () => new Date(Date.now() + 24 * 3600000).toISOString().slice(0, 16);

function Decide({ data, outcome, chosen, close, done }) {
  const rows = outcomes[outcome].reasons;
  const [reason, setReason] = useState(rows[0][0]);
  const [comment, setComment] = useState(t(rows[0][1]));
  const [until, setUntil] = useState(tomorrow());
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const form = useRef(null);
  const pick = (i) => {
    if (!rows[i]) return;
    setReason(rows[i][0]);
    setComment(t(rows[i][1]));
  };
  const send = async (e) => {
    e?.preventDefault();
    if (busy || !form.current.reportValidity()) return;
    setBusy(true);
    const c = data.case;
    const body = { id: c.id, version: c.version, outcome, reason, comment };
    if (outcome === "snooze") body.until = new Date(until).toISOString();
    if (outcome === "fraud" && chosen.size) body.payments = [...chosen];
    try {
      await post("case/decide", body);
      done();
    } catch (x) {
      setProblem(x.message);
      setBusy(false);
    }
  };
  // Digits choose a reason unless a text is being typed; Ctrl Enter sends from anywhere.
  const pressed = (e) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      send();
    } else if (/^[1-9]$/.test(e.key) && !["TEXTAREA", "INPUT"].includes(e.target.tagName)) {
      e.preventDefault();
      pick(Number(e.key) - 1);
    }
  };
  return (
    <Dialog title={t(outcomes[outcome].label)} close={close}>
      <form ref={form} onSubmit={send} onKeyDown={pressed}>
        <fieldset>
          <legend>{t("Reason")}</legend>
          <ul class="reasonlist">
            {rows.map(([code, text], i) => (
              <li key={code}>
                <button
                  type="button"
                  aria-pressed={code === reason}
                  autofocus={i === 0}
                  onClick={() => pick(i)}
                >
                  <kbd>{i + 1}</kbd> {t(code)} <small>{t(text)}</small>
                </button>
              </li>
            ))}
          </ul>
        </fieldset>
        <Comment value={comment} set={setComment} />
        {outcome === "snooze" && (
          <label>
            {t("Until")}
            <input
              type="datetime-local"
              value={until}
              required
              onInput={(e) => setUntil(e.target.value)}
            />
          </label>
        )}
        {outcome === "fraud" && (
          <p>
            {chosen.size
              ? t("{n} of {all} payments are fraud, the others become labels of no fraud.", {
                  n: chosen.size,
                  all: data.case.n_alert,
                })
              : t("All {n} payments of the case become labels of fraud.", { n: data.case.n_alert })}
          </p>
        )}
        {data.four_eyes && ["fraud", "false_positive", "unusual"].includes(outcome) && (
          <p>
            {t(
              "The amount is above the limit of four eyes: a supervisor agrees before the case is closed.",
            )}
          </p>
        )}
        <Problem text={problem} />
        <div class="row">
          <button class="main" disabled={busy}>
            {t("Decide")} <kbd>Ctrl Enter</kbd>
          </button>
          <button type="button" onClick={close}>
            {t("Cancel")} <kbd>Esc</kbd>
          </button>
        </div>
      </form>
    </Dialog>
  );
}

// What raised and lowered the score; the bars and the base add up to the logit.
function Contributions({ alert }) {
  const reasons = (alert.reasons || []).filter((r) => typeof r.contribution === "number");
  if (alert.logit === null || alert.logit === undefined || !alert.trace)
    return (
      <ul>
        {(alert.reasons || []).map((r) => (
          <li key={r.text}>{r.text}</li>
        ))}
        {alert.payment.rule && <li>{t("rule {name}", { name: alert.payment.rule })}</li>}
      </ul>
    );
  const base = alert.trace[0];
  const known = reasons.reduce((sum, r) => sum + r.contribution, 0);
  const rows = [
    { text: t("Base: before any evidence"), value: base },
    ...reasons.map((r) => ({ text: r.text, value: r.contribution })),
    { text: t("All other evidence together"), value: alert.logit - base - known },
  ];
  const most = Math.max(1e-6, ...rows.map((r) => Math.abs(r.value)));
  return (
    <table class="bars">
      <caption>
        {t("Log odds; the sum is {sum}, which is calibrated to a score of {score}", {
          sum: alert.logit.toFixed(2),
          score: score(alert.payment.score),
        })}
      </caption>
      <tbody>
        {rows.map((r, i) => (
          <tr key={i}>
            <th scope="row">{r.text}</th>
            <td class="number">{(r.value > 0 ? "+" : "") + r.value.toFixed(2)}</td>
            <td>
              <meter
                class={r.value < 0 ? "lowers" : "raises"}
                min="0"
                max={most}
                value={Math.abs(r.value)}
                aria-label={r.value < 0 ? t("lowers") : t("raises")}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// Why an alert belongs to the case.
function joined(by) {
  const [, kind, name] = /^(account|device|split by|merged by) (.*)$/s.exec(by) || [];
  const words = {
    account: t("account {name}", { name }),
    device: t("device {name}", { name }),
    "split by": t("split by {name}", { name }),
    "merged by": t("merged by {name}", { name }),
  };
  return words[kind] || t(by);
}

function Alerts({ alerts, at, setAt, chosen, toggle }) {
  const rows = alerts.map((a) => ({ ...a.payment, joined_by: a.joined_by }));
  const choose = {
    head: () => <span class="unseen">{t("Chosen")}</span>,
    cell: (p) => (
      <input
        type="checkbox"
        aria-label={p.tx_id}
        checked={chosen.has(p.seq)}
        onChange={() => toggle(p.seq)}
      />
    ),
  };
  const why = { head: () => t("Joined by"), cell: (p) => joined(p.joined_by) };
  return (
    <Payments
      label={t("Alerts")}
      rows={rows}
      mark={(p, i) => (i === at ? "here" : "")}
      click={setAt}
      shows={[choose, "time", "from", "to", "amount", "kind", "score", "decision", why]}
    />
  );
}

// Closed cases whose numbers, ring and reasons are like those of this one.
function Similar({ id }) {
  const { data, problem } = useCall(() => get("case/similar", { id }), [id]);
  if (!data) return <Problem text={problem} />;
  const fraud = data.cases.filter((c) => c.outcome === "fraud").length;
  return (
    <section>
      <h2>{t("Similar past cases")}</h2>
      {data.cases.length === 0 && <p>{t("No case with an outcome is in memory yet.")}</p>}
      {data.cases.length > 0 && (
        <p>
          {t("{fraud} of {n} were fraud; {held} closed cases are in memory.", {
            fraud,
            n: data.cases.length,
            held: count(data.held),
          })}
        </p>
      )}
      <ul>
        {data.cases.map((c) => (
          <li key={c.id}>
            <CaseLink id={c.id} /> <strong>{t(c.outcome)}</strong>,{" "}
            {t("likeness {n}", { n: c.likeness.toFixed(2) })}: {c.headline}
            {c.alike.length > 0 && (
              <p>
                <small>{t("alike: {names}", { names: c.alike.map((x) => t(x)).join(", ") })}</small>
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

const said = (e) => {
  const d = e.detail || {};
  const parts = [];
  if (d.outcome) parts.push(`${t(d.outcome)}: ${t(d.reason || "")}`);
  if (d.comment) parts.push(d.comment);
  if (d.text) parts.push(d.text);
  if (d.tx_id)
    parts.push(
      d.by
        ? t("payment {id}, by {what}", { id: d.tx_id, what: joined(d.by) })
        : t("payment {id}", { id: d.tx_id }),
    );
  if (d.owner) parts.push(t("to {name}", { name: d.owner }));
  if (d.until) parts.push(t("until {time}", { time: when(d.until) }));
  if (d.from) parts.push(t("from case {id}", { id: d.from }));
  if (d.into) parts.push(t("into case {id}", { id: d.into }));
  return parts.join(" \u00b7 ");
};

function Events({ events }) {
  return (
    <ol class="events">
      {[...events].reverse().map((e) => (
        <li key={e.id}>
          <strong>{t(e.type)}</strong> {e.actor || "R1"}{" "}
          <small>
            <Time at={e.at} />
          </small>
          {said(e) && <p>{said(e)}</p>}
        </li>
      ))}
    </ol>
  );
}

export function CasePage({ user, rest, onNews, busy }) {
  const id = Number(rest);
  const { data, problem, again } = useCall(() => get("case", { id }), [id]);
  if (!data) return <Problem text={problem} />;
  return <Shown {...{ id, user, data, problem, again, onNews, busy }} />;
}

function Shown({ id, user, data, problem, again, onNews, busy }) {
  const decides = ["analyst", "supervisor"].includes(user.role);
  const [failed, setFailed] = useState(null);
  const [form, setForm] = useState(null);
  const [at, setAt] = useState(0);
  const [chosen, setChosen] = useState(new Set());
  const [note, setNote] = useState("");
  const [other, setOther] = useState("");
  const [changed, setChanged] = useState(false);

  useEffect(
    () =>
      onNews((type, text) => {
        const [which] = text.split(" ");
        if (type === "again" || (type === "case" && which === String(id))) {
          again();
          setChanged(true);
        }
      }),
    [id],
  );
  const c = data.case;
  const alerts = data.alerts;
  const act = (path, body) =>
    post(path, { id: c.id, version: c.version, ...body }).then(
      (answer) => {
        setFailed(null);
        again();
        return answer;
      },
      (e) => {
        setFailed(e.message);
        again();
      },
    );
  const decidable = decides && !["closed", "approval"].includes(c.state);
  const toggle = (seq) =>
    setChosen((old) => {
      const now = new Set(old);
      if (!now.delete(seq)) now.add(seq);
      return now;
    });
  const take = () =>
    post("cases/take").then(
      ({ id: next }) => go(next ? casePath(next) : "queue"),
      (e) => setFailed(e.message),
    );
  const keys = {
    j: () => setAt((i) => Math.min(alerts.length - 1, i + 1)),
    k: () => setAt((i) => Math.max(0, i - 1)),
    x: () => alerts[at] && toggle(alerts[at].payment.seq),
    g: () => go(`ring/${c.id}`),
    Escape: () => go("queue"),
  };
  if (decides) {
    keys.n = take;
    keys.a = () => act("case/assign", { owner: user.name });
  }
  if (decidable)
    for (const [name, o] of Object.entries(outcomes)) keys[o.key] = () => setForm(name);
  useKeys(keys, busy || form);
  const shown = alerts[at] || alerts[0];
  return (
    <>
      <div class="row">
        <h1>
          {t("Case")} {c.id}
        </h1>
        <Severity of={c.severity} />
        <span class="tag">{t(c.outcome || c.state)}</span>
        <span>
          {t("Owner")}: {c.owner || "\u2013"}
        </span>
        {c.state !== "closed" && (
          <span>
            {t("Due")}: <Due at={c.due_at} />
          </span>
        )}
        <span>
          {t("Score")} <Score of={c.score} />
        </span>
        <span>
          {t("At risk")} <strong>{monies(c.at_risk)}</strong>
        </span>
        <span class="grow" />
        <a class="button" href={`#/ring/${c.id}`}>
          {t("Ring")} <kbd>g</kbd>
        </a>
        {decides && (
          <button onClick={take}>
            {t("Take next")} <kbd>n</kbd>
          </button>
        )}
      </div>
      <p class="headline">{c.headline}</p>
      <Problem text={failed || problem} />
      {changed && (
        <p role="status">
          {t("This case has changed and was read again; what you typed is kept.")}
        </p>
      )}
      <div class="columns">
        <div>
          <section>
            <h2>
              {t("Reasons")}{" "}
              {shown && <small>{t("payment {id}", { id: shown.payment.tx_id })}</small>}
            </h2>
            {shown && <Contributions alert={shown} />}
            {shown?.findings?.map((f) => (
              <p key={f.pattern}>
                <strong>{t(f.pattern)}</strong>: {f.accounts.length} {t("Accounts")},{" "}
                {f.payments.length} {t("Payments")}
              </p>
            ))}
            {shown?.would?.map((w) => (
              <p key={w.rule}>
                {t("Rule {rule} would have said {action} ({why}).", {
                  rule: w.rule,
                  action: t(w.action),
                  why: t(w.why),
                })}
              </p>
            ))}
          </section>
          <section>
            <h2>
              {t("Alerts")} ({c.n_alert}
              {c.n_alert > alerts.length
                ? t(", the newest {n} are shown", { n: alerts.length })
                : ""}
              )
            </h2>
            <Alerts alerts={alerts} at={at} setAt={setAt} chosen={chosen} toggle={toggle} />
          </section>
          <section>
            <h2>{t("Members")}</h2>
            <p class="chips">
              {data.members.map((m) => (
                <a
                  key={m.kind + m.name}
                  class={m.joins ? "chip" : "chip hub"}
                  href={m.kind === "account" ? `#/${accountPath(m.name)}` : undefined}
                  title={m.joins ? "" : t("so many pay it that it joins no alerts")}
                >
                  {m.kind === "device" ? t("device {name}", { name: m.name }) : m.name}
                </a>
              ))}
            </p>
          </section>
          <Similar id={id} />
          {data.related.length > 0 && (
            <section>
              <h2>{t("Related")}</h2>
              <ul>
                {data.related.map((r) => (
                  <li key={r.id}>
                    <CaseLink id={r.id} /> {t(r.outcome || r.state)}, {r.shared} {t("Members")}:{" "}
                    {r.headline}
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
        <aside aria-label={t("Decision and history")}>
          {decidable && (
            <section class="decide">
              <h2>{t("Decision")}</h2>
              {Object.entries(outcomes).map(([name, o]) => (
                <button key={name} onClick={() => setForm(name)}>
                  {t(o.label)} <kbd>{o.key}</kbd>
                </button>
              ))}
            </section>
          )}
          {c.state === "approval" && (
            <section class="decide">
              <h2>{t("approval")}</h2>
              <p>
                {t("{name} proposes: {outcome} ({reason})", {
                  name: c.proposed_by,
                  outcome: t(outcomes[c.outcome]?.label || c.outcome),
                  reason: t(c.reason_code || ""),
                })}
              </p>
              {user.role === "supervisor" && user.name !== c.proposed_by && (
                <>
                  <button onClick={() => act("case/approve", { agrees: true })}>
                    {t("Approve")}
                  </button>
                  <button onClick={() => act("case/approve", { agrees: false })}>
                    {t("Refuse")}
                  </button>
                </>
              )}
            </section>
          )}
          {decides && (
            <section class="decide">
              {c.state !== "closed" && c.owner !== user.name && (
                <button onClick={() => act("case/assign", { owner: user.name })}>
                  {t("Assign to me")} <kbd>a</kbd>
                </button>
              )}
              {c.state !== "closed" && c.owner && (
                <button onClick={() => act("case/assign", {})}>{t("Release")}</button>
              )}
              {c.state !== "open" && !c.merged_into && (
                <button onClick={() => act("case/reopen", { comment: t("Looked at again.") })}>
                  {t("Reopen")}
                </button>
              )}
              {decidable && chosen.size > 0 && chosen.size < c.n_alert && (
                <button
                  onClick={() =>
                    act("case/split", { payments: [...chosen] }).then(
                      (r) => r && go(casePath(r.id)),
                    )
                  }
                >
                  {t("Split")} ({chosen.size})
                </button>
              )}
              {decidable && (
                <form
                  class="row"
                  onSubmit={(e) => {
                    e.preventDefault();
                    act("case/merge", { from: Number(other) }).then(() => setOther(""));
                  }}
                >
                  <label>
                    {t("Case")}{" "}
                    <input
                      type="number"
                      min="1"
                      required
                      value={other}
                      onInput={(e) => setOther(e.target.value)}
                    />
                  </label>
                  <button>{t("Merge")}</button>
                </form>
              )}
            </section>
          )}
          {data.labels.length > 0 && (
            <section>
              <h2>{t("Labels")}</h2>
              <p>
                {t("{fraud} fraud, {other} not; {waiting} wait for the topic.", {
                  fraud: data.labels.filter((l) => l.is_fraud).length,
                  other: data.labels.filter((l) => !l.is_fraud).length,
                  waiting: data.labels.filter((l) => !l.sent_at).length,
                })}
              </p>
            </section>
          )}
          <section>
            <h2>{t("History")}</h2>
            {decides && (
              <form
                onSubmit={(e) => {
                  e.preventDefault();
                  post("case/note", { id: c.id, text: note }).then(
                    () => (setNote(""), again()),
                    (x) => setFailed(x.message),
                  );
                }}
              >
                <label>
                  {t("Add note")}
                  <textarea
                    value={note}
                    required
                    maxLength={4000}
                    onInput={(e) => setNote(e.target.value)}
                  />
                </label>
                <button>{t("Add note")}</button>
              </form>
            )}
            <Events events={data.events} />
          </section>
        </aside>
      </div>
      {form && (
        <Decide
          data={data}
          outcome={form}
          chosen={chosen}
          close={() => setForm(null)}
          done={() => {
            setForm(null);
            setChosen(new Set());
            again();
          }}
        />
      )}
    </>
  );
}
