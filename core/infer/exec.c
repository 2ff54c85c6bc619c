/* SPDX-License-Identifier: Apache-2.0 */
/* exec.c - binds operands to memory and calls the backend. Where the backend lacks an op, the
 * operands are copied to the host, the CPU's function runs, and the outputs are copied back. */
#include "infer/exec.h"

#include "infer/device.h"
#include "r1_assert.h"
#include "r1_session.h"
#include "tensor/r1_op.h"

#include <stdlib.h>
#include <string.h>

static const r1_plan *plan_of(const r1_exec *e) { return &e->m->net.plan; }

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Bytes of a tensor at these values of the symbols, padding rows included. */
static size_t exec_room(const r1_tensor *t, const uint32_t *sym)
{
    size_t n = t->sym == R1_SYM_ONE ? 1 : round_up(sym[t->sym], R1_ROW_PAD);
    return round_up((n * t->mul + t->plus) * t->cols * r1_dtype_bytes(t->dtype), 256);
}

static void lay_out_space(r1_exec *e, r1_space space)
{
    for (uint32_t i = 0; i < plan_of(e)->n_tensor; i++) {
        const r1_tensor *t = &plan_of(e)->tensor[i];
        if (t->space != space || (e->rounder[i] >= 0 && !e->rounds)) continue;
        e->offset[i] = e->device_offset[i] = e->bytes;
        e->bytes += exec_room(t, e->cap);
        R1_ASSERT(e->bytes >= e->offset[i] && e->offset[i] % 256 == 0,
                  "plan: tensor %u at byte %zu, the next at %zu", i, e->offset[i], e->bytes);
    }
}

static void exec_lay_out(r1_exec *e)
{
    lay_out_space(e, R1_SPACE_INPUT);
    e->input_bytes = e->bytes;
    lay_out_space(e, R1_SPACE_ACT);
}

/* A tensor needs a gradient when something trainable can reach it. */
static void mark_gradients(r1_exec *e)
{
    const r1_plan *p = plan_of(e);
    for (uint32_t i = 0; i < p->n_tensor; i++)
        e->needs_grad[i] = p->tensor[i].space == R1_SPACE_WEIGHT && !p->tensor[i].frozen;
    for (uint32_t i = 0; i < p->n_call; i++) {
        const r1_op_def *op = r1_op_get(p->call[i].op);
        bool reached = false;
        for (int k = 0; k < R1_OP_VIEWS; k++)
            if (op->grads >> k & 1 && p->call[i].v[k].t >= 0)
                reached |= e->needs_grad[p->call[i].v[k].t];
        for (int k = 0; k < R1_OP_VIEWS; k++)
            if (op->outputs >> k & 1 && reached) e->needs_grad[p->call[i].v[k].t] = true;
    }
}

static void find_rounders(r1_exec *e)
{
    const r1_plan *p = plan_of(e);
    for (uint32_t i = 0; i < p->n_tensor; i++) e->rounder[i] = -1;
    for (uint32_t i = 0; i < p->n_call; i++)
        if (p->call[i].op == R1_OP_LSQ) e->rounder[p->call[i].v[R1_LSQ_Y].t] = (int16_t)i;
}

/* What an operand was rounded from, and the learned quantiser scales (NULL: it is not rounded). */
static const r1_operand *exec_unrounded(const r1_exec *e, const r1_operand *o, const float **scale)
{
    if (scale) *scale = NULL;
    if (o->t < 0 || e->rounder[o->t] < 0) return o;
    const r1_call *c = &plan_of(e)->call[e->rounder[o->t]];
    if (scale) *scale = r1_model_weight(e->m, c->v[R1_LSQ_STEP].t);
    return &c->v[R1_LSQ_X];
}

