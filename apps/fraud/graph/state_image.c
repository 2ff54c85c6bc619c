/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state_image.c - the state as sections of bytes and back. What is read from outside is bounded
 * here, row by row, before links are followed: no index leaves its array, no list runs in a circle,
 * no number is one that arithmetic cannot bear.
 *
 * Then sums tell whether rows and edges belong together. fraud_state_fault walks the chain of each
 * account for that. With ten million edges the walk takes longer than all of the reading. Here each
 * row counts with a weight that is made from its number. Edges add, rows take away, and nothing
 * must be left: one pass over each array, in its order. Rows whose counts were exchanged have other
 * weights, so that sums which agree by chance are one in 2^64. Times of rows are bounded and no
 * more: scores rest on them, and no later change does. */
#include "graph/aged.h"
#include "graph/state.h"

#include "r1_assert.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

r1_status fraud_state_save(fraud_state *s, r1_image_out *out, r1_err *err)
{
    r1_image_array a[FRAUD_STATE_SECTIONS_MAX];
    size_t n = fraud_state_sections(s, a);
    for (size_t i = 0; i < n; i++) R1_TRY(r1_image_put_array(out, &a[i], FRAUD_STATE_VERSION, err));
    return R1_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool time_fits(int64_t ts) { return ts >= INT64_MIN / 2 && ts <= FRAUD_TS_MAX; }
static bool time_or_never(int64_t ts) { return ts == FRAUD_NEVER || time_fits(ts); }
static bool link_fits(uint32_t i, uint64_t n) { return i < n || i == FRAUD_NONE; }

typedef struct { /* rows that were ever taken */
    uint64_t entities, pairs;
} row_counts;

static const char *edge_rows_fault(const fraud_state *s, const row_counts *n)
{
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        const fraud_edge *e = fraud_state_edge(s, seq);
        if (e->from >= n->entities || e->to >= n->entities || e->pair >= n->pairs)
            return "an edge names a row that is not there";
        if (e->amount <= 0 || e->amount > 100 * FRAUD_AMOUNT_MAX || !time_fits(e->ts) ||
            e->ln != fraud_ln1024(e->amount))
            return "an edge has another amount or time than a payment can have";
        if (e->kind >= FRAUD_N_KIND || e->channel >= 16) return "an edge has a mark that is none";
    }
    return NULL;
}

static const char *known_rows_fault(const fraud_known *known)
{
    return time_or_never(known->gone_ts) && time_fits(known->first_ts) && time_fits(known->last_ts)
               ? NULL
               : "a known fraud has a time that is none";
}

static const char *entity_rows_fault(const fraud_state *s, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const fraud_entity *e = &s->entity[i];
        if (!link_fits(e->next, n) || !link_fits(e->lru_prev, n) || !link_fits(e->lru_next, n))
            return "an entity's link leads out of the table";
        if (e->role >= FRAUD_N_ROLE || !time_fits(e->first_ts))
            return "an entity's role or first time is none";
        for (int d = 0; d < 2; d++) {
            if (e->total[d] ? !time_fits(e->last_ts[d]) : !time_or_never(e->last_ts[d]))
                return "an entity has a time that is none";
            const char *fault = known_rows_fault(&e->known[d]);
            if (fault) return fault;
        }
        if (!isnan(e->lat) && !(fabsf(e->lat) <= 90 && fabsf(e->lon) <= 180))
            return "an entity's position is not on the globe";
    }
    return NULL;
}

static const char *pair_rows_bounds(const fraud_state *s, const row_counts *n)
{
    for (uint64_t i = 0; i < n->pairs; i++) {
        const fraud_pair *p = &s->pair[i];
        if (!link_fits(p->next, n->pairs) || !link_fits(p->lru_prev, n->pairs) ||
            !link_fits(p->lru_next, n->pairs))
            return "a pair's link leads out of the table";
        if (p->from >= n->entities || p->to >= n->entities)
            return "a pair names an entity that is not there";
        if (!time_fits(p->first_ts) || !time_fits(p->last_ts)) return "a pair's time is none";
    }
    return NULL;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Chunks leave in the order in which edges entered them: each is one run of edges. */
static const char *id_runs_fault(const fraud_state *s, uint8_t *met)
{
    const fraud_name_ring *r = &s->tx_names;
    uint32_t chunk = UINT32_MAX, end = 0, runs = 0;
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        uint32_t at, last = end;
        if (!fraud_name_ring_check(r, fraud_state_edge(s, seq)->name, &at, &end))
            return "a payment's id is not whole";
        if (at == chunk && end <= last) return "ids are not in the order of their payments";
        if (at == chunk) continue;
        if (met[at]) return "a chunk of ids is used twice";
        met[at] = 1;
        runs++;
        chunk = at;
    }
    bool newest = runs ? r->newest == chunk + 1 && r->at >= end : !r->newest;
    return newest && runs == r->n_used && r->at <= FRAUD_NAME_CHUNK && r->at % 4 == 0
               ? NULL
               : "the newest chunk of ids is another one";
}

