/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recording.c - payments, then labels and rings by the payment's id. */
#include "dataset/recording.h"

#include "dataset/dataset_files.h"
#include "typology/typology.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAYMENTS_MAX = 4000000, RING_NUMBER_MAX = 10000000 };

typedef struct {
    const char *key;
    size_t i;
} entry;

static int recording_by_key(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int c = strcmp(x->key, y->key);
    return c ? c : (x->i > y->i) - (x->i < y->i);
}

static int recording_find_key(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->key, ((const entry *)b)->key);
}

/* ---- lines ----------------------------------------------------------------------------------- */

typedef struct {
    char path[1024];
    char *data, *at, *end;
    long line;
} lines;

static r1_status lines_open(lines *l, const char *folder, const char *name, r1_err *err)
{
    size_t len;
    memset(l, 0, sizeof *l);
    R1_TRY(fraud_dataset_file(folder, name, l->path, sizeof l->path, &l->data, &len, err));
    l->at = l->data;
    l->end = l->data + len;
    return R1_OK;
}

static bool next_line(lines *l, const char **text, size_t *len)
{
    if (l->at >= l->end) return false;
    char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
    *text = l->at;
    *len = (size_t)((stop ? stop : l->end) - l->at);
    l->at = stop ? stop + 1 : l->end;
    l->line++;
    return true;
}

static r1_status at_line(const lines *l, r1_status st, r1_err *err)
{
    if (st != R1_OK) r1_err_prefix(err, "%s:%ld: ", l->path, l->line);
    return st;
}

/* ---- payments -------------------------------------------------------------------------------- */

static r1_status recording_grow(fraud_dataset *d, r1_err *err)
{
    if (d->n < d->cap) return R1_OK;
    size_t cap = d->cap ? 2 * d->cap : 16384;
    fraud_payment *payments =
        cap <= PAYMENTS_MAX ? r1_realloc_array(d->payments, cap, sizeof *payments) : NULL;
    if (payments) d->payments = payments;
    fraud_case *cases = payments ? r1_realloc_array(d->cases, cap, sizeof *cases) : NULL;
    if (!cases)
        R1_FAIL(err, R1_E_NOMEM, "more than %d payments, or no memory for %zu", PAYMENTS_MAX / 2,
                cap);
    d->cases = cases;
    d->cap = cap;
    return R1_OK;
}

static r1_status add_payment(fraud_dataset *d, const char *text, size_t len, r1_err *err)
{
    R1_TRY(recording_grow(d, err));
    fraud_payment *p = &d->payments[d->n];
    R1_TRY(fraud_payment_decode(text, len, p, err));
    if (d->n && p->ts < p[-1].ts)
        R1_FAIL(err, R1_E_FORMAT, "ts: expected payments sorted by time, found %lld after %lld",
                (long long)p->ts, (long long)p[-1].ts);
    d->cases[d->n++] = (fraud_case){.ts = p->ts,
                                    .amount_minor = p->amount_minor,
                                    .label = FRAUD_LABEL_UNKNOWN,
                                    .label_ts = INT64_MAX,
                                    .ring = -1,
                                    .kind = p->kind,
                                    .from_role = p->from_role,
                                    .to_role = p->to_role};
    return R1_OK;
}

static r1_status read_payments(fraud_dataset *d, const char *folder, r1_err *err)
{
    lines l;
    const char *text;
    size_t len;
    R1_TRY(lines_open(&l, folder, "payments.jsonl", err));
    r1_status st = R1_OK;
    while (st == R1_OK && next_line(&l, &text, &len))
        st = at_line(&l, add_payment(d, text, len, err), err);
    free(l.data);
    return st;
}

/* Accounts are numbered in the order of their names. */
static r1_status number_accounts(fraud_dataset *d, r1_err *err)
{
    entry *all = r1_realloc_array(NULL, 2 * d->n + 1, sizeof *all);
    if (!all) R1_FAIL(err, R1_E_NOMEM, "no memory for the accounts of %zu payments", d->n);
    for (size_t i = 0; i < d->n; i++) {
        all[2 * i] = (entry){d->payments[i].from, 2 * i};
        all[2 * i + 1] = (entry){d->payments[i].to, 2 * i + 1};
    }
    qsort(all, 2 * d->n, sizeof *all, recording_by_key);
    int32_t number = -1;
    for (size_t k = 0; k < 2 * d->n; k++) {
        if (!k || strcmp(all[k].key, all[k - 1].key)) number++;
        fraud_case *c = &d->cases[all[k].i / 2];
        *(all[k].i % 2 ? &c->to : &c->from) = number;
    }
    free(all);
    return R1_OK;
}

