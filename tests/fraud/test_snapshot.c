/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Snapshots: an engine that was saved and loaded is the one that was not, byte by byte of a second
 * file and bit by bit of later scores. Every byte of a small file is changed. Then what goes on
 * around files: the child beside the stream, commits that come late, files that are broken, locks,
 * limits. */
#include "generate/generate.h"
#include "score/engine.h"
#include "serve/txset.h"
#include "snapshot/snap_file.h"
#include "snapshot/snapshot.h"
#include "support/r1_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORLD = 2600, SAVED_AT = 1700, BATCH = 16, IDS = 1000 };
static const int64_t LONG_US = INT64_C(3600) * 1000000;

static fraud_generated *world;
static size_t n_world;

static void snapshot_make_world(void)
{
    r1_err err = {0};
    fraud_generate_opts o = {
        .seed = r1_test_seed(), .start_ms = 1767225600000, .accounts = 150, .days = 30, .rings = 3};
    o.ring_min = 4, o.ring_max = 8, o.activity = 1;
    R1_ASSERT_OK(fraud_generate(&o, &world, &n_world, &err), &err);
    if (n_world > WORLD) n_world = WORLD;
    CU_ASSERT_TRUE_FATAL(n_world > SAVED_AT + 100);
}

/* ---- parts, as the service has them ---- */

typedef struct {
    fraud_engine *engine;
    fraud_txset *seen;
    fraud_snapshot_part part[2];
    fraud_snapshots *snapshots;
    int64_t seq;
} rig;

static r1_status settle_it(void *ctx, r1_err *err) { return fraud_engine_settle(ctx, err); }
static r1_status save_it(void *ctx, r1_image_out *out, r1_err *err)
{
    return fraud_engine_save(ctx, out, err);
}
static r1_status load_it(void *ctx, r1_image_in *in, r1_err *err)
{
    return fraud_engine_load(ctx, in, err);
}
static r1_status empty_it(void *ctx, r1_err *err) { return fraud_engine_empty(ctx, err); }
static r1_status save_ids(void *ctx, r1_image_out *out, r1_err *err)
{
    return fraud_txset_save(ctx, out, err);
}
static r1_status load_ids(void *ctx, r1_image_in *in, r1_err *err)
{
    return fraud_txset_load(ctx, in, err);
}
static r1_status empty_ids(void *ctx, r1_err *err) { return fraud_txset_clear(ctx, err); }

/* Small, so that rows and rings are evicted. */
static fraud_engine_opts small_engine(const char *model)
{
    return (fraud_engine_opts){.model_path = model ? r1_test_source(model) : NULL,
                               .slots_max = BATCH,
                               .edges_max = 1000,
                               .entities_max = 120,
                               .pairs_max = 700,
                               .rings_max = 90};
}

static fraud_snapshots_opts rig_opts(const rig *r, const char *folder)
{
    return (fraud_snapshots_opts){.folder = folder,
                                  .keep = 2,
                                  .every_us = 0,
                                  .limit_us = LONG_US,
                                  .part = r->part,
                                  .n_part = 2,
                                  .in_caller = true};
}

static void rig_open_with(rig *r, const fraud_engine_opts *o)
{
    r1_err err = {0};
    *r = (rig){0};
    R1_ASSERT_OK(fraud_engine_new(&r->engine, o, &err), &err);
    R1_ASSERT_OK(fraud_txset_new(&r->seen, IDS, &err), &err);
    r->part[0] = (fraud_snapshot_part){.name = "engine",
                                       .ctx = r->engine,
                                       .settle = settle_it,
                                       .save = save_it,
                                       .load = load_it,
                                       .empty = empty_it};
    r->part[1] = (fraud_snapshot_part){
        .name = "seen", .ctx = r->seen, .save = save_ids, .load = load_ids, .empty = empty_ids};
}

static void rig_open(rig *r, const char *model)
{
    const fraud_engine_opts o = small_engine(model);
    rig_open_with(r, &o);
}

