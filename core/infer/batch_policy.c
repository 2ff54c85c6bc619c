/* SPDX-License-Identifier: Apache-2.0 */
/* batch_policy.c - which requests make the next batch. There is a queue for each class and length
 * bucket. A batch is drawn from their heads alone, which keeps the order within each.
 *
 *   late      heads that would miss their deadline even alone leave first, where asked for
 *   urgent    then what must start before the next batch can, by deadline
 *   the rest  then deficit round robin (Shreedhar and Varghese 1995) in units. Urgent requests
 *             are charged too, and a class in debt is not urgent any more, so that none starves
 *             the others by tight deadlines */
#include "infer/batch_policy.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_MAX = 1 << 24, QUANTUM = 64 };

/* The batch that is being drawn. */
typedef struct {
    int64_t now_us, tight_us; /* the earliest deadline that can still be met */
    size_t n;
    uint64_t units;
    uint32_t longest;
    r1_request **out, **late;
    size_t n_late;
} draft;

/* ---- options --------------------------------------------------------------------------------- */

static r1_status check_classes(r1_batcher_opts *o, r1_err *err)
{
    if (!o->n_class) {
        o->n_class = 1;
        o->classes[0] = (r1_batch_class){0};
    }
    if (o->n_class > R1_BATCH_CLASSES_MAX)
        R1_FAIL(err, R1_E_INVAL, "batcher: %u classes, at most %d", o->n_class,
                R1_BATCH_CLASSES_MAX);
    int64_t shortest = 0;
    for (uint32_t c = 0; c < o->n_class; c++) {
        r1_batch_class *k = &o->classes[c];
        if (!k->weight) k->weight = 1;
        if (k->weight > 1000 || k->budget_us < 0)
            R1_FAIL(err, R1_E_INVAL,
                    "batcher: class %u has weight %u (at most 1000), budget %lld us (0 or more)", c,
                    k->weight, (long long)k->budget_us);
        if (k->budget_us && (!shortest || k->budget_us < shortest)) shortest = k->budget_us;
    }
    if (!o->batch_us_max) o->batch_us_max = shortest > 1 ? shortest / 2 : shortest;
    return R1_OK;
}

static r1_status batch_policy_check(r1_batcher_opts *o, r1_err *err)
{
    if (!o->batch_max) o->batch_max = o->batch_target > 256 ? o->batch_target : 256;
    if (!o->batch_target) o->batch_target = o->batch_max < 32 ? o->batch_max : 32;
    if (!o->queue_max) o->queue_max = 4096;
    if (o->batch_max > R1_BATCH_SIZE_MAX || o->batch_target > o->batch_max ||
        o->queue_max > R1_BATCH_QUEUE_MAX)
        R1_FAIL(err, R1_E_INVAL, "batcher: batches of %u (at most %u, %d), %u waiting (at most %d)",
                o->batch_target, o->batch_max, R1_BATCH_SIZE_MAX, o->queue_max, R1_BATCH_QUEUE_MAX);
    if (o->wait_us_max < 0 || o->batch_us_max < 0)
        R1_FAIL(err, R1_E_INVAL, "batcher: a time limit is negative: wait %lld us, batch %lld us",
                (long long)o->wait_us_max, (long long)o->batch_us_max);
    for (int i = 0; i < R1_COST_TERMS; i++)
        if (!(o->cost_us[i] >= 0 && o->cost_us[i] <= 1e9))
            R1_FAIL(err, R1_E_INVAL, "batcher: cost %d is %g us, expected 0 to 1e9", i,
                    o->cost_us[i]);
    return check_classes(o, err);
}

r1_status r1_batch_policy_new(r1_batch_policy **out, const r1_batcher_opts *opts, r1_err *err)
{
    r1_batcher_opts o = opts ? *opts : (r1_batcher_opts){0};
    R1_TRY(batch_policy_check(&o, err));
    r1_batch_policy *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "batcher: out of memory");
    p->o = o;
    p->n_bucket = o.padded ? BATCH_BUCKETS : 1;
    r1_batch_cost_init(&p->cost, o.cost_us);
    *out = p;
    return R1_OK;
}

void r1_batch_policy_free(r1_batch_policy *p) { free(p); }
size_t r1_batch_policy_queued(const r1_batch_policy *p) { return p->queued; }
const r1_batcher_opts *r1_batch_policy_opts(const r1_batch_policy *p) { return &p->o; }

/* ---- costs ----------------------------------------------------------------------------------- */

double r1_batch_policy_cost(const r1_batch_policy *p, size_t n, uint64_t executed)
{
    return r1_batch_cost_at(&p->cost, (double)n, (double)executed);
}