static r1_status pack_weights(r1_exec *e, bool int8, r1_err *err)
{
    const r1_plan *p = plan_of(e);
    if (int8 && !e->be->pack_int8)
        R1_FAIL(err, R1_E_INVAL, "session: backend %s has no int8", e->be->name);
    for (uint32_t i = 0; i < p->n_call; i++) {
        const r1_call *c = &p->call[i];
        if (c->op != R1_OP_LINEAR) continue;
        const float *x_scale, *w_scale;
        const r1_operand *x = exec_unrounded(e, &c->v[R1_LINEAR_X], &x_scale),
                         *from = exec_unrounded(e, &c->v[R1_LINEAR_W], &w_scale);
        char *base =
            (e->device ? e->device_weights : (char *)e->m->weights) + p->tensor[from->t].offset;
        r1_view w = r1_operand_view(p, from, e->cap, base);
        int64_t rows = r1_operand_view(p, x, e->cap, NULL).rows;
        e->int8[i] = int8 && r1_net_int8(w.rows, w.cols);
        if (e->int8[i])
            R1_TRY(e->be->pack_int8(&e->packed[i], &w, w_scale, x_scale ? *x_scale : 0, rows, err));
        else if (e->be->pack)
            R1_TRY(e->be->pack(&e->packed[i], &w, rows, err));
    }
    return R1_OK;
}

static r1_status exec_reserve_device(r1_exec *e, bool train, r1_err *err)
{
    const size_t weights = plan_of(e)->weight_bytes;
    const struct {
        char **to;
        size_t bytes;
    } buffer[] = {{&e->device, e->bytes + 256},
                  {&e->device_weights, weights + 64},
                  {&e->device_grad, e->bytes + 256},
                  {&e->device_wgrad, weights + 64}};
    e->staged = r1_calloc_aligned(e->input_bytes + 256, 1);
    if (!e->staged) R1_FAIL(err, R1_E_NOMEM, "plan: no memory for %zu bytes", e->input_bytes);
    R1_TRY(e->be->stream_new(&e->stream, r1_device_index(e->be), err));
    for (size_t i = 0; i < (train ? 4 : 2); i++) {
        void *p;
        R1_TRY(e->be->buffer_new(&p, buffer[i].bytes, err));
        *buffer[i].to = p;
    }
    R1_TRY(e->be->upload(e->stream, e->device_weights, e->m->weights, weights, err));
    return e->be->stream_sync(e->stream, err); /* who packs them has no stream */
}

static r1_status exec_reserve(r1_exec *e, bool train, bool int8, r1_err *err)
{
    const r1_plan *p = plan_of(e);
    R1_TRY(r1_arena_new(&e->arena, SIZE_MAX, err));
    e->offset = r1_arena_alloc(e->arena, p->n_tensor, sizeof *e->offset);
    e->device_offset = r1_arena_alloc(e->arena, p->n_tensor, sizeof *e->device_offset);
    e->needs_grad = r1_arena_alloc(e->arena, p->n_tensor, sizeof *e->needs_grad);
    e->packed = r1_arena_alloc(e->arena, p->n_call, sizeof *e->packed);
    e->int8 = r1_arena_alloc(e->arena, p->n_call, sizeof *e->int8);
    e->rounder = r1_arena_alloc(e->arena, p->n_tensor, sizeof *e->rounder);
    if (!e->offset || !e->device_offset || !e->needs_grad || !e->packed || !e->int8 || !e->rounder)
        R1_FAIL(err, R1_E_NOMEM, "plan: out of memory");
    e->rounds = train;
    find_rounders(e);
    exec_lay_out(e);
    mark_gradients(e);
    e->block = r1_calloc_aligned(e->bytes + 256, 1);
    if (train) {
        e->grad = r1_calloc_aligned(e->bytes + 256, 1);
        e->wgrad = r1_calloc_aligned(p->weight_bytes + 64, 1);
    }
    if (!e->block || (train && (!e->grad || !e->wgrad)))
        R1_FAIL(err, R1_E_NOMEM, "plan: %zu bytes of activations are not to be had", e->bytes);
    if (e->be->host_memory) return train ? R1_OK : pack_weights(e, int8, err);
    R1_TRY(exec_reserve_device(e, train, err));
    return train ? R1_OK : pack_weights(e, int8, err);
}

