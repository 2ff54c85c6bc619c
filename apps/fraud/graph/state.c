/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state.c - the ring of edges, entities, pairs and their exact windows. Edges that leave before
 * their time go on in aged.c. What is read from all of them lies in features/ and patterns.c. */
#include "graph/state.h"

#include "graph/aged.h"
#include "payment/zone.h"

#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_WINDOW_MS(name, ms, figures, words)      ms,
#define STATE_WINDOW_FIGURES(name, ms, figures, words) figures,
#define STATE_WINDOW_WORDS(name, ms, figures, words)   words,
const int64_t FRAUD_WINDOW_MS[FRAUD_N_WINDOW] = {FRAUD_WINDOWS(STATE_WINDOW_MS)};
const char *const FRAUD_WINDOW_FIGURES[FRAUD_N_WINDOW] = {FRAUD_WINDOWS(STATE_WINDOW_FIGURES)};
const char *const FRAUD_WINDOW_WORDS[FRAUD_N_WINDOW] = {FRAUD_WINDOWS(STATE_WINDOW_WORDS)};
_Static_assert(FRAUD_DAYS_1D == 1 && FRAUD_DAYS_3D == 3 && FRAUD_DAYS_7D == 7 &&
                   FRAUD_DAYS_28D == 28,
               "names of columns (\"sum_28d\"), of fields and of windows say these lengths");

int64_t fraud_hundredths(const fraud_payment *p)
{
    if (p->minor_digits == 2) return p->amount_minor;
    if (p->minor_digits < 2) return p->amount_minor * (p->minor_digits == 1 ? 10 : 100);
    int64_t a = p->amount_minor / (p->minor_digits == 3 ? 10 : 100);
    return a > 0 ? a : 1;
}

int32_t fraud_ln1024(int64_t hundredths)
{
    return (int32_t)lround(1024.0 * log((double)hundredths / 100.0));
}

/* ---- tables: chained hash, LRU list, free list, all by index --------------------------------- */

typedef struct { /* where a row keeps its links */
    uint32_t *next, *prev, *lru_next;
} links;

static links entity_links(fraud_state *s, uint32_t i)
{
    fraud_entity *e = &s->entity[i];
    return (links){&e->next, &e->lru_prev, &e->lru_next};
}

static links pair_links(fraud_state *s, uint32_t i)
{
    fraud_pair *p = &s->pair[i];
    return (links){&p->next, &p->lru_prev, &p->lru_next};
}

typedef links (*links_fn)(fraud_state *, uint32_t);

static void lru_unlink(fraud_state *s, fraud_table *t, links_fn fn, uint32_t i)
{
    links l = fn(s, i);
    if (*l.prev != FRAUD_NONE)
        *fn(s, *l.prev).lru_next = *l.lru_next;
    else
        t->lru_head = *l.lru_next;
    if (*l.lru_next != FRAUD_NONE)
        *fn(s, *l.lru_next).prev = *l.prev;
    else
        t->lru_tail = *l.prev;
}

static void lru_front(fraud_state *s, fraud_table *t, links_fn fn, uint32_t i)
{
    links l = fn(s, i);
    *l.prev = FRAUD_NONE;
    *l.lru_next = t->lru_head;
    if (t->lru_head != FRAUD_NONE)
        *fn(s, t->lru_head).prev = i;
    else
        t->lru_tail = i;
    t->lru_head = i;
}

static void table_touch(fraud_state *s, fraud_table *t, links_fn fn, uint32_t i)
{
    if (t->lru_head == i) return;
    lru_unlink(s, t, fn, i);
    lru_front(s, t, fn, i);
}

static void table_remove(fraud_state *s, fraud_table *t, links_fn fn, uint32_t i, uint64_t key)
{
    R1_ASSERT(t->used > 0 && i < t->cap, "table: row %u of %u, %u used", i, t->cap, t->used);
    uint32_t *bucket = &t->bucket[key & (t->n_bucket - 1)];
    if (*bucket == i + 1) {
        *bucket = *fn(s, i).next + 1;
    } else {
        uint32_t at = *bucket - 1;
        while (*fn(s, at).next != i) at = *fn(s, at).next;
        *fn(s, at).next = *fn(s, i).next;
    }
    lru_unlink(s, t, fn, i);
    *fn(s, i).next = t->free_head;
    t->free_head = i;
    t->used--;
}

