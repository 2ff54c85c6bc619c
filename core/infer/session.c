/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - scoring: pieces of at most n_sample_max go through the plan; calibration,
 * probabilities and the trace come from the logits at every position.
 *
 * With a pool: entries are made first (they depend on their own events alone), stored when it is
 * this ticket's turn, and only then does the batch read the pool; so it sees all earlier
 * batches, whoever ran them. */
#include "infer/session.h"

#include "infer/pack.h"
#include "model/fold.h"
#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_MAX = 65536, PIECE_MAX = 4096 };

struct r1_session {
    const r1_model *m;
    r1_model *folded; /* what is run in m's place; NULL: m itself */
    r1_exec *e;
    r1_pack *pack;
    r1_precision precision;
    uint32_t piece;
    bool aligned; /* every item's row in the common space is kept */
    size_t cap;   /* samples that the result arrays hold */
    float *logit, *prob;
    double *trace;
};

static r1_status session_grow(r1_session *s, size_t n, r1_err *err)
{
    size_t out = s->m->desc->n_output, positions = s->m->net.n_position;
    if (n <= s->cap) return R1_OK;
    float *logit = r1_realloc_array(s->logit, n * out, sizeof *logit);
    if (logit) s->logit = logit;
    float *prob = r1_realloc_array(s->prob, n * out, sizeof *prob);
    if (prob) s->prob = prob;
    double *trace = r1_realloc_array(s->trace, n * out * positions, sizeof *trace);
    if (trace) s->trace = trace;
    if (!logit || !prob || !trace)
        R1_FAIL(err, R1_E_NOMEM, "session: no memory for %zu results", n);
    s->cap = n;
    return R1_OK;
}

r1_status r1_session_new_on(r1_session **out, const r1_model *m, const r1_session_opts *opts,
                            const r1_backend *be, r1_err *err)
{
    r1_session_opts o = opts ? *opts : (r1_session_opts){0};
    if (!o.n_sample_max) o.n_sample_max = 64;
    if (!o.n_text_cache) o.n_text_cache = 4096;
    if (o.n_sample_max > PIECE_MAX || o.n_text_cache > 1u << 20)
        R1_FAIL(err, R1_E_INVAL, "session: %u samples (at most %d), %u cached texts (at most %u)",
                o.n_sample_max, PIECE_MAX, o.n_text_cache, 1u << 20);
    if (o.precision == R1_PRECISION_AUTO)
        o.precision = m->steps && be->pack_int8 ? R1_PRECISION_INT8 : R1_PRECISION_F32;
    if (o.precision != R1_PRECISION_F32 && o.precision != R1_PRECISION_INT8)
        R1_FAIL(err, R1_E_INVAL, "session: precision %d, expected %d (f32), %d (int8) or %d (auto)",
                (int)o.precision, R1_PRECISION_F32, R1_PRECISION_INT8, R1_PRECISION_AUTO);
    r1_session *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "session: out of memory");
    uint32_t cap[R1_SYMBOLS_MAX];
    s->m = m;
    s->precision = o.precision;
    s->piece = o.n_sample_max;
    s->aligned = o.aligned;
    r1_status st = R1_OK;
    if (!o.aligned && be->forward[R1_OP_TAIL_NORM]) st = r1_fold_new(&s->folded, m, err);
    if (st == R1_OK) {
        const r1_model *run = s->folded ? s->folded : m;
        r1_pack_capacity(run, o.n_sample_max, cap);
        st = o.precision == R1_PRECISION_INT8 ? r1_exec_new_int8(&s->e, run, be, cap, err)
                                              : r1_exec_new(&s->e, run, be, cap, false, err);
    }
    if (st == R1_OK) st = r1_pack_new(&s->pack, s->e, o.n_text_cache, err);
    if (st == R1_OK) st = session_grow(s, o.n_sample_max, err);
    if (st != R1_OK) {
        r1_session_free(s);
        return st;
    }
    *out = s;
    return R1_OK;
}

