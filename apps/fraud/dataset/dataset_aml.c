/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset_aml.c - see dataset_aml.h. Columns are named by their places, as the headers that
 * dataset.c asks for have them. */
#include "dataset/dataset_aml.h"

#include "dataset/account_numbers.h"
#include "dataset/dataset_files.h"
#include "payment/currency.h"
#include "payment/event_time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ELLIPTIC_STEP_DAYS = 14, PATH_BYTES = 1024 };

/* ---- fields ---- */

static r1_status aml_text(const fraud_csv *c, int column, const char **out, r1_err *err)
{
    *out = "";
    if (column >= c->n_field)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected %d fields, found %d", c->path, c->line,
                column + 1, c->n_field);
    *out = c->field[column];
    return R1_OK;
}

static r1_status aml_account(fraud_dataset *d, const fraud_csv *c, int bank, int column,
                             int32_t *out, r1_err *err)
{
    const char *name, *of = "";
    R1_TRY(aml_text(c, column, &name, err));
    if (bank >= 0) R1_TRY(aml_text(c, bank, &of, err));
    if (!d->accounts) d->accounts = account_numbers_new();
    *out = d->accounts ? account_number(d->accounts, of, name) : -1;
    if (*out < 0) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for accounts", c->path);
    return R1_OK;
}

/* Money of at least 0, in minor units. */
static r1_status aml_balance(const fraud_csv *c, int column, double unit, int64_t *out, r1_err *err)
{
    double amount;
    R1_TRY(fraud_csv_real(c, column, &amount, err));
    if (amount < 0)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected an amount of at least 0, found %g", c->path,
                c->line, amount);
    amount = amount / unit * 100;
    if (amount > (double)FRAUD_AMOUNT_MAX) amount = (double)FRAUD_AMOUNT_MAX;
    *out = (int64_t)llround(amount);
    return R1_OK;
}

/* Of a payment: at least one. */
static r1_status aml_money(const fraud_csv *c, int column, double unit, int64_t *out, r1_err *err)
{
    R1_TRY(aml_balance(c, column, unit, out, err));
    if (*out < 1) *out = 1;
    return R1_OK;
}

static r1_status aml_flag(const fraud_csv *c, int column, uint8_t *out, r1_err *err)
{
    int64_t label;
    R1_TRY(fraud_csv_int(c, column, &label, err));
    if (label != 0 && label != 1)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a label 0 or 1, found %lld", c->path, c->line,
                (long long)label);
    *out = (uint8_t)label;
    return R1_OK;
}

static r1_status aml_when(const fraud_csv *c, const char *text, const char *pattern, int64_t *ts,
                          r1_err *err)
{
    bool zone;
    if (!fraud_time_pattern(text, pattern, ts, &zone) || *ts < FRAUD_TS_MIN || *ts > FRAUD_TS_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a time as %s, found \"%.40s\"", c->path,
                c->line, pattern, text);
    return R1_OK;
}

static int aml_word(const char *const *words, int n, const char *text)
{
    int i = n - 1;
    while (i > 0 && strcmp(words[i], text) != 0) i--;
    return i;
}

/* ---- IBM AML ---- */

const char *const fraud_amlworld_types[FRAUD_AMLWORLD_TYPES] = {
    "none",  "fan_out", "fan_in",         "cycle",         "bipartite",
    "stack", "random",  "scatter_gather", "gather_scatter"};

/* As its authors write currencies. Bitcoin has no code; one is taken for ten thousand dollars. */
static r1_status amlworld_unit(const fraud_csv *c, const char *name, double *unit, r1_err *err)
{
    static const struct {
        const char *name, *code;
    } rows[] = {{"US Dollar", "USD"},
                {"Euro", "EUR"},
                {"UK Pound", "GBP"},
                {"Swiss Franc", "CHF"},
                {"Yen", "JPY"},
                {"Yuan", "CNY"},
                {"Rupee", "INR"},
                {"Ruble", "RUB"},
                {"Canadian Dollar", "CAD"},
                {"Australian Dollar", "AUD"},
                {"Shekel", "ILS"},
                {"Saudi Riyal", "SAR"},
                {"Brazil Real", "BRL"},
                {"Mexican Peso", "MXN"}};
    *unit = 1e-4;
    if (!strcmp(name, "Bitcoin")) return R1_OK;
    for (size_t i = 0; i < R1_COUNT(rows); i++)
        if (!strcmp(rows[i].name, name)) return *unit = fraud_currency_unit(rows[i].code), R1_OK;
    R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a currency as \"US Dollar\", found \"%.40s\"",
            c->path, c->line, name);
}

