/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sequencer.c - see sequencer.h. */
#include "fleet/sequencer.h"

#include "r1_assert.h"
#include "stream/watch.h"
#include "text/quote.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    IN_FLIGHT_MAX = 8192,
    ANSWER_MS = 5000,
    POLL_MS = 20,
    LOOK_US = 250000,
    HEADER_BYTES = 16 /* that Kafka may add to each */
};

typedef struct {
    const fraud_sequencer_opts *o;
    r1_producer *producer;
    r1_consumer *consumer;
    r1_watch *watch;
    fraud_fleet_place place;
    int32_t n_partition[R1_TOPICS_MAX];
    int64_t number; /* of the last event that was posted */
    r1_ack ack[IN_FLIGHT_MAX];
    size_t bytes[IN_FLIGHT_MAX]; /* of each body, should it be refused */
    uint64_t posted, answered;
    bool failed; /* one that was posted did not arrive: the epoch ends */
    r1_header header[R1_POST_HEADERS_MAX];
    r1_merge_stats before; /* of earlier epochs */
    int64_t look_us;       /* monotonic: when the broker's offsets are looked at next */
} sequencer;

static void sequencer_nap(int ms)
{
    const struct timespec ts = {.tv_nsec = (long)ms * 1000000};
    nanosleep(&ts, NULL);
}

/* ---- appending ---- */

r1_status fraud_event_append(r1_producer *p, const char *events, const fraud_event *e,
                             const char *payload, int timeout_ms, r1_err *err)
{
    uint8_t bytes[FRAUD_EVENT_BYTES];
    r1_ack ack = R1_ACK_WAITS;
    fraud_event_write(e, bytes);
    const r1_header header = {FRAUD_EVENT_HEADER, (const char *)bytes, sizeof bytes};
    const r1_post post = {.topic = events,
                          .payload = payload,
                          .payload_len = payload ? strlen(payload) : 0,
                          .header = &header,
                          .n_header = 1,
                          .ack = &ack};
    int64_t until = r1_mono_us() + (int64_t)timeout_ms * 1000;
    r1_status st;
    while ((st = r1_producer_post(p, &post, err)) == R1_E_AGAIN && r1_mono_us() < until)
        sequencer_nap(1);
    while (st == R1_OK && ack == R1_ACK_WAITS && r1_mono_us() < until) {
        r1_producer_poll(p);
        sequencer_nap(1);
    }
    if (st == R1_OK && ack == R1_ACK_WAITS) r1_producer_forget(p); /* it borrows ack */
    if (st == R1_OK && ack == R1_ACK_DONE) return R1_OK;
    if (st == R1_OK || st == R1_E_AGAIN)
        st = r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__,
                        "topic %s: the broker did not take an event", events);
    if (err) err->retriable = true;
    return st;
}

/* The answers to what was posted, in order. False: one did not arrive, the epoch ends. */
static void sequencer_lower(sequencer *q, size_t refused)
{
    size_t least = R1_PRODUCER_BATCH_BYTES; /* what is smaller was not too large by itself */
    atomic_store(&q->o->stats->body_max, refused > least ? refused - 1 : least);
}

static void event_not_taken(const sequencer *q, size_t bytes, bool refused)
{
    if (refused)
        r1_log(R1_LOG_ERROR, "event_not_taken",
               "topic=%s epoch=%lld bytes=%zu refused=1 expected=\"a topic whose max.message.bytes "
               "is above "
               "those of its inputs\"",
               q->o->events, (long long)q->o->epoch, bytes);
    else
        r1_log(R1_LOG_WARN, "event_not_taken",
               "topic=%s epoch=%lld bytes=%zu next=\"an epoch that "
               "begins with its message\"",
               q->o->events, (long long)q->o->epoch, bytes);
}

static bool sequencer_hear(sequencer *q)
{
    r1_producer_poll(q->producer);
    for (; q->answered < q->posted; q->answered++) {
        size_t i = q->answered % IN_FLIGHT_MAX;
        if (q->ack[i] == R1_ACK_WAITS) return true;
        if (q->ack[i] == R1_ACK_DONE) continue;
        if (q->ack[i] == R1_ACK_REFUSED) sequencer_lower(q, q->bytes[i]);
        if (!q->failed) event_not_taken(q, q->bytes[i], q->ack[i] == R1_ACK_REFUSED);
        q->failed = true;
        return false;
    }
    return true;
}

/* Our header first, then those of the message. Returns how many, and adds up their bytes. */
static size_t event_headers(sequencer *q, const r1_message *m, const uint8_t *own, size_t *bytes)
{
    size_t n = 1;
    q->header[0] = (r1_header){FRAUD_EVENT_HEADER, (const char *)own, FRAUD_EVENT_BYTES};
    while (n < R1_POST_HEADERS_MAX && r1_message_header(m, n - 1, &q->header[n])) {
        *bytes += strlen(q->header[n].name) + q->header[n].len + HEADER_BYTES;
        n++;
    }
    r1_header more;
    if (n == R1_POST_HEADERS_MAX && r1_message_header(m, n - 1, &more)) *bytes = SIZE_MAX;
    return n;
}

