/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - what consumer and producer share: configuration, the log and error callbacks,
 * topics. */
#include "stream/stream_internal.h"

#include <stdlib.h>
#include <string.h>

r1_status r1_stream_fail(rd_kafka_resp_err_t code, const char *doing, r1_err *err)
{
    bool retriable = code == RD_KAFKA_RESP_ERR__TRANSPORT ||
                     code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
                     code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__RESOLVE ||
                     code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
                     code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__, "%s: %s", doing, rd_kafka_err2str(code));
    if (err) err->retriable = retriable;
    return R1_E_STREAM;
}

static bool stream_secret(const char *key)
{
    static const char *const pieces[] = {"password", "secret", "key.pem", "jaas"};
    for (size_t i = 0; i < R1_COUNT(pieces); i++)
        if (strstr(key, pieces[i])) return true;
    return false;
}

/* A secret value stays out of the message, and so do librdkafka's words, which may quote it. */
r1_status r1_stream_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value, r1_err *err)
{
    char why[256];
    if (rd_kafka_conf_set(conf, key, value, why, sizeof why) == RD_KAFKA_CONF_OK) return R1_OK;
    if (stream_secret(key)) R1_FAIL(err, R1_E_INVAL, "librdkafka refuses the value of %s", key);
    R1_FAIL(err, R1_E_INVAL, "librdkafka refuses %s = %s: %.*s", key, value,
            (int)strcspn(why, "\n"), why);
}

/* librdkafka repeats itself while a broker is away; its lines are for debugging, ours tell the
 * operator. */
static void on_log(const rd_kafka_t *rk, int level, const char *fac, const char *buf)
{
    (void)rk;
    r1_log(level <= 3 ? R1_LOG_WARN : R1_LOG_DEBUG, "kafka", "fac=%s %s", fac, buf);
}

/* What opts->extra may not name, its other names at librdkafka included: what an option of its own
 * says, and what exactly-once reading and sending stand on. The latter have no option. */
static const struct {
    const char *key, *option;
} taken[] = {
    {"bootstrap.servers", "brokers"},
    {"metadata.broker.list", "brokers"},
    {"group.id", "group"},
    {"fetch.wait.max.ms", "fetch-wait"},
    {"fetch.min.bytes", "fetch-min"},
    {"linger.ms", NULL},
    {"queue.buffering.max.ms", NULL},
    {"acks", NULL},
    {"request.required.acks", NULL},
    {"enable.idempotence", NULL},
    {"enable.auto.commit", NULL},
    {"auto.commit.enable", NULL},
    {"enable.auto.offset.store", NULL},
    {"auto.offset.reset", NULL},
    {"enable.partition.eof", NULL},
    {"allow.auto.create.topics", NULL},
    {"check.crcs", NULL},
    {"queued.max.messages.kbytes", NULL},
    {"queued.min.messages", NULL},
    {"fetch.error.backoff.ms", NULL},
};

static r1_status not_taken(const char *key, r1_err *err)
{
    if (!strncmp(key, "topic.", 6)) key += 6; /* librdkafka passes over it */
    for (size_t i = 0; i < R1_COUNT(taken); i++) {
        if (strcmp(key, taken[i].key) != 0) continue;
        const char *option = taken[i].option;
        R1_FAIL(err, R1_E_INVAL, "Kafka settings: expected none that %s%s sets, found %s",
                option ? "the option --" : "the program itself", option ? option : "", key);
    }
    return R1_OK;
}

static r1_status apply_extra(rd_kafka_conf_t *conf, const char *extra, r1_err *err)
{
    char *copy = strdup(extra), *save = NULL;
    if (!copy) R1_FAIL(err, R1_E_NOMEM, "no memory for Kafka settings");
    r1_status st = R1_OK;
    bool secret = false; /* what follows may be a piece of one with blanks */
    for (char *p = strtok_r(copy, " \t", &save); p && st == R1_OK;
         p = strtok_r(NULL, " \t", &save)) {
        char *eq = strchr(p, '=');
        if (!eq) {
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "Kafka settings: expected key=value, found \"%s\"", secret ? "***" : p);
            break;
        }
        *eq = 0;
        secret |= stream_secret(p);
        st = not_taken(p, err);
        if (st == R1_OK) st = r1_stream_conf_set(conf, p, eq + 1, err);
    }
    free(copy);
    return st;
}

