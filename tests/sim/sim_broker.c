/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_broker.c - the broker in the world's memory, and the functions of librdkafka that reach one.
 *
 * A client has a thread, as librdkafka's has: it fetches what can be read, partition by partition
 * in an order of its own, puts it into the partitions' queues and rings their bells. Settings,
 * lists, headers and texts of errors are librdkafka's own functions. */
#include "sim.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FETCH_US = 4000, /* from a message's arrival to its fetch, at most: less than merge-hold */
    ASK_US = 3000,   /* an answer of the broker */
    QUEUE_MAX = 40,  /* messages of one partition's queue */
    ACK_US = 20000,
    SENDS_MAX = 1100
};

/* ---- the broker ---- */

void sim_topic_make(sim_topic_id topic, int n_partition)
{
    sim_topic *t = &sim->topic[topic];
    t->n_partition = n_partition;
    for (int p = 0; p < n_partition; p++) t->part[p] = (sim_partition){.first = -1, .last = -1};
}

static uint32_t keep_bytes(const void *data, size_t len)
{
    if (sim->n_byte + len + 1 > SIM_BYTES) abort();
    uint32_t at = sim->n_byte;
    if (len) memcpy(sim->bytes + at, data, len);
    sim->bytes[at + len] = 0;
    sim->n_byte += (uint32_t)len + 1;
    return at;
}

uint32_t sim_keep(const char *text) { return keep_bytes(text, strlen(text)); }

static uint32_t keep_headers(const sim_header *h, int n)
{
    uint32_t at = sim->n_byte;
    for (int i = 0; i < n; i++) {
        uint32_t len = (uint32_t)h[i].len;
        keep_bytes(h[i].name, strlen(h[i].name));
        keep_bytes(&len, sizeof len);
        keep_bytes(h[i].value, len);
    }
    return at;
}

sim_header sim_header_at(const sim_message *m, int i)
{
    const char *p = sim->bytes + m->header;
    for (;; i--) {
        uint32_t len;
        const char *name = p, *value = name + strlen(name) + 1 + sizeof len + 1;
        memcpy(&len, name + strlen(name) + 1, sizeof len);
        if (!i) return (sim_header){name, value, len};
        p = value + len + 1;
    }
}

void sim_publish(sim_topic_id topic, int partition, int64_t at_us, const sim_message *m,
                 const void *key, const void *payload, const sim_header *header)
{
    sim_partition *p = &sim->topic[topic].part[partition];
    if (sim->n_message == SIM_MESSAGES) abort();
    int32_t i = sim->n_message++;
    if (p->last >= 0 && sim->message[p->last].at_us > at_us) at_us = sim->message[p->last].at_us;
    sim->message[i] = *m;
    sim->message[i].at_us = at_us;
    sim->message[i].key = key ? keep_bytes(key, m->key_len) : 0;
    sim->message[i].payload = payload ? keep_bytes(payload, m->payload_len) : 0;
    sim->message[i].header = keep_headers(header, m->n_header);
    sim->message[i].next = -1;
    if (p->last >= 0)
        sim->message[p->last].next = i;
    else
        p->first = i;
    p->last = i;
    p->n++;
}

int64_t sim_high(sim_topic_id topic, int partition)
{
    const sim_partition *p = &sim->topic[topic].part[partition];
    int64_t n = 0;
    for (int32_t i = p->first; i >= 0 && sim->message[i].at_us <= sim->now_us; n++)
        i = sim->message[i].next;
    return n;
}

const sim_message *sim_message_at(sim_topic_id topic, int partition, int64_t offset)
{
    int32_t i = sim->topic[topic].part[partition].first;
    for (; i >= 0 && offset > 0; offset--) i = sim->message[i].next;
    return i >= 0 ? &sim->message[i] : NULL;
}

static bool broker_away(void)
{
    return sim->now_us >= sim->fault.away_us && sim->now_us < sim->fault.back_us;
}

static int topic_of(const char *name)
{
    for (int t = 0; t < SIM_TOPICS; t++)
        if (!strcmp(name, sim_topic_names[t])) return t;
    return -1;
}

