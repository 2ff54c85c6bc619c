/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scorer.c - one batch of captured payments through the model. */
#include "score/scorer.h"

#include "payment/currency.h"
#include "r1_assert.h"
#include "r1_session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fraud_scorer {
    r1_model *model;
    r1_session *session;
    fraud_recall *recall;
    r1_memory *scratch; /* of kept payments; made for the first of them */
    uint64_t kept[FRAUD_SCORE_MAX][FRAUD_REFS_MAX]; /* handles in it, of one batch */
    unsigned flags;
    uint64_t hash, schema;
    float ln_amount_max; /* from which an amount lies far outside of what training saw */
    struct {             /* of each table's numbers: what lies far outside, and how often it came */
        float least[FRAUD_N_END_NUM], most[FRAUD_N_END_NUM];
        _Atomic uint64_t n[FRAUD_N_END_NUM]; /* the scoring thread counts, others read */
        size_t n_column;
    } range[FRAUD_N_ITEM];
    fraud_moved *moved;
    _Atomic uint64_t n_unsure; /* payments with a column far outside that counts */
    r1_sample sample[FRAUD_SCORE_MAX];
    r1_item item[FRAUD_SCORE_MAX][FRAUD_N_ITEM];
};

enum { MODEL_BYTES_MAX = 64 << 20, AMOUNT = 0 /* of the payment's columns */ };

_Static_assert((int)FRAUD_N_END_NUM >= (int)FRAUD_N_PAIR_NUM &&
                   (int)FRAUD_N_END_NUM >= (int)FRAUD_N_PAYMENT_NUM &&
                   (int)FRAUD_N_END_NUM >= (int)FRAUD_N_PATTERN_NUM,
               "a range for each column");

/* Far outside: beyond twice the range. A column that did not vary says nothing to the model. */
static void learn_ranges(fraud_scorer *s)
{
    for (int item = 0; item < FRAUD_N_ITEM; item++) {
        size_t n, columns = fraud_item_columns(item, NULL);
        const float *edge = columns ? r1_model_item_edges(s->model, (size_t)item, &n) : NULL;
        if (!edge || n < 2) continue;
        s->range[item].n_column = columns;
        for (size_t c = 0; c < columns; c++, edge += n) {
            float width = edge[n - 1] - edge[0];
            s->range[item].least[c] = width > 0 ? edge[0] - width : -INFINITY;
            s->range[item].most[c] = width > 0 ? edge[n - 1] + width : INFINITY;
        }
    }
}

/* Whether a column far outside makes a score unsure. Shops, employers and banks meet more ends than
 * any that training saw, and that is ordinary. */
static bool outside_counts(const fraud_payment *p, int item)
{
    if (item == FRAUD_ITEM_SENDER) return p->from_role != FRAUD_ROLE_EXTERNAL;
    if (item == FRAUD_ITEM_RECEIVER) return p->to_role == FRAUD_ROLE_ACCOUNT;
    return item == FRAUD_ITEM_PAYMENT;
}

static void name_outside(int item, size_t c, char name[FRAUD_COLUMN_NAME_BYTES])
{
    const fraud_column *column;
    (void)fraud_item_columns(item, &column);
    snprintf(name, FRAUD_COLUMN_NAME_BYTES, "%s.%s", fraud_item_name(item), column[c].name);
}

/* A missing number compares as neither. */
static void count_outside(fraud_scorer *s, const r1_item *item, fraud_scoring *x)
{
    x->n_outside = 0;
    for (int i = 0; i < FRAUD_N_ITEM; i++) {
        if (!item[i].present || !item[i].num) continue;
        const bool counts = outside_counts(x->payment, i);
        for (size_t c = 0; c < s->range[i].n_column; c++) {
            const float y = item[i].num[c];
            if (!(y > s->range[i].most[c] || y < s->range[i].least[c])) continue;
            s->range[i].n[c]++;
            if (counts && !x->n_outside++) name_outside(i, c, x->outside);
        }
    }
    s->n_unsure += x->n_outside > 0;
}

bool fraud_scorer_outside(const fraud_scorer *s, size_t i, char name[FRAUD_COLUMN_NAME_BYTES],
                          uint64_t *n)
{
    for (int item = 0; item < FRAUD_N_ITEM; item++) {
        for (size_t c = 0; c < s->range[item].n_column; c++) {
            if (!s->range[item].n[c] || i--) continue;
            name_outside(item, c, name);
            *n = s->range[item].n[c];
            return true;
        }
    }
    return false;
}

