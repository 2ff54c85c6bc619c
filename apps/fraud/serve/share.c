/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.c - see share.h. */
#include "serve/share_internal.h"

#include "r1_assert.h"
#include "serve/share_settings.h"
#include "write/log_owner.h"
#include "write/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEASE_MS = 2500, SAVED_VERSION = 1 };

/* ---- start ---- */

static void genesis_of(const server *s, fraud_genesis *g)
{
    g->live = s->guard.live;
    g->n_leap = s->guard.n_leap;
    g->n_good = s->guard.n_good;
    g->leap_ms = s->guard.leap_ms;
    g->log_epoch = s->ledger.log_epoch;
    snprintf(g->made, sizeof g->made, "%s", s->log.log_id);
    snprintf(g->cluster, sizeof g->cluster, "%s", s->ledger.cluster);
    snprintf(g->payments, sizeof g->payments, "%s", s->parts.topic[0]);
    snprintf(g->labels, sizeof g->labels, "%s", s->parts.topic[1] ? s->parts.topic[1] : "");
}

/* Whoever opens the topic fences the log's owner first; what it wrote is then the beginning. */
static r1_status share_genesis(void *ctx, fraud_genesis *g, r1_err *err)
{
    server *s = ctx;
    r1_rows *rows;
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++) {
        if (!s->parts.topic[t]) continue;
        R1_TRY(fraud_ledger_known_cluster(&s->ledger, s->store, s->parts.topic[t], err));
    }
    R1_TRY(fraud_log_take(&s->ledger, s->store, s->parts.topic, err));
    R1_TRY(fraud_outbox_fence(s->store, s->ledger.owner, &s->sent_seq, err));
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++) {
        if (!s->parts.topic[t]) continue;
        R1_TRY(fraud_ledger_take(&s->ledger, s->store, (fraud_topic)t, s->parts.topic[t],
                                 s->n_partition[t], err));
        g->n_partition[t] = s->n_partition[t];
        for (int32_t p = 0; p < g->n_partition[t]; p++)
            g->next[t][p] = s->ledger.claim[t][p].next_offset;
    }
    R1_TRY(
        fraud_ledger_take(&s->ledger, s->store, FRAUD_TOPIC_HTTP, FRAUD_HTTP_TOPIC_NAME, 1, err));
    R1_TRY(r1_store_query(s->store,
                          "SELECT greatest((SELECT max(apply_seq) FROM r1.payment), "
                          "(SELECT max(apply_seq) FROM r1.label))",
                          0, NULL, &rows, err));
    int64_t last_row = r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    R1_TRY(fraud_serve_last_number(s, last_row, &g->last_seq, err));
    R1_TRY(fraud_serve_resume_guard(s, err));
    genesis_of(s, g);
    return R1_OK;
}

/* The ledger of one that owns nothing yet. */
static r1_status share_ledger(server *s, r1_err *err)
{
    fraud_ledger *l = &s->ledger;
    r1_rows *rows;
    l->shared = true;
    l->topic[FRAUD_TOPIC_HTTP] = NULL;
    l->n_partition[FRAUD_TOPIC_HTTP] = 0;
    memset(l->claim, 0, sizeof l->claim);
    R1_TRY(fraud_log_join(l, s->store, s->parts.topic, err));
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++) {
        if (!s->parts.topic[t]) continue;
        l->topic[t] = s->parts.topic[t];
        l->n_partition[t] = s->n_partition[t];
        const char *param[] = {l->cluster, l->topic[t]};
        R1_TRY(r1_store_query(s->store,
                              "SELECT max(incarnation) FROM r1.stream_offset WHERE cluster_id = $1 "
                              "AND app = 'fraud' AND topic = $2",
                              2, param, &rows, err));
        l->incarnation[t] = r1_rows_int(rows, 0, 0);
        r1_rows_free(rows);
    }
    return R1_OK;
}

static r1_status share_fleet(server *s, r1_err *err)
{
    const fraud_fleet_opts o = {
        .stream = s->parts.stream,
        .topic = {s->parts.topic[FRAUD_TOPIC_PAYMENTS], s->parts.topic[FRAUD_TOPIC_LABELS]},
        .events = r1_options_str(s->o, "events-topic"),
        .cluster = s->ledger.cluster,
        .owner = s->ledger.owner,
        .conninfo = s->parts.conninfo,
        .made = s->log.log_id,
        .session_ms = (int)r1_options_int(s->o, "group-session"),
        .lease_ms = LEASE_MS,
        .refresh_ms = (int)r1_options_int(s->o, "topics-refresh") * 1000};
    return s->share->fleet ? R1_OK : fraud_fleet_new(&s->share->fleet, &o, err);
}

