/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message.c - see message.h. */
#include "write/message.h"
#include "r1_assert.h"

char *fraud_decision_message(const fraud_record *r, const fraud_names *names)
{
    R1_ASSERT(r->kind == FRAUD_RECORD_PAYMENT, "a record of kind %d", (int)r->kind);
    json_t *o =
        json_pack("{s:s, s:I, s:s, s:f, s:b, s:s, s:s}", "tx_id", r->payment.tx_id, "apply_seq",
                  (json_int_t)r->apply_seq, "decision", fraud_action_name(r->decision.action),
                  "score", (double)r->probability, "degraded", (int)r->degraded, "model",
                  names->model, "config", fraud_record_config(r, names));
    if (r->apart_rule) {
        json_object_del(o, "score");
        json_object_set_new(o, "reasons", fraud_apart_reasons(r->apart_rule, r->apart_text));
    }
    if (r->alert) json_object_set_new(o, "reasons", fraud_alert_reasons(r->alert));
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}