/* A row for a new key; the caller has made sure that there is room. */
static uint32_t state_table_add(fraud_state *s, fraud_table *t, links_fn fn, uint64_t key)
{
    uint32_t i = t->free_head;
    if (i != FRAUD_NONE)
        t->free_head = *fn(s, i).next;
    else
        i = t->used;
    t->used++;
    R1_ASSERT(t->used <= t->cap && i < t->cap, "table: row %u of %u, %u used", i, t->cap, t->used);
    uint32_t *bucket = &t->bucket[key & (t->n_bucket - 1)];
    *fn(s, i).next = *bucket - 1; /* FRAUD_NONE where it is empty */
    *bucket = i + 1;
    lru_front(s, t, fn, i);
    return i;
}

/* The first row of a key's bucket. */
static uint32_t table_first(const fraud_table *t, uint64_t key)
{
    return t->bucket[key & (t->n_bucket - 1)] - 1;
}

static void table_evicted(fraud_table *t, int64_t last_ts)
{
    t->evicted++;
    if (last_ts > t->evicted_ts) t->evicted_ts = last_ts;
}

/* ---- windows --------------------------------------------------------------------------------- */

static void window_end(fraud_entity *e, int k, int direction, const fraud_edge *edge, int sign,
                       bool first_of_pair)
{
    fraud_exact *w = &e->w[k][direction];
    R1_ASSERT(sign > 0 || (w->n > 0 && w->distinct >= first_of_pair),
              "window: %u payments, %u distinct", w->n, w->distinct);
    w->n += (uint32_t)sign;
    w->sum += sign * edge->amount;
    if (first_of_pair) w->distinct += (uint32_t)sign;
    if (k < FRAUD_WIDE_FROM) return;
    fraud_spread *wide = &e->wide[k - FRAUD_WIDE_FROM][direction];
    R1_ASSERT(sign > 0 || wide->fraud >= edge->fraud, "window: %u frauds", wide->fraud);
    wide->ln += sign * (int64_t)edge->ln;
    wide->ln_square += sign * (int64_t)edge->ln * edge->ln;
    if (edge->fraud) wide->fraud += (uint32_t)sign;
}

/* sign +1: the edge enters window k, -1: it leaves. */
static void window_update(fraud_state *s, const fraud_edge *edge, int k, int sign)
{
    fraud_pair *pair = &s->pair[edge->pair];
    R1_ASSERT(sign > 0 || pair->n[k] > 0, "pair: an edge leaves window %d, which is empty", k);
    bool first = sign > 0 ? pair->n[k] == 0 : pair->n[k] == 1;
    pair->n[k] += (uint32_t)sign;
    if (k == FRAUD_W_28D) pair->sum28 += sign * edge->amount;
    window_end(&s->entity[edge->from], k, 0, edge, sign, first);
    window_end(&s->entity[edge->to], k, 1, edge, sign, first);
}

static void end_leaves(fraud_entity *e, int direction, const fraud_edge *edge)
{
    e->live--;
    if (edge->fraud) e->known[direction].gone_ts = edge->ts;
}

static void name_leaves(fraud_state *s, const fraud_edge *edge)
{
    bool last = s->seq_first + 1 == s->seq_next;
    fraud_name_ring_drop(&s->tx_names, edge->name,
                         last ? UINT32_MAX : fraud_state_edge(s, s->seq_first + 1)->name);
}

/* The oldest edge leaves the ring. */
static void state_drop_oldest(fraud_state *s)
{
    R1_ASSERT(s->seq_first < s->seq_next, "ring: nothing to drop at %llu",
              (unsigned long long)s->seq_first);
    const fraud_edge *edge = fraud_state_edge(s, s->seq_first);
    R1_ASSERT(s->entity[edge->from].live && s->entity[edge->to].live && s->pair[edge->pair].live,
              "ring: edge %llu of rows that hold none", (unsigned long long)s->seq_first);
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        if (s->tail[k] != s->seq_first) continue;
        window_update(s, edge, k, -1);
        s->tail[k]++;
    }
    end_leaves(&s->entity[edge->from], 0, edge);
    end_leaves(&s->entity[edge->to], 1, edge);
    s->pair[edge->pair].live--;
    name_leaves(s, edge);
    s->seq_first++;
}

/* The oldest edge makes room. Where it was still in a window, it is cut. */
static void state_cut_oldest(fraud_state *s, fraud_cut why)
{
    const fraud_edge *edge = fraud_state_edge(s, s->seq_first);
    bool in_window = edge->ts > s->now - FRAUD_WINDOW_MS[FRAUD_N_WINDOW - 1];
    state_drop_oldest(s);
    if (!in_window) return;
    s->cut[why]++;
    s->cut_ts = edge->ts;
    fraud_aged_take(s, edge);
}

