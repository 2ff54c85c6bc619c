/* SPDX-License-Identifier: Apache-2.0 */
/* test_batcher.c - the batcher's decisions against a plain twin that scans one list, and their
 * promises on random traces; the cost model against costs that are known; then threads: nothing
 * lost or answered twice, order, back-pressure, shutdown, and a model's answers equal to the
 * bit. */
#include "core/toy.h"
#include "infer/batch_policy.h"
#include "support/r1_test.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_MAX = 400, OUT_MAX = 512 };

/* ---- a simulated machine --------------------------------------------------------------------- */

typedef struct {
    r1_request r[N_MAX];
    int64_t arrive_us[N_MAX], start_us[N_MAX], end_us[N_MAX];
    uint32_t batch[N_MAX]; /* which batch answered it; 0: none, UINT32_MAX: refused as late */
    bool nobody[N_MAX];    /* nobody waited when it came */
    size_t n;
} trace;

static void make_trace(trace *t, r1_rng *rng, size_t n, const r1_batcher_opts *o, double gap_us,
                       bool own_deadlines)
{
    memset(t, 0, sizeof *t);
    t->n = n;
    int64_t now = 1000;
    for (size_t i = 0; i < n; i++) {
        now += 1 + (int64_t)r1_rng_exponential(rng, r1_rng_below(rng, 4) ? gap_us / 2 : 2 * gap_us);
        t->arrive_us[i] = now;
        t->r[i].class_id = (uint32_t)r1_rng_below(rng, o->n_class);
        t->r[i].length = 1 + (uint32_t)r1_rng_below(rng, r1_rng_below(rng, 3) ? 20 : 200);
        if (own_deadlines && r1_rng_below(rng, 2))
            t->r[i].deadline_us = now + 1 + (int64_t)r1_rng_below(rng, 5000);
    }
}

/* Which requests the next batch takes, by whatever makes the decisions. */
typedef size_t (*next_fn)(void *who, int64_t now, uint32_t idle, r1_request **out, size_t *n_late);
typedef void (*add_fn)(void *who, r1_request *r, int64_t now);

/* Runs a trace with n_worker workers; batches take what the policy predicts, to the microsecond. */
static void batcher_simulate(trace *t, void *who, add_fn add, next_fn next,
                             const r1_batch_policy *costs, uint32_t n_worker)
{
    int64_t free_us[4] = {0}, now = 0;
    size_t at = 0, waiting = 0;
    uint32_t batches = 0;
    bool padded = r1_batch_policy_opts(costs)->padded;
    while (at < t->n || waiting) {
        uint32_t idle = 0, worker = 0;
        for (uint32_t w = 0; w < n_worker; w++) {
            if (free_us[w] < free_us[worker]) worker = w;
            idle += free_us[w] <= now;
        }
        if (at < t->n && t->arrive_us[at] <= now) {
            t->nobody[at] = waiting == 0;
            add(who, &t->r[at], t->arrive_us[at]);
            at++, waiting++;
            continue;
        }
        if (!waiting || !idle) { /* to the next event */
            int64_t arrival = at < t->n ? t->arrive_us[at] : INT64_MAX,
                    ready = waiting ? free_us[worker] : INT64_MAX;
            now = arrival < ready ? arrival : ready;
            continue;
        }
        r1_request *out[OUT_MAX];
        size_t n_late, n = next(who, now, idle, out, &n_late);
        CU_ASSERT_TRUE_FATAL(n + n_late > 0); /* an idle worker never waits */
        uint64_t units = 0;
        uint32_t longest = 0;
        for (size_t i = 0; i < n; i++) {
            units += out[i]->length;
            if (out[i]->length > longest) longest = out[i]->length;
        }
        int64_t took = (int64_t)ceil(r1_batch_policy_cost(costs, n, padded ? n * longest : units));
        batches++;
        for (size_t i = 0; i < n + n_late; i++) {
            size_t k = (size_t)(out[i] - t->r);
            CU_ASSERT_EQUAL_FATAL(t->batch[k], 0); /* once */
            t->batch[k] = i < n ? batches : UINT32_MAX;
            t->start_us[k] = now;
            t->end_us[k] = i < n ? now + took : now;
        }
        if (n) free_us[worker] = now + took;
        waiting -= n + n_late;
    }
    for (size_t i = 0; i < t->n; i++) CU_ASSERT_NOT_EQUAL_FATAL(t->batch[i], 0); /* nothing lost */
}

static void policy_add(void *who, r1_request *r, int64_t now)
{
    r1_err err;
    R1_ASSERT_OK(r1_batch_policy_add(who, r, now, &err), &err);
}
static size_t policy_next(void *who, int64_t now, uint32_t idle, r1_request **out, size_t *n_late)
{
    return r1_batch_policy_next(who, now, idle, out, n_late);
}

