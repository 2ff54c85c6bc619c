/* SPDX-License-Identifier: GPL-3.0-or-later */
/* columns.c - the tables of columns, and what fills them from the state. Nothing here changes
 * state.
 *
 * Each table is one list: a row is a column's name and the expression that fills it, over a view
 * `v` that is made once per payment. The list makes the array of names and the code that fills
 * the numbers, so the two cannot differ in order. */
#include "features/columns.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOUR_MS = 3600000,
    OUT = 0, /* directions of an end's payments */
    IN = 1,
    RECENT = 32,       /* newest payments whose median and maximum are taken */
    MATCH_NEAR = 16,   /* newest payments among which a match is looked for */
    Z_SCORE_MIN = 3,   /* payments below which an end has no usual amount */
    NIGHT_ENDS = 6,    /* hour */
    SATURDAY = 5,      /* of 0 = Monday */
    HISTORY_ROLES = 4, /* sender's out, sender's in, receiver's out, receiver's in */
    HISTORY_BANDS = 4, /* of age: a day, a week, 28 days, more */
    EGO_NEAR = 6,      /* payments of each direction of both ends in the ego network */
    EGO_FAR = 2        /* of their other ends */
};

/* A list's rows as an array of fraud_column, as their number, and as assignments. */
#define AS_NAME(name, value)              {name, 0},
#define AS_COUNT(name, value)             +1
#define AS_FILL(name, value)              *out++ = (value);
#define AS_CATEGORY(name, n, value)       {name, n},
#define AS_CATEGORY_COUNT(name, n, value) +1
#define AS_CATEGORY_FILL(name, n, value)  *out++ = category_checked(value, n, name);

static int32_t category_checked(int32_t value, int n, const char *name)
{
    R1_ASSERT(value >= -1 && value < n, "column %s: %d of %d", name, (int)value, n);
    return value;
}

static float columns_ln1p(double x) { return (float)log1p(x); }
static float columns_hours(int64_t now, int64_t ts)
{
    return ts < 0 ? NAN : columns_ln1p((double)(now - ts) / HOUR_MS);
}
static double ln_of(int32_t ln1024) { return (double)ln1024 / 1024.0; }

typedef struct {
    double hour;
    int weekday, month_day; /* 0 = Monday */
} clock_parts;

static clock_parts clock_of(int64_t ts)
{
    int64_t day = ts / FRAUD_DAY_MS; /* 1970-01-01 was a Thursday */
    int64_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    return (clock_parts){(double)(ts % FRAUD_DAY_MS) / HOUR_MS, (int)((day + 3) % 7),
                         (int)(doy - (153 * mp + 2) / 5 + 1)};
}

/* What a clock on the wall of the customers shows. */
static clock_parts clock_local(const fraud_state *s, int64_t ts)
{
    return clock_of(ts + fraud_state_local(s, ts));
}

/* How round an amount is: 0 = cents, 1 = whole, 2 = tens, 3 = hundreds, 4 = thousands. */
static float columns_roundness(int64_t hundredths)
{
    int level = 0;
    for (int64_t unit = 100; level < 4 && hundredths % unit == 0; unit *= 10) level++;
    return (float)level;
}

static int32_t word_category(const char *word, int n)
{
    return *word ? (int32_t)(r1_hash64(word, strlen(word), 3) % (uint64_t)n) : -1;
}

/* ---- the payment ----------------------------------------------------------------------------- */

typedef struct {
    const fraud_payment *p;
    int64_t amount; /* hundredths of the unit that models know */
    clock_parts c;
} payment_view;

/* Amounts of currencies with a small unit, in the unit that models know: at least a hundredth. */
static int64_t columns_scaled(const fraud_state *s, int64_t hundredths)
{
    if (s->unit == 1) return hundredths;
    int64_t x = llround((double)hundredths / s->unit);
    return x > 0 ? x : 1;
}

/* A logarithm of an amount in that unit. */
static double columns_ln_unit(const fraud_state *s) { return s->unit == 1 ? 0 : log(s->unit); }

/* clang-format off */
#define PAYMENT_NUMBERS(X)                                   \
    X("amount",     (float)ln_of(fraud_ln1024(v->amount)))   \
    X("hour",       (float)v->c.hour)                        \
    X("hour_sin",   (float)sin(v->c.hour * M_PI / 12))       \
    X("hour_cos",   (float)cos(v->c.hour * M_PI / 12))       \
    X("weekday",    (float)v->c.weekday)                     \
    X("month_day",  (float)v->c.month_day)                   \
    X("cents",      (float)(v->amount % 100))                \
    X("round",      columns_roundness(v->amount))            \
    X("text_bytes", (float)strlen(v->p->text))               \
    X("night",      v->c.hour < NIGHT_ENDS)                  \
    X("self",       !strcmp(v->p->from, v->p->to))

