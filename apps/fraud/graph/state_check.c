/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state_check.c - the invariants of the state, read over all of it: what state.h promises of the
 * ring, the chains, the windows and the two tables. */
#include "graph/aged.h"
#include "graph/state.h"

#include <stdlib.h>
#include <string.h>

/* ---- the ring -------------------------------------------------------------------------------- */

static const char *ring_fault(const fraud_state *s)
{
    if (s->seq_first > s->seq_next || s->seq_next - s->seq_first > s->edge_cap)
        return "the ring holds more edges than it has places";
    if (s->edge_lap != s->seq_next - s->seq_next % s->edge_cap)
        return "the ring's lap begins elsewhere";
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        if (s->tail[k] < s->seq_first || s->tail[k] > s->seq_next)
            return "a window's oldest edge is not in the ring";
        if (k && s->tail[k] > s->tail[k - 1]) return "a wider window begins later";
    }
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        const fraud_pair *pair = &s->pair[edge->pair];
        if (edge->ts > s->now) return "an edge is newer than the clock";
        if (seq > s->seq_first && edge->ts < fraud_state_edge(s, seq - 1)->ts)
            return "edges are not in the order of their time";
        if (pair->from != edge->from || pair->to != edge->to) return "an edge names another pair";
        for (int k = 0; k < FRAUD_N_WINDOW; k++)
            if (seq >= s->tail[k] && edge->ts <= s->now - FRAUD_WINDOW_MS[k])
                return "a window holds an edge that is too old";
    }
    return NULL;
}

/* ---- an entity's chains and windows ---------------------------------------------------------- */

typedef struct { /* what the edges of one chain say of its entity */
    fraud_exact w[FRAUD_N_WINDOW];
    fraud_spread wide[FRAUD_N_WIDE];
    uint32_t n, n_fraud, n_since_first;
    int64_t oldest, newest, fraud_oldest, fraud_newest;
} chain_count;

static void count_windows(const fraud_state *s, const fraud_edge *edge, uint64_t seq,
                          chain_count *c)
{
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        if (seq < s->tail[k]) continue;
        c->w[k].n++;
        c->w[k].sum += edge->amount;
        if (k < FRAUD_WIDE_FROM) continue;
        fraud_spread *wide = &c->wide[k - FRAUD_WIDE_FROM];
        wide->fraud += edge->fraud;
        wide->ln += edge->ln;
        wide->ln_square += (int64_t)edge->ln * edge->ln;
    }
}

static void count_edge(const fraud_state *s, const fraud_edge *edge, uint64_t seq,
                       const fraud_known *known, chain_count *c)
{
    count_windows(s, edge, seq, c);
    if (!c->n++) c->newest = edge->ts;
    c->oldest = edge->ts;
    c->n_since_first += known->n && edge->ts >= known->first_ts;
    if (!edge->fraud) return;
    if (!c->n_fraud++) c->fraud_newest = edge->ts;
    c->fraud_oldest = edge->ts;
}

static bool windows_differ(const fraud_entity *e, int direction, const chain_count *c)
{
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        const fraud_exact *w = &e->w[k][direction];
        if (w->n != c->w[k].n || w->sum != c->w[k].sum) return true;
    }
    for (int k = 0; k < FRAUD_N_WIDE; k++) {
        const fraud_spread *a = &e->wide[k][direction], *b = &c->wide[k];
        if (a->fraud != b->fraud || a->ln != b->ln || a->ln_square != b->ln_square) return true;
    }
    return false;
}

/* Known frauds whose edges are gone are known by their number and the newest of them alone. */
static const char *known_fault(const fraud_state *s, const fraud_known *known, const chain_count *c)
{
    if (known->n < c->n_fraud) return "an entity knows fewer frauds than its edges";
    if (!known->n) return NULL;
    bool gone = known->n > c->n_fraud;
    if (gone != (known->gone_ts != FRAUD_NEVER))
        return "an entity has lost count of known frauds that are gone";
    if (known->last_ts != (c->n_fraud ? c->fraud_newest : known->gone_ts))
        return "an entity's last known fraud differs from its edges";
    if (known->first_ts > (gone ? known->gone_ts : c->fraud_oldest) ||
        (!gone && known->first_ts != c->fraud_oldest))
        return "an entity's first known fraud differs from its edges";
    bool whole = !s->seq_first || fraud_state_edge(s, s->seq_first)->ts < known->first_ts;
    if (known->n_since_first < c->n_since_first ||
        (whole && known->n_since_first != c->n_since_first))
        return "an entity has lost count of payments since its first known fraud";
    return NULL;
}

