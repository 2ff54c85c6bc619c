/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset.c - readers of the public layouts: one function per layout over one bounded CSV
 * splitter. */
#include "eval/dataset_files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

const char *const FRAUD_LAYOUT_NAME[FRAUD_N_LAYOUT] = {"handbook", "amlgentex", "amlsim",
                                                       "sffsd",    "sparkov",   "r1"};

enum { FIELDS_MAX = 24, DAY = 86400000 };

/* ---- bytes ----------------------------------------------------------------------------------- */

static r1_status inflate_zst(const char *path, char **data, size_t *len, r1_err *err)
{
    unsigned long long full = ZSTD_getFrameContentSize(*data, *len);
    if (full == ZSTD_CONTENTSIZE_ERROR) R1_FAIL(err, R1_E_FORMAT, "%s: not a zstd file", path);
    size_t cap = full == ZSTD_CONTENTSIZE_UNKNOWN ? *len * 40 + 65536 : (size_t)full;
    if (cap > FRAUD_DATASET_BYTES_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s: more than %zu bytes", path, FRAUD_DATASET_BYTES_MAX);
    char *out = malloc(cap + 1);
    if (!out) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for %zu bytes", path, cap);
    size_t n = ZSTD_decompress(out, cap, *data, *len);
    if (ZSTD_isError(n)) {
        free(out);
        R1_FAIL(err, R1_E_FORMAT, "%s: %s", path, ZSTD_getErrorName(n));
    }
    free(*data);
    out[n] = 0;
    *data = out;
    *len = n;
    return R1_OK;
}

static r1_status read_any(const char *path, char **data, size_t *len, r1_err *err)
{
    R1_TRY(r1_file_read(path, FRAUD_DATASET_BYTES_MAX, data, len, err));
    size_t n = strlen(path);
    if (n < 4 || strcmp(path + n - 4, ".zst")) return R1_OK;
    r1_status st = inflate_zst(path, data, len, err);
    if (st != R1_OK) free(*data);
    return st;
}

static bool is_file(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode);
}

/* path itself, or path/name, or path/name.zst */
static r1_status dataset_locate(const char *path, const char *name, char *out, size_t cap,
                                r1_err *err)
{
    snprintf(out, cap, "%s", path);
    if (is_file(out)) return R1_OK;
    snprintf(out, cap, "%s/%s", path, name);
    if (is_file(out)) return R1_OK;
    snprintf(out, cap, "%s/%s.zst", path, name);
    if (is_file(out)) return R1_OK;
    R1_FAIL(err, R1_E_NOT_FOUND,
            "%s: expected this file, or %s[.zst] in this folder, found neither", path, name);
}

r1_status fraud_dataset_file(const char *path, const char *name, char *at, size_t at_bytes,
                             char **data, size_t *len, r1_err *err)
{
    R1_TRY(dataset_locate(path, name, at, at_bytes, err));
    return read_any(at, data, len, err);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

typedef struct {
    const char *path;
    char *data, *at, *end;
    long line;
    char *field[FIELDS_MAX];
    int n_field;
} csv;

/* Splits the next line in place; false at the end. Quotes may hold commas; a doubled quote is
 * one quote. */
static bool csv_next(csv *c)
{
    if (c->at >= c->end) return false;
    c->line++;
    c->n_field = 0;
    char *p = c->at;
    for (;;) {
        char *w = p, *start = p;
        bool quoted = *p == '"';
        if (quoted) p++;
        while (p < c->end && *p != '\n' && (quoted || *p != ',')) {
            if (quoted && *p == '"') {
                if (p[1] != '"') {
                    quoted = false;
                    p++;
                    continue;
                }
                p++;
            }
            *w++ = *p++;
        }
        bool last = p >= c->end || *p == '\n';
        if (w > start && w[-1] == '\r') w--;
        if (c->n_field < FIELDS_MAX) c->field[c->n_field++] = start;
        char *next = p + 1;
        *w = 0;
        p = next;
        if (last) break;
    }
    c->at = p;
    return true;
}

static r1_status csv_open(csv *c, const char *path, const char *header, r1_err *err)
{
    size_t len;
    memset(c, 0, sizeof *c);
    c->path = path;
    R1_TRY(read_any(path, &c->data, &len, err));
    c->at = c->data;
    c->end = c->data + len;
    size_t want = strlen(header);
    if (len < want || memcmp(c->data, header, want)) {
        char found[81];
        snprintf(found, sizeof found, "%.*s", (int)(len < 80 ? len : 80), c->data);
        free(c->data);
        c->data = NULL;
        R1_FAIL(err, R1_E_FORMAT, "%s:1: expected the header \"%.60s...\", found \"%.80s\"", path,
                header, found);
    }
    csv_next(c);
    return R1_OK;
}

static r1_status csv_int(const csv *c, int column, int64_t *out, r1_err *err)
{
    char *end;
    if (column >= c->n_field)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected %d fields, found %d", c->path, c->line,
                column + 1, c->n_field);
    errno = 0;
    *out = strtoll(c->field[column], &end, 10);
    if (errno || *end || end == c->field[column])
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected an integer, found \"%.40s\"", c->path, c->line,
                c->field[column]);
    return R1_OK;
}