r1_status r1_topic_check(const char *name, r1_err *err)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(name);
    if (len >= 1 && len <= 249 && strspn(name, legal) == len && strcmp(name, ".") != 0 &&
        strcmp(name, "..") != 0)
        return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "expected a topic of 1 to 249 letters, digits, '.', '_' and '-', found \"%.80s\"",
            name);
}

/* "host:port" or "host"; librdkafka itself would ask a resolver first. */
static bool is_broker(const char *s, size_t len)
{
    size_t at = len;
    while (at && s[at - 1] != ':' && s[at - 1] != ']') at--;
    if (!len || strcspn(s, " \t\"'") < len) return false;
    if (!at || s[at - 1] == ']') return true; /* no port */
    return at > 1 && at < len && len - at <= 5 && strspn(s + at, "0123456789") >= len - at &&
           strtol(s + at, NULL, 10) >= 1 && strtol(s + at, NULL, 10) <= 65535;
}

static r1_status brokers_check(const char *brokers, r1_err *err)
{
    for (const char *p = brokers;; p++) {
        size_t len = strcspn(p, ",");
        if (!is_broker(p, len))
            R1_FAIL(err, R1_E_INVAL, "brokers: expected host:port,host:port, found \"%.80s\"",
                    brokers);
        p += len;
        if (!*p) return R1_OK;
    }
}

rd_kafka_conf_t *r1_stream_conf(const r1_stream_opts *opts, r1_err *err)
{
    if (brokers_check(opts->brokers, err) != R1_OK) return NULL;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, on_log);
    r1_status st =
        r1_stream_conf_set(conf, "client.id", opts->client_id ? opts->client_id : "r1", err);
    if (st == R1_OK) st = r1_stream_conf_set(conf, "reconnect.backoff.max.ms", "500", err);
    if (st == R1_OK) st = r1_stream_conf_set(conf, "log.connection.close", "false", err);
    /* A request behind a fetch that waits would stay here until the broker's delayed ACK, 40 ms. */
    if (st == R1_OK) st = r1_stream_conf_set(conf, "socket.nagle.disable", "true", err);
    if (st == R1_OK && opts->extra) st = apply_extra(conf, opts->extra, err);
    for (size_t i = 0; st == R1_OK && i < opts->n_setting; i++) {
        st = not_taken(opts->setting[i].name, err);
        if (st == R1_OK)
            st = r1_stream_conf_set(conf, opts->setting[i].name, opts->setting[i].value, err);
    }
    if (st == R1_OK) return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

r1_status r1_stream_conf_rows(rd_kafka_conf_t **conf, const char *const (*rows)[2], size_t n,
                              r1_err *err)
{
    for (size_t i = 0; i < n; i++) {
        r1_status st = r1_stream_conf_set(*conf, rows[i][0], rows[i][1], err);
        if (st == R1_OK) continue;
        rd_kafka_conf_destroy(*conf);
        *conf = NULL;
        return st;
    }
    return R1_OK;
}

r1_status r1_stream_client(rd_kafka_t **out, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                           const char *brokers, r1_err *err)
{
    char why[256] = "";
    r1_status st = brokers ? r1_stream_conf_set(conf, "bootstrap.servers", brokers, err) : R1_OK;
    if (st == R1_OK && (*out = rd_kafka_new(type, conf, why, sizeof why))) return R1_OK;
    rd_kafka_conf_destroy(conf);
    if (st != R1_OK) return st;
    bool setting = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__INVALID_ARG;
    R1_FAIL(err, setting ? R1_E_INVAL : R1_E_STREAM, "Kafka %s: %.*s",
            type == RD_KAFKA_CONSUMER ? "consumer" : "producer", (int)strcspn(why, "\n"), why);
}

r1_status r1_stream_try(rd_kafka_type_t type, rd_kafka_conf_t *conf, r1_err *err)
{
    rd_kafka_t *rk;
    R1_TRY(r1_stream_client(&rk, type, conf, NULL, err));
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return R1_OK;
}

/* More partitions for a topic that has fewer. One that has as many is fine, and so is a broker that
 * cannot add any. */