static const char *times_fault(const fraud_entity *e, int direction, const chain_count *c)
{
    if (e->total[direction] < c->n) return "an entity has paid less than its edges";
    if (!c->n) return NULL;
    if (e->last_ts[direction] != c->newest)
        return "an entity's last payment is not its newest edge";
    if (e->first_ts > c->oldest) return "an entity is younger than its edges";
    return NULL;
}

static const char *chain_fault(const fraud_state *s, uint32_t i, int direction, uint32_t *live)
{
    const fraud_entity *e = &s->entity[i];
    const fraud_known *known = &e->known[direction];
    chain_count c = {.n = 0};
    for (uint64_t seq = e->head[direction]; fraud_state_has(s, seq);) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if ((direction ? edge->to : edge->from) != i) return "a chain holds another's edge";
        if (edge->older[direction] > seq) return "a chain leads to before the first edge";
        count_edge(s, edge, seq, known, &c);
        seq = fraud_edge_older(edge, seq, direction);
    }
    *live += c.n;
    if (windows_differ(e, direction, &c)) return "a window differs from its edges";
    const char *fault = times_fault(e, direction, &c);
    return fault ? fault : known_fault(s, known, &c);
}

static const char *entities_fault(const fraud_state *s)
{
    uint64_t ends = 0;
    for (uint32_t i = s->entities.lru_head; i != FRAUD_NONE; i = s->entity[i].lru_next) {
        uint32_t live = 0;
        for (int d = 0; d < 2; d++) {
            const char *fault = chain_fault(s, i, d, &live);
            if (fault) return fault;
        }
        if (live != s->entity[i].live) return "an entity has lost count of its edges";
        ends += live;
    }
    return ends == 2 * (s->seq_next - s->seq_first) ? NULL : "an edge is in no chain";
}

/* ---- pairs ----------------------------------------------------------------------------------- */

typedef struct { /* what the edges of the ring say of one pair */
    uint32_t n[FRAUD_N_WINDOW], live;
    int64_t sum28, oldest, newest;
} pair_count;

static void count_pair_edges(const fraud_state *s, pair_count *count)
{
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        pair_count *c = &count[edge->pair];
        for (int k = 0; k < FRAUD_N_WINDOW; k++) c->n[k] += seq >= s->tail[k];
        if (seq >= s->tail[FRAUD_W_28D]) c->sum28 += edge->amount;
        if (!c->live++) c->oldest = edge->ts;
        c->newest = edge->ts;
    }
}

/* A row whose pair died with one of its ends stands until the two row numbers meet again. */
static bool pair_found(const fraud_state *s, uint32_t i)
{
    uint32_t found = fraud_state_pair(s, s->pair[i].from, s->pair[i].to);
    return found == i || (found == FRAUD_NONE && !s->pair[i].live);
}

/* All payments of a pair that began after the ring's oldest edge are in the ring. */
static const char *pair_fault(const fraud_state *s, uint32_t i, const pair_count *c)
{
    const fraud_pair *pair = &s->pair[i];
    if (!pair_found(s, i)) return "a pair is not found by its ends";
    if (pair->live != c->live) return "pairs have lost count of their edges";
    if (memcmp(pair->n, c->n, sizeof c->n)) return "pairs have lost count of a window";
    if (pair->sum28 != c->sum28) return "a pair's sum differs from its edges";
    if (pair->total < c->live || pair->last_ts < pair->first_ts)
        return "a pair's history is shorter than its edges";
    if (!c->live) return NULL;
    if (pair->last_ts != c->newest || pair->first_ts > c->oldest)
        return "a pair's times differ from its edges";
    bool whole = !s->seq_first || pair->first_ts > fraud_state_edge(s, s->seq_first)->ts;
    if (whole && (pair->total != c->live || pair->first_ts != c->oldest))
        return "a pair's history differs from its edges";
    return NULL;
}