#define PAYMENT_CATEGORIES(X)                                               \
    X("kind",       FRAUD_N_KIND, v->p->kind)                               \
    X("from_role",  FRAUD_N_ROLE, v->p->from_role)                          \
    X("to_role",    FRAUD_N_ROLE, v->p->to_role)                            \
    X("currency",   32,           word_category(v->p->currency, 32))        \
    X("channel",    16,           word_category(v->p->channel, 16))         \
    X("category",   64,           word_category(v->p->category, 64))        \
    X("country",    64,           word_category(v->p->country, 64))         \
    X("weekend",    2,            v->c.weekday >= SATURDAY)
/* clang-format on */

const fraud_column FRAUD_PAYMENT_NUM[] = {PAYMENT_NUMBERS(AS_NAME)};
const fraud_column FRAUD_PAYMENT_CAT[] = {PAYMENT_CATEGORIES(AS_CATEGORY)};
_Static_assert(0 PAYMENT_NUMBERS(AS_COUNT) == FRAUD_N_PAYMENT_NUM, "columns.h says how many");
_Static_assert(0 PAYMENT_CATEGORIES(AS_CATEGORY_COUNT) == FRAUD_N_PAYMENT_CAT,
               "columns.h says how many");

static void payment_columns(const fraud_state *s, const fraud_payment *p, fraud_features *f)
{
    const payment_view view = {p, columns_scaled(s, fraud_hundredths(p)), clock_local(s, s->now)},
                       *v = &view;
    {
        float *out = f->payment;
        PAYMENT_NUMBERS(AS_FILL)
        R1_ASSERT(out == f->payment + FRAUD_N_PAYMENT_NUM, "payment columns: filled %td",
                  out - f->payment);
    }
    int32_t *out = f->payment_cat;
    PAYMENT_CATEGORIES(AS_CATEGORY_FILL)
    R1_ASSERT(out == f->payment_cat + FRAUD_N_PAYMENT_CAT, "payment categories: filled %td",
              out - f->payment_cat);
}

/* ---- one end --------------------------------------------------------------------------------- */

typedef struct { /* over the newest RECENT payments of the end's own direction */
    float over_median, over_max, large, gap;
} recent_view;

typedef struct { /* the payment of the opposite direction that is nearest in amount */
    float ratio, age;
} match_view;

typedef struct {
    int64_t now;
    const fraud_payment *p;
    const fraud_entity *e;
    int side;  /* 0 the sender, 1 the receiver; its own direction, OUT or IN */
    double ln; /* of the new amount */
    /* What divides sums, in hundredths, into the unit that models know; its logarithm beside a
     * hundred's. */
    double per, ln_unit;
    fraud_window w[FRAUD_N_WINDOW][2];
    float balance;
    recent_view recent;
    match_view match;
} end_view;

static const fraud_window *window_of(const end_view *v, int window, int direction)
{
    return &v->w[window][direction];
}

static float end_n(const end_view *v, int window, int direction)
{
    return columns_ln1p(window_of(v, window, direction)->n);
}

static float end_sum(const end_view *v, int window, int direction)
{
    return columns_ln1p(window_of(v, window, direction)->sum / v->per);
}

static float end_distinct(const end_view *v, int window, int direction)
{
    return columns_ln1p(window_of(v, window, direction)->distinct);
}

static double mean_ln(const fraud_window *w) { return w->n > 0 ? w->ln / w->n / 1024 : NAN; }

static float end_over_mean(const end_view *v, int window, int direction)
{
    return (float)(v->ln - mean_ln(window_of(v, window, direction)));
}

static float end_z(const end_view *v, int window, int direction)
{
    const fraud_window *w = window_of(v, window, direction);
    if (w->n < Z_SCORE_MIN) return NAN;
    double mean = mean_ln(w), var = w->ln_square / w->n / (1024.0 * 1024.0) - mean * mean;
    return (float)((v->ln - mean) / (sqrt(var > 0 ? var : 0) + 0.1));
}

/* What went out over what came in. */
static float end_through(const end_view *v, int window)
{
    const fraud_window *w = v->w[window];
    if (!(w[OUT].n + w[IN].n > 0)) return NAN;
    return columns_ln1p(w[OUT].sum / v->per) - columns_ln1p(w[IN].sum / v->per);
}

static float end_net(const end_view *v, int window)
{
    const fraud_window *w = v->w[window];
    double all = w[OUT].sum + w[IN].sum;
    return all > 0 ? (float)((w[IN].sum - w[OUT].sum) / all) : NAN;
}