/* ---- the plain twin -------------------------------------------------------------------------- */

/* All that wait in one list, in order of arrival; every question is answered by scanning it. */
typedef struct {
    const r1_batch_policy *costs;
    r1_batcher_opts o;
    r1_request *list[N_MAX];
    size_t n;
    double deficit[R1_BATCH_CLASSES_MAX];
    uint32_t turn;
} twin;

static int batcher_group(const twin *w, const r1_request *r)
{
    return w->o.padded ? (int)ceil(log2(r->length)) : 0;
}
static int64_t batcher_us(double x) { return (int64_t)ceil(x); }
static int64_t last_start(const twin *w, const r1_request *r)
{
    return r->deadline_us - batcher_us(r1_batch_policy_cost(w->costs, 1, r->length));
}
static bool is_head(const twin *w, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (w->list[k]->class_id == w->list[i]->class_id &&
            batcher_group(w, w->list[k]) == batcher_group(w, w->list[i]))
            return false;
    return true;
}
static size_t of_class(const twin *w, uint32_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) n += w->list[i]->class_id == c;
    return n;
}
static void batcher_drop(twin *w, size_t i)
{
    uint32_t c = w->list[i]->class_id;
    memmove(w->list + i, w->list + i + 1, (--w->n - i) * sizeof *w->list);
    if (!of_class(w, c)) w->deficit[c] = 0;
}

static int64_t batcher_time_of(const twin *w, r1_request *const *b, size_t n,
                               const r1_request *more)
{
    uint64_t units = more ? more->length : 0, longest = units;
    for (size_t i = 0; i < n; i++) {
        units += b[i]->length;
        if (b[i]->length > longest) longest = b[i]->length;
    }
    n += more != NULL;
    return batcher_us(r1_batch_policy_cost(w->costs, n, w->o.padded ? n * longest : units));
}

static bool may_join(const twin *w, int64_t now, r1_request *const *b, size_t n,
                     const r1_request *r)
{
    if (!n) return true;
    int64_t took = batcher_time_of(w, b, n, r);
    if (w->o.batch_us_max && took > w->o.batch_us_max) return false;
    for (size_t i = 0; i <= n; i++) {
        const r1_request *x = i < n ? b[i] : r;
        if (now <= last_start(w, x) && now + took > x->deadline_us) return false;
    }
    return !w->o.padded || took - batcher_time_of(w, b, n, NULL) <=
                               batcher_us(r1_batch_policy_cost(w->costs, 1, r->length));
}

/* By class and group, at most batch_max at a time. */
static void shed_heads(twin *w, int64_t now, r1_request **late, size_t *n_late)
{
    for (uint32_t c = 0; w->o.drop_late && c < w->o.n_class; c++)
        for (int g = 0; g < 25; g++)
            for (size_t i = 0; i < w->n && *n_late < w->o.batch_max;) {
                const r1_request *r = w->list[i];
                bool goes = r->class_id == c && batcher_group(w, r) == g && is_head(w, i) &&
                            now > last_start(w, r);
                if (goes) late[(*n_late)++] = w->list[i];
                if (goes) batcher_drop(w, i);
                i = goes ? 0 : i + 1;
            }
}

static size_t most_urgent(const twin *w, int64_t now, int64_t next_us, r1_request *const *b,
                          size_t n)
{
    size_t best = w->n;
    int64_t first = INT64_MAX;
    for (uint32_t c = 0; c < w->o.n_class; c++)
        for (int g = 0; g < 25; g++) {
            size_t head = w->n, tightest = w->n;
            for (size_t i = 0; i < w->n; i++) {
                if (w->list[i]->class_id != c || batcher_group(w, w->list[i]) != g) continue;
                if (head == w->n) head = i;
                /* of equal deadlines the last counts */
                if (tightest == w->n || w->list[i]->deadline_us <= w->list[tightest]->deadline_us)
                    tightest = i;
            }
            if (head == w->n || !(w->deficit[c] > -64.0 * w->o.batch_max)) continue;
            if (!may_join(w, now, b, n, w->list[head])) continue;
            int64_t start = last_start(w, w->list[tightest]), urgent = INT64_MAX;
            if (start >= now && start < next_us) urgent = w->list[tightest]->deadline_us;
            int64_t patience = w->list[head]->arrived_us + w->o.wait_us_max;
            if (w->o.wait_us_max && patience < next_us && patience < urgent) urgent = patience;
            if (urgent < first) first = urgent, best = head;
        }
    return best;
}

static size_t oldest_that_joins(const twin *w, int64_t now, r1_request *const *b, size_t n,
                                uint32_t c)
{
    size_t best = w->n;
    for (size_t i = 0; i < w->n; i++) {
        if (w->list[i]->class_id != c || !is_head(w, i) || !may_join(w, now, b, n, w->list[i]))
            continue;
        if (best == w->n || w->list[i]->arrived_us < w->list[best]->arrived_us) best = i;
    }
    return best;
}

