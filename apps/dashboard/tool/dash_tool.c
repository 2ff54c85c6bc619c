/* SPDX-License-Identifier: Apache-2.0 */
/* dash_tool.c - see dash_tool.h. */
#define _GNU_SOURCE
#include "tool/dash_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { FIRST_FD = 10, ABOVE_FD = 20, SETTINGS_BYTES_MAX = 1 << 20 };

static r1_status tool_path(char *path, size_t size, r1_err *err)
{
    ssize_t n = readlink("/proc/self/exe", path, size - sizeof "r1-fraud");
    char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
    if (!slash) R1_FAIL(err, R1_E_NOT_FOUND, "r1-fraud: where this program stands is not known");
    snprintf(slash + 1, sizeof "r1-fraud", "r1-fraud");
    if (access(path, X_OK) != 0)
        R1_FAIL(err, R1_E_NOT_FOUND, "%s: expected r1-fraud beside r1-dashboard", path);
    return R1_OK;
}

/* A text as a file that lies in memory alone; below 0: there is none. */
static int text_file(const char *text)
{
    int low = memfd_create("r1-dashboard", MFD_CLOEXEC), fd;
    if (low < 0) return -1;
    fd = fcntl(low, F_DUPFD_CLOEXEC, ABOVE_FD); /* none of the numbers that the program gets */
    close(low);
    for (size_t at = 0, n = strlen(text); fd >= 0 && at < n;) {
        ssize_t wrote = write(fd, text + at, n - at);
        if (wrote < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        if (wrote > 0) at += (size_t)wrote;
    }
    return fd;
}

static int tool_spawn(const char *path, const dash_tool_job *job, const int *fd, int out,
                      pid_t *pid)
{
    union {
        const char *in[DASH_TOOL_ARGS + 2];
        char *out[DASH_TOOL_ARGS + 2];
    } argv = {.in = {path}};
    posix_spawn_file_actions_t files;
    for (size_t i = 0; i < DASH_TOOL_ARGS && job->args[i]; i++) argv.in[i + 1] = job->args[i];
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, out, 2);
    for (int i = 0; i < DASH_TOOL_FILES; i++)
        if (fd[i] >= 0) posix_spawn_file_actions_adddup2(&files, fd[i], FIRST_FD + i);
    int failed = posix_spawn(pid, path, &files, NULL, argv.out, environ);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

/* Reads to the end; what is over the bound is read and dropped. false: the time is over. */
static bool tool_read(int in, int64_t until_us, dash_tool_answer *out)
{
    char part[16384];
    size_t len = 0;
    for (;;) {
        struct pollfd fd = {in, POLLIN, 0};
        int64_t left = (until_us - r1_mono_us()) / 1000;
        int ready = left > 0 ? poll(&fd, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        ssize_t got = read(in, part, sizeof part);
        if (got <= 0) return true;
        size_t room = DASH_TOOL_BYTES_MAX - len, take = (size_t)got < room ? (size_t)got : room;
        memcpy(out->text + len, part, take);
        len += take;
        out->text[len] = 0;
        out->cut = out->cut || take < (size_t)got;
    }
}

static r1_status tool_wait(pid_t pid, int in, int seconds, dash_tool_answer *out, r1_err *err)
{
    int status = 0;
    bool ended = tool_read(in, r1_mono_us() + (int64_t)seconds * 1000000, out);
    if (!ended) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!ended)
        R1_FAIL(err, R1_E_TIMEOUT, "r1-fraud: it ran longer than %d s and was ended", seconds);
    out->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    return R1_OK;
}

static r1_status tool_start(const char *path, const dash_tool_job *job, const int *fd,
                            dash_tool_answer *out, r1_err *err)
{
    int to[2];
    pid_t pid;
    if (pipe2(to, O_CLOEXEC) != 0) R1_FAIL(err, R1_E_IO, "r1-fraud: no pipe: %s", strerror(errno));
    int failed = tool_spawn(path, job, fd, to[1], &pid);
    close(to[1]);
    r1_status st = R1_OK;
    if (failed)
        st = r1_err_set(err, R1_E_NOT_FOUND, __FILE__, __LINE__, "%s: %s", path, strerror(failed));
    else
        st = tool_wait(pid, to[0], job->seconds_max, out, err);
    close(to[0]);
    return st;
}

r1_status dash_tool_run(const dash_tool_job *job, dash_tool_answer *out, r1_err *err)
{
    char path[4096];
    int fd[DASH_TOOL_FILES];
    *out = (dash_tool_answer){0};
    R1_TRY(tool_path(path, sizeof path, err));
    out->text = calloc(1, DASH_TOOL_BYTES_MAX + 1);
    bool room = out->text != NULL;
    for (size_t i = 0; i < DASH_TOOL_FILES; i++) {
        fd[i] = job->file[i] ? text_file(job->file[i]) : -1;
        room = room && (fd[i] >= 0 || !job->file[i]);
    }
    r1_status st = room ? tool_start(path, job, fd, out, err)
                        : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for r1-fraud");
    for (size_t i = 0; i < DASH_TOOL_FILES; i++)
        if (fd[i] >= 0) close(fd[i]);
    if (st != R1_OK) {
        free(out->text);
        out->text = NULL;
    }
    return st;
}

/* ---- settings ---- */

/* '-' and '_' are one in the names of settings. */
static bool same_name(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i])) return false;
    return true;
}

static bool line_sets(const char *line, const char *const *rows)
{
    size_t blank = strspn(line, " \t"), len = strcspn(line + blank, " \t=:\n");
    for (size_t i = 0; rows[i]; i += 2)
        if (rows[i + 1] && strlen(rows[i]) == len && same_name(line + blank, rows[i], len))
            return true;
    return false;
}

r1_status dash_tool_settings(const char *path, const char *const *rows, char **out, r1_err *err)
{
    char *text = NULL;
    size_t n, len;
    R1_TRY(r1_file_read(path, SETTINGS_BYTES_MAX, &text, &n, err));
    FILE *f = open_memstream(out, &len);
    for (const char *line = text; f && *line;) {
        size_t end = strcspn(line, "\n");
        if (!line_sets(line, rows)) fprintf(f, "%.*s\n", (int)end, line);
        line += end + (line[end] == '\n');
    }
    if (f) fputs("[decision]\n", f);
    for (size_t i = 0; f && rows[i]; i += 2)
        if (rows[i + 1]) fprintf(f, "%s = %s\n", rows[i], rows[i + 1]);
    free(text);
    if (!f || fclose(f)) R1_FAIL(err, R1_E_NOMEM, "no memory for settings");
    return R1_OK;
}
