/* SPDX-License-Identifier: Apache-2.0 */
/* consumer.c - the partitions of some topics, read by hand-made assignment and merged by time;
 * messages are lent, never copied.
 *
 * Each partition has a queue of its own at librdkafka, which stops fetching where that is full. So
 * a partition that is far ahead in time waits there, and takes no room from one that is behind.
 * librdkafka's threads ring a bell when an empty queue gets something; the reader then takes some
 * of it over into the merge, up to the places that a partition has there. */
#include "r1_assert.h"
#include "stream/stream_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    QUEUE_KIB = 1024, /* where the options say none */
    PLACES = R1_PARTITION_PLACES,
    MAIN_QUEUE_MS = 100,   /* how often librdkafka's own queue is looked at */
    MERGE_WAIT_MS = 10000, /* where the options say none */
    MERGE_HOLD_MS = 5
};
#define MERGE_LEAP_MS INT64_C(604800000) /* a week */
/* Header sent_us: times up to the year 2100 are taken. */
#define SENT_US_MAX INT64_C(4102444800000000)

typedef struct {
    r1_consumer *c;
    rd_kafka_queue_t *queue;
    int topic;
    int32_t partition;
    int64_t first_offset; /* what is below it was read before */
    int64_t end_offset;   /* the broker holds messages below it */
    int64_t witness_offset;
    uint64_t witness;
    uint32_t n_put; /* of the ring of notes */
    int64_t sent_us[PLACES];
    char *note;                      /* PLACES notes */
    atomic_int_fast64_t next_offset; /* after the last message that has arrived */
    atomic_bool rung;                /* its queue may hold something */
} source;

struct r1_consumer {
    rd_kafka_t *rk;
    r1_placer placer;
    const char *topic[R1_TOPICS_MAX];
    int n_topic;
    atomic_bool exists[R1_TOPICS_MAX];
    int32_t n_partition[R1_TOPICS_MAX];
    uint32_t *number[R1_TOPICS_MAX]; /* of the source of each partition */
    source *source;
    uint32_t n_source;
    r1_merge *merge;
    uint32_t last; /* source of the last message given */
    int64_t main_queue_us;
    uint64_t absurd;
    uint32_t n_unseen;    /* witnesses that were not read again yet */
    int32_t other;        /* partition whose witness was another message last; -1: none */
    pthread_mutex_t lock; /* the bell's */
    pthread_cond_t bell;
    uint64_t n_ring;  /* under the lock */
    uint64_t n_heard; /* the reader's */
};

/* ---- life ---- */

static r1_status consumer_conf(const r1_stream_opts *opts, rd_kafka_conf_t **out, r1_err *err)
{
    rd_kafka_conf_t *conf = r1_stream_conf(opts, err);
    if (!conf) return R1_E_INVAL;
    char wait[16], min[16], queue[16];
    snprintf(queue, sizeof queue, "%d", opts->queue_kib > 0 ? opts->queue_kib : QUEUE_KIB);
    snprintf(min, sizeof min, "%d", opts->fetch_min_bytes > 0 ? opts->fetch_min_bytes : 1);
    snprintf(wait, sizeof wait, "%d", opts->fetch_wait_ms > 0 ? opts->fetch_wait_ms : 5);
    const char *const rows[][2] = {{"group.id", opts->group ? opts->group : "r1"},
                                   {"enable.auto.commit", "false"},
                                   {"enable.auto.offset.store", "false"},
                                   {"auto.offset.reset", "error"},
                                   {"enable.partition.eof", "true"},
                                   {"allow.auto.create.topics", "false"},
                                   {"fetch.wait.max.ms", wait},
                                   {"fetch.min.bytes", min},
                                   {"check.crcs", "true"},
                                   /* no member of a group: at the end librdkafka waits so long for
                                    * the offsets of a coordinator that is away */
                                   {"session.timeout.ms", "2000"},
                                   /* of each partition, since each has its own queue */
                                   {"queued.max.messages.kbytes", queue},
                                   {"queued.min.messages", "100000"},
                                   {"fetch.error.backoff.ms", "50"},
                                   {"message.max.bytes", "1048576"}};
    *out = conf;
    return r1_stream_conf_rows(out, rows, R1_COUNT(rows), err);
}