/* The free ones of n_fresh; links are plus 1. */
static bool free_chunks_fit(const fraud_name_ring *r, uint8_t *met)
{
    uint32_t n = 0;
    for (uint32_t i = r->free_head; i; i = r->next[i - 1], n++) {
        if (i > r->n_fresh || met[i - 1]) return false;
        met[i - 1] = 1;
    }
    return n + r->n_used == r->n_fresh;
}

static bool free_blocks_fit(const fraud_name_pool *p, uint8_t *met)
{
    uint32_t n = 0;
    for (uint32_t i = p->free_head; i; i = p->block[i - 1].next, n++) {
        if (i > p->n_fresh || met[i - 1]) return false;
        met[i - 1] = 1;
    }
    return n + p->n_used == p->n_fresh;
}

static const char *ids_fault(const fraud_state *s)
{
    uint8_t *met = calloc((size_t)s->tx_names.n_chunk + 1, 1);
    if (!met) return "no memory to check ids";
    const char *fault = s->tx_names.n_fresh > s->tx_names.n_chunk
                            ? "chunks of ids that are not there"
                            : id_runs_fault(s, met);
    if (!fault && !free_chunks_fit(&s->tx_names, met)) fault = "free chunks of ids are lost";
    free(met);
    return fault;
}

/* An account is found by the hash of its name. */
static const char *name_row_fault(const fraud_state *s, uint32_t i, uint8_t *met)
{
    char name[FRAUD_ID_BYTES];
    if (!fraud_name_pool_check(&s->names, &s->entity[i].name, met))
        return "an account's name is not whole";
    fraud_state_name(s, i, name);
    return s->entity[i].key == fraud_state_name_key(name) ? NULL : "an account has another's key";
}

/* Rows that are free have no name and no blocks. */
static const char *names_fault(const fraud_state *s)
{
    uint8_t *met = calloc((size_t)s->names.n_block + 1, 1);
    if (!met) return "no memory to check names";
    const char *fault = NULL;
    for (uint32_t i = s->entities.lru_head; i != FRAUD_NONE && !fault; i = s->entity[i].lru_next)
        fault = name_row_fault(s, i, met);
    if (!fault && !free_blocks_fit(&s->names, met)) fault = "free blocks of names are lost";
    free(met);
    return fault;
}

/* ---- sums ------------------------------------------------------------------------------------ */

static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t row_print(uint32_t i) { return mixed((i + UINT64_C(1)) * 0x9e3779b97f4a7c15u); }
static uint64_t link_print(uint64_t row, uint64_t seq) { return mixed(row + mixed(seq)); }

typedef struct { /* of one direction; 0 where rows and edges agree */
    uint64_t n[FRAUD_N_WINDOW], amount[FRAUD_N_WINDOW], distinct[FRAUD_N_WINDOW];
    uint64_t fraud[FRAUD_N_WIDE], ln[FRAUD_N_WIDE], square[FRAUD_N_WIDE];
    uint64_t links; /* heads and edges lead to each edge once, and to their own alone */
} end_sums;

typedef struct {
    end_sums end[2];
    uint64_t live, pair_n[FRAUD_N_WINDOW], pair_amount, pair_live;
} state_sums;

static void add_end(const fraud_state *s, const fraud_edge *e, uint64_t seq, uint64_t row, int d,
                    end_sums *sum)
{
    uint64_t older = fraud_edge_older(e, seq, d);
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        if (seq < s->tail[k]) continue;
        sum->n[k] += row;
        sum->amount[k] += row * (uint64_t)e->amount;
        if (k < FRAUD_WIDE_FROM) continue;
        sum->fraud[k - FRAUD_WIDE_FROM] += e->fraud ? row : 0;
        sum->ln[k - FRAUD_WIDE_FROM] += row * (uint64_t)(int64_t)e->ln;
        sum->square[k - FRAUD_WIDE_FROM] += row * (uint64_t)((int64_t)e->ln * e->ln);
    }
    sum->links += link_print(row, seq);
    if (fraud_state_has(s, older)) sum->links -= link_print(row, older);
}

