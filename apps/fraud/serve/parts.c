/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parts.c - settings to parts. What costs nothing is checked first, the model is opened last. */
#include "serve/parts.h"
#include "decide/calibration.h"
#include "http/http.h"
#include "payment/currency.h"
#include "r1_backend.h"
#include "serve/capacity.h"
#include "serve/kafka_settings.h"
#include "snapshot/snapshot_folder.h"
#include "store/store_command.h"
#include "text/r1_utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(FRAUD_BATCH_MAX <= FRAUD_QUEUE_RECORDS, "a batch must find records in the queue");

/* ---- topics ---- */

static const struct {
    const char *option;
    bool input;
    fraud_topic topic; /* of an input */
} topics[] = {
    {"topic", true, FRAUD_TOPIC_PAYMENTS},     {"labels-topic", true, FRAUD_TOPIC_LABELS},
    {"decisions-topic", false, FRAUD_N_TOPIC}, {"dead-topic", false, FRAUD_N_TOPIC},
    {"events-topic", false, FRAUD_N_TOPIC},
};

static r1_status check_topic(const fraud_parts *p, size_t i, r1_err *err)
{
    const char *name = r1_options_str(p->o, topics[i].option);
    if (!name) return R1_OK;
    r1_status st = r1_topic_check(name, err);
    if (st != R1_OK) return r1_err_prefix(err, "%s: ", topics[i].option), st;
    if (!strcmp(name, FRAUD_HTTP_TOPIC_NAME))
        R1_FAIL(err, R1_E_INVAL, "%s: expected another name than \"%s\", which POST /v1/decide has",
                topics[i].option, name);
    for (size_t k = 0; k < i; k++) {
        const char *other = r1_options_str(p->o, topics[k].option);
        if (!other || strcmp(name, other) != 0) continue;
        R1_FAIL(err, R1_E_INVAL, "%s: expected another topic than %s %s, found \"%s\" for both",
                topics[i].option, topics[k].option, topics[k].input ? "reads" : "writes", name);
    }
    return R1_OK;
}

static r1_status build_topics(fraud_parts *p, r1_err *err)
{
    for (size_t i = 0; i < R1_COUNT(topics); i++) {
        R1_TRY(check_topic(p, i, err));
        if (topics[i].input) p->topic[topics[i].topic] = r1_options_str(p->o, topics[i].option);
    }
    return R1_OK;
}

/* ---- connections that will be asked for ---- */

/* The topic of events belongs to one log. So services over two databases have two groups: one for
 * both would give each of them a part of the partitions, and decide the others for nobody. */
static r1_status name_group(fraud_parts *p, r1_err *err)
{
    const char *set = r1_options_str(p->o, "group"), *events = r1_options_str(p->o, "events-topic");
    int len = set ? snprintf(p->group, sizeof p->group, "%s", set)
                  : snprintf(p->group, sizeof p->group, "r1-fraud%s%s", events ? "-" : "",
                             events ? events : "");
    if (len > 0 && len < (int)sizeof p->group && r1_utf8_valid(p->group, (size_t)len)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "group: expected the name of a consumer group, found %s",
            !len                         ? "\"\""
            : len < (int)sizeof p->group ? "bytes that are not UTF-8"
                                         : "a longer one");
}

static r1_status build_stream(fraud_parts *p, r1_err *err)
{
    const r1_options *o = p->o;
    R1_TRY(name_group(p, err));
    p->arrival.band =
        (fraud_time_band){.ahead_ms = r1_options_int(o, "time-ahead") * 1000,
                          .behind_ms = r1_options_int(o, "time-behind") * FRAUD_DAY_MS / 24};
    p->stream =
        (r1_stream_opts){.brokers = r1_options_str(o, "brokers"),
                         .client_id = "r1-fraud",
                         .group = p->group,
                         .extra = r1_options_str(o, "kafka-extra"),
                         .fetch_wait_ms = (int)r1_options_int(o, "fetch-wait"),
                         .fetch_min_bytes = (int)r1_options_int(o, "fetch-min"),
                         .linger_ms = 5,
                         .merge_hold_ms = (int)r1_options_int(o, "merge-hold"),
                         .merge_wait_ms = (int)r1_options_int(o, "merge-wait") * 1000,
                         .merge_leap_ms = p->arrival.band.behind_ms,
                         .placer = {fraud_arrival_place, &p->arrival, sizeof(fraud_arrival)}};
    fraud_kafka_settings(o, &p->stream);
    R1_TRY(r1_consumer_check(&p->stream, err));
    return r1_producer_check(&p->stream, err);
}

