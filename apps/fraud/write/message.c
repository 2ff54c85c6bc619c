/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message.c - see message.h. */
#include "write/message.h"
#include "r1_assert.h"

#include <stdio.h>

void fraud_message_id(const char *cluster, int64_t apply_seq, char *out)
{
    snprintf(out, FRAUD_MESSAGE_ID_BYTES, "%s/fraud/%lld", cluster, (long long)apply_seq);
}

/* ---- from a record ---- */

static json_t *message_findings(const fraud_alert *e)
{
    json_t *all = json_array();
    for (size_t k = 0; k < e->n_finding; k++) {
        const fraud_finding *f = &e->finding[k];
        json_t *accounts = json_array(), *payments = json_array();
        for (size_t i = 0; i < f->n_account; i++)
            json_array_append_new(accounts, json_string(f->account[i]));
        for (size_t i = 0; i < f->n_edge; i++)
            json_array_append_new(payments, json_string(f->edge[i].tx_id));
        json_array_append_new(all, json_pack("{s:s, s:o, s:o}", "pattern",
                                             fraud_typology_name(f->typology), "accounts", accounts,
                                             "payments", payments));
    }
    return all;
}

char *fraud_decision_message(const fraud_record *r, const fraud_names *names)
{
    R1_ASSERT(r->kind == FRAUD_RECORD_PAYMENT, "a record of kind %d", (int)r->kind);
    char id[FRAUD_MESSAGE_ID_BYTES];
    fraud_message_id(names->ledger->cluster, r->apply_seq, id);
    json_t *o = json_pack("{s:s, s:s, s:I, s:s, s:b, s:b, s:s?, s:s, s:s}", "id", id, "tx_id",
                          r->payment.tx_id, "apply_seq", (json_int_t)r->apply_seq, "decision",
                          fraud_action_name(r->decision.action), "degraded", (int)r->degraded,
                          "applied", (int)r->applied, "rule", r->bare ? NULL : r->decision.rule,
                          "model", names->model, "config", fraud_record_config(r, names));
    json_object_set_new(o, "score", r->apart_rule ? json_null() : json_real(r->probability));
    char list[FRAUD_DECISION_LIST_BYTES];
    if (!r->bare && fraud_decision_list(&r->decision, list, sizeof list))
        json_object_set_new(o, "list", json_string(list));
    if (*r->notes) json_object_set_new(o, "notes", json_loads(r->notes, 0, NULL));
    if (r->apart_rule && !r->bare)
        json_object_set_new(o, "reasons", fraud_apart_reasons(r->apart_rule, r->apart_text));
    else if ((r->alert || r->decision.rule) && !r->bare)
        json_object_set_new(o, "reasons", fraud_alert_reasons(r->alert, &r->decision));
    if (r->alert && r->alert->n_finding && !r->bare)
        json_object_set_new(o, "findings", message_findings(r->alert));
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

/* ---- from rows ---- */

const char fraud_message_sql[] =
    "SELECT d.apply_seq, d.written_at, coalesce(p.from_id, p.tx_id), (jsonb_build_object("
    "'id', $1::text || '/fraud/' || d.apply_seq, 'tx_id', p.tx_id, 'apply_seq', d.apply_seq, "
    "'decision', d.decision, 'score', d.score, 'degraded', d.degraded, 'applied', p.applied, "
    "'rule', d.rule, "
    "'model', d.model, 'config', d.config) "
    "|| CASE WHEN d.list IS NULL THEN '{}' ELSE jsonb_build_object('list', d.list) END "
    "|| CASE WHEN d.reasons IS NULL THEN '{}' ELSE jsonb_build_object('reasons', d.reasons) END "
    "|| CASE WHEN p.notes IS NULL THEN '{}' ELSE jsonb_build_object('notes', p.notes) END "
    "|| CASE WHEN d.reasons IS NULL THEN '{}' ELSE (SELECT CASE WHEN count(*) = 0 THEN '{}' ELSE "
    "jsonb_build_object('findings', jsonb_agg(jsonb_build_object('pattern', f.pattern, 'accounts', "
    "f.accounts, 'payments', f.payments) ORDER BY f.ordinal)) END FROM r1.finding f WHERE "
    "f.apply_seq = d.apply_seq AND f.written_at = d.written_at AND f.written_at BETWEEN "
    "$4::timestamptz AND $5::timestamptz) END)::text, " /* the bounds spare other weeks' plans */
    "(extract(epoch FROM d.written_at) * 1000000)::bigint "
    "FROM r1.decision d JOIN r1.payment p ON p.apply_seq = d.apply_seq "
    "WHERE d.apply_seq BETWEEN $2::bigint AND $3::bigint AND p.apply_seq BETWEEN $2::bigint AND "
    "$3::bigint AND d.written_at BETWEEN $4::timestamptz AND $5::timestamptz "
    "AND p.written_at BETWEEN $4::timestamptz AND $5::timestamptz "
    "ORDER BY d.apply_seq LIMIT $6::bigint";
