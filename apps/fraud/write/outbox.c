/* SPDX-License-Identifier: GPL-3.0-or-later */
/* outbox.c - a ring of messages on their way, and one row of functions per kind of outbox. */
#include "write/outbox.h"
#include "r1_assert.h"
#include "text/quote.h"
#include "write/letter.h"
#include "write/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCKS_US INT64_C(3600000000) /* by which the clocks of several processes may differ */
enum { AT_BYTES = 48, MOVE_EVERY_US = 200000, READ_MAX = 500, LOOK_EVERY_US = 1000000 };

/* One message on its way. */
typedef struct {
    int64_t seq; /* apply_seq, or the letter's id */
    int64_t written_us;
    char at[AT_BYTES]; /* written_at as PostgreSQL prints it */
    r1_ack ack;
} outbox_place;

struct fraud_outbox {
    fraud_outbox_opts o;
    char cluster[64], owner[96];
    outbox_place ring[FRAUD_OUTBOX_WINDOW];
    size_t head, n;
    bool taken, moved;         /* moved: the cursor in the database is behind `next` */
    int64_t next, send, epoch; /* first that is not acknowledged, first that is not sent */
    char next_at[AT_BYTES], send_at[AT_BYTES];
    int64_t moved_us, looked_us; /* monotonic */
    uint64_t seen_dead;          /* letters that were committed when it looked last */
    fraud_outbox_stats stats;
    char ids[FRAUD_OUTBOX_WINDOW * 21 + 3]; /* of letters that were acknowledged: "{1,2" */
};

static const char *const kind_names[FRAUD_N_OUTBOX] = {"decision", "dead_letter"};

r1_status fraud_outbox_new(fraud_outbox **out, const fraud_outbox_opts *opts, r1_err *err)
{
    fraud_outbox *o = calloc(1, sizeof *o);
    if (!o) R1_FAIL(err, R1_E_NOMEM, "no memory for an outbox");
    o->o = *opts;
    snprintf(o->cluster, sizeof o->cluster, "%s", opts->cluster);
    snprintf(o->owner, sizeof o->owner, "%s", opts->owner);
    *out = o;
    return R1_OK;
}

void fraud_outbox_free(fraud_outbox *o) { free(o); }

static outbox_place *outbox_at(fraud_outbox *o, size_t i)
{
    return &o->ring[(o->head + i) % FRAUD_OUTBOX_WINDOW];
}

/* ---- the cursor ---- */

r1_status fraud_outbox_take(fraud_outbox *o, r1_store *s, r1_err *err)
{
    const char *param[] = {o->cluster, kind_names[o->o.kind], o->o.topic, o->owner};
    r1_rows *rows;
    R1_TRY(r1_store_query(
        s, "SELECT next_seq, from_at, epoch FROM r1.take_outbox($1, 'fraud', $2, $3, $4)", 4, param,
        &rows, err));
    o->next = o->send = r1_rows_int(rows, 0, 0);
    snprintf(o->next_at, AT_BYTES, "%s", r1_rows_text(rows, 0, 1));
    memcpy(o->send_at, o->next_at, AT_BYTES);
    o->epoch = r1_rows_int(rows, 0, 2);
    r1_rows_free(rows);
    o->taken = true;
    return R1_OK;
}

r1_status fraud_outbox_ensure(fraud_outbox *o, r1_store *s, r1_err *err)
{
    const char *param[] = {o->cluster, kind_names[o->o.kind], o->o.topic};
    return r1_store_query(
        s,
        "INSERT INTO r1.outbox (cluster_id, app, kind, topic, next_seq, from_at, epoch, owner) "
        "SELECT $1, 'fraud', $2, $3, CASE $2 WHEN 'decision' THEN coalesce((SELECT apply_seq FROM "
        "r1.payment ORDER BY apply_seq DESC LIMIT 1), 0) ELSE coalesce((SELECT max(id) FROM "
        "r1.dead_letter), 0) END + 1, now() - interval '1 day', 0, '' ON CONFLICT DO NOTHING",
        R1_COUNT(param), param, NULL, err);
}

r1_status fraud_outbox_fence(r1_store *s, const char *owner, int64_t *sent_seq, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(s,
                          "WITH held AS (UPDATE r1.outbox SET epoch = epoch + 1, owner = $1, "
                          "updated_at = now() WHERE app = 'fraud' AND kind = 'decision' RETURNING "
                          "next_seq) SELECT coalesce(max(next_seq), 1) - 1 FROM held",
                          1, &owner, &rows, err));
    *sent_seq = r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    return R1_OK;
}

