/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - r1-bench, the measurements of the engine: the groups of commands joined into one
 * table. */
#include "bench/bench.h"

#include <string.h>

enum { COMMANDS_MAX = 16 };

int main(int argc, char **argv)
{
    static r1_command all[COMMANDS_MAX];
    const struct {
        const r1_command *commands;
        size_t n;
    } groups[] = {{bench_engine_commands, bench_engine_n},
                  {bench_batch_commands, bench_batch_n},
                  {bench_memory_commands, bench_memory_n}};
    r1_program program = {.name = "r1-bench",
                          .summary = "measurements of the R1 engine, beside named peers and limits",
                          .commands = all};
    for (size_t i = 0; i < R1_COUNT(groups); i++) {
        memcpy(all + program.n_commands, groups[i].commands, groups[i].n * sizeof *all);
        program.n_commands += groups[i].n;
    }
    return r1_cli_main(&program, argc, argv);
}
