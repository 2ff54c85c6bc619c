/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - r1, the engine's own program: the groups of commands joined into one table. */
#include "cli_r1.h"

#include <string.h>

enum { COMMANDS_MAX = 32 };

int main(int argc, char **argv)
{
    static r1_command all[COMMANDS_MAX];
    const struct {
        const r1_command *commands;
        size_t n;
    } groups[] = {{cli_train_commands, cli_train_n},   {cli_model_commands, cli_model_n},
                  {cli_bench_commands, cli_bench_n},   {cli_batch_commands, cli_batch_n},
                  {cli_memory_commands, cli_memory_n}, {cli_embed_commands, cli_embed_n}};
    r1_program program = {.name = "r1", .summary = "the R1 reasoning engine", .commands = all};
    for (size_t i = 0; i < R1_COUNT(groups); i++) {
        memcpy(all + program.n_commands, groups[i].commands, groups[i].n * sizeof *all);
        program.n_commands += groups[i].n;
    }
    return r1_cli_main(&program, argc, argv);
}
