// SPDX-License-Identifier: Apache-2.0
// signin.jsx - name and password.
import { useState } from "preact/hooks";
import { Problem } from "./parts.jsx";
import { t } from "./words.js";

export function SignIn({ signedIn, ended }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const send = async (e) => {
    e.preventDefault();
    const form = new FormData(e.target);
    setBusy(true);
    try {
      const body = JSON.stringify({
        name: form.get("name").trim(),
        password: form.get("password"),
      });
      const headers = { "Content-Type": "application/json" };
      let r;
      for (let tries = 0; tries < 10; tries++) {
        r = await fetch("/api/v1/login", {
          method: "POST",
          credentials: "same-origin",
          headers,
          body,
        });
        if (r.status !== 503) break;
        await new Promise((later) => setTimeout(later, 500)); // few may enter at a time
      }
      const answer = await r.json();
      if (r.ok) signedIn(answer);
      else setProblem(answer.error);
    } catch {
      setProblem(t("The server does not answer."));
    }
    setBusy(false);
  };
  return (
    <main class="signin">
      <h1>
        <img src="/icon.svg" alt="" width="36" height="36" /> R1
      </h1>
      {ended && (
        <p role="status">{t("Your session has ended. Sign in to go on where you were.")}</p>
      )}
      <form onSubmit={send}>
        <label>
          {t("Name")}
          <input name="name" autocomplete="username" required autofocus />
        </label>
        <label>
          {t("Password")}
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <Problem text={problem} />
        <button class="main" disabled={busy}>
          {t("Sign in")}
        </button>
      </form>
    </main>
  );
}
