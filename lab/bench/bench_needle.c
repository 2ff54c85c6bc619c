/* SPDX-License-Identifier: Apache-2.0 */
/* bench_needle.c - r1-bench memory --needle: see bench_needle.h.
 *
 * Needles stand at even depths of the stream. Afterwards each is asked for by its key with an
 * offset as long as the haystack's jitter; found: it is the best hit of all tiers. The read-out
 * is what attention over the hits (softmax of 30 times the score) gives of their values, and its
 * cosine to the needle's own value is reported: values are random, so nothing else looks like
 * it. */
#include "bench/bench_needle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    NEEDLES = 40,
    INSTANT = 1024,
    WORKING = 10240,
    SEGMENT = 64,
    HITS = 16,
    PART = 131072,
    POOL_MB = 256
};
static const uint64_t entity = 1;
static const double sharpness = 30;

typedef struct {
    const needle_stream *s;
    uint64_t n;         /* tokens of the stream */
    float *key, *value; /* [INSTANT][d]: the tokens in hand */
    float *x, *y;
    r1_memory *pool;
    r1_longterm *lt;
    uint64_t made, ticket, in_ticket, moved;
} tiers;

static uint64_t bench_needle_place_of(const tiers *t, size_t needle)
{
    return needle * (t->n - 1) / (NEEDLES - 1);
}

static void add_offset(float *x, uint32_t d, double length, r1_rng *rng)
{
    for (uint32_t c = 0; c < d; c++) x[c] += (float)(r1_rng_normal(rng) * length / sqrt(d));
}

static void bench_needle_key_of(const tiers *t, uint64_t token, float *x)
{
    const needle_stream *s = t->s;
    r1_rng rng;
    size_t needle = (size_t)((token * (NEEDLES - 1) + t->n - 2) / (t->n - 1));
    bool is_needle = needle < NEEDLES && bench_needle_place_of(t, needle) == token;
    r1_rng_seed(&rng, s->seed * 1000003 + token);
    const float *from = is_needle ? s->needle + needle * s->n_needle / NEEDLES * s->d
                                  : s->base + r1_rng_below(&rng, s->n_base) * s->d;
    memcpy(x, from, sizeof *x * s->d);
    if (!is_needle) add_offset(x, s->d, s->jitter, &rng);
}

static void bench_needle_value_of(const tiers *t, uint64_t token, float *x)
{
    r1_rng rng;
    r1_rng_seed(&rng, ~(t->s->seed * 1000003 + token));
    memset(x, 0, sizeof *x * t->s->d);
    add_offset(x, t->s->d, 1, &rng);
}

/* ---- the stream ---- */

static r1_status code_what_moved(tiers *t, r1_err *err)
{
    size_t n = 0;
    R1_TRY(r1_memory_consolidate(t->pool, &n, err));
    r1_memory_counts c;
    r1_memory_stats(t->pool, &c);
    if (c.n_moved - t->moved < PART) return R1_OK;
    t->moved = c.n_moved;
    return r1_longterm_consolidate(t->lt, false, err);
}

/* A token leaves instant memory: it becomes an entry. */
static r1_status hand_on(tiers *t, uint64_t token, r1_err *err)
{
    uint32_t d = t->s->d;
    uint64_t handle;
    if (t->in_ticket == 0) R1_TRY(r1_memory_begin(t->pool, &t->ticket, err));
    R1_TRY(r1_memory_append(t->pool, t->ticket, &entity, 1, token, &handle, err));
    R1_TRY(r1_memory_put(t->pool, handle, t->key + token % INSTANT * d,
                         t->value + token % INSTANT * d, err));
    if (++t->in_ticket < SEGMENT) return R1_OK;
    r1_memory_end(t->pool, t->ticket);
    t->in_ticket = 0;
    return token % 4096 == SEGMENT - 1 ? code_what_moved(t, err) : R1_OK;
}

