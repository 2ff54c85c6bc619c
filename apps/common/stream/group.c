/* SPDX-License-Identifier: Apache-2.0 */
/* group.c - a subscription whose partitions are taken and paused at once. */
#include "stream/group.h"
#include "r1_assert.h"
#include "stream/stream_internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One poll may hear of several changes, as of a loss and of what is given after it. */
typedef struct heard {
    struct heard *next;
    r1_group_event event;
} heard;

struct r1_group {
    rd_kafka_t *rk;
    const char *topic[R1_TOPICS_MAX];
    int n_topic, n_given;
    heard *first, *last;                       /* what the callback saw; each poll gives one */
    rd_kafka_topic_partition_list_t *revoking; /* NULL: nothing waits for r1_group_release */
    bool closing;  /* what is taken now has no owner any more who could end it */
    bool assigned; /* some assignment has come, be it an empty one */
    /* What this member owns: a hint of anything else, or before the group has settled, is answered
     * by "unknown member", upon which librdkafka gives up what it has. */
    atomic_bool own[R1_TOPICS_MAX][R1_PARTITIONS_MAX];
    atomic_int n_own;
    r1_err failure;
};

/* ---- what the broker decides ---- */

static void group_own(r1_group *g, atomic_bool *own, bool now)
{
    bool before = atomic_exchange(own, now);
    atomic_fetch_add(&g->n_own, (int)now - (int)before);
}

static void group_note(r1_group *g, r1_group_kind kind, const rd_kafka_topic_partition_list_t *list)
{
    heard *h = malloc(sizeof *h);
    if (!h) {
        r1_err_set(&g->failure, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a change of group");
        return;
    }
    r1_group_event *e = &h->event;
    e->kind = kind;
    e->n = 0;
    for (int i = 0; i < list->cnt && e->n < R1_GROUP_PARTITIONS_MAX; i++) {
        int topic = 0;
        while (topic < g->n_topic && strcmp(g->topic[topic], list->elems[i].topic) != 0) topic++;
        if (topic == g->n_topic || list->elems[i].partition >= R1_PARTITIONS_MAX) continue;
        group_own(g, &g->own[topic][list->elems[i].partition], kind == R1_GROUP_GIVEN);
        e->at[e->n].topic = topic;
        e->at[e->n++].partition = list->elems[i].partition;
    }
    h->next = NULL;
    if (g->last)
        g->last->next = h;
    else
        g->first = h;
    g->last = h;
}

static bool group_heard(r1_group *g, r1_group_event *out)
{
    heard *h = g->first;
    if (!h) return false;
    *out = h->event;
    g->first = h->next;
    if (!g->first) g->last = NULL;
    free(h);
    return true;
}

static void group_checked(r1_group *g, rd_kafka_error_t *bad)
{
    if (!bad) return;
    r1_stream_fail(rd_kafka_error_code(bad), "taking part in the consumer group", &g->failure);
    rd_kafka_error_destroy(bad);
}

/* Taken at their ends and paused, so that nothing is fetched. */
static void group_given(r1_group *g, rd_kafka_topic_partition_list_t *list)
{
    group_note(g, R1_GROUP_GIVEN, list);
    for (int i = 0; i < list->cnt; i++) list->elems[i].offset = RD_KAFKA_OFFSET_END;
    group_checked(g, rd_kafka_incremental_assign(g->rk, list));
    rd_kafka_pause_partitions(g->rk, list);
}

static void group_taken(r1_group *g, rd_kafka_topic_partition_list_t *list)
{
    bool lost = rd_kafka_assignment_lost(g->rk);
    if (lost || g->closing) {
        group_note(g, R1_GROUP_LOST, list);
        group_checked(g, rd_kafka_incremental_unassign(g->rk, list));
        return;
    }
    group_note(g, R1_GROUP_TAKEN, list);
    R1_ASSERT(!g->revoking, "partitions are taken while %d others wait", g->revoking->cnt);
    g->revoking = rd_kafka_topic_partition_list_copy(list);
}

/* @locality the thread that polls */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    r1_group *g = opaque;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        g->assigned = true;
        group_given(g, list);
    } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        group_taken(g, list);
    } else {
        r1_stream_fail(code, "rebalancing the consumer group", &g->failure);
        rd_kafka_assign(rk, NULL);
    }
}

/* ---- life ---- */

