/* SPDX-License-Identifier: Apache-2.0 */
/* producer.c - idempotent, acks=all; delivery reports are counted, so a caller can prove what
 * arrived. Where librdkafka ends a client for good (its fatal errors, as after the death of a
 * partition's leader), another one takes its place. */
#include "stream/stream_internal.h"
#include "text/nearest.h"
#include "text/quote.h"

#include <stdlib.h>
#include <string.h>

/* A message of r1_producer_send that its client gave up at its end: the next client sends it. */
typedef struct {
    char *bytes, *topic, *key, *payload; /* bytes holds the others */
    size_t key_len, payload_len;
    char sent[24];
    uint64_t number;
} kept_message;

struct r1_producer {
    rd_kafka_t *rk;
    r1_stream_opts opts; /* its texts are the caller's */
    r1_producer_counts counts;
    kept_message *kept; /* [n_kept], owned */
    size_t n_kept;
    bool forgets; /* what fails is given up */
};

/* What a message carries through librdkafka: where its answer goes, or the number that its caller
 * gave it, which is odd as no address of an answer is. */
static void *number_mark(uint64_t number) { return (void *)(uintptr_t)(number << 1 | 1); }
static bool is_number(const void *mark) { return (uintptr_t)mark & 1; }

/* ---- messages that the next client sends ---- */

static void kept_sent_us(const rd_kafka_message_t *m, char sent[24])
{
    rd_kafka_headers_t *h;
    const void *value;
    size_t len;
    *sent = 0;
    if (rd_kafka_message_headers(m, &h) || rd_kafka_header_get_last(h, "sent_us", &value, &len))
        return;
    if (len < 24) snprintf(sent, 24, "%.*s", (int)len, (const char *)value);
}

static void kept_put(char *to, const void *from, size_t len)
{
    if (len) memcpy(to, from, len);
}

/* False: no memory for it. */
static bool producer_keep(r1_producer *p, const rd_kafka_message_t *m)
{
    const char *topic = rd_kafka_topic_name(m->rkt);
    size_t len = strlen(topic) + 1;
    if (p->n_kept % 1024 == 0) {
        kept_message *more = r1_realloc_array(p->kept, p->n_kept + 1024, sizeof *more);
        if (!more) return false;
        p->kept = more;
    }
    kept_message k = {.key_len = m->key_len, .payload_len = m->len};
    k.bytes = k.topic = malloc(len + m->key_len + m->len);
    if (!k.bytes) return false;
    memcpy(k.topic, topic, len);
    k.key = k.topic + len;
    k.payload = k.key + k.key_len;
    kept_put(k.key, m->key, m->key_len);
    kept_put(k.payload, m->payload, m->len);
    kept_sent_us(m, k.sent);
    k.number = (uint64_t)(uintptr_t)m->_private >> 1;
    p->kept[p->n_kept++] = k;
    return true;
}

static void kept_drop(r1_producer *p, size_t n)
{
    for (size_t i = 0; i < n; i++) free(p->kept[i].bytes);
    p->n_kept -= n;
    if (p->n_kept) memmove(p->kept, p->kept + n, p->n_kept * sizeof *p->kept);
}