void r1_batch_policy_learn(r1_batch_policy *p, size_t n, uint64_t executed, int64_t took_us)
{
    if (!p->o.cost_fixed)
        r1_batch_cost_learn(&p->cost, (double)n, (double)executed, (double)took_us);
}

static int64_t whole_us(double us) { return us < 1e15 ? (int64_t)ceil(us) : (int64_t)1e15; }
static int64_t alone_us(const r1_batch_policy *p, const r1_request *r)
{
    return whole_us(r1_batch_policy_cost(p, 1, r->length));
}
static int64_t draft_us(const r1_batch_policy *p, size_t n, uint64_t units, uint32_t longest)
{
    return whole_us(r1_batch_policy_cost(p, n, p->o.padded ? (uint64_t)n * longest : units));
}
static bool in_time(const r1_batch_policy *p, const r1_request *r, int64_t now_us)
{
    return r->deadline_us - alone_us(p, r) >= now_us;
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void batch_policy_push(batch_queue *q, r1_request *r)
{
    r->own.state = REQUEST_WAITING;
    r->own.next = NULL;
    if (q->tail)
        q->tail->own.next = r;
    else
        q->head = r;
    q->tail = r;
    while (q->laxest && q->laxest->deadline_us >= r->deadline_us)
        q->laxest = q->laxest->own.tighter;
    r->own.tighter = q->laxest;
    r->own.laxer = NULL;
    if (q->laxest)
        q->laxest->own.laxer = r;
    else
        q->tightest = r;
    q->laxest = r;
}

static r1_request *batch_policy_pop(r1_batch_policy *p, uint32_t c, uint32_t b)
{
    batch_queue *q = &p->q[c][b];
    r1_request *r = q->head;
    R1_ASSERT(r && r->own.state == REQUEST_WAITING, "batcher: class %u: a request in state %d", c,
              r ? r->own.state : -1);
    R1_ASSERT(p->queued > 0 && p->n_of[c] > 0 && p->units >= r->length,
              "batcher: class %u: %u of %zu wait, %llu units, the next has %u", c, p->n_of[c],
              p->queued, (unsigned long long)p->units, r->length);
    r->own.state = REQUEST_DRAWN;
    q->head = r->own.next;
    if (!q->head) q->tail = NULL;
    if (q->tightest == r) {
        q->tightest = r->own.laxer;
        if (q->tightest)
            q->tightest->own.tighter = NULL;
        else
            q->laxest = NULL;
    }
    p->queued--;
    p->n_of[c]--;
    p->units -= r->length;
    return r;
}

static uint32_t batch_policy_bucket_of(const r1_batch_policy *p, uint32_t length)
{
    uint32_t b = 0;
    while (p->n_bucket > 1 && length > 1u << b) b++;
    return b;
}

/* ---- invariants ------------------------------------------------------------------------------ */

/* A queue's requests in order, its tight list beside them. Returns how many there are. */
static uint32_t verify_queue(const r1_batch_policy *p, uint32_t c, uint32_t b, uint64_t *units)
{
    const batch_queue *q = &p->q[c][b];
    const r1_request *last = NULL, *tight = q->tightest, *laxest = NULL;
    uint32_t n = 0;
    for (const r1_request *r = q->head; r; last = r, r = r->own.next) {
        R1_ASSERT(r->own.state == REQUEST_WAITING && r->class_id == c && n < p->n_of[c],
                  "batcher: class %u bucket %u: request %u in state %d has class %u", c, b, n,
                  r->own.state, r->class_id);
        R1_ASSERT(batch_policy_bucket_of(p, r->length) == b,
                  "batcher: class %u bucket %u: length %u", c, b, r->length);
        n++;
        *units += r->length;
        if (r != tight) continue;
        R1_ASSERT(!r->own.tighter || r->own.tighter->deadline_us < r->deadline_us,
                  "batcher: class %u bucket %u: the tight list falls to %lld us", c, b,
                  (long long)r->deadline_us);
        laxest = r;
        tight = r->own.laxer;
    }
    R1_ASSERT(last == q->tail && !tight && laxest == q->laxest && laxest == last,
              "batcher: class %u bucket %u: %u requests, and its ends do not fit", c, b, n);
    return n;
}

void batch_policy_verify(const r1_batch_policy *p)
{
    size_t queued = 0;
    uint64_t units = 0;
    R1_ASSERT(p->turn < p->o.n_class, "batcher: turn of class %u of %u", p->turn, p->o.n_class);
    for (uint32_t c = 0; c < p->o.n_class; c++) {
        uint32_t n = 0;
        for (uint32_t b = 0; b < p->n_bucket; b++) n += verify_queue(p, c, b, &units);
        R1_ASSERT(n == p->n_of[c] && n <= p->o.queue_max,
                  "batcher: class %u: %u wait, counted %u of %u", c, p->n_of[c], n, p->o.queue_max);
        R1_ASSERT(n ? isfinite(p->deficit[c]) : p->deficit[c] == 0,
                  "batcher: class %u: deficit %g with %u waiting", c, p->deficit[c], n);
        queued += n;
    }
    R1_ASSERT(queued == p->queued && units == p->units,
              "batcher: %zu requests of %llu units, counted %zu of %llu", p->queued,
              (unsigned long long)p->units, queued, (unsigned long long)units);
}

/* In sanitizer builds, so often that a call pays for 64 requests of the walk. */
static void batch_policy_changed(r1_batch_policy *p)
{
    enum { PAID_PER_CALL = 64 };
    if (!R1_DEEP_CHECKS || ++p->n_unchecked * PAID_PER_CALL < p->queued) return;
    p->n_unchecked = 0;
    batch_policy_verify(p);
}

r1_status r1_batch_policy_add(r1_batch_policy *p, r1_request *r, int64_t now_us, r1_err *err)
{
    if (r->class_id >= p->o.n_class || r->length < 1 || r->length > LENGTH_MAX ||
        r->deadline_us < 0)
        R1_FAIL(err, R1_E_INVAL, "request: class %u of %u, length %u of 1..%d, deadline %lld",
                r->class_id, p->o.n_class, r->length, LENGTH_MAX, (long long)r->deadline_us);
    if (p->n_of[r->class_id] == p->o.queue_max)
        R1_FAIL(err, R1_E_AGAIN, "request: %u of class %u wait already, which is the most",
                p->o.queue_max, r->class_id);
    int64_t budget = p->o.classes[r->class_id].budget_us;
    r->arrived_us = now_us;
    if (!r->deadline_us) r->deadline_us = budget ? now_us + budget : INT64_MAX;
    batch_policy_push(&p->q[r->class_id][batch_policy_bucket_of(p, r->length)], r);
    p->queued++;
    p->n_of[r->class_id]++;
    p->units += r->length;
    batch_policy_changed(p);
    return R1_OK;
}

/* ---- a batch --------------------------------------------------------------------------------- */

static bool batch_policy_fits(const r1_batch_policy *p, const draft *d, const r1_request *r)
{
    if (d->n == 0) return true;
    uint32_t longest = r->length > d->longest ? r->length : d->longest;
    int64_t took = draft_us(p, d->n + 1, d->units + r->length, longest);
    if (p->o.batch_us_max && took > p->o.batch_us_max) return false;
    if (d->now_us + took > d->tight_us) return false;
    if (in_time(p, r, d->now_us) && d->now_us + took > r->deadline_us) return false;
    return !p->o.padded || took - draft_us(p, d->n, d->units, d->longest) <= alone_us(p, r);
}

/* Heads that could not meet their deadline even alone. */
static void batch_policy_shed(r1_batch_policy *p, draft *d, uint32_t c, uint32_t b)
{
    while (p->o.drop_late && d->n_late < p->o.batch_max && p->q[c][b].head &&
           !in_time(p, p->q[c][b].head, d->now_us))
        d->late[d->n_late++] = batch_policy_pop(p, c, b);
    if (!p->n_of[c]) p->deficit[c] = 0;
}

static void batch_policy_take(r1_batch_policy *p, draft *d, uint32_t c, uint32_t b)
{
    r1_request *r = batch_policy_pop(p, c, b);
    d->out[d->n++] = r;
    d->units += r->length;
    if (r->length > d->longest) d->longest = r->length;
    if (in_time(p, r, d->now_us) && r->deadline_us < d->tight_us) d->tight_us = r->deadline_us;
    p->deficit[c] -= r->length;
    batch_policy_shed(p, d, c, b);
}

/* The deadline by which a queue's head must be in a batch, for the sake of whichever of its
 * requests is the tightest, if it cannot be left to the next batch, which starts at next_us;
 * INT64_MAX: it can. What is late already is in no hurry. */
static int64_t urgent_us(const r1_batch_policy *p, const batch_queue *q, int64_t now_us,
                         int64_t next_us)
{
    int64_t start = q->tightest->deadline_us - alone_us(p, q->tightest), urgent = INT64_MAX;
    if (start >= now_us && start < next_us) urgent = q->tightest->deadline_us;
    int64_t patience = q->head->arrived_us + p->o.wait_us_max;
    return p->o.wait_us_max && patience < next_us && patience < urgent ? patience : urgent;
}

/* How long a batch of what waits may take. */
static int64_t horizon_us(const r1_batch_policy *p, size_t limit)
{
    if (p->o.batch_us_max) return p->o.batch_us_max;
    size_t n = p->queued < limit ? p->queued : limit;
    return whole_us(r1_batch_policy_cost(p, n, p->units * n / p->queued));
}

static void take_urgent(r1_batch_policy *p, draft *d, size_t limit)
{
    double debt = (double)QUANTUM * p->o.batch_max;
    int64_t next_us = d->now_us + horizon_us(p, limit);
    while (d->n < limit) {
        int64_t first = INT64_MAX;
        uint32_t class_id = 0, bucket = 0;
        for (uint32_t c = 0; c < p->o.n_class; c++)
            for (uint32_t b = 0; b < p->n_bucket && p->n_of[c] && p->deficit[c] > -debt; b++) {
                const batch_queue *q = &p->q[c][b];
                int64_t urgent = q->head ? urgent_us(p, q, d->now_us, next_us) : INT64_MAX;
                if (urgent >= first || !batch_policy_fits(p, d, q->head)) continue;
                first = urgent;
                class_id = c;
                bucket = b;
            }
        if (first == INT64_MAX) return;
        batch_policy_take(p, d, class_id, bucket);
    }
}

/* The bucket of the class's oldest head that fits; n_bucket: none. */
static uint32_t oldest_bucket(const r1_batch_policy *p, const draft *d, uint32_t c)
{
    uint32_t best = p->n_bucket;
    for (uint32_t b = 0; b < p->n_bucket && p->n_of[c]; b++) {
        const r1_request *r = p->q[c][b].head;
        if (r && (best == p->n_bucket || r->arrived_us < p->q[c][best].head->arrived_us) &&
            batch_policy_fits(p, d, r))
            best = b;
    }
    return best;
}

/* As many rounds at once as the nearest class needs for its next request. */
static void batch_policy_grant(r1_batch_policy *p, const draft *d)
{
    double rounds = INFINITY;
    for (uint32_t c = 0; c < p->o.n_class; c++) {
        uint32_t b = oldest_bucket(p, d, c);
        if (b == p->n_bucket) continue;
        double need = ceil((p->q[c][b].head->length - p->deficit[c]) /
                           (QUANTUM * (double)p->o.classes[c].weight));
        if (need < rounds) rounds = need;
    }
    for (uint32_t c = 0; c < p->o.n_class; c++)
        if (p->n_of[c]) p->deficit[c] += rounds * QUANTUM * p->o.classes[c].weight;
}

static void take_in_turn(r1_batch_policy *p, draft *d, size_t limit)
{
    while (d->n < limit) {
        bool any = false, taken = false;
        for (uint32_t k = 0; k < p->o.n_class && !taken; k++) {
            uint32_t c = (p->turn + k) % p->o.n_class, b = oldest_bucket(p, d, c);
            if (b == p->n_bucket) continue;
            any = true;
            if (p->deficit[c] < p->q[c][b].head->length) continue;
            p->turn = c;
            batch_policy_take(p, d, c, b);
            taken = true;
        }
        if (!any) return;
        if (!taken) batch_policy_grant(p, d);
    }
}

size_t r1_batch_policy_next(r1_batch_policy *p, int64_t now_us, uint32_t idle, r1_request **out,
                            size_t *n_late)
{
    draft d = {.now_us = now_us, .tight_us = INT64_MAX, .out = out, .late = out + p->o.batch_max};
    for (uint32_t c = 0; c < p->o.n_class; c++)
        for (uint32_t b = 0; b < p->n_bucket; b++) batch_policy_shed(p, &d, c, b);
    size_t limit = idle > 1 ? (p->queued + idle - 1) / idle : p->queued;
    if (limit < p->o.batch_target) limit = p->o.batch_target;
    if (limit > p->o.batch_max) limit = p->o.batch_max;
    if (p->queued) take_urgent(p, &d, limit);
    take_in_turn(p, &d, limit);
    R1_ASSERT(d.n <= limit && d.n_late <= p->o.batch_max,
              "batcher: a batch of %zu, at most %zu, and %zu late, at most %u", d.n, limit,
              d.n_late, p->o.batch_max);
    batch_policy_changed(p);
    memmove(out + d.n, d.late, d.n_late * sizeof *out);
    *n_late = d.n_late;
    return d.n;
}