static int partitions_now(int topic)
{
    int n = 0;
    const sim_topic *t = &sim->topic[topic];
    while (n < t->n_partition && t->part[n].open_us <= sim->now_us) n++;
    return n;
}

/* ---- a client ---- */

typedef void rebalance_fn(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                          rd_kafka_topic_partition_list_t *list, void *opaque);

typedef struct queued {
    rd_kafka_message_t m; /* first: it is what the caller sees */
    int64_t stamp_ms;
    rd_kafka_headers_t *headers;
    struct queued *next;
} queued;

typedef struct {
    rd_kafka_message_t m;
    int64_t ack_us;
    int topic;
    bool stored, purged;
    char *key, *payload;
    size_t key_len;
    rd_kafka_headers_t *headers;
} sending;

struct rd_kafka_queue_s {
    rd_kafka_t *rk;
    int topic, partition;
    bool assigned, said_end;
    int64_t next, high; /* to fetch; the broker's, as known */
    queued *first, *last;
    int n;
    void (*ring)(rd_kafka_t *rk, void *opaque);
    void *opaque;
};

struct rd_kafka_s {
    rd_kafka_type_t type;
    rd_kafka_conf_t *conf;
    void (*on_delivery)(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque);
    rebalance_fn *on_rebalance;
    bool subscribed, lost, giving_up; /* giving_up: was told, and has not unassigned yet */
    void *opaque;
    rd_kafka_queue_t *queue[SIM_TOPICS * SIM_PARTITIONS];
    int n_queue;
    struct rd_kafka_queue_s look; /* of a client that reads single messages by rd_kafka_assign */
    pthread_t thread;
    bool threaded, closing;
    bool ended; /* broker and client disagree about the numbers of batches */
    uint32_t n_produced;
    sending send[SENDS_MAX];
    int n_send;
};

struct rd_kafka_topic_s {
    int topic;
};

/* What the settings say before a client is made of them. */
static struct {
    rd_kafka_conf_t *conf;
    void (*on_delivery)(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque);
    rebalance_fn *on_rebalance;
    void *opaque;
} pending[8];
static int n_pending;

static int pending_of(rd_kafka_conf_t *conf)
{
    for (int i = 0; i < n_pending; i++)
        if (pending[i].conf == conf) return i;
    if (n_pending == 8) abort();
    memset(&pending[n_pending], 0, sizeof pending[n_pending]);
    pending[n_pending].conf = conf;
    return n_pending++;
}

void rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *conf,
                                 void (*fn)(rd_kafka_t *rk, const rd_kafka_message_t *m,
                                            void *opaque))
{
    pending[pending_of(conf)].on_delivery = fn;
}

void rd_kafka_conf_set_rebalance_cb(rd_kafka_conf_t *conf, rebalance_fn *fn)
{
    pending[pending_of(conf)].on_rebalance = fn;
}

void rd_kafka_conf_set_opaque(rd_kafka_conf_t *conf, void *opaque)
{
    pending[pending_of(conf)].opaque = opaque;
}

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *why, size_t size)
{
    (void)why;
    (void)size;
    rd_kafka_t *rk = calloc(1, sizeof *rk);
    if (!rk) abort();
    rk->type = type;
    rk->conf = conf;
    for (int i = 0; i < n_pending; i++) {
        if (pending[i].conf != conf) continue;
        rk->on_delivery = pending[i].on_delivery;
        rk->on_rebalance = pending[i].on_rebalance;
        rk->opaque = pending[i].opaque;
        pending[i] = pending[--n_pending];
    }
    return rk;
}

