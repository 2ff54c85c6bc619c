// SPDX-License-Identifier: Apache-2.0
// walk.cjs - what people do on the pages, in a real browser: a case from take to close by keyboard,
// a record corrected, what a role does not see, an ended session, a lost server, script in names. On
// each page axe-core finds no fault, in both themes and on a narrow screen.
const assert = require("assert");
const { readFileSync } = require("fs");
const path = require("path");
const { chromium } = require(path.join(process.env.R1_BROWSER, "node_modules/playwright-core"));
const axe = readFileSync(
  path.join(process.env.R1_BROWSER, "node_modules/axe-core/axe.min.js"),
  "utf8",
);

const base = `http://127.0.0.1:${process.env.R1_PORT}/`;
const pictures = process.env.R1_PICTURES;
const only = process.env.R1_STEPS; // names of steps with commas between them; none: all
const problems = [];
let browser;

// bypassCSP lets the checker in; the walk by keyboard runs under the policy as it is.
async function person(
  name,
  { theme = "light", width = 1280, check = false, language = "en" } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    bypassCSP: check,
    locale: "en-GB",
  });
  const page = await context.newPage();
  page.on("pageerror", (e) => problems.push(`${name}: ${e.message}`));
  page.on("console", (m) => {
    if (m.type() === "error" && !/status of (401|503)|ERR_(CONNECTION|INTERNET)/.test(m.text()))
      problems.push(`${name}: ${m.text()}`);
  });
  page.on("dialog", (d) => {
    problems.push(`${name}: a script ran: ${d.message()}`);
    d.dismiss();
  });
  await page.addInitScript(
    ([t, l]) => {
      localStorage.setItem("theme", t);
      localStorage.setItem("language", l);
    },
    [theme, language],
  );
  await page.goto(base);
  await page.fill("input[name=name]", name);
  await page.fill("input[name=password]", process.env[`R1_PASSWORD_${name.toUpperCase()}`]);
  await page.keyboard.press("Enter");
  await page.waitForSelector("header nav");
  return page;
}

async function at(page, where, ready = "main h1") {
  await page.goto(`${base}#/${where}`);
  await page.waitForSelector(ready);
}

async function clean(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run());
  for (const v of found.violations)
    problems.push(
      `${name}: ${v.id} (${v.impact}): ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`,
    );
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`) });
}

async function caseByKeyboard() {
  const page = await person("ann");
  await page.waitForSelector("table.list tbody tr");
  const keys = ["n", "f", "1", "Control+Enter"];
  await page.keyboard.press(keys[0]);
  await page.waitForSelector("text=Decision");
  const id = page.url().split("/").pop();
  await page.keyboard.press(keys[1]);
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press(keys[2]);
  await page.keyboard.press(keys[3]);
  await page.waitForSelector("dialog[open]", { state: "detached" });
  await page.waitForFunction(() =>
    /false positive|approval/.test(document.querySelector(".tag").textContent),
  );
  assert(keys.length <= 6);
  const closed = (await page.textContent(".tag")) !== "approval";
  console.log(
    `case ${id} decided with ${keys.length} keys${closed ? "" : ", waits for a second person"}`,
  );
  if (!closed) {
    // One of little money is closed at once.
    await at(page, `case/${process.env.R1_SCRIPT_CASE}`, "text=Decision");
    for (const key of ["f", "1", "Control+Enter"]) {
      await page.keyboard.press(key);
      await page.waitForTimeout(200);
    }
    await page.waitForFunction(
      () => document.querySelector(".tag").textContent === "false positive",
    );
  }
  await page.keyboard.press("g");
  await page.waitForSelector(".drawing canvas");
  await page.keyboard.press("t");
  await page.waitForSelector("table.list");
  await page.keyboard.press("Control+k");
  await page.waitForSelector("dialog[open] input");
  await page.keyboard.type(String(id));
  await page.waitForSelector(`dialog li:has-text("Case ${id}")`);
  await page.keyboard.press("Enter");
  await page.waitForFunction((x) => location.hash === `#/case/${x}`, id);
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open] kbd");
  await page.keyboard.press("Escape");
  await page.context().close();
}

