/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_columns.c - the columns of payment, ends, pair, patterns and history against the twins of
 * columns_twin.c.
 *
 * The streams hold several currencies, external ends, equal times, times that run backwards and
 * labels that come days later. No label is taken back. NOT_COVERED lists the columns that have no
 * twin. */
#include "fraud/columns_twin.h"
#include "support/r1_test.h"

#include <math.h>
#include <string.h>

enum { N_STREAM = 4, N_PAYMENT = 400, FAULTS_TOLD = 20 };

static const struct {
    const char *table;
    int columns;
} NOT_COVERED[] = {{"the pattern depth", 1},
                   {"nodes of the ego network but its two ends", FRAUD_N_NODE_NUM},
                   {"edges of the ego network but the new one", FRAUD_N_EDGE_NUM}};

/* ---- comparison ------------------------------------------------------------------------------ */

static const twin *twin_of(const twin *twins, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (twins[i].name && !strcmp(twins[i].name, name)) return &twins[i];
    return NULL;
}

static bool near_enough(double want, double got)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
    return fabs(want - got) <= 1e-5 * (1 + fabs(want));
}

static void compare(const question *q, const char *table, const fraud_column *columns, int n_column,
                    const twin *twins, size_t n_twin, const float *got)
{
    static int told;
    for (int i = 0; i < n_column; i++) {
        const twin *t = twin_of(twins, n_twin, columns[i].name);
        if (!strcmp(columns[i].name, "depth")) continue; /* NOT_COVERED */
        double want = t ? t->value(q, t->direction, t->width) : NAN;
        bool good = t && near_enough(want, (double)got[i]);
        if (!good && told++ < FAULTS_TOLD)
            printf("\n%s column %s of payment %s: expected %.9g, found %.9g%s\n", table,
                   columns[i].name, q->new->p.tx_id, want, (double)got[i], t ? "" : ": no twin");
        CU_ASSERT(good);
    }
}
#define COMPARE(q, table, columns, twins, got)                                                     \
    compare(q, table, columns, (int)R1_COUNT(columns), twins, R1_COUNT(twins), got)

/* The newest 8 payments of each end and direction, none of external ends, oldest first. Bucket: the
 * role, the age's band and whether the other end is the new payment's. */
static uint32_t history(const question *sender, const question *receiver, int *seq, int *bucket)
{
    uint32_t n = 0;
    for (int role = 0; role < 4; role++) {
        const question *q = role < 2 ? sender : receiver;
        int at[8], n_at = columns_newest(q, role % 2, EVER, 8, at);
        for (int i = 0; i < n_at && q->self >= N_EXTERNAL; i++) {
            int64_t age = q->new->ts - q->list[at[i]].ts;
            int band = (age >= DAY) + (age >= 7 * DAY) + (age >= 28 * DAY);
            uint32_t k = n++;
            for (; k && seq[k - 1] > at[i]; k--) seq[k] = seq[k - 1], bucket[k] = bucket[k - 1];
            seq[k] = at[i];
            bucket[k] = 8 * role + 2 * band + (q->list[at[i]].end[!(role % 2)] == q->other);
        }
    }
    return n;
}

static void compare_history(const fraud_features *f, const question *sender,
                            const question *receiver)
{
    int seq[FRAUD_REFS_MAX], bucket[FRAUD_REFS_MAX];
    uint32_t n = history(sender, receiver, seq, bucket);
    CU_ASSERT_EQUAL(f->n_ref, n);
    for (uint32_t i = 0; i < n && i < f->n_ref; i++) {
        question event = *sender;
        event.new = &sender->list[seq[i]];
        float category[FRAUD_N_EVENT_CAT];
        for (int k = 0; k < FRAUD_N_EVENT_CAT; k++) category[k] = (float)f->event_cat[i][k];
        CU_ASSERT_EQUAL(f->ref_seq[i], (uint64_t)seq[i]);
        CU_ASSERT_EQUAL(f->bucket[i], bucket[i]);
        COMPARE(&event, "event", FRAUD_EVENT_NUM, PAYMENT_TWIN, f->event[i]);
        COMPARE(&event, "event", FRAUD_EVENT_CAT, EVENT_CATEGORY_TWIN, category);
    }
}

