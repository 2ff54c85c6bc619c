/* SPDX-License-Identifier: GPL-3.0-or-later */
/* columns_twin.c - the twins. Where a name does not define its column, the twin's comment does. */
#include "fraud/columns_twin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- loops over the list --------------------------------------------------------------------- */

/* A payment counts in a window while it is younger than the window is wide. */
static bool counts(const question *q, int i, int direction, int64_t width)
{
    return q->list[i].end[direction] == q->self && q->new->ts - q->list[i].ts < width;
}

static bool of_pair(const question *q, int i, int64_t width)
{
    return counts(q, i, OUT, width) && q->list[i].end[IN] == q->other;
}

/* The question about the pair of the opposite direction. */
static question turned(const question *q)
{
    question back = *q;
    back.self = q->other;
    back.other = q->self;
    return back;
}

/* Logarithm of an amount in main units, rounded to 1/1024. */
static double ln_amount(const past *p)
{
    return (double)lround(1024 * log((double)p->cents / 100)) / 1024;
}

static double hours_since(const question *q, int64_t ts)
{
    return log(1 + (double)(q->new->ts - ts) / (double)HOUR);
}

static int payments(const question *q, int direction, int64_t width)
{
    int n = 0;
    for (int i = 0; i < q->n; i++) n += counts(q, i, direction, width);
    return n;
}

static double money(const question *q, int direction, int64_t width)
{
    double sum = 0;
    for (int i = 0; i < q->n; i++)
        if (counts(q, i, direction, width)) sum += (double)q->list[i].cents / 100;
    return sum;
}

static int others(const question *q, int direction, int64_t width)
{
    int n = 0;
    for (int other = 0; other < N_ACCOUNT; other++) {
        bool met = false;
        for (int i = 0; i < q->n; i++)
            met |= counts(q, i, direction, width) && q->list[i].end[!direction] == other;
        n += met;
    }
    return n;
}

static int frauds(const question *q, int direction, int64_t width)
{
    int n = 0;
    for (int i = 0; i < q->n; i++) n += counts(q, i, direction, width) && q->list[i].known;
    return n;
}

int columns_newest(const question *q, int direction, int64_t width, int max, int *at)
{
    int n = 0;
    for (int i = q->n - 1; i >= 0 && n < max; i--)
        if (counts(q, i, direction, width)) at[n++] = i;
    return n;
}

/* ---- an end ---------------------------------------------------------------------------------- */

static double want_n(const question *q, int d, int64_t width)
{
    return log(1 + payments(q, d, width));
}

static double want_sum(const question *q, int d, int64_t width)
{
    return log(1 + money(q, d, width));
}

static double want_distinct(const question *q, int d, int64_t width)
{
    return log(1 + others(q, d, width));
}

static double mean_of_ln(const question *q, int d, int64_t width)
{
    double sum = 0;
    for (int i = 0; i < q->n; i++)
        if (counts(q, i, d, width)) sum += ln_amount(&q->list[i]);
    return sum / payments(q, d, width);
}

/* The new ln amount less the mean ln amount of the window. */
static double want_over_mean(const question *q, int d, int64_t width)
{
    return payments(q, d, width) ? ln_amount(q->new) - mean_of_ln(q, d, width) : NAN;
}