static r1_status group_conf(const r1_stream_opts *opts, int session_ms, rd_kafka_conf_t **out,
                            r1_err *err)
{
    char session[16], beat[16];
    rd_kafka_conf_t *conf = r1_stream_conf(opts, err);
    if (!conf) return R1_E_INVAL;
    snprintf(session, sizeof session, "%d", session_ms);
    snprintf(beat, sizeof beat, "%d", session_ms / 6 > 100 ? session_ms / 6 : 100);
    const char *const rows[][2] = {{"group.id", opts->group},
                                   {"partition.assignment.strategy", "cooperative-sticky"},
                                   {"session.timeout.ms", session},
                                   {"heartbeat.interval.ms", beat},
                                   {"topic.metadata.refresh.interval.ms", "3000"},
                                   {"enable.auto.commit", "false"},
                                   {"enable.auto.offset.store", "false"},
                                   {"auto.offset.reset", "latest"},
                                   {"allow.auto.create.topics", "false"},
                                   {"queued.max.messages.kbytes", "64"}};
    *out = conf;
    return r1_stream_conf_rows(out, rows, R1_COUNT(rows), err);
}

static r1_status group_subscribe(r1_group *g, r1_err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(g->n_given);
    for (int t = 0; t < g->n_given; t++)
        rd_kafka_topic_partition_list_add(list, g->topic[t], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(g->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? r1_stream_fail(code, "joining the consumer group", err) : R1_OK;
}

r1_status r1_group_new(r1_group **out, const r1_stream_opts *opts, const char *const *topic,
                       int n_topic, int n_given, int session_ms, r1_err *err)
{
    R1_ASSERT(n_given >= 1 && n_given <= n_topic && n_topic <= R1_TOPICS_MAX, "%d of %d topics",
              n_given, n_topic);
    *out = NULL;
    rd_kafka_conf_t *conf;
    r1_group *g = calloc(1, sizeof *g);
    if (!g) R1_FAIL(err, R1_E_NOMEM, "no memory for a consumer group");
    g->n_topic = n_topic;
    g->n_given = n_given;
    for (int t = 0; t < n_topic; t++) g->topic[t] = topic[t];
    r1_status st = group_conf(opts, session_ms, &conf, err);
    if (st == R1_OK) {
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
        rd_kafka_conf_set_opaque(conf, g);
        st = r1_stream_client(&g->rk, RD_KAFKA_CONSUMER, conf, opts->brokers, err);
    }
    if (st == R1_OK) {
        rd_kafka_poll_set_consumer(g->rk);
        st = group_subscribe(g, err);
    }
    if (st == R1_OK)
        *out = g;
    else
        r1_group_free(g);
    return st;
}

/* librdkafka before 2.3 aborts where a member of a cooperative group is destroyed before its first
 * assignment (its issue 4312). Such a member leaves the group, and its client stays until the
 * process ends: its callbacks find nothing of ours, as nobody polls it. */
void r1_group_free(r1_group *g)
{
    if (!g) return;
    r1_group_release(g);
    g->closing = true;
    if (g->rk) {
        rd_kafka_consumer_close(g->rk);
        if (g->assigned || rd_kafka_version() >= 0x02030000) rd_kafka_destroy(g->rk);
    }
    while (g->first) {
        heard *h = g->first;
        g->first = h->next;
        free(h);
    }
    free(g);
}

/* ---- polling ---- */

/* An error that the broker will repeat for ever. */
static r1_status group_refused(rd_kafka_resp_err_t code, const char *text, r1_err *err)
{
    if (code == RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT)
        R1_FAIL(err, R1_E_INVAL,
                "expected a broker that takes the session time-out, found that it refuses it: "
                "group.min.session.timeout.ms of the brokers is higher (%.100s)",
                text);
    return r1_stream_fail(code, "in the consumer group", err);
}

r1_status r1_group_poll(r1_group *g, int timeout_ms, r1_group_event *out, r1_err *err)
{
    out->kind = R1_GROUP_NOTHING;
    rd_kafka_message_t *m = rd_kafka_consumer_poll(g->rk, g->first ? 0 : timeout_ms);
    r1_status st = R1_OK;
    if (m && m->err && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        st = group_refused(m->err, rd_kafka_message_errstr(m), err);
    if (m) rd_kafka_message_destroy(m);
    if (group_heard(g, out)) return R1_OK;
    if (st == R1_OK && g->failure.code) {
        st = g->failure.code;
        *err = g->failure;
        r1_err_clear(&g->failure);
    }
    return st;
}

void r1_group_release(r1_group *g)
{
    if (!g->revoking) return;
    group_checked(g, rd_kafka_incremental_unassign(g->rk, g->revoking));
    rd_kafka_topic_partition_list_destroy(g->revoking);
    g->revoking = NULL;
}

void r1_group_hint_all(r1_group *g, int topic, const int64_t *next_offset, int32_t n)
{
    R1_ASSERT(topic >= 0 && topic < g->n_topic, "topic %d of %d", topic, g->n_topic);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int32_t p = 0; p < n; p++)
        if (next_offset[p] &&
            (topic < g->n_given ? atomic_load(&g->own[topic][p]) : atomic_load(&g->n_own) > 0))
            rd_kafka_topic_partition_list_add(list, g->topic[topic], p)->offset = next_offset[p];
    if (list->cnt) rd_kafka_commit(g->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}
