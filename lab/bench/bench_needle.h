/* SPDX-License-Identifier: Apache-2.0 */
/* bench_needle.h - needles in a stream that is far longer than what is held exactly: instant
 * memory (the last 1,024 tokens), working memory (10,240), long-term memory (coded). */
#ifndef R1_BENCH_NEEDLE_H
#define R1_BENCH_NEEDLE_H

#include "cli/r1_cli.h"
#include "r1_memory.h"

/* Keys of the haystack are rows of base, each with a Gaussian offset of length `jitter`; needles
 * are rows of needle. */
typedef struct {
    const float *base, *needle;
    size_t n_base, n_needle;
    uint32_t d;
    double jitter;
    uint64_t seed;
} needle_stream;

/* lengths: numbers of tokens and commas. */
r1_status bench_needle(const needle_stream *s, const char *lengths, r1_figures *f, r1_err *err);

#endif
