/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unusual.c - one function per item. How far a figure lies off is a difference of logarithms, so
 * that figures of different kinds can be put in order; what is true or false has a distance of its
 * own. */
#include "score/unusual.h"

#include "r1_assert.h"
#include "score/sample.h"
#include "score/span_words.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIGURES_MAX = 12, FIGURE_BYTES = 88, UP = 1, DOWN = -1, YOUNG_DAYS = 7 };
enum { USUAL_MIN = 3 };               /* payments, and days, from which on something is usual */
static const double far_enough = 0.5; /* 1.65 times; what the rules let an amount vary */

typedef struct {
    char text[FIGURE_BYTES];
    double off;
    bool age; /* how long an end is known, which is no habit of it */
} figure;

typedef struct {
    figure f[FIGURES_MAX];
    size_t n;
    double delta;
} figures;

/* A figure that is off by less than far_enough, is missing (NaN) or leans the other way is none. */
__attribute__((format(printf, 4, 5))) static void figure_add(figures *g, double off, int leans,
                                                             const char *format, ...)
{
    va_list args;
    if (!(off >= far_enough) || leans * g->delta <= 0) return;
    R1_ASSERT(g->n < FIGURES_MAX, "figures: %zu", g->n);
    figure *f = &g->f[g->n++];
    f->off = off;
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
}

static float named_column(const fraud_column *column, size_t n, const float *value,
                          const char *name)
{
    size_t i = 0;
    while (i < n && strcmp(column[i].name, name) != 0) i++;
    R1_ASSERT(i < n, "no column %s", name);
    return value[i];
}

/* ---- an end ---- */

static const char *unusual_about(bool aged) { return aged ? "about " : ""; }

/* "this amount is 3.2 times WHAT" */
static void amount_figure(figures *g, double ln_ratio, const char *what)
{
    char times[16];
    figure_add(g, fabs(ln_ratio), ln_ratio > 0 ? UP : DOWN, "this amount is %s times %s",
               fraud_ratio_words(exp(ln_ratio), times), what);
}

/* Of 28 days those that an end or a pair is known for; 0: too few to say what is usual. */
static double usual_days(int64_t age_ms)
{
    const double days = (double)age_ms / (double)FRAUD_DAY_MS;
    return days < USUAL_MIN ? 0 : days < FRAUD_DAYS_28D ? days : FRAUD_DAYS_28D;
}

/* The first payment after a silence, beside the usual time between two of them. */
static void silence_figure(figures *g, double ln1p_hours, double n, double days, bool aged,
                           const char *what)
{
    char since[24], usual[24];
    if (n < USUAL_MIN || days <= 0) return;
    const double gap_ms = days / n * (double)FRAUD_DAY_MS, ms = expm1(ln1p_hours) * 3600000;
    figure_add(g, log(ms / gap_ms), UP, "first %s for %s, usually one in %s%s", what,
               fraud_span_words(ms, since), unusual_about(aged), fraud_span_words(gap_ms, usual));
}

static void burst_figure(figures *g, const fraud_window *day, const fraud_window *month,
                         double days, const char *way)
{
    if (day->n < 2 || days <= 0) return;
    figure_add(g, log1p(day->n) - log1p(month->n / days), UP,
               "%s%.0f payments %s within %s, usually %.1f a day",
               unusual_about(day->aged || month->aged), day->n, way,
               FRAUD_WINDOW_FIGURES[FRAUD_W_1D], month->n / days);
}

static double end_column(const fraud_explained *x, int side, const char *name)
{
    return (double)named_column(FRAUD_END_NUM, FRAUD_N_END_NUM, x->features->end[side], name);
}

/* Of its own direction: what a sender pays, what a receiver gets. */
static void movement_figures(figures *g, const fraud_explained *x, int side)
{
    const fraud_facts *f = x->facts;
    const fraud_window *day = &(side ? f->to : f->from)[FRAUD_W_1D][side],
                       *month = &(side ? f->to : f->from)[FRAUD_W_28D][side];
    const double days = usual_days(side ? f->age_to_ms : f->age_from_ms);
    burst_figure(g, day, month, days, side ? "in" : "out");
    silence_figure(g, end_column(x, side, side ? "since_in" : "since_out"), month->n, days,
                   month->aged, side ? "payment in" : "payment out");
    if (month->n >= USUAL_MIN)
        amount_figure(g, end_column(x, side, side ? "in_over_mean_28d" : "out_over_mean_28d"),
                      side ? "what it usually gets" : "what it usually pays");
}

static void device_figures(figures *g, const fraud_explained *x)
{
    const double km = expm1(end_column(x, 0, "distance")),
                 share = exp(end_column(x, 0, "over_balance"));
    if (x->facts->new_device) figure_add(g, 1.5, UP, "another device than the last");
    if (end_column(x, 0, "new_country") > 0) figure_add(g, 2, UP, "another country than the last");
    if (km > 100) figure_add(g, log(km / 50), UP, "%.0f km from the last place", km);
    if (share > 0.8) figure_add(g, 1, UP, "takes %.0f %% of the balance", 100 * share);
}