static float end_since(const end_view *v, int64_t ts) { return columns_hours(v->now, ts); }

static float end_spread(const end_view *v, int window, int direction)
{
    const fraud_window *w = window_of(v, window, direction);
    return w->n > 0 ? (float)log(w->distinct / w->n) : NAN;
}

/* The last day against the usual day. */
static float end_burst(const end_view *v, int direction)
{
    return (float)(columns_ln1p(window_of(v, FRAUD_W_1D, direction)->n) -
                   columns_ln1p(window_of(v, FRAUD_W_28D, direction)->n / FRAUD_DAYS_28D));
}

static float end_since_known(const end_view *v, int direction, bool first)
{
    const fraud_known *known = &v->e->known[direction];
    return known->n ? end_since(v, first ? known->first_ts : known->last_ts) : NAN;
}

static float end_known_share(const end_view *v, int direction)
{
    const fraud_known *known = &v->e->known[direction];
    return known->n ? (float)((double)known->n / (double)(known->n_since_first + 1)) : 0.0f;
}

static float end_fraud_share(const end_view *v, int window, int direction)
{
    const fraud_window *w = window_of(v, window, direction);
    return w->n > 0 ? (float)(w->fraud / w->n) : 0.0f;
}

static float columns_changed(uint64_t last, const char *word)
{
    if (!last || !*word) return NAN;
    return (r1_hash64(word, strlen(word), 1) | 1) != last;
}

/* Kilometres from the sender's last place. */
static float columns_distance(const fraud_entity *e, const fraud_payment *p)
{
    if (!(p->has & FRAUD_HAS_POSITION) || isnan(e->lat)) return NAN;
    double rad = M_PI / 180,
           x = ((double)p->lon - (double)e->lon) * cos(((double)p->lat + (double)e->lat) * rad / 2);
    double y = (double)p->lat - (double)e->lat;
    return columns_ln1p(sqrt(x * x + y * y) * 111.2);
}

