/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_sched.c - the baton: who runs next, what time it is, how a service is started and dies;
 * and the functions of threads and clocks that the linker puts in the place of the C library's. */
#define _GNU_SOURCE
#include "sim.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DIRECTOR = 0, GIVE_US = 20 };

const char *const sim_topic_names[SIM_TOPICS] = {"payments", "labels", "decisions", "dead",
                                                 "events"};
sim_world *sim;
static _Thread_local int self = -1; /* thread of the world; -1: of none */
static _Thread_local int held;

pid_t __real_fork(void);
void __real__exit(int code) __attribute__((noreturn));
pid_t __real_waitpid(pid_t pid, int *status, int flags);
int __real_clock_gettime(clockid_t id, struct timespec *t);

bool sim_inside(void) { return self >= 0; }
int sim_self_service(void) { return sim->thread[self].service; }
sim_service *sim_me(void) { return &sim->service[sim_self_service()]; }

/* ---- random numbers, trace ---- */

static uint64_t mixed(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t sim_below(uint64_t n)
{
    sim->rng += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    return mixed(sim->rng) % n;
}

bool sim_chance(uint32_t of_1000)
{
    return of_1000 && sim->now_us < sim->fault.until_us && sim_below(1000) < of_1000;
}

static void trace_mix(uint64_t x) { sim->trace = mixed(sim->trace * 31 + x); }

void sim_say(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    trace_mix(r1_hash64(text, strlen(text), (uint64_t)sim->now_us));
    if (sim->traced)
        printf("%12.6f  %2d.%-2d  %s\n", (double)(sim->now_us - SIM_BEGIN_US) * 1e-6,
               sim_self_service(), self, text);
    if (sim->traced) fflush(stdout);
}

void sim_fault(const char *fmt, ...)
{
    va_list args;
    if (*sim->found) return;
    va_start(args, fmt);
    vsnprintf(sim->found, sizeof sim->found, fmt, args);
    va_end(args);
    sim_say("FAULT %s", sim->found);
}

/* ---- who goes on ---- */

static int64_t wake_us(const sim_thread *t)
{
    if (!t->by_wall || t->until_us == SIM_NEVER_US) return t->until_us;
    return t->until_us - SIM_WALL_US - sim->service[t->service].skew_us + SIM_BEGIN_US;
}

/* Those that can run now; *next: when the first of the others can. */
static int ready_threads(int *list, int64_t *next)
{
    int n = 0;
    *next = SIM_NEVER_US;
    for (int i = 0; i < SIM_THREADS; i++) {
        sim_thread *t = &sim->thread[i];
        if (t->state != SIM_READY && t->state != SIM_WAITS) continue;
        int64_t at = t->state == SIM_READY ? sim->now_us : wake_us(t),
                stall = sim->service[t->service].stall_us;
        if (at != SIM_NEVER_US && at < stall) at = stall;
        if (at > sim->now_us) {
            if (at < *next) *next = at;
            continue;
        }
        if (t->state == SIM_WAITS) {
            t->timed_out = true;
            t->state = SIM_READY;
        }
        list[n++] = i;
    }
    return n;
}

static int choose_next(void)
{
    int list[SIM_THREADS], n;
    int64_t next;
    while (!(n = ready_threads(list, &next))) {
        if (next == SIM_NEVER_US) abort(); /* the director always has an end */
        sim->now_us = next;
    }
    return list[n == 1 ? 0 : (int)sim_below((uint64_t)n)];
}

/* Whether the process that has the baton has died by a defect: nobody would ever give it back. */
static bool holder_crashed(void)
{
    int status, service = sim->thread[sim->running].service;
    sim_service *s = &sim->service[service];
    if (!service || !s->alive || __real_waitpid(s->pid, &status, WNOHANG) != s->pid) return false;
    sim_fault("service %d died by itself: %s %d", service, WIFSIGNALED(status) ? "signal" : "exit",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    s->exit_code = -1;
    s->dying = sim->reap = true;
    return true;
}

/* The director looks now and then whether the others still live. */
static void take_baton(int i)
{
    for (;;) {
        struct timespec until;
        __real_clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        if (i != DIRECTOR ? !sem_wait(&sim->thread[i].go)
                          : !sem_timedwait(&sim->thread[i].go, &until))
            return;
        if (i == DIRECTOR && errno == ETIMEDOUT && holder_crashed()) return;
    }
}

static void hand_baton(int next)
{
    sim->running = next;
    sem_post(&sim->thread[next].go);
}

/* ---- death ---- */

static void end_process(pid_t pid, bool kill_it)
{
    int status;
    if (kill_it) kill(pid, SIGKILL);
    while (__real_waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
}

/* The process and its snapshot's child are gone, and so are its threads. */
static void bury(int service)
{
    sim_service *s = &sim->service[service];
    end_process(s->pid, s->killed);
    if (s->snapshot_pid) end_process(s->snapshot_pid, true);
    s->snapshot_pid = 0;
    s->alive = s->dying = false;
    for (int i = 0; i < SIM_THREADS; i++)
        if (sim->thread[i].service == service) sim->thread[i].state = SIM_FREE;
    sim_say("service %d is gone, code %d", service, s->killed ? -9 : s->exit_code);
    sim_thread *d = &sim->thread[DIRECTOR];
    if (d->state == SIM_WAITS && d->on == s) d->state = SIM_READY, d->timed_out = false;
}

/* The director alone can wait for its children, so it gets the baton for it. */
static void bury_all(void)
{
    sim->reap = false;
    for (int i = 1; i < sim->n_service; i++)
        if (sim->service[i].dying) bury(i);
}

static void hand_to_director(void)
{
    sim->reap = true;
    hand_baton(DIRECTOR);
}

void sim_die(void)
{
    sim_service *s = sim_me();
    s->killed = s->dying = true;
    sim_say("dies");
    hand_to_director();
    for (;;) pause();
}

static void give_away(void)
{
    for (;;) {
        int next = choose_next();
        if (next != self) {
            trace_mix((uint64_t)sim->now_us * 64 + (uint64_t)next);
            hand_baton(next);
            take_baton(self);
        }
        if (self != DIRECTOR || !sim->reap) return;
        bury_all();
    }
}

/* ---- giving and waiting ---- */

void sim_hold(void) { held++; }
void sim_release(void) { held--; }

static void count_give(void)
{
    sim_service *s = sim_me();
    sim->n_give++;
    sim->now_us += (int64_t)sim_below(GIVE_US);
    if (s->kill_in && !--s->kill_in) sim_die();
}

void sim_give(void)
{
    if (held) return;
    count_give();
    give_away();
}

bool sim_wait(const void *on, int64_t until_us, bool by_wall)
{
    sim_thread *t = &sim->thread[self];
    if (held) { /* inside of a transaction: nobody else can end the wait */
        fprintf(stderr, "sim: a wait while the baton is held\n");
        abort();
    }
    count_give();
    t->on = on;
    t->until_us = until_us;
    t->by_wall = by_wall;
    t->timed_out = false;
    t->state = SIM_WAITS;
    give_away();
    return t->timed_out;
}

void sim_wake(const void *on, bool all)
{
    int list[SIM_THREADS], n = 0;
    for (int i = 0; i < SIM_THREADS; i++) {
        sim_thread *t = &sim->thread[i];
        if (t->state == SIM_WAITS && t->on == on && t->service == sim_self_service()) list[n++] = i;
    }
    if (!n) return;
    if (!all) list[0] = list[sim_below((uint64_t)n)];
    for (int i = 0; i < (all ? n : 1); i++) {
        sim->thread[list[i]].state = SIM_READY;
        sim->thread[list[i]].timed_out = false;
    }
}

void sim_sleep_until(int64_t us)
{
    if (!held) sim_wait(&sim->thread[self], us, false);
}

int64_t sim_wall_us(void) { return SIM_WALL_US + sim->now_us - SIM_BEGIN_US + sim_me()->skew_us; }

/* ---- life ---- */

void sim_open(void)
{
    sim = mmap(NULL, sizeof *sim, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sim == MAP_FAILED) abort();
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* children of services become ours */
}

static int thread_make(int service)
{
    for (int i = 0; i < SIM_THREADS; i++) {
        sim_thread *t = &sim->thread[i];
        if (t->state != SIM_FREE) continue;
        memset(t, 0, sizeof *t);
        sem_init(&t->go, 1, 0);
        t->service = service;
        t->state = SIM_READY;
        return i;
    }
    fprintf(stderr, "sim: more than %d threads\n", SIM_THREADS);
    abort();
}

void sim_begin(uint64_t seed, sim_plant plant, bool traced)
{
    memset(sim, 0, offsetof(sim_world, bytes)); /* the bytes are long, and counted */
    sim->n_byte = 1;
    sem_init(&sim->snapshot_said, 1, 0);
    *sim->found = 0;
    sim->seed = seed;
    sim->rng = mixed(seed + 1);
    sim->plant = plant;
    sim->traced = traced;
    sim->now_us = SIM_BEGIN_US;
    sim->n_service = 1;
    sim->service[0].alive = true;
    self = thread_make(0);
    held = 0;
}

void sim_end_service(int code)
{
    sim_service *s = sim_me();
    fflush(NULL);
    s->exit_code = code;
    s->dying = true;
    hand_to_director();
    __real__exit(code);
}

int sim_start(int (*run)(void *ctx), void *ctx)
{
    int service = sim->n_service++;
    if (service >= SIM_SERVICES) {
        sim_fault("more than %d services were started", SIM_SERVICES - 1);
        return -1;
    }
    sim_service *s = &sim->service[service];
    int thread = thread_make(service);
    s->alive = true;
    s->restored_seq = -1;
    sim_say("service %d is started", service);
    fflush(NULL);
    pid_t pid = __real_fork();
    if (pid < 0) abort();
    if (pid) {
        s->pid = pid;
        return service;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    self = thread;
    take_baton(self);
    sim_end_service(run(ctx));
}

void sim_kill(int service)
{
    sim_service *s = &sim->service[service];
    if (!s->alive) return;
    s->killed = true;
    bury(service);
}

bool sim_await(int service, int64_t until_us)
{
    const sim_service *s = &sim->service[service];
    while (s->alive && sim->now_us < until_us) sim_wait(s, until_us, false);
    return !s->alive;
}

void sim_leave(void) { self = -1; }

/* ---- in the place of the C library's ---- */

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __real_pthread_join(pthread_t t, void **out);
int __wrap_pthread_join(pthread_t t, void **out);
int __wrap_pthread_timedjoin_np(pthread_t t, void **out, const struct timespec *until);
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *t);
int __wrap_pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *t);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t);
int __real_pthread_cond_signal(pthread_cond_t *c);
int __wrap_pthread_cond_signal(pthread_cond_t *c);
int __real_pthread_cond_broadcast(pthread_cond_t *c);
int __wrap_pthread_cond_broadcast(pthread_cond_t *c);
int __real_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __real_usleep(useconds_t us);
int __wrap_usleep(useconds_t us);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int64_t __real_r1_time_us(void);
int64_t __wrap_r1_time_us(void);
int64_t __real_r1_mono_us(void);
int64_t __wrap_r1_mono_us(void);

typedef struct {
    void *(*fn)(void *);
    void *arg;
    int thread;
} thread_run;

static void *thread_main(void *arg)
{
    thread_run run = *(thread_run *)arg;
    free(arg);
    self = run.thread;
    take_baton(self);
    void *out = run.fn(run.arg);
    sim->thread[self].state = SIM_ENDED;
    sim_wake(&sim->thread[self], true);
    hand_baton(choose_next());
    return out;
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
    if (self < 0) return __real_pthread_create(t, a, fn, arg);
    thread_run *run = malloc(sizeof *run);
    if (!run) return ENOMEM;
    int thread = thread_make(sim_self_service());
    *run = (thread_run){fn, arg, thread};
    int error = __real_pthread_create(t, a, thread_main, run);
    if (error) abort();
    sim->thread[thread].id = (uint64_t)*t;
    sim_give();
    return 0;
}

static int thread_of(pthread_t t)
{
    for (int i = 0; i < SIM_THREADS; i++)
        if (sim->thread[i].state != SIM_FREE && sim->thread[i].service == sim_self_service() &&
            sim->thread[i].id == (uint64_t)t)
            return i;
    abort();
}

int __wrap_pthread_join(pthread_t t, void **out)
{
    if (self < 0) return __real_pthread_join(t, out);
    int i = thread_of(t);
    while (sim->thread[i].state != SIM_ENDED) sim_wait(&sim->thread[i], SIM_NEVER_US, false);
    sim->thread[i].state = SIM_FREE;
    return __real_pthread_join(t, out);
}

static int64_t us_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000;
}