int64_t fraud_state_advance(fraud_state *s, int64_t ts)
{
    if (ts > s->now) s->now = ts;
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        while (s->tail[k] < s->seq_next) {
            const fraud_edge *edge = fraud_state_edge(s, s->tail[k]);
            if (edge->ts > s->now - FRAUD_WINDOW_MS[k]) break;
            window_update(s, edge, k, -1);
            s->tail[k]++;
        }
    }
    while (s->seq_first < s->seq_next &&
           fraud_state_edge(s, s->seq_first)->ts <= s->now - FRAUD_RETENTION_MS)
        state_drop_oldest(s);
    const uint64_t longest = s->tail[FRAUD_N_WINDOW - 1], shortest = s->tail[0];
    R1_ASSERT(longest >= s->seq_first && shortest <= s->seq_next,
              "windows: tails %llu..%llu of ring %llu..%llu", (unsigned long long)longest,
              (unsigned long long)shortest, (unsigned long long)s->seq_first,
              (unsigned long long)s->seq_next);
    return s->now;
}

/* ---- entities and pairs ---------------------------------------------------------------------- */

uint64_t fraud_state_name_key(const char *name)
{
    return r1_hash64(name, strlen(name), 0x66726175);
}

static uint32_t find_packed(const fraud_state *s, uint64_t key, const fraud_id *id)
{
    uint32_t i = table_first(&s->entities, key);
    while (i != FRAUD_NONE &&
           (s->entity[i].key != key || !fraud_name_pool_equal(&s->names, &s->entity[i].name, id)))
        i = s->entity[i].next;
    return i;
}

uint32_t fraud_state_find(const fraud_state *s, const char *name)
{
    fraud_id id;
    if (strlen(name) >= FRAUD_ID_BYTES) return FRAUD_NONE;
    fraud_id_pack(name, &id);
    return find_packed(s, fraud_state_name_key(name), &id);
}

/* The row idle longest is free to go when no edge names it. While it has an edge, every row in
 * front of it has one too: a row comes to the front with each of its edges, and edges leave in the
 * order in which they came. So the end of the list speaks for all of it, and where it has an edge
 * the ring's oldest edge goes first. Every edge goes once, so room for a row costs what the edges
 * cost that leave for it. The payment's other end stands at the front, which is never the end:
 * a table has at least two rows. */
static void entity_room(fraud_state *s, const fraud_id *id)
{
    fraud_table *t = &s->entities;
    while (t->used == t->cap || !fraud_name_pool_fits(&s->names, id)) {
        uint32_t i = t->lru_tail;
        R1_ASSERT(i != t->lru_head, "entities: %u rows, one list end", t->used);
        fraud_entity *e = &s->entity[i];
        while (e->live) state_cut_oldest(s, FRAUD_CUT_ENTITIES);
        table_remove(s, t, entity_links, i, e->key);
        fraud_name_pool_drop(&s->names, &e->name);
        fraud_aged_clear_entity(s, i);
        table_evicted(t, e->last_ts[0] > e->last_ts[1] ? e->last_ts[0] : e->last_ts[1]);
    }
}

uint32_t fraud_state_entity(fraud_state *s, const char *name, uint8_t role)
{
    fraud_id id;
    fraud_id_pack(name, &id);
    uint64_t key = fraud_state_name_key(name);
    uint32_t i = find_packed(s, key, &id);
    if (i != FRAUD_NONE) {
        table_touch(s, &s->entities, entity_links, i);
        return i;
    }
    entity_room(s, &id);
    i = state_table_add(s, &s->entities, entity_links, key);
    fraud_entity *e = &s->entity[i];
    fraud_entity keep = *e;
    memset(e, 0, sizeof *e);
    e->next = keep.next, e->lru_prev = keep.lru_prev, e->lru_next = keep.lru_next;
    e->born = (keep.born + 1) & 3;
    fraud_name_pool_add(&s->names, &e->name, &id);
    e->key = key;
    e->role = role;
    e->head[0] = e->head[1] = FRAUD_NO_SEQ;
    e->first_ts = s->now;
    e->last_ts[0] = e->last_ts[1] = FRAUD_NEVER;
    e->known[0].gone_ts = e->known[1].gone_ts = FRAUD_NEVER;
    e->lat = e->lon = NAN;
    return i;
}

static uint64_t state_pair_key(uint32_t from, uint32_t to)
{
    uint32_t k[2] = {from, to};
    return r1_hash64(k, sizeof k, 0x70616972);
}