static r1_status outbox_settle_letters(fraud_outbox *o, r1_store *s, r1_err *err)
{
    if (!*o->ids) return R1_OK;
    char ids[sizeof o->ids + 1];
    int len = snprintf(ids, sizeof ids, "%s}", o->ids);
    R1_ASSERT(len > 0 && len < (int)sizeof ids, "%d bytes of ids", len);
    const char *param[] = {ids};
    R1_TRY(r1_store_query(s,
                          "UPDATE r1.dead_letter SET sent_at = now() WHERE id = "
                          "ANY($1::bigint[]) AND sent_at IS NULL",
                          1, param, NULL, err));
    *o->ids = 0;
    return R1_OK;
}

static r1_status outbox_move(fraud_outbox *o, r1_store *s, r1_err *err)
{
    char next[24], epoch[24];
    snprintf(next, sizeof next, "%lld", (long long)o->next);
    snprintf(epoch, sizeof epoch, "%lld", (long long)o->epoch);
    if (o->o.kind == FRAUD_OUTBOX_DEAD) R1_TRY(outbox_settle_letters(o, s, err));
    const char *param[] = {o->cluster, kind_names[o->o.kind], o->o.topic, next, o->next_at, epoch};
    R1_TRY(r1_store_query(s,
                          "SELECT r1.move_outbox($1, 'fraud', $2, $3, $4::bigint, "
                          "$5::timestamptz, $6::bigint)",
                          6, param, NULL, err));
    o->moved = false;
    o->moved_us = r1_mono_us();
    return R1_OK;
}

/* ---- what the broker said ---- */

static r1_status outbox_refused(fraud_outbox *o, r1_store *s, const outbox_place *p,
                                const char *why, r1_err *err)
{
    o->stats.refused++;
    r1_log(R1_LOG_ERROR, "message_refused", "topic=%s kind=%s seq=%lld error=\"%s\"", o->o.topic,
           kind_names[o->o.kind], (long long)p->seq, r1_log_quote(why).text);
    if (o->o.kind != FRAUD_OUTBOX_DEAD) return R1_OK;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)p->seq);
    const char *param[] = {id, why};
    return r1_store_query(s, "UPDATE r1.dead_letter SET send_error = $2 WHERE id = $1::bigint", 2,
                          param, NULL, err);
}

static void outbox_pop(fraud_outbox *o)
{
    outbox_place *p = outbox_at(o, 0);
    if (o->o.kind == FRAUD_OUTBOX_DEAD && p->ack == R1_ACK_DONE) {
        size_t len = strlen(o->ids);
        snprintf(o->ids + len, sizeof o->ids - len, "%c%lld", len ? ',' : '{', (long long)p->seq);
    }
    if (p->ack == R1_ACK_DONE) o->stats.acked++;
    if (p->seq >= o->next) o->next = p->seq + 1;
    memcpy(o->next_at, p->at, AT_BYTES);
    o->head = (o->head + 1) % FRAUD_OUTBOX_WINDOW;
    o->n--;
    o->moved = true;
}

static bool outbox_all_answered(fraud_outbox *o)
{
    for (size_t i = 0; i < o->n; i++)
        if (outbox_at(o, i)->ack == R1_ACK_WAITS) return false;
    return true;
}

/* Passes what is acknowledged, from the front. After a failure nothing more is sent until each
 * message on its way has its answer; then all from the failed one on go again. */
static r1_status outbox_hear(fraud_outbox *o, r1_store *s, r1_err *err)
{
    r1_producer_poll(o->o.producer);
    while (o->n && outbox_at(o, 0)->ack != R1_ACK_WAITS && outbox_at(o, 0)->ack != R1_ACK_FAILED) {
        R1_ASSERT(o->n <= FRAUD_OUTBOX_WINDOW, "%zu messages on their way", o->n);
        const outbox_place *p = outbox_at(o, 0);
        if (p->ack == R1_ACK_REFUSED)
            R1_TRY(outbox_refused(o, s, p, "the broker refuses it: too large", err));
        if (strlen(o->ids) + 24 > sizeof o->ids) R1_TRY(outbox_settle_letters(o, s, err));
        outbox_pop(o);
    }
    if (!o->n || outbox_at(o, 0)->ack != R1_ACK_FAILED) return R1_OK;
    if (!outbox_all_answered(o)) return R1_OK;
    o->stats.failed += o->n;
    o->send = o->next;
    memcpy(o->send_at, o->next_at, AT_BYTES);
    o->head = o->n = 0;
    r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__, "topic %s: the broker did not take a message",
               o->o.topic);
    if (err) err->retriable = true;
    return R1_E_STREAM;
}

