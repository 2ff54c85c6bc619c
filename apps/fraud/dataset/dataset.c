/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset.c - the layouts: one table row and one function for a row of each file. */
#include "dataset/dataset.h"

#include "dataset/dataset_aml.h"
#include "dataset/dataset_csv.h"
#include "dataset/dataset_files.h"
#include "dataset/protocol.h"
#include "dataset/recording.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING_NUMBER_MAX = 10000000,
    ACCOUNTS_MAX = 1 << 22 /* amlsim */
};

/* Money in minor units, within FRAUD_AMOUNT_MAX of zero. */
static int64_t dataset_money(double amount)
{
    const double most = (double)FRAUD_AMOUNT_MAX;
    double x = amount * 100;
    return (int64_t)llround(x > most ? most : x < -most ? -most : x);
}

/* Of a payment: at least one. */
static int64_t dataset_minor(double amount)
{
    int64_t x = dataset_money(amount);
    return x < 1 ? 1 : x;
}

/* ---- layouts --------------------------------------------------------------------------------- */

/* The numbers in the file's own column, in words; so with amlgentex_types. */
static const char *const handbook_scenarios[] = {"none", "amount", "compromised_terminal",
                                                 "compromised_card"};

static r1_status handbook_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    int32_t customer, terminal;
    int64_t ts, label, scenario;
    double amount;
    R1_TRY(fraud_csv_id(c, 2, &customer, err));
    R1_TRY(fraud_csv_id(c, 3, &terminal, err));
    R1_TRY(fraud_csv_real(c, 4, &amount, err));
    R1_TRY(fraud_csv_time(c, 5, d->start, 1000, &ts, err));
    R1_TRY(fraud_csv_int(c, 7, &label, err));
    R1_TRY(fraud_csv_int(c, 8, &scenario, err));
    fraud_case *x;
    R1_TRY(fraud_cases_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = customer;
    x->to = terminal;
    x->kind = FRAUD_KIND_CARD;
    x->from_role = FRAUD_ROLE_CARD;
    x->to_role = FRAUD_ROLE_MERCHANT;
    x->label = label != 0;
    x->typology =
        (uint8_t)(scenario >= 0 && scenario < (int64_t)R1_COUNT(handbook_scenarios) ? scenario : 0);
    x->label_ts = x->ts + FRAUD_HANDBOOK_DELAY_DAYS * FRAUD_DAY_MS;
    return R1_OK;
}

static const char *const amlgentex_types[] = {"none",   "fan_out",        "fan_in",
                                              "cycle",  "bipartite",      "stack",
                                              "random", "scatter_gather", "gather_scatter"};

static r1_status amlgentex_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    int32_t from, to, pattern;
    int64_t ts, sar, model;
    double amount, balance[2];
    if (c->n_field > 1 && !strcmp(c->field[1], "INITALBALANCE")) return R1_OK;
    R1_TRY(fraud_csv_time(c, 0, d->start, FRAUD_DAY_MS, &ts, err));
    R1_TRY(fraud_csv_real(c, 2, &amount, err));
    R1_TRY(fraud_csv_id(c, 3, &from, err));
    R1_TRY(fraud_csv_id(c, 4, &to, err));
    R1_TRY(fraud_csv_real(c, 9, &balance[0], err));
    R1_TRY(fraud_csv_real(c, 13, &balance[1], err));
    R1_TRY(fraud_csv_int(c, 15, &sar, err));
    R1_TRY(fraud_csv_id(c, 16, &pattern, err));
    R1_TRY(fraud_csv_int(c, 17, &model, err));
    fraud_case *x;
    R1_TRY(fraud_cases_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = from;
    x->to = to;
    x->kind = strcmp(c->field[1], "CASH") ? FRAUD_KIND_TRANSFER : FRAUD_KIND_CASH;
    x->from_role = from < 0 ? FRAUD_ROLE_EXTERNAL : FRAUD_ROLE_ACCOUNT;
    x->to_role = to < 0 ? FRAUD_ROLE_EXTERNAL : FRAUD_ROLE_ACCOUNT;
    if (from >= 0) x->balance[0] = dataset_money(balance[0]);
    if (to >= 0) x->balance[1] = dataset_money(balance[1]);
    x->label = sar != 0;
    if (sar) x->ring = pattern;
    x->typology =
        (uint8_t)(sar && model > 0 && model < (int64_t)R1_COUNT(amlgentex_types) ? model : 0);
    return R1_OK;
}

