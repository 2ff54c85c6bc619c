// SPDX-License-Identifier: Apache-2.0
// case.jsx - one case: what is known, why it was stopped, and what a person decides.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, post } from "./api.js";
import { money, monies, when } from "./format.js";
import { accountPath, casePath, go } from "./go.js";
import {
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
import { outcomes, t } from "./words.js";

const tomorrow = () => new Date(Date.now() + 24 * 3600000).toISOString().slice(0, 16);

function Decide({ data, outcome, chosen, close, done }) {
  const rows = outcomes[outcome].reasons;
  const [reason, setReason] = useState(rows[0][0]);
  const [comment, setComment] = useState(rows[0][1]);
  const [until, setUntil] = useState(tomorrow());
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const form = useRef(null);
  const pick = (i) => {
    if (!rows[i]) return;
    setReason(rows[i][0]);
    setComment(rows[i][1]);
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
                  <kbd>{i + 1}</kbd> {code.replaceAll("_", " ")} <small>{text}</small>
                </button>
              </li>
            ))}
          </ul>
        </fieldset>
        <Comment value={comment} set={setComment} />
        {outcome === "snooze" && (
          <label>
            Until
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
              ? `${chosen.size} of ${data.case.n_alert} payments are fraud, the others become ` +
                "labels of no fraud."
              : `All ${data.case.n_alert} payments of the case become labels of fraud.`}
          </p>
        )}
        {data.four_eyes && ["fraud", "false_positive", "unusual"].includes(outcome) && (
          <p>
            The amount is above the limit of four eyes: a supervisor agrees before the case is
            closed.
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
        {alert.payment.rule && <li>rule {alert.payment.rule}</li>}
      </ul>
    );
  const base = alert.trace[0];
  const known = reasons.reduce((sum, r) => sum + r.contribution, 0);
  const rows = [
    { text: "Base: before any evidence", value: base },
    ...reasons.map((r) => ({ text: r.text, value: r.contribution })),
    { text: "All other evidence together", value: alert.logit - base - known },
  ];
  const most = Math.max(1e-6, ...rows.map((r) => Math.abs(r.value)));
  return (
    <table class="bars">
      <caption>
        Log odds; the sum is {alert.logit.toFixed(2)}, which is calibrated to a score of{" "}
        <Score of={alert.payment.score} />
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
                aria-label={r.value < 0 ? "lowers" : "raises"}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Alerts({ alerts, at, setAt, chosen, toggle }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("Alerts")}>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">
              <span class="unseen">Chosen</span>
            </th>
            <th scope="col">{t("Time")}</th>
            <th scope="col">{t("From")}</th>
            <th scope="col">{t("To")}</th>
            <th scope="col" class="number">
              {t("Amount")}
            </th>
            <th scope="col">{t("Kind")}</th>
            <th scope="col" class="number">
              {t("Score")}
            </th>
            <th scope="col">{t("Decision")}</th>
            <th scope="col">Joined by</th>
          </tr>
        </thead>
        <tbody>
          {alerts.map((a, i) => (
            <tr key={a.payment.seq} class={i === at ? "here" : ""} onClick={() => setAt(i)}>
              <td>
                <input
                  type="checkbox"
                  aria-label={a.payment.tx_id}
                  checked={chosen.has(a.payment.seq)}
                  onChange={() => toggle(a.payment.seq)}
                />
              </td>
              <td>
                <Time at={a.payment.ts} />
              </td>
              <td>
                <a href={`#/${accountPath(a.payment.from || "")}`}>{a.payment.from}</a>
              </td>
              <td>
                <a href={`#/${accountPath(a.payment.to || "")}`}>{a.payment.to}</a>
              </td>
              <td class="number">{money(a.payment)}</td>
              <td>{a.payment.kind}</td>
              <td class="number">
                <Score of={a.payment.score} />
              </td>
              <td>
                {a.payment.rule ? `${a.payment.decision} (${a.payment.rule})` : a.payment.decision}
              </td>
              <td>{a.joined_by}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const said = (e) => {
  const d = e.detail || {};
  const parts = [];
  if (d.outcome)
    parts.push(`${d.outcome.replaceAll("_", " ")}: ${(d.reason || "").replaceAll("_", " ")}`);
  if (d.comment) parts.push(d.comment);
  if (d.text) parts.push(d.text);
  if (d.tx_id) parts.push(`payment ${d.tx_id}${d.by ? `, by ${d.by}` : ""}`);
  if (d.owner) parts.push(`to ${d.owner}`);
  if (d.until) parts.push(`until ${when(d.until)}`);
  if (d.from) parts.push(`from case ${d.from}`);
  if (d.into) parts.push(`into case ${d.into}`);
  return parts.join(" \u00b7 ");
};

function Events({ events }) {
  return (
    <ol class="events">
      {[...events].reverse().map((e) => (
        <li key={e.id}>
          <strong>{e.type}</strong> {e.actor || "R1"}{" "}
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
        <p role="status">This case has changed and was read again; what you typed is kept.</p>
      )}
      <div class="columns">
        <div>
          <section>
            <h2>
              {t("Reasons")} {shown && <small>payment {shown.payment.tx_id}</small>}
            </h2>
            {shown && <Contributions alert={shown} />}
            {shown?.findings?.map((f) => (
              <p key={f.pattern}>
                <strong>{f.pattern.replaceAll("_", " ")}</strong>: {f.accounts.length}{" "}
                {t("Accounts")}, {f.payments.length} {t("Payments")}
              </p>
            ))}
            {shown?.would?.map((w) => (
              <p key={w.rule}>
                Rule {w.rule} would have said {w.action} ({w.why}).
              </p>
            ))}
          </section>
          <section>
            <h2>
              {t("Alerts")} ({c.n_alert}
              {c.n_alert > alerts.length ? `, the newest ${alerts.length} are shown` : ""})
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
                  title={m.joins ? "" : "so many pay it that it joins no alerts"}
                >
                  {m.kind === "device" ? `device ${m.name}` : m.name}
                </a>
              ))}
            </p>
          </section>
          {data.related.length > 0 && (
            <section>
              <h2>{t("Related")}</h2>
              <ul>
                {data.related.map((r) => (
                  <li key={r.id}>
                    <a href={`#/${casePath(r.id)}`}>
                      {t("Case")} {r.id}
                    </a>{" "}
                    {t(r.outcome || r.state)}, {r.shared} {t("Members")}: {r.headline}
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
        <aside aria-label="Decision and history">
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
                {c.proposed_by} proposes: {t(outcomes[c.outcome]?.label || c.outcome)} (
                {(c.reason_code || "").replaceAll("_", " ")})
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
                <button onClick={() => act("case/reopen", { comment: "Looked at again." })}>
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
              <h2>Labels</h2>
              <p>
                {data.labels.filter((l) => l.is_fraud).length} fraud,{" "}
                {data.labels.filter((l) => !l.is_fraud).length} not;{" "}
                {data.labels.filter((l) => !l.sent_at).length} wait for the topic.
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
