// SPDX-License-Identifier: Apache-2.0
// record.jsx - a record is read, its findings are gone through, and the diseases are ranked again
// with each change. The text stays in this page; r1-medical serve keeps none of it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, post, postForm, postRecord } from "./api.js";
import { percent, save } from "./format.js";
import { Choices, Dialog, Problem, Time, Wide, useCall, useKeys } from "./parts.jsx";
import { t } from "./words.js";

const statuses = ["present", "absent", "family", "historical", "hypothetical", "uncertain"];

export function Records({ user }) {
  const { data, problem } = useCall(() => get("records"), []);
  return (
    <>
      <Reader user={user} />
      {user.reviews && <Reviews />}
      <section>
        <h2>{t("Reports that are kept")}</h2>
        <Problem text={problem} />
        {data && !data.records.length && (
          <p>{t("None. What is read here is not kept; records of the topic are.")}</p>
        )}
        {data && data.records.length > 0 && (
          <Wide label={t("Table")}>
            <thead>
              <tr>
                <th scope="col">{t("Report")}</th>
                <th scope="col">{t("Time")}</th>
                <th scope="col" class="number">
                  {t("Findings")}
                </th>
                <th scope="col">{t("First disease")}</th>
                <th scope="col" class="number">
                  {t("Probability")}
                </th>
                <th scope="col">{t("State")}</th>
              </tr>
            </thead>
            <tbody>
              {data.records.map((r) => (
                <tr key={r.id}>
                  <td>
                    <a href={`#/record/${r.id}`}>{r.id}</a>
                  </td>
                  <td>
                    <Time at={r.created_at} />
                  </td>
                  <td class="number">{r.findings}</td>
                  <td>{r.first?.name || "\u2013"}</td>
                  <td class="number">{percent(r.first?.probability)}</td>
                  <td>
                    {r.outcome === "person"
                      ? r.handled_at
                        ? t("looked at")
                        : t("waits for a person")
                      : r.confident
                        ? t("confident")
                        : t("not confident")}
                  </td>
                </tr>
              ))}
            </tbody>
          </Wide>
        )}
      </section>
    </>
  );
}

// What clinicians have made of findings, newest first.
function Reviews() {
  const { data, problem } = useCall(() => get("reviews"), []);
  return (
    <section>
      <h2>{t("Reviews")}</h2>
      <Problem text={problem} />
      {data && !data.reviews.length && <p>{t("None.")}</p>}
      {data && data.reviews.length > 0 && (
        <Wide label={t("Reviews")}>
          <thead>
            <tr>
              <th scope="col">{t("Review")}</th>
              <th scope="col">{t("Time")}</th>
              <th scope="col">{t("Who")}</th>
              <th scope="col">{t("State")}</th>
              <th scope="col">{t("Signed by")}</th>
              <th scope="col" class="number">
                {t("Findings")}
              </th>
              <th scope="col" class="number">
                {t("accepted")}
              </th>
              <th scope="col" class="number">
                {t("rejected")}
              </th>
              <th scope="col" class="number">
                {t("added")}
              </th>
              <th scope="col" class="number">
                {t("not looked at")}
              </th>
            </tr>
          </thead>
          <tbody>
            {data.reviews.map((r) => (
              <tr key={r.id}>
                <td>
                  <a href={`#/review/${r.id}`}>{r.id}</a>
                </td>
                <td>
                  <Time at={r.made_at} />
                </td>
                <td>{r.made_by}</td>
                <td>{t(r.state)}</td>
                <td>{r.signatures.join(", ")}</td>
                <td class="number">{r.findings}</td>
                <td class="number">{r.accepted}</td>
                <td class="number">{r.rejected}</td>
                <td class="number">{r.added}</td>
                <td class="number">{r.open}</td>
              </tr>
            ))}
          </tbody>
        </Wide>
      )}
    </section>
  );
}

