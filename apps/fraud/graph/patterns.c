/* SPDX-License-Identifier: GPL-3.0-or-later */
/* patterns.c - bounded walks around a new edge; every list lies on the stack. */
#include "graph/patterns.h"

#include "graph/findings.h"
#include "r1_assert.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The newest payments of one entity in one direction, and the distinct other ends. */
typedef struct {
    const fraud_edge *edge[FRAUD_NEAR];
    uint32_t other[FRAUD_NEAR]; /* distinct */
    uint8_t which[FRAUD_NEAR];  /* edge i has other end other[which[i]] */
    int n, n_other;
} near_list;

enum { WALK_BYTES = offsetof(fraud_entity, born) }; /* what walks read of an entity */

/* GCC takes a function that does nothing but prefetch for one without effect, and drops its calls.
 * The asm keeps them. */
static inline void patterns_prefetch(const void *row, size_t bytes)
{
    const char *first = row, *last = first + bytes - 1;
    __builtin_prefetch(first);
    __builtin_prefetch(last); /* rows lie across two lines */
    __asm__ volatile("" : : "r"(first));
}

static void prefetch_edge(const fraud_state *s, uint64_t seq)
{
    patterns_prefetch(fraud_state_edge(s, seq), sizeof(fraud_edge));
}

/* The place of x in the list, n where it is not there. */
static int patterns_find(const uint32_t *list, int n, uint32_t x)
{
    int i = 0;
    while (i < n && list[i] != x) i++;
    return i;
}

static bool patterns_contains(const uint32_t *list, int n, uint32_t x)
{
    return patterns_find(list, n, x) < n;
}

static uint32_t patterns_other_end(const fraud_edge *edge, int direction)
{
    return direction ? edge->from : edge->to;
}

/* direction 0: payments out of i, 1: into i. External other ends are left out. */
static void patterns_near_fill(const fraud_state *s, uint32_t i, int direction, int cap,
                               near_list *l)
{
    R1_ASSERT(cap <= FRAUD_NEAR && i < s->entities.cap, "near list: %d of entity %u", cap, i);
    l->n = l->n_other = 0;
    if (s->entity[i].role == FRAUD_ROLE_EXTERNAL) return;
    uint64_t seq = s->entity[i].head[direction];
    for (int step = 0; step < 2 * cap && l->n < cap && fraud_state_has(s, seq); step++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if (edge->ts <= s->now - FRAUD_WINDOW_MS[FRAUD_W_28D]) break;
        seq = fraud_edge_older(edge, seq, direction);
        uint32_t other = patterns_other_end(edge, direction);
        if (fraud_edge_external(edge, !direction)) continue;
        int which = patterns_find(l->other, l->n_other, other);
        if (which == l->n_other) l->other[l->n_other++] = other;
        l->which[l->n] = (uint8_t)which;
        l->edge[l->n++] = edge;
    }
}

/* The newest payments of each of l's other ends. */
static void far_fill(const fraud_state *s, const near_list *l, int direction,
                     near_list far[FRAUD_NEAR])
{
    for (int i = 0; i < l->n_other; i++)
        patterns_near_fill(s, l->other[i], direction, FRAUD_FAR, &far[i]);
}

/* The other ends' own payments are read next, one cache line each, and every line tells where
 * the one before it lies. All chains are followed side by side here, so that their misses
 * overlap; the walks afterwards find the lines at hand. */
static void prefetch_far(const fraud_state *s, const near_list *l, int direction)
{
    uint64_t at[FRAUD_NEAR];
    int n = 0;
    for (int i = 0; i < l->n_other; i++) patterns_prefetch(&s->entity[l->other[i]], WALK_BYTES);
    for (int i = 0; i < l->n_other; i++) {
        at[n] = s->entity[l->other[i]].head[direction];
        if (fraud_state_has(s, at[n])) prefetch_edge(s, at[n++]);
    }
    for (int step = 1; step < FRAUD_FAR && n; step++) {
        int left = 0;
        for (int i = 0; i < n; i++) {
            uint64_t older = fraud_edge_older(fraud_state_edge(s, at[i]), at[i], direction);
            if (!fraud_state_has(s, older)) continue;
            prefetch_edge(s, older);
            at[left++] = older;
        }
        n = left;
    }
}