static size_t twin_next(void *who, int64_t now, uint32_t idle, r1_request **out, size_t *n_late)
{
    twin *w = who;
    r1_request *late[OUT_MAX];
    size_t n = 0, limit;
    *n_late = 0;
    shed_heads(w, now, late, n_late);
    limit = (w->n + idle - 1) / idle;
    if (limit < w->o.batch_target) limit = w->o.batch_target;
    if (limit > w->o.batch_max) limit = w->o.batch_max;
    uint64_t units = 0;
    for (size_t i = 0; i < w->n; i++) units += w->list[i]->length;
    size_t m = w->n < limit ? w->n : limit;
    int64_t horizon = w->o.batch_us_max ? w->o.batch_us_max
                      : w->n ? batcher_us(r1_batch_policy_cost(w->costs, m, units * m / w->n))
                             : 0;
    while (n < limit && w->n) {
        size_t i = most_urgent(w, now, now + horizon, out, n);
        if (i == w->n) break;
        w->deficit[w->list[i]->class_id] -= w->list[i]->length;
        out[n++] = w->list[i];
        batcher_drop(w, i);
        shed_heads(w, now, late, n_late);
    }
    while (n < limit && w->n) {
        size_t pick = w->n;
        double rounds = INFINITY;
        for (uint32_t k = 0; k < w->o.n_class && pick == w->n; k++) {
            uint32_t c = (w->turn + k) % w->o.n_class;
            size_t i = oldest_that_joins(w, now, out, n, c);
            if (i == w->n) continue;
            double missing = w->list[i]->length - w->deficit[c];
            if (missing <= 0) {
                pick = i;
                w->turn = c;
            }
            rounds = fmin(rounds, ceil(missing / (64.0 * w->o.classes[c].weight)));
        }
        if (pick == w->n && isinf(rounds)) break;
        for (uint32_t c = 0; c < w->o.n_class && pick == w->n; c++)
            if (of_class(w, c)) w->deficit[c] += rounds * 64 * w->o.classes[c].weight;
        if (pick == w->n) continue;
        w->deficit[w->list[pick]->class_id] -= w->list[pick]->length;
        out[n++] = w->list[pick];
        batcher_drop(w, pick);
        shed_heads(w, now, late, n_late);
    }
    memcpy(out + n, late, *n_late * sizeof *late);
    return n;
}

static void twin_add(void *who, r1_request *r, int64_t now)
{
    twin *w = who;
    r->arrived_us = now;
    if (!r->deadline_us)
        r->deadline_us = w->o.classes[r->class_id].budget_us
                             ? now + w->o.classes[r->class_id].budget_us
                             : INT64_MAX;
    w->list[w->n++] = r;
}

static r1_batcher_opts random_opts(r1_rng *rng)
{
    r1_batcher_opts o = {.n_class = 1 + (uint32_t)r1_rng_below(rng, 4),
                         .batch_target = 1 + (uint32_t)r1_rng_below(rng, 12),
                         .batch_max = 12 + (uint32_t)r1_rng_below(rng, 40),
                         .wait_us_max =
                             r1_rng_below(rng, 2) ? 0 : 1 + (int64_t)r1_rng_below(rng, 3000),
                         .padded = r1_rng_below(rng, 2),
                         .drop_late = r1_rng_below(rng, 2),
                         .cost_us = {(double)r1_rng_below(rng, 300), (double)r1_rng_below(rng, 20),
                                     0.5 + r1_rng_unit(rng)},
                         .cost_fixed = true};
    for (uint32_t c = 0; c < o.n_class; c++)
        o.classes[c] =
            (r1_batch_class){1 + (uint32_t)r1_rng_below(rng, 5),
                             r1_rng_below(rng, 3) ? 500 + (int64_t)r1_rng_below(rng, 5000) : 0};
    return o;
}

static void test_batcher_twin(void)
{
    r1_rng rng;
    r1_err err;
    static trace mine, plain;
    static twin w;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 300; round++) {
        r1_batcher_opts o = random_opts(&rng);
        r1_batch_policy *p;
        R1_ASSERT_OK(r1_batch_policy_new(&p, &o, &err), &err);
        make_trace(&mine, &rng, 5 + r1_rng_below(&rng, 90), &o, 20 + 300 * r1_rng_unit(&rng), true);
        plain = mine;
        w = (twin){.costs = p, .o = *r1_batch_policy_opts(p)};
        uint32_t workers = 1 + (uint32_t)r1_rng_below(&rng, 3);
        batcher_simulate(&mine, p, policy_add, policy_next, p, workers);
        batcher_simulate(&plain, &w, twin_add, twin_next, p, workers);
        CU_ASSERT_EQUAL(memcmp(mine.batch, plain.batch, sizeof mine.batch), 0);
        CU_ASSERT_EQUAL(memcmp(mine.start_us, plain.start_us, sizeof mine.start_us), 0);
        CU_ASSERT_EQUAL(r1_batch_policy_queued(p), 0);
        r1_batch_policy_free(p);
    }
}