/* Pairs that name an entity's row die with it, or a new entity in that row would inherit them. */
static bool pair_stale(const fraud_state *s, const fraud_pair *pair)
{
    const fraud_entity *from = &s->entity[pair->from], *to = &s->entity[pair->to];
    return !pair->live && (pair->first_ts < from->first_ts || pair->first_ts < to->first_ts ||
                           pair->from_born != from->born || pair->to_born != to->born);
}

static uint32_t pair_row_of(const fraud_state *s, uint32_t from, uint32_t to)
{
    uint32_t i = table_first(&s->pairs, state_pair_key(from, to));
    while (i != FRAUD_NONE && (s->pair[i].from != from || s->pair[i].to != to)) i = s->pair[i].next;
    return i;
}

uint32_t fraud_state_pair(const fraud_state *s, uint32_t from, uint32_t to)
{
    uint32_t i = pair_row_of(s, from, to);
    return i == FRAUD_NONE || pair_stale(s, &s->pair[i]) ? FRAUD_NONE : i;
}

static void pair_room(fraud_state *s) /* as entity_room */
{
    fraud_table *t = &s->pairs;
    if (t->used < t->cap) return;
    const fraud_pair *row = &s->pair[t->lru_tail];
    while (row->live) state_cut_oldest(s, FRAUD_CUT_PAIRS);
    fraud_aged_clear_pair(s, t->lru_tail);
    table_evicted(t, row->last_ts);
    table_remove(s, t, pair_links, t->lru_tail, state_pair_key(row->from, row->to));
}

static void pair_begin(fraud_state *s, uint32_t i, uint32_t from, uint32_t to)
{
    fraud_pair *pair = &s->pair[i];
    fraud_pair keep = *pair;
    memset(pair, 0, sizeof *pair);
    pair->next = keep.next, pair->lru_prev = keep.lru_prev, pair->lru_next = keep.lru_next;
    pair->from = from;
    pair->to = to;
    pair->from_born = s->entity[from].born & 3u;
    pair->to_born = s->entity[to].born & 3u;
    pair->first_ts = pair->last_ts = s->now;
}

static uint32_t pair_get(fraud_state *s, uint32_t from, uint32_t to)
{
    uint32_t i = pair_row_of(s, from, to);
    if (i == FRAUD_NONE) {
        pair_room(s);
        i = state_table_add(s, &s->pairs, pair_links, state_pair_key(from, to));
        pair_begin(s, i, from, to);
        return i;
    }
    if (pair_stale(s, &s->pair[i])) {
        fraud_aged_clear_pair(s, i);
        pair_begin(s, i, from, to);
    } else if (!s->pair[i].live) {
        fraud_aged_pair_returns(s, i);
    }
    table_touch(s, &s->pairs, pair_links, i);
    return i;
}

/* ---- edges ----------------------------------------------------------------------------------- */

/* Length of the longest chain of payments that ends in a payment by `from`: each link at most 7
 * days after the one before. */
static uint8_t chain_depth(const fraud_state *s, uint32_t from)
{
    uint8_t depth = 0;
    uint64_t seq = s->entity[from].head[1];
    for (int i = 0; i < 16 && fraud_state_has(s, seq); i++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if (edge->ts <= s->now - FRAUD_WINDOW_MS[FRAUD_W_7D]) break;
        if (edge->depth > depth && !edge->external_from) depth = edge->depth;
        seq = fraud_edge_older(edge, seq, 1);
    }
    return depth < 250 ? (uint8_t)(depth + 1) : depth;
}

static uint64_t word_hash(const char *word)
{
    return *word ? r1_hash64(word, strlen(word), 1) | 1 : 0;
}

static void entity_seen(fraud_state *s, uint32_t i, int direction, uint64_t seq)
{
    fraud_entity *e = &s->entity[i];
    e->head[direction] = seq;
    e->total[direction]++;
    e->last_ts[direction] = s->now;
    e->live++;
    if (e->known[direction].n) e->known[direction].n_since_first++;
}

static void sender_seen(fraud_entity *e, const fraud_payment *p)
{
    if (*p->device) e->device = word_hash(p->device);
    if (*p->country) e->country = word_hash(p->country);
    if (p->has & FRAUD_HAS_POSITION) e->lat = p->lat, e->lon = p->lon;
}

static uint32_t *tx_bucket_of(const fraud_state *s, const char *tx_id)
{
    return &s->tx_bucket[r1_hash64(tx_id, strlen(tx_id), 2) & s->tx_mask];
}

