/* SPDX-License-Identifier: Apache-2.0 */
/* batch_live.c - see batch_live.h. */
#include "bench/batch_live.h"

#include "r1_session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXTS = 4096, BATCH_MAX = 256 };

static const char description[] =
    "{\"name\": \"bench\", \"d_align\": 128, \"d_model\": 64, \"n_layer\": 1, "
    "\"n_head\": 4, \"n_head_cross\": 4, \"d_ff\": 128,"
    " \"items\": [{\"name\": \"text\", \"kind\": \"text\", \"n_vocab\": 257, "
    "\"n_token_max\": 256, \"hidden\": 64, \"n_layer\": 1}],"
    " \"heads\": [{\"name\": \"answer\", \"kind\": \"binary\"}]}";

struct batch_live {
    r1_model *model;
    r1_session *session;
    char (*text)[LIVE_LENGTH_MAX]; /* all different: neither the cache nor the batch may join two */
};

static int batch_live_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double batch_quantile(double *x, size_t n, double q)
{
    qsort(x, n, sizeof *x, batch_live_ascending);
    return x[(size_t)((double)(n - 1) * q)];
}

void batch_live_free(batch_live *l)
{
    if (!l) return;
    r1_session_free(l->session);
    r1_model_free(l->model);
    free(l->text);
    free(l);
}

r1_status batch_live_new(batch_live **out, r1_err *err)
{
    batch_live *l = calloc(1, sizeof *l);
    if (l) l->text = malloc(TEXTS * sizeof *l->text);
    if (!l || !l->text) {
        batch_live_free(l);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the texts");
    }
    r1_rng rng;
    r1_rng_seed(&rng, 1);
    for (size_t i = 0; i < TEXTS; i++)
        for (size_t k = 0; k < LIVE_LENGTH_MAX; k++)
            l->text[i][k] = (char)('a' + r1_rng_below(&rng, 26));
    r1_status st = r1_model_new(&l->model, description, 1, err);
    if (st == R1_OK)
        st = r1_session_new(&l->session, l->model,
                            &(r1_session_opts){.n_sample_max = BATCH_MAX, .n_text_cache = 1}, err);
    if (st != R1_OK) {
        batch_live_free(l);
        return st;
    }
    *out = l;
    return R1_OK;
}

/* Requests number..number + n of the given lengths. */
static r1_status batch_live_score(batch_live *l, const size_t *number, const uint32_t *length,
                                  size_t n, r1_err *err)
{
    r1_item item[BATCH_MAX] = {0};
    r1_sample sample[BATCH_MAX] = {0};
    r1_result res;
    for (size_t i = 0; i < n; i++) {
        item[i] =
            (r1_item){.present = true, .text = l->text[number[i] % TEXTS], .text_bytes = length[i]};
        sample[i].item = &item[i];
    }
    return r1_session_run(l->session, &(r1_batch){.sample = sample, .n_sample = n}, &res, err);
}

/* Processor time of this thread: other work on the machine does not count. */
static int64_t thread_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- costs ----------------------------------------------------------------------------------- */

r1_status batch_live_costs(batch_live *l, double seconds, double cost_us[3], double *error,
                           r1_err *err)
{
    r1_batch_policy *p;
    r1_rng rng;
    double measured = 0, predicted = 0, off = 0;
    size_t batches = 0, number[BATCH_MAX] = {0};
    uint32_t length[BATCH_MAX] = {0};
    r1_status st = r1_batch_policy_new(&p, &(r1_batcher_opts){.cost_us = {100, 10, 1}}, err);
    if (st != R1_OK) return st;
    r1_rng_seed(&rng, 2);
    for (int64_t began = r1_mono_us();
         st == R1_OK && (double)(r1_mono_us() - began) < seconds * 1e6; batches++) {
        size_t n = (size_t)1 << r1_rng_below(&rng, 8), longest = (size_t)8 << r1_rng_below(&rng, 6);
        uint64_t units = 0;
        for (size_t i = 0; i < n; i++) {
            number[i] = batches * 131 + i;
            units += length[i] = 1 + (uint32_t)r1_rng_below(&rng, longest);
        }
        int64_t t = thread_us();
        st = batch_live_score(l, number, length, n, err);
        int64_t took = thread_us() - t;
        if (batches > 50) {
            double guess = r1_batch_policy_cost(p, n, units);
            predicted += guess;
            measured += (double)took;
            off += took ? (guess > (double)took ? guess - (double)took : (double)took - guess) /
                              (double)took
                        : 0;
        }
        r1_batch_policy_learn(p, n, units, took);
    }
    double base = r1_batch_policy_cost(p, 0, 0),
           scale = predicted > 0 ? measured / predicted : 1; /* without the margin */
    cost_us[0] = base * scale;
    cost_us[1] = (r1_batch_policy_cost(p, 1, 0) - base) * scale;
    cost_us[2] = (r1_batch_policy_cost(p, 0, 1) - base) * scale;
    *error = batches > 51 ? off / (double)(batches - 51) : 0;
    r1_batch_policy_free(p);
    return st;
}

/* ---- a run ----------------------------------------------------------------------------------- */

typedef struct {
    batch_live *l;
    const batch_trace *t;
    const batch_rule *rule;
    int64_t start_us;
    double *latency_us; /* per request */
    r1_status st;
    r1_err err;
    /* by the batcher */
    r1_batcher *b;
    r1_request *request;
    /* by fixed batches: requests sent are those below n_sent */
    pthread_mutex_t lock;
    pthread_cond_t sent;
    size_t n_sent;
    uint64_t useful, executed;
} live_run;

static void sleep_until(int64_t us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {
    }
}

