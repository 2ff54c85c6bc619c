// SPDX-License-Identifier: Apache-2.0
// ring.jsx - the money between the accounts of a case: a drawing, and the same as a table.
import cytoscape from "cytoscape";
import fcose from "cytoscape-fcose";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, post } from "./api.js";
import { cell, count, save, units, when } from "./format.js";
import { accountPath, casePath, go } from "./go.js";
import { Problem, useCall, useKeys } from "./parts.jsx";
import { Payments } from "./payments.jsx";
import { t } from "./words.js";

cytoscape.use(fcose);

// What an account does within the shown payments. Who only gives is a source; where everything goes
// to is a collector; who passes on is a mule. A source whose payments were stopped is a victim when
// others emptied it to several ends.
export function roles(payments, alerts) {
  const of = new Map();
  const row = (name) => {
    if (!of.has(name))
      of.set(name, {
        in: 0,
        out: 0,
        inUnits: 0,
        outUnits: 0,
        alerted: 0,
        to: new Set(),
        from: new Set(),
      });
    return of.get(name);
  };
  for (const p of payments) {
    if (!p.from || !p.to) continue;
    const a = row(p.from);
    const b = row(p.to);
    a.out++;
    a.outUnits += units(p);
    a.to.add(p.to);
    b.in++;
    b.inUnits += units(p);
    b.from.add(p.from);
    if (alerts.has(p.seq)) a.alerted++;
  }
  for (const r of of.values()) {
    if (r.in && r.out)
      r.role =
        r.outUnits > 2 * r.inUnits ? "source" : r.inUnits > 2 * r.outUnits ? "collector" : "mule";
    else r.role = r.in ? "collector" : r.alerted >= 3 && r.to.size >= 3 ? "victim" : "source";
  }
  return of;
}

const shapes = { source: "ellipse", mule: "diamond", collector: "round-rectangle", victim: "star" };

function colours() {
  const css = getComputedStyle(document.documentElement);
  return (name) => css.getPropertyValue(name).trim();
}

function draw(box, accounts, payments, alerts, of) {
  const colour = colours();
  const between = new Map();
  for (const p of payments) {
    const key = `${p.from}\u0000${p.to}`;
    const e = between.get(key) || {
      n: 0,
      units: 0,
      alerts: 0,
      first: p.ts,
      last: p.ts,
      currency: p.currency,
    };
    e.n++;
    e.units += units(p);
    e.alerts += alerts.has(p.seq);
    e.last = p.ts;
    between.set(key, e);
  }
  const most = Math.max(1, ...[...between.values()].map((e) => e.units));
  const touched = new Set(payments.flatMap((p) => [p.from, p.to]));
  const elements = [
    ...accounts
      .filter((a) => a.member || touched.has(a.name))
      .map((a) => ({
        data: {
          id: a.name,
          label: a.name.length > 14 ? `${a.name.slice(0, 6)}\u2026${a.name.slice(-6)}` : a.name,
          shape: shapes[of.get(a.name)?.role || "source"],
          member: a.member ? 1 : 0,
        },
      })),
    ...[...between.entries()].map(([key, e]) => {
      const [source, target] = key.split("\u0000");
      return {
        data: {
          id: key,
          source,
          target,
          label: `${e.n > 1 ? `${e.n}\u00d7 ` : ""}${e.units.toFixed(0)} ${e.currency || ""}`,
          width: 1 + (6 * Math.sqrt(e.units)) / Math.sqrt(most),
          alert: e.alerts ? 1 : 0,
        },
      };
    }),
  ].filter((x) => !x.data.source || (x.data.source !== "null" && x.data.target !== "null"));
  const names = new Set(elements.filter((x) => !x.data.source).map((x) => x.data.id));
  const large = elements.length > 600;
  return cytoscape({
    container: box,
    elements: elements.filter(
      (x) => !x.data.source || (names.has(x.data.source) && names.has(x.data.target)),
    ),
    layout: {
      name: "fcose",
      quality: large ? "draft" : "default",
      animate: false,
      randomize: true,
      nodeSeparation: 90,
      idealEdgeLength: 110,
    },
    textureOnViewport: large,
    minZoom: 0.05,
    maxZoom: 4,
    style: [
      {
        selector: "node",
        style: {
          label: large ? "" : "data(label)",
          shape: "data(shape)",
          "background-color": colour("--soft"),
          "border-width": 2,
          "border-color": colour("--edge"),
          color: colour("--ink"),
          "font-size": 11,
          "text-valign": "bottom",
          "text-margin-y": 4,
          width: 26,
          height: 26,
        },
      },
      {
        selector: "node[member = 1]",
        style: { "background-color": colour("--accent"), "border-color": colour("--ink") },
      },
      { selector: "node:selected", style: { "border-width": 5, "border-color": colour("--warn") } },
      {
        selector: "edge",
        style: {
          width: "data(width)",
          "curve-style": "bezier",
          "target-arrow-shape": "triangle",
          "line-color": colour("--edge"),
          "target-arrow-color": colour("--edge"),
          label: large ? "" : "data(label)",
          "font-size": 9,
          color: colour("--ink"),
          "text-background-color": colour("--paper"),
          "text-background-opacity": 0.85,
          "text-rotation": "autorotate",
        },
      },
      {
        selector: "edge[alert = 1]",
        style: {
          "line-color": colour("--bad"),
          "target-arrow-color": colour("--bad"),
          "line-style": "dashed",
        },
      },
      {
        selector: "edge.path",
        style: { "line-color": colour("--warn"), "target-arrow-color": colour("--warn"), width: 6 },
      },
      { selector: "node.path", style: { "border-color": colour("--warn") } },
      { selector: ".gone", style: { display: "none" } },
    ],
  });
}