/* Buckets and names hold the low bits of an edge's number plus 1. The number is the newest one
 * with these bits: the one that is meant, or one that tells by its name that it is not. */
static uint64_t seq_of_low(const fraud_state *s, uint32_t low)
{
    return s->seq_next - 1 - (uint32_t)((uint32_t)s->seq_next - low);
}

static void name_edge(fraud_state *s, fraud_edge *edge, uint64_t seq, const char *tx_id,
                      const fraud_id *id)
{
    uint32_t *bucket = tx_bucket_of(s, tx_id);
    edge->name = fraud_name_ring_add(&s->tx_names, id, *bucket);
    *bucket = (uint32_t)(seq + 1);
}

/* One change in so many is followed by a check of the whole state, in sanitizer builds: fewer the
 * more edges there are, so that a change costs about the same. */
enum { CHECK_SHARE = 64 };

static void state_changed(const fraud_state *s)
{
    R1_DEEP_ASSERT(s->seq_next % ((s->seq_next - s->seq_first) / CHECK_SHARE + 1) ||
                       !fraud_state_fault(s),
                   "state of %llu edges: %s", (unsigned long long)(s->seq_next - s->seq_first),
                   fraud_state_fault(s));
}

static uint32_t older_by(uint64_t seq, uint64_t head)
{
    return head != FRAUD_NO_SEQ && seq - head <= UINT32_MAX ? (uint32_t)(seq - head) : 0;
}

static void edge_fill(const fraud_state *s, fraud_edge *edge, uint64_t seq, const fraud_payment *p,
                      uint32_t from, uint32_t to)
{
    memset(edge, 0, sizeof *edge);
    edge->ts = s->now;
    edge->amount = fraud_hundredths(p);
    edge->ln = fraud_ln1024(edge->amount);
    edge->from = from, edge->to = to;
    edge->kind = p->kind;
    edge->channel = (uint8_t)(word_hash(p->channel) % 15);
    edge->depth = chain_depth(s, from);
    edge->older[0] = older_by(seq, s->entity[from].head[0]);
    edge->older[1] = older_by(seq, s->entity[to].head[1]);
    edge->external_from = s->entity[from].role == FRAUD_ROLE_EXTERNAL;
    edge->external_to = s->entity[to].role == FRAUD_ROLE_EXTERNAL;
}

uint64_t fraud_state_insert(fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to)
{
    R1_ASSERT(from < s->entities.cap && to < s->entities.cap, "edge: from %u to %u of %u entities",
              from, to, s->entities.cap);
    fraud_id id;
    fraud_id_pack(p->tx_id, &id);
    if (s->seq_next - s->seq_first == s->edge_cap) state_cut_oldest(s, FRAUD_CUT_EDGES);
    while (!fraud_name_ring_fits(&s->tx_names, &id)) state_cut_oldest(s, FRAUD_CUT_NAMES);
    uint32_t pair = pair_get(s, from, to);
    uint64_t seq = s->seq_next;
    R1_ASSERT(seq - s->seq_first < s->edge_cap, "ring: %llu edges in %u places",
              (unsigned long long)(seq - s->seq_first), s->edge_cap);
    R1_ASSERT(seq == s->seq_first || fraud_state_edge(s, seq - 1)->ts <= s->now,
              "ring: the clock went back to %lld", (long long)s->now);
    fraud_edge *edge = fraud_state_edge(s, seq);
    edge_fill(s, edge, seq, p, from, to);
    edge->pair = pair;
    name_edge(s, edge, seq, p->tx_id, &id);
    if (++s->seq_next - s->edge_lap == s->edge_cap) s->edge_lap = s->seq_next;
    entity_seen(s, from, 0, seq);
    entity_seen(s, to, 1, seq);
    sender_seen(&s->entity[from], p);
    fraud_pair *row = &s->pair[pair];
    row->live++;
    if (row->total < UINT32_MAX) row->total++;
    row->last_ts = s->now;
    for (int k = 0; k < FRAUD_N_WINDOW; k++) window_update(s, edge, k, 1);
    state_changed(s);
    return seq;
}

/* ---- labels ---------------------------------------------------------------------------------- */

/* Payments since the first known fraud, where the edge seq becomes the first. What came since the
 * first one so far is counted already: only what lies between the two is walked, so that labels
 * which come newest first cost one walk over the chain together. */