static r1_status exec_new(r1_exec **out, const r1_model *m, const r1_backend *be,
                          const uint32_t *cap, bool train, bool int8, r1_err *err)
{
    r1_exec *e = calloc(1, sizeof *e);
    if (!e) R1_FAIL(err, R1_E_NOMEM, "plan: out of memory");
    e->m = m;
    e->be = be;
    memcpy(e->cap, cap, sizeof e->cap);
    r1_status st = exec_reserve(e, train, int8, err);
    if (st != R1_OK) {
        r1_exec_free(e);
        return st;
    }
    *out = e;
    return R1_OK;
}

r1_status r1_exec_new(r1_exec **out, const r1_model *m, const r1_backend *be, const uint32_t *cap,
                      bool train, r1_err *err)
{
    return exec_new(out, m, be, cap, train, false, err);
}

r1_status r1_exec_new_int8(r1_exec **out, const r1_model *m, const r1_backend *be,
                           const uint32_t *cap, r1_err *err)
{
    return exec_new(out, m, be, cap, false, true, err);
}

void r1_exec_free(r1_exec *e)
{
    if (!e) return;
    for (uint32_t i = 0; e->packed && i < plan_of(e)->n_call; i++)
        if (e->packed[i]) e->be->packed_free(e->packed[i]);
    if (e->device) e->be->buffer_free(e->device);
    if (e->device_weights) e->be->buffer_free(e->device_weights);
    if (e->device_grad) e->be->buffer_free(e->device_grad);
    if (e->device_wgrad) e->be->buffer_free(e->device_wgrad);
    if (e->stream) e->be->stream_free(e->stream);
    r1_arena_free(e->arena);
    free(e->staged);
    free(e->block);
    free(e->grad);
    free(e->wgrad);
    free(e);
}

/* ---- copies ---------------------------------------------------------------------------------- */

static size_t row_bytes(const r1_tensor *t) { return t->cols * r1_dtype_bytes(t->dtype); }

r1_status r1_exec_upload_rows(r1_exec *e, int16_t t, uint32_t row0, uint32_t n, r1_err *err)
{
    if (!e->device || n == 0) return R1_OK;
    size_t one = row_bytes(&plan_of(e)->tensor[t]), at = e->offset[t] + row0 * one;
    R1_ASSERT(at + n * one <= e->bytes, "plan: rows %u to %u of tensor %d end at byte %zu of %zu",
              row0, row0 + n, t, at + n * one, e->bytes);
    return e->be->upload(e->stream, e->device + at, e->block + at, n * one, err);
}

r1_status r1_exec_download_rows(r1_exec *e, int16_t t, uint32_t row0, uint32_t n, r1_err *err)
{
    if (!e->device || n == 0) return R1_OK;
    size_t one = row_bytes(&plan_of(e)->tensor[t]), at = e->offset[t] + row0 * one;
    R1_ASSERT(at + n * one <= e->bytes, "plan: rows %u to %u of tensor %d end at byte %zu of %zu",
              row0, row0 + n, t, at + n * one, e->bytes);
    return e->be->download(e->stream, e->block + at, e->device + at, n * one, err);
}

r1_status r1_exec_sync(r1_exec *e, r1_err *err)
{
    return e->device ? e->be->stream_sync(e->stream, err) : R1_OK;
}

