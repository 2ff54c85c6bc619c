/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_plan.c - the director: what happens in a seed, and when; and the checks at its end. */
#include "sim_plan.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 8,
    LOOK_US = 500000, /* between two looks at how far the log is */
    REST_US = 300000000,
    STOP_US = 60000000,
    FAILURES_MAX = 30
};

typedef enum {
    DO_KILL = 0,
    DO_STOP,
    DO_TAKE_OVER,
    DO_SKEW,
    DO_STALL,
    DO_STANDBY, /* what is committed from now on is lost at DO_PROMOTE */
    DO_PROMOTE
} event_kind;

typedef struct {
    int64_t at_us;
    event_kind kind;
} event;

typedef struct {
    const sim_run *run;
    sim_stream stream;
    sim_serve_opts serve;
    event event[EVENTS_MAX + 2];
    int n_event;
    bool clocks; /* machines whose clocks differ */
    int owner;   /* the newest service; 0: none yet */
    int failures;
} director;

/* ---- drawing ---- */

static int64_t between(int64_t a, int64_t b)
{
    return a + (int64_t)sim_below((uint64_t)(b - a + 1));
}

static bool one_in(uint64_t n) { return sim_below(n) == 0; }

static void draw_window(int64_t *from, int64_t *to, const director *d, int64_t longest)
{
    *from = between(SIM_BEGIN_US, d->stream.end_us);
    *to = *from + between(1000, longest);
}

/* By the seed itself: what else is drawn stays as it is. */
static void choose_fatal(const director *d)
{
    enum { OF = 4, MOST = 100, TIMES = 8 };
    uint64_t h = r1_hash64(&d->run->seed, sizeof d->run->seed, 4);
    if (h % OF != 0) return;
    sim->fault.fatal_after = 1 + (uint32_t)(h / OF % MOST);
    sim->fault.fatal_times = 1 + (uint32_t)(h / OF / MOST % TIMES);
}

static void draw_faults(director *d)
{
    sim_faults *f = &sim->fault;
    f->until_us = d->stream.end_us + 3000000;
    if (one_in(3)) f->refuse = (uint32_t)between(5, 40);
    if (one_in(3)) f->cut_before = (uint32_t)between(5, 80);
    if (one_in(2)) f->cut_after = (uint32_t)between(5, 80);
    if (one_in(4)) f->kill_before = (uint32_t)between(2, 25);
    if (one_in(4)) f->kill_after = (uint32_t)between(2, 25);
    if (one_in(6)) f->stall = (uint32_t)between(2, 20);
    if (one_in(3)) f->slow = (uint32_t)between(5, 100);
    if (one_in(4)) f->snapshot_bad = (uint32_t)between(100, 600);
    if (one_in(3)) f->wakes = 20;
    if (one_in(3)) draw_window(&f->down_us, &f->up_us, d, 8000000);
    if (one_in(4)) draw_window(&f->read_us, &f->write_us, d, 5000000);
    if (one_in(8)) draw_window(&f->away_us, &f->back_us, d, 8000000);
    choose_fatal(d);
}

static int by_time(const void *a, const void *b)
{
    const event *x = a, *y = b;
    return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

static void draw_events(director *d)
{
    static const event_kind kinds[] = {DO_KILL, DO_STOP,      DO_TAKE_OVER, DO_TAKE_OVER,
                                       DO_SKEW, DO_TAKE_OVER, DO_STALL};
    d->n_event = (int)sim_below(EVENTS_MAX);
    d->clocks = one_in(5);
    for (int i = 0; i < d->n_event; i++)
        d->event[i] = (event){between(SIM_BEGIN_US, d->stream.end_us + 2000000),
                              kinds[sim_below(R1_COUNT(kinds))]};
    /* The planted loss shows nowhere else. */
    if (!d->run->fleet && (one_in(4) || d->run->plant == SIM_PLANT_LOSS)) {
        int64_t at = between(d->stream.begin_us, d->stream.end_us - 1000000);
        d->event[d->n_event++] = (event){at, DO_STANDBY};
        d->event[d->n_event++] = (event){at + between(200000, 5000000), DO_PROMOTE};
    }
    qsort(d->event, (size_t)d->n_event, sizeof *d->event, by_time);
}

/* ---- snapshots on disk ---- */

static int snapshot_files(const char *folder, char newest[256])
{
    int n = 0;
    *newest = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (*e->d_name == '.' || strstr(e->d_name, "lock") || strstr(e->d_name, ".writing"))
            continue;
        n++;
        if (strcmp(e->d_name, newest) > 0) snprintf(newest, 256, "%s", e->d_name);
    }
    if (dir) closedir(dir);
    return n;
}

