/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fraud_snapshot.c - what a snapshot costs: how long fork holds the stream up, how long the child
 * writes, what the file weighs, and how long a start from it takes.
 *
 *     fraud_snapshot FOLDER [edges [accounts [model]]]
 *
 * The engine is filled with random payments among the accounts, four of five to a payee of the
 * account's own. With a model, entries of working memory are encoded too, which takes far longer
 * than the rest. Files stay in FOLDER. */
#include "score/engine.h"
#include "snapshot/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAYEES = 12 };

typedef struct {
    uint32_t edges, accounts;
    const char *model;
} fill_opts;

static double seconds_since(int64_t began_us) { return (double)(r1_mono_us() - began_us) * 1e-6; }

static long memory_mib(const char *what)
{
    char line[128];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, what, strlen(what))) kib = strtol(line + strlen(what), NULL, 10);
    if (f) fclose(f);
    return kib / 1024;
}

static r1_status open_one(fraud_engine **e, const fill_opts *f, r1_err *err)
{
    const fraud_engine_opts o = {.model_path = f->model,
                                 .edges_max = f->edges,
                                 .entities_max = f->accounts + f->accounts / 8 + 16,
                                 .pairs_max = f->edges,
                                 .rings_max = f->accounts / 8 + 16};
    return fraud_engine_new(e, &o, err);
}

static void draw_payment(fraud_payment *p, r1_rng *rng, const fill_opts *f, int64_t i)
{
    uint64_t from = r1_rng_below(rng, f->accounts), to = r1_rng_below(rng, f->accounts);
    if (r1_rng_below(rng, 5))
        to = (from * 2654435761u + r1_rng_below(rng, PAYEES) * 40503u) % f->accounts;
    if (to == from) to = (to + 1) % f->accounts;
    *p = (fraud_payment){.ts = INT64_C(1767225600000) + i * 50,
                         .amount_minor = 100 + (int64_t)r1_rng_below(rng, 100000),
                         .minor_digits = 2};
    snprintf(p->tx_id, sizeof p->tx_id, "%016llx-%lld", (unsigned long long)r1_rng_u64(rng),
             (long long)i);
    snprintf(p->from, sizeof p->from, "DE%020llu", (unsigned long long)from);
    snprintf(p->to, sizeof p->to, "DE%020llu", (unsigned long long)to);
    snprintf(p->currency, sizeof p->currency, "EUR");
    snprintf(p->channel, sizeof p->channel, "app");
}

static r1_status fill_engine(fraud_engine *e, const fill_opts *f, r1_rng *rng, int64_t from,
                             int64_t n, r1_err *err)
{
    fraud_payment p;
    for (int64_t i = from; i < from + n; i++) {
        draw_payment(&p, rng, f, i);
        R1_TRY(fraud_engine_apply(e, &p, i + 1, NULL, err));
    }
    return R1_OK;
}

static r1_status settle_one(void *ctx, r1_err *err) { return fraud_engine_settle(ctx, err); }
static r1_status save_one(void *ctx, r1_image_out *out, r1_err *err)
{
    return fraud_engine_save(ctx, out, err);
}
static r1_status load_one(void *ctx, r1_image_in *in, r1_err *err)
{
    return fraud_engine_load(ctx, in, err);
}
static r1_status empty_one(void *ctx, r1_err *err) { return fraud_engine_empty(ctx, err); }
static r1_status judge_all(void *ctx, const fraud_snapshot_log *log, r1_err *err)
{
    (void)ctx, (void)log, (void)err;
    return R1_OK;
}

static fraud_snapshots_opts opts_of(const char *folder, const fraud_snapshot_part *part)
{
    return (fraud_snapshots_opts){.folder = folder,
                                  .keep = 2,
                                  .every_us = 1,
                                  .limit_us = 600 * INT64_C(1000000),
                                  .part = part,
                                  .n_part = 1};
}

