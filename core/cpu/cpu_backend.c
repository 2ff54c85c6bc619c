/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_backend.c - the CPU's backend table. Its device is ordinary memory. An op runs by a loop of
 * this room where there is one, else by the scalar reference. */
#include "cpu/cpu_int8.h"
#include "cpu/cpu_ops.h"
#include "cpu/cpu_product.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static r1_status backend_devices(uint32_t *n, r1_err *err)
{
    (void)err;
    *n = 1;
    return R1_OK;
}

static r1_status backend_device_text(uint32_t device, char *text, size_t cap, r1_err *err)
{
    (void)device, (void)err;
    char name[128] = "processor", line[512];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (f) fclose(f);
    snprintf(text, cap, "%s, %ld cores, %s, int8 by %s", name, sysconf(_SC_NPROCESSORS_ONLN),
             r1_cpu_isa(), r1_cpu_int8_isa());
    return R1_OK;
}

static r1_status backend_buffer_new(void **p, size_t bytes, r1_err *err)
{
    size_t size = (bytes + 255) / 256 * 256 + 256;
    *p = bytes < SIZE_MAX - 512 ? aligned_alloc(256, size) : NULL;
    if (!*p) R1_FAIL(err, R1_E_NOMEM, "no memory for a buffer of %zu bytes", bytes);
    memset(*p, 0, size);
    return R1_OK;
}

static void backend_buffer_free(void *p) { free(p); }

static r1_status backend_copy(r1_stream *s, void *to, const void *from, size_t bytes, r1_err *err)
{
    (void)s, (void)err;
    if (bytes) memmove(to, from, bytes);
    return R1_OK;
}

/* Ops end before they return: streams and events have nothing to hold. */
static r1_status backend_stream_new(r1_stream **s, uint32_t device, r1_err *err)
{
    (void)device, (void)err;
    *s = NULL;
    return R1_OK;
}
static void backend_stream_free(r1_stream *s) { (void)s; }
static r1_status backend_stream_sync(r1_stream *s, r1_err *err)
{
    (void)s, (void)err;
    return R1_OK;
}
static r1_status backend_event_new(r1_device_event **e, r1_err *err)
{
    (void)err;
    *e = NULL;
    return R1_OK;
}
static void backend_event_free(r1_device_event *e) { (void)e; }
static r1_status event_nothing(r1_device_event *e, r1_stream *s, r1_err *err)
{
    (void)e, (void)s, (void)err;
    return R1_OK;
}

static r1_status backend_pack(void **packed, const r1_view *w, int64_t rows_max, r1_err *err)
{
    (void)rows_max;
    r1_packed *p = NULL;
    r1_status st = r1_cpu_pack(&p, w, err);
    *packed = p;
    return st;
}

static r1_status pack_int8(void **packed, const r1_view *w, const float *w_step, float x_step,
                           int64_t rows_max, r1_err *err)
{
    (void)rows_max;
    r1_packed_int8 *p = NULL;
    r1_status st = r1_cpu_int8_pack(&p, w, w_step, x_step, err);
    *packed = p;
    return st;
}

static bool backend_supports(r1_op op, const r1_op_args *a)
{
    if ((unsigned)op >= R1_OP_COUNT) return false;
    for (int k = 0; k < R1_OP_VIEWS; k++)
        if (a->v[k].dtype != R1_F32 && a->v[k].dtype != R1_I32) {
            bool half = op == R1_OP_ATTEND && (k == R1_ATTEND_K || k == R1_ATTEND_V) &&
                        a->v[k].dtype == R1_BF16;
            if (!half) return false;
        }
    return true;
}

static r1_backend host_table(const char *name)
{
    r1_backend b = {.abi = R1_BACKEND_ABI,
                    .name = name,
                    .host_memory = true,
                    .devices = backend_devices,
                    .device_text = backend_device_text,
                    .buffer_new = backend_buffer_new,
                    .buffer_free = backend_buffer_free,
                    .upload = backend_copy,
                    .download = backend_copy,
                    .stream_new = backend_stream_new,
                    .stream_free = backend_stream_free,
                    .stream_sync = backend_stream_sync,
                    .event_new = backend_event_new,
                    .event_free = backend_event_free,
                    .event_record = event_nothing,
                    .event_wait = event_nothing,
                    .supports = backend_supports};
    for (int op = 0; op < R1_OP_COUNT; op++) {
        b.forward[op] = r1_op_get((r1_op)op)->forward;
        b.backward[op] = r1_op_get((r1_op)op)->backward;
    }
    return b;
}

static r1_backend cpu, reference;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void backend_fill(void)
{
    reference = host_table("reference");
    cpu = host_table("cpu");
    cpu.pack = backend_pack;
    cpu.pack_int8 = pack_int8;
    cpu.packed_free = free;
    cpu.forward[R1_OP_LINEAR] = r1_cpu_linear_forward;
    cpu.backward[R1_OP_LINEAR] = r1_cpu_linear_backward;
    cpu.forward[R1_OP_ADD] = r1_cpu_add_forward;
    cpu.backward[R1_OP_ADD] = r1_cpu_add_backward;
    cpu.forward[R1_OP_ACT] = r1_cpu_act_forward;
    cpu.backward[R1_OP_ACT] = r1_cpu_act_backward;
    cpu.forward[R1_OP_RMSNORM] = r1_cpu_rmsnorm_forward;
    cpu.backward[R1_OP_RMSNORM] = r1_cpu_rmsnorm_backward;
    cpu.forward[R1_OP_TAIL_NORM] = r1_cpu_tail_norm_forward;
    cpu.forward[R1_OP_CAUSAL_MEAN] = r1_cpu_causal_mean_forward;
    cpu.backward[R1_OP_CAUSAL_MEAN] = r1_cpu_causal_mean_backward;
    cpu.forward[R1_OP_CAWA_SCALE] = r1_cpu_cawa_scale_forward;
    cpu.backward[R1_OP_CAWA_SCALE] = r1_cpu_cawa_scale_backward;
    cpu.forward[R1_OP_ATTEND] = r1_cpu_attend_forward;
    cpu.backward[R1_OP_ATTEND] = r1_cpu_attend_backward;
    cpu.forward[R1_OP_LSQ] = r1_cpu_lsq_forward;
    cpu.backward[R1_OP_LSQ] = r1_cpu_lsq_backward;
    cpu.forward[R1_OP_SEG_MEAN] = r1_cpu_seg_mean_forward;
    cpu.forward[R1_OP_MARK_POOL] = r1_cpu_mark_pool_forward;
    cpu.forward[R1_OP_PLE] = r1_cpu_ple_forward;
    cpu.forward[R1_OP_EDGE_MESSAGE] = r1_cpu_edge_message_forward;
    cpu.backward[R1_OP_EDGE_MESSAGE] = r1_cpu_edge_message_backward;
}

const r1_backend *r1_backend_cpu(void)
{
    pthread_once(&once, backend_fill);
    return &cpu;
}

const r1_backend *r1_backend_reference(void)
{
    pthread_once(&once, backend_fill);
    return &reference;
}
