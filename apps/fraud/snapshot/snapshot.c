/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snapshot.c - see snapshot.h for the drawing and the invariants. The upper half of this file runs
 * in the child too, and holds to (3). */
#include "snapshot/snapshot.h"

#include "r1_assert.h"
#include "snapshot/snap_file.h"
#include "snapshot/snapshot_folder.h"
#include "text/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG_VERSION = 1, LOOK_EVERY_US = 20000, OPEN_NAME_BYTES = SNAPSHOT_NAME_BYTES + 16 };

typedef enum { SNAP_IDLE = 0, SNAP_WRITES, SNAP_WRITTEN, SNAP_NAMED, SNAP_FAILED } snap_phase;

typedef struct {      /* what the child says; in memory that both see */
    atomic_int phase; /* snap_phase */
    int error;        /* errno of SNAP_FAILED */
    uint64_t bytes;
} child_report;

struct fraud_snapshots {
    fraud_snapshots_opts o;
    fraud_snapshots_stats stats;
    int folder, lock, go; /* go: the parent's end of the sockets that say "committed" */
    fraud_snap_writer *writer;
    child_report *report;
    /* the file under way */
    fraud_snapshot_log log;
    char name[SNAPSHOT_NAME_BYTES], open_name[OPEN_NAME_BYTES];
    size_t n_old;
    char old[SNAPSHOT_FILES_MAX][SNAPSHOT_NAME_BYTES]; /* to remove once it has its name */
    pid_t child;                                       /* 0: none */
    bool told;
    int64_t began_us, look_us, next_us;
    /* files that the start refused */
    size_t n_refused;
    char refused[SNAPSHOT_FILES_MAX][SNAPSHOT_NAME_BYTES];
};

/* ---- one file: in the child, or in the caller ------------------------------------------------ */

static r1_status write_sections(fraud_snapshots *s, int fd)
{
    r1_image_out *out = fraud_snap_writer_begin(s->writer, fd, s->log.apply_seq);
    R1_TRY(out->section(out, "log", LOG_VERSION, NULL));
    R1_TRY(out->put(out, &s->log, sizeof s->log, NULL));
    for (size_t i = 0; i < s->o.n_part; i++) R1_TRY(s->o.part[i].save(s->o.part[i].ctx, out, NULL));
    return fraud_snap_writer_end(s->writer);
}

static void report_failure(fraud_snapshots *s, int error)
{
    s->report->error = error ? error : EIO;
    atomic_store(&s->report->phase, SNAP_FAILED);
    unlinkat(s->folder, s->open_name, 0);
}

static void write_file(fraud_snapshots *s)
{
    int fd = openat(s->folder, s->open_name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd < 0) {
        report_failure(s, errno);
        return;
    }
    r1_status st = write_sections(s, fd);
    int error = fraud_snap_writer_errno(s->writer);
    if (close(fd) && st == R1_OK) st = R1_E_IO, error = errno;
    if (st != R1_OK) {
        report_failure(s, error);
        return;
    }
    s->report->bytes = fraud_snap_writer_bytes(s->writer);
    atomic_store(&s->report->phase, SNAP_WRITTEN);
}

static void name_file(fraud_snapshots *s)
{
    if (renameat(s->folder, s->open_name, s->folder, s->name) || fsync(s->folder)) {
        report_failure(s, errno);
        return;
    }
    for (size_t i = 0; i < s->n_old; i++) unlinkat(s->folder, s->old[i], 0);
    atomic_store(&s->report->phase, SNAP_NAMED);
}

/* ---- the child ------------------------------------------------------------------------------- */

/* Closes all files but two: a socket of the parent must not outlive it here. */
static void close_others(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    if (low > 3) syscall(SYS_close_range, 3u, low - 1, 0u);
    if (high > low + 1) syscall(SYS_close_range, low + 1, high - 1, 0u);
    syscall(SYS_close_range, high + 1, ~0u, 0u);
}

/* Behind everybody for processor and disk, before everybody where memory is short. */
static void step_back(void)
{
    enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_IDLE = 3 << 13, NICEST = 19 };
    setpriority(PRIO_PROCESS, 0, NICEST);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = write(fd, "1000", 4);
    (void)n; /* where it is refused, the kernel chooses as it would have */
    close(fd);
}

