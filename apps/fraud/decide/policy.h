/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy.h - from a score to allow, review or block: lists first, then rules in their order,
 * then thresholds.
 *
 * A rules file holds one rule per line; # begins a comment:
 *
 *     new_payee_large: amount >= 10000 and kind == "transfer" and probability > 0.02 -> review
 *     ring:            finding == "cycle" and probability > 0.3 -> block
 *
 * Fields with a number: amount (major units), amount_minor, probability, logit, degraded (0 or
 * 1), hour (UTC, 0 to 23). Fields with a text: kind, currency, country, channel, category, from,
 * to, finding (true where any finding has that pattern). Operators: == != < <= > >=; a text takes
 * == and != alone. The first rule that matches decides.
 *
 * A value that its field cannot have is an error, because such a rule would never fire: an unknown
 * kind, finding, currency or country, a number outside of the field's range, a text too long.
 *
 * Each rule has a name of its own, other than allow_list and block_list.
 *
 * A list file holds one account per line, without commas and quotes; # begins a comment. No
 * account stands in both lists. The files are UTF-8 without a byte order mark, and hold no
 * characters that a reader does not see.
 *
 * Owns:    copies of all it read.
 * Threads: read-only after fraud_policy_new.
 * Errors:  R1_E_INVAL with FILE:LINE, what was expected and what was found.
 * Limits:  256 rules of 8 conditions, 100,000 accounts a list. */
#ifndef FRAUD_POLICY_H
#define FRAUD_POLICY_H

#include "score/engine.h"

/* The thresholds where none is named, of the service and of `r1-fraud eval`. */
#define FRAUD_DEFAULT_REVIEW_AT 0.2
#define FRAUD_DEFAULT_BLOCK_AT  0.8

typedef enum { FRAUD_ALLOW = 0, FRAUD_REVIEW, FRAUD_BLOCK } fraud_action;
const char *fraud_action_name(fraud_action action); /* "allow", "review", "block" */

typedef struct {
    double review_at, block_at; /* probabilities; review_at <= block_at */
    const char *rules_path;     /* NULL: none */
    const char *allow_path;     /* accounts whose payments pass, NULL: none */
    const char *block_path;     /* accounts whose payments (either end) are blocked, NULL: none */
} fraud_policy_opts;

typedef struct fraud_policy fraud_policy;
r1_status fraud_policy_new(fraud_policy **out, const fraud_policy_opts *opts, r1_err *err);
void fraud_policy_free(fraud_policy *p); /* NULL is fine */

typedef struct {
    fraud_action action;
    /* Name of the rule, "allow_list" or "block_list"; NULL: a threshold. The policy owns it. */
    const char *rule;
} fraud_decision;
void fraud_policy_decide(const fraud_policy *p, const fraud_payment *payment,
                         const fraud_result *result, fraud_decision *out);

/* 16 hex digits over thresholds, rules and lists: what a decision row names as its
 * configuration. */
const char *fraud_policy_version(const fraud_policy *p);
/* One line of text about what is in force. */
const char *fraud_policy_text(const fraud_policy *p);

#endif
