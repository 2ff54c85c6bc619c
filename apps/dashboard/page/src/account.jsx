// SPDX-License-Identifier: Apache-2.0
// account.jsx - the payments of one account, newest first, with those that were stopped marked.
import { useState } from "preact/hooks";
import { get } from "./api.js";
import { CaseLink, Problem, useCall } from "./parts.jsx";
import { Account, Payments } from "./payments.jsx";
import { t } from "./words.js";

export function Accounts({ rest }) {
  const { data, problem } = useCall(() => get("account", { name: rest }), [rest]);
  const [older, setOlder] = useState([]);
  const [failed, setFailed] = useState(null);
  if (!data) return <Problem text={problem} />;
  const rows = [...data.payments, ...older];
  const more = () =>
    get("account", { name: rest, before: rows.at(-1).ts.replace("+00:00", "Z") }).then(
      (answer) => setOlder([...older, ...answer.payments]),
      (e) => setFailed(e.message),
    );
  return (
    <>
      <h1>{rest}</h1>
      <Problem text={failed || problem} />
      {data.cases.length > 0 && (
        <ul>
          {data.cases.map((c) => (
            <li key={c.id}>
              <CaseLink id={c.id} /> {t(c.outcome || c.state)}: {c.headline}
            </li>
          ))}
        </ul>
      )}
      <Payments
        label={t("Payments")}
        rows={rows}
        mark={(p) => (p.decision && p.decision !== "allow" ? "alerted" : "")}
        shows={[
          "time",
          {
            head: () => t("Direction"),
            cell: (p) => (p.from === rest ? `\u2192 ${t("out")}` : `\u2190 ${t("in")}`),
          },
          {
            head: () => t("Other side"),
            cell: (p) => <Account name={p.from === rest ? p.to : p.from} />,
          },
          "amount",
          "kind",
          "score",
          "decision",
        ]}
      />
      {rows.length > 0 && rows.length % 100 === 0 && (
        <button class="wide" onClick={more}>
          {t("More")}
        </button>
      )}
      {!rows.length && <p>{t("Nothing here.")}</p>}
    </>
  );
}