// What one analyst takes another sees at once; a note that is being typed stays.
async function newsArrive() {
  const ann = await person("ann");
  const abe = await person("abe");
  await ann.waitForSelector("table.list tbody tr");
  await ann.keyboard.press("n");
  await ann.waitForSelector("text=Decision");
  const id = ann.url().split("/").pop();
  await at(abe, `case/${id}`, "aside textarea");
  await abe.fill("aside textarea", "half a note");
  await ann.fill("aside textarea", "from ann");
  await ann.click("aside form button:has-text('Add note')");
  await abe.waitForSelector("text=from ann", { timeout: 15000 });
  assert.equal(await abe.inputValue("aside textarea"), "half a note");
  await ann.context().close();
  await abe.context().close();
}

async function recordCorrected() {
  const page = await person("cleo");
  await page.fill("textarea", readFileSync("apps/medical/samples/record.txt", "utf8"));
  await page.click("button.main");
  await page.waitForSelector("ol.diseases li");
  const before = await page.textContent("ol.diseases li:first-child strong");
  await page.click('button.mark:has-text("dislocated lens")');
  await page.waitForSelector(".findings li.here .quote");
  await page.keyboard.press("x");
  await page.waitForSelector("text=Ranked again in");
  await page.waitForFunction(
    (old) => document.querySelector("ol.diseases li strong").textContent !== old,
    before,
  );
  const took = /in (\d+) ms/.exec(await page.textContent(".filter small"))[1];
  await page.keyboard.press("+");
  await page.waitForSelector("dialog[open] input");
  await page.keyboard.type("tall");
  await page.waitForSelector("dialog li");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]", { state: "detached" });
  console.log(
    `a record was read, a finding rejected: ${before} became ` +
      `${await page.textContent("ol.diseases li:first-child strong")}, in ${took} ms`,
  );
  await page.context().close();
}

// A second disease beside the first, a question answered in place, two who sign, and the review as
// it was when it is opened again.
async function reportSigned() {
  const page = await person("cleo");
  await page.fill("textarea", "Tall stature and arachnodactyly. Scoliosis.");
  await page.click("button.main");
  await page.waitForSelector("ol.diseases li");
  const boxes = page.locator("ol.diseases input[type=checkbox]");
  await boxes.nth(0).check();
  await boxes.nth(1).check();
  await page.waitForSelector("h3:has-text('Finding by finding')");
  assert(await page.locator("th[scope=row]").count());
  const findings = await page.locator("ul.findings li").count();
  const question = page.locator("h3:has-text('Next question') + ul li").first();
  const asked = (await question.textContent()).split("?")[0];
  await question.locator("button").first().click();
  await page.waitForSelector("text=Ranked again in");
  await page.waitForSelector(`ul.findings li:has-text("${asked}")`);
  assert.equal(await page.locator("ul.findings li").count(), findings + 1);
  await page.click("button:has-text('Save review')");
  await page.waitForSelector(".sign .tag:has-text('draft')");
  const href = await page.getAttribute(".sign a", "href");
  const first = await page.textContent("ol.diseases li:first-child summary");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.click("button:has-text('Phenopacket')"),
  ]);
  const packet = JSON.parse(readFileSync(await download.path(), "utf8"));
  assert(packet.phenotypicFeatures.length > 0);
  await page.context().close();
  // Another clinician opens it, signs it, and sees that a change would be a review of its own.
  const cyd = await person("cyd");
  await cyd.goto(`${base}${href}`);
  await cyd.waitForSelector("ol.diseases li");
  assert.equal(await cyd.locator("ul.findings li").count(), findings + 1);
  const again = await cyd.textContent("ol.diseases li:first-child summary");
  assert.equal(again.split("%")[0], first.split("%")[0]);
  await cyd.click("button:has-text('Sign'):not(:has-text('out'))");
  await cyd.waitForSelector("text=A signature cannot be taken back");
  await cyd.click("button:has-text('Sign for good')");
  await cyd.waitForSelector(".sign .tag:has-text('signed')");
  await cyd.keyboard.press("x");
  await cyd.waitForSelector("text=becomes a new review");
  await cyd.reload();
  await cyd.waitForSelector("text=signed by cyd");
  console.log(`${href} was signed; ${asked} was answered in place`);
  await cyd.context().close();
}

