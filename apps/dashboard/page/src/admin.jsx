// SPDX-License-Identifier: Apache-2.0
// admin.jsx - the audit trail, and users with their roles.
import { useState } from "preact/hooks";
import { get, post } from "./api.js";
import { count } from "./format.js";
import { Problem, Time, Wide, useCall } from "./parts.jsx";
import { t } from "./words.js";

export function Audit({ user, args }) {
  const [actor, setActor] = useState(args.get("actor") || "");
  const [object, setObject] = useState(args.get("object") || "");
  const { data, problem, again } = useCall(() => get("audit", { actor, object }), [actor, object]);
  const [older, setOlder] = useState([]);
  const [chain, setChain] = useState(null);
  const rows = data ? [...data.rows, ...older] : [];
  const verify = () =>
    get("audit", { verify: true }).then(
      (a) => setChain(a.chain),
      (e) => setChain({ problem: e.message }),
    );
  return (
    <>
      <div class="row">
        <h1>{t("Audit")}</h1>
        <span class="grow" />
        {user.may_export && (
          <a class="button" href="/api/v1/export/audit.csv" download>
            {t("CSV")}
          </a>
        )}
        <button onClick={verify}>{t("Verify the chain")}</button>
      </div>
      {chain && (
        <p role="status">
          {chain.problem ||
            (chain.broken
              ? t("{n} of {all} rows do not follow from the one before, first row {first}.", {
                  n: chain.broken,
                  all: chain.rows,
                  first: chain.first_broken,
                })
              : t("All {n} rows follow from the one before.", { n: chain.rows }))}
        </p>
      )}
      <form class="filter" onSubmit={(e) => (e.preventDefault(), again())}>
        <label>
          {t("Who")}
          <input
            type="search"
            value={actor}
            onChange={(e) => (setOlder([]), setActor(e.target.value.trim()))}
          />
        </label>
        <label>
          {t("What")}
          <input
            type="search"
            placeholder={t("case 17")}
            value={object}
            onChange={(e) => (setOlder([]), setObject(e.target.value.trim()))}
          />
        </label>
      </form>
      <Problem text={problem} />
      <div class="scroll" tabIndex={0} role="region" aria-label={t("Audit")}>
        <table class="list">
          <thead>
            <tr>
              <th scope="col" class="number">
                {t("Row")}
              </th>
              <th scope="col">{t("Time")}</th>
              <th scope="col">{t("Who")}</th>
              <th scope="col">{t("Role")}</th>
              <th scope="col">{t("Action")}</th>
              <th scope="col">{t("Object")}</th>
              <th scope="col">{t("Detail")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((r) => (
              <tr key={r.id}>
                <td class="number">{r.id}</td>
                <td>
                  <Time at={r.at} />
                </td>
                <td>{r.actor}</td>
                <td>{t(r.role.replace(/^r1_/, ""))}</td>
                <td>{r.action}</td>
                <td>{r.object}</td>
                <td>
                  <small>{JSON.stringify(r.detail)}</small>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > 0 && rows.length % 100 === 0 && (
        <button
          class="wide"
          onClick={() =>
            get("audit", { actor, object, before: rows.at(-1).id }).then((a) =>
              setOlder([...older, ...a.rows]),
            )
          }
        >
          {t("More")}
        </button>
      )}
    </>
  );
}

// What the database holds of the stream, and what `db retain` let go.
export function Retention() {
  const { data, problem } = useCall(() => get("retention"), []);
  if (!data) return <Problem text={problem} />;
  return (
    <>
      <h1>{t("Retention")}</h1>
      <p>
        {t("r1-fraud db retain lets whole weeks go, with an archive where one is asked for.")}{" "}
        {data.held.dead_letters && (
          <>
            {t("Oldest dead letter:")} <Time at={data.held.dead_letters} />.{" "}
          </>
        )}
        {t("Oldest row of the audit trail:")} <Time at={data.held.audit} />.
      </p>
      <section>
        <h2>{t("What is held")}</h2>
        <Wide label={t("What is held")}>
          <thead>
            <tr>
              <th scope="col">{t("Table")}</th>
              <th scope="col">{t("Part")}</th>
              <th scope="col">{t("From time")}</th>
              <th scope="col">{t("To time")}</th>
              <th scope="col" class="number">
                MiB
              </th>
            </tr>
          </thead>
          <tbody>
            {data.parts.map((p) => (
              <tr key={p.name}>
                <td>{p.of_table}</td>
                <td>{p.name}</td>
                <td>
                  <Time at={p.from_at} />
                </td>
                <td>
                  <Time at={p.to_at} />
                </td>
                <td class="number">{(p.bytes / 1048576).toFixed(1)}</td>
              </tr>
            ))}
          </tbody>
        </Wide>
      </section>
      <section>
        <h2>{t("What was let go")}</h2>
        {data.gone.length === 0 && <p>{t("Nothing.")}</p>}
        {data.gone.length > 0 && (
          <Wide label={t("What was let go")}>
            <thead>
              <tr>
                <th scope="col">{t("Time")}</th>
                <th scope="col">{t("Who")}</th>
                <th scope="col">{t("Part")}</th>
                <th scope="col">{t("To time")}</th>
                <th scope="col" class="number">
                  {t("Rows")}
                </th>
                <th scope="col">{t("Archive")}</th>
              </tr>
            </thead>
            <tbody>
              {data.gone.map((g) => (
                <tr key={g.id}>
                  <td>
                    <Time at={g.done_at} />
                  </td>
                  <td>{g.done_by}</td>
                  <td>{g.name}</td>
                  <td>
                    <Time at={g.to_at} />
                  </td>
                  <td class="number">{count(g.n_row)}</td>
                  <td title={g.sha256 || ""}>{g.archive || "\u2013"}</td>
                </tr>
              ))}
            </tbody>
          </Wide>
        )}
      </section>
    </>
  );
}

const roles = ["viewer", "analyst", "supervisor", "clinician", "administrator", "auditor"];

function Settings({ may }) {
  const { data, again } = useCall(() => get("settings"), []);
  const [said, setSaid] = useState(null);
  if (!data) return null;
  return (
    <section>
      <h2>{t("Settings")}</h2>
      <Problem text={said} />
      <Wide label={t("Table")}>
        <tbody>
          {Object.entries(data).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{t(name)}</th>
              <td>
                <input
                  type="number"
                  min="0"
                  aria-label={t(name)}
                  disabled={!may}
                  value={value}
                  onChange={(e) =>
                    post("settings/set", { name, value: Number(e.target.value) }).then(again, (x) =>
                      setSaid(x.message),
                    )
                  }
                />
              </td>
            </tr>
          ))}
        </tbody>
      </Wide>
    </section>
  );
}

