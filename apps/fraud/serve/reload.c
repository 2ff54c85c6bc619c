/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reload.c - see reload.h. */
#include "serve/reload.h"

#include "decide/calibration.h"
#include "serve/policy_build.h"
#include "serve/reload_answer.h"
#include "serve/settings.h"
#include "text/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MODEL_BYTES_MAX = 1 << 30 };

struct fraud_reload {
    pthread_t thread;
    bool running;
    atomic_bool ready;        /* the thread has ended: what follows is the reading thread's again */
    const fraud_parts *parts; /* read by the thread: what no reload changes */
    int64_t began_us;         /* monotonic: when the reload in hand began to read */
    r1_options *fresh;
    fraud_rates *rates;
    bool takes_rates; /* rates are to go in the place of the old ones */
    fraud_policy *policy;
    char calibrated_for[FRAUD_MODEL_NAME_BYTES];
    r1_status st;
    r1_err err;
    char found[FRAUD_RELOAD_WAITS_BYTES], waits[FRAUD_RELOAD_WAITS_BYTES];
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
    fraud_rates_free(r->rates);
    r1_options_free(r->fresh);
    r->policy = NULL;
    r->rates = NULL;
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

/* ---- the thread: what the files hold now ---- */

static bool reload_same(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static void reload_waits(fraud_reload *r, const char *name)
{
    size_t at = strlen(r->found);
    snprintf(r->found + at, sizeof r->found - at, "%s%s", at ? ", " : "", name);
}

/* The entries of a family, each way. */
static bool reload_same_entries(const r1_options *a, const r1_options *b, const char *name)
{
    const char *key, *text, *other_key, *other;
    size_t i = 0, k = 0;
    while (r1_options_entry(a, name, i, &key, &text, NULL)) {
        for (k = 0; r1_options_entry(b, name, k, &other_key, &other, NULL); k++)
            if (!strcmp(key, other_key)) break;
        if (!r1_options_entry(b, name, k, &other_key, &other, NULL) || !reload_same(text, other))
            return false;
        i++;
    }
    return !r1_options_entry(b, name, i, &key, &text, NULL);
}

/* Settings that have changed and do not reload: they stay as they were at the start. */
static void reload_settings(fraud_reload *r)
{
    const r1_options *old = r->parts->o;
    bool shared = r1_options_has(old, "events-topic");
    for (size_t i = 0; i < r1_options_count(r->fresh); i++) {
        const r1_option *row = r1_options_row(r->fresh, i);
        if (!row->section || fraud_setting_reloads(row, shared)) continue;
        bool same = row->many ? reload_same_entries(old, r->fresh, row->name)
                              : reload_same(r1_options_str(old, row->name),
                                            r1_options_str(r->fresh, row->name));
        if (!same) reload_waits(r, row->name);
    }
}

/* Whether the setting is as it was, so that a change of its file has not been named yet. */
static bool reload_as_before(const fraud_reload *r, const char *name)
{
    return reload_same(r1_options_str(r->parts->o, name), r1_options_str(r->fresh, name));
}

static r1_status reload_map(fraud_reload *r, r1_err *err)
{
    fraud_map *map;
    R1_TRY(fraud_map_load(&map, r1_options_str(r->fresh, "map"), NULL, err));
    if (map && strcmp(fraud_map_version(map), fraud_map_version(r->parts->map)) != 0)
        reload_waits(r, "map (the file's contents)");
    fraud_map_free(map);
    return R1_OK;
}

static r1_status reload_model(fraud_reload *r, r1_err *err)
{
    char path[R1_PATH_BYTES], *bytes;
    size_t len;
    uint64_t hash = fraud_engine_model_hash(r->parts->engine);
    if (!hash) return R1_OK;
    R1_TRY(r1_cli_path(r->fresh, "model", path, err));
    R1_TRY(r1_file_read(path, MODEL_BYTES_MAX, &bytes, &len, err));
    if (r1_hash64(bytes, len, 0) != hash) reload_waits(r, "model (the file's contents)");
    free(bytes);
    return R1_OK;
}

/* One process alone takes them: the log holds amounts as they were converted, so a rebuild does not
 * ask for the rates of the time. Of several processes each would take them at another place. */
static r1_status reload_rates(fraud_reload *r, r1_err *err)
{
    const char *path = r1_options_str(r->fresh, "rates");
    bool shared = r1_options_has(r->parts->o, "events-topic"),
         currency = reload_as_before(r, "currency");
    R1_TRY(fraud_rates_load(&r->rates, path, r1_options_str(r->fresh, "currency"), err));
    bool changed = fraud_rates_hash(r->rates) != fraud_rates_hash(r->parts->rates);
    r->takes_rates = changed && !shared && currency;
    if (!changed || r->takes_rates) return R1_OK;
    if (!shared || reload_as_before(r, "rates"))
        reload_waits(r, shared ? "rates (the file's contents; stop every process first)"
                               : "rates (they go with the currency)");
    fraud_rates_free(r->rates);
    r->rates = NULL;
    return R1_OK;
}

static r1_status reload_files(fraud_reload *r, r1_err *err)
{
    *r->found = 0;
    R1_TRY(r1_cli_again(&r->fresh, NULL, err));
    reload_settings(r);
    if (reload_as_before(r, "map")) R1_TRY(reload_map(r, err));
    if (reload_as_before(r, "model")) R1_TRY(reload_model(r, err));
    R1_TRY(reload_rates(r, err));
    return fraud_policy_build(&r->policy, r->fresh, r->takes_rates ? r->rates : r->parts->rates,
                              r->calibrated_for, err);
}

static void *reload_read(void *arg)
{
    fraud_reload *r = arg;
    r1_err_clear(&r->err);
    r->st = reload_files(r, &r->err);
    atomic_store(&r->ready, true);
    return NULL;
}

/* ---- the reading thread ---- */

/* Whoever asked by `r1-fraud reload` waits for it. */
static void reload_tell(const fraud_reload *r, bool taken, const char *text)
{
    r1_err err = {0};
    fraud_reload_answer a = {.taken = taken, .pid = getpid(), .began_us = r->began_us};
    snprintf(a.version, sizeof a.version, "%s", fraud_policy_version(r->parts->policy));
    snprintf(a.text, sizeof a.text, "%s", text);
    if (fraud_reload_tell(r1_options_str(r->parts->o, "pid-file"), &a, &err) != R1_OK)
        r1_log(R1_LOG_WARN, "reload_untold", "error=\"%s\"", r1_log_quote(err.msg).text);
}

static void reload_refuse(fraud_reload *r, const char *why)
{
    r->refused++;
    fprintf(stderr, "r1-fraud serve: reload refused, version %s stays: %s\n",
            fraud_policy_version(r->parts->policy), why);
    reload_tell(r, false, why);
}

static void reload_begin(fraud_reload *r, const fraud_parts *parts)
{
    atomic_store(&r->ready, false);
    r->parts = parts;
    r->takes_rates = false;
    r->began_us = r1_mono_us();
    r->running = pthread_create(&r->thread, NULL, reload_read, r) == 0;
    if (!r->running) reload_refuse(r, "no thread for it");
}

static void reload_take(fraud_reload *r, fraud_parts *parts)
{
    fraud_policy *old = parts->policy;
    parts->policy = r->policy;
    r->policy = NULL;
    fraud_policy_pace(parts->policy, parts->pace);
    if (r->takes_rates) {
        fraud_rates *rates = parts->rates;
        parts->rates = r->rates;
        r->rates = rates;
    }
    r->taken++;
    fprintf(stderr, "r1-fraud serve: reloaded, version %s for %s, %s\n",
            fraud_policy_version(parts->policy), fraud_policy_version(old),
            fraud_policy_text(parts->policy));
    fraud_policy_print_notes(parts->policy, stderr);
    fraud_policy_free(old);
}

static void reload_end(fraud_reload *r, fraud_parts *parts)
{
    pthread_join(r->thread, NULL);
    r->running = false;
    if (r->st == R1_OK) r->st = fraud_calibration_fits(r->calibrated_for, parts->model, &r->err);
    if (r->st == R1_OK) {
        reload_take(r, parts);
        memcpy(r->waits, r->found, sizeof r->waits);
        if (*r->waits)
            r1_log(R1_LOG_WARN, "restart_needed", "settings=\"%s\" have changed and need a restart",
                   r->waits);
        reload_tell(r, true, r->waits);
    } else {
        reload_refuse(r, r->err.msg);
    }
    reload_clear(r);
}

bool fraud_reload_due(const fraud_reload *r) { return r->running && atomic_load(&r->ready); }

bool fraud_reload_turn(fraud_reload *r, fraud_parts *parts, bool drained)
{
    bool ends = drained && fraud_reload_due(r);
    if (ends) reload_end(r, parts);
    if (!r->running && r1_cli_hangup()) reload_begin(r, parts);
    return ends;
}

const char *fraud_reload_waits(const fraud_reload *r) { return r ? r->waits : ""; }

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
    char text[24], where[256];
    if (!path) return R1_OK;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644); /* open while the process lives */
    if (fd < 0)
        R1_FAIL(err, R1_E_INVAL, "pid-file: expected a file that can be made, found \"%s\": %s%s",
                path, strerror(errno), r1_file_where(path, where, sizeof where));
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        close(fd);
        R1_FAIL(err, R1_E_INVAL, "pid-file: expected one of its own, found \"%s\" in use", path);
    }
    if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)len) != len) {
        close(fd);
        R1_FAIL(err, R1_E_INVAL, "pid-file: %s: %s", path, strerror(errno));
    }
    fraud_reload_forget(path);
    return R1_OK;
}