static int by_number(const void *a, const void *b)
{
    const kept_message *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* ---- what the broker said ---- */

static void count_lost(r1_producer *p, uint64_t number)
{
    p->counts.failed++;
    if (!p->counts.first_failed || number < p->counts.first_failed) p->counts.first_failed = number;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *ctx)
{
    r1_producer *p = ctx;
    bool refused = m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
                   m->err == RD_KAFKA_RESP_ERR_INVALID_RECORD;
    if (!m->err) {
        p->counts.delivered++;
    } else if (is_number(m->_private)) {
        bool ended = !p->forgets && rd_kafka_fatal_error(rk, NULL, 0) != 0;
        if (!ended || !producer_keep(p, m)) count_lost(p, (uint64_t)(uintptr_t)m->_private >> 1);
    } else {
        p->counts.failed++;
    }
    if (m->_private && !is_number(m->_private))
        *(r1_ack *)m->_private = !m->err ? R1_ACK_DONE : refused ? R1_ACK_REFUSED : R1_ACK_FAILED;
}

/* ---- clients ---- */

static r1_status producer_conf(const r1_stream_opts *opts, rd_kafka_conf_t **out, r1_err *err)
{
    rd_kafka_conf_t *conf = r1_stream_conf(opts, err);
    if (!conf) return R1_E_INVAL;
    char linger[16];
    snprintf(linger, sizeof linger, "%d", opts->linger_ms);
    r1_status st = r1_stream_conf_set(conf, "linger.ms", linger, err);
    if (st == R1_OK) st = r1_stream_conf_set(conf, "acks", "all", err);
    if (st == R1_OK) st = r1_stream_conf_set(conf, "enable.idempotence", "true", err);
    /* A broker refuses a batch as a whole: so a batch of several must be one that any topic takes,
     * and what is refused for its size is one message. */
    char batch[16];
    snprintf(batch, sizeof batch, "%d", R1_PRODUCER_BATCH_BYTES);
    if (st == R1_OK) st = r1_stream_conf_set(conf, "batch.size", batch, err);
    if (st == R1_OK && opts->patient) st = r1_stream_conf_set(conf, "message.timeout.ms", "0", err);
    if (st == R1_OK)
        *out = conf;
    else
        rd_kafka_conf_destroy(conf);
    return st;
}

r1_status r1_producer_check(const r1_stream_opts *opts, r1_err *err)
{
    rd_kafka_conf_t *conf;
    R1_TRY(producer_conf(opts, &conf, err));
    return r1_stream_try(RD_KAFKA_PRODUCER, conf, err);
}

static r1_status producer_client(r1_producer *p, rd_kafka_t **out, r1_err *err)
{
    rd_kafka_conf_t *conf;
    R1_TRY(producer_conf(&p->opts, &conf, err));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, p);
    return r1_stream_client(out, RD_KAFKA_PRODUCER, conf, p->opts.brokers, err);
}

r1_status r1_producer_new(r1_producer **out, const r1_stream_opts *opts, r1_err *err)
{
    r1_producer *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for a Kafka producer");
    p->opts = *opts;
    r1_status st = producer_client(p, &p->rk, err);
    if (st != R1_OK) {
        free(p);
        return st;
    }
    *out = p;
    return R1_OK;
}

static void give_up_all(r1_producer *p)
{
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(p->rk) > 0) rd_kafka_poll(p->rk, 10);
}

void r1_producer_forget(r1_producer *p)
{
    p->forgets = true;
    give_up_all(p);
    p->forgets = false;
    for (size_t i = 0; i < p->n_kept; i++) count_lost(p, p->kept[i].number);
    kept_drop(p, p->n_kept);
}

void r1_producer_free(r1_producer *p)
{
    if (!p) return;
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(p->rk);
    kept_drop(p, p->n_kept);
    free(p->kept);
    free(p);
}

/* What broker and client disagree about is the numbers of this client's batches, as after the
 * death of a partition's leader. A new client has a producer id and numbers of its own. Any other
 * error that ends a client, as a right that lacks, would end the next one too. */
static bool renewable(rd_kafka_resp_err_t code)
{
    static const rd_kafka_resp_err_t codes[] = {
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER,
        RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,          RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,  RD_KAFKA_RESP_ERR__INCONSISTENT};
    for (size_t i = 0; i < R1_COUNT(codes); i++)
        if (codes[i] == code) return true;
    return false;
}

static r1_status producer_renew(r1_producer *p, const char *why, r1_err *err)
{
    rd_kafka_t *next;
    R1_TRY(producer_client(p, &next, err));
    int n = rd_kafka_outq_len(p->rk);
    give_up_all(p);
    rd_kafka_destroy(p->rk);
    p->rk = next;
    p->counts.renewed++;
    if (p->n_kept) qsort(p->kept, p->n_kept, sizeof *p->kept, by_number);
    r1_log(R1_LOG_WARN, "producer_renewed", "client=%s on_way=%d error=\"%s\"", p->opts.client_id,
           n, r1_log_quote(why).text);
    return R1_OK;
}

