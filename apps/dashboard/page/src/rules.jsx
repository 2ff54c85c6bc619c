// SPDX-License-Identifier: Apache-2.0
// rules.jsx - what a threshold would cost and catch, and what each rule and the model have brought.
import { useMemo, useState } from "preact/hooks";
import { get, post } from "./api.js";
import { count, percent, span } from "./format.js";
import { Plot } from "./plot.jsx";
import { Problem, Said, Wide, useCall } from "./parts.jsx";
import { t } from "./words.js";

// At a threshold: payments of that score and above, of all and of those whose truth is known.
function above(data, threshold) {
  const from = Math.round(threshold * 100);
  let alerts = 0;
  for (const [bin, n] of data.bins) if (bin >= from) alerts += n;
  const known = { fraud: 0, other: 0, caught: 0, wrong: 0, money: 0, saved: 0 };
  for (const [bin, fraud, other, amount] of data.known) {
    known.fraud += fraud;
    known.other += other;
    known.money += amount;
    if (bin < from) continue;
    known.caught += fraud;
    known.wrong += other;
    known.saved += amount;
  }
  return {
    alerts,
    perDay: data.seconds > 0 ? (alerts * 86400) / data.seconds : null,
    precision: known.caught + known.wrong ? known.caught / (known.caught + known.wrong) : null,
    recall: known.fraud ? known.caught / known.fraud : null,
    saved: known.money ? known.saved / known.money : null,
    known,
  };
}

function Thresholds() {
  const { data, problem } = useCall(() => get("thresholds"), []);
  const [chosen, setChosen] = useState(null);
  const bins = useMemo(() => {
    if (!data) return null;
    const of = new Map(data.bins);
    const x = Array.from({ length: 100 }, (_, i) => i / 100);
    return {
      x,
      lines: [
        {
          label: t("payments (log10)"),
          values: x.map((_, i) => Math.log10(1 + (of.get(i) || 0))),
          colour: "--accent",
          bars: true,
        },
      ],
    };
  }, [data]);
  if (!data) return <Problem text={problem} />;
  if (!data.payments) return <p>{t("No payment has a score yet.")}</p>;
  const threshold = chosen ?? (data.lowest === null ? 0.5 : Math.floor(data.lowest * 100) / 100);
  const at = above(data, threshold);
  return (
    <section>
      <h2>{t("Threshold")}</h2>
      <p>
        {t("The last {n} scored payments, {span} of the stream; the truth of {known} is known.", {
          n: count(data.payments),
          span: span(data.seconds || 0),
          known: count(at.known.fraud + at.known.other),
        })}{" "}
        {data.lowest === null
          ? t("No score is in review.")
          : t("The lowest score in review is {score}.", { score: data.lowest.toFixed(3) })}
      </p>
      <label>
        {t("Threshold")}: {threshold.toFixed(2)}
        <input
          type="range"
          min="0"
          max="0.99"
          step="0.01"
          value={threshold}
          onInput={(e) => setChosen(Number(e.target.value))}
        />
      </label>
      <dl class="facts" aria-live="polite">
        <div>
          <dt>{t("payments in review")}</dt>
          <dd>{count(at.alerts)}</dd>
        </div>
        <div>
          <dt>{t("a day, at this rate")}</dt>
          <dd>{at.perDay === null ? "\u2013" : count(Math.round(at.perDay))}</dd>
        </div>
        <div>
          <dt>{t("Precision, of known")}</dt>
          <dd>{percent(at.precision)}</dd>
        </div>
        <div>
          <dt>{t("Recall, of known")}</dt>
          <dd>{percent(at.recall)}</dd>
        </div>
        <div>
          <dt>{t("fraud money in review, of known")}</dt>
          <dd>{percent(at.saved)}</dd>
        </div>
      </dl>
      <Plot
        title={t("Scores of payments")}
        x={bins.x}
        lines={bins.lines}
        summary={t("{n} payments at or above {threshold}", { n: at.alerts, threshold })}
      />
      <p>
        {t(
          "A threshold changes nothing here. Put it into the settings, and try it over stored history before:",
        )}{" "}
        <code>r1-fraud config try FILE --since 7d</code>.
      </p>
    </section>
  );
}