// A review as it was stored; what is changed here becomes a review of its own.
export function ReviewPage({ user, rest }) {
  const { data, problem } = useCall(() => get("review", { id: rest }), [rest]);
  if (!data) return <Problem text={problem} />;
  return (
    <Reader user={user} start={data}>
      <h1>
        {t("Review")} {data.id}
      </h1>
      <p>
        {t("Made by {name}", { name: data.made_by })} <Time at={data.made_at} />
        {data.before && (
          <>
            {" "}
            <a href={`#/review/${data.before}`}>
              {t("goes on from review {id}", { id: data.before })}
            </a>
          </>
        )}
      </p>
    </Reader>
  );
}

// Findings that say something of the patient's disease.
const counted = (findings) =>
  findings.findings.filter(
    (f) => f.review !== "rejected" && (f.status === "present" || f.status === "absent"),
  ).length;

// How the review stands, and what a clinician does with it.
function Sign({ user, findings, kept, setKept, failed }) {
  const [asked, setAsked] = useState(false); // a signature is asked for twice: it stays
  const open = findings.findings.filter((f) => (f.review || "open") === "open").length;
  const mine = kept?.signatures?.some((g) => g.signer === user.name);
  const keep = (sign) =>
    post("review/save", { findings, sign, ...(kept && { before: kept.id }) }).then(
      (a) =>
        setKept({
          ...a,
          same: true,
          signatures: sign ? [{ signer: user.name, at: new Date().toISOString() }] : [],
        }),
      failed,
    );
  const sign = () =>
    kept?.same
      ? post("review/sign", { id: kept.id, hash: kept.hash }).then(
          (a) =>
            setKept({
              ...kept,
              ...a,
              signatures: [...kept.signatures, { signer: user.name, at: new Date().toISOString() }],
            }),
          failed,
        )
      : keep(true);
  return (
    <section class="sign">
      <div class="row">
        {!kept?.same && <button onClick={() => keep(false)}>{t("Save review")}</button>}
        {!(kept?.same && (kept.state === "signed" || mine)) &&
          (asked ? (
            <>
              <button
                class="main"
                onClick={() => {
                  setAsked(false);
                  sign();
                }}
              >
                {t("Sign for good")}
              </button>
              <button onClick={() => setAsked(false)}>{t("Cancel")}</button>
              <span role="status">
                {t("A signature cannot be taken back. {n} findings, {open} not looked at.", {
                  n: findings.findings.length,
                  open,
                })}
              </span>
            </>
          ) : (
            <button class="main" onClick={() => setAsked(true)}>
              {t("Sign")}
            </button>
          ))}
        {kept?.same && (
          <span role="status">
            <a href={`#/review/${kept.id}`}>
              {t("Review")} {kept.id}
            </a>{" "}
            <strong class="tag">{t(kept.state)}</strong>{" "}
            {kept.signatures.map((g) => (
              <span key={g.signer}>
                {t("signed by {name}", { name: g.signer })} <Time at={g.at} />{" "}
              </span>
            ))}
            <small title={kept.hash}>SHA-256 {kept.hash.slice(0, 16)}</small>
          </span>
        )}
      </div>
      {open > 0 && (
        <p>{t("{n} findings were not looked at; they count as they were read.", { n: open })}</p>
      )}
      {kept && !kept.same && (
        <p>{t("This has changed since review {id}; it becomes a new review.", { id: kept.id })}</p>
      )}
    </section>
  );
}

export function RecordPage({ rest }) {
  const { data, problem } = useCall(() => get("record", { id: Number(rest) }), [rest]);
  if (!data) return <Problem text={problem} />;
  return (
    <>
      <h1>
        {t("Report")} {data.id}
      </h1>
      <p>
        <Time at={data.created_at} />{" "}
        {t("None of these: {percent}.", { percent: percent(data.none_of_these) })}{" "}
        {data.confident ? "" : t("The ranking is not confident.")}
      </p>
      <div class="columns even">
        <section>
          <h2>{t("Findings")}</h2>
          <ul>
            {data.findings.map((f, i) => (
              <li key={i}>
                <span class={`status ${f.status}`}>{t(f.status)}</span> {f.name}{" "}
                <small>{f.id}</small>
              </li>
            ))}
          </ul>
        </section>
        <section>
          <h2>{t("Diseases")}</h2>
          <ol>
            {data.candidates.map((c) => (
              <li key={c.id}>
                {c.name} <small>{c.id}</small> {percent(c.probability)}
              </li>
            ))}
          </ol>
        </section>
      </div>
    </>
  );
}