static rd_kafka_resp_err_t send_once(r1_producer *p, const r1_sending *m, const char *sent)
{
    /* librdkafka copies payload and key (F_COPY); its prototypes lack const for the payload
     * alone. */
    union {
        const char *in;
        void *out;
    } value = {m->payload};
    if (!*sent)
        return rd_kafka_producev(
            p->rk, RD_KAFKA_V_TOPIC(m->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(m->key, m->key_len), RD_KAFKA_V_VALUE(value.out, m->payload_len),
            RD_KAFKA_V_OPAQUE(number_mark(m->number)), RD_KAFKA_V_END);
    return rd_kafka_producev(
        p->rk, RD_KAFKA_V_TOPIC(m->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(m->key, m->key_len), RD_KAFKA_V_VALUE(value.out, m->payload_len),
        RD_KAFKA_V_HEADER("sent_us", sent, (ssize_t)strlen(sent)),
        RD_KAFKA_V_OPAQUE(number_mark(m->number)), RD_KAFKA_V_END);
}

/* R1_E_AGAIN: the client's queue is full, or the client has ended again. */
static r1_status send_kept(r1_producer *p, r1_err *err)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    size_t n = 0;
    while (n < p->n_kept && !code) {
        const kept_message *k = &p->kept[n];
        const r1_sending m = {.topic = k->topic,
                              .key = k->key,
                              .key_len = k->key_len,
                              .payload = k->payload,
                              .payload_len = k->payload_len,
                              .number = k->number};
        code = send_once(p, &m, k->sent);
        n += !code;
    }
    kept_drop(p, n);
    p->counts.again += n;
    if (!code) return R1_OK;
    bool later = code == RD_KAFKA_RESP_ERR__QUEUE_FULL || code == RD_KAFKA_RESP_ERR__FATAL;
    return later ? R1_E_AGAIN : r1_stream_fail(code, "sending once more", err);
}

/* A client that has ended is followed by a new one, and what it owes goes first. */
static r1_status producer_ready(r1_producer *p, r1_err *err)
{
    char why[256] = "";
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(p->rk, why, sizeof why);
    if (code && !renewable(code))
        R1_FAIL(err, R1_E_STREAM, "sending: %s: %s", rd_kafka_err2str(code), why);
    if (code) R1_TRY(producer_renew(p, why, err));
    return p->n_kept ? send_kept(p, err) : R1_OK;
}

/* ---- sending ---- */

r1_status r1_producer_send(r1_producer *p, const r1_sending *m, int timeout_ms, r1_err *err)
{
    char sent[24] = "";
    if (m->sent_us > 0) snprintf(sent, sizeof sent, "%lld", (long long)m->sent_us);
    int64_t until = r1_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        r1_status st = producer_ready(p, err);
        if (st != R1_OK && st != R1_E_AGAIN) return st;
        rd_kafka_resp_err_t code =
            st == R1_OK ? send_once(p, m, sent) : RD_KAFKA_RESP_ERR__QUEUE_FULL;
        if (!code) break;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL && code != RD_KAFKA_RESP_ERR__FATAL)
            return r1_stream_fail(code, "sending", err);
        if (r1_mono_us() > until)
            R1_FAIL(err, R1_E_STREAM,
                    "topic %s: expected the broker to take a message within %d s, found %d that "
                    "wait for it",
                    m->topic, timeout_ms / 1000, rd_kafka_outq_len(p->rk));
        rd_kafka_poll(p->rk, 5);
    }
    rd_kafka_poll(p->rk, 0);
    return R1_OK;
}