r1_status r1_consumer_check(const r1_stream_opts *opts, r1_err *err)
{
    rd_kafka_conf_t *conf;
    R1_TRY(consumer_conf(opts, &conf, err));
    return r1_stream_try(RD_KAFKA_CONSUMER, conf, err);
}

static void consumer_bell(r1_consumer *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->bell, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&c->lock, NULL);
}

static r1_status consumer_reserve(r1_consumer *c, const r1_stream_opts *opts, r1_err *err)
{
    uint32_t sources = (uint32_t)c->n_topic * R1_PARTITIONS_MAX;
    const r1_merge_opts merge = {
        .sources_max = sources,
        .places = PLACES,
        .hold_ms = opts->merge_hold_ms >= 0 ? opts->merge_hold_ms : MERGE_HOLD_MS,
        .wait_ms = opts->merge_wait_ms > 0 ? opts->merge_wait_ms : MERGE_WAIT_MS,
        .leap_ms = opts->merge_leap_ms > 0 ? opts->merge_leap_ms : MERGE_LEAP_MS};
    R1_TRY(r1_merge_new(&c->merge, &merge, err));
    c->source = calloc(sources, sizeof *c->source);
    for (int t = 0; t < c->n_topic; t++)
        c->number[t] = calloc(R1_PARTITIONS_MAX, sizeof *c->number[t]);
    for (int t = 0; t < c->n_topic; t++)
        if (!c->source || !c->number[t])
            R1_FAIL(err, R1_E_NOMEM, "no memory for %u partitions", sources);
    return R1_OK;
}

r1_status r1_consumer_new(r1_consumer **out, const r1_stream_opts *opts, const char *const *topic,
                          int n_topic, r1_err *err)
{
    R1_ASSERT(n_topic >= 1 && n_topic <= R1_TOPICS_MAX, "%d topics", n_topic);
    rd_kafka_conf_t *conf;
    r1_consumer *c = calloc(1, sizeof *c);
    if (!c) R1_FAIL(err, R1_E_NOMEM, "no memory for a Kafka consumer");
    consumer_bell(c);
    c->n_topic = n_topic;
    c->other = -1;
    c->placer = opts->placer;
    for (int t = 0; t < n_topic; t++) c->topic[t] = topic[t];
    r1_status st = consumer_reserve(c, opts, err);
    if (st == R1_OK) st = consumer_conf(opts, &conf, err);
    if (st == R1_OK) st = r1_stream_client(&c->rk, RD_KAFKA_CONSUMER, conf, opts->brokers, err);
    if (st != R1_OK) {
        r1_consumer_free(c);
        return st;
    }
    rd_kafka_poll_set_consumer(c->rk);
    *out = c;
    return R1_OK;
}

static void source_release(r1_consumer *c, uint32_t i)
{
    source *s = &c->source[i];
    rd_kafka_queue_cb_event_enable(s->queue, NULL, NULL);
    for (rd_kafka_message_t *m; (m = r1_merge_drop(c->merge, i));) rd_kafka_message_destroy(m);
    rd_kafka_queue_destroy(s->queue);
    free(s->note);
}

void r1_consumer_free(r1_consumer *c)
{
    if (!c) return;
    for (uint32_t i = 0; i < c->n_source; i++) source_release(c, i);
    if (c->rk) {
        rd_kafka_consumer_close(c->rk);
        rd_kafka_destroy(c->rk);
    }
    for (int t = 0; t < c->n_topic; t++) free(c->number[t]);
    free(c->source);
    r1_merge_free(c->merge);
    pthread_cond_destroy(&c->bell);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- what the broker says of a topic ---- */

const char *r1_consumer_topic(const r1_consumer *c, int topic) { return c->topic[topic]; }

/* Of a topic that is not known to exist the whole list is asked for: some brokers make a topic that
 * is asked for by its name, whatever the client says. */
static rd_kafka_resp_err_t topic_metadata(r1_consumer *c, int topic,
                                          const struct rd_kafka_metadata **md, int timeout_ms)
{
    if (!atomic_load(&c->exists[topic])) return rd_kafka_metadata(c->rk, 1, NULL, md, timeout_ms);
    rd_kafka_topic_t *t = rd_kafka_topic_new(c->rk, c->topic[topic], NULL);
    if (!t) return rd_kafka_last_error();
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, t, md, timeout_ms);
    rd_kafka_topic_destroy(t);
    return code;
}

