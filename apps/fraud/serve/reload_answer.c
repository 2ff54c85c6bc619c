/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reload_answer.c - see reload_answer.h. */
#include "serve/reload_answer.h"

#include "cli/r1_cli.h"
#include "text/r1_utf8.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 8192, LOOK_US = 20000 };

static void answer_path(const char *pid_file, char path[R1_PATH_BYTES])
{
    snprintf(path, R1_PATH_BYTES, "%s.reload", pid_file);
}

r1_status fraud_reload_tell(const char *pid_file, const fraud_reload_answer *a, r1_err *err)
{
    char path[R1_PATH_BYTES], text_of[sizeof a->text];
    if (!pid_file) return R1_OK;
    answer_path(pid_file, path);
    r1_utf8_clean(text_of, sizeof text_of, a->text);
    json_t *o =
        json_pack("{s:b, s:I, s:I, s:s, s:s}", "taken", (int)a->taken, "pid", (json_int_t)a->pid,
                  "began_us", (json_int_t)a->began_us, "version", a->version, "text", text_of);
    char *text = json_dumps(o, JSON_INDENT(1));
    json_decref(o);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for the answer", path);
    r1_status st = r1_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}

void fraud_reload_forget(const char *pid_file)
{
    char path[R1_PATH_BYTES];
    answer_path(pid_file, path);
    unlink(path);
}

/* false: no answer to this question stands there. */
static bool answer_read(const char *path, int64_t pid, int64_t asked_us, fraud_reload_answer *out)
{
    char *text;
    size_t len;
    if (r1_file_read(path, ANSWER_BYTES_MAX, &text, &len, NULL) != R1_OK) return false;
    json_t *o = json_loads(text, 0, NULL);
    free(text);
    json_int_t by = 0, began = 0;
    int taken = 0;
    const char *version = "", *said = "";
    bool good = json_unpack(o, "{s:b, s:I, s:I, s:s, s:s}", "taken", &taken, "pid", &by, "began_us",
                            &began, "version", &version, "text", &said) == 0;
    *out = (fraud_reload_answer){.taken = taken, .pid = by, .began_us = began};
    snprintf(out->version, sizeof out->version, "%s", version);
    snprintf(out->text, sizeof out->text, "%s", said);
    json_decref(o);
    return good && out->pid == pid && out->began_us >= asked_us;
}

r1_status fraud_reload_await(const char *pid_file, int64_t pid, int64_t asked_us, int64_t wait_s,
                             fraud_reload_answer *out, r1_err *err)
{
    char path[R1_PATH_BYTES];
    answer_path(pid_file, path);
    for (;;) {
        bool ended = kill((pid_t)pid, 0) != 0 && errno == ESRCH; /* before the last look */
        if (answer_read(path, pid, asked_us, out)) return R1_OK;
        if (ended)
            R1_FAIL(err, R1_E_NOT_FOUND,
                    "process %lld was asked to reload and ended before it answered: see its log",
                    (long long)pid);
        if (r1_mono_us() - asked_us > wait_s * 1000000)
            R1_FAIL(err, R1_E_TIMEOUT,
                    "process %lld was asked to reload: expected its answer in %s within %lld s, "
                    "found none; one that starts answers once it runs, else see its log",
                    (long long)pid, path, (long long)wait_s);
        if (r1_cli_stopped())
            R1_FAIL(err, R1_E_CANCELLED,
                    "process %lld was asked to reload; its answer was not waited for",
                    (long long)pid);
        usleep(LOOK_US);
    }
}
