/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - r1, the engine's own program: the groups of commands joined into one table. */
#include "cli_r1.h"

#include <string.h>

enum { COMMANDS_MAX = 32 };

int main(int argc, char **argv)
{
    static r1_command all[COMMANDS_MAX];
    memcpy(all, cli_model_commands, cli_model_n * sizeof *all);
    memcpy(all + cli_model_n, cli_bench_commands, cli_bench_n * sizeof *all);
    memcpy(all + cli_model_n + cli_bench_n, cli_memory_commands, cli_memory_n * sizeof *all);
    const r1_program program = {.name = "r1",
                                .summary = "the R1 reasoning engine",
                                .commands = all,
                                .n_commands = cli_model_n + cli_bench_n + cli_memory_n};
    return r1_cli_main(&program, argc, argv);
}