int __wrap_pthread_timedjoin_np(pthread_t t, void **out, const struct timespec *until)
{
    int i = thread_of(t);
    while (sim->thread[i].state != SIM_ENDED)
        if (sim_wait(&sim->thread[i], us_of(until), true)) return ETIMEDOUT;
    return __wrap_pthread_join(t, out);
}

int __real_pthread_mutex_trylock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
    enum { GIVES = 50 }; /* of 1,000 locks that are free: threads meet there as well */
    if (self < 0) return __real_pthread_mutex_lock(m);
    if (!held && sim_below(1000) < GIVES) sim_give();
    while (pthread_mutex_trylock(m) == EBUSY) sim_wait(m, SIM_NEVER_US, false);
    return 0;
}

int __wrap_pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *t)
{
    if (self < 0) return __real_pthread_mutex_timedlock(m, t);
    while (pthread_mutex_trylock(m) == EBUSY)
        if (sim_wait(m, us_of(t), true)) return ETIMEDOUT;
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
    int error = __real_pthread_mutex_unlock(m);
    if (self >= 0) sim_wake(m, true);
    return error;
}

static int cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t until_us, bool by_wall)
{
    if (sim_chance(sim->fault.wakes)) { /* a wake-up without a cause */
        __wrap_pthread_mutex_unlock(m);
        sim_give();
        return __wrap_pthread_mutex_lock(m);
    }
    __wrap_pthread_mutex_unlock(m);
    bool late = sim_wait(c, until_us, by_wall);
    __wrap_pthread_mutex_lock(m);
    return late ? ETIMEDOUT : 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    if (self < 0) return __real_pthread_cond_wait(c, m);
    return cond_wait(c, m, SIM_NEVER_US, false);
}

