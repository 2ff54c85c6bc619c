/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pace.c - see pace.h. */
#include "decide/pace.h"

#include "r1_assert.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACE_SLOTS = FRAUD_PACE_DAYS + 1 };
#define PACE_DAY_MS  INT64_C(86400000)
#define PACE_HOUR_MS INT64_C(3600000)
#define PACE_VERSION UINT64_C(0x5231504143450001)

typedef struct {
    int64_t day; /* since 1970; -1: none */
    int64_t first_ms, last_ms;
    uint64_t total;
    uint32_t n[FRAUD_PACE_BINS];
} pace_day;

typedef struct {
    fraud_pace_count count;
    int64_t hour; /* of event time, that `in_hour` counts */
    uint32_t in_hour, unused;
} pace_rule;

typedef struct {
    uint64_t version, n_noted;
    int64_t now_ms; /* the latest payment's time */
    pace_day day[PACE_SLOTS];
    double budget; /* that the threshold is of */
    uint64_t computed_at;
    double border;
    uint32_t n_rule, unused;
    pace_rule rule[FRAUD_PACE_RULES_MAX];
} pace_plain;

struct fraud_pace {
    pthread_mutex_t lock; /* guards the rules, and the share */
    double share;
    pace_plain x;
};

r1_status fraud_pace_new(fraud_pace **out, r1_err *err)
{
    fraud_pace *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for the distribution of scores");
    pthread_mutex_init(&p->lock, NULL);
    p->share = 1;
    fraud_pace_clear(p);
    *out = p;
    return R1_OK;
}

void fraud_pace_clear(fraud_pace *p)
{
    memset(&p->x, 0, sizeof p->x);
    p->x.version = PACE_VERSION;
    p->x.now_ms = p->x.budget = -1;
    for (size_t i = 0; i < PACE_SLOTS; i++) p->x.day[i].day = -1;
}