static r1_status amlworld_case(fraud_dataset *d, const fraud_csv *c, fraud_case *x, r1_err *err)
{
    const char *time, *currency, *format;
    double unit;
    R1_TRY(aml_text(c, 0, &time, err));
    R1_TRY(aml_when(c, time, "%Y/%m/%d %H:%M", &x->ts, err));
    R1_TRY(aml_account(d, c, 1, 2, &x->from, err));
    R1_TRY(aml_account(d, c, 3, 4, &x->to, err));
    R1_TRY(aml_text(c, 8, &currency, err));
    R1_TRY(amlworld_unit(c, currency, &unit, err));
    R1_TRY(aml_money(c, 7, unit, &x->amount_minor, err));
    R1_TRY(aml_text(c, 9, &format, err));
    if (!strcmp(format, "Cash")) x->kind = FRAUD_KIND_CASH;
    x->category = fraud_cases_word(d, format);
    return aml_flag(c, 10, &x->label, err);
}

/* A transfer of an account to itself is no payment (payment.h). */
r1_status fraud_amlworld_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    fraud_case *x;
    R1_TRY(fraud_cases_push(d, &x, err));
    R1_TRY(amlworld_case(d, c, x, err));
    d->n -= x->from == x->to;
    return R1_OK;
}

static int amlworld_order(const void *a, const void *b)
{
    const fraud_case *x = *(fraud_case *const *)a, *y = *(fraud_case *const *)b;
    if (x->ts != y->ts) return x->ts < y->ts ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    if (x->to != y->to) return x->to < y->to ? -1 : 1;
    return (x->amount_minor > y->amount_minor) - (x->amount_minor < y->amount_minor);
}

typedef struct {
    fraud_case **fraud; /* sorted; each is given to a ring once */
    size_t n;
    int32_t ring; /* -1: outside of an attempt */
    int typology;
} amlworld_rings;

/* "BEGIN LAUNDERING ATTEMPT - FAN-OUT:  Max 16-degree Fan-Out" */
static void amlworld_begin(amlworld_rings *r, const char *text, int32_t *n)
{
    char name[32];
    size_t len = strcspn(text, ":\r\n");
    if (len >= sizeof name) len = sizeof name - 1;
    for (size_t i = 0; i < len; i++)
        name[i] =
            text[i] == '-' ? '_' : (char)(text[i] | ('A' <= text[i] && text[i] <= 'Z' ? 32 : 0));
    name[len] = 0;
    r->typology = aml_word(fraud_amlworld_types, FRAUD_AMLWORLD_TYPES, name);
    r->ring = (*n)++;
}

static r1_status amlworld_member(fraud_dataset *d, const fraud_csv *c, amlworld_rings *r,
                                 r1_err *err)
{
    fraud_case key = {.category = -1}, *at = &key;
    if (c->n_field < 11 && !*c->field[0]) return R1_OK; /* an empty line */
    R1_TRY(amlworld_case(d, c, &key, err));
    if (key.from == key.to) return R1_OK;
    fraud_case **found = bsearch(&at, r->fraud, r->n, sizeof at, amlworld_order);
    if (!found || r->ring < 0)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a laundering payment of the table, found %s",
                c->path, c->line, r->ring < 0 ? "one outside of an attempt" : "another one");
    while (found > r->fraud && !amlworld_order(found - 1, found)) found--;
    while (found + 1 < r->fraud + r->n && (*found)->ring >= 0 && !amlworld_order(found, found + 1))
        found++;
    (*found)->ring = r->ring;
    (*found)->typology = (uint8_t)r->typology;
    return R1_OK;
}

static r1_status amlworld_read(fraud_dataset *d, fraud_csv *c, amlworld_rings *r, r1_err *err)
{
    static const char begin[] = "BEGIN LAUNDERING ATTEMPT - ", end[] = "END LAUNDERING ATTEMPT";
    int32_t n = 0;
    do {
        if (!strncmp(c->field[0], begin, sizeof begin - 1))
            amlworld_begin(r, c->field[0] + sizeof begin - 1, &n);
        else if (!strncmp(c->field[0], end, sizeof end - 1))
            r->ring = -1;
        else
            R1_TRY(amlworld_member(d, c, r, err));
    } while (fraud_csv_next(c));
    return R1_OK;
}

/* "HI-Small_Trans.csv" to "HI-Small_Patterns.txt"; false: another name. */
static bool patterns_path(const char *path, char out[PATH_BYTES])
{
    static const char rows[] = "_Trans.csv";
    const char *at = strstr(path, rows);
    if (at) snprintf(out, PATH_BYTES, "%.*s_Patterns.txt", (int)(at - path), path);
    return at != NULL;
}

