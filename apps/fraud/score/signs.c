/* SPDX-License-Identifier: GPL-3.0-or-later */
/* signs.c - one function for the strength of each sign, one for its words. Strengths are logits
 * above the review line; tests/fraud/behaviour.py holds what they must see and what they must not
 * touch. */
#include "score/signs.h"

#include "payment/currency.h"
#include "r1_assert.h"
#include "score/sample.h"
#include "score/span_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    OUT = 0,
    IN = 1,
    HOUR_MS = 3600000,
    USUAL_MIN = 5,
    PER_MILLE_BELOW = 120,
    WATCHED_DAYS = 14
};
static const double size_band = 0.25;   /* of ln: amounts of one size */
static const double weakest = -2;       /* a sign that is weaker says nothing */
static const double spread_least = 0.3; /* no habit is held for narrower, of ln */

static const char signs_item[] = "signs";

static double sign_clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static double sign_logit(double p) { return log(p / (1 - p)); }

/* ---- capture ---- */

/* The next round limit above an amount that lies just below it; 0: it lies below none. */
static double limit_above(double amount)
{
    static const double steps[] = {1, 3, 5, 10};
    if (amount < 500) return 0;
    const double decade = pow(10, floor(log10(amount)));
    for (size_t i = 0; i < R1_COUNT(steps); i++) {
        const double limit = steps[i] * decade;
        if (limit >= 1000 && amount < limit && amount >= limit * (1 - PER_MILLE_BELOW / 1000.0))
            return limit;
    }
    return 0;
}

typedef struct {
    double n, ln, square;
} sign_moments;

static void moments_add(sign_moments *m, double ln)
{
    m->n++;
    m->ln += ln;
    m->square += ln * ln;
}

static double moments_mean(const sign_moments *m) { return m->n > 0 ? m->ln / m->n : (double)NAN; }

static double moments_sd(const sign_moments *m)
{
    const double mean = moments_mean(m), var = m->n > 0 ? m->square / m->n - mean * mean : 0;
    return sqrt(var > 0 ? var : 0);
}

/* The sender's newest payments out, one by one. */
static void capture_out(const fraud_state *s, uint32_t from, uint32_t to, double ln, fraud_signs *g)
{
    sign_moments hour = {0}, usual = {0};
    double before = 0, days = 1;
    uint64_t seq = s->entity[from].head[OUT];
    g->largest_ln = (double)NAN;
    for (int i = 0; i < FRAUD_SIGN_LOOKS && fraud_state_has(s, seq); i++) {
        const fraud_edge *e = fraud_state_edge(s, seq);
        const int64_t age = s->now - e->ts;
        const double x = (double)e->ln / 1024, amount = (double)e->amount / 100;
        const bool first = s->pair[e->pair].first_ts == e->ts;
        if (first && age < HOUR_MS) g->fresh_1h.n++, g->fresh_1h.sum += amount;
        if (first && age < FRAUD_DAY_MS) g->fresh_1d.n++, g->fresh_1d.sum += amount;
        if (age >= FRAUD_DAY_MS) {
            before += first;
            days = sign_clamp((double)age / (double)FRAUD_DAY_MS - 1, 1, FRAUD_DAYS_28D);
        }
        moments_add(age < HOUR_MS ? &hour : &usual, x);
        if (age >= HOUR_MS && !(x <= g->largest_ln)) g->largest_ln = x;
        if (age < 3 * FRAUD_DAY_MS) {
            g->below += g->limit > 0 && limit_above(amount / s->unit) == g->limit;
            g->forth += e->to == to && fabs(x - ln) < size_band;
        }
        seq = fraud_edge_older(e, seq, OUT);
    }
    g->fresh_a_day = before / days;
    g->hour_n = (uint32_t)hour.n;
    g->usual_n = (uint32_t)usual.n;
    g->hour_ln = moments_mean(&hour);
    g->usual_ln = moments_mean(&usual);
    g->usual_sd = moments_sd(&usual);
}

