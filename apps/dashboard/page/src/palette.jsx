// SPDX-License-Identifier: Apache-2.0
// palette.jsx - commands, and search over cases, payments and accounts, in one list.
import { useEffect, useState } from "preact/hooks";
import { get } from "./api.js";
import { accountPath, casePath, go } from "./go.js";
import { Choices, Dialog } from "./parts.jsx";
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
    close();
    row.run();
  };
  return (
    <Dialog title={t("Search")} close={close}>
      <Choices
        id="palette-list"
        label={t("A case, a payment, an account or a command")}
        list={t("What was found")}
        {...{ q, setQ, at, setAt }}
        rows={rows.slice(0, 20)}
        take={run}
        draw={(row) => row.label}
      />
    </Dialog>
  );
}
