// SPDX-License-Identifier: Apache-2.0
// parts.jsx - small pieces that pages share.
import { useEffect, useRef, useState } from "preact/hooks";
import { due, late, score, utc, when } from "./format.js";
import { casePath } from "./go.js";
import { t } from "./words.js";

// Whether a key belongs to a field that is typed into.
export const typing = (e) =>
  e.target instanceof HTMLInputElement
    ? !["checkbox", "radio", "range", "button"].includes(e.target.type)
    : e.target instanceof HTMLTextAreaElement || e.target instanceof HTMLSelectElement;

export const Time = ({ at }) =>
  at ? (
    <time dateTime={at} title={utc(at)}>
      {when(at)}
    </time>
  ) : null;

export const Due = ({ at }) => (
  <time dateTime={at} title={utc(at)} class={late(at) ? "late" : ""}>
    {due(at)}
  </time>
);

const signs = { low: "\u25bd", medium: "\u25c7", high: "\u25b3", critical: "\u25b2" };
export const Severity = ({ of }) => (
  <span class={`severity ${of}`}>
    <span aria-hidden="true">{signs[of]}</span> {t(of)}
  </span>
);

export const CaseLink = ({ id }) => (
  <a href={`#/${casePath(id)}`}>
    {t("Case")} {id}
  </a>
);

export const Score = ({ of }) => <span>{score(of)}</span>;

export function Dialog({ title, close, children, wide }) {
  const box = useRef(null);
  const before = useRef(document.activeElement);
  useEffect(() => {
    box.current.showModal();
    return () => before.current?.focus?.();
  }, []);
  return (
    <dialog
      ref={box}
      class={wide ? "wide" : ""}
      aria-label={title}
      onCancel={(e) => {
        e.preventDefault();
        close();
      }}
      onClick={(e) => e.target === box.current && close()}
    >
      <div class="inside">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

export const Problem = ({ text }) =>
  text ? (
    <p role="alert" class="problem">
      {text}
    </p>
  ) : null;

// What a program printed that the server ran.
export const Said = ({ answer }) =>
  answer ? (
    <>
      {answer.code !== 0 && (
        <Problem text={t("r1-fraud ended with code {n}.", { n: answer.code })} />
      )}
      <pre class="scroll" tabIndex={0} role="region" aria-label={t("What r1-fraud said")}>
        {answer.text}
      </pre>
      {answer.cut && <p>{t("There was more; the rest is cut off.")}</p>}
    </>
  ) : null;

// A table that may be wider than the screen.
export const Wide = ({ label, children }) => (
  <div class="scroll" tabIndex={0} role="region" aria-label={label}>
    <table class="list">{children}</table>
  </div>
);

// Why somebody decides; nobody decides without it.
export const Comment = ({ value, set }) => (
  <label>
    {t("Comment")}
    <textarea value={value} required maxLength={4000} onInput={(e) => set(e.target.value)} />
  </label>
);

// A text that is typed and the rows that fit it, chosen by arrows and Enter or by a click.
export function Choices({ id, label, list, q, setQ, rows, at, setAt, take, draw, children }) {
  const pressed = (e) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      const step = e.key === "ArrowDown" ? 1 : -1;
      setAt((i) => Math.max(0, Math.min(rows.length - 1, i + step)));
    } else if (e.key === "Enter" && rows[at]) {
      e.preventDefault();
      take(rows[at]);
    }
  };
  return (
    <>
      <input
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={rows[at] ? `${id}-${at}` : undefined}
        aria-label={label}
        placeholder={label}
        value={q}
        onInput={(e) => setQ(e.target.value)}
        onKeyDown={pressed}
        autofocus
      />
      {children}
      <ul id={id} role="listbox" aria-label={list} class="choices">
        {rows.map((row, i) => (
          <li
            key={row.id || row.label}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === at}
            onClick={() => take(row)}
          >
            {draw(row)}
          </li>
        ))}
      </ul>
    </>
  );
}

// What a call answers, read again by again(); what was shown stays while it is.
export function useCall(call, depends) {
  const [state, setState] = useState({ data: null, problem: null });
  const turn = useRef(0);
  const again = () => {
    const mine = ++turn.current;
    return call().then(
      (data) => mine === turn.current && setState({ data, problem: null }),
      (e) => mine === turn.current && setState((s) => ({ ...s, problem: e.message })),
    );
  };
  useEffect(() => {
    again();
  }, depends);
  return { ...state, again };
}

// Keys of a page, while no dialog is open.
export function useKeys(keys, off) {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    if (off) return undefined;
    const pressed = (e) => {
      if (typing(e) || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]"))
        return;
      const f = now.current[e.key];
      if (!f) return;
      e.preventDefault();
      f(e);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [off]);
}
