/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state.c - the ring of edges, entities, pairs and their exact windows. What is read from them
 * lies in features/ and patterns.c. */
#include "graph/state.h"

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

static r1_status state_table_new(fraud_table *t, uint32_t cap, r1_err *err)
{
    t->cap = cap;
    t->n_bucket = 1;
    while (t->n_bucket < cap) t->n_bucket *= 2;
    t->bucket = r1_calloc_aligned(t->n_bucket, sizeof *t->bucket);
    if (!t->bucket) R1_FAIL(err, R1_E_NOMEM, "no memory for a table of %u rows", cap);
    memset(t->bucket, 0xff, t->n_bucket * sizeof *t->bucket);
    t->free_head = t->lru_head = t->lru_tail = FRAUD_NONE;
    return R1_OK;
}

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
    uint32_t *at = &t->bucket[key & (t->n_bucket - 1)];
    while (*at != i) at = fn(s, *at).next;
    *at = *fn(s, i).next;
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
    *fn(s, i).next = *bucket;
    *bucket = i;
    lru_front(s, t, fn, i);
    return i;
}

/* ---- windows --------------------------------------------------------------------------------- */

static void window_end(fraud_window *w, const fraud_edge *edge, int sign, bool first_of_pair)
{
    R1_ASSERT(sign > 0 || (w->n > 0 && w->fraud >= edge->fraud && w->distinct >= first_of_pair),
              "window: %u payments, %u fraudulent, %u distinct", w->n, w->fraud, w->distinct);
    w->n += (uint32_t)sign;
    w->sum += sign * edge->amount;
    w->ln += sign * (int64_t)edge->ln;
    w->ln_square += sign * (int64_t)edge->ln * edge->ln;
    if (first_of_pair) w->distinct += (uint32_t)sign;
    if (edge->fraud) w->fraud += (uint32_t)sign;
}

/* sign +1: the edge enters window k, -1: it leaves. */
static void window_update(fraud_state *s, const fraud_edge *edge, int k, int sign)
{
    fraud_pair *pair = &s->pair[edge->pair];
    R1_ASSERT(sign > 0 || pair->n[k] > 0, "pair: an edge leaves window %d, which is empty", k);
    bool first = sign > 0 ? pair->n[k] == 0 : pair->n[k] == 1;
    pair->n[k] += (uint32_t)sign;
    if (k == FRAUD_W_28D) pair->sum28 += sign * edge->amount;
    window_end(&s->entity[edge->from].w[k][0], edge, sign, first);
    window_end(&s->entity[edge->to].w[k][1], edge, sign, first);
}

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
    s->entity[edge->from].live--;
    s->entity[edge->to].live--;
    s->pair[edge->pair].live--;
    s->seq_first++;
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

static uint64_t name_key(const char *name) { return r1_hash64(name, strlen(name), 0x66726175); }

uint32_t fraud_state_find(const fraud_state *s, const char *name)
{
    uint64_t key = name_key(name);
    uint32_t i = s->entities.bucket[key & (s->entities.n_bucket - 1)];
    while (i != FRAUD_NONE && (s->entity[i].key != key || strcmp(s->entity[i].name, name)))
        i = s->entity[i].next;
    return i;
}

/* The row idle longest is free to go when no edge names it. While it has an edge, every row in
 * front of it has one too: a row comes to the front with each of its edges, and edges leave in the
 * order in which they came. So the end of the list speaks for all of it, and where it has an edge
 * the ring's oldest edge goes first. Every edge goes once, so room for a row costs what the edges
 * cost that leave for it. The payment's other end stands at the front, which is never the end:
 * a table has at least two rows. */
static void entity_room(fraud_state *s)
{
    fraud_table *t = &s->entities;
    if (t->used < t->cap) return;
    R1_ASSERT(t->lru_tail != t->lru_head, "entities: %u rows, one list end", t->used);
    while (s->entity[t->lru_tail].live) state_drop_oldest(s);
    table_remove(s, t, entity_links, t->lru_tail, s->entity[t->lru_tail].key);
    t->evicted++;
}