const xml = (s) => String(s ?? "").replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);
const dataXml = (key, value) => `<data key="${key}">${xml(value)}</data>`;
const nodeXml = (a, of) =>
  `<node id="${xml(a.name)}">` +
  dataXml("role", of.get(a.name)?.role) +
  dataXml("member", a.member) +
  "</node>";
const edgeXml = (p) =>
  `<edge id="${xml(p.tx_id)}" source="${xml(p.from)}" target="${xml(p.to)}">` +
  dataXml("minor", p.minor) +
  dataXml("currency", p.currency) +
  dataXml("ts", p.ts) +
  "</edge>";
function graphml(accounts, payments, of) {
  return `<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="role" for="node" attr.name="role" attr.type="string"/>
<key id="member" for="node" attr.name="member" attr.type="boolean"/>
<key id="minor" for="edge" attr.name="amount_minor" attr.type="string"/>
<key id="currency" for="edge" attr.name="currency" attr.type="string"/>
<key id="ts" for="edge" attr.name="ts" attr.type="string"/>
<graph edgedefault="directed">
${accounts.map((a) => nodeXml(a, of)).join("\n")}
${payments.map(edgeXml).join("\n")}
</graph></graphml>
`;
}

export function RingPage({ user, rest, busy }) {
  const id = Number(rest);
  const [hops, setHops] = useState(0);
  const [asOf, setAsOf] = useState("now");
  const { data, problem } = useCall(
    () => get("case/ring", { id, hops, as_of: asOf }),
    [id, hops, asOf],
  );
  const [table, setTable] = useState(false);
  const [until, setUntil] = useState(1000);
  const [plays, setPlays] = useState(false);
  const [said, setSaid] = useState("");
  const box = useRef(null);
  const cy = useRef(null);
  const alerts = useMemo(() => new Set(data?.alerts || []), [data]);
  const from = data?.payments.length ? Date.parse(data.payments[0].ts) : 0;
  const to = data?.payments.length ? Date.parse(data.payments.at(-1).ts) : 0;
  const limit = from + ((to - from) * until) / 1000;
  const payments = useMemo(
    () => (data?.payments || []).filter((p) => until >= 1000 || Date.parse(p.ts) <= limit),
    [data, until],
  );
  const of = useMemo(() => roles(payments, alerts), [payments]);

  useEffect(() => {
    if (!data || table || !box.current) return undefined;
    cy.current = draw(
      box.current,
      data.accounts,
      data.payments,
      alerts,
      roles(data.payments, alerts),
    );
    cy.current.on("dbltap", "node", (e) => go(accountPath(e.target.id())));
    return () => {
      cy.current.destroy();
      cy.current = null;
    };
  }, [data, table]);
  // The slider hides what had not happened yet; places stay.
  useEffect(() => {
    if (!cy.current) return;
    const there = new Set(payments.map((p) => `${p.from}\u0000${p.to}`));
    cy.current.batch(() =>
      cy.current.edges().forEach((e) => e.toggleClass("gone", !there.has(e.id()))),
    );
  }, [payments, table]);
  useEffect(() => {
    if (!plays) return undefined;
    const step = setInterval(
      () =>
        setUntil((u) => {
          if (u >= 1000) {
            setPlays(false);
            return 1000;
          }
          return u + 10;
        }),
      80,
    );
    return () => clearInterval(step);
  }, [plays]);

  const chosen = () => cy.current?.$("node:selected");
  const hide = () => chosen()?.addClass("gone");
  const pin = () => chosen()?.forEach((n) => (n.locked() ? n.unlock() : n.lock()));
  const path = () => {
    const two = chosen();
    cy.current?.elements().removeClass("path");
    if (!two || two.length !== 2)
      return setSaid(t("Choose two accounts first: click one, Shift click the other."));
    for (const [a, b] of [
      [two[0], two[1]],
      [two[1], two[0]],
    ]) {
      const found = cy.current.elements(":visible").aStar({ root: a, goal: b, directed: true });
      if (!found.found) continue;
      found.path.addClass("path");
      return setSaid(
        t("Money went from {a} to {b} over {n} payments between accounts.", {
          a: a.id(),
          b: b.id(),
          n: found.distance,
        }),
      );
    }
    return setSaid(t("No money went from one to the other here."));
  };
  const gives = (as, make) =>
    post("export/said", { what: `ring of case ${id}`, as }).then(make, (e) => setSaid(e.message));
  useKeys(
    {
      h: hide,
      e: () => setHops((n) => Math.min(1, n + 1)),
      p: path,
      t: () => setTable((x) => !x),
      Escape: () => go(casePath(id)),
    },
    busy,
  );
  if (!data) return <Problem text={problem} />;
  return (
    <>
      <div class="row">
        <h1>
          {t("Ring")}{" "}
          <a href={`#/${casePath(id)}`}>
            {t("Case")} {id}
          </a>
        </h1>
        <span>
          {data.accounts.length} {t("Accounts")}, {payments.length} {t("Payments")}
        </span>
        {data.capped && (
          <strong class="late">
            {t(
              "There are more: {n} accounts near. The newest 5,000 payments among 2,000 accounts are shown.",
              { n: count(data.n_account) },
            )}
          </strong>
        )}
      </div>
      <div class="row filter">
        <label>
          {t("As of")}
          <select value={asOf} onChange={(e) => setAsOf(e.target.value)}>
            <option value="now">{t("now")}</option>
            <option value="alert">{t("at alert time")}</option>
          </select>
        </label>
        <button aria-pressed={hops > 0} onClick={() => setHops(hops ? 0 : 1)}>
          {t("Expand")} <kbd>e</kbd>
        </button>
        <button onClick={hide}>
          {t("Hide")} <kbd>h</kbd>
        </button>
        <button onClick={pin}>{t("Pin")}</button>
        <button onClick={path}>
          {t("Path")} <kbd>p</kbd>
        </button>
        <button aria-pressed={table} onClick={() => setTable(!table)}>
          {t("Table")} <kbd>t</kbd>
        </button>
        {user.may_export && (
          <>
            <button
              disabled={table}
              onClick={() =>
                gives("png", () =>
                  save(
                    `ring-${id}.png`,
                    "image/png",
                    cy.current.png({ output: "blob", full: true, scale: 2, bg: "#ffffff" }),
                  ),
                )
              }
            >
              {t("PNG")}
            </button>
            <button
              onClick={() =>
                gives("csv", () =>
                  save(
                    `ring-${id}.csv`,
                    "text/csv",
                    [
                      "tx_id,ts,from,to,amount_minor,currency,decision,score",
                      ...payments.map((p) =>
                        [p.tx_id, p.ts, p.from, p.to, p.minor, p.currency, p.decision, p.score]
                          .map(cell)
                          .join(","),
                      ),
                    ].join("\r\n"),
                  ),
                )
              }
            >
              {t("CSV")}
            </button>
            <button
              onClick={() =>
                gives("graphml", () =>
                  save(
                    `ring-${id}.graphml`,
                    "application/xml",
                    graphml(data.accounts, payments, of),
                  ),
                )
              }
            >
              {t("GraphML")}
            </button>
          </>
        )}
      </div>
      <div class="row filter">
        <button onClick={() => (until >= 1000 && setUntil(0), setPlays(!plays))}>
          {plays ? t("Pause") : t("Play")}
        </button>
        <label class="grow">
          {t("Time")}: {from ? when(new Date(limit).toISOString()) : ""}
          <input
            type="range"
            min="0"
            max="1000"
            value={until}
            onInput={(e) => setUntil(Number(e.target.value))}
          />
        </label>
      </div>
      <Problem text={problem} />
      <p role="status">{said}</p>
      {!table && (
        <>
          <div
            class="drawing"
            ref={box}
            role="img"
            aria-label={t("{a} accounts and {n} payments; the table holds the same", {
              a: data.accounts.length,
              n: payments.length,
            })}
          />
          <p class="legend">
            {"\u25cf"} {t("source")} {"\u25c6"} {t("mule")} {"\u25a0"} {t("collector")} {"\u2605"}{" "}
            {t("victim")}.{" "}
            {t("Filled: a member of the case. Dashed: with an alert. Double click: the account.")}
          </p>
        </>
      )}
      {table && (
        <>
          <div class="scroll" tabIndex={0} role="region" aria-label={t("Accounts")}>
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">{t("Accounts")}</th>
                  <th scope="col">{t("Role")}</th>
                  <th scope="col" class="number">
                    {t("in")}
                  </th>
                  <th scope="col" class="number">
                    {t("out")}
                  </th>
                </tr>
              </thead>
              <tbody>
                {data.accounts.slice(0, 500).map((a) => (
                  <tr key={a.name}>
                    <td>
                      <a href={`#/${accountPath(a.name)}`}>{a.name}</a>
                      {a.member ? "" : ` (${t("near")})`}
                    </td>
                    <td>{t(of.get(a.name)?.role || "\u2013")}</td>
                    <td class="number">{of.get(a.name)?.in || 0}</td>
                    <td class="number">{of.get(a.name)?.out || 0}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {(data.accounts.length > 500 || payments.length > 500) && (
            <p>
              {t("The first 500 accounts and the newest 500 payments are shown; CSV holds all.")}
            </p>
          )}
          <Payments
            label={t("Payments")}
            rows={payments.slice(-500)}
            mark={(p) => (alerts.has(p.seq) ? "alerted" : "")}
            shows={["time", "from", "to", "amount", "score", "decision"]}
          />
        </>
      )}
    </>
  );
}
