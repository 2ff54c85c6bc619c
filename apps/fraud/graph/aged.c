/* SPDX-License-Identifier: GPL-3.0-or-later */
/* aged.c - see aged.h: where a time lies among the slots, slots that move on, and the share of a
 * slot that lies in a window. */
#include "graph/aged.h"

#include "r1_assert.h"

#include <math.h>
#include <string.h>

enum {
    SLOT_MS = 1800000, /* the finest slot */
    N_LEVEL = 5,
    LEVELS_REPEAT = 336, /* half hours after which the borders of all levels meet again */
    ORIGIN = 1000 * LEVELS_REPEAT,
    HALF_LIFE = 480, /* half hours: ten days */
    PAIR_MOST = UINT16_MAX
};

/* Level: half hours of a slot, slots, the place of the first, and how many slots before the
 * current one the newest is. */
static const struct {
    int64_t width;
    int n, first, newest;
} levels[N_LEVEL] = {{1, 3, 0, 0}, {28, 3, 3, 0}, {84, 2, 6, 1}, {168, 2, 8, 1}, {336, 4, 10, 1}};
_Static_assert(LEVELS_REPEAT % 168 == 0 && LEVELS_REPEAT % 84 == 0 && LEVELS_REPEAT % 28 == 0,
               "each slot lies within one of the next level");

/* ---- places ---------------------------------------------------------------------------------- */

static int64_t half_hour(int64_t ts) { return ts / SLOT_MS + ORIGIN; }
static int64_t ms_of(int64_t half_hours) { return (half_hours - ORIGIN) * SLOT_MS; }

/* The first half hour that level l holds at time `now`; what is older lies in the levels above. */
static int64_t level_oldest(int l, int64_t now)
{
    return (now / levels[l].width - levels[l].newest - levels[l].n + 1) * levels[l].width;
}

/* The slot that holds time `t` at time `now`; -1: none any more. */
static int aged_place(int64_t t, int64_t now)
{
    for (int l = 0; l < N_LEVEL; l++)
        if (t >= level_oldest(l, now))
            return levels[l].first + (int)(t / levels[l].width % levels[l].n);
    return -1;
}

/* The beginning of slot k of level l, as of time `at`. */
static int64_t slot_begin(int l, int k, int64_t at)
{
    int64_t newest = at / levels[l].width - levels[l].newest;
    return (newest - (newest - k) % levels[l].n) * levels[l].width;
}

/* ---- slots that move on ---------------------------------------------------------------------- */

typedef struct { /* a row's slots, of an entity or of a pair */
    fraud_aged_entity *entity;
    fraud_aged_pair *pair;
} aged_row;

static void add_count(uint16_t *to, uint32_t n)
{
    *to = (uint16_t)(*to + n < PAIR_MOST ? *to + n : PAIR_MOST);
}

/* to -1: forgotten. */
static void slot_move(aged_row row, int from, int to)
{
    R1_ASSERT(from >= 0 && from < FRAUD_AGED_SLOTS && to < FRAUD_AGED_SLOTS && from != to,
              "aged: slot %d to %d", from, to);
    if (row.pair) {
        if (to >= 0) add_count(&row.pair->n[to], row.pair->n[from]);
        row.pair->n[from] = 0;
        return;
    }
    for (int d = 0; d < 2; d++) {
        fraud_aged_slot *slot = row.entity->end[d].slot, *old = &slot[from];
        if (to >= 0) {
            slot[to].n += old->n;
            slot[to].distinct += old->distinct;
            slot[to].sum += old->sum;
        }
        *old = (fraud_aged_slot){0};
    }
}

/* Coarse levels first, so that a slot's new place is free or of the same time. */
static void slots_advance(aged_row row, int64_t at, int64_t now)
{
    for (int l = N_LEVEL - 1; l >= 0; l--) {
        int64_t width = levels[l].width;
        if (at / width == now / width) continue;
        int64_t oldest = level_oldest(l, now);
        for (int k = 0; k < levels[l].n; k++) {
            int64_t begin = slot_begin(l, k, at);
            if (begin < oldest) slot_move(row, levels[l].first + k, aged_place(begin, now));
        }
    }
}