/* ---- labels and rings ------------------------------------------------------------------------ */

typedef r1_status (*row)(fraud_dataset *d, const entry *ids, const char *text, size_t len,
                         r1_err *err);

static fraud_case *case_of(fraud_dataset *d, const entry *ids, const char *tx_id)
{
    entry key = {.key = tx_id};
    const entry *found = bsearch(&key, ids, d->n, sizeof *ids, recording_find_key);
    return found ? &d->cases[found->i] : NULL;
}

static r1_status label_row(fraud_dataset *d, const entry *ids, const char *text, size_t len,
                           r1_err *err)
{
    fraud_label label;
    R1_TRY(fraud_label_decode(text, len, &label, err));
    fraud_case *c = case_of(d, ids, label.tx_id);
    if (!c) R1_FAIL(err, R1_E_FORMAT, "tx_id \"%s\": no such payment", label.tx_id);
    c->label = label.is_fraud ? FRAUD_LABEL_FRAUD : FRAUD_LABEL_GOOD;
    c->label_ts = label.ts;
    return R1_OK;
}

static r1_status put_truth(fraud_dataset *d, const entry *ids, const json_t *o, r1_err *err)
{
    const char *tx_id = json_string_value(json_object_get(o, "tx_id")),
               *name = json_string_value(json_object_get(o, "typology"));
    const json_t *ring = json_object_get(o, "ring");
    if (!tx_id || !name || !json_is_integer(ring))
        R1_FAIL(err, R1_E_FORMAT, "expected \"tx_id\", \"typology\" and an integer \"ring\"");
    fraud_typology typology = fraud_typology_find(name);
    fraud_case *c = case_of(d, ids, tx_id);
    if (typology == FRAUD_TYPOLOGY_NONE || typology == FRAUD_N_TYPOLOGY)
        R1_FAIL(err, R1_E_FORMAT, "typology \"%.40s\" is not known", name);
    if (!c) R1_FAIL(err, R1_E_FORMAT, "tx_id \"%.40s\": no such payment", tx_id);
    json_int_t number = json_integer_value(ring);
    if (number < 0 || number > RING_NUMBER_MAX)
        R1_FAIL(err, R1_E_FORMAT, "ring: expected 0..%d, found %lld", RING_NUMBER_MAX,
                (long long)number);
    c->typology = (uint8_t)typology;
    c->ring = (int32_t)number;
    return R1_OK;
}

static r1_status truth_row(fraud_dataset *d, const entry *ids, const char *text, size_t len,
                           r1_err *err)
{
    json_error_t e;
    json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (!o) R1_FAIL(err, R1_E_FORMAT, "%s", e.text);
    r1_status st = put_truth(d, ids, o, err);
    json_decref(o);
    return st;
}

static r1_status recording_read_rows(fraud_dataset *d, const char *folder, const char *name,
                                     const entry *ids, row take, r1_err *err)
{
    lines l;
    const char *text;
    size_t len;
    R1_TRY(lines_open(&l, folder, name, err));
    r1_status st = R1_OK;
    while (st == R1_OK && next_line(&l, &text, &len))
        st = at_line(&l, take(d, ids, text, len, err), err);
    free(l.data);
    return st;
}

static r1_status read_labels(fraud_dataset *d, const char *folder, r1_err *err)
{
    entry *ids = r1_realloc_array(NULL, d->n + 1, sizeof *ids);
    if (!ids) R1_FAIL(err, R1_E_NOMEM, "no memory for the ids of %zu payments", d->n);
    for (size_t i = 0; i < d->n; i++) ids[i] = (entry){d->payments[i].tx_id, i};
    qsort(ids, d->n, sizeof *ids, recording_by_key);
    r1_status st = recording_read_rows(d, folder, "labels.jsonl", ids, label_row, err);
    if (st == R1_OK) {
        st = recording_read_rows(d, folder, "truth.jsonl", ids, truth_row, err);
        if (st == R1_E_NOT_FOUND) st = R1_OK; /* rings are not known outside of a generated world */
    }
    free(ids);
    return st;
}

r1_status fraud_recording_load(fraud_dataset *d, const char *folder, r1_err *err)
{
    d->typologies = FRAUD_TYPOLOGY_NAME;
    d->n_typology = FRAUD_N_TYPOLOGY;
    R1_TRY(read_payments(d, folder, err));
    if (d->n) d->start = d->payments[0].ts / FRAUD_DAY_MS * FRAUD_DAY_MS;
    R1_TRY(number_accounts(d, err));
    return read_labels(d, folder, err);
}
