/* SPDX-License-Identifier: Apache-2.0 */
/* consumer.c - one topic read by hand-made assignment; messages are lent, never copied.
 *
 * Partitions are merged by time. librdkafka hands out whole fetches, so a consumer that catches
 * up would see minutes of one partition and then the same minutes of the next: time would run
 * back and forth, and windows over events would be wrong. What has arrived is held per
 * partition, and the oldest head goes first; while the heads are old (a backlog), a partition
 * that has more to give is waited for. In steady flow nothing waits. */
#include "r1_assert.h"
#include "stream/stream_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    PARTITIONS_MAX = 256,
    HELD_MAX = 16384,
    HELD_BYTES_MAX = 32 << 20,
    BACKLOG_MS = 1000, /* heads older than this: a backlog is read */
    MERGE_WAIT_MS = 200
};
static const uint32_t none = UINT32_MAX;

typedef struct {
    rd_kafka_message_t *m;
    int64_t ms;
    uint32_t next; /* of the partition's list, or of the free list */
} held;

typedef struct {
    uint32_t head, tail;
    int64_t next_offset; /* after the last message that has arrived */
} source;

struct r1_consumer {
    rd_kafka_t *rk;
    char *topic;
    int32_t n; /* partitions */
    source part[PARTITIONS_MAX];
    held held[HELD_MAX];
    uint32_t free_head, n_held;
    size_t held_bytes;
    int64_t waiting_since_us; /* for a partition without a head; 0: not waiting */
};

static r1_status consumer_conf(const r1_stream_opts *opts, rd_kafka_conf_t **out, r1_err *err)
{
    rd_kafka_conf_t *conf = r1_stream_conf(opts, err);
    if (!conf) return R1_E_INVAL;
    char wait[16], min[16];
    snprintf(min, sizeof min, "%d", opts->fetch_min_bytes > 0 ? opts->fetch_min_bytes : 1);
    snprintf(wait, sizeof wait, "%d", opts->fetch_wait_ms > 0 ? opts->fetch_wait_ms : 5);
    const char *const rows[][2] = {{"group.id", opts->group ? opts->group : "r1"},
                                   {"enable.auto.commit", "false"},
                                   {"enable.auto.offset.store", "false"},
                                   {"auto.offset.reset", "error"},
                                   {"fetch.wait.max.ms", wait},
                                   {"fetch.min.bytes", min},
                                   {"check.crcs", "true"},
                                   {"queued.max.messages.kbytes", "16384"},
                                   {"queued.min.messages", "10000"},
                                   {"fetch.error.backoff.ms", "50"},
                                   {"message.max.bytes", "1048576"}};
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        r1_status st = r1_stream_conf_set(conf, rows[i][0], rows[i][1], err);
        if (st == R1_OK) continue;
        rd_kafka_conf_destroy(conf);
        return st;
    }
    *out = conf;
    return R1_OK;
}

r1_status r1_consumer_check(const r1_stream_opts *opts, r1_err *err)
{
    rd_kafka_conf_t *conf;
    R1_TRY(consumer_conf(opts, &conf, err));
    return r1_stream_try(RD_KAFKA_CONSUMER, conf, err);
}

static void hold_nothing(r1_consumer *c)
{
    for (int32_t p = 0; p < c->n; p++)
        for (uint32_t i = c->part[p].head; i != none; i = c->held[i].next)
            rd_kafka_message_destroy(c->held[i].m);
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) c->part[p].head = c->part[p].tail = none;
    for (uint32_t i = 0; i < HELD_MAX; i++) c->held[i].next = i + 1 < HELD_MAX ? i + 1 : none;
    c->free_head = c->n_held = 0;
    c->held_bytes = 0;
    c->waiting_since_us = 0;
}

r1_status r1_consumer_new(r1_consumer **out, const r1_stream_opts *opts, const char *topic,
                          r1_err *err)
{
    rd_kafka_conf_t *conf;
    r1_consumer *c = calloc(1, sizeof *c);
    if (!c || !(c->topic = strdup(topic))) {
        free(c);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a Kafka consumer");
    }
    r1_status st = consumer_conf(opts, &conf, err);
    if (st == R1_OK) st = r1_stream_client(&c->rk, RD_KAFKA_CONSUMER, conf, opts->brokers, err);
    if (st != R1_OK) {
        r1_consumer_free(c);
        return st;
    }
    rd_kafka_poll_set_consumer(c->rk);
    hold_nothing(c);
    *out = c;
    return R1_OK;
}

void r1_consumer_free(r1_consumer *c)
{
    if (!c) return;
    if (c->rk) {
        hold_nothing(c);
        rd_kafka_consumer_close(c->rk);
        rd_kafka_destroy(c->rk);
    }
    free(c->topic);
    free(c);
}