/* Which clock the condition has is known by the number: the world's begin far apart. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t)
{
    if (self < 0) return __real_pthread_cond_timedwait(c, m, t);
    return cond_wait(c, m, us_of(t), us_of(t) > SIM_WALL_US / 2);
}

int __wrap_pthread_cond_signal(pthread_cond_t *c)
{
    if (self < 0) return __real_pthread_cond_signal(c);
    return sim_wake(c, false), 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
    if (self < 0) return __real_pthread_cond_broadcast(c);
    return sim_wake(c, true), 0;
}

int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
    if (self < 0) return __real_nanosleep(t, left);
    return sim_sleep_until(sim->now_us + us_of(t)), 0;
}

int __wrap_usleep(useconds_t us)
{
    if (self < 0) return __real_usleep(us);
    return sim_sleep_until(sim->now_us + us), 0;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    if (self < 0 || (id != CLOCK_REALTIME && id != CLOCK_MONOTONIC))
        return __real_clock_gettime(id, t);
    int64_t us = id == CLOCK_REALTIME ? sim_wall_us() : sim->now_us;
    *t = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    return 0;
}

int64_t __wrap_r1_time_us(void) { return self < 0 ? __real_r1_time_us() : sim_wall_us(); }
int64_t __wrap_r1_mono_us(void) { return self < 0 ? __real_r1_mono_us() : sim->now_us; }
