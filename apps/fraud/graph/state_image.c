/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state_image.c - the state as sections of bytes and back. What is read from outside is bounded
 * here, row by row, before fraud_state_fault_at_once follows its links: no index leaves its array,
 * no list runs in a circle, no number is one that arithmetic cannot bear. */
#include "graph/state.h"

#include <math.h>
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
static bool link_fits(uint32_t i, uint64_t n) { return i < n || i == FRAUD_NONE; }

static bool flags_fit(const void *flag, size_t n)
{
    const uint8_t *byte = flag; /* a bool that is neither 0 nor 1 must not be read as one */
    for (size_t i = 0; i < n; i++)
        if (byte[i] > 1) return false;
    return true;
}

static const char *edge_rows_fault(const fraud_state *s)
{
    for (uint64_t seq = s->seq_first; seq < s->seq_next; seq++) {
        const fraud_edge *e = fraud_state_edge(s, seq);
        const fraud_edge_name *name = &s->edge_name[seq % s->edge_cap];
        if (e->from >= s->entities.cap || e->to >= s->entities.cap || e->pair >= s->pairs.cap)
            return "an edge names a row that is not there";
        if (e->amount <= 0 || e->amount > 100 * FRAUD_AMOUNT_MAX || !time_fits(e->ts) ||
            e->ln != fraud_ln1024(e->amount))
            return "an edge has another amount or time than a payment can have";
        if (e->kind >= FRAUD_N_KIND || e->fraud > 1 || e->channel >= 16 ||
            !flags_fit(e->external, sizeof e->external))
            return "an edge has a mark that is none";
        if (!memchr(name->tx_id, 0, sizeof name->tx_id)) return "a payment's id has no end";
        if (name->tx_prev != FRAUD_NO_SEQ && name->tx_prev >= seq)
            return "the index of ids does not lead to older edges";
    }
    return NULL;
}

static const char *entity_rows_fault(const fraud_state *s, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const fraud_entity *e = &s->entity[i];
        bool seen[2] = {e->total[0] > 0, e->total[1] > 0};
        if (!link_fits(e->next, n) || !link_fits(e->lru_prev, n) || !link_fits(e->lru_next, n))
            return "an entity's link leads out of the table";
        if (!memchr(e->name, 0, sizeof e->name) || e->role >= FRAUD_N_ROLE)
            return "an entity's name or role is none";
        if (!time_fits(e->first_ts) || (seen[0] && !time_fits(e->last_ts[0])) ||
            (seen[1] && !time_fits(e->last_ts[1])))
            return "an entity has a time that is none";
        for (int d = 0; d < 2; d++)
            if (!time_fits(e->known[d].first_ts) || !time_fits(e->known[d].last_ts))
                return "a known fraud has a time that is none";
        if (!isnan(e->lat) && !(fabsf(e->lat) <= 90 && fabsf(e->lon) <= 180))
            return "an entity's position is not on the globe";
    }
    return NULL;
}

static const char *pair_rows_bounds(const fraud_state *s, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const fraud_pair *p = &s->pair[i];
        if (!link_fits(p->next, n) || !link_fits(p->lru_prev, n) || !link_fits(p->lru_next, n))
            return "a pair's link leads out of the table";
        if (p->from >= s->entities.cap || p->to >= s->entities.cap)
            return "a pair names an entity that is not there";
        if (!time_fits(p->first_ts) || !time_fits(p->last_ts)) return "a pair's time is none";
    }
    return NULL;
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
 * bucket leads to is met by fraud_state_fault. */
static bool chains_fit(const fraud_state *s, const fraud_table *t, uint64_t rows, row_step *next,
                       uint8_t *met)
{
    uint64_t n = 0;
    memset(met, 0, rows);
    for (uint64_t i = 0; i < (uint64_t)t->n_bucket + rows + 1; i++) {
        uint32_t to = i < t->n_bucket          ? t->bucket[i]
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

static const char *bounds_fault(const fraud_state *s, uint64_t entities, uint64_t pairs)
{
    const uint64_t held = s->seq_next - s->seq_first;
    if (s->now < INT64_MIN / 2 || s->now > FRAUD_TS_MAX) return "the clock shows no time";
    if (s->seq_first > s->seq_next || held > s->edge_cap || s->seq_next > INT64_MAX)
        return "the ring holds more edges than it has places";
    const char *fault = entity_rows_fault(s, entities);
    if (!fault) fault = pair_rows_bounds(s, pairs);
    if (!fault) fault = edge_rows_fault(s);
    if (!fault) fault = table_lists_fault(s, &s->entities, entities, lru_entity, next_entity);
    if (!fault) fault = table_lists_fault(s, &s->pairs, pairs, lru_pair, next_pair);
    return fault;
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
    const char *fault =
        bounds_fault(s, section_of(now, n, "state.entity")->n, section_of(now, n, "state.pair")->n);
    if (!fault) fault = fraud_state_fault_at_once(s);
    if (fault) R1_FAIL(err, R1_E_FORMAT, "the state is damaged: %s", fault);
    return R1_OK;
}