static void clear_folder(const char *folder)
{
    char path[1024];
    mkdir(folder, 0700);
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    if (dir) closedir(dir);
}

/* A byte turned over, or the end cut off, in the newest one. */
static void break_snapshot(director *d)
{
    char newest[256], path[1024];
    struct stat info;
    unsigned char byte;
    if (!snapshot_files(d->serve.folder, newest)) return;
    snprintf(path, sizeof path, "%s/%s", d->serve.folder, newest);
    int fd = open(path, O_RDWR);
    if (fd < 0 || fstat(fd, &info) || info.st_size < 1) abort();
    uint64_t share = sim_below(1000); /* sizes differ a little: names of owners are in it */
    off_t at = (off_t)(info.st_size * (int64_t)share / 1000);
    if (one_in(3)) {
        if (ftruncate(fd, at)) abort();
    } else {
        if (pread(fd, &byte, 1, at) != 1) abort();
        byte ^= (unsigned char)(1 << sim_below(8));
        if (pwrite(fd, &byte, 1, at) != 1) abort();
    }
    close(fd);
    sim_say("snapshot %s is broken at %d of 1,000", newest, (int)share);
}

/* ---- services ---- */

static void start_owner(director *d)
{
    int service = sim_start(sim_serve, &d->serve);
    if (service < 0) return;
    d->owner = service;
    sim_service *s = &sim->service[service];
    if (d->clocks) s->skew_us = between(-60000000, 60000000);
    if (d->clocks) sim_say("its clock is at %+.1f s", (double)s->skew_us * 1e-6);
    if (sim->now_us < sim->fault.until_us && one_in(3)) s->kill_in = 1 + sim_below(3000);
}

static bool owner_alive(const director *d) { return d->owner && sim->service[d->owner].alive; }

/* After a death: as a supervisor does, a little later. */
static void restart_owner(director *d)
{
    if (d->owner && !sim->service[d->owner].killed && ++d->failures > FAILURES_MAX)
        sim_fault("a service has ended by itself %d times", d->failures);
    sim_sleep_until(sim->now_us + between(10000, 2000000));
    if (sim->now_us < sim->fault.until_us && one_in(6)) break_snapshot(d);
    start_owner(d);
}

static void do_event(director *d, const event *e)
{
    sim_service *s = &sim->service[d->owner];
    switch (e->kind) {
    case DO_KILL: sim_kill(d->owner); break;
    case DO_STOP: s->stopping = true; break;
    case DO_TAKE_OVER: /* the old one may stand still, and go on later */
        if (owner_alive(d) && one_in(2)) s->stall_us = sim->now_us + between(100000, 12000000);
        start_owner(d);
        break;
    case DO_SKEW:
        if (d->clocks) s->skew_us += between(-60000000, 60000000);
        break;
    case DO_STALL: s->stall_us = sim->now_us + between(10000, 4000000); break;
    case DO_STANDBY: sim_check_standby(); break;
    case DO_PROMOTE: sim_check_promote(); break;
    }
}

