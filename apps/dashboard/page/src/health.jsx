// SPDX-License-Identifier: Apache-2.0
// health.jsx - whether the stream is decided in time, and what could not be.
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, post } from "./api.js";
import { ago, count } from "./format.js";
import { Plot } from "./plot.jsx";
import { Dialog, Problem, Said, Time, Wide, useCall } from "./parts.jsx";
import { t } from "./words.js";

// Prometheus text as {name: [{labels, value}]}.
export function parse(text) {
  const out = {};
  for (const line of text.split("\n")) {
    const m = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$/.exec(line);
    if (m) (out[m[1]] ||= []).push({ labels: m[2] || "", value: Number(m[3]) });
  }
  return out;
}

const sum = (rows) => (rows ? rows.reduce((s, r) => s + r.value, 0) : null);
const most = (rows) => (rows ? Math.max(...rows.map((r) => r.value)) : null);

function Service() {
  const [metrics, setMetrics] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    const read = () =>
      fetch("/api/v1/metrics/fraud", { credentials: "same-origin" }).then(
        async (r) => {
          const text = await r.text();
          if (r.ok) {
            setMetrics(parse(text));
            setProblem(null);
          } else {
            setProblem(JSON.parse(text).error);
          }
        },
        () => setProblem(t("The server does not answer.")),
      );
    read();
    const turn = setInterval(read, 5000);
    return () => clearInterval(turn);
  }, []);
  if (!metrics) return <p>{problem || "\u2026"}</p>;
  const facts = [
    [t("lag, messages"), sum(metrics.r1_fraud_lag_messages)],
    [t("lag, seconds"), most(metrics.r1_fraud_lag_seconds)],
    [t("in flight"), sum(metrics.r1_fraud_in_flight_records)],
    [t("dead letters"), sum(metrics.r1_fraud_dead_letters_total)],
    [t("PostgreSQL reconnects"), sum(metrics.r1_fraud_postgres_reconnects_total)],
    [t("outbox behind, rows"), sum(metrics.r1_fraud_outbox_behind_rows)],
    [t("Kafka clients renewed"), sum(metrics.r1_fraud_producer_renewals_total)],
    [t("snapshots"), sum(metrics.r1_fraud_snapshots_total)],
    [t("partitions owned"), sum(metrics.r1_fraud_owned_partitions)],
  ].filter(([, value]) => value !== null && value !== undefined);
  const drift = (metrics.r1_fraud_drift_psi || []).sort((a, b) => b.value - a.value).slice(0, 8);
  return (
    <>
      <Problem text={problem} />
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{Number.isInteger(value) ? count(value) : value.toFixed(1)}</dd>
          </div>
        ))}
      </dl>
      {drift.length > 0 && (
        <>
          <h3>
            {t("Drift: columns that have changed most (population stability, above .25 is much)")}
          </h3>
          <ul>
            {drift.map((d) => (
              <li key={d.labels}>
                {d.labels.replace(/[{}"]/g, "")}: {d.value.toFixed(3)}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

// One letter: what r1-fraud says of it, and its payload, mended and sent again.
function Letter({ id, close, done }) {
  const { data, problem } = useCall(() => post("dead/show", { id }), [id]);
  const [payload, setPayload] = useState("");
  const [said, setSaid] = useState(null);
  const [failed, setFailed] = useState(null);
  const mend = (send) =>
    post("dead/mend", { id, payload, send }).then(
      (a) => {
        setSaid(a);
        setFailed(null);
        if (send && a.code === 0) done();
      },
      (e) => setFailed(e.message),
    );
  return (
    <Dialog title={t("Dead letter {id}", { id })} close={close} wide>
      <Problem text={failed || problem} />
      <Said answer={data} />
      <label>
        {t("The new payload")}
        <textarea
          rows={6}
          spellcheck={false}
          maxLength={60000}
          value={payload}
          onInput={(e) => setPayload(e.target.value)}
        />
      </label>
      <Said answer={said} />
      <div class="row">
        <button disabled={!payload.trim()} onClick={() => mend(false)}>
          {t("Check")}
        </button>
        <button class="main" disabled={!payload.trim()} onClick={() => mend(true)}>
          {t("Send again")}
        </button>
        <button onClick={close}>{t("Cancel")}</button>
      </div>
    </Dialog>
  );
}

// Letters of one reason, the newest first.
function Letters({ user, reason, changed }) {
  const { data, problem, again } = useCall(
    () => get("dead", { stage: reason.stage, reason: reason.reason }),
    [reason],
  );
  const [shown, setShown] = useState(null);
  const mends = user.tools && user.role === "supervisor";
  return (
    <>
      <h3>
        {reason.stage}: {reason.reason}
      </h3>
      <Problem text={problem} />
      <Wide label={t("Letters")}>
        <thead>
          <tr>
            <th scope="col" class="number">
              {t("Letter")}
            </th>
            <th scope="col">{t("Reason")}</th>
            <th scope="col">{t("Topic")}</th>
            <th scope="col">{t("Time")}</th>
          </tr>
        </thead>
        <tbody>
          {(data?.letters || []).map((l) => (
            <tr key={l.id}>
              <td class="number">
                {mends ? <button onClick={() => setShown(l.id)}>{l.id}</button> : l.id}
              </td>
              <td>{l.reason}</td>
              <td>
                {l.topic} {l.partition}/{l.offset}
              </td>
              <td>
                <Time at={l.received_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </Wide>
      {data?.letters.length === 50 && <p>{t("The newest 50 are shown.")}</p>}
      {shown && (
        <Letter
          id={shown}
          close={() => setShown(null)}
          done={() => (setShown(null), again(), changed())}
        />
      )}
    </>
  );
}

function Dead({ user, reasons, again }) {
  const [chosen, setChosen] = useState(null);
  if (!reasons.length) return <p>{t("None.")}</p>;
  return (
    <>
      <Wide label={t("Dead letters that wait")}>
        <thead>
          <tr>
            <th scope="col">{t("Program")}</th>
            <th scope="col">{t("Stage")}</th>
            <th scope="col">{t("Reason")}</th>
            <th scope="col" class="number">
              {t("Letters")}
            </th>
            <th scope="col">{t("Last")}</th>
          </tr>
        </thead>
        <tbody>
          {reasons.map((d) => (
            <tr key={d.app + d.stage + d.reason}>
              <td>{d.app}</td>
              <td>{d.stage}</td>
              <td>
                {d.app === "fraud" ? (
                  <button onClick={() => setChosen(d)}>{d.reason}</button>
                ) : (
                  d.reason
                )}
              </td>
              <td class="number">{count(d.n)}</td>
              <td>
                <Time at={d.last_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </Wide>
      {chosen && <Letters user={user} reason={chosen} changed={again} />}
    </>
  );
}

export function Health({ user }) {
  const { data, problem, again } = useCall(() => get("health"), []);
  useEffect(() => {
    const turn = setInterval(again, 10000);
    return () => clearInterval(turn);
  }, []);
  const rate = useMemo(() => {
    if (!data) return null;
    const x = data.minutes.map((m) => Date.parse(m[0]) / 1000);
    return {
      x,
      rate: [
        { label: t("decided a minute"), values: data.minutes.map((m) => m[1]), colour: "--accent" },
        {
          label: t("alerts a minute"),
          values: data.minutes.map((m) => m[2]),
          colour: "--bad",
          dash: [6, 4],
        },
      ],
      latency: [
        {
          label: "p50 ms",
          values: data.minutes.map((m) => (m[3] === null ? null : m[3] / 1000)),
          colour: "--accent",
        },
        {
          label: "p99 ms",
          values: data.minutes.map((m) => (m[4] === null ? null : m[4] / 1000)),
          colour: "--warn",
          dash: [6, 4],
        },
        {
          label: "p99.9 ms",
          values: data.minutes.map((m) => (m[5] === null ? null : m[5] / 1000)),
          colour: "--bad",
          dash: [2, 3],
        },
      ],
    };
  }, [data]);
  if (!data) return <Problem text={problem} />;
  return (
    <>
      <h1>{t("Health")}</h1>
      <Problem text={problem} />
      <p>
        {data.last_decided_at
          ? t("The last decision was made {when}.", { when: ago(data.last_decided_at) })
          : t("No decision was made yet.")}{" "}
        {t("The plots show at most the last hour and the last 200,000 decisions.")}
      </p>
      {rate.x.length > 1 && (
        <div class="columns even">
          <Plot
            title={t("Decisions a minute")}
            x={rate.x}
            lines={rate.rate}
            time
            summary={t("{n} in the last minute", { n: data.minutes.at(-1)[1] })}
          />
          <Plot
            title={t("From sent to decided, ms")}
            x={rate.x}
            lines={rate.latency}
            time
            summary={t("p99 {n} ms in the last minute", {
              n: (data.minutes.at(-1)[4] / 1000 || 0).toFixed(1),
            })}
          />
        </div>
      )}
      <section>
        <h2>{t("r1-fraud serve, now")}</h2>
        <Service />
      </section>
      <section>
        <h2>{t("Streams")}</h2>
        <Wide label={t("Table")}>
          <thead>
            <tr>
              <th scope="col">{t("Program")}</th>
              <th scope="col">{t("Topic")}</th>
              <th scope="col" class="number">
                {t("Partitions")}
              </th>
              <th scope="col" class="number">
                {t("Messages")}
              </th>
              <th scope="col">{t("Moved")}</th>
              <th scope="col">{t("Owner")}</th>
            </tr>
          </thead>
          <tbody>
            {data.streams.map((s) => (
              <tr key={s.app + s.topic}>
                <td>{s.app}</td>
                <td>{s.topic}</td>
                <td class="number">{s.partitions}</td>
                <td class="number">{count(s.next_offset)}</td>
                <td>{ago(s.moved_at)}</td>
                <td>{s.owners.join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </Wide>
      </section>
      <section>
        <h2>{t("What could not be decided by a score in the last day")}</h2>
        {data.unscorable.length ? (
          <ul>
            {data.unscorable.map((u) => (
              <li key={u.rule}>
                {u.rule}: {count(u.n)}
              </li>
            ))}
          </ul>
        ) : (
          <p>{t("Nothing.")}</p>
        )}
      </section>
      <section>
        <h2>{t("Dead letters that wait")}</h2>
        <Dead user={user} reasons={data.dead_letters} again={again} />
      </section>
      <section>
        <h2>{t("Versions in use")}</h2>
        <ul>
          {data.versions.map((v) => (
            <li key={v.version}>
              {t(v.kind)} <code>{v.version}</code> {v.detail.slice(0, 120)}{" "}
              <small>
                {t("since")} <Time at={v.first_used_at} />
              </small>
            </li>
          ))}
        </ul>
        <p>{t("{n} labels wait for their topic.", { n: count(data.labels_waiting) })}</p>
      </section>
    </>
  );
}