r1_status r1_session_new(r1_session **out, const r1_model *m, const r1_session_opts *opts,
                         r1_err *err)
{
    r1_err local = {0};
    const r1_backend *be = r1_backend_find(opts ? opts->backend : NULL, &local);
    if (!be) {
        if (err) *err = local;
        return local.code ? local.code : R1_E_DEVICE;
    }
    return r1_session_new_on(out, m, opts, be, err);
}

void r1_session_free(r1_session *s)
{
    if (!s) return;
    r1_pack_free(s->pack);
    r1_exec_free(s->e);
    r1_fold_free(s->folded);
    free(s->logit);
    free(s->prob);
    free(s->trace);
    free(s);
}

r1_precision r1_session_precision(const r1_session *s) { return s->precision; }

/* ---- one piece ------------------------------------------------------------------------------- */

static r1_event inline_event(void *ctx, uint64_t index) { return ((const r1_event *)ctx)[index]; }

/* New entries to their slots, and back where the pool rounds them: samples of their own batch
 * read them in place. The last piece of a batch lets the next ticket go on. */
static r1_status store_entries(r1_session *s, r1_memory *pool, r1_err *err)
{
    size_t width = 2 * (size_t)s->m->desc->d_memory;
    uint32_t n = s->e->sym[R1_SYM_EVENT];
    if (n == 0) return R1_OK;
    R1_ASSERT(n <= s->e->cap[R1_SYM_EVENT], "session: %u entries to store, room for %u", n,
              s->e->cap[R1_SYM_EVENT]);
    R1_TRY(r1_exec_download_rows(s->e, s->e->m->net.entry, 0, n, err));
    R1_TRY(r1_exec_sync(s->e, err));
    float *kv = r1_exec_ptr(s->e, s->e->m->net.entry);
    for (uint32_t r = 0; r < n; r++) r1_memory_write(pool, s->pack->stored[r], kv + r * width);
    if (!r1_memory_rounds(pool)) return R1_OK;
    for (uint32_t r = 0; r < n; r++) r1_memory_read(pool, s->pack->stored[r], kv + r * width);
    return r1_exec_upload_rows(s->e, s->e->m->net.entry, 0, n, err);
}

static uint32_t items_hidden(const r1_batch *b)
{
    uint32_t after = b->n_step && b->n_step < R1_ITEMS_MAX ? ~0u << b->n_step : 0;
    return b->items_off | after;
}

static r1_status download_tensor(r1_session *s, int16_t t, r1_err *err)
{
    const r1_tensor *x = &s->e->m->net.plan.tensor[t];
    return r1_exec_download_rows(s->e, t, 0, (uint32_t)r1_tensor_rows(x, s->e->sym), err);
}

/* What the host reads after a run: logits, new texts, the common space where it is kept. */
static r1_status download_answers(r1_session *s, r1_err *err)
{
    R1_TRY(download_tensor(s, s->e->m->net.logits, err));
    R1_TRY(r1_pack_download_texts(s->pack, err));
    for (uint32_t i = 0; s->aligned && i < s->m->desc->n_item; i++)
        if (s->m->desc->item[i].kind != R1_ITEM_TEXT) /* the host has those of texts */
            R1_TRY(download_tensor(s, s->e->m->net.item[i].aligned, err));
    return r1_exec_sync(s->e, err);
}