static int64_t messages(void)
{
    int64_t n = 0;
    for (int t = SIM_PAYMENTS; t <= SIM_LABELS; t++)
        for (int p = 0; p < sim->topic[t].n_partition; p++) n += sim->topic[t].part[p].n;
    return n;
}

/* All that happens, until the stream is at its end and all of it was taken. */
static void direct(director *d)
{
    int next = 0;
    int64_t until = (d->stream.end_us > sim->now_us ? d->stream.end_us : sim->now_us) + REST_US;
    if (!owner_alive(d)) start_owner(d);
    while (!*sim->found) {
        bool more = next < d->n_event;
        int64_t at = more ? d->event[next].at_us : sim->now_us + LOOK_US;
        if (sim_await(d->owner, at)) {
            restart_owner(d);
        } else if (more) {
            do_event(d, &d->event[next++]);
        } else if (sim->now_us > d->stream.end_us && sim_check_consumed() == messages() &&
                   sim_asks_answered()) {
            return;
        } else if (sim->now_us > until) {
            sim_fault("%lld of %lld messages were taken, and nothing goes on%s",
                      (long long)sim_check_consumed(), (long long)messages(),
                      sim_asks_answered() ? "" : "; somebody asks and gets no decision");
        }
    }
}

/* The topic of payments is made anew, while the service runs or stands still. Each service must end
 * and take nothing until the offsets are reset. */
static void make_anew(director *d, bool runs)
{
    sim_sleep_until(d->stream.anew_us);
    if (!runs) sim_kill(d->owner);
    if (!owner_alive(d) && runs) start_owner(d);
    while (runs && owner_alive(d) && sim->service[d->owner].restored_seq < 0)
        sim_await(d->owner, sim->now_us + 100000);
    if (runs) sim_sleep_until(sim->now_us + 1000000);
    int64_t before = sim_check_consumed();
    sim_say("the topic is made anew");
    sim_stream_anew(&d->stream, d->run->seed / SIM_STREAM_SEEDS,
                    sim->now_us + (runs ? 6000000 : 0));
    for (int starts = 0; starts < 2 && !*sim->found; starts++) {
        if (!owner_alive(d)) start_owner(d);
        sim->service[d->owner].kill_in = 0;
        if (!sim_await(d->owner, sim->now_us + STOP_US))
            sim_fault("a topic that was made anew is not noticed");
        else if (!sim->service[d->owner].exit_code)
            sim_fault("a service ends as if nothing were, where the topic was made anew");
        else if (sim_check_consumed() != before)
            sim_fault(
                "%lld messages of a topic that was made anew were taken as if it were the old",
                (long long)(sim_check_consumed() - before));
    }
    int reset = sim_start(sim_reset, &d->serve);
    if (!sim_await(reset, sim->now_us + STOP_US) || sim->service[reset].exit_code)
        sim_fault("the offsets of the new topic cannot be reset");
    start_owner(d);
    sim->service[d->owner].kill_in = 0;
    d->n_event = 0;
    direct(d);
}

/* The last owner ends in order; whoever else is still there goes. */
static void stop_all(director *d)
{
    for (int i = 1; i < sim->n_service; i++)
        if (i != d->owner) sim_kill(i);
    for (int tries = 0; !*sim->found && tries < 5; tries++) {
        sim_service *s = &sim->service[d->owner];
        if (!s->alive) start_owner(d);
        s = &sim->service[d->owner];
        s->kill_in = 0;
        while (s->alive && s->restored_seq < 0) sim_await(d->owner, sim->now_us + 100000);
        sim_sleep_until(sim->now_us + 2500000); /* the topics get what is committed */
        s->stopping = true;
        if (!sim_await(d->owner, sim->now_us + STOP_US)) {
            sim_fault("the last service does not stop");
            return;
        }
        if (!s->killed && s->exit_code == 0 && s->digest) return;
    }
    sim_fault("no service comes to an orderly end");
}

/* ---- several services that share the stream ---- */

enum { MEMBERS_MAX = 3 };