static void rig_close(rig *r)
{
    fraud_snapshots_free(r->snapshots);
    fraud_engine_free(r->engine);
    fraud_txset_free(r->seen);
    *r = (rig){0};
}

/* Applies and scores payments [from, to) with a label now and then; logit NULL: not kept. */
static void rig_run(rig *r, size_t from, size_t to, double *logit)
{
    r1_err err = {0};
    fraud_slot *slot[BATCH];
    static fraud_result result[BATCH];
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        R1_ASSERT_OK(fraud_engine_apply(r->engine, &world[i].payment, ++r->seq, &slot[n++], &err),
                     &err);
        R1_ASSERT_OK(fraud_txset_add(r->seen, world[i].payment.tx_id, i, true, &err), &err);
        if (i % 5 == 0)
            (void)fraud_engine_label(r->engine, world[i - i % 40 + i % 30].payment.tx_id,
                                     i % 3 != 0, world[i].payment.ts,
                                     &err); /* some wait for their payment */
        if (n < BATCH && i + 1 < to) continue;
        R1_ASSERT_OK(fraud_engine_score(r->engine, slot, n, result, &err), &err);
        for (size_t k = 0; k < n; k++) {
            if (logit) logit[i + 1 - n + k] = result[k].logit;
            fraud_slot_release(r->engine, slot[k]);
        }
        n = 0;
    }
}

static r1_status judge_any(void *ctx, const fraud_snapshot_log *log, r1_err *err)
{
    int64_t *most = ctx;
    if (!most || log->apply_seq <= *most) return R1_OK;
    R1_FAIL(err, R1_E_NOT_FOUND, "row %lld is not there", (long long)log->apply_seq);
}

static fraud_snapshot_log log_at(int64_t seq)
{
    fraud_snapshot_log log = {.apply_seq = seq, .offset = seq + 5, .partition = 3};
    snprintf(log.topic, sizeof log.topic, "payments");
    snprintf(log.tx_id, sizeof log.tx_id, "id-%lld", (long long)seq);
    return log;
}

static void rig_write(rig *r, const char *folder)
{
    r1_err err = {0};
    const fraud_snapshots_opts o = rig_opts(r, folder);
    const fraud_snapshot_log log = log_at(r->seq);
    if (!r->snapshots) R1_ASSERT_OK(fraud_snapshots_new(&r->snapshots, &o, &err), &err);
    R1_ASSERT_OK(fraud_snapshots_last(r->snapshots, &log, &err), &err);
}

static void rig_load(rig *r, const char *folder, int64_t *most)
{
    r1_err err = {0};
    const fraud_snapshots_opts o = rig_opts(r, folder);
    fraud_snapshot_log log;
    R1_ASSERT_OK(fraud_snapshots_new(&r->snapshots, &o, &err), &err);
    R1_ASSERT_OK(fraud_snapshots_load(r->snapshots, judge_any, most, &log, &err), &err);
    r->seq = log.apply_seq;
    if (!r->seq) return;
    const fraud_snapshot_log want = log_at(log.apply_seq);
    CU_ASSERT_EQUAL(memcmp(&log, &want, sizeof log), 0);
}

static const char *file_of(const char *folder, int64_t seq)
{
    static char path[4][512];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/snapshot-%020lld.r1snap", folder, (long long)seq);
    return p;
}

/* Names in a folder but for the lock and the dots. */
static size_t count_files(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.' && strcmp(e->d_name, "lock");
    closedir(dir);
    return n;
}

/* ---- equal ---- */