r1_status fraud_amlworld_patterns(fraud_dataset *d, const char *path, r1_err *err)
{
    char at[PATH_BYTES];
    fraud_csv c;
    amlworld_rings r = {.ring = -1};
    FILE *there = patterns_path(path, at) ? fopen(at, "r") : NULL;
    if (!there) return R1_OK;
    fclose(there);
    r.fraud = r1_realloc_array(NULL, d->n + 1, sizeof *r.fraud);
    if (!r.fraud) R1_FAIL(err, R1_E_NOMEM, "no memory for rings");
    for (size_t i = 0; i < d->n; i++)
        if (d->cases[i].label == FRAUD_LABEL_FRAUD) r.fraud[r.n++] = &d->cases[i];
    qsort(r.fraud, r.n, sizeof(fraud_case *), amlworld_order);
    r1_status st = fraud_csv_open(&c, at, "BEGIN LAUNDERING ATTEMPT", err);
    if (st == R1_OK) {
        st = amlworld_read(d, &c, &r, err);
        fraud_csv_close(&c);
    }
    free(r.fraud);
    return st;
}

/* ---- PaySim ---- */

r1_status fraud_paysim_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    const char *type, *to;
    fraud_case *x;
    R1_TRY(fraud_cases_push(d, &x, err));
    R1_TRY(fraud_csv_time(c, 0, d->start, FRAUD_DAY_MS / 24, &x->ts, err));
    R1_TRY(aml_text(c, 1, &type, err));
    R1_TRY(aml_money(c, 2, 1, &x->amount_minor, err));
    R1_TRY(aml_account(d, c, -1, 3, &x->from, err));
    R1_TRY(aml_balance(c, 4, 1, &x->balance[0], err));
    R1_TRY(aml_text(c, 6, &to, err));
    R1_TRY(aml_account(d, c, -1, 6, &x->to, err));
    R1_TRY(aml_flag(c, 9, &x->label, err));
    if (*to == 'M') x->to_role = FRAUD_ROLE_MERCHANT;
    if (!strncmp(type, "CASH", 4)) x->kind = FRAUD_KIND_CASH;
    x->category = fraud_cases_word(d, type);
    if (strcmp(type, "CASH_IN") != 0) return R1_OK;
    const int32_t customer = x->from;
    x->from = x->to, x->to = customer;
    x->from_role = FRAUD_ROLE_EXTERNAL, x->to_role = FRAUD_ROLE_ACCOUNT;
    x->balance[1] = x->balance[0], x->balance[0] = INT64_MIN;
    return R1_OK;
}

/* ---- SAML-D ---- */

const char *const fraud_samld_types[FRAUD_SAMLD_TYPES] = {"none",
                                                          "Structuring",
                                                          "Cash_Withdrawal",
                                                          "Deposit-Send",
                                                          "Smurfing",
                                                          "Layered_Fan_In",
                                                          "Layered_Fan_Out",
                                                          "Stacked Bipartite",
                                                          "Behavioural_Change_1",
                                                          "Bipartite",
                                                          "Cycle",
                                                          "Fan_In",
                                                          "Gather-Scatter",
                                                          "Behavioural_Change_2",
                                                          "Scatter-Gather",
                                                          "Single_large",
                                                          "Fan_Out",
                                                          "Over-Invoicing"};

r1_status fraud_samld_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    const char *time, *date, *type, *laundering;
    char when[64];
    fraud_case *x;
    R1_TRY(fraud_cases_push(d, &x, err));
    R1_TRY(aml_text(c, 0, &time, err));
    R1_TRY(aml_text(c, 1, &date, err));
    snprintf(when, sizeof when, "%.20s %.20s", date, time);
    R1_TRY(aml_when(c, when, "%Y-%m-%d %H:%M:%S", &x->ts, err));
    R1_TRY(aml_account(d, c, -1, 2, &x->from, err));
    R1_TRY(aml_account(d, c, -1, 3, &x->to, err));
    R1_TRY(aml_money(c, 4, 1, &x->amount_minor, err));
    R1_TRY(aml_text(c, 9, &type, err));
    R1_TRY(aml_flag(c, 10, &x->label, err));
    R1_TRY(aml_text(c, 11, &laundering, err));
    if (!strncmp(type, "Cash", 4)) x->kind = FRAUD_KIND_CASH;
    x->category = fraud_cases_word(d, type);
    if (x->label) x->typology = (uint8_t)aml_word(fraud_samld_types, FRAUD_SAMLD_TYPES, laundering);
    d->n -= x->from == x->to;
    return R1_OK;
}

/* ---- ULB ---- */