static r1_status build_store(fraud_parts *p, r1_err *err)
{
    R1_TRY(r1_store_conninfo(p->o, &p->conninfo, err));
    R1_TRY(r1_store_check(p->conninfo, err));
    R1_TRY(r1_cli_path(p->o, "migrations", p->migrations, err));
    return r1_store_migrations_check(p->migrations, err);
}

/* ---- numbers that must fit each other ---- */

/* Makes the file that r1_file_write would make beside path, and removes it: permissions alone do
 * not tell for each kind of folder. */
static r1_status try_stats(const char *path, r1_err *err)
{
    char trial[R1_PATH_BYTES], where[256];
    int len = snprintf(trial, sizeof trial, "%s.tmp.%ld", path, (long)getpid());
    int fd = len < (int)sizeof trial ? open(trial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)
                                     : (errno = ENAMETOOLONG, -1);
    if (fd < 0)
        R1_FAIL(err, R1_E_INVAL, "stats: expected a file that can be made, found \"%s\": %s%s",
                path, strerror(errno), r1_file_where(path, where, sizeof where));
    close(fd);
    unlink(trial);
    return R1_OK;
}

static r1_status check_stats(const r1_options *o, r1_err *err)
{
    const char *path = r1_options_str(o, "stats");
    if (!path) {
        if (r1_options_int(o, "stats-skip") == 0) return R1_OK;
        R1_FAIL(err, R1_E_INVAL, "stats-skip: expected stats beside it, found none");
    }
    if (!*path) R1_FAIL(err, R1_E_INVAL, "stats: expected a file, found \"\"");
    char folder[R1_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) : 1;
    snprintf(folder, sizeof folder, "%.*s", len ? len : 1, slash ? path : ".");
    if (access(folder, W_OK) != 0)
        R1_FAIL(err, R1_E_INVAL, "stats: expected a folder to write to, found \"%s\"", folder);
    struct stat is;
    if (stat(path, &is) == 0 && !S_ISREG(is.st_mode))
        R1_FAIL(err, R1_E_INVAL, "stats: expected a file, found %s at \"%s\"",
                S_ISDIR(is.st_mode) ? "a folder" : "a device or pipe", path);
    return try_stats(path, err);
}

static r1_status check_listen(const r1_options *o, r1_err *err)
{
    const char *listen = r1_options_str(o, "http-listen");
    r1_status st = listen && *listen ? r1_http_check(listen, NULL, err) : R1_OK;
    if (st != R1_OK) r1_err_prefix(err, "http-listen: ");
    return st;
}

static r1_status check_sizes(const r1_options *o, r1_err *err)
{
    int64_t wait = r1_options_int(o, "fetch-wait"), deadline = r1_options_int(o, "model-deadline");
    fraud_engine_opts sizes = {0};
    R1_TRY(fraud_capacity_read(o, &sizes, err));
    if (deadline && deadline <= wait)
        R1_FAIL(
            err, R1_E_INVAL,
            "model-deadline: expected more than fetch-wait (%lld ms), found %lld: every payment "
            "would be late",
            (long long)wait, (long long)deadline);
    R1_TRY(check_listen(o, err));
    return check_stats(o, err);
}

/* ---- the stream's currency ---- */

static r1_status build_currency(fraud_parts *p, r1_err *err)
{
    const char *currency = r1_options_str(p->o, "currency");
    R1_TRY(fraud_currency_setting(currency, r1_options_origin(p->o, "currency"), err));
    return fraud_rates_load(&p->rates, r1_options_str(p->o, "rates"), currency, err);
}

/* ---- what decides ---- */

static r1_status build_policy(fraud_parts *p, r1_err *err)
{
    R1_TRY(fraud_policy_build(&p->policy, p->o, p->rates, p->calibrated_for, err));
    R1_TRY(fraud_pace_new(&p->pace, err));
    return fraud_policy_pace(p->policy, p->pace), R1_OK;
}