static void end_figures(figures *g, const fraud_explained *x, int side)
{
    const fraud_facts *f = x->facts;
    const double age = (double)(side ? f->age_to_ms : f->age_from_ms),
                 young = (double)YOUNG_DAYS * (double)FRAUD_DAY_MS;
    char span[24];
    movement_figures(g, x, side);
    const size_t n = g->n;
    if (side ? f->new_to : f->new_from)
        figure_add(g, 1.5, UP, "no earlier payment %s is held", side ? "in" : "out");
    else if (age > 0)
        figure_add(g, log(young / age), UP, "known for %s", fraud_span_words(age, span));
    for (size_t i = n; i < g->n; i++) g->f[i].age = true;
    if (!side) device_figures(g, x);
}

/* "12 out to 5 ends, 3 in from 1 end", of what is not zero. */
static size_t end_counts(const fraud_window w[2], char *text, size_t cap)
{
    static const char *const way[2] = {"out to", "in from"};
    size_t n = 0;
    *text = 0;
    for (int d = 0; d < 2; d++)
        if (w[d].n > 0.5 && w[d].distinct > 0.5 && n < cap)
            n += (size_t)snprintf(text + n, cap - n, "%s%s%.0f %s %.0f end%s", n ? ", " : "",
                                  unusual_about(w[d].aged), w[d].n, way[d], w[d].distinct,
                                  w[d].distinct < 1.5 ? "" : "s");
    return n;
}

static void end_plain(const fraud_explained *x, int side, char *text, size_t cap)
{
    const fraud_facts *f = x->facts;
    char counts[96];
    if (end_counts(side ? f->to[FRAUD_W_28D] : f->from[FRAUD_W_28D], counts, sizeof counts))
        snprintf(text, cap, "payments of %s: %s", FRAUD_WINDOW_WORDS[FRAUD_W_28D], counts);
    else
        snprintf(text, cap, "no payment of %s is held", FRAUD_WINDOW_WORDS[FRAUD_W_28D]);
}

/* ---- the other items ---- */

static double pair_column(const fraud_explained *x, const char *name)
{
    return (double)named_column(FRAUD_PAIR_NUM, FRAUD_N_PAIR_NUM, x->features->pair, name);
}

static void pair_figures(figures *g, const fraud_explained *x)
{
    const fraud_facts *f = x->facts;
    const uint32_t day = f->pair[FRAUD_W_1D];
    const double back = expm1(pair_column(x, "back_28d"));
    amount_figure(g, pair_column(x, "over_mean"), "what this pair usually pays");
    if (day >= 2)
        figure_add(g, log(day), UP, "%u payments of this pair within %s", day,
                   FRAUD_WINDOW_FIGURES[FRAUD_W_1D]);
    silence_figure(g, pair_column(x, "since"), f->pair_28d, usual_days(f->age_pair_ms),
                   f->pair_aged, "payment of this pair");
    if (back > 0.5)
        figure_add(g, log1p(back), UP, "%.0f payments the other way within %s", back,
                   FRAUD_WINDOW_FIGURES[FRAUD_W_28D]);
}

static double payment_column(const fraud_explained *x, const char *name)
{
    return (double)named_column(FRAUD_PAYMENT_NUM, FRAUD_N_PAYMENT_NUM, x->features->payment, name);
}

static void payment_figures(figures *g, const fraud_explained *x)
{
    const int minute = (int)((x->facts->now + x->facts->local_ms) % FRAUD_DAY_MS / 60000);
    if (payment_column(x, "self") > 0) figure_add(g, 2, UP, "from an account to itself");
    if (payment_column(x, "night") > 0)
        figure_add(g, 1, UP, "at night, %02d:%02d %s", minute / 60, minute % 60,
                   x->facts->local ? "local time" : "UTC");
    if (payment_column(x, "round") >= 3) figure_add(g, 0.6, UP, "a round amount");
}

static void pattern_count(figures *g, double n, double weight, const char *one, const char *more)
{
    if (n >= 1) figure_add(g, weight * log1p(n), UP, "%.0f %s", n, n < 2 ? one : more);
}

static void pattern_figures(figures *g, const fraud_explained *x)
{
    const fraud_patterns *p = &x->features->pattern;
    pattern_count(g, (double)p->cycle2, 3, "circle of two payments", "circles of two payments");
    pattern_count(g, (double)p->cycle3, 3, "circle of three payments", "circles of three payments");
    pattern_count(g, (double)p->cycle4, 3, "circle of four payments", "circles of four payments");
    pattern_count(g, (double)p->parallel, 2, "other end between the two",
                  "other ends between the two");
    pattern_count(g, (double)p->shared_source, 1, "other end with the same source",
                  "other ends with the same source");
    pattern_count(g, (double)p->shared_sink, 1, "other end with the same sink",
                  "other ends with the same sink");
    if (p->depth >= 2)
        figure_add(g, log1p((double)p->depth), UP, "behind a chain of %.0f payments",
                   (double)p->depth);
}

