/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - r1, the engine's own program: the groups of commands joined into one table. */
#include "cli_r1.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COMMANDS_MAX = 32 };

/* `r1 bench gemm` is `r1-bench gemm`: the program beside this one, with the arguments behind
 * "bench". Returns where that program cannot be started. */
static int main_forward_bench(char **argv)
{
    static const char suffix[] = "-bench";
    char path[R1_PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof suffix);
    if (n < 0) n = 0;
    memcpy(path + n, suffix, sizeof suffix);
    argv[1] = path;
    execv(path, argv + 1);
    fprintf(stderr,
            "r1 bench: expected the program r1-bench beside r1, found no %s that runs (%s); a "
            "build with R1_LAB=ON makes it\n",
            path, strerror(errno));
    return R1_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "bench")) return main_forward_bench(argv);
    static r1_command all[COMMANDS_MAX];
    const struct {
        const r1_command *commands;
        size_t n;
    } groups[] = {{cli_train_commands, cli_train_n},
                  {cli_model_commands, cli_model_n},
                  {cli_machine_commands, cli_machine_n},
                  {cli_doctor_commands, cli_doctor_n},
                  {cli_embed_commands, cli_embed_n}};
    r1_program program = {.name = "r1", .summary = "the R1 reasoning engine", .commands = all};
    for (size_t i = 0; i < R1_COUNT(groups); i++) {
        memcpy(all + program.n_commands, groups[i].commands, groups[i].n * sizeof *all);
        program.n_commands += groups[i].n;
    }
    return r1_cli_main(&program, argc, argv);
}
