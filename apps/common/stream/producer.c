/* SPDX-License-Identifier: Apache-2.0 */
/* producer.c - idempotent, acks=all; delivery reports are counted, so a caller can prove what
 * arrived. */
#include "stream/stream_internal.h"
#include "text/nearest.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct r1_producer {
    rd_kafka_t *rk;
    atomic_uint_fast64_t delivered, failed;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *ctx)
{
    (void)rk;
    r1_producer *p = ctx;
    bool refused = m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
                   m->err == RD_KAFKA_RESP_ERR_INVALID_RECORD;
    if (m->err)
        atomic_fetch_add(&p->failed, 1);
    else
        atomic_fetch_add(&p->delivered, 1);
    if (m->_private)
        *(r1_ack *)m->_private = !m->err ? R1_ACK_DONE : refused ? R1_ACK_REFUSED : R1_ACK_FAILED;
}

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

r1_status r1_producer_new(r1_producer **out, const r1_stream_opts *opts, r1_err *err)
{
    rd_kafka_conf_t *conf;
    r1_producer *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for a Kafka producer");
    r1_status st = producer_conf(opts, &conf, err);
    if (st == R1_OK) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        rd_kafka_conf_set_opaque(conf, p);
        st = r1_stream_client(&p->rk, RD_KAFKA_PRODUCER, conf, opts->brokers, err);
    }
    if (st != R1_OK) {
        free(p);
        return st;
    }
    *out = p;
    return R1_OK;
}

void r1_producer_free(r1_producer *p)
{
    if (!p) return;
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(p->rk);
    free(p);
}

static rd_kafka_resp_err_t send_once(r1_producer *p, const char *topic, const char *key,
                                     size_t key_len, const char *payload, size_t payload_len,
                                     const char *sent, size_t sent_len)
{
    /* librdkafka copies payload and key (F_COPY); its prototypes lack const for the payload
     * alone. */
    union {
        const char *in;
        void *out;
    } value = {payload};
    if (!sent_len)
        return rd_kafka_producev(
            p->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(key, key_len), RD_KAFKA_V_VALUE(value.out, payload_len), RD_KAFKA_V_END);
    return rd_kafka_producev(p->rk, RD_KAFKA_V_TOPIC(topic),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_len),
                             RD_KAFKA_V_VALUE(value.out, payload_len),
                             RD_KAFKA_V_HEADER("sent_us", sent, (ssize_t)sent_len), RD_KAFKA_V_END);
}

r1_status r1_producer_send(r1_producer *p, const char *topic, const char *key, size_t key_len,
                           const char *payload, size_t payload_len, int64_t sent_us, int timeout_ms,
                           r1_err *err)
{
    char sent[24] = "";
    int sent_len = sent_us > 0 ? snprintf(sent, sizeof sent, "%lld", (long long)sent_us) : 0;
    int64_t until = r1_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        rd_kafka_resp_err_t code =
            send_once(p, topic, key, key_len, payload, payload_len, sent, (size_t)sent_len);
        if (!code) break;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || r1_mono_us() > until)
            return r1_stream_fail(code, "sending", err);
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
    rd_kafka_headers_t *h = rd_kafka_headers_new(post->n_header);
    for (size_t i = 0; h && i < post->n_header && i < R1_POST_HEADERS_MAX; i++)
        rd_kafka_header_add(h, post->header[i].name, -1, post->header[i].value,
                            (ssize_t)post->header[i].len);
    if (!h) R1_FAIL(err, R1_E_NOMEM, "no memory for the headers of a message");
    *post->ack = R1_ACK_WAITS;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        p->rk, RD_KAFKA_V_TOPIC(post->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(post->key, post->key_len), RD_KAFKA_V_VALUE(value.out, post->payload_len),
        RD_KAFKA_V_HEADERS(h), RD_KAFKA_V_OPAQUE(post->ack), RD_KAFKA_V_END);
    if (!code) return R1_OK;
    rd_kafka_headers_destroy(h);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return R1_E_AGAIN;
    r1_stream_fail(code, "sending", err);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && err) err->code = R1_E_INVAL;
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? R1_E_INVAL : R1_E_STREAM;
}

void r1_producer_forget(r1_producer *p)
{
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(p->rk) > 0) rd_kafka_poll(p->rk, 10);
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

void r1_producer_poll(r1_producer *p) { rd_kafka_poll(p->rk, 0); }

r1_status r1_producer_flush(r1_producer *p, int timeout_ms, r1_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(p->rk, timeout_ms);
    return code ? r1_stream_fail(code, "waiting for the broker to take what was sent", err) : R1_OK;
}

uint64_t r1_producer_delivered(const r1_producer *p) { return atomic_load(&p->delivered); }
uint64_t r1_producer_failed(const r1_producer *p) { return atomic_load(&p->failed); }