r1_status r1_exec_upload_inputs(r1_exec *e, r1_err *err)
{
    size_t at = 0;
    if (!e->device) return R1_OK;
    for (uint32_t i = 0; i < plan_of(e)->n_tensor; i++) {
        const r1_tensor *t = &plan_of(e)->tensor[i];
        if (t->space != R1_SPACE_INPUT) continue;
        size_t bytes = (size_t)r1_tensor_rows(t, e->sym) * row_bytes(t);
        R1_ASSERT(at + bytes <= e->input_bytes, "plan: input %u ends at byte %zu of %zu", i,
                  at + bytes, e->input_bytes);
        memcpy(e->staged + at, e->block + e->offset[i], bytes);
        e->device_offset[i] = at;
        at += exec_room(t, e->sym);
    }
    return e->be->upload(e->stream, e->device, e->staged, at, err);
}

/* ---- calls ----------------------------------------------------------------------------------- */

typedef enum { ON_HOST, ON_DEVICE } place;

static char *base_of(const r1_exec *e, int16_t t, place where)
{
    const r1_tensor *x = &plan_of(e)->tensor[t];
    bool device = where == ON_DEVICE && e->device;
    if (x->space == R1_SPACE_WEIGHT)
        return (device ? e->device_weights : (char *)e->m->weights) + x->offset;
    return device ? e->device + e->device_offset[t] : e->block + e->offset[t];
}

/* Run flags switch CAWA's factors off by taking the operand away. */
static bool switched_off(const r1_exec *e, const r1_call *c, int slot)
{
    if (!c->cawa) return false;
    if (c->op == R1_OP_ATTEND)
        return (slot == R1_ATTEND_FACTOR_Q || slot == R1_ATTEND_FACTOR_K) &&
               (e->flags & R1_RUN_NO_CONTEXT);
    return (slot == R1_CAWA_SCALE_CONTEXT && (e->flags & R1_RUN_NO_CONTEXT)) ||
           (slot == R1_CAWA_SCALE_LENGTH && (e->flags & R1_RUN_NO_LENGTH));
}

/* The operand ends within its tensor's part of the arena. */
static bool exec_within(const r1_exec *e, int16_t t, const r1_view *v, const char *base)
{
    const r1_tensor *x = &plan_of(e)->tensor[t];
    size_t size = r1_dtype_bytes(x->dtype), room = exec_room(x, e->cap);
    if (x->space == R1_SPACE_WEIGHT) room = plan_of(e)->weight_bytes - x->offset;
    if (v->rows == 0) return true;
    return (const char *)v->p + (size_t)((v->rows - 1) * v->ld + v->cols) * size <= base + room;
}

static void exec_bind(const r1_exec *e, const r1_call *c, place where, r1_op_args *a)
{
    const r1_plan *p = plan_of(e);
    memset(a, 0, sizeof *a);
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        const r1_operand *o = e->rounds ? &c->v[k] : exec_unrounded(e, &c->v[k], NULL);
        if (o->t < 0 || switched_off(e, c, k)) continue;
        char *base = base_of(e, o->t, where);
        a->v[k] = r1_operand_view(p, o, e->sym, base);
        R1_DEEP_ASSERT(exec_within(e, o->t, &a->v[k], base), "%s, slot %d: beyond its tensor",
                       r1_op_name(c->op), k);
    }
    memcpy(a->i, c->i, sizeof a->i);
    memcpy(a->f, c->f, sizeof a->f);
    if (c->cawa) a->f[c->op == R1_OP_ATTEND ? R1_ATTEND_BETA : R1_CAWA_SCALE_BETA] = e->m->beta;
    /* A linear op may fill the first rows of a longer tensor, whose rest is gathered. */
    if (c->op == R1_OP_LINEAR) {
        R1_ASSERT(a->v[R1_LINEAR_Y].rows >= a->v[R1_LINEAR_X].rows, "linear: %lld rows into %lld",
                  (long long)a->v[R1_LINEAR_X].rows, (long long)a->v[R1_LINEAR_Y].rows);
        a->v[R1_LINEAR_Y].rows = a->v[R1_LINEAR_X].rows;
    }
    r1_op_check(c->op, a);
}