r1_status r1_consumer_partitions(r1_consumer *c, int32_t *n, int timeout_ms, r1_err *err)
{
    rd_kafka_topic_t *t = rd_kafka_topic_new(c->rk, c->topic, NULL);
    if (!t) return r1_stream_fail(rd_kafka_last_error(), c->topic, err);
    const struct rd_kafka_metadata *md;
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, t, &md, timeout_ms);
    rd_kafka_topic_destroy(t);
    if (code) return r1_stream_fail(code, "asking the broker for the topic's partitions", err);
    *n = md->topic_cnt ? md->topics[0].partition_cnt : 0;
    rd_kafka_resp_err_t topic_code =
        md->topic_cnt ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(md);
    if (topic_code || *n < 1)
        R1_FAIL(err, R1_E_NOT_FOUND, "topic %s: %s", c->topic, rd_kafka_err2str(topic_code));
    return R1_OK;
}

r1_status r1_consumer_cluster(r1_consumer *c, char *out, size_t size, int timeout_ms, r1_err *err)
{
    int32_t n;
    R1_TRY(
        r1_consumer_partitions(c, &n, timeout_ms, err)); /* makes sure that a broker has answered */
    char *id = rd_kafka_clusterid(c->rk, timeout_ms);
    snprintf(out, size, "%s", id ? id : "");
    if (id) rd_kafka_mem_free(c->rk, id);
    return R1_OK;
}

r1_status r1_consumer_assign(r1_consumer *c, const int64_t *next_offset, int32_t n, r1_err *err)
{
    if (n < 1 || n > PARTITIONS_MAX)
        R1_FAIL(err, R1_E_INVAL, "topic %s: %d partitions, expected 1..%d", c->topic, n,
                PARTITIONS_MAX);
    hold_nothing(c);
    c->n = n;
    for (int32_t i = 0; i < n; i++) c->part[i].next_offset = next_offset[i];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int32_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, c->topic, i)->offset = next_offset[i];
    rd_kafka_resp_err_t code = rd_kafka_assign(c->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? r1_stream_fail(code, "taking the partitions", err) : R1_OK;
}

/* "1700000000123456" in the header sent_us; anything else reads as 0. */
static int64_t header_us(const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *h;
    const void *v;
    size_t len;
    char text[24];
    if (rd_kafka_message_headers(m, &h) || rd_kafka_header_get_last(h, "sent_us", &v, &len) ||
        len == 0 || len >= sizeof text)
        return 0;
    memcpy(text, v, len);
    text[len] = 0;
    return strspn(text, "0123456789") == len ? strtoll(text, NULL, 10) : 0;
}

/* ---- merging ---- */

static r1_status consumer_refused(rd_kafka_message_t *m, r1_err *err)
{
    r1_status st = r1_stream_fail(m->err, "reading the topic", err);
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        st = r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__,
                        "partition %d: offset %lld is not in the broker any more (%s); payments "
                        "would be skipped",
                        m->partition, (long long)m->offset, rd_kafka_message_errstr(m));
    rd_kafka_message_destroy(m);
    return st;
}

static void consumer_hold(r1_consumer *c, rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    R1_ASSERT(m->partition >= 0 && m->partition < c->n, "partition %d of %d", m->partition, c->n);
    source *p = &c->part[m->partition];
    uint32_t i = c->free_head;
    R1_ASSERT(i < HELD_MAX, "%u messages are held, no place is free", c->n_held);
    c->free_head = c->held[i].next;
    int64_t ms = rd_kafka_message_timestamp(m, &type);
    c->held[i] = (held){.m = m, .ms = ms > 0 ? ms : 0, .next = none};
    if (p->head == none) {
        p->head = i;
        c->waiting_since_us = 0;
    } else {
        c->held[p->tail].next = i;
    }
    p->tail = i;
    p->next_offset = m->offset + 1;
    c->n_held++;
    c->held_bytes += m->len;
}

/* Takes in what has arrived, waiting at most timeout_ms for the first message. R1_E_TIMEOUT:
 * nothing came. */
static r1_status take_in(r1_consumer *c, int timeout_ms, r1_err *err)
{
    r1_status st = R1_E_TIMEOUT;
    while (c->free_head != none && c->held_bytes < HELD_BYTES_MAX) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, st == R1_OK ? 0 : timeout_ms);
        if (!m) return st;
        if (m->err) return consumer_refused(m, err);
        consumer_hold(c, m);
        st = R1_OK;
    }
    return R1_OK;
}

/* The partition whose head is the oldest; -1: nothing is held. */
static int32_t consumer_oldest(const r1_consumer *c)
{
    int32_t best = -1;
    for (int32_t p = 0; p < c->n; p++) {
        if (c->part[p].head == none) continue;
        if (best < 0 || c->held[c->part[p].head].ms < c->held[c->part[best].head].ms) best = p;
    }
    return best;
}