static r1_status bench_needle_stream(tiers *t, r1_progress *p, r1_err *err)
{
    for (; t->made < t->n && !r1_cli_stopped(); t->made++) {
        if (t->made >= INSTANT) R1_TRY(hand_on(t, t->made - INSTANT, err));
        bench_needle_key_of(t, t->made, t->key + t->made % INSTANT * t->s->d);
        bench_needle_value_of(t, t->made, t->value + t->made % INSTANT * t->s->d);
        if (t->made % 8192 == 0) r1_progress_update(p, t->made, "");
    }
    if (t->in_ticket) r1_memory_end(t->pool, t->ticket);
    return r1_memory_consolidate(t->pool, NULL, err);
}

/* ---- asking ---- */

typedef struct {
    uint64_t token, handle, id;
    float score;
} found;

static void bench_needle_offer(found *best, size_t *n, found h)
{
    size_t at = *n < HITS ? (*n)++ : HITS;
    if (at == HITS && !(h.score > best[--at].score)) return;
    for (; at > 0 && h.score > best[at - 1].score; at--) best[at] = best[at - 1];
    best[at] = h;
}

static r1_status bench_needle_search(tiers *t, const float *q, found *best, size_t *n, r1_err *err)
{
    uint32_t d = t->s->d;
    r1_memory_hit hit[HITS];
    size_t n_hit = 0;
    *n = 0;
    for (uint64_t token = t->n > INSTANT ? t->n - INSTANT : 0; token < t->n; token++) {
        float score = 0;
        for (uint32_t c = 0; c < d; c++) score += q[c] * t->key[token % INSTANT * d + c];
        bench_needle_offer(best, n, (found){token, 0, 0, score});
    }
    R1_TRY(r1_memory_search(t->pool, entity, q, HITS, hit, &n_hit, err));
    for (size_t i = 0; i < n_hit; i++)
        bench_needle_offer(best, n, (found){hit[i].meta, hit[i].handle, hit[i].id, hit[i].score});
    return R1_OK;
}

static r1_status bench_needle_read_value(tiers *t, const found *h, float *x, r1_err *err)
{
    uint32_t d = t->s->d;
    if (h->id) {
        r1_longterm_view *v = r1_longterm_view_open(t->lt);
        r1_status st = r1_longterm_view_vector(v, h->id, true, x,
                                               err); /* from its code, as a model would read it */
        r1_longterm_view_close(v);
        return st;
    }
    if (h->handle) return r1_memory_get(t->pool, h->handle, NULL, x, err);
    memcpy(x, t->value + h->token % INSTANT * d, sizeof *x * d);
    return R1_OK;
}

static r1_status read_out(tiers *t, const found *best, size_t n, uint64_t needle, double *cosine,
                          r1_err *err)
{
    uint32_t d = t->s->d;
    float *out = calloc(d, sizeof *out);
    double total = 0, xy = 0, xx = 0, yy = 0;
    if (!out) R1_FAIL(err, R1_E_NOMEM, "no memory for a value");
    r1_status st = R1_OK;
    for (size_t i = 0; i < n && st == R1_OK; i++) {
        double w = exp(sharpness * (double)(best[i].score - best[0].score));
        total += w;
        st = bench_needle_read_value(t, &best[i], t->y, err);
        for (uint32_t c = 0; c < d && st == R1_OK; c++) out[c] += (float)w * t->y[c];
    }
    bench_needle_value_of(t, needle, t->y);
    for (uint32_t c = 0; c < d; c++) {
        xy += (double)out[c] * t->y[c] / total;
        xx += (double)out[c] * out[c] / total / total;
        yy += (double)t->y[c] * t->y[c];
    }
    *cosine = xy / sqrt(xx * yy + 1e-30);
    free(out);
    return st;
}

static void bench_needle_add(r1_figures *f, uint64_t n, const char *what, double v)
{
    char name[64];
    snprintf(name, sizeof name, "needle_%llu_%s", (unsigned long long)n, what);
    r1_figures_add(f, name, v);
}