// What a change would have done to stored payments: r1-fraud config try, run by the server.
function Try() {
  const [said, setSaid] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const send = (e) => {
    e.preventDefault();
    const f = new FormData(e.target);
    const body = { since: `${f.get("days")}d` };
    for (const name of ["rules", "allow_list", "block_list"])
      if (f.get(name).trim()) body[name] = f.get(name);
    if (f.get("review_at") !== "") body.review_at = Number(f.get("review_at"));
    if (f.get("alerts_per_day") !== "") body.alerts_per_day = Number(f.get("alerts_per_day"));
    setBusy(true);
    post("try", body)
      .then(
        (a) => (setSaid(a), setProblem(null)),
        (x) => setProblem(x.message),
      )
      .then(() => setBusy(false));
  };
  return (
    <section>
      <h2>{t("Try a change over stored payments")}</h2>
      <p>
        {t(
          "What is left empty stays as it is. Nothing changes: r1-fraud decides the stored payments by both policies.",
        )}
      </p>
      <form onSubmit={send}>
        <div class="row filter">
          <label>
            {t("Days")}
            <input type="number" name="days" min="1" max="36500" value="7" required />
          </label>
          <label>
            {t("Review from score")}
            <input type="number" name="review_at" min="0" max="1" step="any" />
          </label>
          <label>
            {t("Alerts a day")}
            <input type="number" name="alerts_per_day" min="0" max="1000000000" />
          </label>
        </div>
        <label>
          {t("Rules")}
          <textarea name="rules" rows={4} spellcheck={false} maxLength={60000} />
        </label>
        <div class="columns even">
          <label>
            {t("Accounts that pass")}
            <textarea name="allow_list" rows={3} spellcheck={false} maxLength={60000} />
          </label>
          <label>
            {t("Accounts that are blocked")}
            <textarea name="block_list" rows={3} spellcheck={false} maxLength={60000} />
          </label>
        </div>
        <button class="main" disabled={busy}>
          {busy ? t("At work\u2026") : t("Try")}
        </button>
      </form>
      <Problem text={problem} />
      <Said answer={said} />
    </section>
  );
}

export function Rules({ user }) {
  const [days, setDays] = useState(7);
  const { data, problem } = useCall(() => get("rules", { days }), [days]);
  return (
    <>
      <h1>{t("Rules and models")}</h1>
      <Thresholds />
      {user.tools && user.role === "supervisor" && <Try />}
      <section>
        <h2>{t("What each rule has brought")}</h2>
        <label>
          {t("Days")}
          <select value={days} onChange={(e) => setDays(Number(e.target.value))}>
            {[1, 7, 28, 90].map((d) => (
              <option key={d} value={d}>
                {d}
              </option>
            ))}
          </select>
        </label>
        <Problem text={problem} />
        {data && (
          <div class="scroll" tabIndex={0} role="region" aria-label={t("Rules")}>
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">{t("Rule")}</th>
                  <th scope="col" class="number">
                    {t("Hits")}
                  </th>
                  <th scope="col" class="number">
                    {t("Closed cases")}
                  </th>
                  <th scope="col" class="number">
                    {t("Confirmed fraud")}
                  </th>
                  <th scope="col" class="number">
                    {t("False positive")}
                  </th>
                  <th scope="col" class="number">
                    {t("Legitimate but unusual")}
                  </th>
                  <th scope="col" class="number">
                    {t("Not decided")}
                  </th>
                  <th scope="col" class="number">
                    {t("Precision")}
                  </th>
                </tr>
              </thead>
              <tbody>
                {data.rules.map((r) => {
                  const decided = r.fraud + r.false_positive + r.unusual;
                  return (
                    <tr key={r.rule}>
                      <td>{r.rule || t("model and threshold")}</td>
                      <td class="number">{count(r.hits)}</td>
                      <td class="number">{count(r.cases)}</td>
                      <td class="number">{count(r.fraud)}</td>
                      <td class="number">{count(r.false_positive)}</td>
                      <td class="number">{count(r.unusual)}</td>
                      <td class="number">{count(r.open)}</td>
                      <td class="number">{decided ? percent(r.fraud / decided) : "\u2013"}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        )}
        {data && data.shadows.length > 0 && (
          <>
            <h3>
              {t("What rules in shadow, or above their cap, would have done to these payments")}
            </h3>
            <Wide label={t("Table")}>
              <thead>
                <tr>
                  <th scope="col">{t("Rule")}</th>
                  <th scope="col">{t("Action")}</th>
                  <th scope="col">{t("Why it did not")}</th>
                  <th scope="col" class="number">
                    {t("Hits")}
                  </th>
                </tr>
              </thead>
              <tbody>
                {data.shadows.map((s) => (
                  <tr key={s.rule + s.action + s.why}>
                    <td>{s.rule}</td>
                    <td>{t(s.action)}</td>
                    <td>{t(s.why)}</td>
                    <td class="number">{count(s.hits)}</td>
                  </tr>
                ))}
              </tbody>
            </Wide>
          </>
        )}
      </section>
    </>
  );
}