/* The same in standard deviations, to each of which 0.1 is added; it takes three payments. */
static double want_z(const question *q, int d, int64_t width)
{
    int n = payments(q, d, width);
    if (n < 3) return NAN;
    double mean = mean_of_ln(q, d, width), square = 0;
    for (int i = 0; i < q->n; i++)
        if (counts(q, i, d, width)) square += pow(ln_amount(&q->list[i]) - mean, 2);
    return (ln_amount(q->new) - mean) / (sqrt(square / n) + 0.1);
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The newest 32 ln amounts of the end's own direction, rising; the upper of two medians counts. */
static int recent(const question *q, double ln[32])
{
    int at[32], n = columns_newest(q, q->side, EVER, 32, at);
    for (int i = 0; i < n; i++) ln[i] = ln_amount(&q->list[at[i]]);
    qsort(ln, (size_t)n, sizeof *ln, compare_double);
    return n;
}

static double want_over_median(const question *q, int d, int64_t width)
{
    (void)d, (void)width;
    double ln[32];
    int n = recent(q, ln);
    return n ? ln_amount(q->new) - ln[n / 2] : NAN;
}

static double want_over_max(const question *q, int d, int64_t width)
{
    (void)d, (void)width;
    double ln[32];
    int n = recent(q, ln);
    return n ? ln_amount(q->new) - ln[n - 1] : NAN;
}

/* Payments of the width among the newest 32 that exceed e times the median. */
static double want_large(const question *q, int d, int64_t width)
{
    (void)d;
    double ln[32];
    int at[32], large = 0, n = recent(q, ln);
    if (!n) return NAN;
    columns_newest(q, q->side, EVER, 32, at);
    for (int i = 0; i < n; i++)
        large +=
            q->new->ts - q->list[at[i]].ts < width &&ln_amount(&q->list[at[i]]) > ln[n / 2] + 1;
    return log(1 + large);
}

/* Time between the newest two payments of the end's own direction. */
static double want_gap(const question *q, int d, int64_t width)
{
    (void)d, (void)width;
    int at[2];
    if (columns_newest(q, q->side, EVER, 2, at) < 2) return NAN;
    return log(1 + (double)(q->list[at[0]].ts - q->list[at[1]].ts) / (double)HOUR);
}

/* What went out over what came in, as a difference of ln(1 + sum). */
static double want_through(const question *q, int d, int64_t width)
{
    (void)d;
    if (!payments(q, OUT, width) && !payments(q, IN, width)) return NAN;
    return want_sum(q, OUT, width) - want_sum(q, IN, width);
}

/* What came in less what went out, over both. */
static double want_net(const question *q, int d, int64_t width)
{
    (void)d;
    double out = money(q, OUT, width), in = money(q, IN, width);
    return out + in > 0 ? (in - out) / (out + in) : NAN;
}

static double want_since(const question *q, int d, int64_t width)
{
    int at[1];
    return columns_newest(q, d, width, 1, at) ? hours_since(q, q->list[at[0]].ts) : NAN;
}

/* Time since the end's first payment of either direction; 0 at the first one. */
static double want_age(const question *q, int d, int64_t width)
{
    (void)d;
    for (int i = 0; i < q->n; i++)
        if (counts(q, i, OUT, width) || counts(q, i, IN, width))
            return hours_since(q, q->list[i].ts);
    return 0;
}

/* Among the newest 16 payments of the direction opposite to the end's own, not older than the
 * width: the one nearest in ln amount, of equals the newer; -1: none. */
static int match(const question *q, int64_t width)
{
    int at[16], best = -1, n = columns_newest(q, !q->side, width, 16, at);
    double least = INFINITY, ln = ln_amount(q->new);
    for (int i = 0; i < n; i++) {
        double apart = fabs(ln_amount(&q->list[at[i]]) - ln);
        if (apart < least) least = apart, best = at[i];
    }
    return best;
}

static double want_match_ratio(const question *q, int d, int64_t width)
{
    (void)d;
    int i = match(q, width);
    return i < 0 ? NAN : fabs(ln_amount(&q->list[i]) - ln_amount(q->new));
}

static double want_match_age(const question *q, int d, int64_t width)
{
    (void)d;
    int i = match(q, width);
    return i < 0 ? NAN : hours_since(q, q->list[i].ts);
}

/* ln of the distinct other ends a payment. */
static double want_spread(const question *q, int d, int64_t width)
{
    int n = payments(q, d, width);
    return n ? log((double)others(q, d, width) / n) : NAN;
}

/* ln(1 + payments of the last day) less ln(1 + payments of a mean day of the width). */
static double want_burst(const question *q, int d, int64_t width)
{
    double days = (double)width / (double)DAY;
    return log(1 + payments(q, d, DAY)) - log(1 + payments(q, d, width) / days);
}

static double want_known(const question *q, int d, int64_t width)
{
    return log(1 + frauds(q, d, width));
}

/* Time of the first or last payment that is known as fraud; -1: none. */
static int64_t known_time(const question *q, int d, bool first)
{
    int64_t ts = -1;
    for (int i = 0; i < q->n && !(first && ts >= 0); i++)
        if (counts(q, i, d, EVER) && q->list[i].known) ts = q->list[i].ts;
    return ts;
}

static double want_first_known(const question *q, int d, int64_t width)
{
    int64_t ts = known_time(q, d, true);
    return ts >= 0 && width ? hours_since(q, ts) : NAN;
}

static double want_last_known(const question *q, int d, int64_t width)
{
    int64_t ts = known_time(q, d, false);
    return ts >= 0 && width ? hours_since(q, ts) : NAN;
}

/* Known frauds over 1 + the payments since the time of the first of them; 0 without any. */
static double want_known_share(const question *q, int d, int64_t width)
{
    int64_t first = known_time(q, d, true);
    int n = 0;
    for (int i = 0; i < q->n; i++) n += counts(q, i, d, width) && q->list[i].ts >= first;
    return first < 0 ? 0 : (double)frauds(q, d, width) / (n + 1);
}

static double want_fraud_share(const question *q, int d, int64_t width)
{
    int n = payments(q, d, width);
    return n ? (double)frauds(q, d, width) / n : 0;
}

/* Whether the word differs from the sender's last one; the receiver has none. */
static double changed(const question *q, size_t offset)
{
    const char *now = (const char *)&q->new->p + offset, *last = "";
    for (int i = 0; i < q->n; i++) {
        const char *word = (const char *)&q->list[i].p + offset;
        if (counts(q, i, OUT, EVER) && *word) last = word;
    }
    return q->side || !*now || !*last ? NAN : strcmp(now, last) != 0;
}

static double want_device(const question *q, int d, int64_t width)
{
    (void)d, (void)width;
    return changed(q, offsetof(fraud_payment, device));
}

static double want_country(const question *q, int d, int64_t width)
{
    (void)d, (void)width;
    return changed(q, offsetof(fraud_payment, country));
}

/* Kilometres from the sender's last place, on a plane of 111.2 km a degree where the degrees of
 * longitude shrink with the cosine of the middle latitude. */
static double want_distance(const question *q, int d, int64_t width)
{
    (void)d;
    const fraud_payment *now = &q->new->p, *last = NULL;
    for (int i = 0; i < q->n; i++)
        if (counts(q, i, OUT, width) && (q->list[i].p.has & FRAUD_HAS_POSITION))
            last = &q->list[i].p;
    if (q->side || !last || !(now->has & FRAUD_HAS_POSITION)) return NAN;
    double middle = ((double)now->lat + (double)last->lat) / 2;
    double north = 111.2 * ((double)now->lat - (double)last->lat),
           east = 111.2 * ((double)now->lon - (double)last->lon) * cos(middle / 180 * M_PI);
    return log(1 + hypot(north, east));
}

/* ln(1 + balance in main units), of which what is below zero counts as zero. */
static double want_balance(const question *q, int d, int64_t width)
{
    (void)d, (void)width;
    const fraud_payment *p = &q->new->p;
    if (!(p->has & (q->side ? FRAUD_HAS_TO_BALANCE : FRAUD_HAS_FROM_BALANCE))) return NAN;
    double minor = (double)(q->side ? p->to_balance_minor : p->from_balance_minor);
    for (int i = 0; i < p->minor_digits; i++) minor /= 10;
    return log(1 + fmax(minor, 0));
}

static double want_over_balance(const question *q, int d, int64_t width)
{
    return ln_amount(q->new) - want_balance(q, d, width);
}

/* clang-format off */
#define WINDOW(name, ms)                                                                           \
    {"out_n_" name, want_n, OUT, ms}, {"out_sum_" name, want_sum, OUT, ms},                        \
    {"out_distinct_" name, want_distinct, OUT, ms}, {"in_n_" name, want_n, IN, ms},                \
    {"in_sum_" name, want_sum, IN, ms}, {"in_distinct_" name, want_distinct, IN, ms}
#define BOTH(before, after, want, ms)                                                              \
    {before "out" after, want, OUT, ms}, {before "in" after, want, IN, ms}
/* clang-format on */

const twin END_TWIN[FRAUD_N_END_NUM] = {
    WINDOW("1h", 3600000),
    WINDOW("1d", 86400000),
    WINDOW("3d", 259200000),
    WINDOW("7d", 604800000),
    WINDOW("28d", 2419200000),
    BOTH("", "_over_mean_28d", want_over_mean, 2419200000),
    BOTH("", "_over_mean_7d", want_over_mean, 604800000),
    BOTH("", "_z_28d", want_z, 2419200000),
    {"over_median", want_over_median, 0, 0},
    {"over_max", want_over_max, 0, 0},
    {"large_recent", want_large, 0, 604800000},
    {"through_1d", want_through, 0, 86400000},
    {"through_3d", want_through, 0, 259200000},
    {"through_7d", want_through, 0, 604800000},
    {"through_28d", want_through, 0, 2419200000},
    {"net_28d", want_net, 0, 2419200000},
    BOTH("since_", "", want_since, INT64_MAX),
    {"gap", want_gap, 0, 0},
    {"age", want_age, 0, INT64_MAX},
    BOTH("total_", "", want_n, INT64_MAX),
    {"match_ratio", want_match_ratio, 0, 2419200000},
    {"match_age", want_match_age, 0, 2419200000},
    BOTH("spread_", "", want_spread, 2419200000),
    BOTH("burst_", "", want_burst, 2419200000),
    BOTH("known_", "", want_known, INT64_MAX),
    BOTH("since_first_known_", "", want_first_known, INT64_MAX),
    BOTH("since_last_known_", "", want_last_known, INT64_MAX),
    BOTH("known_share_", "", want_known_share, INT64_MAX),
    BOTH("known_7d_", "", want_fraud_share, 604800000),
    BOTH("known_28d_", "", want_fraud_share, 2419200000),
    {"new_device", want_device, 0, 0},
    {"new_country", want_country, 0, 0},
    {"distance", want_distance, 0, INT64_MAX},
    {"balance", want_balance, 0, 0},
    {"over_balance", want_over_balance, 0, 0},
};

/* ---- the pair -------------------------------------------------------------------------------- */

static int pair_payments(const question *q, int64_t width)
{
    int n = 0;
    for (int i = 0; i < q->n; i++) n += of_pair(q, i, width);
    return n;
}

static double pair_money(const question *q, int64_t width)
{
    double sum = 0;
    for (int i = 0; i < q->n; i++)
        if (of_pair(q, i, width)) sum += (double)q->list[i].cents / 100;
    return sum;
}

static double want_pair_n(const question *q, int d, int64_t width)
{
    const question asked = d ? turned(q) : *q;
    return log(1 + pair_payments(&asked, width));
}

static double want_pair_sum(const question *q, int d, int64_t width)
{
    (void)d;
    return log(1 + pair_money(q, width));
}

static double want_pair_since(const question *q, int d, int64_t width)
{
    const question asked = d ? turned(q) : *q;
    for (int i = q->n - 1; i >= 0; i--)
        if (of_pair(&asked, i, width)) return hours_since(q, q->list[i].ts);
    return NAN;
}

static double want_pair_age(const question *q, int d, int64_t width)
{
    (void)d;
    for (int i = 0; i < q->n; i++)
        if (of_pair(q, i, width)) return hours_since(q, q->list[i].ts);
    return NAN;
}

/* The new ln amount less the ln of the pair's mean amount. */
static double want_pair_over_mean(const question *q, int d, int64_t width)
{
    (void)d;
    int n = pair_payments(q, width);
    return n ? ln_amount(q->new) - log(pair_money(q, width) / n) : NAN;
}

/* The pair's payments over all that the sender made, or over all that the receiver got. */
static double want_share(const question *q, int d, int64_t width)
{
    const question asked = d ? turned(q) : *q;
    int all = payments(&asked, d, width);
    return all ? (double)pair_payments(q, width) / all : NAN;
}

static double want_fresh(const question *q, int d, int64_t width)
{
    (void)d;
    return pair_payments(q, width) == 0;
}

/* direction 1: of the pair turned round. */
const twin PAIR_TWIN[FRAUD_N_PAIR_NUM] = {
    {"n_1h", want_pair_n, 0, 3600000},
    {"n_1d", want_pair_n, 0, 86400000},
    {"n_3d", want_pair_n, 0, 259200000},
    {"n_7d", want_pair_n, 0, 604800000},
    {"n_28d", want_pair_n, 0, 2419200000},
    {"sum_28d", want_pair_sum, 0, 2419200000},
    {"total", want_pair_n, 0, INT64_MAX},
    {"since", want_pair_since, 0, INT64_MAX},
    {"age", want_pair_age, 0, INT64_MAX},
    {"back_7d", want_pair_n, 1, 604800000},
    {"back_28d", want_pair_n, 1, 2419200000},
    {"since_back", want_pair_since, 1, INT64_MAX},
    {"over_mean", want_pair_over_mean, 0, 2419200000},
    {"share_out", want_share, 0, 2419200000},
    {"share_in", want_share, 1, 2419200000},
    {"fresh", want_fresh, 0, INT64_MAX},
};

/* ---- the payment ----------------------------------------------------------------------------- */

static struct tm utc(const question *q)
{
    time_t seconds = (time_t)(q->new->ts / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return tm;
}

static double hour(const question *q)
{
    struct tm tm = utc(q);
    return tm.tm_hour + tm.tm_min / 60.0 + tm.tm_sec / 3600.0 + (double)(q->new->ts % 1000) / 3.6e6;
}

static int weekday(const question *q) { return (utc(q).tm_wday + 6) % 7; }

#define PAYMENT_VALUE(name, expression)                                                            \
    static double name(const question *q, int d, int64_t n)                                        \
    {                                                                                              \
        (void)d, (void)n;                                                                          \
        return expression;                                                                         \
    }
PAYMENT_VALUE(want_amount, ln_amount(q->new))
PAYMENT_VALUE(want_hour, hour(q))
PAYMENT_VALUE(want_hour_sin, sin(2 * M_PI * hour(q) / 24))
PAYMENT_VALUE(want_hour_cos, cos(2 * M_PI * hour(q) / 24))
PAYMENT_VALUE(want_weekday, weekday(q)) /* 0 = Monday */
PAYMENT_VALUE(want_month_day, utc(q).tm_mday)
PAYMENT_VALUE(want_cents, (double)(q->new->cents % 100))
PAYMENT_VALUE(want_text_bytes, (double)strlen(q->new->p.text))
PAYMENT_VALUE(want_night, utc(q).tm_hour < 6)
PAYMENT_VALUE(want_self, q->self == q->other)
PAYMENT_VALUE(want_kind, q->new->p.kind)
PAYMENT_VALUE(want_from_role, q->new->p.from_role)
PAYMENT_VALUE(want_to_role, q->new->p.to_role)
PAYMENT_VALUE(want_weekend, weekday(q) >= 5)

/* How round the amount is: 0 = cents, 1 = whole, 2 = tens, 3 = hundreds, 4 = thousands. */
static double want_round(const question *q, int d, int64_t n)
{
    (void)d, (void)n;
    int64_t cents = q->new->cents;
    return cents % 100000 == 0  ? 4
           : cents % 10000 == 0 ? 3
           : cents % 1000 == 0  ? 2
           : cents % 100 == 0   ? 1
                                : 0;
}

/* A word's category is its hash modulo the number of categories; -1: no word. */
static double word(const char *text, int64_t n)
{
    return *text ? (double)(r1_hash64(text, strlen(text), 3) % (uint64_t)n) : -1;
}

static double want_currency(const question *q, int d, int64_t n)
{
    (void)d;
    return word(q->new->p.currency, n);
}

static double want_channel(const question *q, int d, int64_t n)
{
    (void)d;
    return word(q->new->p.channel, n);
}

static double want_category(const question *q, int d, int64_t n)
{
    (void)d;
    return word(q->new->p.category, n);
}

static double want_place(const question *q, int d, int64_t n)
{
    (void)d;
    return word(q->new->p.country, n);
}

const twin PAYMENT_TWIN[FRAUD_N_PAYMENT_NUM] = {
    {"amount", want_amount, 0, 0},
    {"hour", want_hour, 0, 0},
    {"hour_sin", want_hour_sin, 0, 0},
    {"hour_cos", want_hour_cos, 0, 0},
    {"weekday", want_weekday, 0, 0},
    {"month_day", want_month_day, 0, 0},
    {"cents", want_cents, 0, 0},
    {"round", want_round, 0, 0},
    {"text_bytes", want_text_bytes, 0, 0},
    {"night", want_night, 0, 0},
    {"self", want_self, 0, 0},
};
const twin CATEGORY_TWIN[FRAUD_N_PAYMENT_CAT] = {
    {"kind", want_kind, 0, 0},        {"from_role", want_from_role, 0, 0},
    {"to_role", want_to_role, 0, 0},  {"currency", want_currency, 0, 32},
    {"channel", want_channel, 0, 16}, {"category", want_category, 0, 64},
    {"country", want_place, 0, 64},   {"weekend", want_weekend, 0, 0},
};

/* ---- history and ego network ----------------------------------------------------------------- */

/* An event's channel has 15 categories, and no word is the first of them. */
static double want_event_channel(const question *q, int d, int64_t n)
{
    (void)d;
    const char *text = q->new->p.channel;
    return *text ? (double)((r1_hash64(text, strlen(text), 1) | 1) % (uint64_t)n) : 0;
}

/* The other columns of an event are the payment's columns of the same names. */
const twin EVENT_CATEGORY_TWIN[FRAUD_N_EVENT_CAT] = {
    {"kind", want_kind, 0, 0},
    {"channel", want_event_channel, 0, 15},
    {"weekend", want_weekend, 0, 0},
};

static double want_external(const question *q, int d, int64_t width)
{
    (void)d, (void)width;
    return q->self < N_EXTERNAL;
}

const twin NODE_TWIN[FRAUD_N_NODE_NUM] = {
    BOTH("distinct_", "", want_distinct, 2419200000),
    BOTH("n_", "", want_n, 2419200000),
    {"external", want_external, 0, 0},
};

static double want_zero(const question *q, int d, int64_t width)
{
    (void)q, (void)d, (void)width;
    return 0;
}

static double want_one(const question *q, int d, int64_t width)
{
    (void)q, (void)d, (void)width;
    return 1;
}

/* The new edge has no place and no age. */
const twin NEW_EDGE_TWIN[FRAUD_N_EDGE_NUM] = {
    {"amount", want_amount, 0, 0}, {"over_new", want_zero, 0, 0}, {"age", want_zero, 0, 0},
    {"is_new", want_one, 0, 0},    {"port_out", want_zero, 0, 0}, {"port_in", want_zero, 0, 0},
    {"repeats", want_zero, 0, 0},
};

/* ---- patterns -------------------------------------------------------------------------------- */

typedef struct { /* the newest payments of an account within 28 days, without external other ends */
    int at[24], n;
    bool met[N_ACCOUNT]; /* other ends */
} near;

/* External accounts have none. A payment counts where it is among the newest 2 * max. */
static near near_of(const question *q, int account, int direction, int max)
{
    near l = {.n = 0};
    question asked = *q;
    asked.self = account;
    int at[48], n = columns_newest(&asked, direction, 28 * DAY, 2 * max, at);
    for (int i = 0; i < n && l.n < max && account >= N_EXTERNAL; i++) {
        int other = q->list[at[i]].end[!direction];
        if (other < N_EXTERNAL) continue;
        l.at[l.n++] = at[i];
        l.met[other] = true;
    }
    return l;
}

/* A closing path leads from the receiver v to the sender u in `edges` - 1 payments, whose times do
 * not fall. Its accounts differ. Each combination of payments is a path. */
typedef struct {
    int n[5]; /* of circles, by their edges */
    double age, ratio;
} circles;

static void circle(const question *q, circles *c, int edges, int first, int last)
{
    double age = (double)(q->new->ts - q->list[first].ts) / (double)DAY,
           ratio = fabs(ln_amount(&q->list[last]) - ln_amount(q->new));
    c->n[edges]++;
    c->age = fmin(c->age, age);
    c->ratio = fmin(c->ratio, ratio);
}

static void circles_through(const question *q, const near *outs, int last, circles *c)
{
    int u = q->self, v = q->other, before = q->list[last].end[OUT];
    near mids = near_of(q, before, IN, 12);
    for (int i = 0; i < outs->n; i++) {
        int first = outs->at[i], met = q->list[first].end[IN];
        if (met == before && q->list[first].ts <= q->list[last].ts) circle(q, c, 3, first, last);
        for (int k = 0; k < mids.n; k++) {
            const past *mid = &q->list[mids.at[k]];
            int from = mid->end[OUT];
            if (from == u || from == v || from == before || from != met) continue;
            if (q->list[first].ts <= mid->ts && mid->ts <= q->list[last].ts)
                circle(q, c, 4, first, last);
        }
    }
}

static circles circles_of(const question *q)
{
    circles c = {.age = INFINITY, .ratio = INFINITY};
    near outs = near_of(q, q->other, OUT, 24), ins = near_of(q, q->self, IN, 24);
    for (int i = 0; i < outs.n; i++)
        if (q->list[outs.at[i]].end[IN] == q->self) circle(q, &c, 2, outs.at[i], outs.at[i]);
    for (int j = 0; j < ins.n; j++) {
        int before = q->list[ins.at[j]].end[OUT];
        if (before != q->self && before != q->other) circles_through(q, &outs, ins.at[j], &c);
    }
    return c;
}

static double want_circles(const question *q, int edges, int64_t n)
{
    (void)n;
    return circles_of(q).n[edges];
}

static double or_nan(double x) { return isinf(x) ? NAN : x; }

static double want_circle_age(const question *q, int d, int64_t n)
{
    (void)d, (void)n;
    return or_nan(circles_of(q).age);
}

static double want_circle_ratio(const question *q, int d, int64_t n)
{
    (void)d, (void)n;
    return or_nan(circles_of(q).ratio);
}

static double want_parallel(const question *q, int d, int64_t n)
{
    (void)d;
    near out = near_of(q, q->self, OUT, 24), in = near_of(q, q->other, IN, 24);
    for (int a = 0; a < N_ACCOUNT; a++)
        n += a != q->self && a != q->other && out.met[a] && in.met[a];
    return (double)n;
}

/* direction IN: the receiver's other sources b that share a source with the sender, which is not
 * the receiver or b; OUT: that share a sink with it, which is neither end. */
static double want_shared(const question *q, int direction, int64_t n)
{
    near sources = near_of(q, q->other, IN, 24), own = near_of(q, q->self, direction, 24);
    for (int b = 0; b < N_ACCOUNT; b++) {
        if (!sources.met[b] || b == q->self || b == q->other) continue;
        near far = near_of(q, b, direction, 12);
        bool shared = false;
        for (int a = 0; a < N_ACCOUNT; a++)
            shared |=
                own.met[a] && far.met[a] && a != q->other && a != (direction == IN ? b : q->self);
        n += shared;
    }
    return (double)n;
}

/* Accounts two hops upstream of the sender, or downstream of the receiver; not the end itself. */
static double want_second_hop(const question *q, int direction, int64_t n)
{
    int end = direction == IN ? q->self : q->other;
    near first = near_of(q, end, direction, 24);
    bool met[N_ACCOUNT] = {false};
    for (int b = 0; b < N_ACCOUNT; b++) {
        near far = near_of(q, b, direction, 12);
        for (int a = 0; a < N_ACCOUNT; a++) met[a] |= first.met[b] && far.met[a] && a != end;
    }
    for (int a = 0; a < N_ACCOUNT; a++) n += met[a];
    return (double)n;
}

/* What an account's neighbours are asked for. */
enum { OF_RECEIVER = 1, NEAR_IN = 2, FAN_IN = 4, MEAN = 8 };

/* The greatest 28-day distinct count of a neighbour that is not the other end, or the mean. */
static double want_fan(const question *q, int what, int64_t n)
{
    int end = what & OF_RECEIVER ? q->other : q->self;
    int left_out = what & OF_RECEIVER ? q->self : q->other;
    near l = near_of(q, end, what & NEAR_IN ? IN : OUT, 24);
    double most = 0, sum = 0;
    for (int a = 0; a < N_ACCOUNT; a++) {
        if (!l.met[a] || a == left_out) continue;
        question asked = *q;
        asked.self = a;
        int fan = others(&asked, what & FAN_IN ? IN : OUT, 28 * DAY);
        most = fmax(most, fan);
        sum += fan;
        n++;
    }
    return what & MEAN ? (n ? sum / (double)n : 0) : most;
}

/* The payment to the sender that is nearest in ln amount; of equals the newest. */
static int through(const question *q)
{
    near ins = near_of(q, q->self, IN, 24);
    int best = -1;
    double least = INFINITY;
    for (int i = 0; i < ins.n; i++) {
        double apart = fabs(ln_amount(&q->list[ins.at[i]]) - ln_amount(q->new));
        if (apart < least) least = apart, best = ins.at[i];
    }
    return best;
}

static double want_through_age(const question *q, int d, int64_t n)
{
    (void)d, (void)n;
    int i = through(q);
    return i < 0 ? NAN : (double)(q->new->ts - q->list[i].ts) / (double)DAY;
}

static double want_through_ratio(const question *q, int d, int64_t n)
{
    (void)d, (void)n;
    int i = through(q);
    return i < 0 ? NAN : fabs(ln_amount(&q->list[i]) - ln_amount(q->new));
}

/* direction IN: of payments to the receiver that are not the sender's; OUT: of the sender's to
 * others. fresh: the share whose pair met once in 28 days; else: nearer than a quarter of ln. */
static double want_near_share(const question *q, int direction, int64_t fresh)
{
    int end = direction == IN ? q->other : q->self, left_out = direction == IN ? q->self : q->other;
    near l = near_of(q, end, direction, 24);
    int all = 0, some = 0;
    for (int i = 0; i < l.n; i++) {
        const past *x = &q->list[l.at[i]];
        if (x->end[!direction] == left_out) continue;
        question asked = *q;
        asked.self = x->end[OUT];
        asked.other = x->end[IN];
        all++;
        some += fresh ? pair_payments(&asked, 28 * DAY) == 1
                      : fabs(ln_amount(x) - ln_amount(q->new)) < 0.25;
    }
    return all ? (double)some / all : NAN;
}

const twin PATTERN_TWIN[FRAUD_N_PATTERN_NUM - 1] = {
    {"cycle2", want_circles, 2, 0},
    {"cycle3", want_circles, 3, 0},
    {"cycle4", want_circles, 4, 0},
    {"cycle_age", want_circle_age, 0, 0},
    {"cycle_ratio", want_circle_ratio, 0, 0},
    {"parallel", want_parallel, 0, 0},
    {"shared_source", want_shared, IN, 0},
    {"shared_sink", want_shared, OUT, 0},
    {"up2", want_second_hop, IN, 0},
    {"down2", want_second_hop, OUT, 0},
    {"up_fan_out", want_fan, NEAR_IN, 0},
    {"up_fan_in", want_fan, NEAR_IN | FAN_IN, 0},
    {"peer_fan_out", want_fan, OF_RECEIVER | NEAR_IN, 0},
    {"peer_fan_in", want_fan, OF_RECEIVER | NEAR_IN | FAN_IN, 0},
    {"side_fan_in", want_fan, FAN_IN, 0},
    {"side_fan_out", want_fan, 0, 0},
    {"down_fan_in", want_fan, OF_RECEIVER | FAN_IN, 0},
    {"down_fan_out", want_fan, OF_RECEIVER, 0},
    {"peer_fan_out_mean", want_fan, OF_RECEIVER | NEAR_IN | MEAN, 0},
    {"side_fan_in_mean", want_fan, FAN_IN | MEAN, 0},
    {"through_age", want_through_age, 0, 0},
    {"through_ratio", want_through_ratio, 0, 0},
    {"peer_amount", want_near_share, IN, 0},
    {"side_amount", want_near_share, OUT, 0},
    {"peer_new", want_near_share, IN, 1},
    {"side_new", want_near_share, OUT, 1},
};