static void add_edges(const fraud_state *s, state_sums *sum)
{
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        const fraud_edge *e = fraud_state_edge(s, seq);
        uint64_t from = row_print(e->from), to = row_print(e->to), pair = row_print(e->pair);
        add_end(s, e, seq, from, 0, &sum->end[0]);
        add_end(s, e, seq, to, 1, &sum->end[1]);
        sum->live += from + to;
        sum->pair_live += pair;
        for (int k = 0; k < FRAUD_N_WINDOW; k++) sum->pair_n[k] += seq >= s->tail[k] ? pair : 0;
        if (seq >= s->tail[FRAUD_W_28D]) sum->pair_amount += pair * (uint64_t)e->amount;
    }
}

static void take_entity(const fraud_state *s, uint32_t i, state_sums *sum)
{
    const fraud_entity *e = &s->entity[i];
    uint64_t row = row_print(i);
    sum->live -= row * e->live;
    for (int d = 0; d < 2; d++) {
        end_sums *end = &sum->end[d];
        for (int k = 0; k < FRAUD_N_WINDOW; k++) {
            end->n[k] -= row * e->w[k][d].n;
            end->amount[k] -= row * (uint64_t)e->w[k][d].sum;
            end->distinct[k] -= row * e->w[k][d].distinct;
        }
        for (int k = 0; k < FRAUD_N_WIDE; k++) {
            end->fraud[k] -= row * e->wide[k][d].fraud;
            end->ln[k] -= row * (uint64_t)e->wide[k][d].ln;
            end->square[k] -= row * (uint64_t)e->wide[k][d].ln_square;
        }
        if (fraud_state_has(s, e->head[d])) end->links -= link_print(row, e->head[d]);
    }
}

static void take_pair(const fraud_state *s, uint32_t i, state_sums *sum)
{
    const fraud_pair *p = &s->pair[i];
    uint64_t row = row_print(i), from = row_print(p->from), to = row_print(p->to);
    sum->pair_live -= row * p->live;
    sum->pair_amount -= row * (uint64_t)p->sum28;
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        sum->pair_n[k] -= row * p->n[k];
        sum->end[0].distinct[k] += p->n[k] ? from : 0;
        sum->end[1].distinct[k] += p->n[k] ? to : 0;
    }
}

static const char *sums_fault(const fraud_state *s, const row_counts *n)
{
    static const state_sums none;
    state_sums sum = none; /* numbers of 64 bits alone: no padding */
    add_edges(s, &sum);
    for (uint32_t i = 0; i < n->entities; i++) take_entity(s, i, &sum);
    for (uint32_t i = 0; i < n->pairs; i++) take_pair(s, i, &sum);
    return memcmp(&sum, &none, sizeof sum) ? "the rows' counts differ from their edges" : NULL;
}

/* Frauds whose edges are gone are known beside those of the ring. */
static const char *frauds_fault(const fraud_state *s, const row_counts *n)
{
    uint32_t(*count)[2] = calloc(n->entities + 1, sizeof *count);
    if (!count) return "no memory to check known frauds";
    const char *fault = NULL;
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        const fraud_edge *e = fraud_state_edge(s, seq);
        if (!e->fraud) continue;
        count[e->from][0]++;
        count[e->to][1]++;
    }
    for (uint64_t i = 0; i < n->entities && !fault; i++)
        if (s->entity[i].known[0].n < count[i][0] || s->entity[i].known[1].n < count[i][1])
            fault = "an entity knows fewer frauds than its edges";
    free(count);
    return fault;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static uint32_t next_entity(const fraud_state *s, uint32_t i) { return s->entity[i].next; }
static uint32_t lru_entity(const fraud_state *s, uint32_t i) { return s->entity[i].lru_next; }
static uint32_t next_pair(const fraud_state *s, uint32_t i) { return s->pair[i].next; }
static uint32_t lru_pair(const fraud_state *s, uint32_t i) { return s->pair[i].lru_next; }
typedef uint32_t row_step(const fraud_state *s, uint32_t i);

/* Marks each row of a list; false where it is longer than n or meets a row twice. */
static bool mark_list(const fraud_state *s, uint32_t head, row_step *step, uint64_t n, uint8_t *met)
{
    for (uint32_t i = head; i != FRAUD_NONE; i = step(s, i)) {
        if (!n-- || met[i]) return false;
        met[i] = 1;
    }
    return n == 0;
}

/* Each row follows one other row, a bucket or the head of the free rows. A circle of rows that no
 * bucket leads to is met by the walk over the table's list. */
static bool chains_fit(const fraud_state *s, const fraud_table *t, uint64_t rows, row_step *next,
                       uint8_t *met)
{
    uint64_t n = 0;
    memset(met, 0, rows);
    for (uint64_t i = 0; i < (uint64_t)t->n_bucket + rows + 1; i++) {
        uint32_t to = i < t->n_bucket          ? t->bucket[i] - 1
                      : i < t->n_bucket + rows ? next(s, (uint32_t)(i - t->n_bucket))
                                               : t->free_head;
        if (to == FRAUD_NONE) continue;
        if (to >= rows || met[to]) return false;
        met[to] = 1;
        n++;
    }
    return n == rows;
}

