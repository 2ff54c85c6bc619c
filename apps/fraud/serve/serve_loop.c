/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve_loop.c - one turn after the other: read what has come, score it, hand it to the writer. */
#include "serve/port.h"
#include "serve/scores.h"
#include "serve/share.h"
#include "text/quote.h"

#include <unistd.h>

/* An error of the stream that librdkafka mends by itself is logged. Any other ends the service,
 * with what an operator does about it. */
static r1_status serve_tolerate(server *s, r1_status st, r1_err *err)
{
    if (st == R1_E_TIMEOUT) return R1_OK;
    if (st != R1_E_STREAM) return st;
    if (!err->retriable) {
        const r1_err why = *err;
        R1_FAIL(err, R1_E_STREAM, "%s. " FRAUD_OFFSETS_REMEDY, why.msg);
    }
    r1_log(R1_LOG_WARN, "broker_away", "error=\"%s\"", r1_log_quote(err->msg).text);
    if (!s->away_us) s->away_us = r1_mono_us();
    return R1_OK;
}

/* A message has come. */
static void serve_reads(server *s)
{
    if (!s->away_us) return;
    r1_log(R1_LOG_WARN, "reads_again", "after=broker_away waited_s=%.1f",
           (double)(r1_mono_us() - s->away_us) / 1e6);
    s->away_us = 0;
}

enum { EAGER = 16 }; /* payments that are worth a batch while more are due */

/* All that is due, or a batch. */
static r1_status step_read(server *s, batch *b, r1_err *err)
{
    fraud_record *r;
    r1_status st = R1_OK;
    while (st == R1_OK && b->n < BATCH_MAX) {
        if (b->n >= EAGER && fraud_scores_idle(s->scores)) break;
        st = fraud_serve_poll(s, 0, &r, err);
        if (st == R1_OK) st = fraud_serve_accept(s, b, r, (fraud_topic)r->message.topic, err);
    }
    return st;
}

/* The same where this process shares its stream. */
static r1_status step_share(server *s, batch *b, r1_err *err)
{
    r1_status st = fraud_share_take(s, b, b->n ? 0 : 5, err);
    while (st == R1_OK && b->n < BATCH_MAX) st = fraud_share_take(s, b, 0, err);
    return st;
}

/* Waits for a message while the batch in hand is offered. */
static r1_status step_wait(server *s, fraud_record **r, r1_err *err)
{
    if (fraud_queue_in_flight(s->parts.queue) == FRAUD_QUEUE_RECORDS) {
        usleep(1000); /* the writer is behind: reading stops */
        return R1_E_TIMEOUT;
    }
    return fraud_serve_poll(s, 5, r, err);
}

static r1_status serve_step(server *s, r1_err *err)
{
    fraud_record *r = NULL;
    r1_status st = s->share ? R1_OK : step_wait(s, &r, err);
    R1_TRY(serve_tolerate(s, st, err));
    batch *b = fraud_scores_hand(s->scores);
    if (r) serve_reads(s);
    if (r) R1_TRY(fraud_serve_accept(s, b, r, (fraud_topic)r->message.topic, err));
    R1_TRY(fraud_port_serve(s, b, err)); /* first: a backlog of the topic fills every batch */
    st = s->share ? step_share(s, b, err) : r ? step_read(s, b, err) : R1_OK;
    if (s->share && b->n) serve_reads(s);
    R1_TRY(serve_tolerate(s, st, err));
    return fraud_scores_offer(s->scores, err);
}

static bool serve_idle(const server *s)
{
    int64_t limit = r1_options_int(s->o, "until-idle");
    bool busy = s->share ? fraud_share_busy(s) : r1_consumer_holds(s->consumer);
    return limit && !busy && fraud_queue_in_flight(s->parts.queue) == 0 &&
           r1_mono_us() - s->last_message_us > limit * 1000000;
}

/* What changes or reads the scoring thread's things, where it is due. */
static r1_status serve_turn(server *s, r1_err *err)
{
    bool due = fraud_reload_due(s->reload) || fraud_port_due(s) || fraud_serve_snapshot_due(s);
    if (due) R1_TRY(fraud_scores_drain(s->scores, err));
    if (fraud_reload_turn(s->reload, &s->parts, due)) fraud_share_reloaded(s);
    fraud_port_turn(s, due);
    fraud_serve_snapshot_tick(s, due);
    return R1_OK;
}

/* Until the user stops the service, it is idle or it fails. */
static r1_status serve_turns(server *s, r1_err *err)
{
    while (!r1_cli_stopped() && !serve_idle(s)) {
        R1_TRY(serve_turn(s, err));
        r1_status st = s->share ? fraud_share_turn(s, err) : fraud_serve_watch(s, err);
        R1_TRY(serve_tolerate(s, st, err));
        R1_TRY(serve_step(s, err));
        R1_TRY(fraud_writer_status(s->writer, err));
    }
    return R1_OK;
}

r1_status fraud_serve_loop(server *s, r1_err *err)
{
    bool own_thread = !s->share && sysconf(_SC_NPROCESSORS_ONLN) > 1;
    R1_TRY(fraud_scores_new(&s->scores, s, own_thread, err));
    r1_status st = serve_turns(s, err);
    if (st == R1_OK) st = fraud_scores_drain(s->scores, err);
    fraud_scores_free(s->scores); /* what is not decided is read again next time */
    s->scores = NULL;
    return st;
}
