// SPDX-License-Identifier: Apache-2.0
// words.js - English and Chinese. What the server answers to a mistake stays in English.
import { zh } from "./chinese.js";

let chosen =
  localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

export const language = () => chosen;
export function choose(name) {
  chosen = name;
  localStorage.setItem("language", name);
  document.documentElement.lang = name;
}
// A name of the database, such as false_positive, stands in words where it has no own ones.
const plain = (text) => (/^[a-z0-9]+(_[a-z0-9]+)+$/.test(text) ? text.replaceAll("_", " ") : text);

// The words of a text in the chosen language; {name} is a place for args.name.
export function t(text, args) {
  const words = (chosen === "zh" && zh[text]) || plain(text);
  return args ? words.replace(/\{(\w+)\}/g, (all, name) => args[name] ?? all) : words;
}

// What an outcome asks for: reasons, each with the comment that it begins with.
export const outcomes = {
  fraud: {
    key: "c",
    label: "Confirmed fraud",
    reasons: [
      ["mule_network", "Accounts pass money on together."],
      ["account_takeover", "The account was emptied by somebody else."],
      ["scam_payment", "The customer was deceived into paying."],
      ["card_testing", "Small payments try out a card before a large one."],
      ["structuring", "Amounts are kept below a limit."],
      ["other_fraud", "Fraud of another kind."],
    ],
  },
  false_positive: {
    key: "f",
    label: "False positive",
    reasons: [
      ["known_behaviour", "The customer has always paid like this."],
      ["rule_too_broad", "The rule catches what is ordinary."],
      ["data_error", "The data of the payment is wrong."],
      ["test_payment", "A payment of a test."],
    ],
  },
  unusual: {
    key: "u",
    label: "Legitimate but unusual",
    reasons: [
      ["verified_with_customer", "The customer has confirmed it."],
      ["known_counterparty", "The other side is known to the bank."],
      ["one_off_event", "A single event explains it."],
    ],
  },
  escalate: {
    key: "e",
    label: "Escalate",
    reasons: [
      ["needs_supervisor", "A supervisor decides this."],
      ["suspicious_activity_report", "It may have to be reported."],
      ["large_amount", "The amount is above my limit."],
    ],
  },
  snooze: {
    key: "s",
    label: "Snooze",
    reasons: [
      ["awaiting_more_payments", "More payments will tell."],
      ["awaiting_customer", "The customer answers later."],
    ],
  },
  need_information: {
    key: "i",
    label: "Need information",
    reasons: [
      ["ask_customer", "Ask the customer what it was for."],
      ["ask_branch", "Ask the branch that knows the customer."],
      ["ask_counterparty_bank", "Ask the bank of the other side."],
    ],
  },
};
