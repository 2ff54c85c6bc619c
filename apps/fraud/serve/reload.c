/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reload.c - see reload.h. */
#include "serve/reload.h"

#include "decide/calibration.h"
#include "serve/policy_build.h"
#include "serve/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fraud_reload {
    pthread_t thread;
    bool running;
    atomic_bool ready; /* the thread has ended: what follows is the reading thread's again */
    r1_options *fresh;
    fraud_policy *policy;
    char calibrated_for[FRAUD_MODEL_NAME_BYTES];
    r1_status st;
    r1_err err;
    uint64_t taken, refused;
    fraud_decision first; /* holds the policy of the start */
};

r1_status fraud_reload_new(fraud_reload **out, const fraud_policy *policy, r1_err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for reloading");
    fraud_decision_stamp(&(*out)->first, policy);
    return R1_OK;
}

static void reload_clear(fraud_reload *r)
{
    fraud_policy_free(r->policy);
    r1_options_free(r->fresh);
    r->policy = NULL;
    r->fresh = NULL;
}

void fraud_reload_free(fraud_reload *r)
{
    if (!r) return;
    if (r->running) pthread_join(r->thread, NULL);
    reload_clear(r);
    fraud_decision_release(&r->first);
    free(r);
}

static void *reload_read(void *arg)
{
    fraud_reload *r = arg;
    r1_err_clear(&r->err);
    r->st = r1_cli_again(&r->fresh, NULL, &r->err);
    if (r->st == R1_OK)
        r->st = fraud_policy_build(&r->policy, r->fresh, r->calibrated_for, &r->err);
    atomic_store(&r->ready, true);
    return NULL;
}

static void reload_begin(fraud_reload *r)
{
    atomic_store(&r->ready, false);
    r->running = pthread_create(&r->thread, NULL, reload_read, r) == 0;
    if (!r->running) fprintf(stderr, "r1-fraud serve: reload refused: no thread for it\n");
}

/* Names what has changed and does not reload: those settings stay as they were at the start. */
static void reload_name_others(const r1_options *fresh, const r1_options *old)
{
    for (size_t i = 0; i < r1_options_count(fresh); i++) {
        const r1_option *row = r1_options_row(fresh, i);
        if (row->many || !row->section || fraud_setting_reloads(row)) continue;
        const char *a = r1_options_str(old, row->name), *b = r1_options_str(fresh, row->name);
        if (a == b || (a && b && !strcmp(a, b))) continue;
        fprintf(stderr, "r1-fraud serve: %s has changed and needs a restart\n", row->name);
    }
}

static void reload_end(fraud_reload *r, fraud_parts *parts)
{
    pthread_join(r->thread, NULL);
    r->running = false;
    if (r->st == R1_OK) r->st = fraud_calibration_fits(r->calibrated_for, parts->model, &r->err);
    if (r->st != R1_OK) {
        r->refused++;
        fprintf(stderr, "r1-fraud serve: reload refused, version %s stays: %s\n",
                fraud_policy_version(parts->policy), r->err.msg);
    } else {
        fraud_policy *old = parts->policy;
        reload_name_others(r->fresh, parts->o);
        parts->policy = r->policy;
        r->policy = NULL;
        fraud_policy_pace(parts->policy, parts->pace);
        r->taken++;
        fprintf(stderr, "r1-fraud serve: reloaded, version %s for %s, %s\n",
                fraud_policy_version(parts->policy), fraud_policy_version(old),
                fraud_policy_text(parts->policy));
        fraud_policy_print_notes(parts->policy, stderr);
        fraud_policy_free(old);
    }
    reload_clear(r);
}

bool fraud_reload_due(const fraud_reload *r) { return r->running && atomic_load(&r->ready); }

void fraud_reload_turn(fraud_reload *r, fraud_parts *parts)
{
    if (fraud_reload_due(r)) reload_end(r, parts);
    if (!r->running && r1_cli_hangup()) reload_begin(r);
}

void fraud_reload_counts(const fraud_reload *r, uint64_t *taken, uint64_t *refused)
{
    *taken = r->taken;
    *refused = r->refused;
}

/* ---- the process to ask ---- */

static struct flock pid_lock(void)
{
    struct flock lock = {.l_whence = SEEK_SET};
    lock.l_type = F_WRLCK;
    return lock;
}

r1_status fraud_pid_file(const r1_options *o, r1_err *err)
{
    const char *path = r1_options_str(o, "pid-file");
    struct flock lock = pid_lock();
    char text[24];
    if (!path) return R1_OK;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644); /* open while the process lives */
    if (fd < 0)
        R1_FAIL(err, R1_E_INVAL, "pid-file: expected a file that can be made, found \"%s\": %s",
                path, strerror(errno));
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        close(fd);
        R1_FAIL(err, R1_E_INVAL, "pid-file: expected one of its own, found \"%s\" in use", path);
    }
    if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)len) != len) {
        close(fd);
        R1_FAIL(err, R1_E_INVAL, "pid-file: %s: %s", path, strerror(errno));
    }
    return R1_OK;
}

/* The lock tells who lives; the number in the file may be an old one. */
static r1_status reload_signal(const char *path, pid_t *pid, r1_err *err)
{
    struct flock lock = pid_lock();
    if (!path)
        R1_FAIL(err, R1_E_INVAL,
                "expected the setting pid-file, which serve holds too, found none; a SIGHUP to "
                "the process asks the same");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) R1_FAIL(err, R1_E_NOT_FOUND, "pid-file: \"%s\": %s", path, strerror(errno));
    bool known = fcntl(fd, F_GETLK, &lock) == 0;
    close(fd);
    if (!known || lock.l_type == F_UNLCK)
        R1_FAIL(err, R1_E_NOT_FOUND,
                "pid-file: expected a running service, found none that holds "
                "\"%s\"",
                path);
    *pid = lock.l_pid;
    if (kill(*pid, SIGHUP) != 0)
        R1_FAIL(err, R1_E_IO, "asking process %ld: %s", (long)*pid, strerror(errno));
    return R1_OK;
}

/* First the check, so that a fault is told here and not in the service's log alone. */
int fraud_command_reload(r1_cli_call *call)
{
    fraud_policy *policy = NULL;
    char calibrated_for[FRAUD_MODEL_NAME_BYTES];
    pid_t pid = 0;
    r1_status st = fraud_policy_build(&policy, call->opts, calibrated_for, &call->err);
    if (st == R1_OK) {
        fraud_policy_print_notes(policy, stdout);
        st = reload_signal(r1_options_str(call->opts, "pid-file"), &pid, &call->err);
        if (st == R1_OK)
            printf("process %ld was asked to reload, version %s\n", (long)pid,
                   fraud_policy_version(policy));
    }
    fraud_policy_free(policy);
    return r1_cli_exit(st);
}
