// SPDX-License-Identifier: Apache-2.0
// format.js - money, times and numbers in words. Amounts come as texts of whole minor units, and
// stay texts: no number of a computer rounds them.
import { language, t } from "./words.js";

export function amount(minor, digits) {
  if (minor === null || minor === undefined) return "";
  const minus = String(minor).startsWith("-");
  const all = String(minor)
    .replace("-", "")
    .padStart(digits + 1, "0");
  const whole = all.slice(0, all.length - digits).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return (minus ? "\u2212" : "") + whole + (digits ? "." + all.slice(-digits) : "");
}

export const money = (p) =>
  p.minor === null || p.minor === undefined
    ? ""
    : `${amount(p.minor, p.digits)} ${p.currency || ""}`;

export const monies = (list) => (list || []).map(money).join(" + ") || "\u2013";

// For sizes of drawings alone.
export const units = (p) => Number(p.minor || 0) / 10 ** (p.digits || 0);

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const formats = {};
function format(options) {
  const key = language() + JSON.stringify(options);
  formats[key] ||= new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en-GB", options);
  return formats[key];
}

export const utc = (at) =>
  at ? new Date(at).toISOString().replace("T", " ").slice(0, 19) + " UTC" : "";
export const when = (at) =>
  at
    ? format({ dateStyle: "medium", timeStyle: "medium", timeZone: zone }).format(new Date(at))
    : "";
export const clock = (at) =>
  at ? format({ timeStyle: "short", timeZone: zone }).format(new Date(at)) : "";

// Seconds as the two largest units.
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function due(at) {
  const left = (new Date(at) - Date.now()) / 1000;
  return left >= 0 ? `${span(left)} ${t("left")}` : `${span(-left)} ${t("late")}`;
}
export const late = (at) => new Date(at) < Date.now();
export const ago = (at) => (at ? `${span((Date.now() - new Date(at)) / 1000)} ${t("ago")}` : "");
export const score = (x) => (x === null || x === undefined ? "\u2013" : x.toFixed(3));
export const percent = (x, digits = 1) =>
  x === null || x === undefined ? "\u2013" : `${(100 * x).toFixed(digits)} %`;
export const count = (n) => format2().format(n);
function format2() {
  formats.count ||= new Intl.NumberFormat("en-GB");
  return formats.count;
}

// A cell of CSV; what a spreadsheet would take for a formula stands behind an apostrophe.
export function cell(text) {
  let s = text === null || text === undefined ? "" : String(text);
  if (/^[=+\-@\t\r]/.test(s) && !/^-?[\d.]+$/.test(s)) s = "'" + s;
  return /[",\r\n']/.test(s) ? `"${s.replace(/"/g, '""')}"` : s;
}

export function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(
    content instanceof Blob ? content : new Blob([content], { type }),
  );
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