/* The other processes are asked before the state is restored, which may take long. */
static r1_status share_enter(server *s, r1_err *err)
{
    fraud_member *m = &s->share->member;
    snprintf(m->owner, sizeof m->owner, "%s", s->ledger.owner);
    fraud_share_settings(&s->parts, m);
    return fraud_fleet_enter(s->share->fleet, s->store, m, err);
}

r1_status fraud_share_open(server *s, r1_err *err)
{
    if (!s->share) {
        s->share = calloc(1, sizeof *s->share);
        if (!s->share) R1_FAIL(err, R1_E_NOMEM, "no memory for a shared stream");
        s->share->stats.held_bytes_max = (uint64_t)r1_options_int(s->o, "held-memory") << 20;
    }
    struct fraud_share *h = s->share;
    if (!r1_store_alive(s->store)) R1_TRY(r1_store_reopen(s->store, err));
    R1_TRY(fraud_serve_name_log(s, err));
    fraud_ending_waits(s->ending, "the broker");
    R1_TRY(share_fleet(s, err));
    if (!h->opened)
        R1_TRY(
            fraud_fleet_genesis(h->fleet, s->store, share_genesis, s, &h->genesis, &h->whole, err));
    h->opened = true;
    fraud_ending_waits(s->ending, "PostgreSQL");
    R1_TRY(share_ledger(s, err));
    if (h->whole && h->genesis.log_epoch != s->ledger.log_epoch)
        R1_FAIL(err, R1_E_INVAL,
                "events-topic %s: expected events of the log in epoch %lld, found those of epoch "
                "%lld: the log went back to one process since; begin with another topic",
                r1_options_str(s->o, "events-topic"), (long long)s->ledger.log_epoch,
                (long long)h->genesis.log_epoch);
    R1_TRY(fraud_committed_ask(s->store, s->ledger.cluster,
                               (const char *const[]){s->parts.topic[0], s->parts.topic[1]},
                               h->committed, err));
    return share_enter(s, err);
}

/* ---- snapshots ---- */

static void share_save_place(server *s)
{
    share_saved *x = &s->share->saved;
    x->version = SAVED_VERSION;
    x->spread = s->share->spread;
    if (s->share->fleet) x->place = *fraud_fleet_where(s->share->fleet);
    x->guard = s->guard;
    memcpy(x->currency, s->applied_in, sizeof x->currency);
}

static r1_status settle_share(void *ctx, r1_err *err)
{
    (void)err;
    return share_save_place(ctx), R1_OK;
}

static r1_image_array share_array(share_saved *x)
{
    return (r1_image_array){.name = "share", .data = x, .row_bytes = sizeof *x, .n = 1, .n_max = 1};
}

static r1_status share_read(r1_image_in *in, share_saved *x, r1_err *err)
{
    r1_image_array a = share_array(x);
    R1_TRY(r1_image_get_array(in, &a, 1, err));
    if (x->version != SAVED_VERSION || x->spread < 1)
        R1_FAIL(err, R1_E_FORMAT, "share: expected version %d, found %llu", SAVED_VERSION,
                (unsigned long long)x->version);
    return R1_OK;
}

static r1_status save_share(void *ctx, r1_image_out *out, r1_err *err)
{
    server *s = ctx;
    const r1_image_array a = share_array(&s->share->saved);
    return r1_image_put_array(out, &a, 1, err);
}

/* What is not committed yet must lie behind the snapshot, or nobody could decide it from here. */
static r1_status share_old_enough(const struct fraud_share *h, r1_err *err)
{
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int p = 0; p < FRAUD_EVENT_PARTITIONS; p++)
            if (h->saved.place.next[t][p] > h->committed[t][p])
                R1_FAIL(err, R1_E_NOT_FOUND,
                        "partition %d of topic %d: expected a state of offset %lld or before, up "
                        "to which it is committed, found one of %lld",
                        p, t, (long long)h->committed[t][p], (long long)h->saved.place.next[t][p]);
    return R1_OK;
}