static r1_status amlsim_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    int32_t from, to;
    int64_t ts;
    double amount;
    R1_TRY(fraud_csv_id(c, 0, &from, err));
    R1_TRY(fraud_csv_id(c, 1, &to, err));
    R1_TRY(fraud_csv_real(c, 2, &amount, err));
    R1_TRY(fraud_csv_time(c, 3, d->start, FRAUD_DAY_MS, &ts, err));
    fraud_case *x;
    if (from == to) return R1_OK; /* a transfer of an account to itself is no payment (payment.h) */
    R1_TRY(fraud_cases_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = from;
    x->to = to;
    return R1_OK;
}

static r1_status sffsd_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    int64_t ts, label;
    double amount;
    R1_TRY(fraud_csv_time(c, 0, d->start, 60000, &ts,
                          err)); /* an order, not a time: one payment a minute */
    R1_TRY(fraud_csv_real(c, 3, &amount, err));
    R1_TRY(fraud_csv_int(c, 6, &label, err));
    if (label < 0 || label > 2)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a label 0..2, found %lld", c->path, c->line,
                (long long)label);
    fraud_case *x;
    R1_TRY(fraud_cases_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = fraud_cases_word(d, c->field[1]);
    x->to = fraud_cases_word(d, c->field[2]);
    x->category = fraud_cases_word(d, c->field[5]);
    x->text = fraud_cases_word(d, c->field[4]);
    x->kind = FRAUD_KIND_CARD;
    x->from_role = FRAUD_ROLE_CARD;
    x->to_role = FRAUD_ROLE_MERCHANT;
    x->label = (uint8_t)label;
    return R1_OK;
}

static r1_status sparkov_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    int64_t ts, label;
    double lat, lon, amount;
    R1_TRY(fraud_csv_time(c, 1, 0, 1000, &ts, err));
    R1_TRY(fraud_csv_real(c, 13, &lat, err));
    R1_TRY(fraud_csv_real(c, 14, &lon, err));
    R1_TRY(fraud_csv_real(c, 15, &amount, err));
    R1_TRY(fraud_csv_int(c, 16, &label, err));
    fraud_case *x;
    R1_TRY(fraud_cases_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = fraud_cases_word(d, c->field[2]);
    x->to = x->text = fraud_cases_word(d, c->field[12]);
    x->category = fraud_cases_word(d, c->field[11]);
    x->lat = (float)lat;
    x->lon = (float)lon;
    x->kind = FRAUD_KIND_CARD;
    x->from_role = FRAUD_ROLE_CARD;
    x->to_role = FRAUD_ROLE_MERCHANT;
    x->label = label != 0;
    x->label_ts = x->ts + FRAUD_HANDBOOK_DELAY_DAYS * FRAUD_DAY_MS;
    return R1_OK;
}

typedef struct {
    const char *file, *header;
    r1_status (*row)(fraud_dataset *, const fraud_csv *, r1_err *);
    const char *const *typologies;
    size_t n_typology;
    int64_t start; /* ms since 1970 */
} layout_row;

