// SPDX-License-Identifier: Apache-2.0
// words.cjs - walks the sources of the page: each text that a person sees goes through t(), each
// text that t() is given has its Chinese with the same places, and so has each name that the
// database or the fraud service may send. Prints what lacks; 1: something does.
const { readFileSync, readdirSync } = require("fs");
const path = require("path");
const { parse } = require(path.join(process.env.R1_BROWSER, "node_modules/@babel/parser"));

const folder = "apps/dashboard/page/src";
const seenAttributes = new Set(["aria-label", "title", "label", "placeholder", "alt", "list"]);
const unspoken = new Set(["code", "kbd"]);
// Names of programs, forms and keys, which no language changes.
const names =
  /^(R1|r1-[a-z-]+( [a-z]+)*|CSV|PNG|PDF|FHIR|HTML|GraphML|Phenopacket|SHA-\d+|MiB|Enter|Esc|Ctrl K|Ctrl Enter|HTTP|p[\d.]+ ms)$/;
const word = /[A-Za-z]{2,}/;
const problems = [];
const asked = new Map(); // text: where

const isT = (n) => n?.type === "CallExpression" && n.callee.name === "t";
const spoken = (text) => word.test(text) && !names.test(text.trim());

function children(n) {
  const out = [];
  for (const [key, v] of Object.entries(n)) {
    if (key === "loc" || /omments$/.test(key)) continue;
    for (const c of Array.isArray(v) ? v : [v]) if (c && typeof c.type === "string") out.push(c);
  }
  return out;
}

// Texts that an expression may become, those of t() left out.
function texts(n) {
  if (!n || isT(n)) return [];
  if (n.type === "StringLiteral") return [n.value];
  if (n.type === "TemplateLiteral")
    return [...n.quasis.map((q) => q.value.cooked), ...n.expressions.flatMap(texts)];
  if (n.type === "ConditionalExpression") return [...texts(n.consequent), ...texts(n.alternate)];
  if (n.type === "LogicalExpression" || (n.type === "BinaryExpression" && n.operator === "+"))
    return [...texts(n.left), ...texts(n.right)];
  return [];
}

function walk(n, file, parents) {
  const where = `${file}:${n.loc.start.line}`;
  const parent = parents.at(-1);
  const says = (text) =>
    spoken(text) && problems.push(`${where}: expected t(), found "${text.trim()}"`);
  const element =
    parent?.type === "JSXElement" ? parent.openingElement.name.name : parent?.type || "";
  if (n.type === "JSXText" && !unspoken.has(element)) says(n.value);
  if (n.type === "JSXExpressionContainer" && /^JSX(Element|Fragment)$/.test(parent.type))
    if (!unspoken.has(element)) texts(n.expression).forEach(says);
  if (n.type === "JSXAttribute" && seenAttributes.has(n.name.name) && n.value)
    texts(n.value.type === "StringLiteral" ? n.value : n.value.expression).forEach(says);
  // set...("text") and new Refused(0, "text") are shown as they are.
  const called = /^set(Problem|Said|Failed)$|^Refused$/.test(n.callee?.name || "");
  if (called) n.arguments.flatMap(texts).forEach(says);
  // What a function of a page returns, and fields that are shown.
  if (n.type === "ObjectProperty" && ["text", "summary"].includes(n.key.name))
    texts(n.value).forEach(says);
  if (n.type === "ObjectProperty" && n.key.name === "label" && n.value.type === "StringLiteral")
    asked.set(n.value.value, where);
  if (isT(n)) for (const text of texts({ ...n.arguments[0] })) if (text) asked.set(text, where);
  for (const c of children(n)) walk(c, file, [...parents, n]);
}

// What comes from programs and from no CHECK of the database.
const sent = ["female", "male", "unknown", "relative", "transfer", "card", "cash", "shadow", "cap"];
sent.push("first", "model", "config", "policy", "draft", "waits_for_second", "signed");

// The names in "CHECK (column IN ('a', 'b'))" of the migrations.
function checked(sql, column) {
  const found = [...sql.matchAll(new RegExp(`CHECK \\(${column} IN \\(([^)]*)\\)`, "g"))];
  if (!found.length) throw new Error(`no CHECK of ${column} in the migrations`);
  return found.flatMap((m) => [...m[1].matchAll(/'([^']*)'/g)].map((x) => x[1]));
}

async function main() {
  for (const file of readdirSync(folder).filter((f) => /\.jsx?$/.test(f))) {
    const source = readFileSync(path.join(folder, file), "utf8");
    walk(parse(source, { sourceType: "module", plugins: ["jsx"] }).program, file, []);
  }
  // words.js needs these two of a browser.
  globalThis.localStorage = { getItem: () => "zh", setItem() {} };
  globalThis.document = { documentElement: {} };
  const load = (text) => `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`;
  const read = (file) => readFileSync(path.join(folder, file), "utf8");
  const chinese = load(read("chinese.js"));
  const { zh } = await import(chinese);
  const { outcomes, t } = await import(load(read("words.js").replace("./chinese.js", chinese)));
  for (const [name, o] of Object.entries(outcomes)) {
    asked.set(name, "words.js, outcomes");
    asked.set(o.label, "words.js, outcomes");
    for (const row of o.reasons) for (const text of row) asked.set(text, "words.js, outcomes");
  }
  const migrations = readdirSync("schemas/sql").map((f) =>
    readFileSync(`schemas/sql/${f}`, "utf8"),
  );
  for (const column of ["state", "severity", "role", "outcome", "type", "decision", "status"])
    for (const name of checked(migrations.join("\n"), column))
      asked.set(name, `CHECK of ${column}`);
  for (const name of sent) asked.set(name, "words.cjs, sent");
  const settings = /INSERT INTO r1.case_setting VALUES ([^;]*);/g;
  for (const rows of migrations.join("\n").matchAll(settings))
    for (const m of rows[1].matchAll(/'([^']*)'/g)) asked.set(m[1], "r1.case_setting");
  const rings = readFileSync("apps/fraud/typology/typology.h", "utf8");
  for (const m of rings.matchAll(/X\([A-Z_]+, "([a-z_]+)"\)/g)) asked.set(m[1], "typology.h");
  for (const [text, where] of asked) {
    if (names.test(text)) continue;
    if (!word.test(text)) continue;
    if (!Object.hasOwn(zh, text)) {
      problems.push(`${where}: no Chinese for "${text}"`);
      continue;
    }
    const places = (s) => (s.match(/\{\w+\}/g) || []).sort().join(" ");
    if (places(text) !== places(zh[text]))
      problems.push(
        `${where}: "${text}": expected the places ${places(text)}, found "${zh[text]}"`,
      );
    if (!/[\u3400-\u9fff]/.test(zh[text]))
      problems.push(`${where}: "${text}": expected Chinese, found "${zh[text]}"`);
  }
  for (const text of Object.keys(zh))
    if (!asked.has(text)) problems.push(`chinese.js: nothing on the page asks for "${text}"`);
  if (t("{n} of {n}", { n: "$&" }) !== "$& of $&")
    problems.push("t() does not put a text in as it is");
  problems.forEach((p) => console.log(p));
  console.log(`${asked.size} texts, ${problems.length} problems`);
  process.exit(problems.length ? 1 : 0);
}
main();