void fraud_pace_free(fraud_pace *p)
{
    if (!p) return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- scores ---- */

unsigned fraud_pace_bin(float logit)
{
    double bin = floor(((double)logit + 16) * 16);
    return bin > FRAUD_PACE_BINS - 1 ? FRAUD_PACE_BINS - 1 : bin > 0 ? (unsigned)bin : 0;
}

/* The row of this moment's day; NULL where it lies before all that are kept. */
static pace_day *pace_day_of(pace_plain *x, int64_t ts_ms)
{
    int64_t day = ts_ms / PACE_DAY_MS;
    pace_day *d = &x->day[day % PACE_SLOTS];
    if (day <= x->now_ms / PACE_DAY_MS - PACE_SLOTS || day < d->day) return NULL;
    if (d->day == day) return d;
    memset(d, 0, sizeof *d);
    d->day = day;
    d->first_ms = d->last_ms = ts_ms;
    return d;
}

static bool pace_in_window(const pace_plain *x, const pace_day *d)
{
    return d->day >= 0 && d->day > x->now_ms / PACE_DAY_MS - FRAUD_PACE_DAYS;
}

static double pace_days(const pace_plain *x)
{
    int64_t first = x->now_ms;
    for (size_t i = 0; i < PACE_SLOTS; i++)
        if (pace_in_window(x, &x->day[i]) && x->day[i].first_ms < first) first = x->day[i].first_ms;
    double days = (double)(x->now_ms - first) / (double)PACE_DAY_MS;
    return days > 1 ? days : 1;
}

/* Within a bin the scores count as evenly spread. */
static double pace_compute(const pace_plain *x, double alerts_per_day)
{
    double room = alerts_per_day * pace_days(x);
    for (unsigned bin = FRAUD_PACE_BINS; bin-- > 0;) {
        uint64_t n = 0;
        for (size_t i = 0; i < PACE_SLOTS; i++)
            if (pace_in_window(x, &x->day[i])) n += x->day[i].n[bin];
        if ((double)n > room) return (bin + 1 - room / (double)n) / 16.0 - 16;
        room -= (double)n;
    }
    return -HUGE_VAL;
}

static void pace_recompute(pace_plain *x)
{
    x->border = pace_compute(x, x->budget);
    x->computed_at = x->n_noted / FRAUD_PACE_RECOMPUTE;
}

/* At every so many scores, whether or not anybody asks: a state that is built again from the log
 * so has the same threshold. */
static void pace_crossed(pace_plain *x)
{
    if (x->budget >= 0 && x->n_noted / FRAUD_PACE_RECOMPUTE != x->computed_at) pace_recompute(x);
}

void fraud_pace_add(fraud_pace *p, int64_t first_ms, int64_t last_ms, unsigned bin, uint32_t n)
{
    pace_plain *x = &p->x;
    R1_ASSERT(bin < FRAUD_PACE_BINS && first_ms >= 0 && first_ms <= last_ms, "bin %u", bin);
    if (last_ms > x->now_ms) x->now_ms = last_ms;
    x->n_noted += n;
    pace_day *d = pace_day_of(x, first_ms);
    if (!d) {
        pace_crossed(x);
        return;
    }
    if (first_ms < d->first_ms) d->first_ms = first_ms;
    if (last_ms > d->last_ms) d->last_ms = last_ms;
    d->n[bin] += n;
    d->total += n;
    pace_crossed(x);
}

void fraud_pace_note(fraud_pace *p, int64_t ts_ms, float logit)
{
    if (isfinite(logit) && ts_ms >= 0) fraud_pace_add(p, ts_ms, ts_ms, fraud_pace_bin(logit), 1);
}

double fraud_pace_border(fraud_pace *p, double alerts_per_day)
{
    pace_plain *x = &p->x;
    alerts_per_day *= p->share;
    if (x->budget != alerts_per_day) {
        x->budget = alerts_per_day;
        pace_recompute(x);
    }
    return x->border;
}

void fraud_pace_share(fraud_pace *p, double share)
{
    R1_ASSERT(share >= 0 && share <= 1, "a share of %g", share);
    pthread_mutex_lock(&p->lock);
    p->share = share;
    pthread_mutex_unlock(&p->lock);
}

/* ---- rules ---- */

void fraud_pace_rules(fraud_pace *p, char (*name)[FRAUD_RULE_NAME_BYTES], size_t n)
{
    static pace_rule zero;
    R1_ASSERT(n <= FRAUD_PACE_RULES_MAX, "%zu rules", n);
    pthread_mutex_lock(&p->lock);
    pace_rule *fresh = calloc(FRAUD_PACE_RULES_MAX, sizeof *fresh);
    for (size_t i = 0; fresh && i < n; i++) {
        size_t k = 0;
        while (k < p->x.n_rule && strcmp(p->x.rule[k].count.name, name[i]) != 0) k++;
        fresh[i] = k < p->x.n_rule ? p->x.rule[k] : zero;
        memcpy(fresh[i].count.name, name[i], FRAUD_RULE_NAME_BYTES);
    }
    if (fresh) memcpy(p->x.rule, fresh, sizeof p->x.rule);
    free(fresh);
    p->x.n_rule = (uint32_t)n;
    pthread_mutex_unlock(&p->lock);
}

static bool pace_under_cap(pace_rule *r, int64_t ts_ms, uint32_t cap)
{
    int64_t hour = ts_ms / PACE_HOUR_MS;
    if (hour > r->hour) r->hour = hour, r->in_hour = 0;
    if (cap && r->in_hour >= cap) return false;
    r->in_hour++;
    return true;
}

bool fraud_pace_match(fraud_pace *p, size_t rule, int64_t ts_ms, uint32_t cap, bool shadow)
{
    R1_ASSERT(rule < p->x.n_rule, "rule %zu of %u", rule, p->x.n_rule);
    pthread_mutex_lock(&p->lock);
    pace_rule *r = &p->x.rule[rule];
    if (cap && p->share < 1) cap = (uint32_t)fmax(1, ceil(cap * p->share));
    bool decides = !shadow && pace_under_cap(r, ts_ms, cap);
    if (shadow)
        r->count.shadow++;
    else if (decides)
        r->count.hits++;
    else
        r->count.capped++;
    pthread_mutex_unlock(&p->lock);
    return decides;
}

void fraud_pace_rule_add(fraud_pace *p, const fraud_pace_count *more, int64_t hour,
                         uint32_t n_in_hour)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->x.n_rule; i++) {
        pace_rule *r = &p->x.rule[i];
        if (strcmp(r->count.name, more->name) != 0) continue;
        r->count.hits += more->hits;
        r->count.shadow += more->shadow;
        r->count.capped += more->capped;
        if (hour > r->hour)
            r->hour = hour, r->in_hour = n_in_hour;
        else
            r->in_hour += (uint32_t)more->hits;
    }
    pthread_mutex_unlock(&p->lock);
}

bool fraud_pace_rule(fraud_pace *p, size_t i, fraud_pace_count *out)
{
    pthread_mutex_lock(&p->lock);
    bool there = i < p->x.n_rule;
    if (there) *out = p->x.rule[i].count;
    pthread_mutex_unlock(&p->lock);
    return there;
}

/* ---- snapshots ---- */

void *fraud_pace_block(fraud_pace *p, size_t *bytes)
{
    *bytes = sizeof p->x;
    return &p->x;
}

r1_status fraud_pace_check(fraud_pace *p, r1_err *err)
{
    const pace_plain *x = &p->x;
    if (x->version != PACE_VERSION || x->n_rule > FRAUD_PACE_RULES_MAX)
        R1_FAIL(err, R1_E_FORMAT, "expected a distribution of scores of version %llx, found %llx",
                (unsigned long long)PACE_VERSION, (unsigned long long)x->version);
    return R1_OK;
}