static void name_model(fraud_parts *p, const fraud_engine_opts *opts)
{
    const char *precision = r1_options_str(p->o, "precision");
    bool forced = opts->precision != R1_PRECISION_AUTO, cpu = !strcmp(r1_device_name(), "cpu");
    snprintf(p->model, sizeof p->model, "%016llx%s%s%s%s%s%s%s%s",
             (unsigned long long)fraud_engine_model_hash(p->engine), opts->r1_off ? "-no-r1" : "",
             opts->graph_off ? "-no-graph" : "", opts->memory_off ? "-no-memory" : "",
             opts->signs_off ? "-no-signs" : "", forced ? "-" : "", forced ? precision : "",
             cpu ? "" : "-", cpu ? "" : r1_device_name());
    snprintf(p->model_text, sizeof p->model_text, "name=%s schema=%016llx",
             fraud_engine_model_name(p->engine),
             (unsigned long long)fraud_engine_schema_hash(p->engine));
}

static r1_status build_engine(fraud_parts *p, r1_err *err)
{
    char model[R1_PATH_BYTES];
    const r1_options *o = p->o;
    R1_TRY(r1_cli_path(o, "model", model, err));
    fraud_engine_opts opts = {.model_path = strcmp(model, "none") != 0 ? model : NULL,
                              .r1_off = !r1_options_bool(o, "r1"),
                              .graph_off = !r1_options_bool(o, "graph"),
                              .memory_off = !r1_options_bool(o, "memory"),
                              .signs_off = !r1_options_bool(o, "signs"),
                              .zone = r1_options_str(o, "zone"),
                              .precision = r1_cli_precision(r1_options_str(o, "precision")),
                              .slots_max = 2 * FRAUD_BATCH_MAX};
    R1_TRY(fraud_capacity_read(o, &opts, err));
    opts.labels_waiting = (uint32_t)r1_options_int(o, "labels-waiting");
    R1_TRY(fraud_engine_new(&p->engine, &opts, err));
    name_model(p, &opts);
    return R1_OK;
}

r1_status fraud_parts_engine(fraud_parts *p, const r1_options *o, r1_err *err)
{
    p->o = o;
    return build_engine(p, err);
}

r1_status fraud_parts_build(fraud_parts *p, const r1_options *o, r1_err *err)
{
    p->o = o;
    R1_TRY(build_topics(p, err));
    R1_TRY(check_sizes(o, err));
    R1_TRY(build_currency(p, err));
    R1_TRY(fraud_map_load(&p->map, r1_options_str(o, "map"), stderr, err));
    p->arrival.map = p->map;
    const char *folder = r1_options_str(o, "snapshot-dir");
    if (folder) R1_TRY(fraud_snapshots_check(folder, err));
    R1_TRY(build_policy(p, err));
    R1_TRY(build_stream(p, err));
    R1_TRY(build_store(p, err));
    R1_TRY(build_engine(p, err));
    R1_TRY(fraud_calibration_fits(p->calibrated_for, p->model, err));
    R1_TRY(fraud_txset_new(&p->seen, (size_t)r1_options_int(o, "seen-ids"), err));
    return fraud_queue_new(&p->queue, FRAUD_QUEUE_RECORDS, err);
}

void fraud_parts_release(fraud_parts *p)
{
    fraud_queue_free(p->queue);
    fraud_engine_free(p->engine);
    fraud_policy_free(p->policy);
    fraud_pace_free(p->pace);
    fraud_txset_free(p->seen);
    fraud_map_free(p->map);
    fraud_rates_free(p->rates);
    *p = (fraud_parts){0};
}

fraud_action fraud_parts_unscorable(const fraud_parts *p)
{
    const char *word = r1_options_str(p->o, "unscorable");
    for (int a = FRAUD_ALLOW; a < FRAUD_BLOCK; a++)
        if (!strcmp(word, fraud_action_name((fraud_action)a))) return (fraud_action)a;
    return FRAUD_BLOCK;
}

int fraud_parts_exit(r1_status st)
{
    return st == R1_OK ? R1_EXIT_OK : st == R1_E_NOMEM ? R1_EXIT_FAILED : R1_EXIT_USAGE;
}
