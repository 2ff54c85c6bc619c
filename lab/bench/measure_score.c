/* SPDX-License-Identifier: Apache-2.0 */
/* measure_score.c - whole samples through a session, timed: random samples with every item at its
 * largest, so that no data is needed. */
#include "bench/measure.h"
#include "infer/pack.h"
#include "r1_session.h"
#include "train/steps.h"

/* Samples over one table of events; all memory lies in the arena. */
typedef struct {
    r1_arena *arena;
    const r1_desc *d;
    r1_rng rng;
    r1_sample *sample;
    r1_event *event;
    uint32_t n, n_event;
    bool full; /* the arena ran out */
} crowd;

/* NULL once the arena has run out; nothing is written from then on. */
static void *measure_score_room(crowd *c, size_t n, size_t size)
{
    void *p = c->full ? NULL : r1_arena_alloc(c->arena, n ? n : 1, size);
    c->full |= !p;
    return p;
}

static float *measure_score_numbers(crowd *c, size_t n)
{
    float *x = measure_score_room(c, n, sizeof *x);
    for (size_t i = 0; i < n && !c->full; i++) x[i] = (float)r1_rng_normal(&c->rng);
    return x;
}

static int32_t *measure_score_categories(crowd *c, const r1_row_desc *r)
{
    int32_t *x = measure_score_room(c, r->n_cat, sizeof *x);
    for (uint32_t i = 0; i < r->n_cat && !c->full; i++)
        x[i] = (int32_t)r1_rng_below(&c->rng, (uint64_t)r->cat[i].n + 1);
    return x;
}

static void measure_score_fill_graph(crowd *c, const r1_item_desc *it, r1_item *x)
{
    uint8_t *mark = measure_score_room(c, it->n_node_max, 1);
    int32_t *src = measure_score_room(c, it->n_edge_max, sizeof *src),
            *dst = measure_score_room(c, it->n_edge_max, sizeof *dst);
    for (uint32_t i = 0; i < it->n_edge_max && !c->full; i++) {
        src[i] = (int32_t)r1_rng_below(&c->rng, it->n_node_max);
        dst[i] = (int32_t)r1_rng_below(&c->rng, it->n_node_max);
    }
    if (!c->full) mark[0] = 1;
    x->n_node = it->n_node_max, x->n_edge = it->n_edge_max;
    x->node = measure_score_numbers(c, (size_t)it->n_node_max * it->row.n_num);
    x->edge = measure_score_numbers(c, (size_t)it->n_edge_max * it->n_edge_feature);
    x->src = src, x->dst = dst, x->mark = mark;
}

static void measure_score_fill_item(crowd *c, const r1_item_desc *it, r1_item *x)
{
    x->present = true;
    if (it->kind == R1_ITEM_TABLE) {
        x->num = measure_score_numbers(c, it->row.n_num);
        x->cat = measure_score_categories(c, &it->row);
    } else if (it->kind == R1_ITEM_TEXT) {
        char *text = measure_score_room(c, it->n_token_max, 1);
        for (uint32_t i = 0; i < it->n_token_max && !c->full; i++)
            text[i] = (char)('a' + r1_rng_below(&c->rng, 26));
        x->text = text, x->text_bytes = it->n_token_max;
    } else if (it->kind == R1_ITEM_GRAPH) {
        measure_score_fill_graph(c, it, x);
    } else {
        uint64_t *ref = measure_score_room(c, it->n_ref_max, sizeof *ref);
        for (uint32_t i = 0; i < it->n_ref_max && !c->full; i++)
            ref[i] = r1_rng_below(&c->rng, c->n_event);
        x->ref = ref, x->n_ref = it->n_ref_max;
    }
}