/* Whether some partition without a head has messages at the broker, as far as its last answer
 * told. */
static bool more_to_come(const r1_consumer *c)
{
    for (int32_t p = 0; p < c->n; p++) {
        int64_t low = -1, high = -1;
        if (c->part[p].head != none) continue;
        rd_kafka_get_watermark_offsets(c->rk, c->topic, p, &low,
                                       &high); /* what is cached: no request */
        if (high < 0 || c->part[p].next_offset < high) return true;
    }
    return false;
}

static bool must_wait(r1_consumer *c, int32_t p)
{
    bool full = c->free_head == none || c->held_bytes >= HELD_BYTES_MAX;
    if (full || r1_time_us() / 1000 - c->held[c->part[p].head].ms < BACKLOG_MS || !more_to_come(c))
        return false;
    if (!c->waiting_since_us) c->waiting_since_us = r1_mono_us();
    return r1_mono_us() - c->waiting_since_us < (int64_t)MERGE_WAIT_MS * 1000;
}

/* What is counted is what the lists hold; a list ends at its tail, its offsets rise. */
static bool consumer_consistent(const r1_consumer *c)
{
    uint32_t n = 0;
    size_t bytes = 0;
    for (int32_t p = 0; p < c->n; p++) {
        uint32_t last = none;
        for (uint32_t i = c->part[p].head; i != none; last = i, i = c->held[i].next) {
            if (last != none && c->held[i].m->offset <= c->held[last].m->offset) return false;
            n++;
            bytes += c->held[i].m->len;
        }
        if (c->part[p].tail != last) return false;
    }
    return n == c->n_held && bytes == c->held_bytes;
}

static void consumer_give(r1_consumer *c, int32_t from, r1_message *out)
{
    source *p = &c->part[from];
    uint32_t i = p->head;
    rd_kafka_message_t *m = c->held[i].m;
    *out = (r1_message){.partition = m->partition,
                        .offset = m->offset,
                        .broker_ms = c->held[i].ms,
                        .sent_us = header_us(m),
                        .key = m->key,
                        .key_len = m->key_len,
                        .payload = m->payload,
                        .payload_len = m->len,
                        .handle = m};
    p->head = c->held[i].next;
    if (p->head == none) p->tail = none;
    c->held[i].next = c->free_head;
    c->free_head = i;
    R1_ASSERT(c->n_held >= 1 && c->held_bytes >= m->len, "%u messages, %zu bytes, one of %zu",
              c->n_held, c->held_bytes, m->len);
    c->n_held--;
    c->held_bytes -= m->len;
    R1_DEEP_ASSERT(c->n_held % 64 || consumer_consistent(c), "%u messages, %zu bytes", c->n_held,
                   c->held_bytes);
}

r1_status r1_consumer_poll(r1_consumer *c, int timeout_ms, r1_message *out, r1_err *err)
{
    r1_status st = take_in(c, c->n_held ? 0 : timeout_ms, err);
    if (st != R1_OK && st != R1_E_TIMEOUT) return st;
    int32_t p = consumer_oldest(c);
    while (p >= 0 && must_wait(c, p)) {
        st = take_in(c, 5, err);
        if (st != R1_OK && st != R1_E_TIMEOUT) return st;
        p = consumer_oldest(c);
    }
    if (p < 0) return R1_E_TIMEOUT;
    consumer_give(c, p, out);
    return R1_OK;
}

void r1_message_free(r1_message *m)
{
    if (m->handle) rd_kafka_message_destroy(m->handle);
    m->handle = NULL;
}

void r1_consumer_hint(r1_consumer *c, int32_t partition, int64_t next_offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, c->topic, partition)->offset = next_offset;
    rd_kafka_commit(c->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

r1_status r1_consumer_range(r1_consumer *c, int32_t partition, int64_t *low, int64_t *high,
                            int timeout_ms, r1_err *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(c->rk, c->topic, partition, low, high, timeout_ms);
    return code ? r1_stream_fail(code, "asking for the first and last offset", err) : R1_OK;
}

void r1_consumer_hint_all(r1_consumer *c, const int64_t *next_offset, int32_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int32_t p = 0; p < n; p++)
        if (next_offset[p])
            rd_kafka_topic_partition_list_add(list, c->topic, p)->offset = next_offset[p];
    if (list->cnt) rd_kafka_commit(c->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

int64_t r1_consumer_high(const r1_consumer *c, int32_t partition)
{
    int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(c->rk, c->topic, partition, &low, &high)) return -1;
    return high < 0 ? -1 : high;
}
