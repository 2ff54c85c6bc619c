/* SPDX-License-Identifier: Apache-2.0 */
/* cli_r1.h - the groups of commands that main.c joins into one table. */
#ifndef CLI_R1_H
#define CLI_R1_H

#include "r1_cli.h"

extern const r1_command cli_bench_commands[]; /* bench, devices, doctor */
extern const size_t cli_bench_n;

extern const r1_command cli_batch_commands[]; /* bench batch */
extern const size_t cli_batch_n;

extern const r1_command cli_memory_commands[]; /* bench memory */
extern const size_t cli_memory_n;

extern const r1_command cli_model_commands[]; /* train, eval, info */
extern const size_t cli_model_n;

#endif