/* clang-format off */
#define END_NUMBERS(X)                                                                 \
    X("out_n_1h",              end_n(v, FRAUD_W_1H, OUT))                              \
    X("out_sum_1h",            end_sum(v, FRAUD_W_1H, OUT))                            \
    X("out_distinct_1h",       end_distinct(v, FRAUD_W_1H, OUT))                       \
    X("in_n_1h",               end_n(v, FRAUD_W_1H, IN))                               \
    X("in_sum_1h",             end_sum(v, FRAUD_W_1H, IN))                             \
    X("in_distinct_1h",        end_distinct(v, FRAUD_W_1H, IN))                        \
    X("out_n_1d",              end_n(v, FRAUD_W_1D, OUT))                              \
    X("out_sum_1d",            end_sum(v, FRAUD_W_1D, OUT))                            \
    X("out_distinct_1d",       end_distinct(v, FRAUD_W_1D, OUT))                       \
    X("in_n_1d",               end_n(v, FRAUD_W_1D, IN))                               \
    X("in_sum_1d",             end_sum(v, FRAUD_W_1D, IN))                             \
    X("in_distinct_1d",        end_distinct(v, FRAUD_W_1D, IN))                        \
    X("out_n_3d",              end_n(v, FRAUD_W_3D, OUT))                              \
    X("out_sum_3d",            end_sum(v, FRAUD_W_3D, OUT))                            \
    X("out_distinct_3d",       end_distinct(v, FRAUD_W_3D, OUT))                       \
    X("in_n_3d",               end_n(v, FRAUD_W_3D, IN))                               \
    X("in_sum_3d",             end_sum(v, FRAUD_W_3D, IN))                             \
    X("in_distinct_3d",        end_distinct(v, FRAUD_W_3D, IN))                        \
    X("out_n_7d",              end_n(v, FRAUD_W_7D, OUT))                              \
    X("out_sum_7d",            end_sum(v, FRAUD_W_7D, OUT))                            \
    X("out_distinct_7d",       end_distinct(v, FRAUD_W_7D, OUT))                       \
    X("in_n_7d",               end_n(v, FRAUD_W_7D, IN))                               \
    X("in_sum_7d",             end_sum(v, FRAUD_W_7D, IN))                             \
    X("in_distinct_7d",        end_distinct(v, FRAUD_W_7D, IN))                        \
    X("out_n_28d",             end_n(v, FRAUD_W_28D, OUT))                             \
    X("out_sum_28d",           end_sum(v, FRAUD_W_28D, OUT))                           \
    X("out_distinct_28d",      end_distinct(v, FRAUD_W_28D, OUT))                      \
    X("in_n_28d",              end_n(v, FRAUD_W_28D, IN))                              \
    X("in_sum_28d",            end_sum(v, FRAUD_W_28D, IN))                            \
    X("in_distinct_28d",       end_distinct(v, FRAUD_W_28D, IN))                       \
    X("out_over_mean_28d",     end_over_mean(v, FRAUD_W_28D, OUT))                     \
    X("in_over_mean_28d",      end_over_mean(v, FRAUD_W_28D, IN))                      \
    X("out_z_28d",             end_z(v, FRAUD_W_28D, OUT))                             \
    X("in_z_28d",              end_z(v, FRAUD_W_28D, IN))                              \
    X("out_over_mean_7d",      end_over_mean(v, FRAUD_W_7D, OUT))                      \
    X("in_over_mean_7d",       end_over_mean(v, FRAUD_W_7D, IN))                       \
    X("over_median",           v->recent.over_median)                                  \
    X("over_max",              v->recent.over_max)                                     \
    X("large_recent",          v->recent.large)                                        \
    X("through_1d",            end_through(v, FRAUD_W_1D))                             \
    X("through_3d",            end_through(v, FRAUD_W_3D))                             \
    X("through_7d",            end_through(v, FRAUD_W_7D))                             \
    X("through_28d",           end_through(v, FRAUD_W_28D))                            \
    X("net_28d",               end_net(v, FRAUD_W_28D))                                \
    X("since_out",             end_since(v, v->e->last_ts[OUT]))                       \
    X("since_in",              end_since(v, v->e->last_ts[IN]))                        \
    X("gap",                   v->recent.gap)                                          \
    X("age",                   end_since(v, v->e->first_ts))                           \
    X("total_out",             columns_ln1p((double)v->e->total[OUT]))                 \
    X("total_in",              columns_ln1p((double)v->e->total[IN]))                  \
    X("match_ratio",           v->match.ratio)                                         \
    X("match_age",             v->match.age)                                           \
    X("spread_out",            end_spread(v, FRAUD_W_28D, OUT))                        \
    X("spread_in",             end_spread(v, FRAUD_W_28D, IN))                         \
    X("burst_out",             end_burst(v, OUT))                                      \
    X("burst_in",              end_burst(v, IN))                                       \
    X("known_out",             columns_ln1p(v->e->known[OUT].n))                       \
    X("known_in",              columns_ln1p(v->e->known[IN].n))                        \
    X("since_first_known_out", end_since_known(v, OUT, true))                          \
    X("since_first_known_in",  end_since_known(v, IN, true))                           \
    X("since_last_known_out",  end_since_known(v, OUT, false))                         \
    X("since_last_known_in",   end_since_known(v, IN, false))                          \
    X("known_share_out",       end_known_share(v, OUT))                                \
    X("known_share_in",        end_known_share(v, IN))                                 \
    X("known_7d_out",          end_fraud_share(v, FRAUD_W_7D, OUT))                    \
    X("known_7d_in",           end_fraud_share(v, FRAUD_W_7D, IN))                     \
    X("known_28d_out",         end_fraud_share(v, FRAUD_W_28D, OUT))                   \
    X("known_28d_in",          end_fraud_share(v, FRAUD_W_28D, IN))                    \
    X("new_device",            v->side ? NAN : columns_changed(v->e->device, v->p->device))    \
    X("new_country",           v->side ? NAN : columns_changed(v->e->country, v->p->country))  \
    X("distance",              v->side ? NAN : columns_distance(v->e, v->p))           \
    X("balance",               v->balance)                                             \
    X("over_balance",          (float)(v->ln - v->ln_unit - (double)v->balance))
/* clang-format on */

const fraud_column FRAUD_END_NUM[] = {END_NUMBERS(AS_NAME)};
_Static_assert(0 END_NUMBERS(AS_COUNT) == FRAUD_N_END_NUM, "columns.h says how many");

static int compare_int(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static recent_view recent_of(const fraud_state *s, const fraud_entity *e, int direction, double ln)
{
    int32_t amount[RECENT], sorted[RECENT];
    int64_t ts[RECENT];
    int n = 0;
    for (uint64_t seq = e->head[direction]; n < RECENT && fraud_state_has(s, seq);) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        amount[n] = sorted[n] = edge->ln;
        ts[n++] = edge->ts;
        seq = fraud_edge_older(edge, seq, direction);
    }
    if (!n) return (recent_view){NAN, NAN, NAN, NAN};
    qsort(sorted, (size_t)n, sizeof *sorted, compare_int);
    int32_t median = sorted[n / 2];
    double large = 0;
    for (int i = 0; i < n; i++)
        large += ts[i] > s->now - FRAUD_WINDOW_MS[FRAUD_W_7D] && amount[i] > median + 1024;
    return (recent_view){.over_median = (float)(ln - ln_of(median)),
                         .over_max = (float)(ln - ln_of(sorted[n - 1])),
                         .large = columns_ln1p(large),
                         .gap = n > 1 ? columns_hours(ts[0], ts[1]) : NAN};
}