/* Amounts count by their logarithm. One beyond twice the range that training saw is encoded as the
 * largest of them, so a score would say nothing of it. Other columns count or are bounded: a shop
 * with more customers than any that training saw is ordinary, so these are counted and shown. */
static void learn_range(fraud_scorer *s)
{
    size_t n;
    R1_ASSERT(!strcmp(FRAUD_PAYMENT_NUM[AMOUNT].name, "amount"), "column %d is \"%s\"", AMOUNT,
              FRAUD_PAYMENT_NUM[AMOUNT].name);
    const float *edge = r1_model_item_edges(s->model, FRAUD_ITEM_PAYMENT, &n);
    edge = edge ? edge + AMOUNT * n : NULL;
    s->ln_amount_max = edge && n > 1 ? 2 * edge[n - 1] - edge[0] : INFINITY;
}

static r1_status open_model(fraud_scorer *s, const char *path, r1_precision precision,
                            uint32_t rings_max, r1_err *err)
{
    char *bytes = NULL, *description = NULL;
    size_t len = 0;
    R1_TRY(r1_file_read(path, MODEL_BYTES_MAX, &bytes, &len, err));
    s->hash = r1_hash64(bytes, len, 0);
    free(bytes);
    R1_TRY(r1_model_open(&s->model, path, err));
    R1_TRY(fraud_description(&(fraud_description_opts){0}, &description, err));
    r1_status st = r1_model_check_schema(s->model, description, err);
    free(description);
    if (st != R1_OK) {
        r1_err_prefix(err, "%s: ", path);
        return st;
    }
    s->schema = r1_model_schema_hash(s->model);
    learn_range(s);
    learn_ranges(s);
    R1_TRY(fraud_moved_new(&s->moved, s->model, err));
    R1_TRY(fraud_moved_read(s->moved, path, err));
    r1_session_opts opts = {.n_sample_max = FRAUD_SCORE_MAX, .precision = precision};
    R1_TRY(r1_session_new(&s->session, s->model, &opts, err));
    return s->flags & FRAUD_CAPTURE_MEMORY
               ? fraud_recall_new(&s->recall, s->model, s->session, rings_max, err)
               : R1_OK;
}

r1_status fraud_scorer_new(fraud_scorer **out, const char *path, unsigned off,
                           r1_precision precision, uint32_t rings_max, r1_err *err)
{
    *out = NULL;
    fraud_scorer *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for the scorer");
    s->flags = (FRAUD_CAPTURE_GRAPH | FRAUD_CAPTURE_MEMORY | FRAUD_SAMPLE_TEXT) & ~off;
    r1_status st = open_model(s, path, precision, rings_max, err);
    if (st != R1_OK) {
        fraud_scorer_free(s);
        return st;
    }
    *out = s;
    return R1_OK;
}

void fraud_scorer_free(fraud_scorer *s)
{
    if (!s) return;
    r1_memory_free(s->scratch);
    fraud_moved_free(s->moved);
    fraud_recall_free(s->recall);
    r1_session_free(s->session);
    r1_model_free(s->model);
    free(s);
}

const fraud_moved *fraud_scorer_moved(const fraud_scorer *s) { return s->moved; }
uint64_t fraud_scorer_unsure(const fraud_scorer *s) { return s->n_unsure; }

const char *fraud_scorer_name(const fraud_scorer *s) { return r1_model_name(s->model); }
uint64_t fraud_scorer_hash(const fraud_scorer *s) { return s->hash; }
uint64_t fraud_scorer_schema(const fraud_scorer *s) { return s->schema; }

fraud_recall *fraud_scorer_recall(const fraud_scorer *s) { return s->recall; }

static void scorer_fill(fraud_scorer *s, size_t i, fraud_scoring *x, const uint64_t *handle)
{
    fraud_sample_fill(x->features, x->payment, handle, s->flags, s->item[i]);
    s->sample[i] = (r1_sample){.item = s->item[i]};
    count_outside(s, s->item[i], x);
    fraud_moved_count(s->moved, s->item[i]);
}