typedef struct {
    director *d;
    sim_serve_opts serve[MEMBERS_MAX];
    char folder[MEMBERS_MAX][256];
    int service[MEMBERS_MAX]; /* 0: none yet */
    int n;
} fleet;

static bool member_alive(const fleet *f, int i)
{
    return f->service[i] && sim->service[f->service[i]].alive;
}

static void member_start(fleet *f, int i)
{
    f->d->owner = 0;
    f->d->serve = f->serve[i];
    start_owner(f->d);
    f->service[i] = f->d->owner;
}

static void fleet_event(fleet *f, const event *e)
{
    int i = (int)sim_below((uint64_t)f->n);
    sim_service *s = &sim->service[f->service[i]];
    if (!member_alive(f, i)) return;
    if (e->kind == DO_KILL) sim_kill(f->service[i]);
    if (e->kind == DO_STOP) s->stopping = true;
    if (e->kind == DO_STALL || e->kind == DO_TAKE_OVER)
        s->stall_us = sim->now_us + between(10000, 6000000);
    if (e->kind == DO_SKEW) sim_group_lose(); /* its coordinator dies */
}

static void fleet_open(fleet *f, director *d)
{
    memset(f, 0, sizeof *f);
    f->d = d;
    f->n = 2 + (int)sim_below(MEMBERS_MAX - 1);
    for (int i = 0; i < f->n; i++) {
        snprintf(f->folder[i], sizeof f->folder[i], "%s-%d", d->run->folder, i);
        clear_folder(f->folder[i]);
        f->serve[i] = d->serve;
        f->serve[i].folder = f->folder[i];
        f->serve[i].shared = true;
        f->serve[i].check_restore = false;
    }
}

/* Starts who is not there, a little later each. */
static void fleet_restart(fleet *f)
{
    for (int i = 0; i < f->n && !*sim->found; i++) {
        if (member_alive(f, i) || (sim->now_us < sim->fault.until_us && !one_in(3))) continue;
        if (f->service[i] && !sim->service[f->service[i]].killed && ++f->d->failures > FAILURES_MAX)
            sim_fault("a service has ended by itself %d times", f->d->failures);
        member_start(f, i);
    }
}

static void fleet_direct(fleet *f)
{
    director *d = f->d;
    int next = 0;
    int64_t until = d->stream.end_us + REST_US;
    for (int i = 0; i < f->n; i++) member_start(f, i);
    while (!*sim->found) {
        bool more = next < d->n_event && d->event[next].at_us < sim->now_us + LOOK_US;
        sim_sleep_until(more ? d->event[next].at_us : sim->now_us + LOOK_US);
        if (more)
            fleet_event(f, &d->event[next++]);
        else if (sim->now_us > d->stream.end_us && sim_check_consumed() == messages())
            return;
        else if (sim->now_us > until)
            sim_fault("%lld of %lld messages were taken, and nothing goes on",
                      (long long)sim_check_consumed(), (long long)messages());
        fleet_restart(f);
    }
}

/* Each ends in order, and those that have read all have the same state. */
static void fleet_stop(fleet *f)
{
    int64_t last = 0;
    uint64_t digest = 0;
    for (int i = 0; i < f->n; i++)
        if (f->service[i]) sim->service[f->service[i]].kill_in = 0;
    fleet_restart(f);
    sim_sleep_until(sim->now_us + 20000000); /* topics get what is committed */
    for (int i = 0; i < f->n && !*sim->found; i++) {
        sim_service *s = &sim->service[f->service[i]];
        s->stopping = true;
        if (!sim_await(f->service[i], sim->now_us + STOP_US)) sim_fault("a service does not stop");
        if (s->killed || s->exit_code || s->digest_seq < last) continue;
        if (s->digest_seq == last && s->digest != digest)
            sim_fault("two services have another state at %lld", (long long)last);
        last = s->digest_seq;
        digest = s->digest;
        f->d->owner = f->service[i];
    }
}

