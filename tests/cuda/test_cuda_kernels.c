/* SPDX-License-Identifier: Apache-2.0 */
/* Every op of the CUDA table, forward and backward, against the scalar reference on random shapes:
 * 1, odd, one past a warp and one past a block. The table alone is used, so the same program runs
 * under the emulator (R1_EMU_ORDER 0, 1 and 2 change the order of lanes and warps) and on a card
 * (test_cuda_card).
 *
 * Each operand lies between guard bands. Before an op runs, what it is to write is poisoned. After
 * it, every byte that the op may not write must be as it was: inputs, guards, padding rows, gaps
 * between rows, operands that are not wanted. */
#include "support/op_cases.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 4096, ROUNDS = 12 };
static r1_rng rng;                         /* which gradients are wanted */
static const uint32_t poison = 0x7fc0dead; /* a NaN that no op makes */

#ifdef R1_TEST_CARD
static const r1_backend *backend(r1_err *err) { return r1_backend_find("cuda", err); }
#else
const r1_backend *r1_backend_cuda(uint32_t abi_version, r1_err *err); /* the emulated plugin */
static const r1_backend *backend(r1_err *err) { return r1_backend_cuda(R1_BACKEND_ABI, err); }
#endif

/* Largest difference from the reference, which sums in double: absolute, and relative to the
 * expected value. The ops' sums have at most 300 terms of size 1, whose rounding in f32 stays
 * below 300 * 2^-24 = 1.8e-5; products of three such and their sums over 129 rows below 1e-4. Ops
 * that only copy or add two numbers are exact; the others are a few roundings long. */
static const struct {
    double forward, backward;
} tolerance[R1_OP_COUNT] = {
    [R1_OP_LINEAR] = {2e-5, 4e-5},     [R1_OP_ADD] = {1e-7, 1e-5},
    [R1_OP_ACT] = {1e-6, 2e-6},        [R1_OP_RMSNORM] = {4e-6, 2e-5},
    [R1_OP_PLE] = {1e-6, 0},           [R1_OP_EMBED] = {0, 1e-5},
    [R1_OP_STANDARD] = {1e-6, 0},      [R1_OP_EDGE_MESSAGE] = {2e-5, 4e-5},
    [R1_OP_MARK_POOL] = {4e-6, 4e-6},  [R1_OP_PLACE] = {0, 1e-5},
    [R1_OP_SEG_MEAN] = {4e-6, 1e-5},   [R1_OP_CAUSAL_MEAN] = {4e-6, 1e-5},
    [R1_OP_CAWA_SCALE] = {2e-6, 1e-4}, [R1_OP_ATTEND] = {2e-5, 1e-4},
    [R1_OP_TAIL_NORM] = {4e-6, 0},     [R1_OP_LSQ] = {1e-7, 2e-5},
};

/* An operand of the device: its bytes between two guards, and what they were before the op. */
typedef struct {
    void *device;
    unsigned char *before, *after;
    size_t bytes; /* without the guards */
    r1_view host; /* what it was made from */
} operand;

typedef struct {
    const r1_backend *cuda;
    r1_stream *stream;
    operand v[R1_OP_VIEWS], g[R1_OP_VIEWS];
    r1_op_args on_host, on_device;
} device_case;

static size_t view_bytes(const r1_view *v)
{
    size_t rows = v->dtype == R1_F32 ? (size_t)v->rows + R1_ROW_PAD : (size_t)v->rows;
    return rows * (size_t)v->ld * 4;
}

/* Where the op is to write: rows and columns of the view, not its gaps. */
static bool in_view(const r1_view *v, size_t byte)
{
    size_t i = byte / 4, ld = (size_t)v->ld;
    return i / ld < (size_t)v->rows && i % ld < (size_t)v->cols;
}