static void entity_advance(fraud_aged_entity *row, int64_t now)
{
    if (row->at && row->at != (uint32_t)now) {
        slots_advance((aged_row){.entity = row}, row->at, now);
        float keep = (float)exp2(-(double)(now - row->at) / HALF_LIFE);
        row->end[0].weight *= keep;
        row->end[1].weight *= keep;
    }
    row->at = (uint32_t)now;
}

static void pair_advance(fraud_aged_pair *row, int64_t now)
{
    if (row->at && row->at != (uint32_t)now) slots_advance((aged_row){.pair = row}, row->at, now);
    row->at = (uint32_t)now & (UINT32_MAX >> 1);
}

/* ---- edges that leave ------------------------------------------------------------------------ */

static void aged_mean(float *mean, float x, float weight) { *mean += (x - *mean) / weight; }

static void end_take(fraud_state *s, uint32_t i, int direction, const fraud_edge *edge, int place,
                     bool stands)
{
    fraud_aged_entity *row = &s->aged_entity[i];
    fraud_aged_end *end = &row->end[direction];
    entity_advance(row, half_hour(s->now));
    end->slot[place].n++;
    end->slot[place].distinct += stands;
    end->slot[place].sum += (float)edge->amount;
    end->weight += 1;
    aged_mean(&end->ln, (float)edge->ln, end->weight);
    aged_mean(&end->ln_square, (float)edge->ln * (float)edge->ln, end->weight);
    aged_mean(&end->fraud, edge->fraud, end->weight);
}

static uint32_t pair_held(const fraud_aged_pair *row)
{
    uint32_t n = 0;
    for (int i = 0; i < FRAUD_AGED_SLOTS; i++) n += row->n[i];
    return n;
}

void fraud_aged_take(fraud_state *s, const fraud_edge *edge)
{
    int place = aged_place(half_hour(edge->ts), half_hour(s->now));
    R1_ASSERT(place >= 0, "aged: an edge of %lld at %lld", (long long)edge->ts, (long long)s->now);
    bool stands = !s->pair[edge->pair].live;
    end_take(s, edge->from, 0, edge, place, stands);
    end_take(s, edge->to, 1, edge, place, stands);
    fraud_aged_pair *row = &s->aged_pair[edge->pair];
    pair_advance(row, half_hour(s->now));
    add_count(&row->n[place], 1);
    aged_mean(&row->mean, (float)edge->amount, (float)pair_held(row));
    row->stands = stands;
}

static void end_returns(fraud_state *s, uint32_t i, int direction, int64_t last_ts)
{
    fraud_aged_entity *row = &s->aged_entity[i];
    entity_advance(row, half_hour(s->now));
    int place = aged_place(half_hour(last_ts), half_hour(s->now));
    if (place < 0) return;
    R1_ASSERT(row->end[direction].slot[place].distinct > 0, "aged: a pair stands in no slot");
    row->end[direction].slot[place].distinct--;
}

void fraud_aged_pair_returns(fraud_state *s, uint32_t pair)
{
    if (s->cut_ts == FRAUD_NEVER || !s->aged_pair[pair].stands) return;
    const fraud_pair *row = &s->pair[pair];
    s->aged_pair[pair].stands = false;
    end_returns(s, row->from, 0, row->last_ts);
    end_returns(s, row->to, 1, row->last_ts);
}

void fraud_aged_clear_entity(fraud_state *s, uint32_t i)
{
    if (s->cut_ts != FRAUD_NEVER && s->aged_entity[i].at)
        memset(&s->aged_entity[i], 0, sizeof s->aged_entity[i]);
}