static match_view match_of(const fraud_state *s, const fraud_entity *e, int direction, double ln)
{
    double best = INFINITY;
    int64_t ts = 0;
    uint64_t seq = e->head[direction];
    for (int i = 0; i < MATCH_NEAR && fraud_state_has(s, seq); i++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if (edge->ts <= s->now - FRAUD_WINDOW_MS[FRAUD_W_28D]) break;
        if (fabs(ln - ln_of(edge->ln)) < best) best = fabs(ln - ln_of(edge->ln)), ts = edge->ts;
        seq = fraud_edge_older(edge, seq, direction);
    }
    if (isinf(best)) return (match_view){NAN, NAN};
    return (match_view){(float)best, columns_hours(s->now, ts)};
}

static float balance_of(const fraud_state *s, const fraud_payment *p, int side)
{
    if (!(p->has & (side ? FRAUD_HAS_TO_BALANCE : FRAUD_HAS_FROM_BALANCE))) return NAN;
    double unit = pow(10, p->minor_digits) * s->unit,
           balance = (double)(side ? p->to_balance_minor : p->from_balance_minor) / unit;
    return columns_ln1p(balance > 0 ? balance : 0);
}

static void end_columns(const fraud_state *s, const fraud_payment *p, uint32_t i, int side,
                        double ln, float *columns)
{
    const fraud_entity *e = &s->entity[i];
    end_view view = {.now = s->now,
                     .p = p,
                     .e = e,
                     .side = side,
                     .ln = ln,
                     .per = 100 * s->unit,
                     .ln_unit = columns_ln_unit(s),
                     .balance = balance_of(s, p, side),
                     .recent = recent_of(s, e, side, ln),
                     .match = match_of(s, e, !side, ln)};
    for (int k = 0; k < FRAUD_N_WINDOW; k++)
        for (int d = 0; d < 2; d++) view.w[k][d] = fraud_state_window(s, i, k, d);
    const end_view *v = &view;
    float *out = columns;
    END_NUMBERS(AS_FILL)
    R1_ASSERT(out == columns + FRAUD_N_END_NUM, "end columns: filled %td", out - columns);
}

/* ---- the pair -------------------------------------------------------------------------------- */

typedef struct {
    int64_t now;
    const fraud_pair *pair, *back; /* of the two ends; of the opposite direction */
    /* Of the pair, and of the other way; NaN: missing. */
    double n[FRAUD_N_WINDOW], n_back[FRAUD_N_WINDOW], sum28, total;
    double n_out, n_in; /* payments within 28 days, sender's and receiver's */
    double ln, per;     /* as of an end */
} pair_view;

static float pair_over_mean(const pair_view *v)
{
    const double n = v->n[FRAUD_W_28D];
    return n > 0 ? (float)(v->ln - log(v->sum28 / 100 / n)) : NAN;
}

static float pair_share(const pair_view *v, double of)
{
    return of > 0 ? (float)(v->n[FRAUD_W_28D] / of) : NAN;
}

/* clang-format off */
#define PAIR_NUMBERS(X)                                                 \
    X("n_1h",       columns_ln1p(v->n[FRAUD_W_1H]))                     \
    X("n_1d",       columns_ln1p(v->n[FRAUD_W_1D]))                     \
    X("n_3d",       columns_ln1p(v->n[FRAUD_W_3D]))                     \
    X("n_7d",       columns_ln1p(v->n[FRAUD_W_7D]))                     \
    X("n_28d",      columns_ln1p(v->n[FRAUD_W_28D]))                    \
    X("sum_28d",    columns_ln1p(v->sum28 / v->per))                    \
    X("total",      columns_ln1p(v->total))                             \
    X("since",      columns_hours(v->now, v->pair->last_ts))            \
    X("age",        columns_hours(v->now, v->pair->first_ts))           \
    X("back_7d",    columns_ln1p(v->n_back[FRAUD_W_7D]))                \
    X("back_28d",   columns_ln1p(v->n_back[FRAUD_W_28D]))               \
    X("since_back", columns_hours(v->now, v->back->last_ts))            \
    X("over_mean",  pair_over_mean(v))                                  \
    X("share_out",  pair_share(v, v->n_out))                            \
    X("share_in",   pair_share(v, v->n_in))                             \
    X("fresh",      isnan(v->total) ? NAN : v->total == 0)
/* clang-format on */

const fraud_column FRAUD_PAIR_NUM[] = {PAIR_NUMBERS(AS_NAME)};
_Static_assert(0 PAIR_NUMBERS(AS_COUNT) == FRAUD_N_PAIR_NUM, "columns.h says how many");