static void compare_all(const fraud_features *f, const past *list, int n)
{
    const past *new = &list[n];
    const question sender = {list, new, n, new->end[0], new->end[1], 0},
                   receiver = {list, new, n, new->end[1], new->end[0], 1};
    float category[FRAUD_N_PAYMENT_CAT];
    for (int i = 0; i < FRAUD_N_PAYMENT_CAT; i++) category[i] = (float)f->payment_cat[i];
    COMPARE(&sender, "payment", FRAUD_PAYMENT_NUM, PAYMENT_TWIN, f->payment);
    COMPARE(&sender, "payment", FRAUD_PAYMENT_CAT, CATEGORY_TWIN, category);
    COMPARE(&sender, "sender", FRAUD_END_NUM, END_TWIN, f->end[0]);
    COMPARE(&receiver, "receiver", FRAUD_END_NUM, END_TWIN, f->end[1]);
    COMPARE(&sender, "pair", FRAUD_PAIR_NUM, PAIR_TWIN, f->pair);
    COMPARE(&sender, "pattern", FRAUD_PATTERN_NUM, PATTERN_TWIN, (const float *)&f->pattern);
    COMPARE(&sender, "sender's node", FRAUD_NODE_NUM, NODE_TWIN, f->node[0]);
    if (sender.self != sender.other)
        COMPARE(&receiver, "receiver's node", FRAUD_NODE_NUM, NODE_TWIN, f->node[1]);
    COMPARE(&sender, "new edge", FRAUD_EDGE_NUM, NEW_EDGE_TWIN, f->edge[0]);
    compare_history(f, &sender, &receiver);
}

/* ---- random streams -------------------------------------------------------------------------- */

static int below(r1_rng *rng, int n) { return (int)r1_rng_below(rng, (uint64_t)n); }

/* Most gaps are whole quarters of an hour, so that many payments lie on a window's border. */
static int64_t random_gap(r1_rng *rng)
{
    switch (below(rng, 5)) {
    case 0: return 0;
    case 1: return HOUR / 4 * below(rng, 5);
    case 2: return HOUR * below(rng, 12);
    case 3: return below(rng, (int)HOUR);
    default: return -HOUR * below(rng, 3) + HOUR / 4 * below(rng, 60);
    }
}

static void random_words(r1_rng *rng, fraud_payment *p)
{
    static const char *const country[] = {"", "DE", "FR", "US"}, *const device[] = {"", "d1", "d2"},
                             *const channel[] = {"", "app", "web"},
                             *const category[] = {"", "food", "5411"};
    snprintf(p->country, sizeof p->country, "%s", country[below(rng, 4)]);
    snprintf(p->device, sizeof p->device, "%s", device[below(rng, 3)]);
    snprintf(p->channel, sizeof p->channel, "%s", channel[below(rng, 3)]);
    snprintf(p->category, sizeof p->category, "%s", category[below(rng, 3)]);
    snprintf(p->text, sizeof p->text, "%.*s", below(rng, 12), "rent of May");
    p->lat = 48 + (float)below(rng, 1000) / 500;
    p->lon = 11 + (float)below(rng, 1000) / 500;
    p->has = (uint32_t)below(rng, 8);
    p->from_balance_minor = below(rng, 1000000) - 100000;
    p->to_balance_minor = below(rng, 1000000) - 100000;
}

/* The amount in hundredths of the main unit, cut, and never nothing. */
static int64_t hundredths(int64_t minor, int digits)
{
    for (; digits < 2; digits++) minor *= 10;
    for (; digits > 2; digits--) minor /= 10;
    return minor > 0 ? minor : 1;
}

static uint8_t role_of(int account)
{
    return (uint8_t)(account < N_EXTERNAL ? (int)FRAUD_ROLE_EXTERNAL : account % 2);
}