r1_status fraud_ulb_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    double seconds;
    fraud_case *x;
    R1_TRY(fraud_csv_real(c, 0, &seconds, err));
    if (!(seconds >= 0 && seconds < 1e9))
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected seconds from 0 on, found %g", c->path, c->line,
                seconds);
    R1_TRY(fraud_cases_push(d, &x, err));
    x->ts = d->start + (int64_t)(seconds * 1000);
    x->from = (int32_t)(d->n - 1);
    R1_TRY(aml_money(c, 29, 1, &x->amount_minor, err));
    x->kind = FRAUD_KIND_CARD;
    x->from_role = FRAUD_ROLE_CARD;
    x->to_role = FRAUD_ROLE_MERCHANT;
    return aml_flag(c, 30, &x->label, err);
}

/* ---- Elliptic ---- */

r1_status fraud_elliptic_row(fraud_dataset *d, const fraud_csv *c, r1_err *err)
{
    fraud_case *x;
    R1_TRY(fraud_cases_push(d, &x, err));
    R1_TRY(aml_account(d, c, -1, 0, &x->from, err));
    R1_TRY(aml_account(d, c, -1, 1, &x->to, err));
    x->ts = d->start;
    x->amount_minor = 100;
    x->label = FRAUD_LABEL_UNKNOWN;
    d->n -= x->from == x->to;
    return R1_OK;
}

typedef struct {
    uint8_t *label; /* by account number */
    int64_t *step;  /* 0: not known */
    size_t n;
} elliptic_nodes;

static r1_status elliptic_class(const fraud_dataset *d, const fraud_csv *c, elliptic_nodes *e,
                                r1_err *err)
{
    const char *id, *class;
    R1_TRY(aml_text(c, 0, &id, err));
    R1_TRY(aml_text(c, 1, &class, err));
    const int32_t node = account_number_known(d->accounts, "", id);
    if (node < 0) return R1_OK; /* of no flow */
    if (strcmp(class, "1") != 0 && strcmp(class, "2") != 0 && strcmp(class, "unknown") != 0)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected 1, 2 or unknown, found \"%.40s\"", c->path,
                c->line, class);
    e->label[node] = *class == '1'   ? FRAUD_LABEL_FRAUD
                     : *class == '2' ? FRAUD_LABEL_GOOD
                                     : FRAUD_LABEL_UNKNOWN;
    return R1_OK;
}

static r1_status elliptic_step(const fraud_dataset *d, const fraud_csv *c, elliptic_nodes *e,
                               r1_err *err)
{
    const char *id;
    int64_t step;
    R1_TRY(aml_text(c, 0, &id, err));
    R1_TRY(fraud_csv_int(c, 1, &step, err));
    if (step < 1 || step > 1000)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a step from 1 to 1000, found %lld", c->path,
                c->line, (long long)step);
    const int32_t node = account_number_known(d->accounts, "", id);
    if (node >= 0) e->step[node] = step;
    return R1_OK;
}

/* header "": the file has none. */
static r1_status elliptic_file(const fraud_dataset *d, const char *folder, const char *name,
                               const char *header,
                               r1_status (*row)(const fraud_dataset *, const fraud_csv *,
                                                elliptic_nodes *, r1_err *),
                               elliptic_nodes *e, r1_err *err)
{
    char at[PATH_BYTES];
    fraud_csv c;
    R1_TRY(fraud_dataset_locate(folder, name, at, sizeof at, err));
    R1_TRY(fraud_csv_open(&c, at, header, err));
    r1_status st = *header || !c.n_field ? R1_OK : row(d, &c, e, err);
    while (st == R1_OK && fraud_csv_next(&c)) st = row(d, &c, e, err);
    fraud_csv_close(&c);
    return st;
}

static r1_status elliptic_take(fraud_dataset *d, const elliptic_nodes *e, r1_err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        fraud_case *x = &d->cases[i];
        if (!e->step[x->to])
            R1_FAIL(err, R1_E_FORMAT,
                    "a flow to a transaction: expected its time step, found none");
        x->ts = d->start + e->step[x->to] * ELLIPTIC_STEP_DAYS * FRAUD_DAY_MS;
        x->label = e->label[x->from];
    }
    return R1_OK;
}

r1_status fraud_elliptic_nodes(fraud_dataset *d, const char *path, r1_err *err)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    elliptic_nodes e = {.n = 2 * d->n + 2};
    e.label = malloc(e.n);
    e.step = calloc(e.n, sizeof *e.step);
    r1_status st = R1_OK;
    if (!e.label || !e.step || !d->accounts)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for transactions");
    if (st == R1_OK) {
        memset(e.label, FRAUD_LABEL_UNKNOWN, e.n);
        st = elliptic_file(d, folder, "elliptic_txs_classes.csv", "txId,class", elliptic_class, &e,
                           err);
    }
    if (st == R1_OK)
        st = elliptic_file(d, folder, "elliptic_txs_features.csv", "", elliptic_step, &e, err);
    if (st == R1_OK) st = elliptic_take(d, &e, err);
    free(e.label);
    free(e.step);
    return st;
}