/* A check that finds no memory for its counts passes over them. */
static const char *pair_rows_fault(const fraud_state *s)
{
    uint32_t rows = 0;
    for (uint32_t i = s->pairs.lru_head; i != FRAUD_NONE; i = s->pair[i].lru_next)
        if (i >= rows) rows = i + 1;
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++)
        if (fraud_state_edge(s, seq)->pair >= rows) return "an edge names a pair that is gone";
    pair_count *count = calloc((size_t)rows + 1, sizeof *count);
    if (!count) return NULL;
    count_pair_edges(s, count);
    const char *fault = NULL;
    for (uint32_t i = s->pairs.lru_head; i != FRAUD_NONE && !fault; i = s->pair[i].lru_next)
        fault = pair_fault(s, i, &count[i]);
    free(count);
    return fault;
}

static const char *pairs_fault(const fraud_state *s)
{
    uint64_t met[FRAUD_N_WINDOW] = {0}, distinct[FRAUD_N_WINDOW][2] = {{0}};
    for (uint32_t i = s->pairs.lru_head; i != FRAUD_NONE; i = s->pair[i].lru_next)
        for (int k = 0; k < FRAUD_N_WINDOW; k++) met[k] += s->pair[i].n[k] > 0;
    for (uint32_t i = s->entities.lru_head; i != FRAUD_NONE; i = s->entity[i].lru_next)
        for (int k = 0; k < FRAUD_N_WINDOW; k++)
            for (int d = 0; d < 2; d++) distinct[k][d] += s->entity[i].w[k][d].distinct;
    for (int k = 0; k < FRAUD_N_WINDOW; k++)
        if (distinct[k][0] != met[k] || distinct[k][1] != met[k])
            return "distinct ends are not the pairs that met";
    return pair_rows_fault(s);
}

/* ---- the tables' lists ----------------------------------------------------------------------- */

/* A key as state.c makes it, from the row's name or ends. */
static uint64_t pair_row_key(const fraud_pair *p)
{
    uint32_t k[2] = {p->from, p->to};
    return r1_hash64(k, sizeof k, 0x70616972);
}

typedef struct { /* what a table's row says of its place */
    uint64_t key;
    uint32_t next, prev, lru_next, live;
} row_links;

static row_links entity_row(const fraud_state *s, uint32_t i)
{
    const fraud_entity *e = &s->entity[i];
    return (row_links){e->key, e->next, e->lru_prev, e->lru_next, e->live};
}

static row_links pair_row(const fraud_state *s, uint32_t i)
{
    const fraud_pair *p = &s->pair[i];
    return (row_links){pair_row_key(p), p->next, p->lru_prev, p->lru_next, p->live};
}

static const char *table_fault(const fraud_state *s, const fraud_table *t,
                               row_links (*row)(const fraud_state *, uint32_t))
{
    uint32_t n = 0, last = FRAUD_NONE;
    bool idle = false; /* what state.c takes from: rows without an edge stand at the end */
    if (t->used > t->cap) return "a table holds more rows than it has places";
    for (uint32_t i = t->lru_head; i != FRAUD_NONE; last = i, i = row(s, i).lru_next) {
        if (i >= t->cap || ++n > t->used) return "a table's list is longer than the table";
        row_links links = row(s, i);
        if (links.prev != last) return "a table's list does not lead back";
        if (idle && links.live) return "a row without an edge stands in front of one with an edge";
        idle = !links.live;
        uint32_t at = t->bucket[links.key & (t->n_bucket - 1)] - 1;
        for (uint32_t steps = 0; at != FRAUD_NONE && at != i && steps < t->used; steps++)
            at = row(s, at).next;
        if (at != i) return "a row is not in the bucket of its key";
    }
    return n == t->used && last == t->lru_tail ? NULL : "a table has lost count of its rows";
}

const char *fraud_state_entities_list_fault(const fraud_state *s)
{
    return table_fault(s, &s->entities, entity_row);
}

const char *fraud_state_pairs_list_fault(const fraud_state *s)
{
    return table_fault(s, &s->pairs, pair_row);
}

const char *fraud_state_ring_fault(const fraud_state *s) { return ring_fault(s); }

const char *fraud_state_fault(const fraud_state *s)
{
    const char *fault = fraud_state_entities_list_fault(s);
    if (!fault) fault = fraud_state_pairs_list_fault(s);
    if (!fault) fault = ring_fault(s);
    if (!fault) fault = entities_fault(s);
    if (!fault) fault = pairs_fault(s);
    return fault ? fault : fraud_aged_fault(s);
}