static r1_status copy_operands(r1_exec *e, const r1_call *c, uint32_t slots, bool to_host,
                               r1_err *err)
{
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        if (!(slots >> k & 1) || c->v[k].t < 0) continue;
        const r1_tensor *t = &plan_of(e)->tensor[c->v[k].t];
        if (t->space != R1_SPACE_ACT) continue; /* the host has its weights and inputs */
        uint32_t rows = (uint32_t)r1_tensor_rows(t, e->sym);
        R1_TRY(to_host ? r1_exec_download_rows(e, c->v[k].t, 0, rows, err)
                       : r1_exec_upload_rows(e, c->v[k].t, 0, rows, err));
    }
    return R1_OK;
}

static r1_status run_on_cpu(r1_exec *e, const r1_call *c, r1_err *err)
{
    r1_op_args a;
    if (r1_device_forced(e->be))
        R1_FAIL(err, R1_E_INVAL, "device %s cannot do %s of these shapes", r1_device_name(),
                r1_op_name(c->op));
    if (!e->said_cpu)
        r1_log(R1_LOG_WARN, "device", "backend %s cannot do %s of these shapes: the CPU does",
               e->be->name, r1_op_name(c->op));
    e->said_cpu = true;
    exec_bind(e, c, ON_HOST, &a);
    R1_TRY(copy_operands(e, c, UINT32_MAX, true, err));
    R1_TRY(e->be->stream_sync(e->stream, err));
    R1_TRY(r1_backend_cpu()->forward[c->op](NULL, &a, err));
    R1_TRY(copy_operands(e, c, r1_op_get(c->op)->outputs, false, err));
    return e->be->stream_sync(e->stream, err);
}

/* Present values of the symbols lie within those that the arena was made for. */
static void exec_check_symbols(const r1_exec *e)
{
    R1_ASSERT(e->sym[R1_SYM_ONE] == 1, "the symbol of one row is %u", e->sym[R1_SYM_ONE]);
    for (uint32_t s = 0; s < plan_of(e)->n_sym; s++)
        R1_ASSERT(e->sym[s] <= e->cap[s], "symbol %u: %u, room for %u", s, e->sym[s], e->cap[s]);
}

r1_status r1_exec_forward(r1_exec *e, r1_phase phase, r1_err *err)
{
    const r1_plan *p = plan_of(e);
    r1_op_args a;
    exec_check_symbols(e);
    for (uint32_t i = 0; i < p->n_call; i++) {
        const r1_call *c = &p->call[i];
        if (c->phase != (uint8_t)phase || (c->op == R1_OP_LSQ && !e->rounds)) continue;
        exec_bind(e, c, ON_DEVICE, &a);
        a.packed = e->packed[i];
        a.packed_as = e->int8[i] ? R1_I8 : R1_F32;
        if (!e->device)
            R1_TRY(e->be->forward[c->op](NULL, &a, err));
        else if (e->be->forward[c->op] && e->be->supports(c->op, &a))
            R1_TRY(e->be->forward[c->op](e->stream, &a, err));
        else
            R1_TRY(run_on_cpu(e, c, err));
    }
    return R1_OK;
}

r1_status r1_exec_forward_all(r1_exec *e, r1_err *err)
{
    if (e->device)
        R1_TRY(e->be->upload(e->stream, e->device_weights, e->m->weights, plan_of(e)->weight_bytes,
                             err));
    for (r1_phase phase = 0; phase < R1_PHASES; phase++) R1_TRY(r1_exec_forward(e, phase, err));
    if (!e->device) return R1_OK;
    R1_TRY(e->be->download(e->stream, e->block + e->input_bytes, e->device + e->input_bytes,
                           e->bytes - e->input_bytes, err));
    return e->be->stream_sync(e->stream, err);
}

double r1_exec_flop(const r1_exec *e)
{
    double sum = 0;
    for (uint32_t i = 0; i < plan_of(e)->n_call; i++)
        sum += (double)r1_plan_flop(plan_of(e), &plan_of(e)->call[i], e->sym);
    return sum;
}

