/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - r1, the engine's own program. */
#include "cli_r1.h"

int main(int argc, char **argv)
{
    const r1_program program = {
        .name = "r1", .summary = "the R1 reasoning engine", .commands = cli_bench_commands, .n_commands = cli_bench_n};
    return r1_cli_main(&program, argc, argv);
}