/* An id that fits fraud_case. */
static r1_status csv_id(const csv *c, int column, int32_t *out, r1_err *err)
{
    int64_t v;
    R1_TRY(csv_int(c, column, &v, err));
    if (v < INT32_MIN || v > INT32_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected an id of 32 bits, found %lld", c->path, c->line,
                (long long)v);
    *out = (int32_t)v;
    return R1_OK;
}

/* A time as a count of units since start. */
static r1_status csv_time(const csv *c, int column, int64_t start, int64_t unit_ms, int64_t *ts,
                          r1_err *err)
{
    int64_t v;
    R1_TRY(csv_int(c, column, &v, err));
    if (__builtin_mul_overflow(v, unit_ms, ts) || __builtin_add_overflow(*ts, start, ts) ||
        *ts < FRAUD_TS_MIN || *ts > FRAUD_TS_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a time between 1970 and 2100, found %lld",
                c->path, c->line, (long long)v);
    return R1_OK;
}

static r1_status csv_real(const csv *c, int column, double *out, r1_err *err)
{
    char *end;
    if (column >= c->n_field)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected %d fields, found %d", c->path, c->line,
                column + 1, c->n_field);
    *out = strtod(c->field[column], &end);
    if (*end || end == c->field[column] || !isfinite(*out))
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a number, found \"%.40s\"", c->path, c->line,
                c->field[column]);
    return R1_OK;
}

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

static r1_status dataset_push(fraud_dataset *d, fraud_case **out, r1_err *err)
{
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 65536;
        fraud_case *grown = r1_realloc_array(d->cases, cap, sizeof *grown);
        if (!grown) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu payments", cap);
        d->cases = grown;
        d->cap = cap;
    }
    fraud_case *x = &d->cases[d->n++];
    *x = (fraud_case){.label_ts = INT64_MAX,
                      .category = -1,
                      .text = -1,
                      .ring = -1,
                      .lat = NAN,
                      .lon = NAN,
                      .balance = {INT64_MIN, INT64_MIN}};
    *out = x;
    return R1_OK;
}

static int32_t dataset_word(fraud_dataset *d, const char *text)
{
    for (size_t i = 0; i < d->n_word; i++)
        if (!strcmp(d->words[i], text)) return (int32_t)i;
    if (d->n_word == 65536) return -1;
    char **grown = r1_realloc_array(d->words, d->n_word + 1, sizeof *grown);
    if (!grown) return -1;
    d->words = grown;
    d->words[d->n_word] = strdup(text);
    return d->words[d->n_word] ? (int32_t)d->n_word++ : -1;
}

/* ---- layouts --------------------------------------------------------------------------------- */

