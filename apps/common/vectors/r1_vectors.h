/* SPDX-License-Identifier: Apache-2.0 */
/* r1_vectors.h - vectors in files, as r1-bench memory reads them: DIR/NAME_base.f16 and
 * DIR/NAME_queries.f16, rows of little-endian half floats (IEEE 754 binary16), one after the
 * other. One thread. */
#ifndef R1_VECTORS_H
#define R1_VECTORS_H

#include "r1_base.h"

#include <stdio.h>

uint16_t r1_half_of(
    float
        x); /* the nearest, ties to even; what is larger, or NaN, becomes the largest of its sign */
float r1_half_value(uint16_t half);

typedef struct {
    FILE *base, *queries;
    char path[4096]; /* DIR/NAME, for messages */
} r1_vectors;

/* The folder must be there. What was opened is left to r1_vectors_close, also on error. */
r1_status r1_vectors_open(r1_vectors *v, const char *dir, const char *name, r1_err *err);
/* unit: brought to length 1. An error shows at the end. */
void r1_vectors_put(r1_vectors *v, bool query, const float *row, size_t width, bool unit);
/* R1_E_IO where something was not written; of what was never opened: R1_OK. */
r1_status r1_vectors_close(r1_vectors *v, r1_err *err);

#endif