static void check_equal(const char *model, const char *name)
{
    static double expected[WORLD], got[WORLD];
    const char *folder = r1_test_in_tmp(name);
    char again[256];
    rig one, two;
    snprintf(again, sizeof again, "%s", r1_test_in_tmp(name));
    snprintf(again + strlen(again), sizeof again - strlen(again), "-again");
    rig_open(&one, model);
    rig_open(&two, model);
    rig_run(&one, 0, SAVED_AT, NULL);
    rig_write(&one, folder);
    rig_load(&two, folder, NULL);
    CU_ASSERT_EQUAL(two.seq, SAVED_AT);
    CU_ASSERT_EQUAL(fraud_engine_digest(one.engine), fraud_engine_digest(two.engine));
    CU_ASSERT_EQUAL(fraud_txset_count(one.seen), fraud_txset_count(two.seen));
    fraud_snapshots_free(two.snapshots);
    two.snapshots = NULL;
    rig_write(&two, again);
    CU_ASSERT_TRUE(r1_test_same_files(file_of(folder, SAVED_AT), file_of(again, SAVED_AT)));
    rig_run(&one, SAVED_AT, n_world, expected);
    rig_run(&two, SAVED_AT, n_world, got);
    CU_ASSERT_EQUAL(memcmp(expected, got, sizeof got), 0);
    CU_ASSERT_EQUAL(fraud_engine_digest(one.engine), fraud_engine_digest(two.engine));
    for (size_t i = 0; i < n_world; i++)
        CU_ASSERT_EQUAL(fraud_txset_look(one.seen, world[i].payment.tx_id, i & 510),
                        fraud_txset_look(two.seen, world[i].payment.tx_id, i & 510));
    rig_close(&one);
    rig_close(&two);
}

static void test_loaded_engine_goes_on(void)
{
    check_equal(NULL, "rules");
    check_equal("models/fraud-s-int8.gguf", "int8");
    check_equal("models/fraud-s.gguf", "f32");
}

/* ---- damaged ---- */

static void check_damaged(rig *r, const char *folder, uint64_t digest, size_t *harmless)
{
    rig_load(r, folder, NULL);
    if (r->seq) {
        ++*harmless;
        CU_ASSERT_EQUAL(fraud_engine_digest(r->engine), digest);
    } else {
        CU_ASSERT_EQUAL(fraud_snapshots_read(r->snapshots)->refused, 1);
        CU_ASSERT_EQUAL(fraud_txset_count(r->seen), 0);
    }
    r1_err err = {0};
    fraud_snapshots_free(r->snapshots);
    r->snapshots = NULL;
    R1_ASSERT_OK(fraud_engine_empty(r->engine, &err), &err);
    R1_ASSERT_OK(fraud_txset_clear(r->seen, &err), &err);
}

static void put_byte(int fd, off_t at, uint8_t byte)
{
    CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, at), 1);
}

/* Each byte of the file takes another value, and the file ends at each byte. */
static void test_every_byte(void)
{
    const char *folder = r1_test_in_tmp("bytes");
    const fraud_engine_opts o = {
        .slots_max = BATCH, .edges_max = 40, .entities_max = 30, .pairs_max = 40};
    rig r;
    r1_rng rng;
    char *data;
    size_t n, harmless = 0;
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed());
    rig_open_with(&r, &o);
    rig_run(&r, 0, 48, NULL);
    rig_write(&r, folder);
    uint64_t digest = fraud_engine_digest(r.engine);
    const char *path = file_of(folder, 48);
    rig_close(&r);
    rig_open_with(&r, &o);
    R1_ASSERT_OK(r1_file_read(path, 1 << 24, &data, &n, &err), &err);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    fflush(stderr); /* each refusal is a line */
    int keep = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    for (size_t i = 0; i < n; i++) {
        put_byte(fd, (off_t)i, (uint8_t)data[i] ^ (uint8_t)(1 + r1_rng_below(&rng, 255)));
        check_damaged(&r, folder, digest, &harmless);
        put_byte(fd, (off_t)i, (uint8_t)data[i]);
    }
    CU_ASSERT_TRUE(harmless < n / 50);
    for (size_t cut = n; cut-- > 0; cut -= cut < 300 ? 0 : cut / 60) {
        size_t good = harmless;
        CU_ASSERT_EQUAL(ftruncate(fd, (off_t)cut), 0);
        check_damaged(&r, folder, digest, &good);
        CU_ASSERT_EQUAL(good, harmless);
    }
    dup2(keep, STDERR_FILENO);
    close(keep);
    close(null);
    close(fd);
    printf(" [%zu bytes, %zu changes harmless] ", n, harmless);
    free(data);
    rig_close(&r);
}

