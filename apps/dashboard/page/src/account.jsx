// SPDX-License-Identifier: Apache-2.0
// account.jsx - the payments of one account, newest first, with those that were stopped marked.
import { useState } from "preact/hooks";
import { get } from "./api.js";
import { money } from "./format.js";
import { accountPath, casePath } from "./go.js";
import { Problem, Score, Time, useCall } from "./parts.jsx";
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
              <a href={`#/${casePath(c.id)}`}>
                {t("Case")} {c.id}
              </a>{" "}
              {t(c.outcome || c.state)}: {c.headline}
            </li>
          ))}
        </ul>
      )}
      <div class="scroll" tabIndex={0} role="region" aria-label={t("Payments")}>
        <table class="list">
          <thead>
            <tr>
              <th scope="col">{t("Time")}</th>
              <th scope="col">Direction</th>
              <th scope="col">Other side</th>
              <th scope="col" class="number">
                {t("Amount")}
              </th>
              <th scope="col">{t("Kind")}</th>
              <th scope="col" class="number">
                {t("Score")}
              </th>
              <th scope="col">{t("Decision")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((p) => (
              <tr key={p.seq} class={p.decision && p.decision !== "allow" ? "alerted" : ""}>
                <td>
                  <Time at={p.ts} />
                </td>
                <td>{p.from === rest ? "\u2192 out" : "\u2190 in"}</td>
                <td>
                  <a href={`#/${accountPath((p.from === rest ? p.to : p.from) || "")}`}>
                    {p.from === rest ? p.to : p.from}
                  </a>
                </td>
                <td class="number">{money(p)}</td>
                <td>{p.kind}</td>
                <td class="number">
                  <Score of={p.score} />
                </td>
                <td>{p.decision !== "allow" ? `\u26a0 ${p.decision}` : p.decision}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > 0 && rows.length % 100 === 0 && (
        <button class="wide" onClick={more}>
          {t("More")}
        </button>
      )}
      {!rows.length && <p>{t("Nothing here.")}</p>}
    </>
  );
}