/* A pair without a row has not paid, or its row may have been evicted within the window: then it is
 * missing. */
static double pair_count_of(const fraud_state *s, uint32_t i, int k, int64_t since)
{
    if (i != FRAUD_NONE) return fraud_pair_n(s, i, k);
    return since > s->now - FRAUD_WINDOW_MS[k] ? NAN : 0;
}

static void pair_columns(const fraud_state *s, uint32_t from, uint32_t to, double ln,
                         float *columns)
{
    static const fraud_pair none = {.last_ts = -1, .first_ts = -1};
    uint32_t i = fraud_state_pair(s, from, to), b = fraud_state_pair(s, to, from);
    const int64_t since = fraud_pair_since(s, from, to);
    pair_view view = {.now = s->now,
                      .pair = i == FRAUD_NONE ? &none : &s->pair[i],
                      .back = b == FRAUD_NONE ? &none : &s->pair[b],
                      .n_out = fraud_state_window(s, from, FRAUD_W_28D, OUT).n,
                      .n_in = fraud_state_window(s, to, FRAUD_W_28D, IN).n,
                      .ln = ln,
                      .per = 100 * s->unit};
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        view.n[k] = pair_count_of(s, i, k, since);
        view.n_back[k] = pair_count_of(s, b, k, since);
    }
    const bool missing = isnan(view.n[FRAUD_W_28D]);
    view.sum28 = i != FRAUD_NONE ? fraud_pair_sum28(s, i) : missing ? NAN : 0;
    view.total = missing ? (double)NAN : view.pair->total;
    const pair_view *v = &view;
    float *out = columns;
    PAIR_NUMBERS(AS_FILL)
    R1_ASSERT(out == columns + FRAUD_N_PAIR_NUM, "pair columns: filled %td", out - columns);
}

#define AS_PATTERN(name) {#name, 0},
const fraud_column FRAUD_PATTERN_NUM[] = {FRAUD_PATTERN_FEATURES(AS_PATTERN)};

void fraud_features_tables(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                           fraud_features *f)
{
    double ln = ln_of(fraud_ln1024(fraud_hundredths(p)));
    payment_columns(s, p, f);
    end_columns(s, p, from, 0, ln, f->end[0]);
    end_columns(s, p, to, 1, ln, f->end[1]);
    pair_columns(s, from, to, ln, f->pair);
}

/* ---- history --------------------------------------------------------------------------------- */

_Static_assert(HISTORY_ROLES *HISTORY_BANDS * 2 == FRAUD_N_BUCKET, "role, band, same other end");
_Static_assert(HISTORY_ROLES *FRAUD_HISTORY == FRAUD_REFS_MAX, "each role's payments");

void fraud_features_ref(const fraud_state *s, uint64_t seq, int role, bool same, uint64_t handle,
                        fraud_features *f)
{
    R1_ASSERT(f->n_ref < FRAUD_REFS_MAX && role >= 0 && role < HISTORY_ROLES,
              "reference %u, role %d", f->n_ref, role);
    const fraud_edge *edge = fraud_state_edge(s, seq);
    uint32_t i = f->n_ref++;
    while (i > 0 && f->ref_seq[i - 1] > seq) { /* oldest first */
        f->ref_seq[i] = f->ref_seq[i - 1];
        f->ref_handle[i] = f->ref_handle[i - 1];
        f->bucket[i] = f->bucket[i - 1];
        i--;
    }
    int64_t age = s->now - edge->ts;
    int band = age < FRAUD_WINDOW_MS[FRAUD_W_1D]    ? 0
               : age < FRAUD_WINDOW_MS[FRAUD_W_7D]  ? 1
               : age < FRAUD_WINDOW_MS[FRAUD_W_28D] ? 2
                                                    : 3;
    f->ref_seq[i] = seq;
    f->ref_handle[i] = handle;
    f->bucket[i] = (uint8_t)((role * HISTORY_BANDS + band) * 2 + same);
}

int fraud_bucket_band(uint8_t bucket) { return bucket / 2 % HISTORY_BANDS; }
bool fraud_bucket_same(uint8_t bucket) { return bucket % 2; }

/* clang-format off */
#define EVENT_NUMBERS(X)                               \
    X("amount",   (float)(ln_of(v->edge->ln) - v->ln_unit)) \
    X("hour_sin", (float)sin(v->c.hour * M_PI / 12))   \
    X("hour_cos", (float)cos(v->c.hour * M_PI / 12))   \
    X("weekday",  (float)v->c.weekday)                 \
    X("round",    columns_roundness(v->amount))