/* The stream was shared before, by another topic of events. Where all that the snapshot holds was
 * committed before this topic began, it is as one of a process alone. */
static r1_status share_of_before(const struct fraud_share *h, r1_err *err)
{
    const fraud_fleet_place *at = &h->saved.place;
    bool before = h->whole && at->fold.number <= h->genesis.last_seq;
    for (int t = 0; before && t < FRAUD_EVENT_TOPICS; t++)
        for (int p = 0; p < FRAUD_EVENT_PARTITIONS; p++)
            before = before && at->next[t][p] <= h->genesis.next[t][p];
    if (before) return R1_OK;
    R1_FAIL(err, R1_E_NOT_FOUND,
            "it is of another topic of events and ends with number %lld, expected the end of what "
            "was committed when this one began, number %lld%s",
            (long long)at->fold.number, (long long)h->genesis.last_seq,
            h->whole ? "" : ", whose beginning was deleted");
}

static r1_status load_share(void *ctx, r1_image_in *in, r1_err *err)
{
    server *s = ctx;
    struct fraud_share *h = s->share;
    R1_TRY(share_read(in, &h->saved, err));
    memcpy(s->applied_in, h->saved.currency, sizeof s->applied_in);
    if (h->saved.place.fold.log != fraud_fleet_log(h->fleet)) return share_of_before(h, err);
    R1_TRY(share_old_enough(h, err));
    R1_TRY(fraud_fleet_reaches(h->fleet, &h->saved.place, err));
    h->placed = true;
    return R1_OK;
}

static r1_status empty_share(void *ctx, r1_err *err)
{
    server *s = ctx;
    (void)err;
    s->share->placed = false;
    memset(s->applied_in, 0, sizeof s->applied_in);
    return R1_OK;
}

fraud_snapshot_part fraud_share_part(server *s)
{
    return (fraud_snapshot_part){.name = "share",
                                 .optional = true,
                                 .ctx = s,
                                 .settle = settle_share,
                                 .save = save_share,
                                 .load = load_share,
                                 .empty = empty_share};
}

/* ---- back to one process ---- */

static r1_status save_nothing(void *ctx, r1_image_out *out, r1_err *err)
{
    (void)ctx, (void)out, (void)err;
    return R1_OK;
}

/* The state of several processes has messages that their owners may not have committed. The log
 * would bring them a second time. */
static r1_status share_all_committed(const server *s, const fraud_fleet_place *at, r1_err *err)
{
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int32_t p = 0; s->parts.topic[t] && p < FRAUD_EVENT_PARTITIONS; p++) {
            int64_t next = p < s->ledger.n_partition[t] ? s->ledger.claim[t][p].next_offset : 0;
            if (at->next[t][p] > next)
                R1_FAIL(err, R1_E_NOT_FOUND,
                        "it is of several processes, and holds messages of partition %d of %s up "
                        "to offset %lld, of which those from %lld on were never committed",
                        p, s->parts.topic[t], (long long)at->next[t][p], (long long)next);
        }
    return R1_OK;
}

static r1_status load_returned(void *ctx, r1_image_in *in, r1_err *err)
{
    server *s = ctx;
    share_saved *x = calloc(1, sizeof *x);
    if (!x) R1_FAIL(err, R1_E_NOMEM, "no memory for a place in events");
    r1_status st = share_read(in, x, err);
    if (st == R1_OK) st = share_all_committed(s, &x->place, err);
    if (st == R1_OK) memcpy(s->applied_in, x->currency, sizeof s->applied_in);
    free(x);
    return st;
}

static r1_status empty_returned(void *ctx, r1_err *err)
{
    server *s = ctx;
    (void)err;
    memset(s->applied_in, 0, sizeof s->applied_in);
    return R1_OK;
}

fraud_snapshot_part fraud_share_part_alone(server *s)
{
    return (fraud_snapshot_part){.name = "share",
                                 .optional = true,
                                 .ctx = s,
                                 .save = save_nothing,
                                 .load = load_returned,
                                 .empty = empty_returned};
}

int64_t fraud_share_base(const server *s)
{
    return s->share->whole ? s->share->genesis.last_seq : 0;
}
bool fraud_share_placed(const server *s) { return s->share->placed; }

