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

enum { FIGURES_MAX = 12, FIGURE_BYTES = 88, UP = 1, DOWN = -1, USUAL_MIN = 3, YOUNG_DAYS = 7 };
static const double far_enough = 0.5; /* 1.65 times; what the rules let an amount vary */

typedef struct {
    char text[FIGURE_BYTES];
    double off;
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

/* The first payment after a silence, beside the usual time between two of them. */
static void silence_figure(figures *g, double hours, double n_28d, const char *what)
{
    char since[24], usual[24];
    const double gap_ms = (double)FRAUD_WINDOW_MS[FRAUD_W_28D] / n_28d, ms = hours * 3600000;
    if (n_28d >= USUAL_MIN)
        figure_add(g, log(ms / gap_ms), UP, "first %s for %s, usually one in %s", what,
                   fraud_span_words(ms, since), fraud_span_words(gap_ms, usual));
}

static void movement_figures(figures *g, const fraud_window w[FRAUD_N_WINDOW][2], int own,
                             const float *end)
{
    static const char *const way[2] = {"out", "in"};
    const fraud_window *day = &w[FRAUD_W_1D][own], *month = &w[FRAUD_W_28D][own];
    char what[24];
    if (day->n >= 2)
        figure_add(g, log1p(day->n) - log1p(month->n / FRAUD_DAYS_28D), UP,
                   "%s%.0f payments %s within %s, usually %.1f a day",
                   unusual_about(day->aged || month->aged), day->n, way[own],
                   FRAUD_WINDOW_FIGURES[FRAUD_W_1D], month->n / FRAUD_DAYS_28D);
    snprintf(what, sizeof what, "payment %s", way[own]);
    silence_figure(g,
                   expm1((double)named_column(FRAUD_END_NUM, FRAUD_N_END_NUM, end,
                                              own ? "since_in" : "since_out")),
                   month->n, what);
    if (month->n >= USUAL_MIN)
        amount_figure(g,
                      (double)named_column(FRAUD_END_NUM, FRAUD_N_END_NUM, end,
                                           own ? "in_over_mean_28d" : "out_over_mean_28d"),
                      own ? "what it usually gets" : "what it usually pays");
}

static void device_figures(figures *g, const fraud_explained *x)
{
    const float *end = x->features->end[0];
    double km = expm1((double)named_column(FRAUD_END_NUM, FRAUD_N_END_NUM, end, "distance"));
    double share = exp((double)named_column(FRAUD_END_NUM, FRAUD_N_END_NUM, end, "over_balance"));
    if (x->facts->new_device) figure_add(g, 1.5, UP, "another device than the last");
    if (named_column(FRAUD_END_NUM, FRAUD_N_END_NUM, end, "new_country") > 0)
        figure_add(g, 2, UP, "another country than the last");
    if (km > 100) figure_add(g, log(km / 50), UP, "%.0f km from the last place", km);
    if (share > 0.8) figure_add(g, 1, UP, "takes %.0f %% of the balance", 100 * share);
}

static void end_figures(figures *g, const fraud_explained *x, int side)
{
    const fraud_facts *f = x->facts;
    const double age = (double)(side ? f->age_to_ms : f->age_from_ms),
                 young = (double)YOUNG_DAYS * (double)FRAUD_DAY_MS;
    char span[24];
    movement_figures(g, side ? f->to : f->from, side, x->features->end[side]);
    if (side ? f->new_to : f->new_from)
        figure_add(g, 1.5, UP, "no earlier payment %s is held", side ? "in" : "out");
    else if (age > 0)
        figure_add(g, log(young / age), UP, "known for %s", fraud_span_words(age, span));
    if (!side) device_figures(g, x);
}

/* " 12 out to 5 ends," of what is not zero. */
static size_t end_counts(const fraud_window w[2], char *text, size_t cap)
{
    static const char *const way[2] = {"out to", "in from"};
    size_t n = 0;
    *text = 0;
    for (int d = 0; d < 2; d++)
        if (w[d].n > 0.5 && w[d].distinct > 0.5 && n < cap)
            n += (size_t)snprintf(text + n, cap - n, "%s%s%.0f %s %.0f ends", n ? ", " : "",
                                  unusual_about(w[d].aged), w[d].n, way[d], w[d].distinct);
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

static void pair_figures(figures *g, const fraud_explained *x)
{
    const fraud_facts *f = x->facts;
    const float *pair = x->features->pair;
    const uint32_t day = f->pair[FRAUD_W_1D];
    double back = expm1((double)named_column(FRAUD_PAIR_NUM, FRAUD_N_PAIR_NUM, pair, "back_28d"));
    amount_figure(g, (double)named_column(FRAUD_PAIR_NUM, FRAUD_N_PAIR_NUM, pair, "over_mean"),
                  "what this pair usually pays");
    if (day >= 2)
        figure_add(g, log(day), UP, "%u payments of this pair within %s", day,
                   FRAUD_WINDOW_FIGURES[FRAUD_W_1D]);
    silence_figure(g, expm1((double)named_column(FRAUD_PAIR_NUM, FRAUD_N_PAIR_NUM, pair, "since")),
                   f->pair_28d, "payment of this pair");
    if (back > 0.5)
        figure_add(g, log1p(back), UP, "%.0f payments the other way within %s", back,
                   FRAUD_WINDOW_FIGURES[FRAUD_W_28D]);
}

static void payment_figures(figures *g, const fraud_explained *x)
{
    const float *c = x->features->payment;
    const int minute = (int)(x->facts->now % FRAUD_DAY_MS / 60000);
    if (named_column(FRAUD_PAYMENT_NUM, FRAUD_N_PAYMENT_NUM, c, "self") > 0)
        figure_add(g, 2, UP, "from an account to itself");
    if (named_column(FRAUD_PAYMENT_NUM, FRAUD_N_PAYMENT_NUM, c, "night") > 0)
        figure_add(g, 1, UP, "at night, %02d:%02d UTC", minute / 60, minute % 60);
    if (named_column(FRAUD_PAYMENT_NUM, FRAUD_N_PAYMENT_NUM, c, "round") >= 3)
        figure_add(g, 0.6, UP, "a round amount");
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
    default:
        snprintf(lead, cap, "%s of %.2f %s", fraud_kind_name(x->payment->kind), x->facts->amount,
                 x->facts->currency);
        break;
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

void fraud_unusual_words(const fraud_explained *x, int item, double delta, char *text, size_t cap)
{
    figures g = {.delta = delta};
    char plain[FRAUD_REASON_TEXT_BYTES];
    item_lead(x, item, text, cap);
    item_figures(&g, x, item);
    item_plain(x, item, delta, plain, sizeof plain);
    size_t n = strlen(text), shown = 0;
    for (figure *f; shown < FRAUD_UNUSUAL_SHOWN && (f = figure_next(&g)); f->off = 0) {
        if (n + strlen(f->text) + 2 >= cap) continue;
        n += (size_t)snprintf(text + n, cap - n, "%s%s", shown ? "; " : ": ", f->text);
        shown++;
    }
    if (!shown && *plain) snprintf(text + n, cap - n, ": %s", plain);
}