/* Another model, capacity or memory: refused with words, and the start goes on. */
static void test_other_engines(void)
{
    const char *folder = r1_test_in_tmp("others"), *model = "models/fraud-s-int8.gguf";
    rig r;
    rig_open(&r, model);
    rig_run(&r, 0, 200, NULL);
    rig_write(&r, folder);
    rig_close(&r);
    fraud_engine_opts other[5];
    for (size_t i = 0; i < R1_COUNT(other); i++) other[i] = small_engine(model);
    other[0].model_path = r1_test_source("models/fraud-s.gguf");
    other[1].model_path = NULL;
    other[2].edges_max = 1001;
    other[3].rings_max = 91;
    other[4].memory_off = true;
    for (size_t i = 0; i < R1_COUNT(other); i++) {
        rig_open_with(&r, &other[i]);
        rig_load(&r, folder, NULL);
        CU_ASSERT_EQUAL(r.seq, 0);
        CU_ASSERT_EQUAL(fraud_snapshots_read(r.snapshots)->refused, 1);
        rig_run(&r, 0, 100, NULL); /* the engine is as new */
        rig_close(&r);
    }
}

/* ---- files ---- */

static void test_fallback_and_keep(void)
{
    const char *folder = r1_test_in_tmp("fallback");
    rig r;
    rig_open(&r, NULL);
    for (size_t i = 0; i < 5; i++) {
        rig_run(&r, i * 100, (i + 1) * 100, NULL);
        rig_write(&r, folder);
    }
    rig_close(&r);
    CU_ASSERT_EQUAL(count_files(folder), 2);
    CU_ASSERT_EQUAL(truncate(file_of(folder, 500), 100), 0);
    rig_open(&r, NULL);
    rig_load(&r, folder, NULL);
    CU_ASSERT_EQUAL(r.seq, 400);
    rig_run(&r, 400, 450, NULL);
    rig_write(&r, folder); /* the broken file goes, although its number is higher */
    CU_ASSERT_EQUAL(count_files(folder), 2);
    CU_ASSERT_NOT_EQUAL(access(file_of(folder, 500), F_OK), 0);
    rig_close(&r);
    rig_open(&r, NULL);
    int64_t most = 420; /* the log was set back */
    rig_load(&r, folder, &most);
    CU_ASSERT_EQUAL(r.seq, 400);
    rig_close(&r);
}

/* The second one reads and does not write until the first has ended. */
static void test_lock(void)
{
    r1_err err = {0};
    const char *folder = r1_test_in_tmp("lock");
    rig one, two;
    rig_open(&one, NULL);
    rig_open(&two, NULL);
    rig_run(&one, 0, 60, NULL);
    rig_write(&one, folder);
    rig_load(&two, folder, NULL);
    rig_run(&two, 60, 90, NULL);
    const fraud_snapshot_log log = log_at(two.seq);
    fraud_snapshots_tick(two.snapshots, &log, two.seq);
    CU_ASSERT_EQUAL(fraud_snapshots_read(two.snapshots)->failed, 1);
    CU_ASSERT_EQUAL(fraud_snapshots_last(two.snapshots, &log, &err), R1_E_AGAIN);
    rig_close(&one);
    R1_ASSERT_OK(fraud_snapshots_last(two.snapshots, &log, &err), &err);
    CU_ASSERT_EQUAL(count_files(folder), 2);
    rig_close(&two);
}

/* ---- beside the stream ---- */

/* Ticks until a file has its name or a try has failed; payments go on meanwhile. */
static void tick_until(rig *r, const fraud_snapshot_log *log, int64_t committed, size_t *next)
{
    const fraud_snapshots_stats *stats = fraud_snapshots_read(r->snapshots);
    uint64_t before = stats->written + stats->failed;
    for (int64_t until = r1_mono_us() + 20000000;
         stats->written + stats->failed == before && r1_mono_us() < until;) {
        fraud_snapshots_tick(r->snapshots, log, committed);
        if (*next < n_world) rig_run(r, *next, *next + 1, NULL), ++*next;
        usleep(1000);
    }
}