r1_status fraud_share_begin(server *s, r1_err *err)
{
    struct fraud_share *h = s->share;
    s->guard = (fraud_time_guard){.band = s->parts.arrival.band,
                                  .live = h->genesis.live,
                                  .n_leap = h->genesis.n_leap,
                                  .leap_ms = h->genesis.leap_ms,
                                  .n_good = h->genesis.n_good};
    h->spread = h->whole ? h->genesis.n_partition[0] : h->saved.spread;
    if (h->placed) {
        s->guard = h->saved.guard;
        s->guard.band = s->parts.arrival.band;
    } else if (!h->whole) {
        R1_FAIL(err, R1_E_NOT_FOUND,
                "events-topic: expected its beginning, or a snapshot that it reaches back to, "
                "found neither: copy the snapshot folder of another process, and keep events for "
                "longer (retention.ms)");
    }
    R1_TRY(fraud_fleet_begin(h->fleet, h->placed ? &h->saved.place : NULL, err));
    const fraud_fleet_place *at = fraud_fleet_where(h->fleet);
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int p = 0; p < FRAUD_EVENT_PARTITIONS; p++) h->of[t][p].held_from = at->next[t][p];
    s->last_seq = at->fold.number;
    return R1_OK;
}

/* ---- what is held ---- */

static void held_free(server *s, held *x)
{
    s->share->stats.held--;
    s->share->stats.held_bytes -= x->bytes;
    if (x->slot) fraud_slot_release(s->parts.engine, x->slot);
    fraud_record_empty(&x->r);
    free(x);
}

static held *held_pop(share_partition *of)
{
    held *x = of->head;
    of->head = x->next;
    if (!of->head) of->tail = NULL;
    return x;
}

void fraud_held_prune(server *s, share_partition *of, int64_t below)
{
    while (of->head && of->head->r.message.offset < below) held_free(s, held_pop(of));
}

static void held_dropped(server *s, share_partition *of, int64_t offset)
{
    fraud_share_stats *c = &s->share->stats;
    of->held_from = offset + 1;
    if (!c->held_dropped++)
        r1_log(R1_LOG_WARN, "held_full",
               "bytes=%llu records=%llu expected=\"owners that commit\" further ones are counted "
               "only; see held-memory",
               (unsigned long long)c->held_bytes, (unsigned long long)c->held);
}

/* Moves the record, and its slot, out of the queue's pool. */
static void held_put(server *s, share_partition *of, fraud_record *r, fraud_slot *slot)
{
    fraud_share_stats *c = &s->share->stats;
    size_t bytes = sizeof(held) + r->message.payload_len + r->message.key_len;
    if (slot) bytes += fraud_slot_kept_bytes(slot);
    held *x = c->held_bytes + bytes <= c->held_bytes_max ? malloc(sizeof *x) : NULL;
    fraud_slot *kept = x && slot ? fraud_slot_keep(s->parts.engine, slot) : NULL;
    if (!x || (slot && !kept)) {
        if (slot) fraud_slot_release(s->parts.engine, slot);
        held_dropped(s, of, r->message.offset);
        free(x);
        fraud_queue_put_back(s->parts.queue, r);
        return;
    }
    *x = (held){.bytes = bytes, .slot = kept};
    fraud_record_move(&x->r, r);
    fraud_queue_put_back(s->parts.queue, r);
    if (of->tail)
        of->tail->next = x;
    else
        of->head = x;
    of->tail = x;
    c->held++;
    c->held_bytes += bytes;
}

/* ---- one event ---- */

/* The sequencer left the message out: no broker would take it as an event. */
static void share_cut(server *s, batch *b, fraud_record *r, const fraud_event *e)
{
    r1_err why = {0};
    fraud_record_stamp(r, FRAUD_CLOCK_READ);
    r->topic = (fraud_topic)e->topic;
    b->record[b->n++] = r;
    s->last_message_us = r1_mono_us();
    r1_err_set(&why, R1_E_FORMAT, __FILE__, __LINE__,
               "message: expected one that the topic of events takes (its max.message.bytes, at "
               "most %d), found %u bytes of key, payload and headers: they are left in the topic",
               FRAUD_EVENT_BODY_MAX, e->cut);
    fraud_record_refuse(r, FRAUD_STAGE_DECODE, &why);
}