/* R1_E_AGAIN: no room yet. */
static r1_status sequencer_post(sequencer *q, const r1_message *m, r1_err *err)
{
    uint8_t own[FRAUD_EVENT_BYTES];
    size_t bytes = m->key_len + m->payload_len, i = q->posted % IN_FLIGHT_MAX;
    if (q->posted - q->answered == IN_FLIGHT_MAX) return R1_E_AGAIN;
    fraud_event e = {.kind = FRAUD_EVENT_MESSAGE,
                     .topic = m->topic,
                     .partition = m->partition,
                     .epoch = q->o->epoch,
                     .number = q->number + 1,
                     .log = q->o->log,
                     .offset = m->offset,
                     .broker_ms = m->broker_ms,
                     .sent_us = m->sent_us,
                     .machine_ms = r1_time_us() / 1000};
    r1_post post = {.topic = q->o->events,
                    .key = m->key,
                    .key_len = m->key_len,
                    .payload = m->payload,
                    .payload_len = m->payload_len,
                    .header = q->header,
                    .ack = &q->ack[i]};
    post.n_header = event_headers(q, m, own, &bytes);
    if (bytes > atomic_load(&q->o->stats->body_max)) {
        e.cut = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
        post.key = post.payload = NULL;
        post.key_len = post.payload_len = 0;
        post.n_header = 1;
        bytes = 0;
    }
    fraud_event_write(&e, own);
    r1_status st = r1_producer_post(q->producer, &post, err);
    if (st == R1_E_INVAL) { /* librdkafka's own limit */
        q->ack[i] = R1_ACK_REFUSED;
        st = R1_OK;
    }
    R1_TRY(st);
    q->bytes[i] = bytes;
    q->posted++;
    q->number++;
    atomic_fetch_add(&q->o->stats->appended, 1);
    if (e.cut) atomic_fetch_add(&q->o->stats->cut, 1);
    return R1_OK;
}

/* ---- reading ---- */

static r1_status sequencer_gap(const sequencer *q, int t, int32_t p, int64_t low, int64_t high,
                               r1_err *err)
{
    R1_FAIL(err, R1_E_STREAM,
            "partition %d of %s: expected offset %lld at the broker, behind the last event of it, "
            "found offsets %lld to %lld: messages were deleted before they were read, or the topic "
            "was made anew",
            p, q->o->topic[t], (long long)q->place.next[t][p], (long long)low, (long long)high);
}

static r1_status sequencer_partition(sequencer *q, int t, int32_t p, r1_start *start, r1_err *err)
{
    int64_t low, high, next = q->place.next[t][p], last = q->place.last_offset[t][p];
    R1_TRY(r1_consumer_range(q->consumer, t, p, &low, &high, ANSWER_MS, err));
    if (next < low || next > high) return sequencer_gap(q, t, p, low, high, err);
    *start = (r1_start){.next_offset = next,
                        .end_offset = high,
                        .witness_offset = last >= low && last < next ? last : -1,
                        .witness = q->place.identity[t][p]};
    return R1_OK;
}

/* Reads the partitions that are not read yet, up to n. */
static r1_status sequencer_add(sequencer *q, int t, int32_t n, r1_err *err)
{
    int32_t first = q->n_partition[t];
    if (n <= first) return R1_OK;
    if (n > FRAUD_EVENT_PARTITIONS)
        R1_FAIL(err, R1_E_INVAL, "topic %s: expected at most %d partitions, found %d",
                q->o->topic[t], FRAUD_EVENT_PARTITIONS, n);
    r1_start *start = calloc((size_t)(n - first), sizeof *start);
    if (!start) R1_FAIL(err, R1_E_NOMEM, "no memory for %d partitions", n);
    r1_status st = R1_OK;
    for (int32_t p = first; st == R1_OK && p < n; p++)
        st = sequencer_partition(q, t, p, &start[p - first], err);
    if (st == R1_OK) st = r1_consumer_add(q->consumer, t, start, n - first, err);
    if (st == R1_OK) q->n_partition[t] = n;
    free(start);
    return st;
}

static r1_status sequencer_open(sequencer *q, r1_err *err)
{
    const fraud_sequencer_opts *o = q->o;
    R1_TRY(r1_consumer_new(&q->consumer, &o->stream, o->topic, o->n_topic, err));
    if (q->place.merged_ms != R1_MERGE_NO_TIME) r1_consumer_resume(q->consumer, q->place.merged_ms);
    for (int t = 0; t < o->n_topic; t++) {
        int32_t n = 0;
        R1_TRY(r1_consumer_partitions(q->consumer, t, &n, ANSWER_MS, err));
        R1_TRY(sequencer_add(q, t, n, err));
    }
    return r1_watch_start(&q->watch, q->consumer, &o->stream, o->n_topic, q->n_partition,
                          o->refresh_ms, err);
}

