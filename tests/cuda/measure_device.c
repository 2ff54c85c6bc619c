/* SPDX-License-Identifier: Apache-2.0 */
/* measure_device.c - how fast a device runs products and attention, through the engine's table.
 *
 *   measure_device DEVICE [SECONDS]    DEVICE: as --device takes it; SECONDS: 30
 *
 * One JSON object a line: op, shape, microseconds a call, 10^9 operations a second. Ends with 77
 * where there is no such device, with 1 on an error. After SECONDS no further shape is begun. */
#include "r1_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const r1_backend *be;
static r1_stream *stream;
static r1_err err;

static double measure_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure_need(r1_status st)
{
    if (st == R1_OK) return;
    fprintf(stderr, "measure_device: %s\n", err.msg);
    exit(1);
}

/* Random numbers, or offsets and other whole numbers as given. */
static r1_view on_device(int64_t rows, int32_t cols, const int32_t *whole)
{
    r1_view v = {NULL, rows, cols, whole ? R1_I32 : R1_F32, cols};
    size_t n = (size_t)(rows + (whole ? 0 : R1_ROW_PAD)) * (size_t)cols;
    float *from = calloc(n + 1, sizeof *from);
    r1_rng rng;
    r1_rng_seed(&rng, n);
    if (!from) exit(1);
    if (whole) memcpy(from, whole, n * sizeof *whole);
    for (size_t i = 0; i < n && !whole; i++) from[i] = (float)r1_rng_normal(&rng) * 0.1f;
    measure_need(be->buffer_new(&v.p, n * sizeof *from, &err));
    measure_need(be->upload(stream, v.p, from, n * sizeof *from, &err));
    measure_need(be->stream_sync(stream, &err));
    free(from);
    return v;
}

/* As many calls as fill a fifth of a second, after one that is not counted. */
static void measure_op(r1_op op, const r1_op_args *a, const char *shape, double flop)
{
    measure_need(be->forward[op](stream, a, &err));
    measure_need(be->stream_sync(stream, &err));
    int n = 0;
    double start = measure_now(), took = 0;
    for (int more = 1; took < 0.2; more *= 2) {
        for (int i = 0; i < more; i++, n++) measure_need(be->forward[op](stream, a, &err));
        measure_need(be->stream_sync(stream, &err));
        took = measure_now() - start;
    }
    printf("{\"op\": \"%s\", \"shape\": \"%s\", \"us\": %.2f, \"gflop_per_s\": %.1f}\n",
           r1_op_name(op), shape, 1e6 * took / n, 1e-9 * flop * n / took);
    fflush(stdout);
}

static void measure_linear(int64_t m, int32_t n, int32_t k, bool int8)
{
    char shape[64];
    void *packed = NULL;
    r1_op_args a = {.v = {[R1_LINEAR_X] = on_device(m, k, NULL),
                          [R1_LINEAR_W] = on_device(n, k, NULL),
                          [R1_LINEAR_Y] = on_device(m, n, NULL)}};
    if (int8)
        measure_need(be->pack_int8(&packed, &a.v[R1_LINEAR_W], NULL, 0, m, &err));
    else if (be->pack)
        measure_need(be->pack(&packed, &a.v[R1_LINEAR_W], m, &err));
    a.packed = packed;
    a.packed_as = int8 ? R1_I8 : R1_F32;
    snprintf(shape, sizeof shape, "%s, %lld x %d by %d", int8 ? "int8" : "f32", (long long)m, k, n);
    measure_op(R1_OP_LINEAR, &a, shape, 2.0 * (double)m * n * k);
    if (packed) be->packed_free(packed);
    for (int i = 0; i < R1_OP_VIEWS; i++)
        if (a.v[i].p) be->buffer_free(a.v[i].p);
}

static void measure_attend(int32_t n, int32_t heads, int32_t dh)
{
    char shape[64];
    const int32_t off[2] = {0, n};
    r1_op_args a = {.v = {[R1_ATTEND_Q] = on_device(n, heads * dh, NULL),
                          [R1_ATTEND_K] = on_device(n, heads * dh, NULL),
                          [R1_ATTEND_V] = on_device(n, heads * dh, NULL),
                          [R1_ATTEND_Q_OFF] = on_device(1, 2, off),
                          [R1_ATTEND_K_OFF] = on_device(1, 2, off),
                          [R1_ATTEND_Y] = on_device(n, heads * dh, NULL)}};
    a.i[R1_ATTEND_HEADS] = heads;
    a.i[R1_ATTEND_CAUSAL] = 1;
    snprintf(shape, sizeof shape, "f32, causal, %d x %d heads of %d", n, heads, dh);
    measure_op(R1_OP_ATTEND, &a, shape, 2.0 * (double)n * n * heads * dh);
    for (int i = 0; i < R1_OP_VIEWS; i++)
        if (a.v[i].p) be->buffer_free(a.v[i].p);
}

int main(int argc, char **argv)
{
    double end = measure_now() + (argc > 2 ? strtod(argv[2], NULL) : 30);
    if (argc < 2 || r1_device_choose(argv[1], &err) != R1_OK) {
        fprintf(stderr, "measure_device: %s\n", argc < 2 ? "name a device" : err.msg);
        return argc < 2 ? 2 : 77;
    }
    be = r1_backend_find(NULL, &err);
    if (!be) return 77;
    const char *number = strchr(argv[1], ':');
    measure_need(
        be->stream_new(&stream, number ? (uint32_t)strtoul(number + 1, NULL, 10) : 0, &err));
    for (int int8 = 0; int8 < 2; int8++)
        for (int32_t k = 64; k <= 1024 && measure_now() < end; k *= 4)
            measure_linear(4608, k, k, int8);
    for (int32_t dh = 64; dh <= 128; dh *= 2)
        for (int32_t n = 512; n <= 16384 && measure_now() < end; n *= 2) measure_attend(n, 8, dh);
    be->stream_free(stream);
    return 0;
}
