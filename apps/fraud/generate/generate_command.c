/* SPDX-License-Identifier: GPL-3.0-or-later */
/* generate_command.c - r1-fraud generate: payments, labels and truth as files of one JSON object
 * per line. */
#include "generate/generate.h"

#include "files/memory_limit.h"
#include "files/outputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const r1_option fraud_generate_rows[] = {
    {.name = "seed", .type = R1_OPT_INT, .def = "1", .min = 0, .max = 9e15,
     .help = "the same seed gives the same payments"},
    {.name = "accounts", .type = R1_OPT_INT, .def = "2000",
     .min = FRAUD_WORLD_ACCOUNTS_MIN, .max = 1e6, .unit = "accounts",
     .help = "customers"},
    {.name = "days", .type = R1_OPT_INT, .def = "60", .min = FRAUD_WORLD_DAYS_MIN, .max = 3650,
     .unit = "days", .help = "length of the period"},
    {.name = "rings", .type = R1_OPT_INT, .def = "12", .min = 0, .max = 10000, .unit = "rings",
     .help = "rings of each of the ten typologies"},
    {.name = "ring-min", .type = R1_OPT_INT, .def = "4",
     .min = FRAUD_WORLD_RING_MIN, .max = FRAUD_WORLD_RING_MAX, .unit = "accounts",
     .help = "smallest ring"},
    {.name = "ring-max", .type = R1_OPT_INT, .def = "12",
     .min = FRAUD_WORLD_RING_MIN, .max = FRAUD_WORLD_RING_MAX, .unit = "accounts",
     .help = "largest ring"},
    {.name = "activity", .type = R1_OPT_FLOAT, .def = "1", .min = 0.01, .max = 100,
     .help = "1: about 1.25 payments a customer and day"},
    {.name = "start", .type = R1_OPT_INT, .def = "1767225600", .min = 0, .max = 4e9,
     .unit = "s since 1970",
     .help = "first instant (2026-01-01)"},
    {.name = "out", .type = R1_OPT_PATH, .def = "payments.jsonl",
     .help = "payments, sorted by time"},
    {.name = "labels", .type = R1_OPT_PATH,
     .help = "labels as they become known, 1 to 12 days later, sorted by that time"},
    {.name = "truth", .type = R1_OPT_PATH,
     .help = "typology and ring of each fraudulent payment, for judging alone"},
};
/* clang-format on */
const size_t fraud_generate_n_row = R1_COUNT(fraud_generate_rows);

typedef struct {
    FILE *f;
    char path[1024], tmp[1100];
    bool stream; /* a device or a pipe: written in place */
} sink;

static r1_status sink_open(sink *s, const char *path, r1_err *err)
{
    snprintf(s->path, sizeof s->path, "%s", path);
    s->stream = r1_file_is_stream(path);
    snprintf(s->tmp, sizeof s->tmp, "%s%s", path, s->stream ? "" : ".tmp");
    s->f = fopen(s->tmp, s->stream ? "a" : "w");
    return s->f ? R1_OK : r1_file_refuse(s->tmp, R1_E_IO, errno, err);
}

/* The whole file appears under its name, or nothing does; a device gets what it takes. */
static r1_status sink_close(sink *s, r1_status st, r1_err *err)
{
    bool bad = ferror(s->f) != 0;
    bad = fclose(s->f) != 0 || bad;
    if (st == R1_OK && (bad || (!s->stream && rename(s->tmp, s->path))))
        st = r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "writing %s: %s", s->path,
                        strerror(errno));
    if (st != R1_OK && !s->stream) remove(s->tmp);
    return st;
}

static r1_status write_payments(const char *path, const fraud_generated *g, size_t n, r1_err *err)
{
    sink s;
    R1_TRY(sink_open(&s, path, err));
    char line[FRAUD_PAYMENT_BYTES_MAX];
    r1_status st = R1_OK;
    size_t len;
    for (size_t i = 0; i < n && st == R1_OK; i++) {
        st = fraud_payment_encode(&g[i].payment, line, sizeof line, &len, err);
        if (st == R1_OK) fprintf(s.f, "%s\n", line);
    }
    return sink_close(&s, st, err);
}

static int by_label(const void *a, const void *b)
{
    const fraud_generated *const *x = a, *const *y = b;
    if ((*x)->label_ts != (*y)->label_ts) return (*x)->label_ts < (*y)->label_ts ? -1 : 1;
    return strcmp((*x)->payment.tx_id, (*y)->payment.tx_id);
}

/* Labels and truth are printed without an escape: ids are the generator's own, letters and
 * digits. */