static void child_main(fraud_snapshots *s, int wait_fd, pid_t parent)
{
    char go = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1); /* it died before the line above */
    signal(SIGXFSZ, SIG_IGN);          /* a limit of file sizes is an error like a full disk */
    close_others(s->folder, wait_fd);
    step_back();
    write_file(s);
    if (atomic_load(&s->report->phase) != SNAP_WRITTEN) _exit(1);
    while (read(wait_fd, &go, 1) < 0 && errno == EINTR) {
    }
    if (go == 'c')
        name_file(s);
    else
        unlinkat(s->folder, s->open_name, 0);
    _exit(atomic_load(&s->report->phase) == SNAP_NAMED ? 0 : 1);
}

/* ---- the parent: begin ----------------------------------------------------------------------- */

static bool was_refused(const fraud_snapshots *s, const char *name)
{
    for (size_t i = 0; i < s->n_refused; i++)
        if (!strcmp(s->refused[i], name)) return true;
    return false;
}

/* What goes once the new file has its name: refused ones, and all but the newest. */
static r1_status choose_old(fraud_snapshots *s, r1_err *err)
{
    snapshot_list *list = malloc(sizeof *list);
    if (!list) R1_FAIL(err, R1_E_NOMEM, "no memory for a list of snapshots");
    r1_status st = snapshot_folder_list(s->folder, list, err);
    uint32_t stay = 1; /* the new one */
    s->n_old = 0;
    for (size_t i = 0; i < list->n && st == R1_OK; i++) {
        const snapshot_name *file = &list->file[i];
        if (file->apply_seq == s->log.apply_seq) continue; /* the rename replaces it */
        bool good = file->apply_seq < s->log.apply_seq && !was_refused(s, file->name);
        if (good && stay++ < s->o.keep) continue;
        memcpy(s->old[s->n_old++], file->name, SNAPSHOT_NAME_BYTES);
    }
    free(list);
    return st;
}

static r1_status prepare_file(fraud_snapshots *s, const fraud_snapshot_log *log, r1_err *err)
{
    s->log = *log;
    snapshot_name_of(log->apply_seq, s->name);
    snprintf(s->open_name, sizeof s->open_name, "%s.writing", s->name);
    s->began_us = r1_mono_us();
    s->report->error = 0;
    s->report->bytes = 0;
    atomic_store(&s->report->phase, SNAP_WRITES);
    R1_TRY(choose_old(s, err));
    for (size_t i = 0; i < s->o.n_part; i++)
        if (s->o.part[i].settle) R1_TRY(s->o.part[i].settle(s->o.part[i].ctx, err));
    return R1_OK;
}

static r1_status fork_child(fraud_snapshots *s, r1_err *err)
{
    int pair[2];
    pid_t self = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        R1_FAIL(err, R1_E_IO, "no sockets to a child: %s", strerror(errno));
    int64_t before = r1_mono_us();
    pid_t pid = fork();
    if (pid == 0) child_main(s, pair[0], self);
    int why = errno;
    s->stats.fork_us = r1_mono_us() - before;
    if (s->stats.fork_us > s->stats.fork_us_max) s->stats.fork_us_max = s->stats.fork_us;
    close(pair[0]);
    if (pid < 0) {
        close(pair[1]);
        R1_FAIL(err, R1_E_IO, "no child process: %s", strerror(why));
    }
    s->go = pair[1];
    s->child = pid;
    s->told = false;
    return R1_OK;
}

static void snapshot_failed(fraud_snapshots *s, const char *why)
{
    s->stats.failed++;
    atomic_store(&s->report->phase, SNAP_IDLE);
    s->next_us = r1_mono_us() + s->o.every_us;
    r1_log(R1_LOG_ERROR, "snapshot_failed", "file=%s next_try_s=%lld error=\"%s\"", s->name,
           (long long)(s->o.every_us / 1000000), r1_log_quote(why).text);
}

/* The folder is another process's. Of several that share one, each looks again in its own time. */
static void snapshot_left(fraud_snapshots *s)
{
    if (!s->o.shared) {
        snapshot_failed(s, "another process writes into this folder");
        return;
    }
    s->next_us = r1_mono_us() + s->o.every_us;
    r1_log(R1_LOG_INFO, "snapshot_left", "to=\"another process, which writes into this folder\"");
}