/* Every row is either used or free. */
static const char *table_lists_fault(const fraud_state *s, const fraud_table *t, uint64_t rows,
                                     row_step *lru, row_step *next)
{
    if (t->used > rows || !link_fits(t->free_head, rows) || !link_fits(t->lru_head, rows) ||
        !link_fits(t->lru_tail, rows))
        return "a table's list begins or ends outside of the table";
    uint8_t *met = calloc(rows + 1, 1);
    if (!met) return "no memory to check a table";
    bool whole = mark_list(s, t->lru_head, lru, t->used, met) &&
                 mark_list(s, t->free_head, next, rows - t->used, met) &&
                 chains_fit(s, t, rows, next, met);
    free(met);
    return whole ? NULL : "a table's lists do not hold each row once";
}

/* ---- all of it, on two threads --------------------------------------------------------------- */

typedef struct {
    const fraud_state *s;
    const row_counts *n;
    const char *fault;
} pairs_job;

static void *run_pairs_job(void *arg)
{
    pairs_job *job = arg;
    const fraud_state *s = job->s;
    job->fault = pair_rows_bounds(s, job->n);
    if (!job->fault)
        job->fault = table_lists_fault(s, &s->pairs, job->n->pairs, lru_pair, next_pair);
    if (!job->fault) job->fault = fraud_state_pairs_list_fault(s);
    return NULL;
}

static const char *others_fault(const fraud_state *s, const row_counts *n)
{
    const char *fault = entity_rows_fault(s, n->entities);
    if (!fault) fault = edge_rows_fault(s, n);
    if (!fault) fault = table_lists_fault(s, &s->entities, n->entities, lru_entity, next_entity);
    if (!fault) fault = fraud_state_entities_list_fault(s);
    if (!fault) fault = ids_fault(s);
    if (!fault) fault = names_fault(s);
    return fault ? fault : frauds_fault(s, n);
}

static const char *rows_fault(const fraud_state *s, const row_counts *n)
{
    pairs_job job = {.s = s, .n = n};
    pthread_t thread;
    bool beside = !pthread_create(&thread, NULL, run_pairs_job, &job);
    if (!beside) run_pairs_job(&job);
    const char *fault = others_fault(s, n);
    if (beside) pthread_join(thread, NULL);
    return fault ? fault : job.fault;
}

static const char *image_fault(const fraud_state *s, const row_counts *n)
{
    const uint64_t held = s->seq_next - s->seq_first;
    if (s->now < INT64_MIN / 2 || s->now > FRAUD_TS_MAX || !time_or_never(s->cut_ts))
        return "the clock shows no time";
    if (s->seq_first > s->seq_next || held > s->edge_cap || s->seq_next > INT64_MAX)
        return "the ring holds more edges than it has places";
    const char *fault = rows_fault(s, n);
    if (!fault) fault = fraud_state_ring_fault(s);
    if (!fault) fault = sums_fault(s, n);
    if (!fault) fault = fraud_aged_fault(s);
    return fault || !R1_DEEP_CHECKS ? fault : fraud_state_fault(s);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const r1_image_array *section_of(const r1_image_array *a, size_t n, const char *name)
{
    while (n-- > 0)
        if (!strcmp(a[n].name, name)) return &a[n];
    return NULL;
}

r1_status fraud_state_load(fraud_state *s, r1_image_in *in, r1_err *err)
{
    r1_image_array a[FRAUD_STATE_SECTIONS_MAX], now[FRAUD_STATE_SECTIONS_MAX];
    size_t n = fraud_state_sections(s, a);
    for (size_t i = 0; i < n; i++) R1_TRY(r1_image_get_array(in, &a[i], FRAUD_STATE_VERSION, err));
    fraud_state_sections(s, now);
    for (size_t i = 0; i < n; i++)
        if (a[i].n != now[i].n)
            R1_FAIL(err, R1_E_FORMAT, "%s: expected %llu rows, found %llu", a[i].name,
                    (unsigned long long)now[i].n, (unsigned long long)a[i].n);
    s->edge_lap = s->seq_next - s->seq_next % s->edge_cap;
    const row_counts rows = {section_of(now, n, "state.entity")->n,
                             section_of(now, n, "state.pair")->n};
    const char *fault = image_fault(s, &rows);
    if (fault) R1_FAIL(err, R1_E_FORMAT, "the state is damaged: %s", fault);
    return R1_OK;
}
