// SPDX-License-Identifier: Apache-2.0
// palette.jsx - commands, and search over cases, payments and accounts, in one list.
import { useEffect, useState } from "preact/hooks";
import { get } from "./api.js";
import { accountPath, casePath, go } from "./go.js";
import { Dialog } from "./parts.jsx";
import { t } from "./words.js";

function found(answer, q) {
  const rows = [];
  for (const id of answer.cases)
    rows.push({ label: `${t("Case")} ${id}`, run: () => go(casePath(id)) });
  for (const p of answer.payments)
    rows.push({
      label: `${p.tx_id}: ${p.from} \u2192 ${p.to}${p.case ? `, ${t("Case")} ${p.case}` : ""}`,
      run: () => go(p.case ? casePath(p.case) : accountPath(p.from)),
    });
  const names = new Set(answer.accounts);
  if (answer.account) names.add(q);
  for (const name of names) rows.push({ label: `${name}`, run: () => go(accountPath(name)) });
  return rows;
}

export function Palette({ commands, user, close }) {
  const [q, setQ] = useState("");
  const [rows, setRows] = useState([]);
  const [at, setAt] = useState(0);
  useEffect(() => {
    const fits = commands.filter((c) => c.label.toLowerCase().includes(q.toLowerCase()));
    setRows(fits);
    setAt(0);
    if (!q.trim() || user.role === "clinician" || user.role === "administrator") return undefined;
    const wait = setTimeout(
      () =>
        get("search", { q: q.trim() }).then(
          (answer) => setRows([...found(answer, q.trim()), ...fits]),
          () => {},
        ),
      120,
    );
    return () => clearTimeout(wait);
  }, [q]);
  const run = (row) => {
    if (!row) return;
    close();
    row.run();
  };
  const pressed = (e) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      setAt((i) => Math.max(0, Math.min(rows.length - 1, i + (e.key === "ArrowDown" ? 1 : -1))));
    } else if (e.key === "Enter") {
      e.preventDefault();
      run(rows[at]);
    }
  };
  return (
    <Dialog title={t("Search")} close={close}>
      <input
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={rows[at] ? `palette-${at}` : undefined}
        aria-label="A case, a payment, an account or a command"
        placeholder="A case, a payment, an account or a command"
        value={q}
        onInput={(e) => setQ(e.target.value)}
        onKeyDown={pressed}
        autofocus
      />
      <ul id="palette-list" role="listbox" aria-label="What was found" class="choices">
        {rows.slice(0, 20).map((row, i) => (
          <li
            key={row.label}
            id={`palette-${i}`}
            role="option"
            aria-selected={i === at}
            onClick={() => run(row)}
          >
            {row.label}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
