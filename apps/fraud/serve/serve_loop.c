/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve_loop.c - one turn after the other: read what has come, score it, hand it to the writer. */
#include "serve/port.h"
#include "serve/share.h"

#include <stdlib.h>
#include <unistd.h>

static bool too_late(const server *s, const fraud_record *r, int64_t now_us)
{
    int64_t limit_ms = r1_options_int(s->o, "model-deadline");
    return limit_ms && r->message.sent_us && now_us - r->message.sent_us > limit_ms * 1000;
}

/* Late payments go by the rules, the others by the model. All are decided in the order in which
 * they were applied: what deciding remembers (decide/pace.h) must not depend on batches. */
static r1_status score_slots(server *s, batch *b, r1_err *err)
{
    fraud_slot *slot[BATCH_MAX];
    bool late[BATCH_MAX];
    fraud_result by_rules;
    int64_t now = r1_time_us();
    size_t n = 0, k = 0;
    for (size_t i = 0; i < b->n_slot; i++) {
        late[i] = too_late(s, b->scored[i], now);
        if (!late[i]) slot[n++] = b->slot[i];
    }
    if (n) R1_TRY(fraud_engine_score(s->parts.engine, slot, n, b->result, err));
    for (size_t i = 0; i < b->n_slot; i++)
        if (!late[i]) fraud_record_stamp(b->scored[i], FRAUD_CLOCK_SCORED);
    for (size_t i = 0; i < b->n_slot; i++) {
        if (late[i]) fraud_engine_score_by_rules(b->slot[i], &by_rules);
        R1_TRY(fraud_serve_decide(s, b->scored[i], b->slot[i],
                                  late[i] ? &by_rules : &b->result[k++], err));
    }
    return R1_OK;
}

static r1_status serve_score(server *s, batch *b, r1_err *err)
{
    R1_TRY(score_slots(s, b, err));
    for (size_t i = 0; i < b->n_slot; i++) fraud_slot_release(s->parts.engine, b->slot[i]);
    for (size_t i = 0; i < b->n; i++) /* what was decided apart names the policy too */
        fraud_decision_stamp(&b->record[i]->decision, s->parts.policy);
    fraud_serve_mark(s, b);
    for (size_t i = 0; i < b->n; i++) fraud_record_stamp(b->record[i], FRAUD_CLOCK_QUEUED);
    if (b->n) fraud_queue_push(s->parts.queue, b->record, b->n);
    b->n = b->n_slot = 0;
    return R1_OK;
}

/* An error of the stream that librdkafka mends by itself is logged. Any other ends the service,
 * with what an operator does about it. */
static r1_status serve_tolerate(r1_status st, r1_err *err)
{
    if (st == R1_E_TIMEOUT) return R1_OK;
    if (st != R1_E_STREAM) return st;
    if (!err->retriable) {
        const r1_err why = *err;
        R1_FAIL(err, R1_E_STREAM, "%s. " FRAUD_OFFSETS_REMEDY, why.msg);
    }
    r1_log(R1_LOG_WARN, "broker_away", "error=\"%s\"", err->msg);
    return R1_OK;
}

static r1_status serve_step(server *s, batch *b, r1_err *err)
{
    R1_TRY(fraud_port_serve(s, b, err)); /* first: a backlog of the topic fills every batch */
    r1_status st = fraud_serve_take(s, b, b->n ? 0 : 5, err);
    while (st == R1_OK && b->n < BATCH_MAX) st = fraud_serve_take(s, b, 0, err);
    R1_TRY(serve_tolerate(st, err));
    if (!b->n && fraud_queue_in_flight(s->parts.queue) == FRAUD_QUEUE_RECORDS)
        usleep(1000); /* the writer is behind: reading stops */
    return serve_score(s, b, err);
}

static bool serve_idle(const server *s)
{
    int64_t limit = r1_options_int(s->o, "until-idle");
    bool busy = s->share ? fraud_share_busy(s) : r1_consumer_holds(s->consumer);
    return limit && !busy && fraud_queue_in_flight(s->parts.queue) == 0 &&
           r1_mono_us() - s->last_message_us > limit * 1000000;
}

r1_status fraud_serve_loop(server *s, r1_err *err)
{
    batch *b = calloc(1, sizeof *b);
    if (!b) R1_FAIL(err, R1_E_NOMEM, "no memory for a batch");
    r1_status st = R1_OK;
    while (st == R1_OK && !r1_cli_stopped() && !serve_idle(s)) {
        if (fraud_reload_turn(s->reload, &s->parts)) fraud_share_reloaded(s);
        fraud_port_turn(s);
        st = serve_tolerate(s->share ? fraud_share_turn(s, err) : fraud_serve_watch(s, err), err);
        if (st == R1_OK) st = serve_step(s, b, err);
        if (st == R1_OK) st = fraud_writer_status(s->writer, err);
        if (st == R1_OK) fraud_serve_snapshot_tick(s);
    }
    for (size_t i = 0; i < b->n; i++)
        fraud_queue_put_back(s->parts.queue, b->record[i]); /* not decided: read again next time */
    free(b);
    return st;
}