static void snapshot_begin(fraud_snapshots *s, const fraud_snapshot_log *log)
{
    r1_err err = {0};
    r1_status st = prepare_file(s, log, &err);
    if (st == R1_OK && !s->o.in_caller) st = fork_child(s, &err);
    if (st != R1_OK) {
        snapshot_failed(s, err.msg);
        return;
    }
    if (s->o.in_caller) write_file(s);
}

/* ---- the parent: watch ----------------------------------------------------------------------- */

static void snapshot_named(fraud_snapshots *s)
{
    fraud_snapshots_stats *stats = &s->stats;
    stats->written++;
    stats->bytes = s->report->bytes;
    stats->seconds = (double)(r1_mono_us() - s->began_us) * 1e-6;
    stats->newest_at_us = r1_time_us();
    stats->apply_seq = s->log.apply_seq;
    s->n_refused = 0; /* they are gone */
    s->next_us = s->began_us + s->o.every_us;
    atomic_store(&s->report->phase, SNAP_IDLE);
    r1_log(R1_LOG_INFO, "snapshot", "file=%s bytes=%llu seconds=%.1f fork_us=%lld", s->name,
           (unsigned long long)stats->bytes, stats->seconds, (long long)stats->fork_us);
}

static void reported_failure(fraud_snapshots *s)
{
    char why[160];
    int error = s->report->error;
    snprintf(why, sizeof why, "%s", error ? strerror(error) : "the child ended without a word");
    snapshot_failed(s, why);
}

/* The child is gone: what it left, and what it said. */
static void child_ended(fraud_snapshots *s, int status)
{
    char why[64];
    close(s->go);
    s->go = -1;
    s->child = 0;
    if (atomic_load(&s->report->phase) == SNAP_NAMED) {
        snapshot_named(s);
        return;
    }
    unlinkat(s->folder, s->open_name, 0);
    if (!WIFSIGNALED(status)) {
        reported_failure(s);
        return;
    }
    snprintf(why, sizeof why, "the child was killed by signal %d", WTERMSIG(status));
    snapshot_failed(s, why);
}

static void end_child(fraud_snapshots *s, const char *why)
{
    int status = 0;
    kill(s->child, SIGKILL);
    while (waitpid(s->child, &status, 0) < 0 && errno == EINTR) {
    }
    if (atomic_load(&s->report->phase) == SNAP_NAMED) {
        child_ended(s, status);
        return;
    }
    close(s->go);
    s->go = -1;
    s->child = 0;
    unlinkat(s->folder, s->open_name, 0);
    if (why) snapshot_failed(s, why);
    atomic_store(&s->report->phase, SNAP_IDLE);
}