static r1_status crowd_new(crowd *c, const r1_model *m, uint32_t n, r1_err *err)
{
    *c = (crowd){.d = m->desc, .n = n, .n_event = m->desc->has_event ? 4 * n : 0};
    r1_rng_seed(&c->rng, 1);
    R1_TRY(r1_arena_new(&c->arena, (size_t)1 << 28, err));
    c->sample = measure_score_room(c, n, sizeof *c->sample);
    c->event = measure_score_room(c, c->n_event, sizeof *c->event);
    for (uint32_t i = 0; i < c->n_event && !c->full; i++)
        c->event[i] = (r1_event){measure_score_numbers(c, c->d->event.n_num),
                                 measure_score_categories(c, &c->d->event)};
    for (uint32_t i = 0; i < n && !c->full; i++) {
        r1_item *item = measure_score_room(c, c->d->n_item, sizeof *item);
        for (uint32_t k = 0; k < c->d->n_item && !c->full; k++)
            measure_score_fill_item(c, &c->d->item[k], &item[k]);
        c->sample[i] = (r1_sample){.item = item};
    }
    if (!c->full) return R1_OK;
    r1_arena_free(c->arena);
    R1_FAIL(err, R1_E_NOMEM, "score: no memory for %u samples", n);
}

static r1_event event_at(void *crowd_of, uint64_t index)
{
    return ((crowd *)crowd_of)->event[index];
}

/* ---- a model --------------------------------------------------------------------------------- */

static r1_status fit_steps(r1_model *m, crowd *c, r1_err *err)
{
    uint32_t cap[R1_SYMBOLS_MAX];
    r1_exec *e = NULL;
    r1_pack *pack = NULL;
    r1_pack_source src = {.sample = c->sample,
                          .n_sample = c->n,
                          .event = event_at,
                          .event_ctx = c,
                          .n_event = c->n_event};
    r1_pack_capacity(m, c->n, cap);
    r1_status st = r1_exec_new(&e, m, r1_backend_cpu(), cap, false, err);
    if (st == R1_OK) st = r1_pack_new(&pack, e, 0, err);
    if (st == R1_OK) st = r1_pack_fill(pack, &src, err);
    if (st == R1_OK) st = r1_exec_forward_all(e, err);
    if (st == R1_OK) r1_steps_fit(m, &(const r1_exec *){e}, 1);
    r1_pack_free(pack);
    r1_exec_free(e);
    return st;
}

r1_status measure_model(r1_model **out, const char *description, bool learned, r1_err *err)
{
    r1_model *m;
    crowd c;
    R1_TRY(r1_model_new(&m, description, 1, err));
    r1_status st = R1_OK;
    if (learned) {
        st = r1_model_add_steps(m, err);
        if (st == R1_OK) st = crowd_new(&c, m, 64, err);
        if (st == R1_OK) {
            st = fit_steps(m, &c, err);
            r1_arena_free(c.arena);
        }
    }
    if (st != R1_OK) {
        r1_model_free(m);
        return st;
    }
    *out = m;
    return R1_OK;
}

/* ---- its speed ------------------------------------------------------------------------------- */

/* Runs for a twentieth of the time, samples a second into *best where they are more. */
static r1_status time_runs(r1_session *s, const crowd *c, double seconds, double *best, r1_err *err)
{
    r1_batch b = {.sample = c->sample, .n_sample = c->n, .event = c->event, .n_event = c->n_event};
    r1_result res;
    int64_t began = r1_mono_us(), spent = 0;
    int runs = 0;
    for (; (double)spent < seconds * 1e6 / 20; runs++) {
        R1_TRY(r1_session_run(s, &b, &res, err));
        spent = r1_mono_us() - began;
    }
    double rate = (double)runs * c->n / ((double)spent * 1e-6);
    if (rate > *best) *best = rate;
    return R1_OK;
}

r1_status measure_score(const r1_model *m, uint32_t n_batch, double seconds, double samples_s[2],
                        r1_err *err)
{
    crowd c;
    r1_session *s[2] = {NULL, NULL};
    R1_TRY(crowd_new(&c, m, n_batch, err));
    r1_status st = R1_OK;
    for (int i = 0; i < 2 && st == R1_OK; i++) {
        /* a cache of two texts: every text is encoded */
        r1_session_opts o = {.n_sample_max = n_batch,
                             .n_text_cache = 2,
                             .precision = i ? R1_PRECISION_INT8 : R1_PRECISION_F32};
        samples_s[i] = 0;
        st = r1_session_new(&s[i], m, &o, err);
    }
    for (int round = 0; round < 40 && st == R1_OK; round++)
        st = time_runs(s[round % 2], &c, seconds, &samples_s[round % 2], err);
    r1_session_free(s[0]);
    r1_session_free(s[1]);
    r1_arena_free(c.arena);
    return st;
}