/* The lock tells who lives; the number in the file may be an old one. */
static r1_status reload_signal(const char *path, pid_t *pid, r1_err *err)
{
    struct flock lock = pid_lock();
    char where[256];
    if (!path)
        R1_FAIL(err, R1_E_INVAL,
                "expected the setting pid-file, which serve holds too, found none; a SIGHUP to "
                "the process asks the same");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        R1_FAIL(err, R1_E_NOT_FOUND, "pid-file: \"%s\": %s%s", path, strerror(errno),
                r1_file_where(path, where, sizeof where));
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

/* Asks, and says what came of it. version: what these settings give. */
static r1_status reload_ask(const r1_options *o, const char *version, r1_err *err)
{
    const char *path = r1_options_str(o, "pid-file");
    fraud_reload_answer a;
    int64_t asked_us = r1_mono_us();
    pid_t pid = 0;
    R1_TRY(reload_signal(path, &pid, err));
    R1_TRY(fraud_reload_await(path, pid, asked_us, r1_options_int(o, "answer-wait"), &a, err));
    if (!a.taken)
        R1_FAIL(err, R1_E_INVAL, "process %ld refused to reload, version %s stays: %s", (long)pid,
                a.version, a.text);
    printf("process %ld reloaded, version %s\n", (long)pid, a.version);
    if (strcmp(a.version, version) != 0)
        printf("note: these settings give version %s: that process runs with others, by its own "
               "command line, environment or file\n",
               version);
    if (*a.text) printf("note: %s have changed and need a restart\n", a.text);
    return R1_OK;
}

static const r1_option reload_own_rows[] = {
    {.name = "answer-wait",
     .type = R1_OPT_INT,
     .def = "30",
     .min = 1,
     .max = 3600,
     .unit = "s",
     .help = "time for the service to answer; a refusal ends with 2, no answer in time with 1"},
};

const r1_option *fraud_reload_rows(size_t *n)
{
    static r1_option rows[FRAUD_JOINED_ROWS_MAX];
    *n = fraud_join_rows(rows, R1_COUNT(rows), reload_own_rows, R1_COUNT(reload_own_rows));
    return rows;
}

/* First the check, so that a fault is told here and not in the service's log alone. */
int fraud_command_reload(r1_cli_call *call)
{
    fraud_policy *policy = NULL;
    fraud_rates *rates = NULL;
    char calibrated_for[FRAUD_MODEL_NAME_BYTES];
    r1_status st = fraud_rates_load(&rates, r1_options_str(call->opts, "rates"),
                                    r1_options_str(call->opts, "currency"), &call->err);
    if (st == R1_OK)
        st = fraud_policy_build(&policy, call->opts, rates, calibrated_for, &call->err);
    if (st == R1_OK) {
        fraud_policy_print_notes(policy, stdout);
        st = reload_ask(call->opts, fraud_policy_version(policy), &call->err);
    }
    fraud_policy_free(policy);
    fraud_rates_free(rates);
    return r1_cli_exit(st);
}
