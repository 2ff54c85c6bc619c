/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_twin.c - the log once more, row by row: each payment is applied, scored and decided alone,
 * by an engine that saw no fault, and must get the decision that stands in its row. */
#include "sim_twin.h"

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEQ = 0, IS_LABEL, PAYLOAD, APPLIED, NOTES, ACTION, LOGIT, RULE };

static const char sql_log[] =
    "SELECT p.apply_seq, 0, p.payload, p.applied, coalesce(p.notes::text, ''), d.decision, "
    "d.logit, "
    "coalesce(d.rule, '') FROM r1.payment p JOIN r1.decision d USING (apply_seq) "
    "UNION ALL SELECT apply_seq, 1, payload, true, '', '', NULL, '' FROM r1.label ORDER BY 1";

typedef struct {
    fraud_parts *parts;
    const fraud_policy *policy;
    r1_err *err;
} twin;

static void twin_compare(const r1_rows *rows, size_t i, const fraud_result *res,
                         const fraud_decision *d)
{
    float stored = strtof(r1_rows_text(rows, i, LOGIT), NULL), mine = (float)res->logit;
    const char *action = fraud_action_name(d->action), *rule = d->rule ? d->rule : "";
    if (stored == mine && !strcmp(action, r1_rows_text(rows, i, ACTION)) &&
        !strcmp(rule, r1_rows_text(rows, i, RULE)))
        return;
    sim_fault("apply_seq %s: the log says %s, logit %s, rule \"%s\"; alone it is %s, logit %.9g, "
              "rule \"%s\"",
              r1_rows_text(rows, i, SEQ), r1_rows_text(rows, i, ACTION),
              r1_rows_text(rows, i, LOGIT), r1_rows_text(rows, i, RULE), action, (double)mine,
              rule);
}

static r1_status twin_payment(twin *t, const r1_rows *rows, size_t i)
{
    fraud_payment p;
    fraud_slot *slot;
    fraud_result result;
    fraud_decision d = {0};
    const char *payload = r1_rows_text(rows, i, PAYLOAD);
    if (*r1_rows_text(rows, i, APPLIED) == 'f') return R1_OK;
    R1_TRY(fraud_payment_decode(payload, strlen(payload), &p, t->err));
    R1_TRY(fraud_engine_apply(t->parts->engine, &p, r1_rows_int(rows, i, SEQ), &slot, t->err));
    r1_status st = fraud_engine_score(t->parts->engine, &slot, 1, &result, t->err);
    if (st == R1_OK && r1_rows_text(rows, i, LOGIT)) {
        const fraud_subject subject = {&p, &result, fraud_slot_facts(slot),
                                       r1_rows_text(rows, i, NOTES)};
        fraud_policy_decide(t->policy, t->parts->pace, &subject, &d);
        twin_compare(rows, i, &result, &d);
        fraud_decision_release(&d);
    }
    fraud_slot_release(t->parts->engine, slot);
    return st;
}

static r1_status twin_label(twin *t, const char *payload)
{
    fraud_label l;
    R1_TRY(fraud_label_decode(payload, strlen(payload), &l, t->err));
    r1_status st = fraud_engine_label(t->parts->engine, l.tx_id, l.is_fraud, l.ts, t->err);
    return st == R1_E_NOT_FOUND ? R1_OK : st;
}

r1_status sim_twin_decides(server *s, r1_err *err)
{
    fraud_parts parts = {0};
    r1_rows *rows = NULL;
    twin t = {&parts, s->parts.policy, err};
    r1_status st = fraud_parts_engine(&parts, s->o, err);
    if (st == R1_OK) st = fraud_pace_new(&parts.pace, err);
    if (st == R1_OK) fraud_policy_pace(s->parts.policy, parts.pace);
    if (st == R1_OK) st = r1_store_query(s->store, sql_log, 0, NULL, &rows, err);
    for (size_t i = 0; st == R1_OK && i < r1_rows_count(rows); i++)
        st = r1_rows_int(rows, i, IS_LABEL) ? twin_label(&t, r1_rows_text(rows, i, PAYLOAD))
                                            : twin_payment(&t, rows, i);
    r1_rows_free(rows);
    fraud_parts_release(&parts);
    fraud_policy_pace(s->parts.policy, s->parts.pace);
    if (st != R1_OK) sim_fault("the log cannot be decided again: %s", err->msg);
    return st;
}