/* A gradient that is added to beyond its view shows, where a NaN would stay one. */
static void operand_mark_gaps(device_case *d, operand *o)
{
    static const float mark = 12345;
    r1_err err = {0};
    for (size_t i = 0; o->device && i < o->bytes; i += 4)
        if (!in_view(&o->host, i)) memcpy(o->before + GUARD + i, &mark, 4);
    if (o->device)
        R1_ASSERT_OK(d->cuda->upload(d->stream, o->device, o->before, o->bytes + 2 * GUARD, &err),
                     &err);
}

static void operand_make(device_case *d, operand *o, const r1_view *host, bool written,
                         r1_view *device)
{
    r1_err err = {0};
    *device = *host;
    if (!host->p) return;
    o->host = *host;
    o->bytes = view_bytes(host);
    o->before = malloc(o->bytes + 2 * GUARD);
    o->after = malloc(o->bytes + 2 * GUARD);
    /* What lies around an operand shows where it is read: a number that is none, an index that
     * exists. */
    memset(o->before, host->dtype == R1_F32 ? 0xff : 0, o->bytes + 2 * GUARD);
    memcpy(o->before + GUARD, host->p, o->bytes);
    for (size_t i = 0; written && i < o->bytes; i += 4) memcpy(o->before + GUARD + i, &poison, 4);
    R1_ASSERT_OK(d->cuda->buffer_new(&o->device, o->bytes + 2 * GUARD, &err), &err);
    R1_ASSERT_OK(d->cuda->upload(d->stream, o->device, o->before, o->bytes + 2 * GUARD, &err),
                 &err);
    device->p = (char *)o->device + GUARD;
}

/* What may change of an operand. */
typedef enum { NOTHING, ITS_VALUES, ALSO_PADDING } may_change;

static bool operand_check(device_case *d, operand *o, const char *what, int slot, may_change may)
{
    r1_err err = {0};
    if (!o->device) return true;
    R1_ASSERT_OK(d->cuda->download(d->stream, o->after, o->device, o->bytes + 2 * GUARD, &err),
                 &err);
    R1_ASSERT_OK(d->cuda->stream_sync(d->stream, &err), &err);
    for (size_t i = 0; i < o->bytes + 2 * GUARD; i++) {
        if (o->before[i] == o->after[i]) continue;
        bool inside = i >= GUARD && i < GUARD + o->bytes;
        if (inside && may == ALSO_PADDING) continue;
        if (inside && may == ITS_VALUES && in_view(&o->host, i - GUARD)) continue;
        fprintf(stderr, "%s, slot %d: byte %lld of %zu was written, which it may not be\n", what,
                slot, (long long)i - GUARD, o->bytes);
        return false;
    }
    return true;
}

static void operand_free(const device_case *d, operand *o)
{
    if (!o->device) return;
    d->cuda->buffer_free(o->device);
    free(o->before);
    free(o->after);
}

static r1_view operand_values(const operand *o)
{
    r1_view v = o->host;
    v.p = o->after + GUARD;
    return v;
}

static void case_free(device_case *d)
{
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        operand_free(d, &d->v[k]);
        operand_free(d, &d->g[k]);
    }
    op_case_free(&d->on_host);
}

static void forward_round(const r1_backend *cuda, r1_stream *stream, r1_op op)
{
    r1_err err = {0};
    device_case d = {.cuda = cuda, .stream = stream};
    int out = op_case_output(op);
    op_case_make(op, &d.on_host);
    d.on_device = d.on_host;
    for (int k = 0; k < R1_OP_VIEWS; k++)
        operand_make(&d, &d.v[k], &d.on_host.v[k], k == out, &d.on_device.v[k]);
    R1_ASSERT_OK(r1_op_get(op)->forward(NULL, &d.on_host, &err), &err);
    CU_ASSERT_TRUE(cuda->supports(op, &d.on_device));
    R1_ASSERT_OK(cuda->forward[op](stream, &d.on_device, &err), &err);
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        may_change may = k != out ? NOTHING : op == R1_OP_LINEAR ? ALSO_PADDING : ITS_VALUES;
        CU_ASSERT_TRUE(operand_check(&d, &d.v[k], r1_op_name(op), k, may));
    }
    r1_view got = operand_values(&d.v[out]);
    CU_ASSERT_TRUE(op_case_equal(r1_op_name(op), &d.on_host.v[out], &got, tolerance[op].forward,
                                 tolerance[op].forward));
    case_free(&d);
}