static bool outbox_has_failed(fraud_outbox *o)
{
    return o->n && outbox_at(o, 0)->ack == R1_ACK_FAILED;
}

/* ---- sending ---- */

/* R1_E_AGAIN: the client is full, the message goes later. */
static r1_status outbox_post(fraud_outbox *o, const r1_post *post, int64_t seq, const char *at,
                             int64_t written_us, r1_err *err)
{
    outbox_place *p = outbox_at(o, o->n);
    R1_ASSERT(o->n < FRAUD_OUTBOX_WINDOW, "%zu messages on their way", o->n);
    *p = (outbox_place){.seq = seq, .written_us = written_us};
    if (o->o.shared)
        fraud_written_text(written_us - CLOCKS_US, p->at, AT_BYTES);
    else
        snprintf(p->at, AT_BYTES, "%s", at);
    r1_post mine = *post;
    mine.ack = &p->ack;
    r1_status st = r1_producer_post(o->o.producer, &mine, err);
    if (st == R1_E_INVAL)
        p->ack = R1_ACK_REFUSED; /* its turn comes with those that the broker answers */
    else
        R1_TRY(st);
    o->n++;
    o->stats.sent++;
    o->send = seq + 1;
    memcpy(o->send_at, p->at, AT_BYTES);
    return R1_OK;
}

static r1_status send_decision(fraud_outbox *o, const r1_rows *rows, size_t i, r1_err *err)
{
    int64_t seq = r1_rows_int(rows, i, 0);
    const char *key = r1_rows_text(rows, i, 2), *text = r1_rows_text(rows, i, 3);
    char id[FRAUD_MESSAGE_ID_BYTES];
    fraud_message_id(o->cluster, seq, id);
    const r1_header header[] = {{"id", id, strlen(id)},
                                {"schema", FRAUD_MESSAGE_SCHEMA, sizeof FRAUD_MESSAGE_SCHEMA - 1}};
    const r1_post post = {.topic = o->o.topic,
                          .key = key,
                          .key_len = strlen(key),
                          .payload = text,
                          .payload_len = strlen(text),
                          .header = header,
                          .n_header = R1_COUNT(header)};
    return outbox_post(o, &post, seq, r1_rows_text(rows, i, 1), r1_rows_int(rows, i, 4), err);
}

static void add_header(fraud_headers *h, const char *name, const char *value)
{
    if (h->n < R1_HEADERS_MAX) h->header[h->n++] = (r1_header){name, value, strlen(value)};
}

/* The letter as it came, its own headers first; ours say where it came from and why it is here. */
static r1_status send_letter(fraud_outbox *o, const r1_rows *rows, size_t i, r1_err *err)
{
    static const char *const names[] = {"r1.id",     "r1.topic", "r1.partition",
                                        "r1.offset", "r1.stage", "r1.reason"};
    enum { KEY = 6, PAYLOAD, HEADERS, AT, AT_US };
    const char *key = r1_rows_text(rows, i, KEY), *payload = r1_rows_text(rows, i, PAYLOAD);
    char *bytes = malloc((key ? strlen(key) : 0) + (payload ? strlen(payload) : 0) + 2);
    r1_post post = {.topic = o->o.topic};
    fraud_headers h;
    if (!bytes) R1_FAIL(err, R1_E_NOMEM, "no memory for a dead letter");
    if (key && fraud_hex_bytes(key, bytes, &post.key_len)) post.key = bytes;
    if (payload && fraud_hex_bytes(payload, bytes + post.key_len, &post.payload_len))
        post.payload = bytes + post.key_len;
    r1_status st = fraud_headers_parse(r1_rows_text(rows, i, HEADERS), &h, err);
    if (st == R1_OK) {
        for (size_t k = 0; k < R1_COUNT(names); k++)
            add_header(&h, names[k], r1_rows_text(rows, i, k));
        post.header = h.header;
        post.n_header = h.n;
        st = outbox_post(o, &post, r1_rows_int(rows, i, 0), r1_rows_text(rows, i, AT),
                         r1_rows_int(rows, i, AT_US), err);
        fraud_headers_free(&h);
    }
    free(bytes);
    return st;
}

/* ---- reading ---- */