// A change of the policy is tried, and a dead letter is mended and sent again.
async function supervisorMends() {
  const page = await person("sue");
  await at(page, "rules", "h2:has-text('Try a change')");
  await page.fill("textarea[name=rules]", "any_money: amount > 1 -> review");
  await page.fill("input[name=days]", "30000");
  await page.click("form button.main");
  await page.waitForSelector("main pre, main .problem", { timeout: 60000 });
  assert.match(await page.textContent("main pre, main .problem"), /any_money/);
  await at(page, "health", "h2:has-text('Dead letters that wait')");
  const reasons = page.locator("section:has(h2:has-text('Dead letters')) tbody button");
  const before = await reasons.count();
  await reasons.first().click();
  await page.click("h3 + div tbody button");
  await page.waitForSelector("dialog pre:has-text('57005')");
  const payment = { tx_id: "walked", ts: Date.now(), kind: "transfer", from: "w1", to: "w2" };
  await page.fill("dialog textarea", JSON.stringify({ ...payment, amount: 12.5, currency: "EUR" }));
  await page.click("dialog button:has-text('Check')");
  await page.waitForFunction(() => document.querySelectorAll("dialog pre").length === 2);
  await page.click("dialog button:has-text('Send again')");
  await page.waitForSelector("dialog[open]", { state: "detached" });
  await page.waitForFunction(
    (n) => document.querySelectorAll("tbody button").length < n + 1,
    before,
  );
  console.log("a rule was tried, a dead letter mended");
  await page.context().close();
}

async function rolesAndEnds() {
  const vic = await person("vic");
  await vic.waitForSelector("table.list tbody tr");
  assert.equal(await vic.locator("text=Take next").count(), 0);
  await vic.click("table.list tbody a");
  await vic.waitForSelector("text=History");
  assert.equal(await vic.locator("aside button").count(), 0);
  await vic.goto(`${base}#/users`);
  await vic.waitForSelector("h1:has-text('Queue')");
  // The session ends: the page says so, and goes on where it was.
  await at(vic, "rules");
  await vic.context().clearCookies();
  await vic.selectOption("select", "28");
  await vic.waitForSelector("text=Your session has ended");
  await vic.fill("input[name=name]", "vic");
  await vic.fill("input[name=password]", process.env.R1_PASSWORD_VIC);
  await vic.keyboard.press("Enter");
  await vic.waitForSelector("h1:has-text('Rules and models')");
  // The network goes: the page says so, keeps what it shows, and comes back.
  await vic.context().setOffline(true);
  await vic.waitForSelector(".banner", { timeout: 40000 });
  await vic.context().setOffline(false);
  await vic.waitForSelector(".banner", { state: "detached", timeout: 40000 });
  await vic.context().close();
}

async function allPages() {
  const walks = [
    [
      "ann",
      [
        "queue",
        `case/${process.env.R1_SCRIPT_CASE}`,
        `ring/${process.env.R1_SCRIPT_CASE}`,
        "rules",
        "health",
      ],
    ],
    ["sue", ["rules"]],
    ["aud", ["audit", "users", "retention"]],
    ["root", ["users"]],
    ["cleo", ["records"]],
  ];
  // Pictures are wanted of all four.
  const looks = [
    ["light", 1280, "en"],
    ["dark", 390, "zh"],
  ];
  if (pictures) looks.push(["dark", 1280, "en"], ["light", 390, "en"]);
  for (const [theme, width, language] of looks)
    for (const [name, list] of walks) {
      const page = await person(name, { theme, width, language, check: true });
      for (const where of list) {
        await at(page, where);
        await page.waitForTimeout(where.startsWith("ring") ? 1200 : 400);
        if (where === "records") {
          await page.fill("textarea", readFileSync("apps/medical/samples/record.txt", "utf8"));
          await page.click("button.main");
          await page.waitForSelector("ol.diseases li");
        }
        await clean(page, `${name}-${where.split("/")[0]}-${theme}-${width}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 2) problems.push(`${where} at ${width}: ${wide} px wider than the screen`);
      }
      await page.context().close();
    }
}

async function main() {
  browser = await chromium.launch({
    executablePath: process.env.R1_CHROMIUM,
    args: ["--no-sandbox"],
  });
  for (const step of [
    caseByKeyboard,
    newsArrive,
    recordCorrected,
    reportSigned,
    supervisorMends,
    rolesAndEnds,
    allPages,
  ].filter((step) => !only || only.split(",").includes(step.name)))
    try {
      const began = Date.now();
      await step();
      console.log(`${step.name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
    } catch (e) {
      problems.push(`${step.name}: ${e.message.split("\n").slice(0, 3).join(" ")}`);
    }
  await browser.close();
  for (const p of problems) console.log(p);
  process.exit(problems.length ? 1 : 0);
}
main();