static const char *const handbook_scenarios[] = {"none", "amount", "compromised_terminal",
                                                 "compromised_card"};

static r1_status handbook_row(fraud_dataset *d, const csv *c, r1_err *err)
{
    int32_t customer, terminal;
    int64_t ts, label, scenario;
    double amount;
    R1_TRY(csv_id(c, 2, &customer, err));
    R1_TRY(csv_id(c, 3, &terminal, err));
    R1_TRY(csv_real(c, 4, &amount, err));
    R1_TRY(csv_time(c, 5, d->start, 1000, &ts, err));
    R1_TRY(csv_int(c, 7, &label, err));
    R1_TRY(csv_int(c, 8, &scenario, err));
    fraud_case *x;
    R1_TRY(dataset_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = customer;
    x->to = terminal;
    x->kind = FRAUD_KIND_CARD;
    x->from_role = FRAUD_ROLE_CARD;
    x->to_role = FRAUD_ROLE_MERCHANT;
    x->label = label != 0;
    x->typology = (uint8_t)(scenario >= 0 && scenario < 4 ? scenario : 0);
    x->label_ts = x->ts + 7 * (int64_t)DAY; /* the handbook's delay */
    return R1_OK;
}

static const char *const amlgentex_types[] = {"none",   "fan_out",        "fan_in",
                                              "cycle",  "bipartite",      "stack",
                                              "random", "scatter_gather", "gather_scatter"};

static r1_status amlgentex_row(fraud_dataset *d, const csv *c, r1_err *err)
{
    int32_t from, to, pattern;
    int64_t ts, sar, model;
    double amount, balance[2];
    if (c->n_field > 1 && !strcmp(c->field[1], "INITALBALANCE")) return R1_OK;
    R1_TRY(csv_time(c, 0, d->start, DAY, &ts, err));
    R1_TRY(csv_real(c, 2, &amount, err));
    R1_TRY(csv_id(c, 3, &from, err));
    R1_TRY(csv_id(c, 4, &to, err));
    R1_TRY(csv_real(c, 9, &balance[0], err));
    R1_TRY(csv_real(c, 13, &balance[1], err));
    R1_TRY(csv_int(c, 15, &sar, err));
    R1_TRY(csv_id(c, 16, &pattern, err));
    R1_TRY(csv_int(c, 17, &model, err));
    fraud_case *x;
    R1_TRY(dataset_push(d, &x, err));
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
    x->typology = (uint8_t)(sar && model > 0 && model < 9 ? model : 0);
    return R1_OK;
}

static r1_status amlsim_row(fraud_dataset *d, const csv *c, r1_err *err)
{
    int32_t from, to;
    int64_t ts;
    double amount;
    R1_TRY(csv_id(c, 0, &from, err));
    R1_TRY(csv_id(c, 1, &to, err));
    R1_TRY(csv_real(c, 2, &amount, err));
    R1_TRY(csv_time(c, 3, d->start, DAY, &ts, err));
    fraud_case *x;
    if (from == to) return R1_OK; /* a transfer of an account to itself is no payment (payment.h) */
    R1_TRY(dataset_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = from;
    x->to = to;
    return R1_OK;
}

static r1_status sffsd_row(fraud_dataset *d, const csv *c, r1_err *err)
{
    int64_t ts, label;
    double amount;
    R1_TRY(
        csv_time(c, 0, d->start, 60000, &ts, err)); /* an order, not a time: one payment a minute */
    R1_TRY(csv_real(c, 3, &amount, err));
    R1_TRY(csv_int(c, 6, &label, err));
    if (label < 0 || label > 2)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a label 0..2, found %lld", c->path, c->line,
                (long long)label);
    fraud_case *x;
    R1_TRY(dataset_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = dataset_word(d, c->field[1]);
    x->to = dataset_word(d, c->field[2]);
    x->category = dataset_word(d, c->field[5]);
    x->text = dataset_word(d, c->field[4]);
    x->kind = FRAUD_KIND_CARD;
    x->from_role = FRAUD_ROLE_CARD;
    x->to_role = FRAUD_ROLE_MERCHANT;
    x->label = (uint8_t)label;
    return R1_OK;
}

static r1_status sparkov_row(fraud_dataset *d, const csv *c, r1_err *err)
{
    int64_t ts, label;
    double lat, lon, amount;
    R1_TRY(csv_time(c, 1, 0, 1000, &ts, err));
    R1_TRY(csv_real(c, 13, &lat, err));
    R1_TRY(csv_real(c, 14, &lon, err));
    R1_TRY(csv_real(c, 15, &amount, err));
    R1_TRY(csv_int(c, 16, &label, err));
    fraud_case *x;
    R1_TRY(dataset_push(d, &x, err));
    x->ts = ts;
    x->amount_minor = dataset_minor(amount);
    x->from = dataset_word(d, c->field[2]);
    x->to = x->text = dataset_word(d, c->field[12]);
    x->category = dataset_word(d, c->field[11]);
    x->lat = (float)lat;
    x->lon = (float)lon;
    x->kind = FRAUD_KIND_CARD;
    x->from_role = FRAUD_ROLE_CARD;
    x->to_role = FRAUD_ROLE_MERCHANT;
    x->label = label != 0;
    x->label_ts = x->ts + 7 * (int64_t)DAY;
    return R1_OK;
}

typedef struct {
    const char *file, *header;
    r1_status (*row)(fraud_dataset *, const csv *, r1_err *);
    const char *const *typologies;
    size_t n_typology;
    int64_t start;
} layout_row;

static const char *const no_types[] = {"none"};
static const layout_row layouts[FRAUD_N_LAYOUT] = {
    {"transactions.csv",
     "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_"
     "FRAUD,",
     handbook_row, handbook_scenarios, 4, INT64_C(1522540800000)},
    {"tx_log.csv",
     "step,type,amount,nameOrig,nameDest,bankOrig,bankDest,daysInBankOrig,phoneChangesOrig,"
     "oldbalanceOrig,",
     amlgentex_row, amlgentex_types, 9, INT64_C(1577836800000)},
    {"transactions.csv", "sourceNodeId,targetNodeId,value,time", amlsim_row, no_types, 1,
     INT64_C(1577836800000)},
    {"s-ffsd.csv", "Time,Source,Target,Amount,Location,Type,Labels", sffsd_row, no_types, 1,
     INT64_C(1577836800000)},
    {"transactions.csv",
     "trans_num,ts,customer,gender,city,state,lat,long,city_pop,job,profile,category,merchant,"
     "merch_lat,",
     sparkov_row, no_types, 1, INT64_C(1546300800000)},
    {0}}; /* r1: recording.c */

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

/* AMLSim labels accounts: a transfer counts as fraudulent when both of its ends are. */
static r1_status amlsim_accounts(fraud_dataset *d, const char *path, r1_err *err)
{
    csv c;
    R1_TRY(csv_open(&c, path, "nodeid,isFraud", err));
    r1_status st = R1_OK;
    size_t cap = 1 << 22;
    uint8_t *fraud = calloc(cap, 1);
    if (!fraud)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %zu accounts", cap);
    while (st == R1_OK && csv_next(&c)) {
        int64_t id = 0, label = 0;
        st = csv_int(&c, 0, &id, err);
        if (st == R1_OK) st = csv_int(&c, 1, &label, err);
        if (st == R1_OK && id >= 0 && (size_t)id < cap) fraud[id] = label != 0;
    }
    for (size_t i = 0; st == R1_OK && i < d->n; i++) {
        fraud_case *x = &d->cases[i];
        bool known = x->from >= 0 && x->to >= 0 && (size_t)x->from < cap && (size_t)x->to < cap;
        x->label = known && fraud[x->from] && fraud[x->to];
    }
    free(fraud);
    free(c.data);
    return st;
}

/* Rings are numbered 0..n_ring-1; numbers without a transfer are empty. */
static r1_status count_rings(fraud_dataset *d, r1_err *err)
{
    int32_t top = -1;
    for (size_t i = 0; i < d->n; i++)
        if (d->cases[i].ring > top) top = d->cases[i].ring;
    if (top < 0) return R1_OK;
    if (top > 10000000)
        R1_FAIL(err, R1_E_FORMAT, "ring number: expected at most 10000000, found %d", top);
    d->n_ring = (size_t)top + 1;
    return R1_OK;
}

static r1_status dataset_finish(fraud_dataset *d, const char *path, const char *accounts,
                                r1_err *err)
{
    char at[1024];
    if (d->layout == FRAUD_LAYOUT_AMLSIM) {
        R1_TRY(dataset_locate(accounts ? accounts : path, "nodes.csv", at, sizeof at, err));
        R1_TRY(amlsim_accounts(d, at, err));
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
    R1_TRY(dataset_locate(path, l->file, at, sizeof at, err));
    csv c;
    R1_TRY(csv_open(&c, at, l->header, err));
    r1_status st = R1_OK;
    while (st == R1_OK && csv_next(&c)) st = l->row(d, &c, err);
    free(c.data);
    return st;
}

r1_status fraud_dataset_load(fraud_dataset **out, fraud_layout layout, const char *path,
                             const char *accounts, uint32_t number, r1_err *err)
{
    *out = NULL;
    fraud_dataset *d = calloc(1, sizeof *d);
    if (!d) R1_FAIL(err, R1_E_NOMEM, "no memory");
    d->layout = layout;
    d->number = number;
    r1_status st =
        layout == FRAUD_LAYOUT_R1 ? fraud_recording_load(d, path, err) : load_rows(d, path, err);
    if (st == R1_OK && !d->n)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s: no payments", path);
    if (st == R1_OK) st = dataset_finish(d, path, accounts, err);
    if (st != R1_OK) {
        fraud_dataset_free(d);
        return st;
    }
    *out = d;
    return R1_OK;
}

void fraud_dataset_free(fraud_dataset *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->n_word; i++) free(d->words[i]);
    free(d->words);
    free(d->payments);
    free(d->cases);
    free(d);
}

static void dataset_account_name(char *out, size_t cap, uint8_t role, int32_t id)
{
    static const char prefix[FRAUD_N_ROLE] = {'a', 'c', 'm', 'x'};
    snprintf(out, cap, "%c%d", prefix[role], id);
}

void fraud_dataset_payment(const fraud_dataset *d, size_t i, fraud_payment *p)
{
    const fraud_case *x = &d->cases[i];
    if (d->payments) {
        *p = d->payments[i];
        return;
    }
    memset(p, 0, sizeof *p);
    snprintf(p->tx_id, sizeof p->tx_id, "%u-%zu", d->number, i);
    p->ts = x->ts;
    p->amount_minor = x->amount_minor;
    p->kind = x->kind;
    p->from_role = x->from_role;
    p->to_role = x->to_role;
    p->minor_digits = 2;
    memcpy(p->currency, "USD", 4);
    dataset_account_name(p->from, sizeof p->from, x->from_role, x->from);
    dataset_account_name(p->to, sizeof p->to, x->to_role, x->to);
    if (x->category >= 0) snprintf(p->category, sizeof p->category, "%.31s", d->words[x->category]);
    if (x->text >= 0) snprintf(p->text, sizeof p->text, "%.140s", d->words[x->text]);
    p->lat = isnan(x->lat) ? 0 : x->lat;
    p->lon = isnan(x->lon) ? 0 : x->lon;
    p->has = isnan(x->lat) ? 0 : FRAUD_HAS_POSITION;
    if (x->balance[0] != INT64_MIN)
        p->has |= FRAUD_HAS_FROM_BALANCE, p->from_balance_minor = x->balance[0];
    if (x->balance[1] != INT64_MIN)
        p->has |= FRAUD_HAS_TO_BALANCE, p->to_balance_minor = x->balance[1];
}
