/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - the groups of commands that main.c joins into the table of r1-bench. */
#ifndef BENCH_H
#define BENCH_H

#include "cli/r1_cli.h"

extern const r1_command bench_engine_commands[]; /* gemm, score, attention, cawa */
extern const size_t bench_engine_n;

extern const r1_command bench_batch_commands[]; /* batch */
extern const size_t bench_batch_n;

extern const r1_command bench_memory_commands[]; /* memory */
extern const size_t bench_memory_n;

#endif
