/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_service.c - one run of `r1-fraud serve` as a service of the world: its settings, what is
 * looked at from inside, planted faults, and the child that writes its snapshots. */
#define _GNU_SOURCE
#include "serve/rebuild.h"
#include "serve/server.h"
#include "serve/settings.h"
#include "sim.h"
#include "sim_twin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SNAPSHOT_SEEN_US = 60000, FULL_BYTES = 2000, QUEUE_RECORDS = 512 };

bool __real_r1_cli_stopped(void);
bool __wrap_r1_cli_stopped(void);
r1_status __real_fraud_serve_restore(server *s, r1_err *err);
r1_status __wrap_fraud_serve_restore(server *s, r1_err *err);
void __real_fraud_serve_snapshot_last(server *s);
void __wrap_fraud_serve_snapshot_last(server *s);
r1_status __real_fraud_rebuild(r1_store *s, fraud_engine *engine, fraud_txset *seen,
                               int64_t after_seq, int64_t upto, fraud_rebuilt *out, r1_err *err);
r1_status __wrap_fraud_rebuild(r1_store *s, fraud_engine *engine, fraud_txset *seen,
                               int64_t after_seq, int64_t upto, fraud_rebuilt *out, r1_err *err);
r1_status __real_fraud_ledger_landed(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                                     int32_t partition, int64_t next, bool *done, r1_err *err);
r1_status __wrap_fraud_ledger_landed(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                                     int32_t partition, int64_t next, bool *done, r1_err *err);
void __real_r1_merge_put(r1_merge *m, uint32_t source, const r1_merge_key *key, int64_t stamp_ms,
                         int64_t now_ms, void *item);
void __wrap_r1_merge_put(r1_merge *m, uint32_t source, const r1_merge_key *key, int64_t stamp_ms,
                         int64_t now_ms, void *item);
r1_merge_state __real_r1_merge_next(r1_merge *m, int64_t now_ms, int64_t mono_ms, uint32_t *source,
                                    void **item, int64_t *until_ms);
r1_merge_state __wrap_r1_merge_next(r1_merge *m, int64_t now_ms, int64_t mono_ms, uint32_t *source,
                                    void **item, int64_t *until_ms);
r1_status __real_fraud_queue_new(fraud_queue **out, size_t capacity, r1_err *err);
r1_status __wrap_fraud_queue_new(fraud_queue **out, size_t capacity, r1_err *err);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __real_waitpid(pid_t pid, int *status, int flags);
pid_t __wrap_waitpid(pid_t pid, int *status, int flags);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __real_read(int fd, void *data, size_t len);
ssize_t __wrap_read(int fd, void *data, size_t len);
void __real__exit(int code) __attribute__((noreturn));
void __wrap__exit(int code) __attribute__((noreturn));

/* ---- what is looked at ---- */

typedef struct {
    r1_image_out out; /* first */
    uint64_t hash;
} hashing;

static r1_status hash_section(r1_image_out *out, const char *name, uint32_t version, r1_err *err)
{
    (void)err;
    hashing *h = (hashing *)out;
    h->hash = r1_hash64(name, strlen(name), h->hash + version);
    return R1_OK;
}

static r1_status hash_put(void *out, const void *data, size_t bytes, r1_err *err)
{
    (void)err;
    hashing *h = out;
    if (bytes) h->hash = r1_hash64(data, bytes, h->hash);
    return R1_OK;
}

static uint64_t seen_digest(const fraud_txset *seen)
{
    hashing h = {.out = {.section = hash_section, .put = hash_put}};
    fraud_txset_save(seen, &h.out, NULL);
    return h.hash;
}