static r1_status read_decisions(fraud_outbox *o, r1_store *s, const fraud_committed *c,
                                const char *limit, r1_rows **rows, r1_err *err)
{
    char from[24], to[24] = "9223372036854775807", to_at[AT_BYTES] = "infinity";
    snprintf(from, sizeof from, "%lld", (long long)o->send);
    if (c->last_seq) {
        snprintf(to, sizeof to, "%lld", (long long)c->last_seq);
        fraud_written_text(c->written_us, to_at, sizeof to_at);
    }
    const char *param[] = {o->cluster, from, to, o->send_at, to_at, limit};
    return r1_store_query(s, fraud_message_sql, R1_COUNT(param), param, rows, err);
}

static r1_status read_letters(fraud_outbox *o, r1_store *s, const char *limit, r1_rows **rows,
                              r1_err *err)
{
    char from[24], way[FRAUD_OUTBOX_WINDOW * 21 + 3] = "{";
    size_t len = 1;
    for (size_t i = 0; i < o->n; i++)
        len += (size_t)snprintf(way + len, sizeof way - len, "%s%lld", i ? "," : "",
                                (long long)outbox_at(o, i)->seq);
    snprintf(way + len, sizeof way - len, "}");
    snprintf(from, sizeof from, "%lld", (long long)o->next);
    const char *param[] = {from, way, limit};
    return r1_store_query(
        s,
        "SELECT id, topic, partition, kafka_offset, stage, reason, encode(key, 'hex'), "
        "encode(payload, 'hex'), headers, received_at, (extract(epoch FROM received_at) * "
        "1000000)::bigint FROM r1.dead_letter WHERE app = 'fraud' AND id >= $1::bigint AND id <> "
        "ALL ($2::bigint[]) AND sent_at IS NULL AND send_error IS NULL ORDER BY id LIMIT "
        "$3::bigint",
        R1_COUNT(param), param, rows, err);
}

static r1_status outbox_read(fraud_outbox *o, r1_store *s, const fraud_committed *c, r1_err *err)
{
    char limit[16];
    size_t room = FRAUD_OUTBOX_WINDOW - o->n;
    snprintf(limit, sizeof limit, "%zu", room < READ_MAX ? room : READ_MAX);
    r1_rows *rows;
    r1_status st = o->o.kind == FRAUD_OUTBOX_DEAD ? read_letters(o, s, limit, &rows, err)
                                                  : read_decisions(o, s, c, limit, &rows, err);
    R1_TRY(st);
    size_t n = r1_rows_count(rows);
    for (size_t i = 0; st == R1_OK && i < n; i++)
        st = o->o.kind == FRAUD_OUTBOX_DEAD ? send_letter(o, rows, i, err)
                                            : send_decision(o, rows, i, err);
    r1_rows_free(rows);
    if (st == R1_OK && n < READ_MAX && n < room) {
        o->looked_us = r1_mono_us();
        o->seen_dead = c->dead;
        if (o->o.kind == FRAUD_OUTBOX_DECISIONS && c->last_seq >= o->send)
            o->send = c->last_seq + 1;
    }
    return st == R1_E_AGAIN ? R1_OK : st;
}

/* Whether there may be something to read. */
static bool outbox_waits(const fraud_outbox *o, const fraud_committed *c)
{
    if (!o->looked_us) return true;
    if (o->o.kind == FRAUD_OUTBOX_DEAD) return c->dead != o->seen_dead;
    return c->last_seq ? c->last_seq >= o->send : r1_mono_us() - o->looked_us > LOOK_EVERY_US;
}

r1_status fraud_outbox_turn(fraud_outbox *o, r1_store *s, const fraud_committed *c, r1_err *err)
{
    R1_ASSERT(o->taken, "the outbox of %s has no owner", o->o.topic);
    R1_TRY(outbox_hear(o, s, err));
    if (!outbox_has_failed(o) && outbox_waits(o, c) && o->n < FRAUD_OUTBOX_WINDOW / 2)
        R1_TRY(outbox_read(o, s, c, err));
    if (o->moved && (!o->n || r1_mono_us() - o->moved_us > MOVE_EVERY_US))
        R1_TRY(outbox_move(o, s, err));
    return R1_OK;
}

bool fraud_outbox_in_step(const fraud_outbox *o, const fraud_committed *c)
{
    return !o->n && !o->moved && !outbox_waits(o, c);
}

void fraud_outbox_stats_read(const fraud_outbox *o, fraud_outbox_stats *out)
{
    *out = o->stats;
    out->next_seq = o->next;
    out->oldest_us = o->n ? o->ring[o->head].written_us : 0;
}