/* ---- promises -------------------------------------------------------------------------------- */

/* No batch makes a request miss a deadline that it would have met alone; order within class (and
 * bucket); no refusal of one that could be met. */
static void check_promises(const trace *t, const r1_batch_policy *p)
{
    int64_t last[R1_BATCH_CLASSES_MAX][25] = {{0}};
    bool padded = r1_batch_policy_opts(p)->padded;
    for (size_t i = 0; i < t->n; i++) {
        const r1_request *r = &t->r[i];
        int64_t alone = t->start_us[i] + batcher_us(r1_batch_policy_cost(p, 1, r->length));
        if (alone <= r->deadline_us)
            CU_ASSERT_TRUE(t->batch[i] != UINT32_MAX && t->end_us[i] <= r->deadline_us);
        int64_t *before = &last[r->class_id][padded ? (int)ceil(log2(r->length)) : 0];
        CU_ASSERT_TRUE(t->start_us[i] >= *before);
        *before = t->start_us[i];
    }
}

static void test_promises(void)
{
    r1_rng rng;
    r1_err err;
    static trace t;
    r1_rng_seed(&rng, r1_test_seed() + 1);
    for (int round = 0; round < 400; round++) {
        r1_batcher_opts o = random_opts(&rng);
        r1_batch_policy *p;
        R1_ASSERT_OK(r1_batch_policy_new(&p, &o, &err), &err);
        make_trace(&t, &rng, N_MAX, &o, 10 + 300 * r1_rng_unit(&rng), true);
        batcher_simulate(&t, p, policy_add, policy_next, p, 1 + (uint32_t)r1_rng_below(&rng, 3));
        check_promises(&t, p);
        r1_batch_policy_free(p);
    }
}

/* The header's promise: of the shortest budget, nobody waiting, whatever runs and whatever comes
 * after. */
static void test_empty_queue_meets(void)
{
    r1_rng rng;
    r1_err err;
    static trace t;
    size_t promised = 0, missed_otherwise = 0;
    r1_rng_seed(&rng, r1_test_seed() + 2);
    for (int round = 0; round < 600; round++) {
        r1_batcher_opts o = random_opts(&rng);
        o.padded = o.drop_late = false;
        o.wait_us_max = 0;
        double longest = o.cost_us[0] + o.cost_us[1] + 200 * o.cost_us[2];
        for (uint32_t c = 0; c < o.n_class; c++)
            o.classes[c].budget_us =
                2 * batcher_us(longest) + (c ? (int64_t)r1_rng_below(&rng, 2000) : 0);
        r1_batch_policy *p;
        R1_ASSERT_OK(r1_batch_policy_new(&p, &o, &err), &err);
        make_trace(&t, &rng, N_MAX, &o, 10 + 500 * r1_rng_unit(&rng), false);
        batcher_simulate(&t, p, policy_add, policy_next, p, 1 + (uint32_t)r1_rng_below(&rng, 2));
        for (size_t i = 0; i < t.n; i++) {
            bool shortest = o.classes[t.r[i].class_id].budget_us == o.classes[0].budget_us,
                 met = t.end_us[i] <= t.r[i].deadline_us;
            if (t.nobody[i] && shortest) CU_ASSERT_TRUE(met);
            promised += t.nobody[i] && shortest;
            missed_otherwise += !met;
        }
        r1_batch_policy_free(p);
    }
    CU_ASSERT_TRUE(promised > 5000 &&
                   missed_otherwise > 1000); /* the traces are hard enough to break it */
}

/* Shares under load: two classes that always wait get units by weight, and a class of tight
 * deadlines cannot starve another. */
