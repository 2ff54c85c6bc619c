/* SPDX-License-Identifier: GPL-3.0-or-later */
/* alert.c - see alert.h. */
#include "write/alert.h"
#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 9 }; /* of a contribution, in the database and in the topic */

fraud_alert *fraud_alert_of(const fraud_result *r)
{
    R1_ASSERT(r->n_reason <= FRAUD_REASONS_MAX && r->n_finding <= FRAUD_FINDINGS_MAX,
              "%u reasons, %u findings", r->n_reason, r->n_finding);
    fraud_alert *e = malloc(sizeof *e + r->n_finding * sizeof *e->finding);
    if (!e) return NULL;
    e->n_reason = r->n_reason;
    e->n_finding = r->n_finding;
    memcpy(e->reason, r->reason, r->n_reason * sizeof *e->reason);
    memcpy(e->finding, r->finding, r->n_finding * sizeof *e->finding);
    return e;
}

/* The double that is nearest to x written with DIGITS digits: whoever prints it, with that many
 * digits or with more, shows the same number. */
static double alert_rounded(double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.*g", DIGITS, x);
    return strtod(text, NULL);
}

/* A list's own decision has its name as that of the rule. */
static json_t *alert_cause(const fraud_decision *d)
{
    char list[FRAUD_DECISION_LIST_BYTES], text[sizeof list + FRAUD_RULE_NAME_BYTES + 16];
    bool listed = fraud_decision_list(d, list, sizeof list) != NULL;
    if (listed && (!strcmp(d->rule, "allow_list") || !strcmp(d->rule, "block_list")))
        return json_pack("{s:s, s:s}", "code", "list", "text", list);
    snprintf(text, sizeof text, "rule %s%s%s", d->rule, listed ? ", list " : "",
             listed ? list : "");
    return json_pack("{s:s, s:s}", "code", "rule", "text", text);
}

json_t *fraud_alert_reasons(const fraud_alert *e, const fraud_decision *d)
{
    json_t *a = json_array();
    if (d->rule) json_array_append_new(a, alert_cause(d));
    for (size_t i = 0; e && i < e->n_reason; i++) {
        const fraud_reason *x = &e->reason[i];
        json_array_append_new(a, json_pack("{s:s, s:s, s:f, s:s}", "code", x->code, "item", x->item,
                                           "contribution", alert_rounded(x->contribution), "text",
                                           x->text));
    }
    return a;
}

static char *alert_print(json_t *a)
{
    char *text = a ? json_dumps(a, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) : NULL;
    json_decref(a);
    return text;
}

char *fraud_alert_reasons_text(const fraud_alert *e, const fraud_decision *d)
{
    return alert_print(fraud_alert_reasons(e, d));
}

json_t *fraud_apart_reasons(const char *rule, const char *text)
{
    return json_pack("[{s:s, s:s}]", "code", rule, "text", text);
}

char *fraud_apart_reasons_text(const char *rule, const char *text)
{
    return alert_print(fraud_apart_reasons(rule, text));
}

char *fraud_finding_accounts_text(const fraud_finding *f)
{
    R1_ASSERT(f->n_account <= FRAUD_FINDING_ACCOUNTS_MAX, "%u accounts", f->n_account);
    json_t *a = json_array();
    for (size_t k = 0; k < f->n_account; k++) json_array_append_new(a, json_string(f->account[k]));
    return alert_print(a);
}

char *fraud_finding_payments_text(const fraud_finding *f)
{
    R1_ASSERT(f->n_edge <= FRAUD_FINDING_EDGES_MAX, "%u edges", f->n_edge);
    json_t *a = json_array();
    for (size_t k = 0; k < f->n_edge; k++) json_array_append_new(a, json_string(f->edge[k].tx_id));
    return alert_print(a);
}
