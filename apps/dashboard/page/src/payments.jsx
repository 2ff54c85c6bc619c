// SPDX-License-Identifier: Apache-2.0
// payments.jsx - payments as a table; each page chooses its columns and adds its own.
import { money } from "./format.js";
import { accountPath } from "./go.js";
import { Score, Time, Wide } from "./parts.jsx";
import { t } from "./words.js";

export const Account = ({ name }) =>
  name ? <a href={`#/${accountPath(name)}`}>{name}</a> : <span>{"\u2013"}</span>;

const decided = (p) => {
  const text = p.decision ? t(p.decision) : "";
  const sign = p.decision && p.decision !== "allow" ? "\u26a0 " : "";
  return sign + (p.rule ? `${text} (${p.rule})` : text);
};

const columns = {
  time: { head: () => t("Time"), cell: (p) => <Time at={p.ts} /> },
  from: { head: () => t("From"), cell: (p) => <Account name={p.from} /> },
  to: { head: () => t("To"), cell: (p) => <Account name={p.to} /> },
  amount: { head: () => t("Amount"), number: true, cell: money },
  kind: { head: () => t("Kind"), cell: (p) => t(p.kind || "") },
  score: { head: () => t("Score"), number: true, cell: (p) => <Score of={p.score} /> },
  decision: { head: () => t("Decision"), cell: decided },
};

// shows: names of columns, or own ones as {head, cell, number}; mark: the class of a row.
export function Payments({ label, rows, shows, mark, click }) {
  const shown = shows.map((c) => (typeof c === "string" ? columns[c] : c));
  return (
    <Wide label={label}>
      <thead>
        <tr>
          {shown.map((c, k) => (
            <th scope="col" key={k} class={c.number ? "number" : undefined}>
              {c.head()}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((p, i) => (
          <tr key={p.seq} class={mark?.(p, i) || ""} onClick={click && (() => click(i))}>
            {shown.map((c, k) => (
              <td key={k} class={c.number ? "number" : undefined}>
                {c.cell(p, i)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </Wide>
  );
}