static void capture_back(const fraud_state *s, uint32_t from, uint32_t to, double ln,
                         fraud_signs *g)
{
    uint64_t seq = s->entity[from].head[IN];
    for (int i = 0; i < FRAUD_SIGN_LOOKS && fraud_state_has(s, seq); i++) {
        const fraud_edge *e = fraud_state_edge(s, seq);
        if (s->now - e->ts >= 3 * FRAUD_DAY_MS) return;
        if (e->from == to && fabs((double)e->ln / 1024 - ln) < size_band && !g->back++)
            g->back_ms = s->now - e->ts;
        seq = fraud_edge_older(e, seq, IN);
    }
}

void fraud_signs_capture(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                         fraud_signs *g)
{
    const int64_t amount = fraud_hundredths(p);
    const double ln = (double)fraud_ln1024(amount) / 1024;
    *g = (fraud_signs){.limit = limit_above((double)amount / 100 / s->unit),
                       .watched = s->seq_next > s->seq_first
                                      ? (double)(s->now - fraud_state_edge(s, s->seq_first)->ts) /
                                            (double)FRAUD_DAY_MS
                                      : 0,
                       .fresh = fraud_state_pair(s, from, to) == FRAUD_NONE};
    capture_out(s, from, to, ln, g);
    if (from != to) capture_back(s, from, to, ln, g);
}

/* ---- strengths ---- */

static double sign_ln(const fraud_explained *x) { return (double)x->facts->ln / 1024; }

/* Of 28 days those for which the sender is known, at least one. */
static double sign_days(const fraud_facts *f)
{
    const double days = (double)f->age_from_ms / (double)FRAUD_DAY_MS;
    return sign_clamp(days, 1, FRAUD_DAYS_28D);
}

/* What the sender pays on a usual day, the last day left out; NaN: it has no usual day. */
static double usual_day(const fraud_facts *f)
{
    const fraud_window *day = &f->from[FRAUD_W_1D][OUT], *month = &f->from[FRAUD_W_28D][OUT];
    const double before = (month->sum - day->sum) / 100;
    if (month->n - day->n < USUAL_MIN || !(before > 0)) return (double)NAN;
    return before / sign_clamp(sign_days(f) - 1, 1, FRAUD_DAYS_28D);
}

/* What it weighs less that an end was never paid before, while the state knows few days. */
static double sign_young(const fraud_signs *g)
{
    return 1.5 * (1 - sign_clamp(g->watched / WATCHED_DAYS, 0, 1));
}

/* k payees that were never paid before, this one among them, and `sum` to them. Who meets many new
 * payees every day meets more of them in an hour. */
static double fresh_strength(const fraud_explained *x, double k, double enough, double sum)
{
    const double day = usual_day(x->facts),
                 times = isnan(day) ? -1.5 : sign_clamp(log(sum / day / 8), -1.5, 1.5);
    return 1.5 * log(k / (enough * (1 + x->signs->fresh_a_day))) + 0.8 * times -
           sign_young(x->signs);
}

static double emptied_strength(const fraud_explained *x)
{
    const fraud_signs *g = x->signs;
    const double amount = x->facts->amount;
    if (!g->fresh) return -INFINITY;
    const double hour = fresh_strength(x, g->fresh_1h.n + 1, 2.5, g->fresh_1h.sum + amount),
                 day = fresh_strength(x, g->fresh_1d.n + 1, 8, g->fresh_1d.sum + amount);
    return hour > day ? hour : day;
}

/* Beyond what varies anyway, and beyond the largest that was. */
static double far_strength(const fraud_explained *x)
{
    const fraud_signs *g = x->signs;
    if (g->usual_n < USUAL_MIN || !g->fresh) return -INFINITY;
    const double sd = g->usual_sd > spread_least ? g->usual_sd : spread_least,
                 over = sign_ln(x) - g->usual_ln - 2 * sd, most = sign_ln(x) - g->largest_ln;
    return 0.9 * (over - log(8)) + 0.3 * (most < 0 ? most : 0) - sign_young(g);
}

/* Small payments within the hour, then one that is many times as large. */
static double tested_strength(const fraud_explained *x)
{
    const fraud_signs *g = x->signs;
    if (g->hour_n < 3) return -INFINITY;
    const double times = sign_ln(x) - g->hour_ln,
                 small = g->usual_n < USUAL_MIN ? 0 : g->usual_ln - g->hour_ln - log(4),
                 large = g->usual_n < USUAL_MIN ? 0 : sign_ln(x) - g->usual_ln - log(3);
    if (small < 0 || large < 0 || times < log(5)) return -INFINITY;
    return 0.5 * log(g->hour_n / 3.0) + 0.6 * (times - log(20));
}