/* The state that a reading of the whole log gives, beside the one that came from a snapshot. */
static r1_status restore_twice(server *s, r1_err *err)
{
    fraud_parts twin = {0};
    fraud_rebuilt rebuilt;
    R1_TRY(fraud_parts_engine(&twin, s->o, err));
    r1_status st = fraud_txset_new(&twin.seen, (size_t)r1_options_int(s->o, "seen-ids"), err);
    if (st == R1_OK)
        st = __real_fraud_rebuild(s->store, twin.engine, twin.seen, 0, INT64_MAX, &rebuilt, err);
    if (st == R1_OK && (rebuilt.last_seq != s->rebuilt.last_seq ||
                        fraud_engine_digest(twin.engine) != fraud_engine_digest(s->parts.engine)))
        sim_fault("the state of a snapshot (to %lld) and the log's tail (to %lld) is not that of "
                  "the whole log (to %lld)",
                  (long long)s->rebuilt.after_seq, (long long)s->rebuilt.last_seq,
                  (long long)rebuilt.last_seq);
    fraud_parts_release(&twin);
    return st;
}

static uint64_t pace_digest(fraud_pace *p)
{
    size_t bytes;
    const void *block = fraud_pace_block(p, &bytes);
    return r1_hash64(block, bytes, 1);
}

static const sim_serve_opts *serve_opts;

r1_status __wrap_fraud_serve_restore(server *s, r1_err *err)
{
    r1_status st = __real_fraud_serve_restore(s, err);
    if (st != R1_OK) return st;
    sim_me()->restored_seq = s->rebuilt.last_seq;
    sim_say("restored to %lld, of it %lld from a snapshot, digest %016llx",
            (long long)s->rebuilt.last_seq, (long long)s->rebuilt.after_seq,
            (unsigned long long)fraud_engine_digest(s->parts.engine));
    if (serve_opts->check_restore && s->rebuilt.after_seq) st = restore_twice(s, err);
    if (st == R1_OK && serve_opts->bare) st = sim_twin_decides(s, err);
    if (serve_opts->probe) sim_me()->stopping = true;
    return st;
}

void __wrap_fraud_serve_snapshot_last(server *s)
{
    sim_service *me = sim_me();
    __real_fraud_serve_snapshot_last(s);
    if (!s->orderly || (!s->share && s->ledger.last_seq != s->last_seq)) return;
    me->digest = fraud_engine_digest(s->parts.engine);
    me->digest_seen = seen_digest(s->parts.seen);
    me->digest_pace = pace_digest(s->parts.pace);
    me->digest_seq = s->last_seq;
    sim_say("ends at %lld, digest %016llx", (long long)s->last_seq, (unsigned long long)me->digest);
}

/* Messages that wait in a merge, with their keys. */
static struct {
    const r1_merge *m;
    const void *item;
    r1_merge_key key;
} waiting[1024];
static size_t n_waiting;

/* The service counts a message as late that comes after one of a later millisecond. One that comes
 * after one of another source and the same millisecond is late as well, and counted here. */
static bool late_in_its_ms(const r1_merge *m, uint32_t source, const void *item)
{
    static const r1_merge *last_of;
    static uint32_t last_source;
    static r1_merge_key last;
    r1_merge_key key = last;
    for (size_t i = 0; i < n_waiting; i++)
        if (waiting[i].m == m && waiting[i].item == item) {
            key = waiting[i].key;
            waiting[i] = waiting[--n_waiting];
            break;
        }
    bool late = m == last_of && source != last_source && key.ms == last.ms &&
                (key.rank != last.rank ? key.rank < last.rank
                 : key.us != last.us   ? key.us < last.us
                                       : key.tie < last.tie);
    last_of = m;
    last_source = source;
    last = key;
    return late;
}

r1_merge_state __wrap_r1_merge_next(r1_merge *m, int64_t now_ms, int64_t mono_ms, uint32_t *source,
                                    void **item, int64_t *until_ms)
{
    r1_merge_state state = __real_r1_merge_next(m, now_ms, mono_ms, source, item, until_ms);
    if (sim_inside() && state == R1_MERGE_READY) {
        r1_merge_stats n = r1_merge_counts(m);
        sim_me()->ties += late_in_its_ms(m, *source, *item);
        sim_me()->late = n.late + n.behind + sim_me()->ties;
        sim_say("takes from source %u, late %llu", *source, (unsigned long long)n.late);
    }
    return state;
}

/* As many records as a seed has messages: a start then costs less. */
r1_status __wrap_fraud_queue_new(fraud_queue **out, size_t capacity, r1_err *err)
{
    return __real_fraud_queue_new(out, capacity < QUEUE_RECORDS ? capacity : QUEUE_RECORDS, err);
}