static r1_status write_labels(const char *path, const fraud_generated *g, size_t n, r1_err *err)
{
    const fraud_generated **order = malloc((n ? n : 1) * sizeof *order);
    if (!order) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu labels", n);
    for (size_t i = 0; i < n; i++) order[i] = &g[i];
    qsort(order, n, sizeof *order, by_label);
    sink s;
    r1_status st = sink_open(&s, path, err);
    if (st == R1_OK) {
        for (size_t i = 0; i < n; i++)
            fprintf(s.f, "{\"tx_id\":\"%s\",\"is_fraud\":%s,\"ts\":%lld}\n",
                    order[i]->payment.tx_id, order[i]->typology ? "true" : "false",
                    (long long)order[i]->label_ts);
        st = sink_close(&s, st, err);
    }
    free(order);
    return st;
}

static r1_status write_truth(const char *path, const fraud_generated *g, size_t n, r1_err *err)
{
    sink s;
    R1_TRY(sink_open(&s, path, err));
    for (size_t i = 0; i < n; i++)
        if (g[i].typology)
            fprintf(s.f, "{\"tx_id\":\"%s\",\"typology\":\"%s\",\"ring\":%d}\n", g[i].payment.tx_id,
                    fraud_typology_name(g[i].typology), g[i].ring);
    return sink_close(&s, R1_OK, err);
}

static r1_status generate_check_files(const r1_options *o, r1_err *err)
{
    const r1_named_file out[] = {{"--out", r1_options_str(o, "out"), R1_OUTPUT_REPLACED},
                                 {"--labels", r1_options_str(o, "labels"), R1_OUTPUT_REPLACED},
                                 {"--truth", r1_options_str(o, "truth"), R1_OUTPUT_REPLACED}};
    return r1_outputs_check(out, R1_COUNT(out), NULL, 0, err);
}

static r1_status write_all(const r1_options *o, const fraud_generated *g, size_t n, r1_err *err)
{
    R1_TRY(write_payments(r1_options_str(o, "out"), g, n, err));
    if (r1_options_str(o, "labels")) R1_TRY(write_labels(r1_options_str(o, "labels"), g, n, err));
    if (r1_options_str(o, "truth")) R1_TRY(write_truth(r1_options_str(o, "truth"), g, n, err));
    return R1_OK;
}

/* All payments are in memory at once: without room for them the kernel would end the program, and
 * maybe others. */
static r1_status generate_check_memory(const fraud_generate_opts *opts, r1_err *err)
{
    const char *what;
    double n = (double)fraud_generate_estimate(opts), gib = 1024.0 * 1024 * 1024,
           need = n * sizeof(fraud_generated) / gib,
           limit = (double)r1_memory_limit("", &what) / gib;
    if (need >= 1) fprintf(stderr, "about %.0f payments take %.1f GiB of memory\n", n, need);
    if (n > FRAUD_WORLD_PAYMENTS_MAX)
        R1_FAIL(err, R1_E_INVAL,
                "expected at most %d payments, found a world of about %.0f: fewer accounts or days",
                (int)FRAUD_WORLD_PAYMENTS_MAX, n);
    if (limit == 0 || need < limit) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM,
            "expected %.1f GiB of memory for about %.0f payments, found %.1f GiB by %s: fewer "
            "accounts or days, or several worlds with seeds of their own",
            need, n, limit, what);
}

int fraud_command_generate(r1_cli_call *call)
{
    const r1_options *o = call->opts;
    fraud_generate_opts opts = {.seed = (uint64_t)r1_options_int(o, "seed"),
                                .start_ms = r1_options_int(o, "start") * 1000,
                                .accounts = (int)r1_options_int(o, "accounts"),
                                .days = (int)r1_options_int(o, "days"),
                                .rings = (int)r1_options_int(o, "rings"),
                                .ring_min = (int)r1_options_int(o, "ring-min"),
                                .ring_max = (int)r1_options_int(o, "ring-max"),
                                .activity = r1_options_float(o, "activity")};
    fraud_generated *g = NULL;
    size_t n = 0, n_fraud = 0;
    r1_status st = generate_check_files(o, &call->err);
    if (st == R1_OK) st = generate_check_memory(&opts, &call->err);
    if (st == R1_OK) st = fraud_generate(&opts, &g, &n, &call->err);
    if (st == R1_OK) st = write_all(o, g, n, &call->err);
    for (size_t i = 0; i < n; i++) n_fraud += g[i].typology != FRAUD_TYPOLOGY_NONE;
    free(g);
    if (st == R1_OK)
        printf("%zu payments, %zu of them fraudulent, in %s\n", n, n_fraud,
               r1_options_str(o, "out"));
    return r1_cli_exit(st);
}
