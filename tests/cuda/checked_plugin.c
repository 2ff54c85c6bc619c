/* SPDX-License-Identifier: Apache-2.0 */
/* checked_plugin.c - the emulated plugin for whole programs. Each 8-bit product also runs on the
 * CPU, with the same operands, and must give the same bits; else the program ends. How many there
 * were is said when the program ends. */
#include "r1_backend.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const r1_backend *r1_backend_cuda_to_check(uint32_t abi_version, r1_err *err);
R1_API const r1_backend *r1_backend_cuda(uint32_t abi_version, r1_err *err);

typedef struct {
    void *on_card, *on_cpu;
} both;

static const r1_backend *emulated;
static atomic_ullong n_product, n_value;

__attribute__((destructor)) static void say(void)
{
    fprintf(stderr, "checked plugin: %llu int8 products, %llu values\n", n_product, n_value);
}

static r1_status checked_pack_int8(void **packed, const r1_view *w, const float *w_step,
                                   float x_step, int64_t rows_max, r1_err *err)
{
    both *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "checked plugin: out of memory");
    r1_status st = emulated->pack_int8(&p->on_card, w, w_step, x_step, rows_max, err);
    if (st == R1_OK) st = r1_backend_cpu()->pack_int8(&p->on_cpu, w, w_step, x_step, rows_max, err);
    *packed = p;
    return st;
}

static void checked_packed_free(void *packed)
{
    both *p = packed;
    if (p->on_card) emulated->packed_free(p->on_card);
    if (p->on_cpu) r1_backend_cpu()->packed_free(p->on_cpu);
    free(p);
}

static void checked_compare(const r1_view *cpu, const r1_view *card)
{
    for (int64_t r = 0; r < cpu->rows; r++)
        for (int32_t c = 0; c < cpu->cols; c++) {
            float x = ((const float *)cpu->p)[r * cpu->ld + c],
                  y = ((const float *)card->p)[r * card->ld + c];
            if (!memcmp(&x, &y, sizeof x) || (isnan(x) && isnan(y))) continue;
            fprintf(stderr, "checked plugin: int8 row %lld column %d: %a on the CPU, %a found\n",
                    (long long)r, c, (double)x, (double)y);
            abort();
        }
    n_product++;
    n_value += (unsigned long long)(cpu->rows * cpu->cols);
}

static r1_status checked_linear(r1_stream *stream, const r1_op_args *args, r1_err *err)
{
    r1_op_args card = *args, cpu = *args;
    if (!args->packed || args->packed_as != R1_I8)
        return emulated->forward[R1_OP_LINEAR](stream, args, err);
    const both *p = args->packed;
    r1_view *y = &cpu.v[R1_LINEAR_Y];
    card.packed = p->on_card;
    cpu.packed = p->on_cpu;
    y->ld = y->cols;
    y->p = calloc((size_t)(y->rows * y->cols) + 1, sizeof(float));
    if (!y->p) R1_FAIL(err, R1_E_NOMEM, "checked plugin: out of memory");
    r1_status st = emulated->forward[R1_OP_LINEAR](stream, &card, err);
    if (st == R1_OK) st = r1_backend_cpu()->forward[R1_OP_LINEAR](NULL, &cpu, err);
    if (st == R1_OK) checked_compare(y, &card.v[R1_LINEAR_Y]);
    free(y->p);
    return st;
}

const r1_backend *r1_backend_cuda(uint32_t abi_version, r1_err *err)
{
    static r1_backend table;
    emulated = r1_backend_cuda_to_check(abi_version, err);
    if (!emulated) return NULL;
    table = *emulated;
    table.pack_int8 = checked_pack_int8;
    table.packed_free = checked_packed_free;
    table.forward[R1_OP_LINEAR] = checked_linear;
    return &table;
}