bool __wrap_r1_cli_stopped(void)
{
    return sim_inside() ? sim_me()->stopping : __real_r1_cli_stopped();
}

/* ---- what is planted ---- */

void __wrap_r1_merge_put(r1_merge *m, uint32_t source, const r1_merge_key *key, int64_t stamp_ms,
                         int64_t now_ms, void *item)
{
    static int64_t arrived;
    r1_merge_key mine = *key;
    if (sim->plant == SIM_PLANT_MERGE) mine.ms = ++arrived;
    if (sim_inside() && n_waiting < R1_COUNT(waiting)) {
        waiting[n_waiting].m = m;
        waiting[n_waiting].item = item;
        waiting[n_waiting++].key = mine;
    }
    __real_r1_merge_put(m, source, &mine, stamp_ms, now_ms, item);
}

r1_status __wrap_fraud_rebuild(r1_store *s, fraud_engine *engine, fraud_txset *seen,
                               int64_t after_seq, int64_t upto, fraud_rebuilt *out, r1_err *err)
{
    if (sim->plant == SIM_PLANT_SNAPSHOT && after_seq) after_seq++;
    return __real_fraud_rebuild(s, engine, seen, after_seq, upto, out, err);
}

/* Who recovers from a broken connection looks at an offset too. */
r1_status __wrap_fraud_ledger_landed(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                                     int32_t partition, int64_t next, bool *done, r1_err *err)
{
    r1_status st = __real_fraud_ledger_landed(l, s, topic, partition, next, done, err);
    bool lost = st == R1_E_FENCED && strstr(err->msg, "has lost commits");
    if (!lost || sim->plant != SIM_PLANT_LOSS) return st;
    *done = false;
    r1_err_clear(err);
    return R1_OK;
}

/* ---- the child that writes a snapshot ----
 *
 * It is no thread of the world: it writes while its parent waits, in no time. What its parent sees
 * of it, and when, is the world's. */

static bool in_child;

pid_t __wrap_fork(void)
{
    if (!sim_inside()) return __real_fork();
    sim_service *me = sim_me();
    bool full = sim_chance(sim->fault.snapshot_bad);
    sim->snapshot_waits = false;
    pid_t pid = __real_fork();
    if (pid < 0) return pid;
    if (!pid) {
        in_child = true;
        sim_leave();
        struct rlimit limit = {FULL_BYTES, FULL_BYTES};
        if (full) setrlimit(RLIMIT_FSIZE, &limit);
        return 0;
    }
    while (sem_wait(&sim->snapshot_said) < 0 && errno == EINTR) {
    }
    me->snapshot_pid = pid;
    me->snapshot_ended = !sim->snapshot_waits;
    me->snapshot_us = sim->now_us + (int64_t)sim_below(SNAPSHOT_SEEN_US);
    sim_say("a snapshot is %s", sim->snapshot_waits ? "written" : "not written: the disk is full");
    return pid;
}

static void child_says(bool waits)
{
    static bool said;
    if (said) return;
    said = true;
    sim->snapshot_waits = waits;
    sem_post(&sim->snapshot_said);
}

ssize_t __wrap_read(int fd, void *data, size_t len)
{
    if (in_child) child_says(true);
    return __real_read(fd, data, len);
}

/* A service that was asked to stop ends in the middle where its end takes too long, as after it
 * stood still itself. Otherwise nothing of it may call this. */
void __wrap__exit(int code)
{
    if (in_child) child_says(false);
    if (!in_child && sim_inside() && sim_me()->stopping) {
        sim_say("ends without waiting any longer");
        sim_end_service(code);
    }
    __real__exit(code);
}