void r1_exec_zero_grad(r1_exec *e)
{
    for (uint32_t i = 0; i < plan_of(e)->n_tensor; i++) {
        const r1_tensor *t = &plan_of(e)->tensor[i];
        if (t->space == R1_SPACE_ACT && e->needs_grad[i])
            memset(e->grad + e->offset[i], 0, (size_t)r1_tensor_rows(t, e->sym) * row_bytes(t));
    }
}

/* Where the gradient of a tensor lies: the host's or the device's. */
static char *exec_grad_base(const r1_exec *e, int16_t t)
{
    const r1_tensor *x = &plan_of(e)->tensor[t];
    if (x->space == R1_SPACE_WEIGHT)
        return (e->device ? e->device_wgrad : (char *)e->wgrad) + x->offset;
    return (e->device ? e->device_grad : e->grad) + e->offset[t];
}

/* Binds values and gradients; *wanted: whether an input needs its gradient. */
static void backward_bind(const r1_exec *e, const r1_call *c, r1_op_args *a, bool *wanted)
{
    const r1_op_def *op = r1_op_get(c->op);
    exec_bind(e, c, ON_DEVICE, a);
    *wanted = false;
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        int16_t t = c->v[k].t;
        if (!((op->grads | op->outputs) >> k & 1) || !a->v[k].p || !e->needs_grad[t]) continue;
        a->g[k] = r1_operand_view(plan_of(e), &c->v[k], e->sym, exec_grad_base(e, t));
        if (c->op == R1_OP_LINEAR && k == R1_LINEAR_Y) a->g[k].rows = a->v[k].rows;
        R1_ASSERT(r1_same_shape(&a->g[k], &a->v[k]),
                  "%s, slot %d: gradients [%lld, %d] of values [%lld, %d]", op->name, k,
                  (long long)a->g[k].rows, a->g[k].cols, (long long)a->v[k].rows, a->v[k].cols);
        if (op->grads >> k & 1) *wanted = true;
    }
}

static r1_status backward_call(r1_exec *e, const r1_call *c, r1_err *err)
{
    r1_op_args a;
    bool wanted;
    if (!r1_op_get(c->op)->backward) return R1_OK;
    backward_bind(e, c, &a, &wanted);
    if (!wanted) return R1_OK;
    if (e->device && !e->be->supports(c->op, &a))
        R1_FAIL(err, R1_E_INVAL, "training: backend %s cannot do %s of these shapes", e->be->name,
                r1_op_name(c->op));
    return e->be->backward[c->op](e->stream, &a, err);
}

/* Gradients that the host has written go to the device, those of the weights come back. */
static r1_status exec_gradients_there(r1_exec *e, r1_err *err)
{
    if (!e->device) return R1_OK;
    R1_TRY(e->be->upload(e->stream, e->device_grad + e->input_bytes, e->grad + e->input_bytes,
                         e->bytes - e->input_bytes, err));
    return e->be->upload(e->stream, e->device_wgrad, e->wgrad, plan_of(e)->weight_bytes, err);
}

static r1_status exec_gradients_back(r1_exec *e, r1_err *err)
{
    if (!e->device) return R1_OK;
    R1_TRY(e->be->download(e->stream, e->wgrad, e->device_wgrad, plan_of(e)->weight_bytes, err));
    return e->be->stream_sync(e->stream, err);
}

r1_status r1_exec_backward(r1_exec *e, r1_err *err)
{
    const r1_plan *p = plan_of(e);
    R1_TRY(exec_gradients_there(e, err));
    for (int phase = R1_PHASES - 1; phase >= 0; phase--)
        for (uint32_t i = p->n_call; i-- > 0;)
            if (p->call[i].phase == phase) R1_TRY(backward_call(e, &p->call[i], err));
    return exec_gradients_back(e, err);
}