void fraud_aged_clear_pair(fraud_state *s, uint32_t i)
{
    if (s->cut_ts != FRAUD_NEVER && s->aged_pair[i].at)
        memset(&s->aged_pair[i], 0, sizeof s->aged_pair[i]);
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct {          /* what is asked of a row's slots */
    int64_t at;           /* of the row, in half hours */
    int64_t first, last;  /* no edge of the row is older or newer; ms */
    int64_t window_begin; /* ms; what is newer lies in the window */
} aged_query;

/* The share of slot k of level l that lies in the window. What the level below still holds is not
 * in the slot yet. */
static double slot_share(const aged_query *q, int l, int k)
{
    int64_t begin = slot_begin(l, k, q->at), end = begin + levels[l].width,
            below = l ? level_oldest(l - 1, q->at) : end, low = ms_of(begin),
            high = ms_of(end < below ? end : below) - 1;
    if (low < q->first) low = q->first;
    if (high > q->last) high = q->last;
    if (high <= q->window_begin) return 0;
    if (low > q->window_begin) return 1;
    return (double)(high - q->window_begin) / (double)(high - low + 1);
}

static aged_query query_of(const fraud_state *s, int64_t at, int k, int64_t first, int64_t last)
{
    return (aged_query){.at = at,
                        .first = first,
                        .last = last < s->cut_ts ? last : s->cut_ts,
                        .window_begin = s->now - FRAUD_WINDOW_MS[k]};
}

void fraud_aged_read(const fraud_state *s, uint32_t i, int k, int direction, fraud_window *w)
{
    const fraud_aged_entity *row = &s->aged_entity[i];
    const fraud_entity *e = &s->entity[i];
    if (!row->at || e->last_ts[direction] <= s->now - FRAUD_WINDOW_MS[k]) return;
    const aged_query q = query_of(s, row->at, k, e->first_ts, e->last_ts[direction]);
    const fraud_aged_end *end = &row->end[direction];
    double n = 0;
    for (int l = 0; l < N_LEVEL; l++)
        for (int j = 0; j < levels[l].n; j++) {
            const fraud_aged_slot *slot = &end->slot[levels[l].first + j];
            if (!slot->n && !slot->distinct) continue;
            double share = slot_share(&q, l, j);
            n += share * slot->n;
            w->distinct += share * slot->distinct;
            w->sum += share * (double)slot->sum;
        }
    if (!(n > 0)) return;
    w->aged = true;
    w->n += n;
    if (k < FRAUD_WIDE_FROM) return;
    w->ln += n * (double)end->ln;
    w->ln_square += n * (double)end->ln_square;
    w->fraud += n * (double)end->fraud;
}

double fraud_aged_pair_n(const fraud_state *s, uint32_t i, int k)
{
    const fraud_aged_pair *row = &s->aged_pair[i];
    const fraud_pair *pair = &s->pair[i];
    if (!row->at || pair->last_ts <= s->now - FRAUD_WINDOW_MS[k]) return 0;
    const aged_query q = query_of(s, row->at, k, pair->first_ts, pair->last_ts);
    double n = 0;
    for (int l = 0; l < N_LEVEL; l++)
        for (int j = 0; j < levels[l].n; j++) {
            uint32_t held = row->n[levels[l].first + j];
            if (held) n += held * slot_share(&q, l, j);
        }
    return n;
}

/* ---- checks ---------------------------------------------------------------------------------- */

const char *fraud_aged_fault(const fraud_state *s)
{
    if (s->cut_ts == FRAUD_NEVER) return NULL;
    for (uint32_t i = s->entities.lru_head; i != FRAUD_NONE; i = s->entity[i].lru_next) {
        const fraud_aged_entity *row = &s->aged_entity[i];
        if ((int64_t)row->at > half_hour(s->now)) return "aged slots are newer than the clock";
        for (int d = 0; d < 2; d++) {
            uint64_t n = 0, distinct = 0;
            for (int k = 0; k < FRAUD_AGED_SLOTS; k++) {
                n += row->end[d].slot[k].n;
                distinct += row->end[d].slot[k].distinct;
            }
            if (n > s->entity[i].total[d]) return "aged slots hold more than was ever paid";
            if (distinct > n) return "aged slots hold more ends than payments";
        }
    }
    for (uint32_t i = s->pairs.lru_head; i != FRAUD_NONE; i = s->pair[i].lru_next) {
        if (s->aged_pair[i].stands && s->pair[i].live)
            return "a pair with an edge stands among the aged";
        if (pair_held(&s->aged_pair[i]) > s->pair[i].total)
            return "aged slots of a pair hold more than it ever paid";
    }
    return NULL;
}

uint64_t fraud_aged_hash(const fraud_state *s, uint32_t i, uint64_t h)
{
    if (s->cut_ts == FRAUD_NEVER || !s->aged_entity[i].at) return h;
    return r1_hash64(&s->aged_entity[i], sizeof s->aged_entity[i], h);
}

uint64_t fraud_aged_pair_hash(const fraud_state *s, uint32_t i, uint64_t h)
{
    if (s->cut_ts == FRAUD_NEVER || !s->aged_pair[i].at) return h;
    return r1_hash64(&s->aged_pair[i], sizeof s->aged_pair[i], h);
}