static r1_status share_apply(server *s, batch *b, fraud_record *r, const fraud_event *e,
                             r1_err *err)
{
    r1_status st = R1_OK;
    s->machine_ms = e->machine_ms;
    s->last_seq = e->number - 1;
    if (e->cut)
        share_cut(s, b, r, e);
    else
        st = fraud_serve_accept(s, b, r, (fraud_topic)e->topic, err);
    s->last_seq = e->number;
    if (r->kind == FRAUD_RECORD_PAYMENT && r->applied)
        fraud_fleet_merged(s->share->fleet, fraud_arrival_ms(&s->parts.arrival.band, r->payment.ts,
                                                             r->message.broker_ms, e->machine_ms));
    r->guard.known = false; /* it stands in snapshots: several writers have no order */
    return st;
}

/* Partitions of labels that were added are owned like all others, and those between them. */
static void share_added(server *s, const fraud_event *e)
{
    struct fraud_share *h = s->share;
    int32_t first = s->ledger.n_partition[e->topic];
    if (e->partition < first) return;
    s->ledger.n_partition[e->topic] = e->partition + 1;
    for (int32_t p = first; e->topic == FRAUD_TOPIC_LABELS && p <= e->partition; p++)
        if (h->of[FRAUD_TOPIC_PAYMENTS][p % h->spread].ours)
            h->of[FRAUD_TOPIC_LABELS][p].grouped = h->of[FRAUD_TOPIC_LABELS][p].given = h->claims =
                true;
}

static r1_status share_event(server *s, batch *b, fraud_record *r, const fraud_event *e,
                             r1_err *err)
{
    struct fraud_share *h = s->share;
    share_partition *of = &h->of[e->topic][e->partition];
    share_added(s, e);
    bool decided =
        of->ours ? e->offset < of->decide_from : e->offset < h->committed[e->topic][e->partition];
    bool direct = of->ours && !decided && !of->head;
    size_t n_slot = b->n_slot;
    s->no_slot = decided;
    fraud_engine_keeps(s->parts.engine, !direct);
    R1_TRY(share_apply(s, b, r, e, err));
    if (direct) return of->pushed = e->offset + 1, R1_OK;
    b->n--;
    fraud_slot *slot = b->n_slot > n_slot ? b->slot[--b->n_slot] : NULL;
    if (decided) {
        R1_ASSERT(!slot, "event %lld is committed and has a slot", (long long)e->number);
        fraud_queue_put_back(s->parts.queue, r);
        of->held_from = e->offset + 1;
    } else {
        held_put(s, of, r, slot);
    }
    return R1_OK;
}

/* The next record of ours that was held; false: none is. */
static bool share_drain(server *s, batch *b, r1_status *st)
{
    struct fraud_share *h = s->share;
    for (int t = 0; h->n_waits && t < FRAUD_EVENT_TOPICS; t++)
        for (int p = 0; p < FRAUD_EVENT_PARTITIONS; p++) {
            share_partition *of = &h->of[t][p];
            if (!of->ours || !of->head) continue;
            fraud_record *r = fraud_queue_take_free(s->parts.queue);
            *st = r ? R1_OK : R1_E_TIMEOUT;
            if (!r) return true; /* the writer is behind */
            held *x = held_pop(of);
            if (!of->head) h->n_waits--;
            fraud_record_move(r, &x->r);
            of->pushed = r->message.offset + 1;
            b->record[b->n++] = r;
            if (x->slot) {
                b->slot[b->n_slot] = x->slot;
                b->scored[b->n_slot++] = r;
                x->slot = NULL;
            }
            held_free(s, x);
            h->stats.taken_records++;
            return true;
        }
    return false;
}

r1_status fraud_share_take(server *s, batch *b, int timeout_ms, r1_err *err)
{
    r1_status st = R1_OK;
    fraud_event e;
    R1_ASSERT(b->n < BATCH_MAX && b->n_slot <= b->n, "%zu records, %zu slots", b->n, b->n_slot);
    if (share_drain(s, b, &st)) return st;
    fraud_record *r = fraud_queue_take_free(s->parts.queue);
    if (!r) return R1_E_TIMEOUT;
    st = fraud_fleet_read(s->share->fleet, timeout_ms, &r->message, &e, err);
    if (st != R1_OK) {
        fraud_queue_put_back(s->parts.queue, r);
        return st;
    }
    s->consumed++;
    return share_event(s, b, r, &e, err);
}