static uint32_t known_since(const fraud_state *s, const fraud_entity *e, int direction,
                            const fraud_edge *edge)
{
    const fraud_known *known = &e->known[direction];
    bool more = known->n > 1 && fraud_state_has(s, known->first_seq);
    uint64_t seq = more ? known->first_seq : e->head[direction];
    uint32_t n = more ? known->n_since_first : 0;
    while (fraud_state_has(s, seq)) {
        const fraud_edge *at = fraud_state_edge(s, seq);
        if (at->ts < edge->ts) break;
        n += !more || at->ts < known->first_ts;
        seq = fraud_edge_older(at, seq, direction);
    }
    return n;
}

/* Edge seq, which is in the ring, is a known fraud no more. What it was not the first or the last
 * of stands. Else the chain is walked from the newest edge to the fraud that is now the last, and
 * to where the first one was. */
static void known_back(const fraud_state *s, const fraud_entity *e, fraud_known *known,
                       int direction, uint64_t seq)
{
    const int64_t ts = fraud_state_edge(s, seq)->ts;
    bool first = known->first_seq == seq && known->gone_ts == FRAUD_NEVER, found = false;
    uint32_t n = 0;
    if (!first && ts != known->last_ts) return;
    known->last_ts = known->gone_ts;
    for (uint64_t at = e->head[direction]; fraud_state_has(s, at);) {
        const fraud_edge *edge = fraud_state_edge(s, at);
        if (edge->ts < ts && (first || found)) break;
        n++;
        if (edge->fraud) {
            if (!found) known->last_ts = edge->ts;
            found = true;
            if (!first) break;
            known->first_ts = edge->ts;
            known->first_seq = at;
        }
        if (first && edge->ts >= known->first_ts) known->n_since_first = n;
        at = fraud_edge_older(edge, at, direction);
    }
}

static void label_end(fraud_state *s, uint32_t i, int direction, const fraud_edge *edge,
                      uint64_t seq, int sign)
{
    fraud_entity *e = &s->entity[i];
    fraud_known *known = &e->known[direction];
    for (int k = FRAUD_WIDE_FROM; k < FRAUD_N_WINDOW; k++)
        if (seq >= s->tail[k]) e->wide[k - FRAUD_WIDE_FROM][direction].fraud += (uint32_t)sign;
    R1_ASSERT(sign > 0 || known->n > 0, "labels: %d of %u known frauds", sign, known->n);
    known->n += (uint32_t)sign;
    if (!known->n) {
        *known = (fraud_known){.gone_ts = FRAUD_NEVER};
    } else if (sign < 0) {
        known_back(s, e, known, direction, seq);
    } else {
        if (known->n == 1 || edge->ts < known->first_ts) {
            known->n_since_first = known_since(s, e, direction, edge);
            known->first_ts = edge->ts;
            known->first_seq = seq;
        }
        if (known->n == 1 || edge->ts > known->last_ts) known->last_ts = edge->ts;
    }
}

r1_status fraud_state_label(fraud_state *s, const char *tx_id, bool is_fraud, r1_err *err)
{
    fraud_id id = {0};
    uint64_t seq = FRAUD_NO_SEQ;
    if (strlen(tx_id) < FRAUD_ID_BYTES) {
        fraud_id_pack(tx_id, &id);
        seq = seq_of_low(s, *tx_bucket_of(s, tx_id));
    }
    while (fraud_state_has(s, seq)) {
        fraud_edge *edge = fraud_state_edge(s, seq);
        if (fraud_name_ring_equal(&s->tx_names, edge->name, &id)) {
            if (edge->fraud == is_fraud) return R1_OK;
            edge->fraud = is_fraud;
            label_end(s, edge->from, 0, edge, seq, is_fraud ? 1 : -1);
            label_end(s, edge->to, 1, edge, seq, is_fraud ? 1 : -1);
            state_changed(s);
            return R1_OK;
        }
        uint64_t older = seq_of_low(s, fraud_name_ring_link(&s->tx_names, edge->name));
        seq = older < seq ? older : FRAUD_NO_SEQ;
    }
    R1_FAIL(err, R1_E_NOT_FOUND, "label for tx_id \"%s\": no such payment in the last %d days",
            tx_id, (int)(FRAUD_RETENTION_MS / FRAUD_DAY_MS));
}

/* ---- reading --------------------------------------------------------------------------------- */