static const char *const no_types[] = {"none"};
static const layout_row layouts[FRAUD_N_LAYOUT] = {
    [FRAUD_LAYOUT_HANDBOOK] = {.file = "transactions.csv",
                               .header = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,"
                                         "TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,",
                               .row = handbook_row,
                               .typologies = handbook_scenarios,
                               .n_typology = R1_COUNT(handbook_scenarios),
                               .start = INT64_C(1522540800000)},
    [FRAUD_LAYOUT_AMLGENTEX] = {.file = "tx_log.csv",
                                .header = "step,type,amount,nameOrig,nameDest,bankOrig,bankDest,"
                                          "daysInBankOrig,phoneChangesOrig,oldbalanceOrig,",
                                .row = amlgentex_row,
                                .typologies = amlgentex_types,
                                .n_typology = R1_COUNT(amlgentex_types),
                                .start = INT64_C(1577836800000)},
    [FRAUD_LAYOUT_AMLSIM] = {.file = "transactions.csv",
                             .header = "sourceNodeId,targetNodeId,value,time",
                             .row = amlsim_row,
                             .typologies = no_types,
                             .n_typology = R1_COUNT(no_types),
                             .start = INT64_C(1577836800000)},
    [FRAUD_LAYOUT_SFFSD] = {.file = "s-ffsd.csv",
                            .header = "Time,Source,Target,Amount,Location,Type,Labels",
                            .row = sffsd_row,
                            .typologies = no_types,
                            .n_typology = R1_COUNT(no_types),
                            .start = INT64_C(1577836800000)},
    [FRAUD_LAYOUT_SPARKOV] = {.file = "transactions.csv",
                              .header = "trans_num,ts,customer,gender,city,state,lat,long,city_pop,"
                                        "job,profile,category,merchant,merch_lat,",
                              .row = sparkov_row,
                              .typologies = no_types,
                              .n_typology = R1_COUNT(no_types),
                              .start = INT64_C(1546300800000)},
    [FRAUD_LAYOUT_IBM] = {.file = "HI-Small_Trans.csv",
                          .header = "Timestamp,From Bank,Account,To Bank,Account,Amount Received,"
                                    "Receiving Currency,Amount Paid,Payment Currency,",
                          .row = fraud_amlworld_row,
                          .typologies = fraud_amlworld_types,
                          .n_typology = FRAUD_AMLWORLD_TYPES,
                          .start = INT64_C(1661990400000)},
    [FRAUD_LAYOUT_PAYSIM] = {.file = "paysim.csv",
                             .header = "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,"
                                       "nameDest,oldbalanceDest,newbalanceDest,isFraud",
                             .row = fraud_paysim_row,
                             .typologies = no_types,
                             .n_typology = R1_COUNT(no_types),
                             .start = INT64_C(1577836800000)},
    [FRAUD_LAYOUT_SAMLD] = {.file = "SAML-D.csv",
                            .header = "Time,Date,Sender_account,Receiver_account,Amount,"
                                      "Payment_currency,Received_currency,Sender_bank_location,"
                                      "Receiver_bank_location,Payment_type,Is_laundering,",
                            .row = fraud_samld_row,
                            .typologies = fraud_samld_types,
                            .n_typology = FRAUD_SAMLD_TYPES,
                            .start = INT64_C(1665100800000)},
    [FRAUD_LAYOUT_ULB] = {.file = "creditcard.csv",
                          .header = "\"Time\",\"V1\",\"V2\",\"V3\"",
                          .row = fraud_ulb_row,
                          .typologies = no_types,
                          .n_typology = R1_COUNT(no_types),
                          .start = INT64_C(1577836800000)},
    [FRAUD_LAYOUT_ELLIPTIC] = {.file = "elliptic_txs_edgelist.csv",
                               .header = "txId1,txId2",
                               .row = fraud_elliptic_row,
                               .typologies = no_types,
                               .n_typology = R1_COUNT(no_types),
                               .start = INT64_C(1577836800000)}}; /* r1: recording.c */

/* ---- after the rows -------------------------------------------------------------------------- */

static void shuffle_steps(fraud_dataset *d)
{
    r1_rng rng;
    r1_rng_seed(&rng, 20261123);
    for (size_t a = 0, b; a < d->n; a = b) {
        for (b = a + 1; b < d->n && d->cases[b].ts == d->cases[a].ts;) b++;
        for (size_t i = b - 1; i > a; i--) {
            size_t j = a + (size_t)r1_rng_below(&rng, i - a + 1);
            fraud_case t = d->cases[i];
            d->cases[i] = d->cases[j];
            d->cases[j] = t;
        }
    }
}

static int dataset_by_time(const void *a, const void *b)
{
    const fraud_case *x = a, *y = b;
    if (x->ts != y->ts) return x->ts < y->ts ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    if (x->to != y->to) return x->to < y->to ? -1 : 1;
    return (x->amount_minor > y->amount_minor) - (x->amount_minor < y->amount_minor);
}

static r1_status amlsim_flags(fraud_csv *c, uint8_t *fraud, r1_err *err)
{
    while (fraud_csv_next(c)) {
        int64_t id = 0, label = 0;
        R1_TRY(fraud_csv_int(c, 0, &id, err));
        R1_TRY(fraud_csv_int(c, 1, &label, err));
        if (id >= 0 && id < ACCOUNTS_MAX) fraud[id] = label != 0;
    }
    return R1_OK;
}

static bool amlsim_fraud(const uint8_t *fraud, int32_t id)
{
    return id >= 0 && id < ACCOUNTS_MAX && fraud[id];
}