r1_status r1_consumer_partitions(r1_consumer *c, int topic, int32_t *n, int timeout_ms, r1_err *err)
{
    const struct rd_kafka_metadata *md;
    rd_kafka_resp_err_t code = topic_metadata(c, topic, &md, timeout_ms);
    if (code) return r1_stream_fail(code, "asking the broker for the topic's partitions", err);
    code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *n = 0;
    for (int i = 0; i < md->topic_cnt; i++) {
        if (strcmp(md->topics[i].topic, c->topic[topic]) != 0) continue;
        *n = md->topics[i].partition_cnt;
        code = md->topics[i].err;
    }
    rd_kafka_metadata_destroy(md);
    if (code || *n < 1)
        R1_FAIL(err, R1_E_NOT_FOUND, "topic %s: expected one at the broker, found none (%s)",
                c->topic[topic], rd_kafka_err2str(code));
    atomic_store(&c->exists[topic], true);
    return R1_OK;
}

r1_status r1_consumer_cluster(r1_consumer *c, char *out, size_t size, int timeout_ms, r1_err *err)
{
    int32_t n;
    R1_TRY(r1_consumer_partitions(c, 0, &n, timeout_ms, err)); /* a broker has answered */
    char *id = rd_kafka_clusterid(c->rk, timeout_ms);
    snprintf(out, size, "%s", id ? id : "");
    if (id) rd_kafka_mem_free(c->rk, id);
    return R1_OK;
}

r1_status r1_consumer_range(r1_consumer *c, int topic, int32_t partition, int64_t *low,
                            int64_t *high, int timeout_ms, r1_err *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(c->rk, c->topic[topic], partition, low, high, timeout_ms);
    if (!code) return R1_OK;
    r1_stream_fail(code, "asking for the first and last offset", err);
    /* The topic is known here, so this broker has not heard of it yet: it was just made. */
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && err) err->retriable = true;
    return R1_E_STREAM;
}