static past random_payment(r1_rng *rng, int i, int64_t ts)
{
    static const struct {
        char name[4];
        uint8_t digits;
    } currency[] = {{"EUR", 2}, {"EUR", 2}, {"USD", 2}, {"JPY", 0}, {"KWD", 3}, {"CLF", 4}};
    static const int unit[] = {1, 7, 100, 1000, 10000, 100000};
    int c = below(rng, (int)R1_COUNT(currency));
    past x = {.end = {below(rng, N_ACCOUNT), below(rng, N_ACCOUNT)}};
    if (below(rng, 2)) x.end[1] = (x.end[0] + 1) % N_ACCOUNT; /* pairs that meet often */
    fraud_payment *p = &x.p;
    p->ts = ts;
    p->minor_digits = currency[c].digits;
    memcpy(p->currency, currency[c].name, sizeof p->currency);
    p->amount_minor = (1 + below(rng, 90)) * (int64_t)unit[below(rng, 6)];
    p->kind = (uint8_t)below(rng, FRAUD_N_KIND);
    p->from_role = role_of(x.end[0]);
    p->to_role = role_of(x.end[1]);
    snprintf(p->tx_id, sizeof p->tx_id, "t%d", i);
    snprintf(p->from, sizeof p->from, "a%d", x.end[0]);
    snprintf(p->to, sizeof p->to, "a%d", x.end[1]);
    random_words(rng, p);
    x.cents = hundredths(p->amount_minor, p->minor_digits);
    x.is_fraud = below(rng, 6) == 0;
    x.due = ts + HOUR * below(rng, 240);
    return x;
}

/* Tells the state the labels that are due; a label may come twice. */
static void tell_labels(fraud_state *s, past *list, int n, int64_t now)
{
    r1_err err;
    for (int i = 0; i < n; i++) {
        if (list[i].due > now || now - list[i].due > 2 * DAY) continue;
        R1_ASSERT_OK(fraud_state_label(s, list[i].p.tx_id, list[i].is_fraud, &err), &err);
        list[i].known = list[i].is_fraud;
    }
}

static void run_stream(uint64_t seed)
{
    static past list[N_PAYMENT];
    static fraud_features f;
    r1_rng rng;
    r1_err err;
    fraud_state *s = NULL;
    r1_rng_seed(&rng, seed);
    R1_ASSERT_OK(fraud_state_new(&s, 1024, 64, 1024, &err), &err);
    int64_t ts = INT64_C(1700000000000) / HOUR * HOUR, newest_ts = 0;
    for (int i = 0; i < N_PAYMENT; i++) {
        ts += random_gap(&rng);
        if (ts > newest_ts) newest_ts = ts;
        tell_labels(s, list, i, newest_ts);
        past *x = &list[i];
        *x = random_payment(&rng, i, ts);
        x->ts = newest_ts;
        CU_ASSERT_EQUAL(fraud_state_advance(s, ts), newest_ts);
        uint32_t from = fraud_state_entity(s, x->p.from, x->p.from_role),
                 to = fraud_state_entity(s, x->p.to, x->p.to_role);
        fraud_features_tables(s, &x->p, from, to, &f);
        fraud_patterns_count(s, from, to, fraud_ln1024(x->cents), &f.pattern);
        fraud_features_history(s, from, to, &f);
        fraud_features_ego(s, &x->p, from, to, &f);
        compare_all(&f, list, i);
        fraud_state_insert(s, &x->p, from, to);
    }
    CU_ASSERT(newest_ts - list[0].ts > 28 * DAY); /* else nothing leaves the widest window */
    CU_ASSERT_PTR_NULL(fraud_state_fault(s));
    fraud_state_free(s);
}

static void columns_as_by_the_plain_list(void)
{
    for (int i = 0; i < N_STREAM; i++) run_stream(r1_test_seed() + (uint64_t)i);
}

static void the_rest_is_told(void)
{
    int n = 0;
    for (size_t i = 0; i < R1_COUNT(NOT_COVERED); i++) {
        printf("\nno twin: %d of %s", NOT_COVERED[i].columns, NOT_COVERED[i].table);
        n += NOT_COVERED[i].columns;
    }
    printf("\n%d columns have no twin here\n", n);
    /* A table with a row too few ends in one without a name. */
    CU_ASSERT_PTR_NOT_NULL(PATTERN_TWIN[R1_COUNT(PATTERN_TWIN) - 1].name);
    CU_ASSERT_PTR_NOT_NULL(END_TWIN[R1_COUNT(END_TWIN) - 1].name);
    CU_ASSERT_PTR_NOT_NULL(PAIR_TWIN[R1_COUNT(PAIR_TWIN) - 1].name);
    CU_ASSERT_PTR_NOT_NULL(PAYMENT_TWIN[R1_COUNT(PAYMENT_TWIN) - 1].name);
    CU_ASSERT_PTR_NOT_NULL(CATEGORY_TWIN[R1_COUNT(CATEGORY_TWIN) - 1].name);
}

R1_TEST_MAIN("fraud columns", {"columns as by the plain list", columns_as_by_the_plain_list},
             {"the rest is told", the_rest_is_told})