/* The same for the first hop: four chains side by side. */
static void prefetch_near(const fraud_state *s, uint32_t u, uint32_t v)
{
    const uint64_t head[4] = {s->entity[u].head[0], s->entity[u].head[1], s->entity[v].head[0],
                              s->entity[v].head[1]};
    uint64_t at[4];
    memcpy(at, head, sizeof at);
    for (int i = 0; i < 4; i++)
        if (fraud_state_has(s, at[i])) prefetch_edge(s, at[i]);
    for (int step = 1; step < FRAUD_NEAR; step++)
        for (int i = 0; i < 4; i++) {
            if (!fraud_state_has(s, at[i])) continue;
            at[i] = fraud_edge_older(fraud_state_edge(s, at[i]), at[i], i % 2);
            if (fraud_state_has(s, at[i])) prefetch_edge(s, at[i]);
        }
}

static float patterns_days(int64_t ms) { return (float)((double)ms / (double)FRAUD_DAY_MS); }
static float ln_ratio(int32_t a, int32_t b) { return (float)abs(a - b) / 1024.0f; }

static void cycle_found(const fraud_state *s, const fraud_edge *first, const fraud_edge *last,
                        int32_t ln, float *count, fraud_patterns *p)
{
    *count += 1;
    float age = patterns_days(s->now - first->ts), ratio = ln_ratio(ln, last->ln);
    if (!(age >= p->cycle_age)) p->cycle_age = age;
    if (!(ratio >= p->cycle_ratio)) p->cycle_ratio = ratio;
}

/* Paths v -> ... -> u in the order of time; outs = payments out of v, ins = payments into u, far =
 * payments into each of their other ends. */
static void count_cycles(const fraud_state *s, uint32_t u, uint32_t v, const near_list *outs,
                         const near_list *ins, const near_list *far, int32_t ln, fraud_patterns *p)
{
    for (int i = 0; i < outs->n; i++)
        if (outs->edge[i]->to == u) cycle_found(s, outs->edge[i], outs->edge[i], ln, &p->cycle2, p);
    for (int j = 0; j < ins->n; j++) {
        const fraud_edge *last = ins->edge[j];
        const near_list *before = &far[ins->which[j]];
        if (last->from == v || last->from == u) continue;
        for (int i = 0; i < outs->n; i++)
            if (outs->edge[i]->to == last->from && outs->edge[i]->ts <= last->ts)
                cycle_found(s, outs->edge[i], last, ln, &p->cycle3, p);
        for (int k = 0; k < before->n; k++) {
            const fraud_edge *mid = before->edge[k];
            if (mid->ts > last->ts || mid->from == u || mid->from == v || mid->from == last->from)
                continue;
            for (int i = 0; i < outs->n; i++)
                if (outs->edge[i]->to == mid->from && outs->edge[i]->ts <= mid->ts)
                    cycle_found(s, outs->edge[i], last, ln, &p->cycle4, p);
        }
    }
}

static float patterns_overlap(const uint32_t *a, int n_a, const uint32_t *b, int n_b, uint32_t not1,
                              uint32_t not2)
{
    int n = 0;
    for (int i = 0; i < n_a; i++)
        if (a[i] != not1 && a[i] != not2 && patterns_contains(b, n_b, a[i])) n++;
    return (float)n;
}

/* A set of entities that tells most strangers at once. */
typedef struct {
    uint64_t bits[4];
    const near_list *list;
} near_set;

static near_set set_of(const near_list *l)
{
    near_set set = {.list = l};
    for (int i = 0; i < l->n_other; i++)
        set.bits[l->other[i] / 64 % 4] |= UINT64_C(1) << l->other[i] % 64;
    return set;
}