static double limit_strength(const fraud_explained *x)
{
    return x->signs->limit > 0 && x->signs->below ? 0.7 * (x->signs->below - 2.5) : -INFINITY;
}

/* How much larger than usual, within bounds; 0: nothing is usual. */
static double size_strength(const fraud_explained *x, double times)
{
    const fraud_signs *g = x->signs;
    return g->usual_n < USUAL_MIN ? 0 : sign_clamp(sign_ln(x) - g->usual_ln - log(times), -1, 1);
}

static double round_trip_strength(const fraud_explained *x)
{
    const fraud_signs *g = x->signs;
    if (!g->back) return -INFINITY;
    const double turns = g->back + g->forth;
    return 0.8 * (turns < 4 ? turns : 4) - 1.2 + 0.4 * size_strength(x, 5);
}

/* The share of what came in within a day that has gone out since, with this payment. Who is paid
 * often pays on often. */
static double pass_on_share(const fraud_facts *f)
{
    const double in = f->from[FRAUD_W_1D][IN].sum / 100, out = f->from[FRAUD_W_1D][OUT].sum / 100;
    return in > 0 ? (out + f->amount) / in : 0;
}

static double pass_on_strength(const fraud_explained *x)
{
    const fraud_facts *f = x->facts;
    const fraud_signs *g = x->signs;
    const bool cash = x->payment->kind == FRAUD_KIND_CASH;
    if (f->since_in_ms < 0 || !(g->fresh || cash)) return -INFINITY;
    const double in = f->from[FRAUD_W_1D][IN].sum / 100, share = pass_on_share(f),
                 often = f->from[FRAUD_W_7D][IN].n / 3,
                 large = g->usual_n < USUAL_MIN
                             ? -1
                             : sign_clamp(log(in) - g->usual_ln - log(12), -2.5, 0.5),
                 minute = (double)f->since_in_ms < 60000 ? 60000 : (double)f->since_in_ms,
                 fast = sign_clamp(log((double)FRAUD_DAY_MS / minute), 0, 4);
    if (share < 0.05 || share > 1.25 || f->amount < 0.05 * in) return -INFINITY;
    return 2 * ((share < 1 ? share : 1) - 0.75) + 0.35 * (fast - 1) + large -
           0.6 * log(often > 1 ? often : 1) - (cash ? 0 : sign_young(g));
}

static double finding_strength(const fraud_explained *x)
{
    static const double strength[FRAUD_N_TYPOLOGY] = {
        [FRAUD_TYPOLOGY_CYCLE] = 0.2,          [FRAUD_TYPOLOGY_FAN_IN] = -9,
        [FRAUD_TYPOLOGY_FAN_OUT] = -9,         [FRAUD_TYPOLOGY_SCATTER_GATHER] = 0.2,
        [FRAUD_TYPOLOGY_GATHER_SCATTER] = 0.2, [FRAUD_TYPOLOGY_BIPARTITE] = 0.2,
        [FRAUD_TYPOLOGY_STACK] = 0.2};
    double most = -INFINITY;
    for (size_t i = 0; i < x->n_finding; i++) {
        const double s = strength[x->finding[i].typology];
        if (s > most) most = s;
    }
    return most;
}

/* ---- words ---- */

static void emptied_words(const fraud_explained *x, char *text, size_t cap)
{
    const fraud_facts *f = x->facts;
    const bool hour = x->signs->fresh_1h.n >= 2;
    const uint32_t n = (hour ? x->signs->fresh_1h.n : x->signs->fresh_1d.n) + 1;
    const double sum = (hour ? x->signs->fresh_1h.sum : x->signs->fresh_1d.sum) + f->amount,
                 day = usual_day(f);
    char times[16], usual[64] = "";
    if (sum > day)
        snprintf(usual, sizeof usual, ", %s times what it pays on a usual day",
                 fraud_ratio_words(sum / day, times));
    snprintf(text, cap,
             "sender pays %u new payees within %s%s, which it had never paid before: %.2f %s%s", n,
             FRAUD_WINDOW_WORDS[hour ? FRAUD_W_1H : FRAUD_W_1D],
             n > FRAUD_SIGN_LOOKS ? " or more" : "", sum, f->currency, usual);
}