uint32_t fraud_state_entity(fraud_state *s, const char *name, uint8_t role)
{
    uint32_t i = fraud_state_find(s, name);
    if (i != FRAUD_NONE) {
        table_touch(s, &s->entities, entity_links, i);
        return i;
    }
    entity_room(s);
    uint64_t key = name_key(name);
    i = state_table_add(s, &s->entities, entity_links, key);
    fraud_entity *e = &s->entity[i];
    fraud_entity keep = *e;
    memset(e, 0, sizeof *e);
    e->next = keep.next, e->lru_prev = keep.lru_prev, e->lru_next = keep.lru_next;
    snprintf(e->name, sizeof e->name, "%s", name);
    e->key = key;
    e->role = role;
    e->head[0] = e->head[1] = FRAUD_NO_SEQ;
    e->first_ts = s->now;
    e->last_ts[0] = e->last_ts[1] = INT64_MIN;
    e->lat = e->lon = NAN;
    return i;
}

static uint64_t state_pair_key(uint32_t from, uint32_t to)
{
    uint32_t k[2] = {from, to};
    return r1_hash64(k, sizeof k, 0x70616972);
}

uint32_t fraud_state_pair(const fraud_state *s, uint32_t from, uint32_t to)
{
    uint32_t i = s->pairs.bucket[state_pair_key(from, to) & (s->pairs.n_bucket - 1)];
    while (i != FRAUD_NONE && (s->pair[i].from != from || s->pair[i].to != to)) i = s->pair[i].next;
    return i;
}

static void pair_room(fraud_state *s) /* as entity_room */
{
    fraud_table *t = &s->pairs;
    if (t->used < t->cap) return;
    while (s->pair[t->lru_tail].live) state_drop_oldest(s);
    table_remove(s, t, pair_links, t->lru_tail, s->pair[t->lru_tail].key);
    t->evicted++;
}