/* Whether one of l's other ends, but for not1 and not2, is in the set. */
static bool patterns_meet(const near_list *l, const near_set *set, uint32_t not1, uint32_t not2)
{
    for (int i = 0; i < l->n_other; i++) {
        uint32_t x = l->other[i];
        if (set->bits[x / 64 % 4] >> x % 64 & 1 && x != not1 && x != not2 &&
            patterns_contains(set->list->other, set->list->n_other, x))
            return true;
    }
    return false;
}

/* Second hops from each of v's other sources b: does b share a source, or a sink, with u? */
static void count_shared(const fraud_state *s, uint32_t u, uint32_t v, const near_list *u_in,
                         const near_list *u_out, const near_list *v_in, fraud_patterns *p)
{
    const near_set sources = set_of(u_in), sinks = set_of(u_out);
    near_list far;
    for (int i = 0; i < v_in->n_other; i++) {
        uint32_t b = v_in->other[i];
        if (b == u || b == v) continue;
        patterns_near_fill(s, b, 1, FRAUD_FAR, &far);
        p->shared_source += patterns_meet(&far, &sources, v, b);
        patterns_near_fill(s, b, 0, FRAUD_FAR, &far);
        p->shared_sink += patterns_meet(&far, &sinks, v, u);
    }
}

/* Distinct ends behind the other ends of l; far = payments of each of these. */
static float second_hop(const near_list *l, const near_list *far, uint32_t self)
{
    uint32_t seen[FRAUD_NEAR * FRAUD_FAR];
    int n = 0;
    for (int i = 0; i < l->n_other; i++)
        for (int k = 0; k < far[i].n_other; k++)
            if (far[i].other[k] != self && !patterns_contains(seen, n, far[i].other[k]))
                seen[n++] = far[i].other[k];
    R1_ASSERT(n <= (int)R1_COUNT(seen), "second hop: %d entities", n);
    return (float)n;
}

/* Distinct ends of an entity within 28 days. */
static double ends_of(const fraud_state *s, uint32_t i, int direction)
{
    return fraud_state_distinct(s, i, FRAUD_W_28D, direction);
}

static void fan_of(const fraud_state *s, const near_list *l, uint32_t not1, float *out_max,
                   float *in_max, float *out_mean, float *in_mean)
{
    double out = 0, in = 0;
    int n = 0;
    for (int i = 0; i < l->n_other; i++) {
        if (l->other[i] == not1) continue;
        double d[2] = {ends_of(s, l->other[i], 0), ends_of(s, l->other[i], 1)};
        if ((float)d[0] > *out_max) *out_max = (float)d[0];
        if ((float)d[1] > *in_max) *in_max = (float)d[1];
        out += d[0];
        in += d[1];
        n++;
    }
    if (out_mean && n) *out_mean = (float)(out / n);
    if (in_mean && n) *in_mean = (float)(in / n);
}

static void amount_share(const fraud_state *s, const near_list *l, int direction, uint32_t not1,
                         int32_t ln, float *share, float *fresh)
{
    int n = 0, close = 0, once = 0;
    for (int i = 0; i < l->n; i++) {
        if (patterns_other_end(l->edge[i], direction) == not1) continue;
        n++;
        close += abs(l->edge[i]->ln - ln) < FRAUD_PATTERN_CLOSE;
        once += fraud_pair_only(s, l->edge[i]->pair);
    }
    if (!n) return;
    *share = (float)close / (float)n;
    *fresh = (float)once / (float)n;
}

static void pass_through(const fraud_state *s, const near_list *ins, int32_t ln, fraud_patterns *p)
{
    for (int i = 0; i < ins->n; i++) {
        float ratio = ln_ratio(ln, ins->edge[i]->ln);
        if (ratio >= p->through_ratio) continue;
        p->through_ratio = ratio;
        p->through_age = patterns_days(s->now - ins->edge[i]->ts);
    }
}