/* ---- state ---- */

static void same_state(director *d, bool bare, const char *what)
{
    sim_service last = sim->service[d->owner];
    sim_serve_opts o = d->serve;
    o.probe = true;
    o.bare = bare;
    int service = sim_start(sim_serve, &o);
    if (service < 0) return;
    const sim_service *s = &sim->service[service];
    if (!sim_await(service, sim->now_us + STOP_US)) {
        sim_fault("a start from %s does not end", what);
        return;
    }
    if (s->digest_seq != last.digest_seq || s->digest != last.digest)
        sim_fault("state of the last service: %016llx at %lld; from %s: %016llx at %lld",
                  (unsigned long long)last.digest, (long long)last.digest_seq, what,
                  (unsigned long long)s->digest, (long long)s->digest_seq);
    if (s->digest_seen != last.digest_seen)
        sim_fault("the ids that the last service knew are not those from %s", what);
    if (!d->run->fleet && s->digest_pace != last.digest_pace)
        sim_fault("scores and counts of rules of the last service are not those from %s", what);
}

/* The newest snapshot holds all: without it there is a tail to read. */
static void same_states(director *d)
{
    char newest[256], path[1024];
    same_state(d, true, "the whole log");
    if (*sim->found || snapshot_files(d->serve.folder, newest) < 2) return;
    snprintf(path, sizeof path, "%s/%s", d->serve.folder, newest);
    unlink(path);
    same_state(d, false, "a snapshot and the log's tail");
}

/* ---- several against one ---- */

/* The stream goes back to one process. */
static void fleet_alone(fleet *f, const sim_serve_opts *alone)
{
    director *d = f->d;
    d->serve = *alone;
    int command = sim_start(sim_unshare, &d->serve);
    if (!sim_await(command, sim->now_us + STOP_US) || sim->service[command].exit_code)
        sim_fault("the stream cannot go back to one process");
}

/* The topic of payments is made anew below the processes: each must end and take nothing. One
 * process goes on. */
static void fleet_anew(fleet *f, const sim_serve_opts *alone)
{
    director *d = f->d;
    sim_sleep_until(d->stream.anew_us);
    for (int i = 0; i < f->n; i++) {
        if (!member_alive(f, i)) member_start(f, i);
        sim->service[f->service[i]].kill_in = 0;
    }
    sim_sleep_until(sim->now_us + 5000000);
    int64_t before = sim_check_consumed();
    sim_say("the topic is made anew");
    sim_stream_anew(&d->stream, d->run->seed / SIM_STREAM_SEEDS, sim->now_us + 6000000);
    for (int i = 0; i < f->n && !*sim->found; i++)
        if (!sim_await(f->service[i], sim->now_us + STOP_US))
            sim_fault("a topic that was made anew is not noticed by process %d of %d", i, f->n);
        else if (!sim->service[f->service[i]].exit_code)
            sim_fault("a service ends as if nothing were, where the topic was made anew");
    if (!*sim->found && sim_check_consumed() != before)
        sim_fault("messages of a topic that was made anew were taken as if it were the old");
    if (!*sim->found) fleet_alone(f, alone);
    if (*sim->found) return;
    int reset = sim_start(sim_reset, &d->serve);
    if (!sim_await(reset, sim->now_us + STOP_US) || sim->service[reset].exit_code)
        sim_fault("the offsets of the new topic cannot be reset");
    d->owner = d->n_event = 0;
    if (!*sim->found) direct(d);
    if (!*sim->found) stop_all(d);
}

/* The log of several processes, read by one, gives their state and each decision. */
static void run_fleet(director *d)
{
    static fleet f;
    const sim_serve_opts alone = d->serve;
    fleet_open(&f, d);
    fleet_direct(&f);
    if (!*sim->found && d->stream.anew) {
        fleet_anew(&f, &alone);
        return;
    }
    if (!*sim->found) fleet_stop(&f);
    if (!*sim->found) fleet_alone(&f, &alone);
}