// The words of a name or synonym, found while one types.
function AddTerm({ add, close }) {
  const [q, setQ] = useState("");
  const [terms, setTerms] = useState([]);
  const [at, setAt] = useState(0);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    if (q.trim().length < 2) return setTerms([]);
    const wait = setTimeout(
      () =>
        get("medical/terms", { q: q.trim() }).then(
          (a) => (setTerms(a.terms), setAt(0), setProblem(null)),
          (e) => setProblem(e.message),
        ),
      60,
    );
    return () => clearTimeout(wait);
  }, [q]);
  return (
    <Dialog title={t("Add a finding")} close={close}>
      <Choices
        id="terms"
        label={t("Name or synonym of a finding")}
        list={t("Findings")}
        {...{ q, setQ, at, setAt }}
        rows={terms}
        take={add}
        draw={(term) => (
          <>
            {term.name}{" "}
            <small>
              {term.id}
              {term.label ? "" : t(", as {name}", { name: term.match })}
            </small>
          </>
        )}
      >
        <Problem text={problem} />
      </Choices>
    </Dialog>
  );
}

// The text with each sentence that holds a finding as a button; places are bytes of UTF-8.
function Marked({ text, findings, at, setAt }) {
  const pieces = useMemo(() => {
    const bytes = new TextEncoder().encode(text);
    const decode = (a, b) => new TextDecoder().decode(bytes.slice(a, b));
    const marks = findings
      .map((f, i) => ({
        i,
        from: f.evidence ? f.evidence.start + f.evidence.from : -1,
        to: f.evidence ? f.evidence.start + f.evidence.to : -1,
        status: f.status,
      }))
      .filter((m) => m.from >= 0 && m.to > m.from && m.to <= bytes.length)
      .sort((a, b) => a.from - b.from);
    const out = [];
    let done = 0;
    for (const m of marks) {
      if (m.from < done) continue;
      out.push({ text: decode(done, m.from) });
      out.push({ ...m, text: decode(m.from, m.to) });
      done = m.to;
    }
    out.push({ text: decode(done, bytes.length) });
    return out;
  }, [text, findings]);
  const box = useRef(null);
  useEffect(() => {
    box.current
      ?.querySelector("[aria-current]")
      ?.scrollIntoView({ block: "center", behavior: "smooth" });
  }, [at]);
  return (
    <div class="text" ref={box} tabIndex={0} role="region" aria-label={t("Text of the record")}>
      {pieces.map((p, k) =>
        p.i === undefined ? (
          p.text
        ) : (
          <button
            key={k}
            type="button"
            class={`mark ${p.status}`}
            aria-current={p.i === at ? "true" : undefined}
            onClick={() => setAt(p.i)}
            title={t(p.status)}
          >
            {p.text}
          </button>
        ),
      )}
    </div>
  );
}

const signed = (points) =>
  Math.abs(points) < 0.1 ? "" : (points > 0 ? "+" : "\u2212") + Math.abs(points).toFixed(1);

// What a change did to the list.
function moved(before, after) {
  if (!before) return new Map();
  const was = new Map(before.map((c) => [c.id, c]));
  return new Map(
    after.map((c) => {
      const old = was.get(c.id);
      if (!old) return [c.id, t("new")];
      const up = old.rank - c.rank;
      const points = 100 * (c.probability - old.probability);
      const place = up > 0 ? `\u2191${up}` : up < 0 ? `\u2193${-up}` : "";
      return [c.id, `${place} ${signed(points)}`.trim()];
    }),
  );
}