static void batcher_share_of(int64_t budget0, int64_t deadline1, double *share, double *longest_us)
{
    r1_err err;
    r1_batcher_opts o = {.n_class = 2,
                         .classes = {{3, budget0}, {1, 0}},
                         .batch_max = 32,
                         .batch_us_max = 2000,
                         .queue_max = 4000,
                         .cost_us = {100, 10, 1},
                         .cost_fixed = true};
    r1_batch_policy *p;
    R1_ASSERT_OK(r1_batch_policy_new(&p, &o, &err), &err);
    static r1_request r[8000];
    memset(r, 0, sizeof r);
    int64_t now = 0;
    for (size_t i = 0; i < 8000; i++) {
        r[i].class_id = (uint32_t)i % 2;
        r[i].length = 1 + (uint32_t)i * 7 % 97;
        r[i].deadline_us = i % 2 ? deadline1 : 0;
        R1_ASSERT_OK(r1_batch_policy_add(p, &r[i], now, &err), &err);
    }
    double units[2] = {0};
    int64_t last = 0;
    *longest_us = 0;
    for (int b = 0; b < 100; b++) {
        r1_request *out[OUT_MAX];
        size_t late, n = r1_batch_policy_next(p, now, 1, out, &late), sum = 0, second = 0;
        for (size_t i = 0; i < n; i++) {
            units[out[i]->class_id] += out[i]->length;
            sum += out[i]->length;
            second += out[i]->class_id == 1;
        }
        now += batcher_us(r1_batch_policy_cost(p, n, sum));
        if (second) last = now;
        if ((double)(now - last) > *longest_us) *longest_us = (double)(now - last);
    }
    *share = units[0] / (units[0] + units[1]);
    r1_batch_policy_free(p);
}

static void test_fairness(void)
{
    double share, wait;
    batcher_share_of(0, 0, &share, &wait);
    CU_ASSERT_DOUBLE_EQUAL(share, 0.75, 0.03);
    CU_ASSERT_TRUE(wait < 4000);
    batcher_share_of(100000, 0, &share, &wait); /* the first class is urgent almost throughout */
    CU_ASSERT_TRUE(share > 0.7 && share < 0.9);
    CU_ASSERT_TRUE(wait < 12000);
}

