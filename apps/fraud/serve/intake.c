/* SPDX-License-Identifier: GPL-3.0-or-later */
/* intake.c - one message: decoded, looked up, applied; and what its score decides. */
#include "r1_assert.h"
#include "score/verdict.h"
#include "serve/share.h"

#include <stdio.h>
#include <string.h>

/* ---- results to records ---- */

static void take_trace(fraud_record *r, const fraud_result *res)
{
    r->n_trace = (uint8_t)(res->n_item + 1);
    r->trace[0] = res->prior_logit;
    for (size_t i = 0; i < res->n_item; i++) r->trace[i + 1] = res->item[i].delta;
}

/* Whatever cannot be scored, the block list holds: by the broker's time, as the payment's own may
 * be the fault. */
static void apart_block_listed(server *s, fraud_record *r)
{
    int64_t now = r->message.broker_ms > 0 ? r->message.broker_ms : r1_time_us() / 1000;
    fraud_policy_block_listed(s->parts.policy, &r->payment, now, &r->decision);
}

/* The payment counts in the state; its score does not, and a person looks. */
static void decide_without_verdict(server *s, fraud_record *r, const char *fault)
{
    char text[FRAUD_APART_TEXT_BYTES];
    snprintf(text, sizeof text, "unscorable: %.300s", fault);
    fraud_record_set_apart(r, "unscorable", text, fraud_parts_unscorable(&s->parts));
    apart_block_listed(s, r);
    s->not_finite++;
}

r1_status fraud_serve_decide(server *s, fraud_record *r, const fraud_slot *slot, fraud_result *res,
                             r1_err *err)
{
    const fraud_subject subject = {&r->payment, res, fraud_slot_facts(slot), r->notes};
    char fault[FRAUD_VERDICT_BYTES];
    if (!fraud_verdict_counts(res, fault)) return decide_without_verdict(s, r, fault), R1_OK;
    fraud_policy_decide(s->parts.policy, s->parts.pace, &subject, &r->decision);
    r->probability = (float)res->probability;
    r->logit = (float)res->logit;
    r->degraded = res->degraded;
    r->decided_us = r1_time_us();
    fraud_record_stamp(r, FRAUD_CLOCK_DECIDED);
    take_trace(r, res);
    if (r->decision.action == FRAUD_ALLOW) return R1_OK;
    fraud_engine_explain(slot, res);
    r->alert = fraud_alert_of(res);
    if (!r->alert) R1_FAIL(err, R1_E_NOMEM, "no memory for the reasons of a decision");
    return R1_OK;
}

/* ---- one message ---- */

/* The record's place in the log; its id and content are known from here on. */
static r1_status intake_place(server *s, fraud_record *r, r1_err *err)
{
    R1_TRY(fraud_txset_add(s->parts.seen, r->payment.tx_id, r->content_hash, r->applied, err));
    r->apply_seq = ++s->last_seq;
    return R1_OK;
}

/* Decided without a score, and beside the state. */
static r1_status decide_apart(server *s, fraud_record *r, const char *rule, const char *text,
                              fraud_action action, r1_err *err)
{
    r->applied = false;
    fraud_record_set_apart(r, rule, text, action);
    apart_block_listed(s, r);
    s->apart++;
    return intake_place(s, r, err);
}

static r1_status unscorable(server *s, fraud_record *r, const r1_err *why, r1_err *err)
{
    char text[FRAUD_APART_TEXT_BYTES];
    snprintf(text, sizeof text, "unscorable: %.300s", why->msg);
    return decide_apart(s, r, "unscorable", text, fraud_parts_unscorable(&s->parts), err);
}

static r1_status id_reused(server *s, fraud_record *r, r1_err *err)
{
    return decide_apart(s, r, "id_reused",
                        "tx_id: expected an id of its own, found one that an earlier payment with "
                        "other content has",
                        fraud_parts_unscorable(&s->parts), err);
}

/* Whether the payment's date cannot be believed; *why then says so. */
static bool time_suspect(server *s, fraud_record *r, r1_err *why)
{
    const fraud_time_case c = {.ts = r->payment.ts,
                               .message_ms = r->message.broker_ms,
                               .machine_ms = s->share ? s->machine_ms : r1_time_us() / 1000,
                               .clock_ms = fraud_engine_clock(s->parts.engine)};
    fraud_time_verdict v = fraud_time_next(&s->guard, &c);
    r->guard = fraud_serve_guard_mark(s);
    if (v == FRAUD_TIME_GOOD) return false;
    fraud_time_explain(&s->guard.band, &c, v, why->msg, sizeof why->msg);
    s->time_suspect++;
    return true;
}

/* Records are used again: what a payment may leave unset begins empty. */
static void intake_reset(fraud_record *r)
{
    r->applied = true;
    r->foreign = false;
    r->content_hash = 0;
    r->apart_rule = NULL;
    r->apart_text[0] = 0;
}