/* AMLSim labels accounts: a transfer counts as fraudulent when both of its ends are. */
static r1_status amlsim_accounts(fraud_dataset *d, const char *path, r1_err *err)
{
    fraud_csv c;
    uint8_t *fraud = calloc(ACCOUNTS_MAX, 1);
    if (!fraud) R1_FAIL(err, R1_E_NOMEM, "no memory for %d accounts", (int)ACCOUNTS_MAX);
    r1_status st = fraud_csv_open(&c, path, "nodeid,isFraud", err);
    if (st != R1_OK) goto free_flags;
    st = amlsim_flags(&c, fraud, err);
    if (st != R1_OK) goto close_file;
    for (size_t i = 0; i < d->n; i++) {
        fraud_case *x = &d->cases[i];
        x->label = amlsim_fraud(fraud, x->from) && amlsim_fraud(fraud, x->to);
    }
close_file:
    fraud_csv_close(&c);
free_flags:
    free(fraud);
    return st;
}

/* Rings are numbered 0..n_ring-1; numbers without a transfer are empty. */
static r1_status count_rings(fraud_dataset *d, r1_err *err)
{
    int32_t top = -1;
    for (size_t i = 0; i < d->n; i++)
        if (d->cases[i].ring > top) top = d->cases[i].ring;
    if (top < 0) return R1_OK;
    if (top > RING_NUMBER_MAX)
        R1_FAIL(err, R1_E_FORMAT, "ring number: expected at most %d, found %d", RING_NUMBER_MAX,
                top);
    d->n_ring = (size_t)top + 1;
    return R1_OK;
}

static r1_status dataset_finish(fraud_dataset *d, const char *path, const char *accounts,
                                r1_err *err)
{
    char at[1024];
    if (d->layout == FRAUD_LAYOUT_AMLSIM) {
        R1_TRY(fraud_dataset_locate(accounts ? accounts : path, "nodes.csv", at, sizeof at, err));
        R1_TRY(amlsim_accounts(d, at, err));
    }
    if (d->layout == FRAUD_LAYOUT_IBM) {
        R1_TRY(fraud_dataset_locate(path, layouts[d->layout].file, at, sizeof at, err));
        R1_TRY(fraud_amlworld_patterns(d, at, err));
    }
    if (d->layout == FRAUD_LAYOUT_ELLIPTIC) {
        R1_TRY(fraud_dataset_locate(path, layouts[d->layout].file, at, sizeof at, err));
        R1_TRY(fraud_elliptic_nodes(d, at, err));
    }
    if (d->layout != FRAUD_LAYOUT_R1) qsort(d->cases, d->n, sizeof *d->cases, dataset_by_time);
    if (d->layout == FRAUD_LAYOUT_AMLGENTEX || d->layout == FRAUD_LAYOUT_AMLSIM) shuffle_steps(d);
    return count_rings(d, err);
}

static r1_status load_rows(fraud_dataset *d, const char *path, r1_err *err)
{
    char at[1024];
    const layout_row *l = &layouts[d->layout];
    d->start = l->start;
    d->typologies = l->typologies;
    d->n_typology = l->n_typology;
    R1_TRY(fraud_dataset_locate(path, l->file, at, sizeof at, err));
    fraud_csv c;
    R1_TRY(fraud_csv_open(&c, at, l->header, err));
    r1_status st = R1_OK;
    while (st == R1_OK && fraud_csv_next(&c)) st = l->row(d, &c, err);
    fraud_csv_close(&c);
    return st;
}

static r1_status dataset_fill(fraud_dataset *d, const char *path, const char *accounts, r1_err *err)
{
    if (d->layout == FRAUD_LAYOUT_R1)
        R1_TRY(fraud_recording_load(d, path, err));
    else
        R1_TRY(load_rows(d, path, err));
    if (!d->n) R1_FAIL(err, R1_E_FORMAT, "%s: no payments", path);
    return dataset_finish(d, path, accounts, err);
}

r1_status fraud_dataset_load(fraud_dataset **out, fraud_layout layout, const char *path,
                             const char *accounts, uint32_t number, r1_err *err)
{
    *out = NULL;
    fraud_dataset *d = calloc(1, sizeof *d);
    if (!d) R1_FAIL(err, R1_E_NOMEM, "no memory");
    d->layout = layout;
    d->number = number;
    r1_status st = dataset_fill(d, path, accounts, err);
    if (st != R1_OK) {
        fraud_dataset_free(d);
        return st;
    }
    *out = d;
    return R1_OK;
}