r1_status fraud_share_replay(server *s, r1_err *err)
{
    struct fraud_share *h = s->share;
    batch *b = calloc(1, sizeof *b);
    if (!b) R1_FAIL(err, R1_E_NOMEM, "no memory for a batch");
    int64_t from = s->last_seq, began = r1_mono_us();
    r1_status st = R1_OK;
    while (st == R1_OK && !fraud_fleet_caught_up(h->fleet)) {
        st = fraud_share_take(s, b, 20, err);
        if (st == R1_E_TIMEOUT || (st == R1_E_STREAM && err->retriable)) st = R1_OK;
        if (st == R1_OK) st = fraud_share_turn(s, err);
        if (st == R1_OK && r1_cli_stopped())
            st =
                r1_err_set(err, R1_E_CANCELLED, __FILE__, __LINE__, "stopped while reading events");
    }
    R1_ASSERT(st != R1_OK || !b->n, "%zu records of nobody", b->n);
    free(b);
    fprintf(stderr, "r1-fraud serve: %lld events of %s read again in %.1f s\n",
            (long long)(s->last_seq - from), r1_options_str(s->o, "events-topic"),
            (double)(r1_mono_us() - began) * 1e-6);
    return st;
}

r1_status fraud_share_join(server *s, r1_err *err)
{
    s->share->whole_us = r1_mono_us();
    return fraud_fleet_join(s->share->fleet, err);
}

/* ---- seen from outside, and the end ---- */

void fraud_share_stands(const server *s, int topic, int32_t partition, int64_t *high, int64_t *next)
{
    const struct fraud_share *h = s->share;
    *high = fraud_fleet_high(h->fleet, topic, partition);
    if (*high < 0 && h->of[topic][partition].ours)
        *high = fraud_fleet_where(h->fleet)->next[topic][partition];
    if (h->committed[topic][partition] > *next) *next = h->committed[topic][partition];
}

/* The sequencer feeds the topics. Letters of others are looked for every second, and the rows of a
 * process whose clock is ahead count too. */
static bool share_sends(void *ctx, fraud_committed *c)
{
    const struct fraud_share *h = ctx;
    int64_t whole = fraud_fleet_whole(h->fleet);
    *c = (fraud_committed){whole, r1_time_us() + FRAUD_DAY_MS * 1000,
                           (uint64_t)(r1_mono_us() / 1000000)};
    return whole > 0 && fraud_fleet_sequences(h->fleet);
}

fraud_keeper_shared fraud_share_outbox(server *s)
{
    return s->share ? (fraud_keeper_shared){share_sends, s->share} : (fraud_keeper_shared){0};
}

bool fraud_share_busy(const server *s)
{
    const struct fraud_share *h = s->share;
    return h->n_waits || fraud_fleet_holds(h->fleet);
}

void fraud_share_hints(server *s, int topic, const int64_t *next, int32_t n)
{
    if (s->share->fleet) fraud_fleet_hint(s->share->fleet, topic, next, n);
}

void fraud_share_stats_read(const server *s, fraud_share_stats *out)
{
    *out = (fraud_share_stats){0};
    if (!s->share) return;
    *out = s->share->stats;
    if (s->share->fleet) fraud_fleet_stats_read(s->share->fleet, &out->fleet);
}

void fraud_share_reloaded(server *s)
{
    struct fraud_share *h = s->share;
    if (!h || !*h->member.owner) return;
    fraud_share_settings(&s->parts, &h->member);
    snprintf(h->member.waits, sizeof h->member.waits, "%s", fraud_reload_waits(s->reload));
    fraud_fleet_tell(h->fleet, &h->member);
}

void fraud_share_leave(server *s)
{
    if (s->share && s->share->fleet) fraud_fleet_leave(s->share->fleet);
}

void fraud_share_free(server *s)
{
    struct fraud_share *h = s->share;
    if (!h) return;
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int p = 0; p < FRAUD_EVENT_PARTITIONS; p++)
            fraud_held_prune(s, &h->of[t][p], INT64_MAX);
    fraud_fleet_free(h->fleet);
    free(h);
    s->share = NULL;
}