/* ---- 8-bit products: the CPU's bits ---- */

/* Rows that begin anew: zeros, below what counts, not numbers, beyond a learned step's reach. */
static void rare_rows(r1_view *v)
{
    static const float rare[] = {0, 1e-31f, NAN, INFINITY, -INFINITY, 1e30f, -3e38f, 5e-30f};
    for (int64_t r = 0; r < v->rows; r++) {
        size_t kind = (size_t)r1_rng_below(&rng, 3 * R1_COUNT(rare));
        if (kind >= R1_COUNT(rare)) continue;
        for (int32_t c = 0; c < v->cols; c++)
            if (kind < 2 || r1_rng_below(&rng, 4) == 0) r1_row(v, r)[c] = rare[kind];
    }
}

/* NaN is NaN, whatever its other bits. */
static bool same_bits(const r1_view *expected, const r1_view *got)
{
    for (int64_t r = 0; r < expected->rows; r++)
        for (int32_t c = 0; c < expected->cols; c++) {
            float x = r1_row(expected, r)[c], y = r1_row(got, r)[c];
            if (!memcmp(&x, &y, sizeof x) || (isnan(x) && isnan(y))) continue;
            fprintf(stderr, "int8 row %lld column %d: %a on the CPU, %a found\n", (long long)r, c,
                    (double)x, (double)y);
            return false;
        }
    return true;
}

static void int8_round(const r1_backend *cuda, r1_stream *stream, r1_op_args *host, float x_step,
                       const float *w_step)
{
    r1_err err = {0};
    void *on_cpu = NULL, *on_card = NULL;
    device_case d = {.cuda = cuda, .stream = stream, .on_host = *host};
    d.on_device = d.on_host;
    const r1_backend *cpu = r1_backend_cpu();
    int64_t rows = host->v[R1_LINEAR_X].rows;
    for (int k = 0; k < R1_OP_VIEWS; k++)
        operand_make(&d, &d.v[k], &d.on_host.v[k], k == R1_LINEAR_Y, &d.on_device.v[k]);
    R1_ASSERT_OK(cuda->stream_sync(stream, &err), &err);
    R1_ASSERT_OK(cpu->pack_int8(&on_cpu, &host->v[R1_LINEAR_W], w_step, x_step, rows, &err), &err);
    R1_ASSERT_OK(cuda->pack_int8(&on_card, &d.on_device.v[R1_LINEAR_W], w_step, x_step, rows, &err),
                 &err);
    d.on_host.packed = on_cpu;
    d.on_device.packed = on_card;
    d.on_host.packed_as = d.on_device.packed_as = R1_I8;
    R1_ASSERT_OK(cpu->forward[R1_OP_LINEAR](NULL, &d.on_host, &err), &err);
    CU_ASSERT_TRUE(cuda->supports(R1_OP_LINEAR, &d.on_device));
    R1_ASSERT_OK(cuda->forward[R1_OP_LINEAR](stream, &d.on_device, &err), &err);
    for (int k = 0; k < R1_OP_VIEWS; k++)
        CU_ASSERT_TRUE(
            operand_check(&d, &d.v[k], "int8", k, k == R1_LINEAR_Y ? ALSO_PADDING : NOTHING));
    r1_view got = operand_values(&d.v[R1_LINEAR_Y]);
    CU_ASSERT_TRUE(same_bits(&d.on_host.v[R1_LINEAR_Y], &got));
    cpu->packed_free(on_cpu);
    cuda->packed_free(on_card);
    case_free(&d);
}