export function Users({ user }) {
  const may = user.role === "administrator";
  const { data, problem, again } = useCall(() => get("users"), []);
  const [said, setSaid] = useState(null);
  const set = (body) =>
    post("user/set", body).then(
      () => (setSaid(null), again()),
      (e) => setSaid(e.message),
    );
  const add = (e) => {
    e.preventDefault();
    const form = e.target;
    const f = new FormData(form);
    post("user/add", {
      name: f.get("name").trim(),
      role: f.get("role"),
      password: f.get("password"),
    }).then(
      () => (setSaid(null), form.reset(), again()),
      (x) => setSaid(x.message),
    );
  };
  return (
    <>
      <h1>{t("Users")}</h1>
      <Problem text={said || problem} />
      {data?.unknown > 0 && (
        <p>
          {t("{n} sign-ins of the last day had a name that nobody has.", {
            n: count(data.unknown),
          })}
        </p>
      )}
      <div class="scroll" tabIndex={0} role="region" aria-label={t("Users")}>
        <table class="list">
          <thead>
            <tr>
              <th scope="col">{t("Name")}</th>
              <th scope="col">{t("Role")}</th>
              <th scope="col">{t("May export")}</th>
              <th scope="col">{t("May sign in")}</th>
              <th scope="col">{t("Locked until")}</th>
              <th scope="col">{t("Added")}</th>
            </tr>
          </thead>
          <tbody>
            {(data?.users || []).map((u) => (
              <tr key={u.name}>
                <td>{u.name}</td>
                <td>
                  <select
                    aria-label={`${t("Role")} ${u.name}`}
                    disabled={!may}
                    value={u.role}
                    onChange={(e) => set({ name: u.name, role: e.target.value })}
                  >
                    {roles.map((r) => (
                      <option key={r} value={r}>
                        {t(r)}
                      </option>
                    ))}{" "}
                  </select>{" "}
                </td>
                <td>
                  <input
                    type="checkbox"
                    aria-label={`${u.name}: ${t("May export")}`}
                    disabled={!may}
                    checked={u.may_export}
                    onChange={(e) => set({ name: u.name, may_export: e.target.checked })}
                  />
                </td>
                <td>
                  <input
                    type="checkbox"
                    aria-label={`${u.name}: ${t("May sign in")}`}
                    disabled={!may}
                    checked={!u.disabled}
                    onChange={(e) => set({ name: u.name, disabled: !e.target.checked })}
                  />
                </td>
                <td>
                  <Time at={u.locked_until} />
                </td>
                <td>
                  <Time at={u.created_at} /> {u.created_by}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {may && (
        <section>
          <h2>{t("Add a user")}</h2>
          <form class="filter" onSubmit={add}>
            <label>
              {t("Name")}
              <input
                name="name"
                required
                pattern="[a-z0-9][a-z0-9._@\-]{0,63}"
                autocomplete="off"
              />
            </label>
            <label>
              {t("Role")}
              <select name="role" value="analyst">
                {roles.map((r) => (
                  <option key={r} value={r}>
                    {t(r)}
                  </option>
                ))}
              </select>
            </label>
            <label>
              {t("Password")}
              <input
                name="password"
                type="password"
                minLength={12}
                maxLength={256}
                required
                autocomplete="new-password"
              />
            </label>
            <button class="main">{t("Add")}</button>
          </form>
        </section>
      )}
      <Settings may={may} />
    </>
  );
}