static void test_beside_the_stream(void)
{
    r1_err err = {0};
    const char *folder = r1_test_in_tmp("beside");
    rig one, two;
    rig_open(&one, "models/fraud-s-int8.gguf");
    rig_run(&one, 0, 800, NULL);
    fraud_snapshots_opts o = rig_opts(&one, folder);
    o.in_caller = false;
    R1_ASSERT_OK(fraud_snapshots_new(&one.snapshots, &o, &err), &err);
    const fraud_snapshot_log log = log_at(800);
    uint64_t digest = fraud_engine_digest(one.engine);
    size_t next = 800;
    for (int i = 0; i < 300; i++) { /* the log has not come as far: no name */
        fraud_snapshots_tick(one.snapshots, &log, 799);
        if (i < 100) rig_run(&one, next, next + 1, NULL), next++;
        usleep(1000);
    }
    CU_ASSERT_NOT_EQUAL(access(file_of(folder, 800), F_OK), 0);
    CU_ASSERT_EQUAL(count_files(folder), 1);
    tick_until(&one, &log, 800, &next);
    CU_ASSERT_EQUAL(fraud_snapshots_read(one.snapshots)->written, 1);
    CU_ASSERT_EQUAL(count_files(folder), 1);
    rig_open(&two, "models/fraud-s-int8.gguf");
    rig_load(&two, folder, NULL);
    CU_ASSERT_EQUAL(two.seq, 800);
    CU_ASSERT_EQUAL(fraud_engine_digest(two.engine), digest);
    rig_run(&two, 800, next, NULL);
    CU_ASSERT_EQUAL(fraud_engine_digest(two.engine), fraud_engine_digest(one.engine));
    printf(" [fork %lld us] ", (long long)fraud_snapshots_read(one.snapshots)->fork_us);
    rig_close(&one);
    rig_close(&two);
}

/* A folder that is gone, a time limit: counted, nothing stays, the next try works. */
static void test_failures_beside_the_stream(void)
{
    r1_err err = {0};
    const char *folder = r1_test_in_tmp("failures");
    rig r;
    size_t next = n_world;
    rig_open(&r, NULL);
    rig_run(&r, 0, 300, NULL);
    fraud_snapshots_opts o = rig_opts(&r, folder);
    o.in_caller = false;
    o.limit_us = 30000;
    R1_ASSERT_OK(fraud_snapshots_new(&r.snapshots, &o, &err), &err);
    const fraud_snapshots_stats *stats = fraud_snapshots_read(r.snapshots);
    const fraud_snapshot_log log = log_at(300);
    tick_until(&r, &log, 299, &next); /* never committed: the limit ends it */
    CU_ASSERT_TRUE(stats->failed == 1 && stats->written == 0);
    CU_ASSERT_EQUAL(count_files(folder), 0);
    fraud_snapshots_free(r.snapshots);
    o.limit_us = LONG_US;
    R1_ASSERT_OK(fraud_snapshots_new(&r.snapshots, &o, &err), &err);
    stats = fraud_snapshots_read(r.snapshots);
    char lock[512];
    snprintf(lock, sizeof lock, "%s/lock", folder);
    unlink(lock);
    CU_ASSERT_EQUAL(rmdir(folder), 0);
    tick_until(&r, &log, 300, &next);
    CU_ASSERT_TRUE(stats->failed == 1 && stats->written == 0);
    rig_close(&r);
}

static void test_forget_world(void) { free(world); }

R1_TEST_MAIN("snapshot", {"world", snapshot_make_world},
             {"a loaded engine goes on as the saved one", test_loaded_engine_goes_on},
             {"every byte changed", test_every_byte}, {"other engines", test_other_engines},
             {"fallback and keep", test_fallback_and_keep}, {"lock", test_lock},
             {"beside the stream", test_beside_the_stream},
             {"failures beside the stream", test_failures_beside_the_stream},
             {"end", test_forget_world})