rd_kafka_resp_err_t rd_kafka_poll_set_consumer(rd_kafka_t *rk)
{
    (void)rk;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
rd_kafka_resp_err_t rd_kafka_last_error(void) { return RD_KAFKA_RESP_ERR_NO_ERROR; }
void rd_kafka_mem_free(rd_kafka_t *rk, void *p)
{
    (void)rk;
    free(p);
}
int32_t rd_kafka_controllerid(rd_kafka_t *rk, int timeout_ms)
{
    (void)rk;
    (void)timeout_ms;
    return 1;
}

/* ---- questions ---- */

/* A request and its answer; false: none within the time. */
static bool broker_answers(int timeout_ms)
{
    int64_t until = sim->now_us + (int64_t)timeout_ms * 1000;
    sim_sleep_until(sim->now_us + 100 + (int64_t)sim_below(ASK_US));
    if (broker_away()) sim_sleep_until(until < sim->fault.back_us ? until : sim->fault.back_us);
    return !broker_away();
}

char *rd_kafka_clusterid(rd_kafka_t *rk, int timeout_ms)
{
    (void)rk;
    return broker_answers(timeout_ms) ? strdup("sim") : NULL;
}

rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *rk, const char *name, rd_kafka_topic_conf_t *conf)
{
    (void)rk;
    (void)conf;
    rd_kafka_topic_t *t = malloc(sizeof *t);
    if (!t) abort();
    t->topic = topic_of(name);
    return t;
}
void rd_kafka_topic_destroy(rd_kafka_topic_t *t) { free(t); }

rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *rk, int all, rd_kafka_topic_t *only,
                                      const struct rd_kafka_metadata **out, int timeout_ms)
{
    (void)rk;
    if (!broker_answers(timeout_ms)) return RD_KAFKA_RESP_ERR__TRANSPORT;
    struct rd_kafka_metadata *md = calloc(1, sizeof *md);
    md->topics = calloc(SIM_TOPICS, sizeof *md->topics);
    for (int t = 0; t < SIM_TOPICS; t++) {
        if (!all && only && only->topic != t) continue;
        if (!partitions_now(t)) continue;
        md->topics[md->topic_cnt++] = (rd_kafka_metadata_topic_t){
            .topic = strdup(sim_topic_names[t]), .partition_cnt = partitions_now(t)};
    }
    *out = md;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void rd_kafka_metadata_destroy(const struct rd_kafka_metadata *md)
{
    for (int t = 0; t < md->topic_cnt; t++) free(md->topics[t].topic);
    free(md->topics);
    union {
        const struct rd_kafka_metadata *in;
        void *out;
    } p = {md};
    free(p.out);
}

rd_kafka_resp_err_t rd_kafka_query_watermark_offsets(rd_kafka_t *rk, const char *topic,
                                                     int32_t partition, int64_t *low, int64_t *high,
                                                     int timeout_ms)
{
    (void)rk;
    if (!broker_answers(timeout_ms)) return RD_KAFKA_RESP_ERR__TRANSPORT;
    *low = 0;
    *high = sim_high((sim_topic_id)topic_of(topic), partition);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_queue_t *queue_of(rd_kafka_t *rk, const char *topic, int32_t partition)
{
    int t = topic_of(topic);
    for (int i = 0; i < rk->n_queue; i++)
        if (rk->queue[i]->topic == t && rk->queue[i]->partition == partition) return rk->queue[i];
    return NULL;
}

rd_kafka_resp_err_t rd_kafka_get_watermark_offsets(rd_kafka_t *rk, const char *topic,
                                                   int32_t partition, int64_t *low, int64_t *high)
{
    const rd_kafka_queue_t *q = queue_of(rk, topic, partition);
    *low = q ? 0 : -1;
    *high = q ? q->high : -1;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_commit(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list,
                                    int async)
{
    (void)rk;
    (void)list;
    (void)async; /* hints for lag tools */
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- fetching ---- */

static void queue_put(rd_kafka_queue_t *q, queued *m)
{
    bool was_empty = !q->first;
    if (q->last)
        q->last->next = m;
    else
        q->first = m;
    q->last = m;
    q->n++;
    if (was_empty && q->ring) q->ring(q->rk, q->opaque);
}

static queued *queued_new(rd_kafka_queue_t *q, int64_t offset, rd_kafka_resp_err_t code)
{
    queued *m = calloc(1, sizeof *m);
    if (!m) abort();
    m->m.partition = q->partition;
    m->m.offset = offset;
    m->m.err = code;
    return m;
}

static void fetch_one(rd_kafka_queue_t *q)
{
    const sim_message *from = sim_message_at((sim_topic_id)q->topic, q->partition, q->next);
    queued *m = queued_new(q, q->next++, RD_KAFKA_RESP_ERR_NO_ERROR);
    m->stamp_ms = from->stamp_ms;
    m->m.payload = from->payload ? sim->bytes + from->payload : NULL;
    m->m.len = from->payload_len;
    m->m.key = from->key ? sim->bytes + from->key : NULL;
    m->m.key_len = from->key_len;
    if (from->n_header) m->headers = rd_kafka_headers_new((size_t)from->n_header);
    for (int i = 0; i < from->n_header; i++) {
        sim_header h = sim_header_at(from, i);
        rd_kafka_header_add(m->headers, h.name, -1, h.value, (ssize_t)h.len);
    }
    queue_put(q, m);
}

/* One answer for one partition. */
static void fetch(rd_kafka_queue_t *q)
{
    int64_t high = sim_high((sim_topic_id)q->topic, q->partition);
    q->high = high;
    if (q->next > high) {
        queue_put(q, queued_new(q, q->next, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET));
        q->assigned = false;
        return;
    }
    if (q->next < high) q->said_end = false;
    while (q->next < high && q->n < QUEUE_MAX) fetch_one(q);
    if (q->next < high || q->said_end) return;
    q->said_end = true;
    queue_put(q, queued_new(q, high, RD_KAFKA_RESP_ERR__PARTITION_EOF));
}

static bool fetch_due(const rd_kafka_queue_t *q)
{
    return q->assigned && q->n < QUEUE_MAX &&
           (q->next != sim_high((sim_topic_id)q->topic, q->partition) || !q->said_end);
}

/* When the next message can be read; while a queue is full, soon. */
static int64_t fetch_next(const rd_kafka_t *rk)
{
    int64_t next = sim->now_us + 500000;
    for (int i = 0; i < rk->n_queue; i++) {
        const rd_kafka_queue_t *q = rk->queue[i];
        if (!q->assigned) continue;
        const sim_message *m = sim_message_at((sim_topic_id)q->topic, q->partition, q->next);
        int64_t at = !m || q->n >= QUEUE_MAX ? sim->now_us + 2000 : m->at_us;
        if (m && at < next) next = at;
    }
    return next > sim->now_us ? next : sim->now_us + 500;
}

static int fetches_due(const rd_kafka_t *rk)
{
    int n = 0;
    for (int i = 0; i < rk->n_queue; i++) n += fetch_due(rk->queue[i]);
    return broker_away() ? 0 : n;
}

/* What is due, beginning anywhere; between two partitions others may run. So a message waits at
 * most FETCH_US, as long as its service runs. */
static void fetch_round(rd_kafka_t *rk)
{
    sim_sleep_until(sim->now_us + (int64_t)sim_below(FETCH_US));
    int first = (int)sim_below(SIM_TOPICS * SIM_PARTITIONS);
    for (int i = 0; i < rk->n_queue && !broker_away(); i++) {
        rd_kafka_queue_t *q = rk->queue[(first + i) % rk->n_queue];
        if (fetch_due(q)) fetch(q);
        sim_give();
    }
}

static void *client_main(void *arg)
{
    rd_kafka_t *rk = arg;
    while (!rk->closing) {
        if (fetches_due(rk))
            fetch_round(rk);
        else
            sim_wait(rk, broker_away() ? sim->fault.back_us : fetch_next(rk), false);
    }
    return NULL;
}

rd_kafka_queue_t *rd_kafka_queue_get_partition(rd_kafka_t *rk, const char *topic, int32_t partition)
{
    rd_kafka_queue_t *q = calloc(1, sizeof *q);
    if (!q) abort();
    q->rk = rk;
    q->topic = topic_of(topic);
    q->partition = partition;
    rk->queue[rk->n_queue++] = q;
    return q;
}

void rd_kafka_queue_forward(rd_kafka_queue_t *q, rd_kafka_queue_t *to)
{
    (void)q;
    (void)to;
}

void rd_kafka_queue_cb_event_enable(rd_kafka_queue_t *q, void (*fn)(rd_kafka_t *rk, void *opaque),
                                    void *opaque)
{
    q->ring = fn;
    q->opaque = opaque;
}

rd_kafka_error_t *rd_kafka_incremental_assign(rd_kafka_t *rk,
                                              const rd_kafka_topic_partition_list_t *list)
{
    if (rk->subscribed) return NULL; /* the member's, who owns it since it was told */
    for (int i = 0; i < list->cnt; i++) {
        rd_kafka_queue_t *q = queue_of(rk, list->elems[i].topic, list->elems[i].partition);
        q->next = list->elems[i].offset;
        q->high = -1;
        q->assigned = true;
    }
    if (!rk->threaded && pthread_create(&rk->thread, NULL, client_main, rk)) abort();
    rk->threaded = true;
    sim_wake(rk, true);
    return NULL;
}

ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *q, int timeout_ms, rd_kafka_message_t **out,
                                     size_t size)
{
    (void)timeout_ms;
    size_t n = 0;
    for (; n < size && q->first; n++) {
        queued *m = q->first;
        out[n] = &m->m;
        q->first = m->next;
        if (!q->first) q->last = NULL;
        q->n--;
    }
    if (n) sim_wake(q->rk, true);
    return (ssize_t)n;
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    rk->look = (struct rd_kafka_queue_s){.rk = rk, .assigned = list != NULL};
    if (!list) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rk->look.topic = topic_of(list->elems[0].topic);
    rk->look.partition = list->elems[0].partition;
    rk->look.next = list->elems[0].offset;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The one message that was asked for, or that there is none. */
static queued *look_at(rd_kafka_queue_t *q)
{
    int64_t high = sim_high((sim_topic_id)q->topic, q->partition);
    if (q->next > high) return queued_new(q, q->next, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET);
    if (q->next == high) return queued_new(q, q->next, RD_KAFKA_RESP_ERR__PARTITION_EOF);
    fetch_one(q);
    queued *m = q->first;
    q->first = q->last = NULL;
    return m;
}

static queued *queued_of(const rd_kafka_message_t *m)
{
    union {
        const rd_kafka_message_t *in;
        queued *out;
    } p = {m};
    return p.out;
}

void rd_kafka_message_destroy(rd_kafka_message_t *m)
{
    queued *q = queued_of(m);
    if (q->headers) rd_kafka_headers_destroy(q->headers);
    free(q);
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *m, rd_kafka_timestamp_type_t *type)
{
    *type = RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    return queued_of(m)->stamp_ms;
}

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *m, rd_kafka_headers_t **out)
{
    *out = queued_of(m)->headers;
    return *out ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__NOENT;
}

const char *rd_kafka_message_errstr(const rd_kafka_message_t *m)
{
    return rd_kafka_err2str(m->err);
}

/* ---- sending ---- */

static char *copy_bytes(const void *data, size_t len)
{
    char *out = malloc(len + 1);
    if (!out) abort();
    if (len) memcpy(out, data, len);
    out[len] = 0;
    return out;
}

static void send_publish(const sending *s)
{
    sim_header header[SIM_HEADERS];
    sim_message m = {.stamp_ms = sim_wall_us() / 1000,
                     .key_len = (uint32_t)s->key_len,
                     .payload_len = (uint32_t)s->m.len};
    while (s->headers && m.n_header < SIM_HEADERS &&
           !rd_kafka_header_get_all(s->headers, (size_t)m.n_header, &header[m.n_header].name,
                                    &header[m.n_header].value, &header[m.n_header].len))
        m.n_header++;
    sim_publish((sim_topic_id)s->topic, 0, sim->now_us, &m, s->key, s->payload, header);
}

/* The broker has all up to message i. */
static void sends_store(rd_kafka_t *rk, int i)
{
    for (int k = 0; k <= i; k++) {
        sending *s = &rk->send[k];
        if (s->stored || s->purged) continue;
        send_publish(s);
        s->stored = true;
    }
}

rd_kafka_resp_err_t rd_kafka_fatal_error(rd_kafka_t *rk, char *why, size_t size)
{
    if (!rk->ended) return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (why) snprintf(why, size, "as the seed has it");
    return RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

/* What is on its way then is in the topic, or is not. */
static void client_end(rd_kafka_t *rk)
{
    sim_faults *f = &sim->fault;
    if (!f->fatal_times || ++rk->n_produced != f->fatal_after) return;
    f->fatal_times--;
    rk->ended = true;
    sim_say("a producer is ended with %d messages on their way", rk->n_send);
}

rd_kafka_resp_err_t rd_kafka_producev(rd_kafka_t *rk, ...)
{
    if (rk->ended) return RD_KAFKA_RESP_ERR__FATAL;
    if (rk->n_send == SENDS_MAX) return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    sending *s = &rk->send[rk->n_send];
    memset(s, 0, sizeof *s);
    va_list a;
    va_start(a, rk);
    for (int what; (what = va_arg(a, int)) != RD_KAFKA_VTYPE_END;) {
        if (what == RD_KAFKA_VTYPE_TOPIC) {
            s->topic = topic_of(va_arg(a, const char *));
        } else if (what == RD_KAFKA_VTYPE_MSGFLAGS) {
            (void)va_arg(a, int);
        } else if (what == RD_KAFKA_VTYPE_KEY || what == RD_KAFKA_VTYPE_VALUE) {
            const void *data = va_arg(a, void *);
            size_t len = va_arg(a, size_t);
            *(what == RD_KAFKA_VTYPE_KEY ? &s->key_len : &s->m.len) = len;
            *(what == RD_KAFKA_VTYPE_KEY ? &s->key : &s->payload) =
                data ? copy_bytes(data, len) : NULL;
        } else if (what == RD_KAFKA_VTYPE_HEADERS) {
            s->headers = va_arg(a, rd_kafka_headers_t *);
        } else if (what == RD_KAFKA_VTYPE_OPAQUE) {
            s->m._private = va_arg(a, void *);
        } else {
            abort();
        }
    }
    va_end(a);
    s->ack_us = sim->now_us + 200 + (int64_t)sim_below(ACK_US);
    rk->n_send++;
    /* Some arrive at once, and the answer is lost where the service dies before it. */
    if (!broker_away() && sim_below(2)) sends_store(rk, rk->n_send - 1);
    client_end(rk);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void send_answer(rd_kafka_t *rk, rd_kafka_resp_err_t code)
{
    sending s = rk->send[0];
    memmove(rk->send, rk->send + 1, (size_t)--rk->n_send * sizeof s);
    s.m.err = code;
    if (rk->on_delivery) rk->on_delivery(rk, &s.m, rk->opaque);
    free(s.key);
    free(s.payload);
    if (s.headers) rd_kafka_headers_destroy(s.headers);
}

static void sends_turn(rd_kafka_t *rk)
{
    while (rk->n_send) {
        bool purged = rk->send[0].purged;
        if (!purged && rk->ended) return;
        if (!purged && (broker_away() || rk->send[0].ack_us > sim->now_us)) return;
        if (!purged) sends_store(rk, 0);
        send_answer(rk, purged ? RD_KAFKA_RESP_ERR__PURGE_QUEUE : RD_KAFKA_RESP_ERR_NO_ERROR);
    }
}

int rd_kafka_poll(rd_kafka_t *rk, int timeout_ms)
{
    if (timeout_ms > 0) sim_sleep_until(sim->now_us + (int64_t)timeout_ms * 1000);
    sends_turn(rk);
    return 0;
}

int rd_kafka_outq_len(rd_kafka_t *rk) { return rk->n_send; }

rd_kafka_resp_err_t rd_kafka_flush(rd_kafka_t *rk, int timeout_ms)
{
    int64_t until = sim->now_us + (int64_t)timeout_ms * 1000;
    for (sends_turn(rk); rk->n_send && sim->now_us < until; sends_turn(rk))
        sim_sleep_until(sim->now_us + 1000);
    return rk->n_send ? RD_KAFKA_RESP_ERR__TIMED_OUT : RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_purge(rd_kafka_t *rk, int flags)
{
    (void)flags;
    for (int i = 0; i < rk->n_send; i++) rk->send[i].purged = true;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- the consumer group ---- */

static bool group_has(int service)
{
    const sim_group *g = &sim->group;
    return g->joined[service] && sim->now_us - g->beat_us[service] <= g->session_us;
}

static int group_load(int service)
{
    int n = 0;
    for (int t = 0; t <= SIM_LABELS; t++)
        for (int p = 0; p < partitions_now(t); p++) n += sim->group.target[t][p] == service;
    return n;
}

/* The member that has least, any of them. */
static int group_least(void)
{
    int best = 0, n = 0;
    for (int s = 1; s < sim->n_service; s++) {
        if (!group_has(s)) continue;
        int load = best ? group_load(best) : 0, mine = group_load(s);
        if (!best || mine < load)
            best = s, n = 1;
        else if (mine == load && sim_below((uint64_t)++n) == 0)
            best = s;
    }
    return best;
}

/* The broker's view: dead members go, every partition gets a member, and nobody has two more than
 * another. */
static void group_balance(void)
{
    sim_group *g = &sim->group;
    for (int t = 0; t <= SIM_LABELS; t++)
        for (int p = 0; p < partitions_now(t); p++) {
            if (g->owner[t][p] && !group_has(g->owner[t][p])) g->owner[t][p] = 0;
            if (!g->target[t][p] || !group_has(g->target[t][p])) {
                g->target[t][p] = 0;
                g->target[t][p] = group_least();
            }
        }
    for (int t = 0; t <= SIM_LABELS; t++)
        for (int p = 0; p < partitions_now(t); p++) {
            int least = group_least();
            if (least && group_load(g->target[t][p]) > group_load(least) + 1)
                g->target[t][p] = least;
        }
    for (int s = 1; s < sim->n_service; s++)
        if (g->joined[s] && !group_has(s)) g->joined[s] = false;
}

/* Partitions of a member: those that it owns and is to give up, or those that it is to get. */
static rd_kafka_topic_partition_list_t *group_list(int me, bool lost, bool gives)
{
    const sim_group *g = &sim->group;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int t = 0; t <= SIM_LABELS; t++)
        for (int p = 0; p < partitions_now(t); p++) {
            bool mine = g->owner[t][p] == me, meant = g->target[t][p] == me;
            if (lost ? mine : gives ? mine && !meant : !g->owner[t][p] && meant)
                rd_kafka_topic_partition_list_add(list, sim_topic_names[t], p);
        }
    return list;
}

static void group_own(const rd_kafka_topic_partition_list_t *list, int service)
{
    for (int i = 0; i < list->cnt; i++)
        sim->group.owner[topic_of(list->elems[i].topic)][list->elems[i].partition] = service;
}

static void group_tell(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                       rd_kafka_topic_partition_list_t *list)
{
    if (list->cnt) {
        sim_say("the group %s %d partitions",
                code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "gives" : "takes", list->cnt);
        rk->on_rebalance(rk, code, list, rk->opaque);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

rd_kafka_resp_err_t rd_kafka_subscribe(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    char text[16];
    size_t size = sizeof text;
    (void)list;
    rk->subscribed = true;
    if (rd_kafka_conf_get(rk->conf, "session.timeout.ms", text, &size) == RD_KAFKA_CONF_OK)
        sim->group.session_us = strtol(text, NULL, 10) * 1000;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

int rd_kafka_assignment_lost(rd_kafka_t *rk) { return rk->lost; }

rd_kafka_resp_err_t rd_kafka_pause_partitions(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
    (void)rk;
    (void)list; /* a member's client fetches nothing */
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_error_t *rd_kafka_incremental_unassign(rd_kafka_t *rk,
                                                const rd_kafka_topic_partition_list_t *list)
{
    rk->giving_up = false;
    if (!rk->lost) group_own(list, 0);
    return NULL;
}

void sim_group_lose(void)
{
    memset(sim->group.owner, 0, sizeof sim->group.owner);
    memset(sim->group.target, 0, sizeof sim->group.target);
    sim->group.lost++;
    sim_say("the group is lost by its members");
}

/* What the client believes to own, kept where the broker does not see it, and the losses that it
 * has heard of. */
static rd_kafka_topic_partition_list_t *believed;
static uint64_t heard_lost;

static void group_believe(int me)
{
    if (believed) rd_kafka_topic_partition_list_destroy(believed);
    believed = group_list(me, true, false);
}

static void group_turn(rd_kafka_t *rk)
{
    int me = sim_self_service();
    sim_group *g = &sim->group;
    if (heard_lost != g->lost && sim_below(8)) return; /* it looks for the new coordinator */
    bool expelled = believed && believed->cnt && (!group_has(me) || heard_lost != g->lost);
    heard_lost = g->lost;
    group_balance();
    if (expelled) { /* the broker had not heard of it for too long */
        rk->lost = true;
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(believed);
        rk->giving_up = false;
        group_tell(rk, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, list);
        rk->lost = false;
    }
    g->joined[me] = true;
    g->beat_us[me] = sim->now_us;
    group_balance();
    if (rk->giving_up) return;
    rd_kafka_topic_partition_list_t *list = group_list(me, false, true);
    if (list->cnt) {
        rk->giving_up = true;
        group_tell(rk, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, list);
    } else {
        rd_kafka_topic_partition_list_destroy(list);
        list = group_list(me, false, false);
        group_own(list, me);
        group_tell(rk, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
    }
    group_believe(me);
}

rd_kafka_message_t *rd_kafka_consumer_poll(rd_kafka_t *rk, int timeout_ms)
{
    if (rk->subscribed && !broker_away()) group_turn(rk);
    if (rk->subscribed)
        sim_sleep_until(sim->now_us + (int64_t)timeout_ms * 1000);
    else if (!rk->look.assigned)
        sim_give();
    if (rk->subscribed || !rk->look.assigned) return NULL;
    sim_sleep_until(sim->now_us + (broker_away() ? (int64_t)timeout_ms * 1000 : ASK_US));
    return broker_away() ? NULL : &look_at(&rk->look)->m;
}

/* Its partitions go to others at once. */
static void group_leave(rd_kafka_t *rk)
{
    int me = sim_self_service();
    if (!rk->subscribed) return;
    group_tell(rk, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, group_list(me, true, false));
    sim->group.joined[me] = false;
    rk->subscribed = false;
    group_balance();
}

/* ---- the end of a client ---- */

void rd_kafka_queue_destroy(rd_kafka_queue_t *q)
{
    rd_kafka_t *rk = q->rk;
    q->assigned = false;
    for (int i = 0; i < rk->n_queue; i++)
        if (rk->queue[i] == q) rk->queue[i] = rk->queue[--rk->n_queue];
    while (q->first) {
        queued *m = q->first;
        q->first = m->next;
        rd_kafka_message_destroy(&m->m);
    }
    free(q);
}

static void client_stop(rd_kafka_t *rk)
{
    rk->closing = true;
    sim_wake(rk, true);
    if (rk->threaded) pthread_join(rk->thread, NULL);
    rk->threaded = false;
}

rd_kafka_resp_err_t rd_kafka_consumer_close(rd_kafka_t *rk)
{
    group_leave(rk);
    client_stop(rk);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void rd_kafka_destroy_flags(rd_kafka_t *rk, int flags)
{
    (void)flags;
    client_stop(rk);
    rd_kafka_purge(rk, 0);
    sends_turn(rk);
    rd_kafka_conf_destroy(rk->conf);
    free(rk);
}

void rd_kafka_destroy(rd_kafka_t *rk) { rd_kafka_destroy_flags(rk, 0); }