void r1_consumer_hint(r1_consumer *c, int topic, int32_t partition, int64_t next_offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, c->topic[topic], partition)->offset = next_offset;
    rd_kafka_commit(c->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- partitions ---- */

/* @locality librdkafka's threads */
static void on_ring(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    source *s = opaque;
    atomic_store(&s->rung, true);
    pthread_mutex_lock(&s->c->lock);
    s->c->n_ring++;
    pthread_cond_signal(&s->c->bell);
    pthread_mutex_unlock(&s->c->lock);
}

static r1_status source_open(r1_consumer *c, int topic, const r1_start *start, r1_err *err)
{
    source *s = &c->source[c->n_source];
    int32_t partition = c->n_partition[topic];
    bool witnessed = start->witness_offset >= 0;
    R1_ASSERT(!witnessed || start->witness_offset < start->next_offset, "witness at %lld of %lld",
              (long long)start->witness_offset, (long long)start->next_offset);
    s->c = c;
    s->topic = topic;
    s->partition = partition;
    s->first_offset = start->next_offset;
    s->end_offset = start->end_offset;
    s->witness_offset = start->witness_offset;
    s->witness = start->witness;
    atomic_store(&s->next_offset, witnessed ? start->witness_offset : start->next_offset);
    if (c->placer.note_bytes && !(s->note = calloc(PLACES, c->placer.note_bytes)))
        R1_FAIL(err, R1_E_NOMEM, "no memory for partition %d of %s", partition, c->topic[topic]);
    s->queue = rd_kafka_queue_get_partition(c->rk, c->topic[topic], partition);
    if (!s->queue) {
        free(s->note);
        s->note = NULL;
        R1_FAIL(err, R1_E_STREAM, "partition %d of %s: no queue", partition, c->topic[topic]);
    }
    rd_kafka_queue_forward(s->queue, NULL);
    rd_kafka_queue_cb_event_enable(s->queue, on_ring, s);
    c->number[topic][partition] = r1_merge_open(c->merge);
    R1_ASSERT(c->number[topic][partition] == c->n_source, "source %u of %u",
              c->number[topic][partition], c->n_source);
    r1_merge_mark(c->merge, c->n_source, start->next_offset < start->end_offset);
    c->n_unseen += witnessed;
    c->n_partition[topic]++;
    c->n_source++;
    return R1_OK;
}

void r1_consumer_resume(r1_consumer *c, int64_t place_ms) { r1_merge_resume(c->merge, place_ms); }

r1_status r1_consumer_add(r1_consumer *c, int topic, const r1_start *start, int32_t n, r1_err *err)
{
    int32_t first = c->n_partition[topic];
    if (n < 1 || first + n > R1_PARTITIONS_MAX)
        R1_FAIL(err, R1_E_INVAL, "topic %s: expected at most %d partitions, found %d",
                c->topic[topic], R1_PARTITIONS_MAX, first + n);
    for (int32_t i = 0; i < n; i++) R1_TRY(source_open(c, topic, &start[i], err));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int32_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, c->topic[topic], first + i)->offset =
            atomic_load(&c->source[c->number[topic][first + i]].next_offset);
    rd_kafka_error_t *bad = rd_kafka_incremental_assign(c->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_resp_err_t code = bad ? rd_kafka_error_code(bad) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(bad);
    return code ? r1_stream_fail(code, "taking the partitions", err) : R1_OK;
}

int64_t r1_consumer_position(r1_consumer *c, int topic, int32_t partition)
{
    return atomic_load(&c->source[c->number[topic][partition]].next_offset);
}

/* ---- messages ---- */

/* "1700000000123456" in the header sent_us; anything else reads as 0. */
static int64_t header_us(r1_consumer *c, const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *h;
    const void *v;
    size_t len;
    char text[24];
    if (rd_kafka_message_headers(m, &h) || rd_kafka_header_get_last(h, "sent_us", &v, &len))
        return 0;
    int64_t us = -1;
    if (len && len < sizeof text) {
        memcpy(text, v, len);
        text[len] = 0;
        if (strspn(text, "0123456789") == len && len <= 18) us = strtoll(text, NULL, 10);
    }
    if (us >= 0 && us <= SENT_US_MAX) return us;
    if (!c->absurd++)
        r1_log(R1_LOG_WARN, "sent_us_ignored",
               "partition=%d offset=%lld what=\"expected microseconds since 1970, further ones are "
               "counted only\"",
               m->partition, (long long)m->offset);
    return 0;
}

static r1_message message_of(const source *s, rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(m, &type);
    return (r1_message){.topic = s->topic,
                        .partition = m->partition,
                        .offset = m->offset,
                        .broker_ms = ms > 0 ? ms : 0,
                        .key = m->key,
                        .key_len = m->key_len,
                        .payload = m->payload,
                        .payload_len = m->len,
                        .handle = m};
}

void r1_message_free(r1_message *m)
{
    if (m->handle) rd_kafka_message_destroy(m->handle);
    m->handle = NULL;
}

uint64_t r1_message_identity(const r1_message *m)
{
    uint64_t h = r1_hash64(&m->broker_ms, sizeof m->broker_ms, m->payload_len);
    if (m->key_len) h = r1_hash64(m->key, m->key_len, h);
    return m->payload_len ? r1_hash64(m->payload, m->payload_len, h) : h;
}

r1_merge_stats r1_consumer_merged(const r1_consumer *c) { return r1_merge_counts(c->merge); }
uint32_t r1_consumer_unseen(const r1_consumer *c) { return c->n_unseen; }
int32_t r1_consumer_other(const r1_consumer *c) { return c->other; }
bool r1_consumer_holds(const r1_consumer *c) { return r1_merge_any(c->merge); }
uint64_t r1_consumer_absurd(const r1_consumer *c) { return c->absurd; }

/* ---- taking over what has arrived ---- */

/* The witness was read again, or is gone. */
static void source_seen(source *s)
{
    if (s->witness_offset < 0) return;
    s->witness_offset = -1;
    s->c->n_unseen--;
}

static r1_status source_refused(const source *s, const rd_kafka_message_t *m, r1_err *err)
{
    if (m->err != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        return r1_stream_fail(m->err, "reading the topic", err);
    R1_FAIL(err, R1_E_STREAM,
            "partition %d of %s: expected offset %lld at the broker, found that it is not there "
            "any more (%s): messages were deleted, or the topic was made anew",
            s->partition, s->c->topic[s->topic], (long long)atomic_load(&s->next_offset),
            rd_kafka_message_errstr(m));
}

/* A message that was read before: the one that the caller remembers must be the same. */
static r1_status source_witness(source *s, const r1_message *m, r1_err *err)
{
    uint64_t found = r1_message_identity(m);
    if (m->offset != s->witness_offset) return R1_OK;
    source_seen(s);
    if (found == s->witness) return R1_OK;
    s->c->other = s->partition;
    R1_FAIL(err, R1_E_STREAM,
            "partition %d of %s: the message at offset %lld is another one than was read there "
            "before (expected identity %016llx, found %016llx): the topic was made anew",
            s->partition, s->c->topic[s->topic], (long long)m->offset,
            (unsigned long long)s->witness, (unsigned long long)found);
}

static void source_put(r1_consumer *c, uint32_t i, r1_message *m)
{
    source *s = &c->source[i];
    m->sent_us = s->sent_us[s->n_put % PLACES] = header_us(c, m->handle);
    size_t bytes = c->placer.note_bytes;
    void *note = bytes ? s->note + bytes * (s->n_put % PLACES) : NULL;
    r1_merge_key key = {.ms = m->broker_ms};
    if (c->placer.place) c->placer.place(c->placer.ctx, m, note, &key);
    key.us = m->sent_us ? m->sent_us : m->broker_ms * 1000;
    s->n_put++;
    r1_merge_put(c->merge, i, &key, m->broker_ms, r1_time_us() / 1000, m->handle);
}

/* One message or event of a partition's queue. */
static r1_status source_take(r1_consumer *c, uint32_t i, rd_kafka_message_t *m, r1_err *err)
{
    source *s = &c->source[i];
    r1_status st = R1_OK;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (m->offset > atomic_load(&s->next_offset)) atomic_store(&s->next_offset, m->offset);
        s->end_offset = m->offset;
        source_seen(s);
    } else if (m->err) {
        st = source_refused(s, m, err);
    } else {
        R1_ASSERT(m->partition == s->partition, "partition %d in the queue of %d", m->partition,
                  s->partition);
        r1_message message = message_of(s, m);
        atomic_store(&s->next_offset, m->offset + 1);
        if (m->offset >= s->first_offset) {
            source_seen(s);
            source_put(c, i, &message);
            return R1_OK;
        }
        st = source_witness(s, &message, err);
    }
    rd_kafka_message_destroy(m);
    return st;
}

static r1_status source_fill(r1_consumer *c, uint32_t i, r1_err *err)
{
    rd_kafka_message_t *m[PLACES];
    source *s = &c->source[i];
    uint32_t room = r1_merge_room(c->merge, i);
    if (!room) return R1_OK;
    atomic_store(&s->rung, false);
    ssize_t n = rd_kafka_consume_batch_queue(s->queue, 0, m, room);
    r1_status st = R1_OK;
    for (ssize_t k = 0; k < n; k++) {
        r1_err late;
        r1_status one = source_take(c, i, m[k], st == R1_OK ? err : &late);
        if (st == R1_OK) st = one;
    }
    if (n == (ssize_t)room) atomic_store(&s->rung, true); /* the rest, when there is room */
    int64_t low = -1, high = -1;
    if (n > 0) rd_kafka_get_watermark_offsets(c->rk, c->topic[s->topic], s->partition, &low, &high);
    if (high > s->end_offset) s->end_offset = high;
    r1_merge_mark(c->merge, i, atomic_load(&s->next_offset) < s->end_offset);
    return st;
}

/* All partitions whose bell has rung. */
static r1_status consumer_fill(r1_consumer *c, r1_err *err)
{
    pthread_mutex_lock(&c->lock);
    bool rung = c->n_ring != c->n_heard;
    c->n_heard = c->n_ring;
    pthread_mutex_unlock(&c->lock);
    for (uint32_t i = 0; rung && i < c->n_source; i++)
        if (atomic_load(&c->source[i].rung)) R1_TRY(source_fill(c, i, err));
    return R1_OK;
}

/* Errors of the client as a whole come by its own queue. */
static r1_status consumer_main_queue(r1_consumer *c, r1_err *err)
{
    int64_t now = r1_mono_us();
    if (now - c->main_queue_us < (int64_t)MAIN_QUEUE_MS * 1000) return R1_OK;
    c->main_queue_us = now;
    rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, 0);
    if (!m) return R1_OK;
    R1_ASSERT(m->err, "partition %d: a message outside of its queue", m->partition);
    r1_status st = r1_stream_fail(m->err, "reading", err);
    rd_kafka_message_destroy(m);
    return st;
}