#define EVENT_CATEGORIES(X)                      \
    X("kind",    FRAUD_N_KIND, v->edge->kind)    \
    X("channel", 16,           v->edge->channel) \
    X("weekend", 2,            v->c.weekday >= SATURDAY)
/* clang-format on */

typedef struct {
    const fraud_edge *edge;
    clock_parts c;
    int64_t amount;
    double ln_unit;
} event_view;

const fraud_column FRAUD_EVENT_NUM[] = {EVENT_NUMBERS(AS_NAME)};
const fraud_column FRAUD_EVENT_CAT[] = {EVENT_CATEGORIES(AS_CATEGORY)};
_Static_assert(0 EVENT_NUMBERS(AS_COUNT) == FRAUD_N_EVENT_NUM, "columns.h says how many");
_Static_assert(0 EVENT_CATEGORIES(AS_CATEGORY_COUNT) == FRAUD_N_EVENT_CAT,
               "columns.h says how many");

void fraud_features_event(const fraud_state *s, uint64_t seq, float num[FRAUD_N_EVENT_NUM],
                          int32_t cat[FRAUD_N_EVENT_CAT])
{
    R1_ASSERT(fraud_state_has(s, seq), "event: edge %llu", (unsigned long long)seq);
    const fraud_edge *edge = fraud_state_edge(s, seq);
    const event_view view = {edge, clock_local(s, edge->ts), columns_scaled(s, edge->amount),
                             columns_ln_unit(s)},
                     *v = &view;
    {
        float *out = num;
        EVENT_NUMBERS(AS_FILL)
        R1_ASSERT(out == num + FRAUD_N_EVENT_NUM, "event columns: filled %td", out - num);
    }
    int32_t *out = cat;
    EVENT_CATEGORIES(AS_CATEGORY_FILL)
    R1_ASSERT(out == cat + FRAUD_N_EVENT_CAT, "event categories: filled %td", out - cat);
}

void fraud_features_history(const fraud_state *s, uint32_t from, uint32_t to, fraud_features *f)
{
    f->n_ref = 0;
    uint32_t end[2] = {from, to};
    for (int role = 0; role < HISTORY_ROLES;
         role++) { /* sender out, sender in, receiver out, receiver in */
        uint32_t self = end[role / 2], other = end[1 - role / 2];
        int direction = role % 2;
        uint64_t seq = s->entity[self].head[direction];
        if (s->entity[self].role == FRAUD_ROLE_EXTERNAL) continue;
        for (int i = 0; i < FRAUD_HISTORY && fraud_state_has(s, seq); i++) {
            const fraud_edge *edge = fraud_state_edge(s, seq);
            fraud_features_ref(s, seq, role, (direction ? edge->from : edge->to) == other, 0, f);
            seq = fraud_edge_older(edge, seq, direction);
        }
    }
    for (uint32_t i = 0; i < f->n_ref; i++)
        fraud_features_event(s, f->ref_seq[i], f->event[i], f->event_cat[i]);
}

/* ---- ego network ----------------------------------------------------------------------------- */

typedef struct {
    uint32_t id[FRAUD_EGO_NODES_MAX];
    uint64_t seq[FRAUD_EGO_EDGES_MAX];
} ego_ids;

static int ego_node(ego_ids *ids, fraud_features *f, uint32_t id)
{
    for (uint32_t i = 0; i < f->n_node; i++)
        if (ids->id[i] == id) return (int)i;
    if (f->n_node == FRAUD_EGO_NODES_MAX) return -1;
    ids->id[f->n_node] = id;
    return (int)f->n_node++;
}

typedef struct {        /* an edge as the graph item sees it */
    int32_t ln, new_ln; /* of its amount, of the new payment's; 1024 * ln */
    double ln_unit;
    float age;
    bool is_new;
    int port, direction; /* its place among its end's payments of one direction, from 1; 0: new */
    double repeats;      /* payments of its pair within 28 days */
} edge_view;

/* clang-format off */
#define EDGE_NUMBERS(X)                                             \
    X("amount",   (float)(ln_of(v->ln) - v->ln_unit))               \
    X("over_new", (float)ln_of(v->new_ln - v->ln))                  \
    X("age",      v->age)                                           \
    X("is_new",   v->is_new)                                        \
    X("port_out", v->direction == OUT ? (float)v->port : 0)         \
    X("port_in",  v->direction == IN ? (float)v->port : 0)          \
    X("repeats",  columns_ln1p(v->repeats))

#define NODE_NUMBERS(X)                                 \
    X("distinct_out", columns_ln1p(w[OUT].distinct))    \
    X("distinct_in",  columns_ln1p(w[IN].distinct))     \
    X("n_out",        columns_ln1p(w[OUT].n))           \
    X("n_in",         columns_ln1p(w[IN].n))            \
    X("external",     e->role == FRAUD_ROLE_EXTERNAL)