static r1_status bench_needle_ask(tiers *t, r1_figures *f, r1_err *err)
{
    size_t first = 0, among = 0, in[3] = {0}, n = 0;
    double cosines = 0;
    r1_rng rng;
    r1_rng_seed(&rng, t->s->seed + 77);
    int64_t us = r1_mono_us();
    for (size_t i = 0; i < NEEDLES; i++) {
        found best[HITS];
        double cosine = 0;
        uint64_t token = bench_needle_place_of(t, i);
        bench_needle_key_of(t, token, t->x);
        add_offset(t->x, t->s->d, t->s->jitter, &rng);
        R1_TRY(bench_needle_search(t, t->x, best, &n, err));
        first += n && best[0].token == token;
        for (size_t k = 0; k < n; k++) {
            if (best[k].token != token) continue;
            among++;
            in[best[k].id ? 2 : best[k].handle ? 1 : 0]++;
        }
        R1_TRY(read_out(t, best, n, token, &cosine, err));
        cosines += cosine;
    }
    bench_needle_add(f, t->n, "found", (double)first / NEEDLES);
    bench_needle_add(f, t->n, "among_16", (double)among / NEEDLES);
    bench_needle_add(f, t->n, "cosine", cosines / NEEDLES);
    bench_needle_add(f, t->n, "ms", (double)(r1_mono_us() - us) / 1000 / NEEDLES);
    bench_needle_add(f, t->n, "from_instant", (double)in[0] / NEEDLES);
    bench_needle_add(f, t->n, "from_working", (double)in[1] / NEEDLES);
    bench_needle_add(f, t->n, "from_longterm", (double)in[2] / NEEDLES);
    return R1_OK;
}

static r1_status one_length(const needle_stream *s, uint64_t n, r1_figures *f, r1_err *err)
{
    uint32_t d = s->d;
    tiers t = {.s = s,
               .n = n,
               .key = malloc(sizeof(float) * INSTANT * d),
               .value = malloc(sizeof(float) * INSTANT * d),
               .x = malloc(sizeof(float) * d),
               .y = malloc(sizeof(float) * d)};
    r1_memory_opts po = {
        .bytes_max = (size_t)POOL_MB << 20, .quota = WORKING, .n_entity_max = 1, .width = d};
    r1_longterm_opts lo = {.d_key = d, .d_vector = d, .n_entry_max = n + 1, .seed = s->seed};
    r1_progress p;
    r1_progress_begin(&p, "needle", n);
    r1_status st = t.key && t.value && t.x && t.y ? R1_OK
                                                  : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                                               "no memory for %d tokens", INSTANT);
    if (st == R1_OK) st = r1_memory_new(&t.pool, NULL, &po, err);
    if (st == R1_OK) st = r1_longterm_new_with(&t.lt, &lo, err);
    if (st == R1_OK) st = r1_memory_attach(t.pool, t.lt, 1, 1, err);
    if (st == R1_OK) st = bench_needle_stream(&t, &p, err);
    if (st == R1_OK) st = r1_longterm_consolidate(t.lt, false, err);
    if (st == R1_OK) st = bench_needle_ask(&t, f, err);
    r1_progress_end(&p, t.made, "");
    r1_memory_free(t.pool);
    r1_longterm_free(t.lt);
    free(t.key);
    free(t.value);
    free(t.x);
    free(t.y);
    return st;
}

r1_status bench_needle(const needle_stream *s, const char *lengths, r1_figures *f, r1_err *err)
{
    if (s->n_needle < NEEDLES)
        R1_FAIL(err, R1_E_INVAL, "--needle: expected at least %d queries, found %zu", NEEDLES,
                s->n_needle);
    for (char *end; *lengths && !r1_cli_stopped(); lengths = *end ? end + 1 : end) {
        unsigned long long n = strtoull(lengths, &end, 10);
        if (n < 2 * NEEDLES || n > 16777216 || (*end && *end != ','))
            R1_FAIL(err, R1_E_INVAL,
                    "--needle: expected numbers from %d to 16777216 and commas, found %.40s",
                    2 * NEEDLES, lengths);
        R1_TRY(one_length(s, n, f, err));
    }
    return R1_OK;
}