static r1_status session_forward(r1_session *s, const r1_batch *b, size_t first, size_t n,
                                 r1_err *err)
{
    r1_pack_source src = {.sample = b->sample + first,
                          .n_sample = n,
                          .pool = b->pool,
                          .event = b->event ? inline_event : NULL,
                          .event_ctx = (void *)(uintptr_t)b->event,
                          .n_event = b->n_event,
                          .items_off = items_hidden(b)};
    R1_TRY(r1_pack_fill(s->pack, &src, err));
    R1_TRY(r1_exec_forward(s->e, R1_PHASE_EVENTS, err));
    if (b->pool) {
        r1_memory_wait(b->pool, b->ticket);
        R1_TRY(store_entries(s, b->pool, err));
        if (first + n == b->n_sample) r1_memory_stored(b->pool, b->ticket);
        R1_TRY(r1_pack_gather(s->pack, b->pool, err));
    }
    R1_TRY(r1_exec_forward(s->e, R1_PHASE_TEXTS, err));
    R1_TRY(r1_exec_forward(s->e, R1_PHASE_SAMPLES, err));
    R1_TRY(download_answers(s, err));
    r1_pack_remember(s->pack);
    return R1_OK;
}

/* ---- reading the heads ----------------------------------------------------------------------- */

static float session_calibrated(const r1_model *m, size_t output, float logit)
{
    for (uint32_t h = 0; h < m->desc->n_headc; h++) {
        const r1_head_desc *d = &m->desc->head[h];
        if (output >= d->output && output < d->output + d->n)
            return r1_model_calibrated(m, h, logit);
    }
    return logit;
}

/* Differences of floats as doubles, so that adding them up gives the last logit again. Where a
 * double cannot hold a difference (29 binary orders apart), the remainder moves to the next
 * step. */
static void read_sample(r1_session *s, size_t in, size_t out, uint32_t n_step)
{
    R1_ASSERT(in < s->piece && out < s->cap && n_step < s->m->net.n_position,
              "session: sample %zu of %u, result %zu of %zu, step %u of %u", in, s->piece, out,
              s->cap, n_step, s->m->net.n_position);
    size_t n = s->m->desc->n_output;
    const float *logits =
        (const float *)r1_exec_ptr(s->e, s->e->m->net.logits) + in * s->e->m->net.n_position * n;
    double *trace = s->trace + out * (n_step + 1) * n;
    for (size_t k = 0; k < n; k++) {
        double sum = 0;
        for (uint32_t p = 0; p <= n_step; p++) {
            double now = session_calibrated(s->m, k, logits[p * n + k]);
            trace[p * n + k] = now - sum;
            sum += trace[p * n + k];
        }
        s->logit[out * n + k] = (float)sum;
    }
}

static float session_sigmoid(float x) { return 1 / (1 + expf(-x)); }

/* Softmax over n values, `stride` apart. */
static void session_softmax(const float *x, float *p, size_t n, size_t stride)
{
    float top = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < n; i++) top = fmaxf(top, x[i * stride]);
    for (size_t i = 0; i < n; i++) sum += exp((double)x[i * stride] - top);
    for (size_t i = 0; i < n; i++) p[i * stride] = (float)(exp((double)x[i * stride] - top) / sum);
}

static void rank_probabilities(r1_session *s, const r1_batch *b, uint32_t k)
{
    size_t n = s->m->desc->n_output;
    for (size_t i = 0, to; i < b->n_sample; i = to) {
        for (to = i + 1;
             to < b->n_sample && b->sample[i].group && b->sample[to].group == b->sample[i].group;)
            to++;
        session_softmax(s->logit + i * n + k, s->prob + i * n + k, to - i, n);
    }
}

static void session_probabilities(r1_session *s, const r1_batch *b)
{
    size_t n = s->m->desc->n_output;
    for (uint32_t h = 0; h < s->m->desc->n_headc; h++) {
        const r1_head_desc *d = &s->m->desc->head[h];
        if (d->kind == R1_HEAD_RANK) rank_probabilities(s, b, d->output);
        for (size_t i = 0; i < b->n_sample && d->kind != R1_HEAD_RANK; i++) {
            size_t at = i * n + d->output;
            if (d->kind == R1_HEAD_BINARY)
                s->prob[at] = session_sigmoid(s->logit[at]);
            else
                session_softmax(s->logit + at, s->prob + at, d->n, 1);
        }
    }
}

/* ---- a batch --------------------------------------------------------------------------------- */