/* clang-format on */

const fraud_column FRAUD_EDGE_NUM[] = {EDGE_NUMBERS(AS_NAME)};
const fraud_column FRAUD_NODE_NUM[] = {NODE_NUMBERS(AS_NAME)};
_Static_assert(0 EDGE_NUMBERS(AS_COUNT) == FRAUD_N_EDGE_NUM, "columns.h says how many");
_Static_assert(0 NODE_NUMBERS(AS_COUNT) == FRAUD_N_NODE_NUM, "columns.h says how many");

static void edge_columns(const edge_view *v, float *columns)
{
    float *out = columns;
    EDGE_NUMBERS(AS_FILL)
    R1_ASSERT(out == columns + FRAUD_N_EDGE_NUM, "edge columns: filled %td", out - columns);
}

static void ego_edge(const fraud_state *s, ego_ids *ids, fraud_features *f, uint64_t seq, int port,
                     int direction, int32_t ln)
{
    if (f->n_edge == FRAUD_EGO_EDGES_MAX) return;
    for (uint32_t i = 1; i < f->n_edge; i++)
        if (ids->seq[i] == seq) return;
    const fraud_edge *edge = fraud_state_edge(s, seq);
    int src = ego_node(ids, f, edge->from), dst = ego_node(ids, f, edge->to);
    if (src < 0 || dst < 0) return;
    uint32_t i = f->n_edge++;
    ids->seq[i] = seq;
    f->src[i] = src;
    f->dst[i] = dst;
    edge_columns(&(edge_view){.ln = edge->ln,
                              .new_ln = ln,
                              .ln_unit = columns_ln_unit(s),
                              .age = columns_hours(s->now, edge->ts),
                              .port = port,
                              .direction = direction,
                              .repeats = fraud_pair_n(s, edge->pair, FRAUD_W_28D)},
                 f->edge[i]);
}

static void ego_walk(const fraud_state *s, ego_ids *ids, fraud_features *f, uint32_t id,
                     int direction, int cap, int32_t ln)
{
    uint64_t seq = s->entity[id].head[direction];
    if (s->entity[id].role == FRAUD_ROLE_EXTERNAL) return;
    for (int i = 0; i < cap && fraud_state_has(s, seq); i++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if (edge->ts <= s->now - FRAUD_WINDOW_MS[FRAUD_W_28D]) return;
        ego_edge(s, ids, f, seq, i + 1, direction, ln);
        seq = fraud_edge_older(edge, seq, direction);
    }
}

static void node_columns(const fraud_state *s, const ego_ids *ids, fraud_features *f)
{
    for (uint32_t i = 0; i < f->n_node; i++) {
        const fraud_entity *e = &s->entity[ids->id[i]];
        const fraud_window w[2] = {fraud_state_window(s, ids->id[i], FRAUD_W_28D, OUT),
                                   fraud_state_window(s, ids->id[i], FRAUD_W_28D, IN)};
        float *out = f->node[i];
        NODE_NUMBERS(AS_FILL)
        R1_ASSERT(out == f->node[i] + FRAUD_N_NODE_NUM, "node columns: filled %td",
                  out - f->node[i]);
        f->mark[i] = i < 2 ? (uint8_t)(i + 1) : 0;
    }
}

void fraud_features_ego(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                        fraud_features *f)
{
    ego_ids ids;
    int32_t ln = fraud_ln1024(fraud_hundredths(p));
    f->n_node = f->n_edge = 0;
    f->src[0] = ego_node(&ids, f, from);
    f->dst[0] = ego_node(&ids, f, to);
    edge_columns(
        &(edge_view){.ln = ln, .new_ln = ln, .ln_unit = columns_ln_unit(s), .is_new = true},
        f->edge[0]);
    ids.seq[0] = FRAUD_NO_SEQ;
    f->n_edge = 1;
    for (int side = 0; side < 2; side++)
        for (int d = 0; d < 2; d++) ego_walk(s, &ids, f, side ? to : from, d, EGO_NEAR, ln);
    uint32_t ring = f->n_node;
    for (uint32_t i = 2; i < ring && f->n_edge < FRAUD_EGO_EDGES_MAX; i++)
        for (int d = 0; d < 2; d++) ego_walk(s, &ids, f, ids.id[i], d, EGO_FAR, ln);
    R1_ASSERT(f->n_node <= FRAUD_EGO_NODES_MAX && f->n_edge <= FRAUD_EGO_EDGES_MAX,
              "ego network: %u nodes, %u edges", f->n_node, f->n_edge);
    node_columns(s, &ids, f);
}