function Compare({ candidates, pair, setPair }) {
  const two = pair.map((id) => candidates.find((c) => c.id === id)).filter(Boolean);
  if (two.length < 2) return null;
  const names = [...new Set(two.flatMap((c) => c.contributions.map((x) => x.name)))];
  const of = (c, name) => c.contributions.find((x) => x.name === name);
  return (
    <section>
      <h3>{t("Finding by finding")}</h3>
      <Wide label={t("Table")}>
        <thead>
          <tr>
            <th scope="col">{t("Finding")}</th>
            {two.map((c) => (
              <th scope="col" class="number" key={c.id}>
                {c.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {two.map((c) => (
                <td class="number" key={c.id}>
                  {of(c, name)
                    ? `${of(c, name).log_lr > 0 ? "+" : ""}${of(c, name).log_lr.toFixed(2)}`
                    : "\u2013"}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </Wide>
      <button onClick={() => setPair([])}>{t("Cancel")}</button>
    </section>
  );
}

function Reader({ user, start, children }) {
  const [text, setText] = useState("");
  const [read, setRead] = useState(null); // the text; null: a file's, which is not shown
  const [findings, setFindings] = useState(start?.findings || null);
  const [report, setReport] = useState(start?.report || null);
  const [kept, setKept] = useState(start ? { ...start, same: true } : null);
  const [before, setBefore] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [took, setTook] = useState(null);
  const [at, setAt] = useState(0);
  const [adds, setAdds] = useState(false);
  const [pair, setPair] = useState([]);
  const turn = useRef(0);

  const send = async (body, type, shown) => {
    setBusy(true);
    setProblem(null);
    try {
      const answer = await postRecord("medical/records", body, type);
      setFindings(answer.findings);
      setReport(answer.report);
      setBefore(null);
      setKept(null);
      setRead(shown);
      setAt(0);
    } catch (e) {
      setProblem(e.message);
    }
    setBusy(false);
  };
  const file = (f) =>
    f &&
    f
      .arrayBuffer()
      .then((bytes) =>
        send(
          bytes,
          f.type || "application/octet-stream",
          f.type === "text/plain" ? new TextDecoder().decode(bytes) : null,
        ),
      );
  const rank = async (next) => {
    const mine = ++turn.current;
    const began = performance.now();
    setFindings(next);
    setKept((k) => k && { ...k, same: false });
    try {
      const answer = await post("medical/findings", next);
      if (mine !== turn.current) return;
      setBefore(report.candidates);
      setReport(answer.report);
      setTook(performance.now() - began);
      setProblem(null);
    } catch (e) {
      if (mine === turn.current) setProblem(e.message);
    }
  };
  const change = (i, what) =>
    rank({
      ...findings,
      findings: findings.findings.map((f, k) => (k === i ? { ...f, ...what } : f)),
    });
  const add = (term) => {
    setAdds(false);
    rank({
      ...findings,
      findings: [
        ...findings.findings,
        { id: term.id, name: term.name, status: "present", person: "patient", review: "added" },
      ],
    });
  };
  const answerQuestion = (q, status) =>
    rank({
      ...findings,
      findings: [
        ...findings.findings,
        { id: q.id, name: q.name, status, person: "patient", review: "added" },
      ],
    });
  const rows = findings?.findings || [];
  useKeys(
    {
      j: () => setAt((i) => Math.min(rows.length - 1, i + 1)),
      k: () => setAt((i) => Math.max(0, i - 1)),
      y: () => rows[at] && change(at, { review: "accepted" }),
      x: () =>
        rows[at] && change(at, { review: rows[at].review === "rejected" ? "open" : "rejected" }),
      p: () => rows[at] && change(at, { status: "present", review: "accepted" }),
      d: () => rows[at] && change(at, { status: "absent", review: "accepted" }),
      "+": () => findings && setAdds(true),
    },
    adds,
  );
  const news = report ? moved(before, report.candidates) : new Map();
  const lists = useRef(null);
  useEffect(() => {
    lists.current?.querySelector(".here")?.scrollIntoView({ block: "nearest" });
  }, [at]);
  // The same findings in another form; r1-medical serve writes it.
  const give = (type, name) =>
    postForm(
      kept?.same ? `medical/findings?review=${kept.id}` : "medical/findings",
      findings,
      type,
    ).then(
      (blob) => save(name, type, blob),
      (e) => setProblem(e.message),
    );
  return (
    <>
      {children || <h1>{t("Records")}</h1>}
      {!findings && (
        <form
          class="reader"
          onSubmit={(e) => {
            e.preventDefault();
            send(text, "text/plain", text);
          }}
          onDragOver={(e) => e.preventDefault()}
          onDrop={(e) => {
            e.preventDefault();
            file(e.dataTransfer.files[0]);
          }}
        >
          <label>
            {t("A letter, a list of findings or a phenopacket: paste it, or drop a file here")}
            <textarea rows={10} value={text} onInput={(e) => setText(e.target.value)} />
          </label>
          <Problem text={problem} />
          <div class="row">
            <button class="main" disabled={busy || !text.trim()}>
              {t("Read record")}
            </button>
            <label class="button">
              {t("File")}
              <input type="file" class="hidden" onChange={(e) => file(e.target.files[0])} />
            </label>
          </div>
        </form>
      )}
      {findings && report && (
        <>
          <div class="row filter">
            <button onClick={() => (setFindings(null), setReport(null))}>
              {t("Another record")}
            </button>
            <label>
              {t("Sex")}
              <select
                value={findings.sex || "unknown"}
                onChange={(e) => rank({ ...findings, sex: e.target.value })}
              >
                {["unknown", "female", "male"].map((s) => (
                  <option key={s} value={s}>
                    {t(s)}
                  </option>
                ))}
              </select>
            </label>
            <label>
              {t("Age")}
              <input
                type="number"
                min="0"
                max="120"
                step="any"
                value={findings.age_years ?? ""}
                onChange={(e) =>
                  rank({
                    ...findings,
                    age_years: e.target.value === "" ? null : Number(e.target.value),
                  })
                }
              />
            </label>
            <button onClick={() => setAdds(true)}>
              {t("Add a finding")} <kbd>+</kbd>
            </button>
            {user.may_export && (
              <>
                <button onClick={() => give("application/pdf", "report.pdf")}>{t("PDF")}</button>
                <button onClick={() => give("application/fhir+json", "report.fhir.json")}>
                  {t("FHIR")}
                </button>
                <button
                  onClick={() =>
                    give("application/vnd.ga4gh.phenopacket+json", "report.phenopacket.json")
                  }
                >
                  Phenopacket
                </button>
                <button onClick={() => give("text/html", "report.html")}>{t("HTML")}</button>
              </>
            )}
            {took !== null && (
              <small role="status">{t("Ranked again in {n} ms.", { n: took.toFixed(0) })}</small>
            )}
          </div>
          {user.reviews && counted(findings) > 0 && (
            <Sign {...{ user, findings, kept, setKept }} failed={(e) => setProblem(e.message)} />
          )}
          <p class="note">
            {report.banner} {report.scope}
          </p>
          <Problem text={problem} />
          {[...(findings.notes || []), ...(report.reading || []), ...(report.notices || [])].map(
            (n, i) => (
              <p class="note" key={i}>
                {typeof n === "string" ? n : JSON.stringify(n)}
              </p>
            ),
          )}
          <div class="columns three">
            {read !== null && (
              <section>
                <h2>{t("Text")}</h2>
                <Marked text={read} findings={rows} at={at} setAt={setAt} />
              </section>
            )}
            <section>
              <h2>
                {t("Findings")} <small>{t("j k, y accept, x reject, p present, d denied")}</small>
              </h2>
              <div
                class="scroll tall"
                tabIndex={0}
                role="region"
                aria-label={t("Findings")}
                ref={lists}
              >
                <ul class="findings">
                  {rows.map((f, i) => (
                    <li key={i} class={`${i === at ? "here" : ""} ${f.review}`}>
                      <button
                        type="button"
                        class="name"
                        onClick={() => setAt(i)}
                        aria-pressed={i === at}
                      >
                        {f.name}{" "}
                        <small>
                          {f.id}
                          {f.person && f.person !== "patient" ? `, ${t(f.person)}` : ""}
                        </small>
                      </button>
                      <select
                        aria-label={`${t("State")} ${f.name}`}
                        value={f.status}
                        onChange={(e) => change(i, { status: e.target.value, review: "accepted" })}
                      >
                        {statuses.map((s) => (
                          <option key={s} value={s}>
                            {t(s)}
                          </option>
                        ))}
                      </select>
                      <button
                        type="button"
                        aria-label={`${t("accept")}: ${f.name}`}
                        aria-pressed={f.review === "accepted"}
                        onClick={() => change(i, { review: "accepted" })}
                      >
                        {"\u2713"}
                      </button>
                      <button
                        type="button"
                        aria-label={`${t("reject")}: ${f.name}`}
                        aria-pressed={f.review === "rejected"}
                        onClick={() =>
                          change(i, { review: f.review === "rejected" ? "open" : "rejected" })
                        }
                      >
                        {"\u2717"}
                      </button>
                      {i === at && f.evidence && (
                        <p class="quote">
                          {f.evidence.sentence}
                          {f.evidence.cue ? ` (${f.evidence.cue})` : ""}
                        </p>
                      )}
                    </li>
                  ))}
                </ul>
              </div>
            </section>
            <section>
              <h2>
                {t("Diseases")}{" "}
                <small>
                  {t("None of these: {percent}.", { percent: percent(report.none_of_these) })}
                </small>
              </h2>
              {!counted(findings) && (
                <p class="note" role="status">
                  {t("No finding was read, so this order tells nothing.")}
                </p>
              )}
              {counted(findings) > 0 && !report.confident && report.candidates.length > 0 && (
                <p class="note" role="status">
                  {t("No candidate is confident. The nearest is {name}, {percent}.", {
                    name: report.candidates[0].name,
                    percent: percent(report.candidates[0].probability),
                  })}
                </p>
              )}
              <ol class="diseases">
                {report.candidates.map((c) => (
                  <li key={c.id}>
                    <details>
                      <summary>
                        {c.name} <strong>{percent(c.probability)}</strong>{" "}
                        <span class="moved">{news.get(c.id)}</span>
                      </summary>
                      <p>
                        <small>
                          {[c.ids, c.genes, c.inheritance, c.onset]
                            .map((list) => (list || []).join(", "))
                            .filter(Boolean)
                            .join(" \u00b7 ")}
                        </small>
                      </p>
                      <table class="bars">
                        <caption>{t("Log likelihood ratios")}</caption>
                        <tbody>
                          {c.contributions.map((x) => (
                            <tr key={x.name}>
                              <th scope="row">{x.name}</th>
                              <td class="number">
                                {(x.log_lr > 0 ? "+" : "") + x.log_lr.toFixed(2)}
                              </td>
                              <td>
                                <meter
                                  class={x.log_lr < 0 ? "lowers" : "raises"}
                                  min="0"
                                  max="6"
                                  value={Math.abs(x.log_lr)}
                                  aria-label={x.log_lr < 0 ? t("lowers") : t("raises")}
                                />
                              </td>
                            </tr>
                          ))}
                        </tbody>
                      </table>
                      {c.typical_not_reported?.length > 0 && (
                        <p>
                          {t("Typical and not reported: {names}", {
                            names: c.typical_not_reported.map((x) => x.name || x).join("; "),
                          })}
                        </p>
                      )}
                    </details>
                    <label>
                      <input
                        type="checkbox"
                        checked={pair.includes(c.id)}
                        onChange={(e) =>
                          setPair(
                            e.target.checked
                              ? [...pair, c.id].slice(-2)
                              : pair.filter((x) => x !== c.id),
                          )
                        }
                      />{" "}
                      {t("compare")}
                    </label>
                  </li>
                ))}
              </ol>
              {report.next_questions?.length > 0 && (
                <>
                  <h3>{t("Next question")}</h3>
                  <ul>
                    {report.next_questions.map((q) => (
                      <li key={q.id}>
                        {q.name}?{" "}
                        <button onClick={() => answerQuestion(q, "present")}>{t("present")}</button>{" "}
                        <button onClick={() => answerQuestion(q, "absent")}>{t("absent")}</button>
                      </li>
                    ))}
                  </ul>
                </>
              )}
              <Compare candidates={report.candidates} pair={pair} setPair={setPair} />
            </section>
          </div>
        </>
      )}
      {adds && <AddTerm add={add} close={() => setAdds(false)} />}
    </>
  );
}