/* Runs the batch of samples and reads its results. */
static r1_status scorer_batch(fraud_scorer *s, const r1_batch *batch, fraud_scoring *x, r1_err *err)
{
    r1_result r;
    R1_TRY(r1_session_run(s->session, batch, &r, err));
    if (r.n_step != FRAUD_N_ITEM || r.n_output != 1)
        R1_FAIL(err, R1_E_FORMAT,
                "model: expected %d evidence steps and 1 output, found %zu and %zu", FRAUD_N_ITEM,
                r.n_step, r.n_output);
    for (size_t i = 0; i < batch->n_sample; i++) {
        const double *trace = r.trace + i * (FRAUD_N_ITEM + 1);
        x[i].prior = trace[0];
        x[i].logit = trace[0];
        for (int k = 0; k < FRAUD_N_ITEM; k++) {
            x[i].delta[k] = trace[k + 1];
            x[i].logit += trace[k + 1];
        }
        x[i].prob = (double)r.prob[i];
        x[i].amount_max =
            x[i].features->payment[AMOUNT] > s->ln_amount_max
                ? exp((double)s->ln_amount_max) * fraud_currency_unit(x[i].payment->currency)
                : 0;
    }
    return R1_OK;
}

r1_status fraud_scorer_run(fraud_scorer *s, fraud_recall_batch *b, fraud_scoring *x, size_t n,
                           r1_err *err)
{
    R1_ASSERT(n <= FRAUD_SCORE_MAX, "scorer: %zu payments of %d", n, (int)FRAUD_SCORE_MAX);
    for (size_t i = 0; i < n; i++) scorer_fill(s, i, &x[i], x[i].features->ref_handle);
    r1_batch batch = {.sample = s->sample, .n_sample = n};
    if (s->recall) {
        batch.pool = fraud_recall_pool(s->recall);
        R1_TRY(fraud_recall_encode(s->recall, b, &batch.ticket, err));
    }
    return scorer_batch(s, &batch, x, err);
}

/* ---- kept payments ---- */

/* The entries of one payment's references, under a key that no other payment has. */
static r1_status kept_entries(fraud_scorer *s, const fraud_features *f, uint64_t key,
                              uint64_t ticket, uint64_t handle[FRAUD_REFS_MAX], r1_err *err)
{
    r1_event event[FRAUD_REFS_MAX];
    for (uint32_t i = 0; i < f->n_ref; i++) {
        event[i] = (r1_event){f->event[i], f->event_cat[i]};
        R1_TRY(r1_memory_append(s->scratch, ticket, &key, 1, i, &handle[i], err));
    }
    if (!f->n_ref) return R1_OK;
    return r1_session_store(s->session, s->scratch, ticket, event, handle, f->n_ref, err);
}

static r1_status kept_memory(fraud_scorer *s, r1_err *err)
{
    r1_precision precision = r1_session_precision(s->session);
    const r1_memory_opts o = {.bytes_max =
                                  r1_memory_bytes(r1_model_entry_width(s->model), precision,
                                                  FRAUD_REFS_MAX, 2 * FRAUD_SCORE_MAX),
                              .precision = precision,
                              .quota = FRAUD_REFS_MAX,
                              .n_entity_max = 2 * FRAUD_SCORE_MAX};
    return s->scratch ? R1_OK : r1_memory_new(&s->scratch, s->model, &o, err);
}

r1_status fraud_scorer_run_kept(fraud_scorer *s, fraud_scoring *x, size_t n, r1_err *err)
{
    R1_ASSERT(n <= FRAUD_SCORE_MAX, "scorer: %zu payments of %d", n, (int)FRAUD_SCORE_MAX);
    r1_batch batch = {.sample = s->sample, .n_sample = n};
    if (s->recall) {
        R1_TRY(kept_memory(s, err));
        batch.pool = s->scratch;
        R1_TRY(r1_memory_begin(s->scratch, &batch.ticket, err));
    }
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < n; i++) {
        if (s->recall) st = kept_entries(s, x[i].features, i + 1, batch.ticket, s->kept[i], err);
        if (st == R1_OK) scorer_fill(s, i, &x[i], s->kept[i]);
    }
    if (st == R1_OK)
        st = scorer_batch(s, &batch, x, err);
    else if (s->recall)
        r1_memory_cancel(s->scratch, batch.ticket);
    for (size_t i = 0; s->recall && i < n; i++) r1_memory_forget(s->scratch, i + 1);
    return st;
}