fraud_window fraud_state_window(const fraud_state *s, uint32_t i, int k, int direction)
{
    const fraud_entity *e = &s->entity[i];
    const fraud_exact *exact = &e->w[k][direction];
    fraud_window w = {.n = exact->n,
                      .distinct = exact->distinct,
                      .sum = (double)exact->sum,
                      .fraud = NAN,
                      .ln = NAN,
                      .ln_square = NAN};
    if (k >= FRAUD_WIDE_FROM) {
        const fraud_spread *wide = &e->wide[k - FRAUD_WIDE_FROM][direction];
        w.fraud = wide->fraud;
        w.ln = (double)wide->ln;
        w.ln_square = (double)wide->ln_square;
    }
    if (fraud_state_cut(s, k)) fraud_aged_read(s, i, k, direction, &w);
    return w;
}

double fraud_pair_n(const fraud_state *s, uint32_t i, int k)
{
    const fraud_pair *pair = &s->pair[i];
    if (!fraud_state_cut(s, k) || pair->total == pair->n[k]) return pair->n[k];
    double n = pair->n[k] + fraud_aged_pair_n(s, i, k);
    return n < 1 && pair->last_ts > s->now - FRAUD_WINDOW_MS[k] ? 1 : n;
}

double fraud_pair_sum28(const fraud_state *s, uint32_t i)
{
    const fraud_pair *pair = &s->pair[i];
    double sum = (double)pair->sum28;
    if (!fraud_state_cut(s, FRAUD_W_28D)) return sum;
    return sum + fraud_aged_pair_n(s, i, FRAUD_W_28D) * (double)s->aged_pair[i].mean;
}

/* An account whose row was evicted has a new row since: what it did before is not known. */
int64_t fraud_entity_since(const fraud_state *s, uint32_t i)
{
    int64_t evicted = s->entities.evicted_ts, first = s->entity[i].first_ts;
    return evicted < first ? evicted : first;
}

int64_t fraud_pair_since(const fraud_state *s, uint32_t from, uint32_t to)
{
    int64_t a = fraud_entity_since(s, from), b = fraud_entity_since(s, to), since = a > b ? a : b;
    return since > s->pairs.evicted_ts ? since : s->pairs.evicted_ts;
}

/* ---- digest ---------------------------------------------------------------------------------- */

static uint64_t window_hash(const fraud_entity *e, uint64_t h)
{
    for (int k = 0; k < FRAUD_N_WINDOW; k++)
        for (int d = 0; d < 2; d++) {
            int64_t x[] = {e->w[k][d].n, e->w[k][d].distinct, e->w[k][d].sum};
            h = r1_hash64(x, sizeof x, h);
        }
    for (int k = 0; k < FRAUD_N_WIDE; k++)
        for (int d = 0; d < 2; d++) {
            int64_t x[] = {e->wide[k][d].ln, e->wide[k][d].ln_square, e->wide[k][d].fraud};
            h = r1_hash64(x, sizeof x, h);
        }
    return h;
}

/* Rows are hashed in the order of their last use, which apply alone decides; links and padding
 * stay out. */
static uint64_t entity_hash(const fraud_state *s, uint32_t i, uint64_t h)
{
    const fraud_entity *e = &s->entity[i];
    char name[FRAUD_ID_BYTES];
    fraud_state_name(s, i, name);
    h = r1_hash64(name, strlen(name), h);
    int64_t v[] = {(int64_t)e->head[0],
                   (int64_t)e->head[1],
                   (int64_t)e->total[0],
                   (int64_t)e->total[1],
                   e->first_ts,
                   e->last_ts[0],
                   e->last_ts[1],
                   (int64_t)e->device,
                   (int64_t)e->country,
                   e->live,
                   e->role};
    h = window_hash(e, r1_hash64(v, sizeof v, h));
    for (int d = 0; d < 2; d++) {
        const fraud_known *known = &e->known[d];
        int64_t x[] = {known->n,       known->n_since_first,      known->first_ts,
                       known->last_ts, (int64_t)known->first_seq, known->gone_ts};
        h = r1_hash64(x, sizeof x, h);
    }
    return fraud_aged_hash(s, i, h);
}

uint64_t fraud_state_digest(const fraud_state *s)
{
    uint64_t head[] = {s->seq_next - s->seq_first, (uint64_t)s->now, (uint64_t)s->cut_ts,
                       (uint64_t)s->entities.evicted_ts, (uint64_t)s->pairs.evicted_ts};
    uint64_t h = r1_hash64(head, sizeof head, 0);
    for (uint32_t i = s->entities.lru_head; i != FRAUD_NONE; i = s->entity[i].lru_next)
        h = entity_hash(s, i, h);
    for (uint32_t i = s->pairs.lru_head; i != FRAUD_NONE; i = s->pair[i].lru_next) {
        const fraud_pair *p = &s->pair[i];
        int64_t x[] = {p->sum28, p->total, p->first_ts, p->last_ts, p->live};
        h = r1_hash64(p->n, sizeof p->n, r1_hash64(x, sizeof x, h));
        h = fraud_aged_pair_hash(s, i, h);
    }
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        const fraud_edge *e = fraud_state_edge(s, seq);
        int64_t x[] = {e->ts, e->amount, e->kind, e->fraud, e->depth};
        char tx_id[FRAUD_ID_BYTES];
        fraud_edge_tx_id(s, e, tx_id);
        h = r1_hash64(x, sizeof x, r1_hash64(tx_id, strlen(tx_id), h));
    }
    return h;
}