static r1_stream *seeded_stream(const r1_backend **cuda)
{
    r1_err err = {0};
    r1_stream *stream;
    *cuda = backend(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(*cuda);
    R1_ASSERT_OK((*cuda)->stream_new(&stream, 0, &err), &err);
    op_case_seed(r1_test_seed());
    r1_rng_seed(&rng, r1_test_seed());
    return stream;
}

static void test_int8(void)
{
    const r1_backend *cuda;
    r1_stream *stream = seeded_stream(&cuda);
    float step[256];
    for (int i = 0; i < 5 * ROUNDS; i++) {
        r1_op_args a;
        op_case_make(R1_OP_LINEAR, &a);
        rare_rows(&a.v[R1_LINEAR_X]);
        rare_rows(&a.v[R1_LINEAR_W]);
        for (int n = 0; n < 256; n++) step[n] = 0.002f + 0.1f * (float)r1_rng_unit(&rng);
        float x_step = i % 3 ? 0.004f + 0.2f * (float)r1_rng_unit(&rng) : 0;
        int8_round(cuda, stream, &a, x_step, i % 3 == 2 ? step : NULL);
    }
    cuda->stream_free(stream);
}

/* More rows than the workspace holds at once: 32 MiB of rows of the longest kind. */
static void test_int8_pieces(void)
{
    const r1_backend *cuda;
    r1_stream *stream = seeded_stream(&cuda);
    r1_op_args a = {0};
    a.v[R1_LINEAR_X] = op_case_floats(2049, 16384);
    a.v[R1_LINEAR_W] = op_case_floats(1, 16384);
    a.v[R1_LINEAR_Y] = op_case_floats(2049, 1);
    int8_round(cuda, stream, &a, 0, NULL);
    cuda->stream_free(stream);
}

/* The same steps and sizes are refused that the CPU refuses. */
static void test_int8_refused(void)
{
    r1_err err = {0};
    const r1_backend *cuda = backend(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cuda);
    float step[3] = {1, NAN, 1};
    r1_view w = {.rows = 3, .cols = 40, .ld = 40}, wide = {.rows = 1, .cols = 16385, .ld = 16385};
    void *p = NULL;
    CU_ASSERT_EQUAL(cuda->pack_int8(&p, &w, step, 0, 1, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(cuda->pack_int8(&p, &w, step, 0.5f, 1, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(cuda->pack_int8(&p, &w, NULL, -1, 1, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(cuda->pack_int8(&p, &w, NULL, INFINITY, 1, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(cuda->pack_int8(&p, &wide, NULL, 0, 1, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NULL(p);
}

/* Gradients of every input and output, of which one in four inputs' is not wanted. */
static void make_gradients(r1_op op, r1_op_args *a, uint32_t *wanted)
{
    uint32_t outputs = r1_op_get(op)->outputs;
    *wanted = 0;
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        bool input = r1_op_get(op)->grads >> k & 1;
        if (!a->v[k].p || !(input || outputs >> k & 1)) continue;
        a->g[k] = op_case_floats(a->v[k].rows, a->v[k].cols);
        if (input && r1_rng_below(&rng, 4)) *wanted |= R1_SLOT(k);
    }
}

static void backward_round(const r1_backend *cuda, r1_stream *stream, r1_op op)
{
    r1_err err = {0};
    device_case d = {.cuda = cuda, .stream = stream};
    uint32_t wanted, outputs = r1_op_get(op)->outputs;
    op_case_make(op, &d.on_host);
    R1_ASSERT_OK(r1_op_get(op)->forward(NULL, &d.on_host, &err), &err);
    make_gradients(op, &d.on_host, &wanted);
    d.on_device = d.on_host;
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        operand_make(&d, &d.v[k], &d.on_host.v[k], false, &d.on_device.v[k]);
        operand_make(&d, &d.g[k], &d.on_host.g[k], false, &d.on_device.g[k]);
        if (wanted >> k & 1) operand_mark_gaps(&d, &d.g[k]);
        if (!((wanted | outputs) >> k & 1)) d.on_device.g[k].p = NULL;
    }
    R1_ASSERT_OK(r1_op_get(op)->backward(NULL, &d.on_host, &err), &err);
    R1_ASSERT_OK(cuda->backward[op](stream, &d.on_device, &err), &err);
    char what[64];
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        snprintf(what, sizeof what, "%s, gradient of slot %d", r1_op_name(op), k);
        CU_ASSERT_TRUE(operand_check(&d, &d.v[k], r1_op_name(op), k, NOTHING));
        CU_ASSERT_TRUE(operand_check(&d, &d.g[k], what, k, wanted >> k & 1 ? ITS_VALUES : NOTHING));
        if (!(wanted >> k & 1)) continue;
        r1_view got = operand_values(&d.g[k]);
        CU_ASSERT_TRUE(op_case_equal(what, &d.on_host.g[k], &got, tolerance[op].backward,
                                     tolerance[op].backward));
    }
    case_free(&d);
}

static void each_op(void (*round)(const r1_backend *, r1_stream *, r1_op), bool backward)
{
    const r1_backend *cuda;
    r1_stream *stream = seeded_stream(&cuda);
    for (int op = 0; op < R1_OP_COUNT; op++) {
        if (backward && !r1_op_get((r1_op)op)->backward) continue;
        for (int i = 0; i < ROUNDS; i++) round(cuda, stream, (r1_op)op);
    }
    cuda->stream_free(stream);
}

static void test_forward(void) { each_op(forward_round, false); }
static void test_backward(void) { each_op(backward_round, true); }

/* The table has each op in each direction that the scalar reference has. */
static void test_complete(void)
{
    r1_err err = {0};
    const r1_backend *cuda = backend(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cuda);
    for (int op = 0; op < R1_OP_COUNT; op++) {
        CU_ASSERT_PTR_NOT_NULL(cuda->forward[op]);
        CU_ASSERT_EQUAL(!cuda->backward[op], !r1_op_get((r1_op)op)->backward);
    }
}

static void test_table(void)
{
    r1_err err = {0};
    const r1_backend *cuda = backend(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cuda);
    r1_stream *s;
    r1_device_event *e;
    void *p;
    float there[3] = {1, 2, 3}, back[3] = {4, 5, 6};
    char text[128];
    uint32_t n;
    R1_ASSERT_OK(cuda->devices(&n, &err), &err);
    CU_ASSERT_TRUE(n >= 1);
    R1_ASSERT_OK(cuda->device_text(0, text, sizeof text, &err), &err);
    R1_ASSERT_OK(cuda->stream_new(&s, 0, &err), &err);
    R1_ASSERT_OK(cuda->event_new(&e, &err), &err);
    R1_ASSERT_OK(cuda->buffer_new(&p, sizeof there, &err), &err);
    R1_ASSERT_OK(cuda->download(s, back, p, sizeof back, &err), &err);
    R1_ASSERT_OK(cuda->stream_sync(s, &err), &err);
    CU_ASSERT_TRUE(back[0] == 0 && back[1] == 0 && back[2] == 0);
    R1_ASSERT_OK(cuda->upload(s, p, there, sizeof there, &err), &err);
    R1_ASSERT_OK(cuda->event_record(e, s, &err), &err);
    R1_ASSERT_OK(cuda->event_wait(e, s, &err), &err);
    R1_ASSERT_OK(cuda->download(s, back, p, sizeof back, &err), &err);
    R1_ASSERT_OK(cuda->stream_sync(s, &err), &err);
    CU_ASSERT_EQUAL(memcmp(there, back, sizeof there), 0);
    cuda->buffer_free(p);
    cuda->event_free(e);
    cuda->stream_free(s);
}

/* Of three edges that touch its node, a graph has the middle one: the others are not looked at. */
static void test_own_edges(void)
{
    const r1_backend *cuda;
    r1_err err = {0};
    r1_stream *stream = seeded_stream(&cuda);
    float h[2] = {1, 1}, e[6] = {100, 100, 2, 3, 100, 100}, scale[2] = {1, 1}, y[2] = {0};
    int32_t end[3] = {0}, nodes[2] = {0, 1}, edges[2] = {1, 2};
    const r1_view v[R1_OP_VIEWS] = {
        [R1_EDGE_MESSAGE_H] = {h, 1, 2, R1_F32, 2},
        [R1_EDGE_MESSAGE_E] = {e, 3, 2, R1_F32, 2},
        [R1_EDGE_MESSAGE_SRC] = {end, 1, 3, R1_I32, 3},
        [R1_EDGE_MESSAGE_DST] = {end, 1, 3, R1_I32, 3},
        [R1_EDGE_MESSAGE_SCALE] = {scale, 1, 2, R1_F32, 2},
        [R1_EDGE_MESSAGE_NODES] = {nodes, 1, 2, R1_I32, 2},
        [R1_EDGE_MESSAGE_EDGES] = {edges, 1, 2, R1_I32, 2},
        [R1_EDGE_MESSAGE_Y] = {y, 1, 2, R1_F32, 2},
    };
    r1_op_args a = {0};
    for (int k = 0; k <= R1_EDGE_MESSAGE_Y; k++) {
        size_t bytes = (size_t)(v[k].rows * v[k].cols) * 4;
        a.v[k] = v[k];
        R1_ASSERT_OK(cuda->buffer_new(&a.v[k].p, bytes, &err), &err);
        R1_ASSERT_OK(cuda->upload(stream, a.v[k].p, v[k].p, bytes, &err), &err);
    }
    R1_ASSERT_OK(cuda->forward[R1_OP_EDGE_MESSAGE](stream, &a, &err), &err);
    R1_ASSERT_OK(cuda->download(stream, y, a.v[R1_EDGE_MESSAGE_Y].p, sizeof y, &err), &err);
    R1_ASSERT_OK(cuda->stream_sync(stream, &err), &err);
    CU_ASSERT_EQUAL(y[0], 3);
    CU_ASSERT_EQUAL(y[1], 4);
    for (int k = 0; k <= R1_EDGE_MESSAGE_Y; k++) cuda->buffer_free(a.v[k].p);
    cuda->stream_free(stream);
}

/* What the kernels cannot hold is refused before they run. */
static void test_refused(void)
{
    r1_err err = {0};
    const r1_backend *cuda = backend(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cuda);
    r1_op_args wide = {0};
    wide.v[R1_ATTEND_Q].cols = 1024;
    wide.i[R1_ATTEND_HEADS] = 4; /* 256 columns a head */
    CU_ASSERT_FALSE(cuda->supports(R1_OP_ATTEND, &wide));
    wide.v[R1_ATTEND_Q].cols = 512;
    CU_ASSERT_TRUE(cuda->supports(R1_OP_ATTEND, &wide));
    wide.v[R1_ATTEND_BIAS].cols = 65; /* buckets */
    CU_ASSERT_FALSE(cuda->supports(R1_OP_ATTEND, &wide));
    for (r1_dtype t = R1_F16; t <= R1_I8; t++) {
        r1_op_args other = {0};
        other.v[R1_ADD_A].dtype = (int32_t)t;
        CU_ASSERT_FALSE(cuda->supports(R1_OP_ADD, &other));
    }
#ifndef R1_TEST_CARD
    CU_ASSERT_PTR_NULL(r1_backend_cuda(R1_BACKEND_ABI + 1, &err));
    CU_ASSERT_EQUAL(err.code, R1_E_DEVICE);
#endif
}

static const r1_test_case cases[] = {{"table", test_table},
                                     {"each op is there", test_complete},
                                     {"forward against the reference", test_forward},
                                     {"backward against the reference", test_backward},
                                     {"edges of one's own graph", test_own_edges},
                                     {"int8 has the CPU's bits", test_int8},
                                     {"int8 in pieces", test_int8_pieces},
                                     {"int8 refused", test_int8_refused},
                                     {"refused", test_refused}};

int main(void)
{
#ifdef R1_TEST_CARD
    r1_err err = {0};
    if (!backend(&err)) {
        printf("no card, so nothing is tested: %s\n", err.msg);
        return 77; /* CTest's mark of a test that was passed over */
    }
    const char *suite = "cuda kernels on a card";
#else
    const char *suite = "cuda kernels, emulated";
#endif
    return r1_test_run(suite, cases, R1_COUNT(cases));
}
