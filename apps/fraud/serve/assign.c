/* SPDX-License-Identifier: GPL-3.0-or-later */
/* assign.c - where reading begins: the stored offsets against what the broker holds. What does not
 * fit is reported with what was lost, and never skipped. */
#include "serve/server.h"
#include "text/quote.h"

#include <stdio.h>
#include <stdlib.h>

enum { BROKER_TIMEOUT_MS = 5000 };

int fraud_serve_topics(const server *s)
{
    return s->parts.topic[FRAUD_TOPIC_LABELS] ? FRAUD_TOPIC_LABELS + 1 : FRAUD_TOPIC_PAYMENTS + 1;
}

static r1_status begin_gap(const server *s, int topic, int32_t partition, int64_t low, int64_t high,
                           r1_err *err)
{
    const char *name = s->ledger.topic[topic];
    int64_t next = s->ledger.claim[topic][partition].next_offset;
    if (next < low)
        R1_FAIL(err, R1_E_STREAM,
                "partition %d of %s: expected offset %lld at the broker, found %lld as its first "
                "one: %lld messages were deleted before they were read. " FRAUD_OFFSETS_REMEDY,
                partition, name, (long long)next, (long long)low, (long long)(low - next));
    R1_FAIL(err, R1_E_STREAM,
            "partition %d of %s: expected offset %lld at the broker, found that its next one is "
            "%lld: the topic was made anew, or lost messages. " FRAUD_OFFSETS_REMEDY,
            partition, name, (long long)next, (long long)high);
}

static r1_status begin_partition(server *s, int topic, int32_t partition, r1_start *start,
                                 r1_err *err)
{
    const fraud_claim *claim = &s->ledger.claim[topic][partition];
    int64_t low, high, next = claim->next_offset;
    R1_TRY(r1_consumer_range(s->consumer, topic, partition, &low, &high, BROKER_TIMEOUT_MS, err));
    if (next < low || next > high) return begin_gap(s, topic, partition, low, high, err);
    bool witnessed = claim->last_offset >= low && claim->last_offset < next;
    *start = (r1_start){.next_offset = next,
                        .end_offset = high,
                        .witness_offset = witnessed ? claim->last_offset : -1,
                        .witness = claim->last_identity};
    return R1_OK;
}

static r1_status assign_topic(server *s, int topic, r1_err *err)
{
    int32_t first = s->n_assigned[topic], n = s->ledger.n_partition[topic] - first;
    if (n <= 0) return R1_OK;
    r1_start *start = calloc((size_t)n, sizeof *start);
    if (!start) R1_FAIL(err, R1_E_NOMEM, "no memory for %d partitions", n);
    r1_status st = R1_OK;
    for (int32_t i = 0; st == R1_OK && i < n; i++)
        st = begin_partition(s, topic, first + i, &start[i], err);
    if (st == R1_OK) st = r1_consumer_add(s->consumer, topic, start, n, err);
    if (st == R1_OK) s->n_assigned[topic] = first + n;
    free(start);
    return st;
}

/* Where the order of the merged topics stood when the last payment was applied. */
static r1_status resume_order(server *s, r1_err *err)
{
    fraud_time_case last;
    size_t n;
    R1_TRY(fraud_serve_last_applied(s, &last, &n, err));
    if (!n) return R1_OK;
    int64_t place =
        fraud_arrival_ms(&s->parts.arrival.band, last.ts, last.message_ms, last.machine_ms);
    if (place != R1_MERGE_NO_TIME) r1_consumer_resume(s->consumer, place);
    return R1_OK;
}

r1_status fraud_serve_assign(server *s, r1_err *err)
{
    if (!s->n_assigned[FRAUD_TOPIC_PAYMENTS]) R1_TRY(resume_order(s, err));
    for (int t = 0; t < FRAUD_N_TOPIC; t++)
        if (s->parts.topic[t]) R1_TRY(assign_topic(s, t, err));
    return R1_OK;
}

/* ---- partitions that are added while the service runs ---- */

static r1_status take_added(server *s, r1_err *err)
{
    if (!r1_store_alive(s->store)) R1_TRY(r1_store_reopen(s->store, err));
    for (int t = 0; t < FRAUD_N_TOPIC; t++)
        if (s->parts.topic[t])
            R1_TRY(fraud_ledger_take(&s->ledger, s->store, (fraud_topic)t, s->parts.topic[t],
                                     s->n_partition[t], err));
    fraud_ending_waits(s->ending, "the broker");
    R1_TRY(fraud_serve_assign(s, err));
    fraud_ending_waits(s->ending, NULL);
    r1_watch_reads(s->watch, s->n_partition);
    r1_log(R1_LOG_WARN, "partitions_added", "payments=%d labels=%d",
           s->n_partition[FRAUD_TOPIC_PAYMENTS], s->n_partition[FRAUD_TOPIC_LABELS]);
    return R1_OK;
}

r1_status fraud_serve_watch(server *s, r1_err *err)
{
    bool grown;
    if (!s->watch)
        return r1_watch_start(&s->watch, s->consumer, &s->parts.stream, fraud_serve_topics(s),
                              s->n_partition, (int)r1_options_int(s->o, "topics-refresh") * 1000,
                              err);
    R1_TRY(r1_watch_news(s->watch, &grown, s->n_partition, err));
    r1_status st = grown ? take_added(s, err) : R1_OK;
    if (st == R1_OK || !err->retriable) return st;
    r1_log(R1_LOG_WARN, "partitions_not_taken", "error=\"%s\"",
           r1_log_quote(err->msg).text); /* told again */
    return R1_OK;
}