/* The word that the log has come as far: the file gets its name now, and is seen later. */
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    ssize_t n = __real_send(fd, data, len, flags);
    if (!sim_inside() || !sim_me()->snapshot_pid) return n;
    siginfo_t info;
    sim_service *me = sim_me();
    while (waitid(P_PID, (id_t)me->snapshot_pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    me->snapshot_ended = true;
    me->snapshot_us = sim->now_us + (int64_t)sim_below(SNAPSHOT_SEEN_US);
    return n;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int flags)
{
    if (!sim_inside() || sim_self_service() == 0) return __real_waitpid(pid, status, flags);
    sim_service *me = sim_me();
    if ((flags & WNOHANG) && (!me->snapshot_ended || sim->now_us < me->snapshot_us)) return 0;
    pid_t got = __real_waitpid(pid, status, flags & ~WNOHANG);
    if (got == pid) me->snapshot_pid = 0;
    return got;
}

/* ---- the run ---- */

static void redirect(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0) abort();
    dup2(fd, STDERR_FILENO);
    if (!sim->traced) dup2(fd, STDOUT_FILENO);
    close(fd);
}

static int run_command(const r1_command *command, const char *const *args, size_t n)
{
    const r1_program program = {
        .name = "r1-fraud", .summary = "fraud", .commands = command, .n_commands = 1};
    char *argv[64];
    for (size_t i = 0; i < n; i++) argv[i] = strdup(args[i]);
    argv[n] = NULL;
    return r1_cli_main(&program, (int)n, argv);
}

static int run_offsets(const sim_serve_opts *o, const char *what, const char *option,
                       const char *value)
{
    const char *args[] = {"r1-fraud",    "offsets",    what,        option,
                          value,         "--postgres", o->conninfo, "--brokers",
                          "127.0.0.1:1", "--why",      "made anew"};
    const r1_command command = {.name = "offsets",
                                .summary = "offsets",
                                .operands = "[show | reset | unshare]",
                                .operands_max = 1,
                                .options = fraud_offsets_rows,
                                .n_options = fraud_offsets_n_row,
                                .run = fraud_command_offsets};
    redirect(o->log_path);
    return run_command(&command, args, R1_COUNT(args));
}

int sim_reset(void *ctx) { return run_offsets(ctx, "reset", "--to", "beginning"); }
int sim_unshare(void *ctx) { return run_offsets(ctx, "unshare", "--topic", "payments"); }

int sim_serve(void *ctx)
{
    const sim_serve_opts *o = serve_opts = ctx;
    char rows[16], every[16], alerts[16];
    snprintf(rows, sizeof rows, "%d", o->batch_rows);
    snprintf(every, sizeof every, "%d", o->snapshot_every_s);
    snprintf(alerts, sizeof alerts, "%d", o->alerts_per_day);
    const char *args[] = {"r1-fraud",
                          "serve",
                          "--postgres",
                          o->conninfo,
                          "--brokers",
                          "127.0.0.1:1",
                          "--migrations",
                          o->migrations,
                          "--model",
                          o->model,
                          "--http-listen",
                          o->port && !o->probe ? "127.0.0.1:1" : "",
                          "--labels-topic",
                          "labels",
                          "--decisions-topic",
                          "decisions",
                          "--dead-topic",
                          "dead",
                          "--accounts",
                          "256",
                          "--edges",
                          "1024",
                          "--pairs",
                          "512",
                          "--seen-ids",
                          "1000",
                          "--memory-accounts",
                          "64",
                          "--labels-waiting",
                          "100",
                          "--topics-refresh",
                          "2",
                          "--wait",
                          "120",
                          "--batch-rows",
                          rows,
                          "--alerts-per-day",
                          alerts,
                          "--snapshot-every",
                          every,
                          "--snapshot-keep",
                          "2"};
    const r1_command command = {.name = "serve",
                                .summary = "serve",
                                .options = fraud_serve_rows,
                                .n_options = fraud_serve_n_row,
                                .config = true,
                                .run = fraud_command_serve};
    const char *all[64];
    size_t n = R1_COUNT(args);
    memcpy(all, args, sizeof args);
    if (o->rules) all[n++] = "--rules", all[n++] = o->rules;
    if (!o->bare) all[n++] = "--snapshot-dir", all[n++] = o->folder;
    if (o->shared) all[n++] = "--events-topic", all[n++] = "events";
    if (o->shared) all[n++] = "--group-session", all[n++] = "1500";
    redirect(o->log_path);
    return run_command(&command, all, n);
}