void fraud_patterns_count(const fraud_state *s, uint32_t u, uint32_t v, int32_t ln,
                          fraud_patterns *p)
{
    near_list u_in, u_out, v_in, v_out, far[FRAUD_NEAR];
    memset(p, 0, sizeof *p);
    p->ln = ln;
    p->cycle_age = p->cycle_ratio = p->through_age = NAN;
    p->peer_amount = p->side_amount = p->peer_new = p->side_new = NAN;
    p->through_ratio = INFINITY;
    prefetch_near(s, u, v);
    patterns_near_fill(s, u, 1, FRAUD_NEAR, &u_in);
    patterns_near_fill(s, u, 0, FRAUD_NEAR, &u_out);
    patterns_near_fill(s, v, 1, FRAUD_NEAR, &v_in);
    patterns_near_fill(s, v, 0, FRAUD_NEAR, &v_out);
    prefetch_far(s, &u_in, 1);
    prefetch_far(s, &v_in, 1);
    prefetch_far(s, &v_in, 0);
    prefetch_far(s, &v_out, 0);
    far_fill(s, &u_in, 1, far);
    count_cycles(s, u, v, &v_out, &u_in, far, ln, p);
    p->up2 = second_hop(&u_in, far, u);
    p->parallel = patterns_overlap(u_out.other, u_out.n_other, v_in.other, v_in.n_other, u, v);
    count_shared(s, u, v, &u_in, &u_out, &v_in, p);
    far_fill(s, &v_out, 0, far);
    p->down2 = second_hop(&v_out, far, v);
    fan_of(s, &u_in, v, &p->up_fan_out, &p->up_fan_in, NULL, NULL);
    fan_of(s, &v_in, u, &p->peer_fan_out, &p->peer_fan_in, &p->peer_fan_out_mean, NULL);
    fan_of(s, &u_out, v, &p->side_fan_out, &p->side_fan_in, NULL, &p->side_fan_in_mean);
    fan_of(s, &v_out, u, &p->down_fan_out, &p->down_fan_in, NULL, NULL);
    for (int i = 0; i < u_in.n; i++)
        if (u_in.edge[i]->depth > p->depth) p->depth = u_in.edge[i]->depth;
    pass_through(s, &u_in, ln, p);
    if (isinf(p->through_ratio)) p->through_ratio = NAN;
    amount_share(s, &v_in, 1, u, ln, &p->peer_amount, &p->peer_new);
    amount_share(s, &u_out, 0, v, ln, &p->side_amount, &p->side_new);
}

/* Is there a payment of that direction within the last `within` days whose amount is in the band
 * of findings.h? */
static bool like_near(const fraud_state *s, uint32_t i, int direction, int32_t ln, int64_t within)
{
    uint64_t seq = s->entity[i].head[direction];
    for (int k = 0; k < FRAUD_FINDING_NEAR && fraud_state_has(s, seq); k++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if (edge->ts <= s->now - within * FRAUD_DAY_MS) return false;
        if (abs(edge->ln - ln) <= FRAUD_FINDING_CYCLE_BAND) return true;
        seq = fraud_edge_older(edge, seq, direction);
    }
    return false;
}

bool fraud_patterns_gate(const fraud_state *s, uint32_t from, uint32_t to, const fraud_patterns *p)
{
    const fraud_entity *u = &s->entity[from], *v = &s->entity[to];
    uint32_t pair = fraud_state_pair(s, from, to);
    if (from == to || u->role != FRAUD_ROLE_ACCOUNT || v->role != FRAUD_ROLE_ACCOUNT) return false;
    if (pair != FRAUD_NONE && fraud_pair_n(s, pair, FRAUD_W_28D) > 0) return false;
    double paid_by_u = ends_of(s, from, 0);
    if (ends_of(s, to, 1) + 1 >= FRAUD_FINDING_FAN || paid_by_u + 1 >= FRAUD_FINDING_FAN)
        return true;
    if (p->shared_source > 0 || p->shared_sink > 0) return true;
    if (ends_of(s, from, 1) >= FRAUD_FINDING_SPOKES && paid_by_u + 1 >= FRAUD_FINDING_SPOKES)
        return true;
    return like_near(s, from, 1, p->ln, FRAUD_FINDING_GAP_DAYS + 1) &&
           like_near(s, to, 0, p->ln, FRAUD_FINDING_DAYS);
}