/* Pairs that name an entity's row die with it, or a new entity in that row would inherit them. */
static uint32_t pair_get(fraud_state *s, uint32_t from, uint32_t to)
{
    uint32_t i = fraud_state_pair(s, from, to);
    if (i != FRAUD_NONE) {
        fraud_pair *pair = &s->pair[i];
        if (!pair->live && (pair->first_ts < s->entity[from].first_ts ||
                            pair->first_ts < s->entity[to].first_ts)) {
            pair->total = 0;
            pair->first_ts = pair->last_ts = s->now;
        }
        table_touch(s, &s->pairs, pair_links, i);
        return i;
    }
    pair_room(s);
    uint64_t key = state_pair_key(from, to);
    i = state_table_add(s, &s->pairs, pair_links, key);
    fraud_pair *pair = &s->pair[i];
    fraud_pair keep = *pair;
    memset(pair, 0, sizeof *pair);
    pair->next = keep.next, pair->lru_prev = keep.lru_prev, pair->lru_next = keep.lru_next;
    pair->key = key;
    pair->from = from;
    pair->to = to;
    pair->first_ts = pair->last_ts = s->now;
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
        if (edge->depth > depth && !edge->external[0]) depth = edge->depth;
        seq = edge->prev[1];
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

static uint64_t tx_hash(const char *tx_id) { return r1_hash64(tx_id, strlen(tx_id), 2); }

static void name_edge(fraud_state *s, uint64_t seq, const char *tx_id)
{
    fraud_edge_name *name = &s->edge_name[seq % s->edge_cap];
    snprintf(name->tx_id, sizeof name->tx_id, "%s", tx_id);
    name->tx_hash = tx_hash(tx_id);
    uint64_t *bucket = &s->tx_bucket[name->tx_hash & s->tx_mask];
    name->tx_prev = *bucket;
    *bucket = seq;
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

uint64_t fraud_state_insert(fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to)
{
    R1_ASSERT(from < s->entities.cap && to < s->entities.cap, "edge: from %u to %u of %u entities",
              from, to, s->entities.cap);
    if (s->seq_next - s->seq_first == s->edge_cap) state_drop_oldest(s);
    uint32_t pair = pair_get(s, from, to);
    uint64_t seq = s->seq_next;
    R1_ASSERT(seq - s->seq_first < s->edge_cap, "ring: %llu edges in %u places",
              (unsigned long long)(seq - s->seq_first), s->edge_cap);
    R1_ASSERT(seq == s->seq_first || fraud_state_edge(s, seq - 1)->ts <= s->now,
              "ring: the clock went back to %lld", (long long)s->now);
    fraud_edge *edge = &s->edge[seq % s->edge_cap];
    memset(edge, 0, sizeof *edge);
    edge->ts = s->now;
    edge->amount = fraud_hundredths(p);
    edge->ln = fraud_ln1024(edge->amount);
    edge->from = from, edge->to = to, edge->pair = pair;
    edge->kind = p->kind;
    edge->channel = (uint8_t)(word_hash(p->channel) % 15);
    edge->depth = chain_depth(s, from);
    edge->prev[0] = s->entity[from].head[0];
    edge->prev[1] = s->entity[to].head[1];
    edge->external[0] = s->entity[from].role == FRAUD_ROLE_EXTERNAL;
    edge->external[1] = s->entity[to].role == FRAUD_ROLE_EXTERNAL;
    name_edge(s, seq, p->tx_id);
    s->seq_next++;
    entity_seen(s, from, 0, seq);
    entity_seen(s, to, 1, seq);
    sender_seen(&s->entity[from], p);
    fraud_pair *row = &s->pair[pair];
    row->live++;
    row->total++;
    row->last_ts = s->now;
    for (int k = 0; k < FRAUD_N_WINDOW; k++) window_update(s, edge, k, 1);
    state_changed(s);
    return seq;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static uint32_t count_since(const fraud_state *s, const fraud_entity *e, int direction, int64_t ts)
{
    uint32_t n = 0;
    for (uint64_t seq = e->head[direction]; fraud_state_has(s, seq);
         seq = fraud_state_edge(s, seq)->prev[direction]) {
        if (fraud_state_edge(s, seq)->ts < ts) break;
        n++;
    }
    return n;
}

static void label_end(fraud_state *s, uint32_t i, int direction, const fraud_edge *edge,
                      uint64_t seq, int sign)
{
    fraud_entity *e = &s->entity[i];
    fraud_known *known = &e->known[direction];
    for (int k = 0; k < FRAUD_N_WINDOW; k++)
        if (seq >= s->tail[k]) e->w[k][direction].fraud += (uint32_t)sign;
    R1_ASSERT(sign > 0 || known->n > 0, "labels: %d of %u known frauds", sign, known->n);
    known->n += (uint32_t)sign;
    if (sign < 0) return;
    if (known->n == 1 || edge->ts < known->first_ts) {
        known->first_ts = edge->ts;
        known->n_since_first = count_since(s, e, direction, edge->ts);
    }
    if (known->n == 1 || edge->ts > known->last_ts) known->last_ts = edge->ts;
}

r1_status fraud_state_label(fraud_state *s, const char *tx_id, bool is_fraud, r1_err *err)
{
    uint64_t hash = tx_hash(tx_id);
    uint64_t seq = s->tx_bucket[hash & s->tx_mask];
    while (fraud_state_has(s, seq)) {
        fraud_edge *edge = &s->edge[seq % s->edge_cap];
        const fraud_edge_name *name = &s->edge_name[seq % s->edge_cap];
        if (name->tx_hash == hash && !strcmp(name->tx_id, tx_id)) {
            if (edge->fraud == is_fraud) return R1_OK;
            edge->fraud = is_fraud;
            label_end(s, edge->from, 0, edge, seq, is_fraud ? 1 : -1);
            label_end(s, edge->to, 1, edge, seq, is_fraud ? 1 : -1);
            state_changed(s);
            return R1_OK;
        }
        seq = name->tx_prev;
    }
    R1_FAIL(err, R1_E_NOT_FOUND, "label for tx_id \"%s\": no such payment in the last %d days",
            tx_id, (int)(FRAUD_RETENTION_MS / FRAUD_DAY_MS));
}

/* ---- life ------------------------------------------------------------------------------------ */

static r1_status state_reserve(fraud_state *s, uint32_t edges_max, uint32_t entities_max,
                               uint32_t pairs_max, r1_err *err)
{
    s->edge_cap = edges_max;
    s->tx_mask = 1;
    while (s->tx_mask < edges_max) s->tx_mask *= 2;
    s->tx_bucket = r1_calloc_aligned(s->tx_mask, sizeof *s->tx_bucket);
    s->edge = r1_calloc_aligned(edges_max, sizeof *s->edge);
    s->edge_name = r1_calloc_aligned(edges_max, sizeof *s->edge_name);
    s->entity = r1_calloc_aligned(entities_max, sizeof *s->entity);
    s->pair = r1_calloc_aligned(pairs_max, sizeof *s->pair);
    if (!s->tx_bucket || !s->edge || !s->edge_name || !s->entity || !s->pair)
        R1_FAIL(err, R1_E_NOMEM, "no memory for %u edges, %u entities, %u pairs", edges_max,
                entities_max, pairs_max);
    memset(s->tx_bucket, 0xff, s->tx_mask * sizeof *s->tx_bucket);
    s->tx_mask--;
    R1_TRY(state_table_new(&s->entities, entities_max, err));
    return state_table_new(&s->pairs, pairs_max, err);
}

r1_status fraud_state_new(fraud_state **out, uint32_t edges_max, uint32_t entities_max,
                          uint32_t pairs_max, r1_err *err)
{
    *out = NULL;
    if (edges_max < 2 || entities_max < 4 || pairs_max < 2 || edges_max > (1u << 28) ||
        entities_max > (1u << 28) || pairs_max > (1u << 28))
        R1_FAIL(err, R1_E_INVAL,
                "state capacity: expected edges and pairs 2..2^28 and entities 4..2^28, found %u, "
                "%u, %u",
                edges_max, pairs_max, entities_max);
    fraud_state *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for the state");
    s->now = INT64_MIN / 2;
    r1_status st = state_reserve(s, edges_max, entities_max, pairs_max, err);
    if (st != R1_OK) {
        fraud_state_free(s);
        return st;
    }
    *out = s;
    return R1_OK;
}

void fraud_state_free(fraud_state *s)
{
    if (!s) return;
    free(s->tx_bucket);
    free(s->edge);
    free(s->edge_name);
    free(s->entity);
    free(s->pair);
    free(s->entities.bucket);
    free(s->pairs.bucket);
    free(s);
}

/* Rows are hashed in the order of their last use, which apply alone decides; links and padding
 * stay out. */
static uint64_t entity_hash(const fraud_entity *e, uint64_t h)
{
    h = r1_hash64(e->name, strlen(e->name), h);
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
    h = r1_hash64(v, sizeof v, h);
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        for (int d = 0; d < 2; d++) {
            const fraud_window *w = &e->w[k][d];
            int64_t x[] = {w->n, w->distinct, w->fraud, w->sum, w->ln, w->ln_square};
            h = r1_hash64(x, sizeof x, h);
        }
    }
    for (int d = 0; d < 2; d++) {
        int64_t x[] = {e->known[d].n, e->known[d].n_since_first, e->known[d].first_ts,
                       e->known[d].last_ts};
        h = r1_hash64(x, sizeof x, h);
    }
    return h;
}

uint64_t fraud_state_digest(const fraud_state *s)
{
    uint64_t head[] = {s->seq_next - s->seq_first, (uint64_t)s->now};
    uint64_t h = r1_hash64(head, sizeof head, 0);
    for (uint32_t i = s->entities.lru_head; i != FRAUD_NONE; i = s->entity[i].lru_next)
        h = entity_hash(&s->entity[i], h);
    for (uint32_t i = s->pairs.lru_head; i != FRAUD_NONE; i = s->pair[i].lru_next) {
        const fraud_pair *p = &s->pair[i];
        int64_t x[] = {p->sum28, (int64_t)p->total, p->first_ts, p->last_ts, p->live};
        h = r1_hash64(p->n, sizeof p->n, r1_hash64(x, sizeof x, h));
    }
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        const fraud_edge *e = fraud_state_edge(s, seq);
        int64_t x[] = {e->ts, e->amount, e->kind, e->fraud, e->depth};
        const char *tx_id = fraud_edge_tx_id(s, e);
        h = r1_hash64(x, sizeof x, r1_hash64(tx_id, strlen(tx_id), h));
    }
    return h;
}
