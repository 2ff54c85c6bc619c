/* SPDX-License-Identifier: Apache-2.0 */
/* witness.c - see witness.h. */
#include "stream/witness.h"
#include "r1_assert.h"
#include "stream/stream_internal.h"

#include <stdlib.h>

/* A message that was seen. */
typedef struct {
    int32_t partition;
    int64_t offset; /* -1: none */
    uint64_t identity;
} witness_mark;

struct r1_witness {
    rd_kafka_t *rk;
    const char *topic[R1_TOPICS_MAX];
    int n_topic;
    witness_mark mark[R1_TOPICS_MAX];
};

static r1_status witness_conf(const r1_stream_opts *opts, rd_kafka_conf_t **out, r1_err *err)
{
    rd_kafka_conf_t *conf = r1_stream_conf(opts, err);
    if (!conf) return R1_E_INVAL;
    /* The smallest fetch: a broker gives one batch at least. */
    const char *const rows[][2] = {{"group.id", opts->group ? opts->group : "r1"},
                                   {"enable.auto.commit", "false"},
                                   {"enable.auto.offset.store", "false"},
                                   {"auto.offset.reset", "error"},
                                   {"enable.partition.eof", "true"},
                                   {"allow.auto.create.topics", "false"},
                                   {"fetch.message.max.bytes", "1024"},
                                   {"queued.min.messages", "1"},
                                   {"fetch.wait.max.ms", "10"},
                                   {"fetch.error.backoff.ms", "50"}};
    *out = conf;
    return r1_stream_conf_rows(out, rows, R1_COUNT(rows), err);
}

r1_status r1_witness_new(r1_witness **out, const r1_stream_opts *opts, const char *const *topic,
                         int n_topic, r1_err *err)
{
    R1_ASSERT(n_topic >= 1 && n_topic <= R1_TOPICS_MAX, "%d topics", n_topic);
    rd_kafka_conf_t *conf;
    R1_TRY(witness_conf(opts, &conf, err));
    r1_witness *w = calloc(1, sizeof *w);
    if (!w) {
        rd_kafka_conf_destroy(conf);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a witness");
    }
    w->n_topic = n_topic;
    for (int t = 0; t < n_topic; t++) w->topic[t] = topic[t], w->mark[t].offset = -1;
    r1_status st = r1_stream_client(&w->rk, RD_KAFKA_CONSUMER, conf, opts->brokers, err);
    if (st == R1_OK) {
        rd_kafka_poll_set_consumer(w->rk);
        *out = w;
    } else {
        free(w);
    }
    return st;
}

void r1_witness_free(r1_witness *w)
{
    if (!w) return;
    rd_kafka_destroy_flags(w->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(w);
}

static uint64_t witness_identity(const rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(m, &type);
    const r1_message message = {.broker_ms = ms > 0 ? ms : 0,
                                .key = m->key,
                                .key_len = m->key_len,
                                .payload = m->payload,
                                .payload_len = m->len};
    return r1_message_identity(&message);
}

static void witness_assign(r1_witness *w, int topic, const witness_mark *at)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, w->topic[topic], at->partition)->offset = at->offset;
    rd_kafka_assign(w->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

typedef enum { WITNESS_FOUND, WITNESS_NONE, WITNESS_NO_ANSWER } witness_answer;

/* The first message at the offset or behind it. */
static witness_answer witness_read(r1_witness *w, int topic, const witness_mark *at, int timeout_ms,
                                   witness_mark *found)
{
    int64_t until = r1_mono_us() + (int64_t)timeout_ms * 1000, left_ms = timeout_ms;
    bool got = false, end = false;
    witness_assign(w, topic, at);
    for (; !got && !end && left_ms > 0; left_ms = (until - r1_mono_us()) / 1000) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(w->rk, (int)left_ms);
        if (!m) break;
        got = !m->err && m->partition == at->partition;
        end = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
              m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
        if (got) *found = (witness_mark){m->partition, m->offset, witness_identity(m)};
        rd_kafka_message_destroy(m);
    }
    rd_kafka_assign(w->rk, NULL);
    return got ? WITNESS_FOUND : end ? WITNESS_NONE : WITNESS_NO_ANSWER;
}

/* Whether the broker says that it deleted what lies at the offset. */
static bool witness_deleted(r1_witness *w, int topic, const witness_mark *mark, int timeout_ms)
{
    int64_t low, high;
    return !rd_kafka_query_watermark_offsets(w->rk, w->topic[topic], mark->partition, &low, &high,
                                             timeout_ms) &&
           low > mark->offset;
}

/* R1_E_AGAIN: no answer, or one that tells nothing, so the mark stands. */
static r1_status witness_compare(r1_witness *w, int topic, int timeout_ms, r1_err *err)
{
    const witness_mark *mark = &w->mark[topic];
    witness_mark found = *mark;
    if (mark->offset < 0) return R1_OK;
    witness_answer answer = witness_read(w, topic, mark, timeout_ms, &found);
    if (answer == WITNESS_NONE && witness_deleted(w, topic, mark, timeout_ms)) return R1_OK;
    if (answer != WITNESS_FOUND) return R1_E_AGAIN;
    if (found.offset != mark->offset || found.identity == mark->identity) return R1_OK;
    R1_FAIL(err, R1_E_STREAM,
            "partition %d of %s: the message at offset %lld is another one than was read there "
            "before (expected identity %016llx, found %016llx): the topic was made anew",
            mark->partition, w->topic[topic], (long long)mark->offset,
            (unsigned long long)mark->identity, (unsigned long long)found.identity);
}

r1_status r1_witness_look(r1_witness *w, int topic, int32_t partition, int64_t position,
                          int timeout_ms, r1_err *err)
{
    witness_mark *mark = &w->mark[topic], found = {.offset = -1};
    const witness_mark next = {.partition = partition, .offset = position - 1};
    /* In this order: what is remembered next was read before the old one was found to be there. */
    bool got = position > 0 && witness_read(w, topic, &next, timeout_ms, &found) == WITNESS_FOUND &&
               found.offset < position;
    r1_status st = witness_compare(w, topic, timeout_ms, err);
    if (st != R1_OK) return st == R1_E_AGAIN ? R1_OK : st;
    if (got) *mark = found;
    return R1_OK;
}