static void batch_live_note(live_run *r, size_t i)
{
    r->latency_us[i] = (double)(r1_mono_us() - r->start_us) - r->t->at_us[i];
}

static r1_status by_batcher(void *ctx, r1_request *const *request, size_t n, uint64_t *executed,
                            r1_err *err)
{
    (void)executed;
    live_run *r = ctx;
    size_t number[BATCH_MAX] = {0};
    uint32_t length[BATCH_MAX] = {0};
    for (size_t i = 0; i < n; i++) {
        number[i] = (size_t)(request[i] - r->request);
        length[i] = request[i]->length;
    }
    R1_TRY(batch_live_score(r->l, number, length, n, err));
    for (size_t i = 0; i < n; i++) batch_live_note(r, number[i]);
    return R1_OK;
}

static void *batcher_worker(void *ctx)
{
    live_run *r = ctx;
    r->st = r1_batcher_work(r->b, by_batcher, r, &r->err);
    return NULL;
}

/* The size of the next batch: full, or the oldest has waited long enough, or nothing more comes. */
static size_t wait_for_batch(live_run *r, size_t at)
{
    size_t n;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        n = r->n_sent - at;
        if (n >= r->rule->size || r->n_sent == r->t->n) break;
        if (!n) {
            pthread_cond_wait(&r->sent, &r->lock);
            continue;
        }
        int64_t until = r->start_us + (int64_t)r->t->at_us[at] + r->rule->timeout_us;
        if (r1_mono_us() >= until) break;
        struct timespec t = {until / 1000000, until % 1000000 * 1000};
        pthread_cond_timedwait(&r->sent, &r->lock, &t);
    }
    pthread_mutex_unlock(&r->lock);
    return n < r->rule->size ? n : r->rule->size;
}

static void *fixed_worker(void *ctx)
{
    live_run *r = ctx;
    size_t number[BATCH_MAX] = {0};
    uint32_t length[BATCH_MAX] = {0};
    for (size_t at = 0; at < r->t->n && r->st == R1_OK;) {
        size_t n = wait_for_batch(r, at);
        uint32_t longest = 0;
        for (size_t i = 0; i < n; i++)
            if (r->t->length[at + i] > longest) longest = r->t->length[at + i];
        for (size_t i = 0; i < n; i++) {
            number[i] = at + i;
            length[i] = r->rule->padded ? longest : r->t->length[at + i];
            r->useful += r->t->length[at + i];
            r->executed += length[i];
        }
        r->st = batch_live_score(r->l, number, length, n, &r->err);
        for (size_t i = 0; i < n; i++) batch_live_note(r, at + i);
        at += n;
    }
    return NULL;
}

/* Sends each request at its time. */
static void batch_live_send_all(live_run *r)
{
    r1_err ignored;
    for (size_t i = 0; i < r->t->n; i++) {
        int64_t at = r->start_us + (int64_t)r->t->at_us[i];
        if (at > r1_mono_us()) sleep_until(at);
        if (!r->rule->size) {
            r->request[i].length = r->t->length[i];
            while (r1_batcher_submit(r->b, &r->request[i], &ignored) == R1_E_AGAIN)
                sleep_until(r1_mono_us() + 500);
            continue;
        }
        pthread_mutex_lock(&r->lock);
        r->n_sent = i + 1;
        pthread_cond_signal(&r->sent);
        pthread_mutex_unlock(&r->lock);
    }
}

static r1_status batch_live_play(live_run *r, int64_t budget_us, r1_err *err)
{
    pthread_t worker;
    r1_batcher_opts o = {.n_class = 1, .classes = {{1, budget_us}}, .cost_us = {100, 10, 1}};
    if (!r->rule->size) R1_TRY(r1_batcher_new(&r->b, &o, err));
    r->start_us = r1_mono_us() + 1000;
    if (pthread_create(&worker, NULL, r->rule->size ? fixed_worker : batcher_worker, r) != 0)
        R1_FAIL(err, R1_E_NOMEM, "no thread for the worker");
    batch_live_send_all(r);
    if (r->b) r1_batcher_stop(r->b);
    pthread_join(worker, NULL);
    if (r->b) {
        r1_batch_stats s;
        r1_batcher_stats(r->b, &s);
        r->useful = s.useful;
        r->executed = s.executed;
    }
    if (r->st != R1_OK && err) *err = r->err;
    return r->st;
}

r1_status batch_live_run(batch_live *l, const batch_trace *t, const batch_rule *rule,
                         int64_t budget_us, batch_outcome *out, r1_err *err)
{
    live_run r = {.l = l, .t = t, .rule = rule};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.sent, &monotonic);
    pthread_condattr_destroy(&monotonic);
    r.latency_us = calloc(t->n, sizeof *r.latency_us);
    r.request = calloc(t->n, sizeof *r.request);
    r1_status st = r.latency_us && r.request
                       ? batch_live_play(&r, budget_us, err)
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a run");
    if (st == R1_OK) {
        size_t late = 0;
        double end = 0;
        for (size_t i = 0; i < t->n; i++) {
            late += r.latency_us[i] > (double)budget_us;
            if (t->at_us[i] + r.latency_us[i] > end) end = t->at_us[i] + r.latency_us[i];
        }
        *out = (batch_outcome){.late = (double)late / (double)t->n,
                               .utilisation = (double)r.useful / (double)r.executed,
                               .rate = (double)t->n * 1e6 / end};
        out->p99_us = batch_quantile(r.latency_us, t->n, 0.99);
    }
    r1_batcher_free(r.b);
    free(r.latency_us);
    free(r.request);
    pthread_cond_destroy(&r.sent);
    pthread_mutex_destroy(&r.lock);
    return st;
}
