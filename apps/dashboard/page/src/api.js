// SPDX-License-Identifier: Apache-2.0
// api.js - calls of the server, and its news.
import { t } from "./words.js";

let csrf = "";
let onSignedOut = () => {};

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export function begin(user, signedOut) {
  csrf = user.csrf;
  onSignedOut = signedOut;
}

async function answer(response) {
  const text = await response.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = { error: text };
  }
  if (response.ok) return body;
  if (response.status === 401) onSignedOut();
  throw new Refused(response.status, body.error || `HTTP ${response.status}`);
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, { credentials: "same-origin", ...options });
  } catch {
    throw new Refused(0, t("The server does not answer."));
  }
  return answer(response);
}

export function get(path, args = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(args))
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  const tail = query.toString();
  return ask(tail ? `${path}?${tail}` : path);
}

export const post = (path, body = {}) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-R1-CSRF": csrf },
    body: JSON.stringify(body),
  });

// A record as it came: text, or the bytes of a file.
export const postRecord = (path, body, type) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": type || "application/octet-stream", "X-R1-CSRF": csrf },
    body,
  });

// The answer in another form than JSON, as bytes.
export async function postForm(path, body, type) {
  const response = await fetch(`/api/v1/${path}`, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-R1-CSRF": csrf, Accept: type },
    body: JSON.stringify(body),
  });
  return response.ok ? response.blob() : answer(response);
}

// Calls heard(type, text) for each event, and connected(yes) as the server goes and comes. An
// answer ends after some seconds and the browser asks again, so an end alone says nothing: the
// server is asked whether it lives.
export function listen(heard, connected) {
  const source = new EventSource("/api/v1/events");
  let next = null;
  let ended = false;
  const look = () =>
    fetch("/livez").then(
      (r) => connected(r.ok),
      () => {
        if (ended) return;
        connected(false);
        next = setTimeout(look, 1500);
      },
    );
  for (const type of ["case", "database", "begin", "again"])
    source.addEventListener(type, (e) => heard(type, e.data));
  source.onerror = () => {
    clearTimeout(next);
    next = setTimeout(look, 300);
  };
  return () => {
    ended = true;
    clearTimeout(next);
    source.close();
  };
}