static void test_bounds(void)
{
    r1_err err;
    r1_batch_policy *p;
    r1_request r[5] = {
        {.length = 1}, {.length = 1}, {.length = 1}, {.length = 0}, {.length = 1, .class_id = 1}};
    r1_batcher_opts o = {.queue_max = 2};
    R1_ASSERT_OK(r1_batch_policy_new(&p, &o, &err), &err);
    CU_ASSERT_EQUAL(r1_batch_policy_opts(p)->batch_target, 32);
    R1_ASSERT_OK(r1_batch_policy_add(p, &r[0], 0, &err), &err);
    R1_ASSERT_OK(r1_batch_policy_add(p, &r[1], 0, &err), &err);
    CU_ASSERT_EQUAL(r1_batch_policy_add(p, &r[2], 0, &err), R1_E_AGAIN);
    CU_ASSERT_TRUE(err.retriable);
    CU_ASSERT_EQUAL(r1_batch_policy_add(p, &r[3], 0, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_batch_policy_add(p, &r[4], 0, &err), R1_E_INVAL);
    r1_batch_policy_free(p);
    const r1_batcher_opts bad[] = {{.n_class = 17},
                                   {.batch_max = 5000},
                                   {.queue_max = 1u << 21},
                                   {.batch_target = 64, .batch_max = 32},
                                   {.wait_us_max = -1},
                                   {.cost_us = {NAN}},
                                   {.n_class = 1, .classes = {{2000, 0}}}};
    for (size_t i = 0; i < R1_COUNT(bad); i++)
        CU_ASSERT_EQUAL(r1_batch_policy_new(&p, &bad[i], &err), R1_E_INVAL);
}

/* ---- the cost model -------------------------------------------------------------------------- */

static void test_cost(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 3);
    for (int round = 0; round < 50; round++) {
        double truth[3] = {r1_rng_unit(&rng) * 300, r1_rng_unit(&rng) * 40,
                           0.1 + r1_rng_unit(&rng)};
        if (round % 5 == 0) truth[round / 5 % 2] = 0;
        double noise = round % 2 ? 0.1 : 0;
        r1_batch_cost c;
        r1_batch_cost_init(&c, (double[3]){100, 100, 100});
        for (int i = 0; i < 1000; i++) {
            double n = 1 + (double)r1_rng_below(&rng, 64),
                   units = n * (1 + (double)r1_rng_below(&rng, 60));
            double took = (truth[0] + truth[1] * n + truth[2] * units) *
                          (1 + noise * (2 * r1_rng_unit(&rng) - 1));
            r1_batch_cost_learn(&c, n, units, took);
        }
        for (double n = 1; n <= 64; n *= 4) {
            double expected = truth[0] + truth[1] * n + truth[2] * n * 30,
                   got = r1_batch_cost_at(&c, n, n * 30);
            CU_ASSERT_TRUE(got > expected * (1 - noise) - 1 &&
                           got < expected * (1.02 + 3 * noise) + 1);
        }
        for (int i = 0; i < 3; i++) CU_ASSERT_TRUE(c.us[i] >= 0);
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { SUBMITTERS = 3, EACH = 400 };

static atomic_uint calls, twice;

typedef struct {
    r1_request r;
    atomic_uint answered;
    int value;
} job;

static void batcher_done(r1_request *r)
{
    job *j = r->user;
    if (atomic_fetch_add(&j->answered, 1)) atomic_fetch_add(&twice, 1);
    atomic_fetch_add(&calls, 1);
}

/* Doubles the value; a negative one spoils its batch. */
static r1_status double_values(void *ctx, r1_request *const *request, size_t n, uint64_t *executed,
                               r1_err *err)
{
    (void)ctx, (void)executed;
    for (size_t i = 0; i < n; i++)
        if (((job *)request[i]->user)->value < 0) R1_FAIL(err, R1_E_INVAL, "a negative value");
    for (size_t i = 0; i < n; i++) ((job *)request[i]->user)->value *= 2;
    return R1_OK;
}

static void *test_batcher_worker(void *ctx)
{
    r1_err err;
    r1_status st = r1_batcher_work(ctx, double_values, NULL, &err);
    return st == R1_OK ? NULL : ctx;
}

typedef struct {
    r1_batcher *b;
    job *jobs;
    unsigned refused;
    int wrong;
} submitter;

static void *submit_all(void *ctx)
{
    submitter *s = ctx;
    r1_err err;
    for (int i = 0; i < EACH; i++) {
        job *j = &s->jobs[i];
        *j = (job){.r = {.class_id = (uint32_t)i % 2,
                         .length = 1 + (uint32_t)i % 9,
                         .user = j,
                         .done = i % 3 ? batcher_done : NULL},
                   .value = i % 50 == 7 ? -1 : i};
        while (r1_batcher_submit(s->b, &j->r, &err) == R1_E_AGAIN) {
            s->refused++;
            usleep(50);
        }
        if (!j->r.done) {
            r1_status st = r1_batcher_wait(s->b, &j->r);
            s->wrong += j->value < 0 ? st != R1_E_INVAL : st != R1_OK || j->value != 2 * i;
        }
    }
    return NULL;
}

static void test_batcher_threads(void)
{
    r1_err err;
    r1_batcher *b;
    static job jobs[SUBMITTERS][EACH];
    submitter s[SUBMITTERS];
    pthread_t work[2], submit[SUBMITTERS];
    void *failed;
    atomic_store(&calls, 0);
    atomic_store(&twice, 0);
    r1_batcher_opts o = {.n_class = 2,
                         .classes = {{1, 50000}, {2, 0}},
                         .queue_max = 16,
                         .batch_target = 4,
                         .batch_max = 8};
    R1_ASSERT_OK(r1_batcher_new(&b, &o, &err), &err);
    for (int i = 0; i < 2; i++) pthread_create(&work[i], NULL, test_batcher_worker, b);
    for (int i = 0; i < SUBMITTERS; i++) {
        s[i] = (submitter){.b = b, .jobs = jobs[i]};
        pthread_create(&submit[i], NULL, submit_all, &s[i]);
    }
    unsigned refused = 0;
    for (int i = 0; i < SUBMITTERS; i++) {
        pthread_join(submit[i], NULL);
        CU_ASSERT_EQUAL(s[i].wrong, 0);
        refused += s[i].refused;
    }
    r1_batcher_stop(b); /* drains */
    for (int i = 0; i < 2; i++) {
        pthread_join(work[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
    }
    r1_batch_stats st;
    r1_batcher_stats(b, &st);
    CU_ASSERT_EQUAL(st.submitted, SUBMITTERS * EACH);
    CU_ASSERT_EQUAL(st.answered, SUBMITTERS * EACH);
    CU_ASSERT_EQUAL(st.failed, SUBMITTERS * 8);
    CU_ASSERT_EQUAL(st.refused, refused);
    CU_ASSERT_EQUAL(st.queued, 0);
    CU_ASSERT_TRUE(st.executed >= st.useful && st.useful > 0);
    CU_ASSERT_EQUAL(atomic_load(&twice), 0);
    for (int i = 0; i < SUBMITTERS; i++)
        for (int k = 0; k < EACH; k++) {
            bool bad = k % 50 == 7;
            CU_ASSERT_EQUAL(jobs[i][k].r.status, bad ? R1_E_INVAL : R1_OK);
            CU_ASSERT_EQUAL(jobs[i][k].value, bad ? -1 : 2 * k);
            CU_ASSERT_EQUAL(atomic_load(&jobs[i][k].answered), jobs[i][k].r.done ? 1 : 0);
        }
    CU_ASSERT_EQUAL(r1_batcher_submit(b, &jobs[0][0].r, &err), R1_E_CANCELLED);
    r1_batcher_free(b);
}

/* Back-pressure without a worker, the answer of what never ran, and what came too late. */
static void test_batcher_refusals(void)
{
    r1_err err, why = {0};
    r1_batcher *b;
    job j[4];
    atomic_store(&calls, 0);
    R1_ASSERT_OK(r1_batcher_new(&b, &(r1_batcher_opts){.queue_max = 3}, &err), &err);
    for (int i = 0; i < 4; i++) {
        j[i] = (job){.r = {.length = 1, .user = &j[i], .done = batcher_done, .err = &why}};
        CU_ASSERT_EQUAL(r1_batcher_submit(b, &j[i].r, &err), i < 3 ? R1_OK : R1_E_AGAIN);
    }
    r1_batcher_free(b);
    CU_ASSERT_EQUAL(atomic_load(&calls), 3);
    CU_ASSERT_EQUAL(j[0].r.status, R1_E_CANCELLED);
    CU_ASSERT_EQUAL(why.code, R1_E_CANCELLED);
    r1_batcher_opts o = {.drop_late = true, .cost_us = {1000, 0, 0}};
    R1_ASSERT_OK(r1_batcher_new(&b, &o, &err), &err);
    for (int i = 0; i < 2; i++) {
        j[i] = (job){
            .r = {.length = 1, .user = &j[i], .deadline_us = r1_mono_us() + (i ? 60000000 : 1)},
            .value = 4};
        R1_ASSERT_OK(r1_batcher_submit(b, &j[i].r, &err), &err);
    }
    r1_batcher_stop(b);
    R1_ASSERT_OK(r1_batcher_work(b, double_values, NULL, &err), &err);
    CU_ASSERT_EQUAL(r1_batcher_wait(b, &j[0].r), R1_E_TIMEOUT);
    CU_ASSERT_EQUAL(r1_batcher_wait(b, &j[1].r), R1_OK);
    CU_ASSERT_EQUAL(j[0].value, 4);
    CU_ASSERT_EQUAL(j[1].value, 8);
    r1_batcher_free(b);
}

/* ---- a model --------------------------------------------------------------------------------- */

enum { SAMPLES = 90 };

typedef struct {
    r1_batcher *b;
    r1_session *session;
    const toy *data;
} model_worker;

static float answers[SAMPLES][2];

static r1_status batcher_score(void *ctx, r1_request *const *request, size_t n, uint64_t *executed,
                               r1_err *err)
{
    (void)executed;
    model_worker *w = ctx;
    r1_sample sample[SAMPLES];
    r1_result res;
    for (size_t i = 0; i < n; i++) sample[i] = *(const r1_sample *)request[i]->user;
    r1_batch batch = {
        .sample = sample, .n_sample = n, .event = w->data->event, .n_event = w->data->n_event};
    R1_TRY(r1_session_run(w->session, &batch, &res, err));
    for (size_t i = 0; i < n; i++) {
        size_t k = (size_t)((toy_sample *)request[i]->user -
                            w->data->sample); /* sample is the first member */
        memcpy(answers[k], res.logit + i * res.n_output, sizeof answers[k]);
    }
    return R1_OK;
}

static void *batcher_serve(void *ctx)
{
    model_worker *w = ctx;
    r1_err err;
    return r1_batcher_work(w->b, batcher_score, w, &err) == R1_OK ? NULL : ctx;
}

static void test_model(void)
{
    r1_err err;
    toy data;
    r1_model *m;
    model_worker w[2];
    pthread_t thread[2];
    r1_request r[SAMPLES];
    void *failed;
    toy_make(&data, SAMPLES, 3);
    R1_ASSERT_OK(r1_model_new(&m, toy_description, 5, &err), &err);
    r1_batcher *b;
    R1_ASSERT_OK(r1_batcher_new(&b, &(r1_batcher_opts){.batch_target = 4}, &err), &err);
    for (int i = 0; i < 2; i++) {
        w[i] = (model_worker){.b = b, .data = &data};
        R1_ASSERT_OK(r1_session_new(&w[i].session, m, NULL, &err), &err);
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        r[i] = (r1_request){.length = 1, .user = &data.sample[i]};
        R1_ASSERT_OK(r1_batcher_submit(b, &r[i], &err), &err);
    }
    for (int i = 0; i < 2; i++) pthread_create(&thread[i], NULL, batcher_serve, &w[i]);
    for (size_t i = 0; i < SAMPLES; i++) CU_ASSERT_EQUAL(r1_batcher_wait(b, &r[i]), R1_OK);
    r1_batcher_stop(b);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        r1_result res;
        r1_batch one = {.sample = &data.sample[i].sample,
                        .n_sample = 1,
                        .event = data.event,
                        .n_event = data.n_event};
        R1_ASSERT_OK(r1_session_run(w[0].session, &one, &res, &err), &err);
        CU_ASSERT_EQUAL(memcmp(answers[i], res.logit, sizeof answers[i]), 0);
    }
    for (int i = 0; i < 2; i++) r1_session_free(w[i].session);
    r1_batcher_free(b);
    r1_model_free(m);
    toy_free(&data);
}

/* ---- broken invariants, one planted for each family ------------------------------------------ */

static r1_request planted_requests[6];

static r1_batch_policy *planted_policy(void)
{
    r1_err err = {0};
    r1_batch_policy *p;
    r1_batcher_opts o = {.n_class = 2, .batch_max = 4, .batch_target = 2};
    R1_ASSERT_OK(r1_batch_policy_new(&p, &o, &err), &err);
    for (uint32_t i = 0; i < 6; i++) {
        planted_requests[i] =
            (r1_request){.class_id = i % 2, .length = 3 + i, .deadline_us = 9000 - (int)i};
        R1_ASSERT_OK(r1_batch_policy_add(p, &planted_requests[i], 10, &err), &err);
    }
    return p;
}

static void break_count(r1_batch_policy *p) { p->n_of[1]++; }
static void break_queued(r1_batch_policy *p) { p->queued++; }
static void break_units(r1_batch_policy *p) { p->units--; }
static void break_deficit(r1_batch_policy *p) { p->deficit[0] = NAN; }
static void break_turn(r1_batch_policy *p) { p->turn = 7; }
static void break_state(r1_batch_policy *p) { p->q[0][0].head->own.state = REQUEST_DRAWN; }
static void break_tail(r1_batch_policy *p) { p->q[0][0].tail = p->q[0][0].head; }
static void break_tight(r1_batch_policy *p) { p->q[1][0].tightest = p->q[1][0].head; }

typedef struct {
    void (*plant)(r1_batch_policy *p);
    const char *expected;
} planted_queue;

static void plant_and_verify(void *ctx)
{
    const planted_queue *c = ctx;
    r1_batch_policy *p = planted_policy();
    batch_policy_verify(p);
    c->plant(p);
    batch_policy_verify(p);
}

/* Every build: what is drawn twice, and what is answered without being drawn. */
static void draw_twice(void *ctx)
{
    (void)ctx;
    r1_batch_policy *p = planted_policy();
    r1_request *out[8];
    size_t n_late;
    p->q[0][0].head->own.state = REQUEST_DRAWN;
    p->q[1][0].head->own.state = REQUEST_DRAWN;
    r1_batch_policy_next(p, 20, 1, out, &n_late);
}

static void draw_from_nothing(void *ctx)
{
    (void)ctx;
    r1_batch_policy *p = planted_policy();
    r1_request *out[8];
    size_t n_late;
    p->units = 1;
    r1_batch_policy_next(p, 20, 1, out, &n_late);
}

static r1_status answer_beforehand(void *ctx, r1_request *const *request, size_t n, uint64_t *units,
                                   r1_err *err)
{
    (void)ctx, (void)n, (void)units, (void)err;
    request[0]->own.state = REQUEST_ANSWERED;
    return R1_OK;
}

static void answer_twice(void *ctx)
{
    (void)ctx;
    r1_batcher *b;
    r1_request r = {.length = 1};
    if (r1_batcher_new(&b, NULL, NULL) != R1_OK) return;
    r1_batcher_submit(b, &r, NULL);
    r1_batcher_stop(b);
    r1_batcher_work(b, answer_beforehand, NULL, NULL);
}

static void test_batcher_breaks(void)
{
    static const planted_queue cases[] = {{break_count, "class 1: 4 wait, counted 3"},
                                          {break_queued, "7 requests of"},
                                          {break_units, "counted 6 of 33"},
                                          {break_deficit, "deficit nan"},
                                          {break_turn, "turn of class 7 of 2"},
                                          {break_state, "request 0 in state 2"},
                                          {break_tail, "its ends do not fit"},
                                          {break_tight, "its ends do not fit"}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        planted_queue c = cases[i];
        CU_ASSERT(r1_test_breaks(plant_and_verify, &c, c.expected));
    }
    CU_ASSERT(r1_test_breaks(draw_twice, NULL, "a request in state 2"));
    CU_ASSERT(r1_test_breaks(draw_from_nothing, NULL, "wait, 1 units"));
    CU_ASSERT(r1_test_breaks(answer_twice, NULL, "a request in state 3 is answered"));
}

R1_TEST_MAIN("batcher", {"decisions equal the plain twin's", test_batcher_twin},
             {"batching costs no deadline, order holds", test_promises},
             {"an empty queue means in time", test_empty_queue_meets},
             {"shares by weight, no starvation", test_fairness},
             {"bounds and bad options", test_bounds}, {"costs are learned", test_cost},
             {"threads: once each, bad ones alone, drained", test_batcher_threads},
             {"refusals", test_batcher_refusals}, {"a model's answers to the bit", test_model},
             {"broken invariants", test_batcher_breaks})
