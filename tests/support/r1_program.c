/* SPDX-License-Identifier: Apache-2.0 */
/* r1_program.c - see r1_program.h. */
#include "support/r1_program.h"

#include <CUnit/CUnit.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 64 };

int r1_program_run(const char *program, char *out, size_t cap, const char *const *args)
{
    char path[512];
    const char *argv[ARGS_MAX + 2] = {path};
    const char *bin = getenv("R1_BIN");
    int fd[2], status = -1;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", bin ? bin : "build/release/bin", program);
    for (size_t i = 0; args[i]; i++) {
        CU_ASSERT_FATAL(i < ARGS_MAX);
        argv[i + 1] = args[i];
    }
    CU_ASSERT_EQUAL_FATAL(pipe(fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd[1], 1);
        dup2(fd[1], 2);
        close(fd[0]);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(fd[1]);
    for (ssize_t got; n + 1 < cap && (got = read(fd[0], out + n, cap - 1 - n)) > 0;)
        n += (size_t)got;
    out[n] = 0;
    close(fd[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

double r1_program_figure(const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(json, key);
    return at ? strtod(at + strlen(key), NULL) : -1;
}