static r1_status session_check(const r1_session *s, const r1_batch *b, r1_err *err)
{
    if (b->n_sample > SAMPLES_MAX || (b->n_sample && !b->sample))
        R1_FAIL(err, R1_E_INVAL, "session: %zu samples, at most %d", b->n_sample, SAMPLES_MAX);
    if (b->pool && b->event)
        R1_FAIL(err, R1_E_INVAL, "session: a batch has a pool or events, not both");
    if (b->pool && !b->ticket)
        R1_FAIL(err, R1_E_INVAL, "session: a batch with a pool needs its ticket");
    if (b->n_step > s->m->desc->n_item)
        R1_FAIL(err, R1_E_INVAL, "session: %u steps, the model has %u items", b->n_step,
                s->m->desc->n_item);
    return R1_OK;
}

static r1_status session_run(r1_session *s, const r1_batch *b, uint32_t n_step, r1_err *err)
{
    R1_TRY(session_check(s, b, err));
    R1_TRY(session_grow(s, b->n_sample, err));
    s->e->flags = b->flags;
    for (size_t first = 0; first < b->n_sample; first += s->piece) {
        size_t n = b->n_sample - first < s->piece ? b->n_sample - first : s->piece;
        R1_ASSERT(n > 0 && first + n <= s->cap, "session: samples %zu to %zu of %zu", first,
                  first + n, s->cap);
        R1_TRY(session_forward(s, b, first, n, err));
        for (size_t i = 0; i < n; i++) read_sample(s, i, first + i, n_step);
    }
    session_probabilities(s, b);
    return R1_OK;
}

/* A failed batch must not leave other entries' values under its handles. */
static void blank_entries(const r1_batch *b)
{
    r1_memory_wait(b->pool, b->ticket);
    for (size_t i = 0; b->sample && i < b->n_sample; i++)
        r1_memory_blank(b->pool, b->sample[i].event_handle);
}

r1_status r1_session_run(r1_session *s, const r1_batch *b, r1_result *result, r1_err *err)
{
    uint32_t n_step = b->n_step ? b->n_step : s->m->desc->n_item;
    memset(result, 0, sizeof *result);
    r1_status st = session_run(s, b, n_step, err);
    if (st == R1_OK)
        *result =
            (r1_result){b->n_sample, s->m->desc->n_output, n_step, s->logit, s->prob, s->trace};
    if (b->pool && b->ticket) {
        if (st != R1_OK) blank_entries(b);
        r1_memory_end(b->pool, b->ticket);
    }
    return st;
}

r1_status r1_session_store(r1_session *s, r1_memory *pool, uint64_t ticket, const r1_event *event,
                           const uint64_t *handle, size_t n, r1_err *err)
{
    size_t piece = s->e->cap[R1_SYM_EVENT];
    if (!ticket) R1_FAIL(err, R1_E_INVAL, "session: entries are stored under a ticket");
    r1_memory_wait(pool, ticket);
    for (size_t first = 0; first < n; first += piece) {
        size_t m = n - first < piece ? n - first : piece;
        R1_TRY(r1_pack_events(s->pack, event + first, handle + first, (uint32_t)m, err));
        R1_TRY(r1_exec_forward(s->e, R1_PHASE_EVENTS, err));
        R1_TRY(store_entries(s, pool, err));
    }
    return R1_OK;
}

const float *r1_session_aligned(const r1_session *s, size_t sample, size_t item)
{
    if (s->folded || (s->e->device && !s->aligned) || sample >= s->e->sym[R1_SYM_SEQ] ||
        item >= s->m->desc->n_item)
        return NULL;
    const r1_item_io *io = &s->e->m->net.item[item];
    int32_t row = ((const int32_t *)r1_exec_ptr(s->e, io->map))[sample];
    return row < 0
               ? NULL
               : (const float *)r1_exec_ptr(s->e, io->aligned) + (size_t)row * s->m->desc->d_align;
}
