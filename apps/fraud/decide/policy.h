/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy.h - from a score to allow, review or block: lists first, then rules in their order,
 * then thresholds.
 *
 * A rules file holds one rule per line; a # outside of quotes begins a comment:
 *
 *     new_payee_large: amount > 10000 EUR and new_payee and kind == "transfer" -> review
 *     ring [max 50/h]: finding in ("cycle", "stack") and probability > 0.3 -> block
 *     mules [shadow, owner "aml"]: to in list("mules") or count(sender, 1h) > 5 -> block
 *
 * The options in brackets are `off` (checked, never run), `shadow` (what it would have done is
 * recorded, it does not decide), `max N/h` (above it the rule is a shadow for the rest of the hour
 * of event time), `owner "..."` and `note "..."`. The first rule that matches decides.
 *
 * decide/rule_expr.h has the grammar of a condition, decide/rule_words.c its vocabulary. A value
 * that its field cannot have is an error, because such a rule would never fire. Each rule has a
 * name of its own, other than allow_list and block_list.
 *
 * decide/account_list.h says what a list file holds. No account stands in both the allow list and
 * the block list.
 *
 * A score blocks from block_at on. It is reviewed from review_at on and, with a budget of alerts a
 * day, only where it is among the highest of the last days (pace.h).
 *
 * Owns:    copies of all it read. fraud_policy_free drops one hold of it; a decision has another
 *          until fraud_decision_release, so a policy outlives the records that name it.
 * Threads: read-only after fraud_policy_new; holds are counted atomically.
 * Errors:  R1_E_INVAL with FILE:LINE:COLUMN, what was expected and what was found.
 * Limits:  256 rules, 32 named lists; a file of rules has 8 MiB. */
#ifndef FRAUD_POLICY_H
#define FRAUD_POLICY_H

#include "decide/account_list.h"
#include "decide/pace.h"
#include "decide/rule_words.h"

/* The thresholds where none is named, of `r1-fraud eval`; the first is also the least probability
 * that the service shows to a person. */
#define FRAUD_DEFAULT_REVIEW_AT 0.2
#define FRAUD_DEFAULT_BLOCK_AT  0.8
#define FRAUD_NEVER_BLOCKS      2.0 /* block_at: no probability reaches it */

typedef enum { FRAUD_ALLOW = 0, FRAUD_REVIEW, FRAUD_BLOCK } fraud_action;
const char *fraud_action_name(fraud_action action); /* "allow", "review", "block" */

enum {
    FRAUD_LISTS_MAX = 32,
    FRAUD_RULES_MAX = FRAUD_PACE_RULES_MAX,
    FRAUD_DECISION_LIST_BYTES =
        FRAUD_LIST_NAME_BYTES + FRAUD_LIST_REASON_BYTES + FRAUD_LIST_OWNER_BYTES + 8
};

typedef struct {
    const char *name, *path;
} fraud_named_list;

typedef struct {
    double review_at, block_at; /* probabilities; review_at <= block_at */
    double alerts_per_day;      /* a budget; 0: none, review_at alone decides */
    const char *rules_path;     /* NULL: none */
    const char *allow_path;     /* accounts whose payments pass, NULL: none */
    const char *block_path;     /* accounts whose payments (either end) are blocked, NULL: none */
    const fraud_named_list *list;
    size_t n_list;
    const char *currency;    /* of the stream; NULL: not known */
    const fraud_map *map;    /* by which payments are read; borrowed while files are read */
    const char *calibration; /* what the thresholds come from, in words; NULL: settings */
    uint64_t rates;          /* fraud_rates_hash of the amounts that it judges; 0: no rates */
    /* Hears each mistake in rules and lists up to the 32nd: reading goes on behind it, and fails
     * at its end with the first one. NULL: the first one ends it. */
    void (*mistake)(void *ctx, const char *text);
    void *mistake_ctx;
} fraud_policy_opts;

typedef struct fraud_policy fraud_policy;
r1_status fraud_policy_new(fraud_policy **out, const fraud_policy_opts *opts, r1_err *err);
void fraud_policy_free(fraud_policy *p); /* NULL is fine */

typedef struct {
    fraud_action action;
    /* Name of the rule, "allow_list" or "block_list"; NULL: a threshold. */
    const char *rule;
    const fraud_policy *policy;     /* held; lends every text here. NULL: none was asked */
    const fraud_account_list *list; /* that the account stood on; NULL: none */
    const fraud_list_entry *entry;  /* of it */
    char *would; /* owned: what shadows would have done, as JSON [{"rule","action","why"}] */
} fraud_decision;

/* pace NULL: no budget, no caps, nothing is counted. *out was released or is all zero. */
void fraud_policy_decide(const fraud_policy *p, fraud_pace *pace, const fraud_subject *subject,
                         fraud_decision *out);
/* A decision without a score: it blocks where the block list holds an end, whose entries expire by
 * now_ms, and stays as it is otherwise. */
void fraud_policy_block_listed(const fraud_policy *p, const fraud_payment *payment, int64_t now_ms,
                               fraud_decision *d);
/* Names the policy on a decision that was made apart from it and has none yet. */
void fraud_decision_stamp(fraud_decision *d, const fraud_policy *p);
void fraud_decision_release(fraud_decision *d);
/* "mules: reported by a partner (aml)", or NULL where no list was asked. Returns text, which
 * FRAUD_DECISION_LIST_BYTES hold. */
const char *fraud_decision_list(const fraud_decision *d, char *text, size_t size);

/* 16 hex digits over thresholds, rules, lists and rates: what a decision row names as its
 * configuration. */
const char *fraud_policy_version(const fraud_policy *p);
/* One line of text about what is in force. */
const char *fraud_policy_text(const fraud_policy *p);
/* What is allowed but odd, FILE:LINE: text; NULL behind the last one. */
const char *fraud_policy_note(const fraud_policy *p, size_t i);

/* ---- what is in it, for `config diff` and metrics ---- */

typedef struct {
    char name[FRAUD_RULE_NAME_BYTES];
    fraud_action action;
    bool off, shadow;
    uint32_t max_hour; /* 0: no cap */
    const char *line;  /* as it stands in the file, without blanks at its ends */
} fraud_rule_info;
size_t fraud_policy_n_rule(const fraud_policy *p);
void fraud_policy_rule(const fraud_policy *p, size_t i, fraud_rule_info *out);
/* "allow_list", "block_list" or a named list; NULL: there is none of that name. */
const fraud_account_list *fraud_policy_list(const fraud_policy *p, const char *name);
const fraud_account_list *fraud_policy_list_at(const fraud_policy *p, size_t i); /* NULL: behind */
const fraud_policy_opts *fraud_policy_opts_of(const fraud_policy *p); /* paths are not kept */
/* Gives the rules' names to the pace that will count them, and the budget. */
void fraud_policy_pace(const fraud_policy *p, fraud_pace *pace);

#endif