/* ---- giving ---- */

static void consumer_give(r1_consumer *c, uint32_t i, rd_kafka_message_t *m, r1_message *out)
{
    const source *s = &c->source[i];
    *out = message_of(s, m);
    uint32_t place = (s->n_put - r1_merge_held(c->merge, i) - 1) % PLACES;
    out->sent_us = s->sent_us[place];
    if (s->note) out->note = s->note + c->placer.note_bytes * place;
    c->last = i;
}

/* Until the bell rings, or until_us of the monotonic clock. */
static void consumer_listen(r1_consumer *c, int64_t until_us)
{
    const struct timespec until = {.tv_sec = until_us / 1000000,
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};
    pthread_mutex_lock(&c->lock);
    while (c->n_ring == c->n_heard && r1_mono_us() < until_us)
        pthread_cond_timedwait(&c->bell, &c->lock, &until);
    pthread_mutex_unlock(&c->lock);
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

r1_status r1_consumer_poll(r1_consumer *c, int timeout_ms, r1_message *out, r1_err *err)
{
    int64_t end_us = r1_mono_us() + (int64_t)timeout_ms * 1000;
    R1_TRY(consumer_main_queue(c, err));
    if (c->n_source && !r1_merge_held(c->merge, c->last)) R1_TRY(source_fill(c, c->last, err));
    for (;;) {
        uint32_t i;
        void *item;
        int64_t until_ms = 0;
        R1_TRY(consumer_fill(c, err));
        int64_t mono = r1_mono_us(), wall = r1_time_us();
        r1_merge_state state =
            r1_merge_next(c->merge, wall / 1000, mono / 1000, &i, &item, &until_ms);
        if (state == R1_MERGE_READY) return consumer_give(c, i, item, out), R1_OK;
        if (mono >= end_us) return R1_E_TIMEOUT;
        int64_t until = state == R1_MERGE_HELD     ? mono + until_ms * 1000 - wall
                        : state == R1_MERGE_BEHIND ? until_ms * 1000
                                                   : end_us;
        consumer_listen(c, earlier(end_us, until));
    }
}

void r1_consumer_hint_all(r1_consumer *c, int topic, const int64_t *next_offset, int32_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int32_t p = 0; p < n; p++)
        if (next_offset[p])
            rd_kafka_topic_partition_list_add(list, c->topic[topic], p)->offset = next_offset[p];
    if (list->cnt) rd_kafka_commit(c->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

int64_t r1_consumer_high(const r1_consumer *c, int topic, int32_t partition)
{
    int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(c->rk, c->topic[topic], partition, &low, &high)) return -1;
    return high < 0 ? -1 : high;
}