/* ---- one run ---- */

/* Rules whose caps a stream of a minute reaches, and one that is a shadow. */
static const char *write_rules(const sim_run *run)
{
    static char path[1024];
    static const char text[] = "large [max 6/h]: amount > 8000 EUR -> review\n"
                               "busy [max 4/h]: count(sender, 1h) > 6 -> block\n"
                               "often [shadow]: count(receiver, 24h) > 3 -> block\n";
    snprintf(path, sizeof path, "%s.rules", run->folder);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) abort();
    return path;
}

/* By its stream a run has a model, for one in MODEL_OF, and rules, for one in RULES_OF. */
static void open_run(director *d, const sim_run *run, bool reference)
{
    enum { MODEL_OF = 6, RULES_OF = 3 };
    static const int alerts[] = {0, 3, 1000};
    uint64_t stream = run->seed / SIM_STREAM_SEEDS;
    memset(d, 0, sizeof *d);
    d->run = run;
    sim_begin(run->seed, run->plant, run->traced);
    sim_stream_make(&d->stream, stream, reference);
    d->serve =
        (sim_serve_opts){.conninfo = run->conninfo,
                         .folder = run->folder,
                         .migrations = run->migrations,
                         .model = stream % MODEL_OF == 1 ? run->model : "none",
                         .rules = !run->fleet && stream % RULES_OF == 0 ? write_rules(run) : NULL,
                         .log_path = run->log_path,
                         .batch_rows = reference ? 500 : (int)between(1, 40),
                         .snapshot_every_s = (int)between(1, 8),
                         .alerts_per_day = run->fleet ? 0 : alerts[stream % R1_COUNT(alerts)],
                         .check_restore = true};
    sim_check_clear();
    clear_folder(run->folder);
}

sim_results *sim_reference(const sim_run *run)
{
    static director d;
    open_run(&d, run, true);
    sim_say("reference");
    sim->now_us = d.stream.end_us + 1000000; /* the clock is past the last message */
    direct(&d);
    if (!*sim->found && d.stream.anew) make_anew(&d, true);
    if (!*sim->found) stop_all(&d);
    sim_results *r = sim_check_read();
    sim_check_once(r, &d.stream);
    if (!*sim->found) return r;
    sim_results_free(r);
    return NULL;
}

void sim_run_seed(const sim_run *run, const sim_results *reference, sim_outcome *out)
{
    static director d;
    open_run(&d, run, false);
    draw_faults(&d);
    draw_events(&d);
    d.serve.port = !run->fleet && one_in(4);
    if (d.serve.port) sim_asks_make(d.stream.begin_us, d.stream.end_us);
    if (run->fleet) {
        run_fleet(&d);
    } else {
        direct(&d);
        if (!*sim->found && d.stream.anew) make_anew(&d, one_in(2));
        if (!*sim->found) stop_all(&d);
    }
    for (int i = 1; i < sim->n_service; i++) sim_kill(i);
    memset(&sim->fault, 0, sizeof sim->fault);
    sim_results *r = sim_check_read();
    if (!*sim->found) sim_check_once(r, &d.stream);
    if (!*sim->found && !sim->n_ask) out->compared = sim_check_equal(r, reference);
    if (!*sim->found) sim_check_decisions();
    if (!*sim->found) sim_check_asks();
    if (!*sim->found && run->fleet && sim->service[d.owner].digest)
        same_state(&d, true, "one process");
    if (!*sim->found && !run->fleet) same_states(&d);
    sim_results_free(r);
    for (int i = 1; i < sim->n_service; i++) sim_kill(i);
    out->trace = sim->trace;
    out->services = sim->n_service - 1;
    out->gives = sim->n_give;
    out->seconds = (double)(sim->now_us - SIM_BEGIN_US) * 1e-6;
    snprintf(out->found, sizeof out->found, "%s", sim->found);
}