/* What the message is: read when it arrived, or now where it came by another way than a topic. The
 * stage "decode" has that time in both cases. */
static const fraud_arrival *intake_arrival(server *s, fraud_record *r)
{
    r1_merge_key key;
    const fraud_arrival *a = r->message.note;
    if (!a) {
        fraud_arrival_place(&s->parts.arrival, &r->message, &s->arrival, &key);
        return &s->arrival;
    }
    r->clock_us[FRAUD_CLOCK_READ] -= a->took_us;
    return a;
}

static r1_status take_payment(server *s, batch *b, fraud_record *r, r1_err *err)
{
    r1_err why = {0};
    intake_reset(r);
    const fraud_arrival *a = intake_arrival(s, r);
    if (a->reading == FRAUD_READ_NOTHING)
        return fraud_record_refuse(r, FRAUD_STAGE_DECODE, &a->why), R1_OK;
    if (a->reading == FRAUD_READ_LEFT_OUT) return fraud_record_leave_out(r, &a->why), R1_OK;
    r->payment = a->payment;
    r->content_hash = a->content;
    memcpy(r->notes, a->notes, sizeof r->notes);
    fraud_record_stamp(r, FRAUD_CLOCK_DECODED);
    fraud_seen seen = fraud_txset_look(s->parts.seen, r->payment.tx_id, r->content_hash);
    if (seen == FRAUD_SEEN_SAME) return r->kind = FRAUD_RECORD_DUPLICATE, R1_OK;
    if (seen == FRAUD_SEEN_OTHER) return id_reused(s, r, err);
    if (a->reading == FRAUD_READ_UNSCORABLE) return unscorable(s, r, &a->why, err);
    if (time_suspect(s, r, &why))
        return decide_apart(s, r, "time_suspect", why.msg, FRAUD_REVIEW, err);
    if (!fraud_serve_currency(s, r, &why)) return unscorable(s, r, &why, err);
    fraud_slot *slot = NULL;
    r1_status st = fraud_engine_apply(s->parts.engine, &r->payment, s->last_seq + 1,
                                      s->no_slot ? NULL : &slot, &why);
    if (why.fatal) { /* a restart rebuilds the state */
        *err = why;
        return st;
    }
    if (st != R1_OK) return fraud_record_refuse(r, FRAUD_STAGE_VALIDATE, &why), R1_OK;
    R1_TRY(intake_place(s, r, err));
    if (!*s->applied_in) fraud_serve_currency_taken(s, r);
    r->kind = FRAUD_RECORD_PAYMENT;
    fraud_record_stamp(r, FRAUD_CLOCK_APPLIED);
    if (!slot) return R1_OK;
    b->slot[b->n_slot] = slot;
    b->scored[b->n_slot++] = r;
    return R1_OK;
}

static void take_label(server *s, fraud_record *r)
{
    r1_err why = {0};
    const fraud_arrival *a = intake_arrival(s, r);
    if (a->reading == FRAUD_READ_NOTHING) {
        fraud_record_refuse(r, FRAUD_STAGE_DECODE, &a->why);
        return;
    }
    r->label = a->label;
    s->labels_odd_time += a->odd_time;
    r1_status st =
        fraud_engine_label(s->parts.engine, r->label.tx_id, r->label.is_fraud, r->label.ts, &why);
    if (st != R1_OK && st != R1_E_NOT_FOUND) {
        fraud_record_refuse(r, FRAUD_STAGE_VALIDATE, &why);
        return;
    }
    r->kind = FRAUD_RECORD_LABEL; /* one of a payment that the state has forgotten, too */
    r->apply_seq = ++s->last_seq;
}

r1_status fraud_serve_poll(server *s, int timeout_ms, fraud_record **out, r1_err *err)
{
    fraud_record *r = fraud_queue_take_free(s->parts.queue);
    *out = NULL;
    if (!r) return R1_E_TIMEOUT;
    r1_status st = r1_consumer_poll(s->consumer, timeout_ms, &r->message, err);
    if (st != R1_OK) {
        fraud_queue_put_back(s->parts.queue, r);
        return st;
    }
    s->consumed++;
    *out = r;
    return R1_OK;
}

r1_status fraud_serve_accept(server *s, batch *b, fraud_record *r, fraud_topic topic, r1_err *err)
{
    R1_ASSERT(b->n < BATCH_MAX && b->n_slot <= b->n, "%zu records, %zu slots", b->n, b->n_slot);
    fraud_record_stamp(r, FRAUD_CLOCK_READ);
    r->topic = topic;
    r->guard.known = false;
    b->record[b->n++] = r;
    s->last_message_us = r1_mono_us();
    r1_status st = R1_OK;
    if (r->topic == FRAUD_TOPIC_LABELS)
        take_label(s, r);
    else
        st = take_payment(s, b, r, err);
    r->message.note = NULL; /* the consumer's again */
    return st;
}