static void watch_child(fraud_snapshots *s, int64_t now, int64_t committed_seq)
{
    int status = 0;
    if (now < s->look_us) return;
    s->look_us = now + LOOK_EVERY_US;
    bool written = atomic_load(&s->report->phase) == SNAP_WRITTEN;
    if (written && !s->told && committed_seq >= s->log.apply_seq)
        s->told = send(s->go, "c", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
    pid_t pid = waitpid(s->child, &status, WNOHANG);
    if (pid == s->child || (pid < 0 && errno == ECHILD))
        child_ended(s, status);
    else if (now - s->began_us > s->o.limit_us)
        end_child(s, written ? "the log did not come as far before the time limit"
                             : "it took longer than the time limit");
}

static void watch_caller(fraud_snapshots *s, int64_t committed_seq)
{
    if (atomic_load(&s->report->phase) == SNAP_WRITTEN && committed_seq >= s->log.apply_seq)
        name_file(s);
    if (atomic_load(&s->report->phase) == SNAP_NAMED)
        snapshot_named(s);
    else if (atomic_load(&s->report->phase) == SNAP_FAILED)
        reported_failure(s);
}

/* One process at a time writes; whoever finds the lock taken asks again next time. */
static bool have_lock(fraud_snapshots *s)
{
    if (s->lock >= 0) return true;
    s->lock = snapshot_folder_lock(s->folder);
    if (s->lock < 0) return false;
    snapshot_folder_clean(s->folder);
    return true;
}

bool fraud_snapshots_due(const fraud_snapshots *s, int64_t apply_seq)
{
    return atomic_load(&s->report->phase) == SNAP_IDLE && apply_seq > s->stats.apply_seq &&
           r1_mono_us() >= s->next_us;
}

void fraud_snapshots_tick(fraud_snapshots *s, const fraud_snapshot_log *log, int64_t committed_seq)
{
    if (s->child) {
        watch_child(s, r1_mono_us(), committed_seq);
    } else if (atomic_load(&s->report->phase) != SNAP_IDLE) {
        watch_caller(s, committed_seq);
    } else if (log && fraud_snapshots_due(s, log->apply_seq)) {
        snapshot_name_of(log->apply_seq, s->name);
        if (have_lock(s))
            snapshot_begin(s, log);
        else
            snapshot_left(s);
    }
}

r1_status fraud_snapshots_last(fraud_snapshots *s, const fraud_snapshot_log *log, r1_err *err)
{
    if (s->child) end_child(s, NULL);
    if (log->apply_seq <= s->stats.apply_seq) return R1_OK;
    snapshot_name_of(log->apply_seq, s->name);
    if (!have_lock(s) && s->o.shared) return snapshot_left(s), R1_OK;
    if (!have_lock(s)) R1_FAIL(err, R1_E_AGAIN, "another process writes into this folder");
    uint64_t failed = s->stats.failed;
    R1_TRY(prepare_file(s, log, err));
    write_file(s);
    watch_caller(s, log->apply_seq);
    if (s->stats.failed != failed)
        R1_FAIL(err, R1_E_IO, "snapshot %s: %s", s->name, strerror(s->report->error));
    return R1_OK;
}

/* ---- start ----------------------------------------------------------------------------------- */

static r1_status snapshots_check_opts(const fraud_snapshots_opts *o, r1_err *err)
{
    if (o->keep < 2 || o->keep > FRAUD_SNAPSHOT_KEEP_MAX)
        R1_FAIL(err, R1_E_INVAL, "snapshot-keep: expected 2..%d, found %u", FRAUD_SNAPSHOT_KEEP_MAX,
                o->keep);
    return R1_OK;
}

r1_status fraud_snapshots_new(fraud_snapshots **out, const fraud_snapshots_opts *opts, r1_err *err)
{
    *out = NULL;
    R1_TRY(snapshots_check_opts(opts, err));
    fraud_snapshots *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for snapshots");
    s->o = *opts;
    s->folder = s->lock = s->go = -1;
    s->report =
        mmap(NULL, sizeof *s->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    r1_status st = R1_OK;
    if (s->report == MAP_FAILED) {
        s->report = NULL;
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for snapshots");
    }
    if (st == R1_OK) st = snapshot_folder_open(opts->folder, &s->folder, err);
    if (st == R1_OK) st = fraud_snap_writer_new(&s->writer, err);
    if (st != R1_OK) {
        fraud_snapshots_free(s);
        return st;
    }
    (void)have_lock(s);
    s->next_us = r1_mono_us() + s->o.every_us;
    s->stats.newest_at_us = r1_time_us();
    *out = s;
    return R1_OK;
}

void fraud_snapshots_free(fraud_snapshots *s)
{
    if (!s) return;
    if (s->child) end_child(s, NULL);
    if (s->report && atomic_load(&s->report->phase) == SNAP_WRITTEN)
        unlinkat(s->folder, s->open_name, 0);
    fraud_snap_writer_free(s->writer);
    if (s->report) munmap(s->report, sizeof *s->report);
    if (s->lock >= 0) close(s->lock);
    if (s->folder >= 0) close(s->folder);
    free(s);
}

const fraud_snapshots_stats *fraud_snapshots_read(const fraud_snapshots *s) { return &s->stats; }

/* ---- loading --------------------------------------------------------------------------------- */

static bool has_end(const char *text, size_t bytes) { return memchr(text, 0, bytes) != NULL; }

static r1_status read_log(fraud_snap_reader *r, fraud_snapshot_log *log, r1_err *err)
{
    r1_image_in *in = fraud_snap_reader_in(r);
    R1_TRY(in->section(in, "log", LOG_VERSION, err));
    R1_TRY(in->get(in, log, sizeof *log, err));
    if (log->apply_seq < 0 || log->apply_seq != fraud_snap_reader_seq(r) ||
        !has_end(log->topic, sizeof log->topic) || !has_end(log->tx_id, sizeof log->tx_id) ||
        !has_end(log->log_id, sizeof log->log_id) || !has_end(log->stream, sizeof log->stream))
        R1_FAIL(err, R1_E_FORMAT, "log: expected the last row of a log, found other bytes");
    return R1_OK;
}

static r1_status load_parts(const fraud_snapshots *s, fraud_snap_reader *r, r1_err *err)
{
    for (size_t i = 0; i < s->o.n_part; i++) {
        const fraud_snapshot_part *part = &s->o.part[i];
        const char *next = fraud_snap_reader_next(r);
        if (part->optional && (!next || strcmp(next, part->name) != 0)) continue;
        R1_TRY(part->load(part->ctx, fraud_snap_reader_in(r), err));
    }
    return fraud_snap_reader_done(r, err);
}

static r1_status load_file(fraud_snapshots *s, const char *path, fraud_snapshot_judge *judge,
                           void *ctx, fraud_snapshot_log *log, r1_err *err)
{
    fraud_snap_reader *r;
    R1_TRY(fraud_snap_reader_open(&r, path, s->o.n_thread, err));
    s->stats.bytes = fraud_snap_reader_bytes(r);
    r1_status st = read_log(r, log, err);
    if (st == R1_OK) st = judge(ctx, log, err);
    if (st == R1_OK) {
        st = load_parts(s, r, err);
        for (size_t i = 0; i < s->o.n_part && st != R1_OK; i++) {
            r1_err late = {0};
            r1_status empty = s->o.part[i].empty(s->o.part[i].ctx, &late);
            if (empty == R1_OK) continue;
            *err = late;
            st = empty;
            err->fatal = true;
            break;
        }
    }
    fraud_snap_reader_close(r);
    return st;
}

static void refuse_file(fraud_snapshots *s, const char *name, const r1_err *err)
{
    fprintf(stderr, "r1-fraud serve: snapshot %s refused: %s\n", name, err->msg);
    r1_log(R1_LOG_WARN, "snapshot_refused", "file=%s error=\"%s\"", name,
           r1_log_quote(err->msg).text);
    memcpy(s->refused[s->n_refused++], name, SNAPSHOT_NAME_BYTES);
    s->stats.refused++;
}

/* What another file may be better in. */
static bool next_file_helps(r1_status st, const r1_err *err)
{
    return !err->fatal && (st == R1_E_FORMAT || st == R1_E_IO || st == R1_E_NOT_FOUND);
}

static void note_age(fraud_snapshots *s, const char *name)
{
    struct stat info;
    if (!fstatat(s->folder, name, &info, 0))
        s->stats.newest_at_us = (int64_t)info.st_mtim.tv_sec * 1000000;
}

static r1_status load_newest(fraud_snapshots *s, const snapshot_list *list,
                             fraud_snapshot_judge *judge, void *ctx, fraud_snapshot_log *log,
                             r1_err *err)
{
    char path[4096];
    for (size_t i = 0; i < list->n; i++) {
        const snapshot_name *file = &list->file[i];
        r1_err why = {0};
        snprintf(path, sizeof path, "%s/%s", s->o.folder, file->name);
        r1_status st = load_file(s, path, judge, ctx, log, &why);
        if (st == R1_OK) {
            snprintf(s->stats.loaded, sizeof s->stats.loaded, "%s", file->name);
            s->stats.apply_seq = log->apply_seq;
            note_age(s, file->name);
            return R1_OK;
        }
        *err = why;
        if (!next_file_helps(st, &why)) return st;
        refuse_file(s, file->name, &why);
    }
    *log = (fraud_snapshot_log){0};
    s->stats.bytes = 0;
    return R1_OK;
}

r1_status fraud_snapshots_load(fraud_snapshots *s, fraud_snapshot_judge *judge, void *ctx,
                               fraud_snapshot_log *log, r1_err *err)
{
    *log = (fraud_snapshot_log){0};
    snapshot_list *list = malloc(sizeof *list);
    if (!list) R1_FAIL(err, R1_E_NOMEM, "no memory for a list of snapshots");
    r1_status st = snapshot_folder_list(s->folder, list, err);
    if (st == R1_OK) st = load_newest(s, list, judge, ctx, log, err);
    free(list);
    return st;
}