/* Payments go on while the child writes: the longest of them tells what the copies cost. */
static r1_status write_beside(const char *folder, const fraud_snapshot_part *part,
                              const fill_opts *f, r1_rng *rng, r1_err *err)
{
    const fraud_snapshots_opts o = opts_of(folder, part);
    fraud_snapshots *s;
    fraud_snapshot_log log = {.apply_seq = f->edges};
    R1_TRY(fraud_snapshots_new(&s, &o, err));
    int64_t began = r1_mono_us(), worst = 0, n = 0, busy = 0;
    r1_status st = R1_OK;
    for (; st == R1_OK && !fraud_snapshots_read(s)->written && !fraud_snapshots_read(s)->failed;
         n++) {
        fraud_snapshots_tick(s, &log, log.apply_seq);
        int64_t before = r1_mono_us();
        st = fill_engine(part->ctx, f, rng, f->edges + n, 1, err);
        int64_t took = r1_mono_us() - before;
        busy += took;
        if (took > worst) worst = took;
        usleep(200);
    }
    const fraud_snapshots_stats *stats = fraud_snapshots_read(s);
    printf("written beside the stream: fork %.1f ms, file %.2f GB in %.1f s; %lld payments "
           "meanwhile, mean %.0f us, longest %.1f ms\n",
           (double)stats->fork_us / 1e3, (double)stats->bytes / 1e9, seconds_since(began),
           (long long)n, (double)busy / (double)(n ? n : 1), (double)worst / 1e3);
    if (st == R1_OK && stats->failed) R1_FAIL(err, R1_E_IO, "no snapshot was written");
    fraud_snapshots_free(s);
    return st;
}

static r1_status load_again(const char *folder, const fill_opts *f, r1_err *err)
{
    fraud_engine *e;
    fraud_snapshots *s;
    fraud_snapshot_log log;
    int64_t began = r1_mono_us();
    R1_TRY(open_one(&e, f, err));
    double opened = seconds_since(began);
    const fraud_snapshot_part part = {
        .name = "engine", .ctx = e, .save = save_one, .load = load_one, .empty = empty_one};
    const fraud_snapshots_opts o = opts_of(folder, &part);
    R1_TRY(fraud_snapshots_new(&s, &o, err));
    began = r1_mono_us();
    R1_TRY(fraud_snapshots_load(s, judge_all, NULL, &log, err));
    printf("loaded %s: engine made in %.1f s, file read and checked in %.1f s, peak %ld MiB\n",
           fraud_snapshots_read(s)->loaded, opened, seconds_since(began), memory_mib("VmHWM:"));
    fraud_snapshots_free(s);
    fraud_engine_free(e);
    return R1_OK;
}

static r1_status snapshot_study(const char *folder, const fill_opts *f, r1_err *err)
{
    fraud_engine *e;
    r1_rng rng;
    r1_rng_seed(&rng, 20261130);
    R1_TRY(open_one(&e, f, err));
    int64_t began = r1_mono_us();
    R1_TRY(fill_engine(e, f, &rng, 0, f->edges, err));
    printf("%u edges, %u accounts, model %s: filled in %.1f s, %ld MiB\n", f->edges, f->accounts,
           fraud_engine_model_name(e), seconds_since(began), memory_mib("VmRSS:"));
    const fraud_snapshot_part part = {.name = "engine",
                                      .ctx = e,
                                      .settle = settle_one,
                                      .save = save_one,
                                      .load = load_one,
                                      .empty = empty_one};
    R1_TRY(write_beside(folder, &part, f, &rng, err));
    fraud_engine_free(e);
    return load_again(folder, f, err);
}

int main(int argc, char **argv)
{
    r1_err err = {0};
    if (argc < 2) {
        fprintf(stderr, "fraud_snapshot FOLDER [edges [accounts [model]]]\n");
        return 2;
    }
    fill_opts f = {.edges = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10000000,
                   .accounts = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1000000,
                   .model = argc > 4 ? argv[4] : NULL};
    if (snapshot_study(argv[1], &f, &err) == R1_OK) return 0;
    fprintf(stderr, "%s\n", err.msg);
    return 1;
}