static r1_status grow_on(rd_kafka_t *rk, const char *topic, int n_partition, int timeout_ms,
                         r1_err *err)
{
    char why[256];
    rd_kafka_NewPartitions_t *np =
        rd_kafka_NewPartitions_new(topic, (size_t)n_partition, why, sizeof why);
    if (!np) R1_FAIL(err, R1_E_INVAL, "topic %s: %s", topic, why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_CreatePartitions(rk, &np, 1, NULL, queue);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(queue, timeout_ms);
    if (ev) rd_kafka_event_destroy(ev);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewPartitions_destroy(np);
    return R1_OK;
}

static r1_status create_on(rd_kafka_t *rk, const char *topic, int n_partition, int timeout_ms,
                           r1_err *err)
{
    char why[256];
    rd_kafka_NewTopic_t *nt = rd_kafka_NewTopic_new(topic, n_partition, -1, why, sizeof why);
    if (!nt) R1_FAIL(err, R1_E_INVAL, "topic %s: %s", topic, why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_CreateTopics(rk, &nt, 1, NULL, queue);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(queue, timeout_ms);
    const rd_kafka_CreateTopics_result_t *res = ev ? rd_kafka_event_CreateTopics_result(ev) : NULL;
    rd_kafka_resp_err_t code = !ev ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(ev);
    if (res && !code) {
        size_t n;
        const rd_kafka_topic_result_t **t = rd_kafka_CreateTopics_result_topics(res, &n);
        if (n) code = rd_kafka_topic_result_error(t[0]);
    }
    if (ev) rd_kafka_event_destroy(ev);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(nt);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return R1_OK;
    if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return grow_on(rk, topic, n_partition, timeout_ms, err);
    return r1_stream_fail(code, "creating the topic", err);
}

/* Whether orders about topics may be given: not where the cluster names a controller that is none
 * of its brokers, as the embedded one does, since librdkafka would wait for it. */
static r1_status find_controller(rd_kafka_t *rk, bool *found, int timeout_ms, r1_err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, NULL, &md, timeout_ms);
    if (code) return r1_stream_fail(code, "asking the broker for its controller", err);
    int32_t id = rd_kafka_controllerid(rk, 0); /* that answer named it */
    *found = id < 0;                           /* none yet: librdkafka waits until there is one */
    for (int i = 0; i < md->broker_cnt; i++) *found |= md->brokers[i].id == id;
    rd_kafka_metadata_destroy(md);
    return R1_OK;
}

/* For a broker without a controller, which takes no orders about topics: it makes a topic when it
 * is asked about it, with a number of partitions of its own. */
static r1_status create_by_asking(rd_kafka_t *rk, const char *topic, int n_partition,
                                  int timeout_ms, r1_err *err)
{
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code =
        t ? rd_kafka_metadata(rk, 0, t, &md, timeout_ms) : rd_kafka_last_error();
    int found = 0;
    if (!code && md->topic_cnt == 1) {
        code = md->topics[0].err;
        found = md->topics[0].partition_cnt;
    }
    if (md) rd_kafka_metadata_destroy(md);
    if (t) rd_kafka_topic_destroy(t);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) /* it makes none by itself */
        return create_on(rk, topic, n_partition, timeout_ms, err);
    if (code) return r1_stream_fail(code, "creating the topic", err);
    if (found < n_partition)
        r1_log(R1_LOG_WARN, "kafka",
               "topic %s: expected %d partitions, found %d: this broker chooses their number "
               "(r1-broker serve: --topics, --partitions)",
               topic, n_partition, found);
    return R1_OK;
}

r1_status r1_topic_create(const r1_stream_opts *opts, const char *topic, int n_partition,
                          int timeout_ms, r1_err *err)
{
    rd_kafka_conf_t *conf = r1_stream_conf(opts, err);
    if (!conf) return R1_E_INVAL;
    rd_kafka_t *rk;
    R1_TRY(r1_stream_client(&rk, RD_KAFKA_PRODUCER, conf, opts->brokers, err));
    int64_t until = r1_mono_us() + (int64_t)timeout_ms * 1000;
    bool controlled = false;
    r1_status st = find_controller(rk, &controlled, timeout_ms, err);
    int left_ms = (int)((until - r1_mono_us()) / 1000);
    if (left_ms < 1) left_ms = 1;
    if (st == R1_OK)
        st = (controlled ? create_on : create_by_asking)(rk, topic, n_partition, left_ms, err);
    rd_kafka_destroy(rk);
    return st;
}