static r1_status sequencer_grow(sequencer *q, r1_err *err)
{
    bool grown;
    int32_t n[R1_TOPICS_MAX] = {0};
    R1_TRY(r1_watch_news(q->watch, &grown, n, err));
    for (int t = 0; grown && t < q->o->n_topic; t++) R1_TRY(sequencer_add(q, t, n[t], err));
    if (grown) r1_watch_reads(q->watch, q->n_partition);
    return R1_OK;
}

static void sequencer_count(sequencer *q)
{
    const r1_merge_stats now = r1_consumer_merged(q->consumer);
    atomic_store(&q->o->stats->late, q->before.late + now.late);
    atomic_store(&q->o->stats->behind, q->before.behind + now.behind);
    atomic_store(&q->o->stats->leaps, q->before.leaps + now.leaps);
}

/* What the broker holds, some times a second. */
static void sequencer_look(sequencer *q)
{
    int64_t now = r1_mono_us();
    if (now < q->look_us) return;
    q->look_us = now + LOOK_US;
    for (int t = 0; t < q->o->n_topic; t++)
        for (int32_t p = 0; p < q->n_partition[t]; p++)
            atomic_store(&q->o->stats->high[t][p], r1_consumer_high(q->consumer, t, p) + 1);
}

/* Moves one message on. */
static r1_status sequencer_step(sequencer *q, r1_err *err)
{
    r1_message m;
    R1_TRY(sequencer_grow(q, err));
    r1_status st = r1_consumer_poll(q->consumer, POLL_MS, &m, err);
    sequencer_count(q);
    sequencer_look(q);
    if (st != R1_OK) return st;
    while ((st = sequencer_post(q, &m, err)) == R1_E_AGAIN && q->o->leads(q->o->ctx) &&
           sequencer_hear(q))
        sequencer_nap(1);
    r1_message_free(&m);
    return st == R1_E_AGAIN ? R1_OK : st; /* the epoch has ended */
}

/* ---- one epoch ---- */

/* An error that passes by itself is no reason to end. */
static r1_status sequencer_tolerate(r1_status st, r1_err *err)
{
    if (st == R1_E_TIMEOUT) return R1_OK;
    if (st == R1_E_STREAM && err->retriable) {
        r1_log(R1_LOG_WARN, "broker_away", "error=\"%s\"", r1_log_quote(err->msg).text);
        return R1_OK;
    }
    return st;
}

static r1_status sequencer_epoch(sequencer *q, r1_err *err)
{
    const fraud_sequencer_opts *o = q->o;
    r1_stream_opts stream = o->stream;
    stream.linger_ms = 1;
    stream.patient = true;
    R1_TRY(r1_producer_new(&q->producer, &stream, err));
    const fraud_event marker = {.kind = FRAUD_EVENT_MARKER,
                                .epoch = o->epoch,
                                .log = o->log,
                                .machine_ms = r1_time_us() / 1000};
    R1_TRY(fraud_event_append(q->producer, o->events, &marker, NULL, ANSWER_MS, err));
    if (!o->at_marker(o->ctx, &q->place)) return R1_OK;
    q->number = q->place.fold.number;
    R1_TRY(sequencer_open(q, err));
    r1_log(R1_LOG_WARN, "sequencer", "epoch=%lld after=%lld", (long long)o->epoch,
           (long long)q->number);
    r1_status st = R1_OK;
    while (st == R1_OK && o->leads(o->ctx) && sequencer_hear(q))
        st = sequencer_tolerate(sequencer_step(q, err), err);
    return st;
}

r1_status fraud_sequencer_run(const fraud_sequencer_opts *o, r1_err *err)
{
    sequencer *q = calloc(1, sizeof *q);
    if (!q) R1_FAIL(err, R1_E_NOMEM, "no memory for the sequencer");
    q->o = o;
    q->before = (r1_merge_stats){.late = atomic_load(&o->stats->late),
                                 .behind = atomic_load(&o->stats->behind),
                                 .leaps = atomic_load(&o->stats->leaps)};
    r1_status st = sequencer_epoch(q, err);
    if (q->producer) {
        r1_producer_forget(q->producer); /* which borrows the answers */
        atomic_fetch_add(&o->stats->renewed, r1_producer_count(q->producer).renewed);
    }
    r1_watch_stop(q->watch);
    r1_consumer_free(q->consumer);
    r1_producer_free(q->producer);
    free(q);
    return st;
}