/* Of both ends' last payments, by what fraud_features_ref says of each: a payment between the two
 * is one of each end and counts once. They are in the order of their numbers. */
typedef struct {
    uint32_t all, day, between;
} history_counts;

static history_counts history_of(const fraud_features *c)
{
    history_counts n = {0};
    for (uint32_t i = 0; i < c->n_ref; i++) {
        if (i && c->ref_seq[i] == c->ref_seq[i - 1]) continue;
        n.all++;
        n.day += fraud_bucket_band(c->bucket[i]) == 0;
        n.between += fraud_bucket_same(c->bucket[i]);
    }
    return n;
}

static void history_figures(figures *g, const fraud_explained *x)
{
    const history_counts n = history_of(x->features);
    if (n.day >= 2 && 2 * n.day >= n.all) figure_add(g, 1, UP, "%u of them within a day", n.day);
    if (n.between) figure_add(g, 1, DOWN, "%u of them between these two", n.between);
}

/* ---- words ---- */

/* What the item is, and what it says where nothing stands out. */
static void item_lead(const fraud_explained *x, int item, char *lead, size_t cap)
{
    const fraud_features *c = x->features;
    switch (item) {
    case FRAUD_ITEM_SENDER: snprintf(lead, cap, "sender"); break;
    case FRAUD_ITEM_RECEIVER: snprintf(lead, cap, "receiver"); break;
    case FRAUD_ITEM_PAIR: snprintf(lead, cap, "pair of sender and receiver"); break;
    case FRAUD_ITEM_PATTERN: snprintf(lead, cap, "shapes that this payment closes"); break;
    case FRAUD_ITEM_GRAPH:
        if (c->n_edge > 1)
            snprintf(lead, cap, "network of %u %s among %u ends around this one", c->n_edge - 1,
                     c->n_edge > 2 ? "payments" : "payment", c->n_node);
        else
            snprintf(lead, cap, "no other payment around both ends");
        break;
    case FRAUD_ITEM_HISTORY:
        if (c->n_ref)
            snprintf(lead, cap, "last %u %s of both ends", history_of(c).all,
                     history_of(c).all > 1 ? "payments" : "payment");
        else
            snprintf(lead, cap, "no earlier payment of either end is held");
        break;
    case FRAUD_ITEM_TEXT:
        snprintf(lead, cap,
                 *x->payment->text ? "words of the remittance text" : "no remittance text");
        break;
    default: snprintf(lead, cap, "payment"); break;
    }
}

static void item_plain(const fraud_explained *x, int item, double delta, char *text, size_t cap)
{
    const fraud_patterns *p = &x->features->pattern;
    *text = 0;
    if (item == FRAUD_ITEM_SENDER || item == FRAUD_ITEM_RECEIVER)
        end_plain(x, item == FRAUD_ITEM_RECEIVER, text, cap);
    else if (item == FRAUD_ITEM_PATTERN && delta < 0 && !(p->cycle2 + p->cycle3 + p->cycle4 > 0))
        snprintf(text, cap, "no circle of two to four payments was found");
    else if (item == FRAUD_ITEM_PAYMENT)
        snprintf(text, cap, "its amount, time and kind taken together");
    else if (item == FRAUD_ITEM_PAIR || item == FRAUD_ITEM_PATTERN)
        snprintf(text, cap, "its figures taken together");
}

static void item_figures(figures *g, const fraud_explained *x, int item)
{
    switch (item) {
    case FRAUD_ITEM_SENDER: end_figures(g, x, 0); break;
    case FRAUD_ITEM_RECEIVER: end_figures(g, x, 1); break;
    case FRAUD_ITEM_PAIR: pair_figures(g, x); break;
    case FRAUD_ITEM_PATTERN: pattern_figures(g, x); break;
    case FRAUD_ITEM_HISTORY: history_figures(g, x); break;
    case FRAUD_ITEM_PAYMENT: payment_figures(g, x); break;
    default: break;
    }
}

/* The furthest that is left; of equal ones the first. NULL: none. */
static figure *figure_next(figures *g)
{
    figure *best = NULL;
    for (size_t i = 0; i < g->n; i++)
        if (g->f[i].off > 0 && (!best || g->f[i].off > best->off)) best = &g->f[i];
    return best;
}

bool fraud_unusual_words(const fraud_explained *x, int item, double delta, char *text, size_t cap)
{
    figures g = {.delta = delta};
    char plain[FRAUD_REASON_TEXT_BYTES];
    item_lead(x, item, text, cap);
    item_figures(&g, x, item);
    item_plain(x, item, delta, plain, sizeof plain);
    size_t n = strlen(text), shown = 0, habits = 0;
    for (figure *f; shown < FRAUD_UNUSUAL_SHOWN && (f = figure_next(&g)); f->off = 0) {
        if (n + strlen(f->text) + 2 >= cap) continue;
        n += (size_t)snprintf(text + n, cap - n, "%s%s", shown ? "; " : ": ", f->text);
        shown++;
        habits += !f->age;
    }
    if (!shown && *plain) snprintf(text + n, cap - n, ": %s", plain);
    return habits > 0;
}