static void far_words(const fraud_explained *x, char *text, size_t cap)
{
    const fraud_facts *f = x->facts;
    char times[16];
    snprintf(text, cap,
             "amount is %s times what the sender usually pays (%.2f %s), to an end that it had "
             "never paid before",
             fraud_ratio_words(exp(sign_ln(x) - x->signs->usual_ln), times),
             exp(x->signs->usual_ln), f->currency);
}

static void tested_words(const fraud_explained *x, char *text, size_t cap)
{
    char times[16];
    snprintf(text, cap,
             "%u payments of about %.2f %s within the last hour, then one %s times as large",
             x->signs->hour_n, exp(x->signs->hour_ln), x->facts->currency,
             fraud_ratio_words(exp(sign_ln(x) - x->signs->hour_ln), times));
}

static void limit_words(const fraud_explained *x, char *text, size_t cap)
{
    const fraud_facts *f = x->facts;
    snprintf(text, cap, "%u payments of the sender within three days lie just below %.0f %s",
             x->signs->below + 1, x->signs->limit * fraud_currency_unit(f->currency), f->currency);
}

static void round_trip_words(const fraud_explained *x, char *text, size_t cap)
{
    const fraud_signs *g = x->signs;
    char ago[24], forth[48] = "";
    if (g->forth)
        snprintf(forth, sizeof forth, ", after %u payment%s this way", g->forth,
                 g->forth > 1 ? "s" : "");
    snprintf(text, cap,
             "money goes back where it came from: %u payment%s of this size the other way within "
             "three days, the last one %s ago%s",
             g->back, g->back > 1 ? "s" : "", fraud_span_words((double)g->back_ms, ago), forth);
}

static void pass_on_words(const fraud_explained *x, char *text, size_t cap)
{
    const fraud_facts *f = x->facts;
    const double share = pass_on_share(f);
    char ago[24], part[24] = "all";
    if (share < 1) snprintf(part, sizeof part, "%.0f %%", 100 * share);
    snprintf(text, cap,
             "%s %s of what came in within a day%s gone out again, the last of it came %s before%s",
             x->payment->kind == FRAUD_KIND_CASH ? "cash-out:" : "passes on:", part,
             share > 1 ? ", and more, has" : " has", fraud_span_words((double)f->since_in_ms, ago),
             x->signs->fresh ? "; this end was never paid before" : "");
}

/* The strongest finding. */
static void finding_words(const fraud_explained *x, char *text, size_t cap)
{
    const fraud_finding *best = x->finding;
    char span[24];
    for (size_t i = 1; i < x->n_finding; i++) {
        const unsigned t = x->finding[i].typology;
        if (t != FRAUD_TYPOLOGY_FAN_IN && t != FRAUD_TYPOLOGY_FAN_OUT) best = &x->finding[i];
    }
    snprintf(text, cap, "closes a %s of %u accounts over %.2f %s within %s",
             fraud_typology_name(best->typology), best->n_account, (double)best->amount_minor / 100,
             x->facts->currency, fraud_span_words((double)(best->ts_last - best->ts_first), span));
}

/* ---- the table ---- */

/* clang-format off */
static const struct {
    const char *code;
    int item; /* of the model, whose evidence it is */
    double (*strength)(const fraud_explained *x);
    void (*words)(const fraud_explained *x, char *text, size_t cap);
} sign_rows[] = {
    {"many_new_payees",   FRAUD_ITEM_SENDER,  emptied_strength,    emptied_words},
    {"amount_far_above",  FRAUD_ITEM_PAYMENT, far_strength,        far_words},
    {"tested_then_large", FRAUD_ITEM_SENDER,  tested_strength,     tested_words},
    {"below_a_limit",     FRAUD_ITEM_SENDER,  limit_strength,      limit_words},
    {"round_trip",        FRAUD_ITEM_PAIR,    round_trip_strength, round_trip_words},
    {"passed_on",         FRAUD_ITEM_SENDER,  pass_on_strength,    pass_on_words},
    {"ring",              FRAUD_ITEM_PATTERN, finding_strength,    finding_words},
};
/* clang-format on */