/* ---- what the state holds -------------------------------------------------------------------- */

/* Rows up to the highest one ever taken. */
static uint64_t table_rows(fraud_state *s, const fraud_table *t, links_fn fn)
{
    uint64_t n = t->used;
    for (uint32_t i = t->free_head; i < t->cap && n < t->cap; i = *fn(s, i).next) n++;
    return n;
}

/* clang-format off */
size_t fraud_state_sections(fraud_state *s, r1_image_array out[FRAUD_STATE_SECTIONS_MAX])
{
    fraud_table *e = &s->entities, *p = &s->pairs;
    fraud_name_ring *ids = &s->tx_names;
    fraud_name_pool *names = &s->names;
    uint64_t edges = s->seq_next < s->edge_cap ? s->seq_next : s->edge_cap,
             buckets = (uint64_t)s->tx_mask + 1, entities = table_rows(s, e, entity_links),
             pairs = table_rows(s, p, pair_links);
    bool cut = s->cut_ts != FRAUD_NEVER; /* else the aged rows are all zero */
    const r1_image_array rows[] = {
        {"state.now",           &s->now,        sizeof s->now,        1, 1},
        {"state.cut_ts",        &s->cut_ts,     sizeof s->cut_ts,     1, 1},
        {"state.cut",           s->cut,         sizeof *s->cut,       FRAUD_N_CUT, FRAUD_N_CUT},
        {"state.ring",          &s->seq_next,   sizeof s->seq_next,   2, 2}, /* and seq_first */
        {"state.tail",          s->tail,        sizeof *s->tail,      FRAUD_N_WINDOW,
                                                                      FRAUD_N_WINDOW},
        {"state.entities",      &e->used,       sizeof e->used,       4, 4}, /* to lru_tail */
        {"state.entities_gone", &e->evicted,    sizeof e->evicted,    2, 2}, /* and evicted_ts */
        {"state.pairs",         &p->used,       sizeof p->used,       4, 4},
        {"state.pairs_gone",    &p->evicted,    sizeof p->evicted,    2, 2},
        {"state.ids",           &ids->n_fresh,  sizeof ids->n_fresh,  5, 5}, /* to at */
        {"state.names",         &names->n_fresh, sizeof names->n_fresh, 3, 3}, /* to n_used */
        {"state.edge",          s->edge,        sizeof *s->edge,      edges, s->edge_cap},
        {"state.id_bucket",     s->tx_bucket,   sizeof *s->tx_bucket, buckets, buckets},
        {"state.id_data",       ids->data,      FRAUD_NAME_CHUNK,     ids->n_fresh, ids->n_chunk},
        {"state.id_next",       ids->next,      sizeof *ids->next,    ids->n_fresh, ids->n_chunk},
        {"state.entity",        s->entity,      sizeof *s->entity,    entities, e->cap},
        {"state.entity_bucket", e->bucket,      sizeof *e->bucket,    e->n_bucket, e->n_bucket},
        {"state.name_block",    names->block,   sizeof *names->block, names->n_fresh,
                                                                      names->n_block},
        {"state.pair",          s->pair,        sizeof *s->pair,      pairs, p->cap},
        {"state.pair_bucket",   p->bucket,      sizeof *p->bucket,    p->n_bucket, p->n_bucket},
        {"state.aged_entity",   s->aged_entity, sizeof *s->aged_entity, cut ? entities : 0, e->cap},
        {"state.aged_pair",     s->aged_pair,   sizeof *s->aged_pair, cut ? pairs : 0, p->cap},
    };
    _Static_assert(R1_COUNT(rows) <= FRAUD_STATE_SECTIONS_MAX, "room for each section");
    memcpy(out, rows, sizeof rows);
    return R1_COUNT(rows);
}
/* clang-format on */

int64_t fraud_state_local(const fraud_state *s, int64_t ts)
{
    return s->zone ? (int64_t)fraud_zone_offset(s->zone, ts) * 1000 : 0;
}