r1_status r1_producer_post(r1_producer *p, const r1_post *post, r1_err *err)
{
    union {
        const char *in;
        void *out;
    } value = {post->payload};
    bool on_way = rd_kafka_outq_len(p->rk) > 0;
    uint64_t renewed = p->counts.renewed;
    *post->ack = R1_ACK_WAITS;
    R1_TRY(producer_ready(p, err));
    if (on_way && p->counts.renewed != renewed) return R1_E_AGAIN; /* the earlier ones go first */
    rd_kafka_headers_t *h = rd_kafka_headers_new(post->n_header);
    for (size_t i = 0; h && i < post->n_header && i < R1_POST_HEADERS_MAX; i++)
        rd_kafka_header_add(h, post->header[i].name, -1, post->header[i].value,
                            (ssize_t)post->header[i].len);
    if (!h) R1_FAIL(err, R1_E_NOMEM, "no memory for the headers of a message");
    rd_kafka_resp_err_t code = rd_kafka_producev(
        p->rk, RD_KAFKA_V_TOPIC(post->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(post->key, post->key_len), RD_KAFKA_V_VALUE(value.out, post->payload_len),
        RD_KAFKA_V_HEADERS(h), RD_KAFKA_V_OPAQUE(post->ack), RD_KAFKA_V_END);
    if (!code) return R1_OK;
    rd_kafka_headers_destroy(h);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL || code == RD_KAFKA_RESP_ERR__FATAL)
        return R1_E_AGAIN;
    r1_stream_fail(code, "sending", err);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && err) err->code = R1_E_INVAL;
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? R1_E_INVAL : R1_E_STREAM;
}

r1_status r1_producer_warm(r1_producer *p, const char *topic, int timeout_ms, r1_err *err)
{
    rd_kafka_topic_t *t = rd_kafka_topic_new(p->rk, topic, NULL);
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code =
        t ? rd_kafka_metadata(p->rk, 0, t, &md, timeout_ms) : rd_kafka_last_error();
    if (md) rd_kafka_metadata_destroy(md);
    if (!code) rd_kafka_poll(p->rk, 1000);
    if (t) rd_kafka_topic_destroy(t);
    return code ? r1_stream_fail(code, "asking the broker for the topic", err) : R1_OK;
}

r1_status r1_producer_knows(r1_producer *p, const char *topic, int timeout_ms, r1_err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(p->rk, 1, NULL, &md, timeout_ms);
    if (code) return r1_stream_fail(code, "asking the broker for its topics", err);
    r1_nearest near = {.found = topic};
    bool known = false;
    char meant[96];
    for (int i = 0; i < md->topic_cnt && !known; i++) {
        known = !strcmp(md->topics[i].topic, topic);
        r1_nearest_offer(&near, md->topics[i].topic);
    }
    r1_nearest_text(&near, meant, sizeof meant); /* before the names go */
    rd_kafka_metadata_destroy(md);
    if (known) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "topic %.80s: expected one that the broker has, found none%s", topic,
            meant);
}

void r1_producer_poll(r1_producer *p)
{
    rd_kafka_poll(p->rk, 0);
    producer_ready(p, NULL); /* what it lacks is told where something is sent */
}

r1_status r1_producer_flush(r1_producer *p, int timeout_ms, r1_err *err)
{
    enum { LOOK_MS = 100 }; /* how soon a client that has ended is noticed */
    int64_t now = r1_mono_us(), until = now + (int64_t)timeout_ms * 1000;
    for (;; now = r1_mono_us()) {
        int64_t left_ms = now < until ? (until - now + 999) / 1000 : 0;
        r1_status st = producer_ready(p, err);
        if (st != R1_OK && st != R1_E_AGAIN) return st;
        rd_kafka_resp_err_t code =
            rd_kafka_flush(p->rk, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS);
        if (!code && !p->n_kept) return R1_OK;
        if (left_ms <= LOOK_MS)
            return r1_stream_fail(code ? code : RD_KAFKA_RESP_ERR__TIMED_OUT,
                                  "waiting for the broker to take what was sent", err);
    }
}

r1_producer_counts r1_producer_count(const r1_producer *p) { return p->counts; }