/* Of the strongest sign; its row, or -1. What is not one customer has no habit. */
static int sign_strongest(const fraud_explained *x, double *strength)
{
    int best = -1;
    *strength = weakest;
    if (x->payment->from_role == FRAUD_ROLE_EXTERNAL) return -1;
    for (int i = 0; i < (int)R1_COUNT(sign_rows); i++) {
        const double s = sign_rows[i].strength(x);
        if (s > *strength) *strength = s, best = i;
    }
    return best;
}

/* The sender pays this end regularly, and in such amounts. */
static bool sign_routine(const fraud_explained *x)
{
    const fraud_facts *f = x->facts;
    const double days = (double)f->age_pair_ms / (double)FRAUD_DAY_MS;
    return f->pair_28d >= 3 && days >= 3 && x->signs->usual_n >= USUAL_MIN && !x->n_finding &&
           !f->from_known.n && !f->to_known.n && sign_ln(x) < x->signs->usual_ln + log(4) &&
           !f->new_device;
}

/* ---- the result ---- */

static double sign_target(const fraud_explained *x, const fraud_result *r)
{
    const double line = sign_logit(FRAUD_SIGN_REVIEW), most = sign_logit(FRAUD_SIGN_MOST);
    double strength, low = -INFINITY, high = INFINITY;
    if (sign_strongest(x, &strength) >= 0) low = sign_clamp(line + strength, -INFINITY, most);
    if (r->n_outside) {
        low = low > line ? low : line;
        high = most;
    } else if (low < line && sign_routine(x)) {
        high = sign_logit(FRAUD_SIGN_ROUTINE);
    }
    return r->logit < low ? low : r->logit > high ? high : r->logit;
}

void fraud_signs_apply(const fraud_explained *x, fraud_result *r)
{
    if (!isfinite(r->logit) || r->amount_max > 0) return;
    const double delta = sign_target(x, r) - r->logit;
    if (delta == 0) return;
    R1_ASSERT(r->n_item < FRAUD_ITEMS_MAX, "signs: %u items", r->n_item);
    r->item[r->n_item].name = signs_item;
    r->item[r->n_item++].delta = delta;
    r->logit += delta;
    r->probability = 1 / (1 + exp(-r->logit));
}

bool fraud_signs_reason(const fraud_explained *x, const fraud_result *r, fraud_reason *out,
                        int *item, bool *strong)
{
    double strength;
    const int i = sign_strongest(x, &strength);
    *out = (fraud_reason){.contribution = 0};
    *strong = strength >= 0;
    if (i < 0 && !r->n_outside) return false;
    if (i < 0) {
        *item = FRAUD_ITEM_SENDER;
        snprintf(out->code, sizeof out->code, "outside_training");
        snprintf(out->text, sizeof out->text,
                 "unsure: %s%s far outside of what the model was trained on", r->outside,
                 r->n_outside > 1 ? " and other figures lie" : " lies");
    } else {
        *item = sign_rows[i].item;
        snprintf(out->code, sizeof out->code, "%s", sign_rows[i].code);
        sign_rows[i].words(x, out->text, sizeof out->text);
    }
    snprintf(out->item, sizeof out->item, "%s", fraud_item_name(*item));
    return true;
}

bool fraud_signs_moved(const fraud_explained *x, const fraud_result *r, fraud_reason *out)
{
    int item;
    bool strong;
    if (!r->n_item || r->item[r->n_item - 1].name != signs_item) return false;
    const double delta = r->item[r->n_item - 1].delta;
    if (delta > 0) {
        const bool any = fraud_signs_reason(x, r, out, &item, &strong);
        R1_ASSERT(any, "signs: %g without a sign", delta);
    } else if (r->n_outside) {
        *out = (fraud_reason){.code = "outside_training"};
        snprintf(out->text, sizeof out->text,
                 "unsure: %s%s far outside of what the model was trained on, so its score counts "
                 "less",
                 r->outside, r->n_outside > 1 ? " and other figures lie" : " lies");
    } else {
        *out = (fraud_reason){.code = "routine"};
        snprintf(out->text, sizeof out->text,
                 "routine: the sender paid this end %.0f times within %s, in amounts like this",
                 x->facts->pair_28d, FRAUD_WINDOW_WORDS[FRAUD_W_28D]);
    }
    snprintf(out->item, sizeof out->item, "%s", signs_item);
    out->contribution = delta;
    return true;
}
