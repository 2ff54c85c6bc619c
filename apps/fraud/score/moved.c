/* SPDX-License-Identifier: GPL-3.0-or-later */
/* moved.c - see moved.h. */
#include "score/moved.h"

#include "r1_assert.h"

#include <jansson.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 18, COLUMNS = 512, FILE_BYTES_MAX = 1 << 20, MISSING = 0 };
#define MOVED_FORMAT "r1-fraud-columns-1"

typedef struct {
    char name[FRAUD_MOVED_NAME_BYTES];
    const float *edge; /* the model's: [n_edge], rising */
    size_t n_edge;
    /* Of the stream: MISSING, then one for each step between two edges. One thread counts. */
    _Atomic uint32_t now[BINS];
    double then[BINS]; /* of training, counts */
} moved_column;

struct fraud_moved {
    moved_column column[COLUMNS];
    size_t n_column, first[FRAUD_N_ITEM]; /* of each item */
    uint64_t n_seen;
    _Atomic uint64_t n;
    bool there; /* training's counts were read */
};

r1_status fraud_moved_new(fraud_moved **out, const r1_model *model, r1_err *err)
{
    fraud_moved *m = *out = calloc(1, sizeof *m);
    if (!m) R1_FAIL(err, R1_E_NOMEM, "no memory for the columns of a stream");
    for (int item = 0; item < FRAUD_N_ITEM; item++) {
        const fraud_column *column;
        const size_t n = fraud_item_columns(item, &column);
        size_t n_edge;
        const float *edge = n ? r1_model_item_edges(model, (size_t)item, &n_edge) : NULL;
        m->first[item] = m->n_column;
        for (size_t c = 0; edge && n_edge < BINS && c < n; c++, edge += n_edge) {
            R1_ASSERT(m->n_column < COLUMNS, "columns: %zu", m->n_column);
            moved_column *x = &m->column[m->n_column++];
            snprintf(x->name, sizeof x->name, "%s.%s", fraud_item_name(item), column[c].name);
            x->edge = edge;
            x->n_edge = n_edge;
        }
    }
    return R1_OK;
}

void fraud_moved_free(fraud_moved *m) { free(m); }

static size_t moved_bin(const moved_column *x, float value)
{
    size_t bin = MISSING + 1;
    if (isnan(value)) return MISSING;
    for (size_t e = 1; e + 1 < x->n_edge; e++) bin += value > x->edge[e];
    return bin;
}

void fraud_moved_count(fraud_moved *m, const r1_item *item)
{
    if (m->n_seen++ % FRAUD_MOVED_EVERY) return;
    m->n++;
    for (int i = 0; i < FRAUD_N_ITEM; i++) {
        const size_t end = i + 1 < FRAUD_N_ITEM ? m->first[i + 1] : m->n_column;
        if (!item[i].present || !item[i].num) continue;
        for (size_t c = m->first[i]; c < end; c++) {
            moved_column *x = &m->column[c];
            _Atomic uint32_t *now = &x->now[moved_bin(x, item[i].num[c - m->first[i]])];
            uint32_t counted = atomic_load_explicit(now, memory_order_relaxed);
            atomic_store_explicit(now, counted + 1, memory_order_relaxed);
        }
    }
}

/* ---- the file ---- */

static void moved_path(const char *model, char *out, size_t size)
{
    const char *dot = strrchr(model, '.');
    const bool gguf = dot && !strcmp(dot, ".gguf");
    snprintf(out, size, "%.*s.columns.json", (int)(gguf ? dot - model : (ptrdiff_t)strlen(model)),
             model);
}

static r1_status moved_take(fraud_moved *m, const json_t *root, const char *path, r1_err *err)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format || strcmp(format, MOVED_FORMAT) != 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: format: expected \"%s\", found \"%.40s\"", path,
                MOVED_FORMAT, format ? format : "none");
    for (size_t c = 0; c < m->n_column; c++) {
        moved_column *x = &m->column[c];
        const json_t *counts = json_object_get(json_object_get(root, "columns"), x->name);
        if (json_array_size(counts) != x->n_edge)
            R1_FAIL(err, R1_E_FORMAT, "%s: columns.%s: expected %zu counts, found %zu", path,
                    x->name, x->n_edge, json_array_size(counts));
        for (size_t b = 0; b < x->n_edge; b++) {
            const json_t *count = json_array_get(counts, b);
            if (!json_is_integer(count) || json_integer_value(count) < 0)
                R1_FAIL(err, R1_E_FORMAT, "%s: columns.%s[%zu]: expected a count", path, x->name,
                        b);
            x->then[b] = (double)json_integer_value(count);
        }
    }
    m->there = true;
    return R1_OK;
}

r1_status fraud_moved_read(fraud_moved *m, const char *model_path, r1_err *err)
{
    char path[4200], *text;
    size_t len;
    json_error_t why;
    r1_err missing = {0};
    moved_path(model_path, path, sizeof path);
    r1_status st = r1_file_read(path, FILE_BYTES_MAX, &text, &len, &missing);
    if (st == R1_E_NOT_FOUND) return R1_OK;
    if (st != R1_OK) {
        if (err) *err = missing;
        return st;
    }
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (!root) R1_FAIL(err, R1_E_FORMAT, "%s:%d: %.120s", path, why.line, why.text);
    st = moved_take(m, root, path, err);
    json_decref(root);
    return st;
}

r1_status fraud_moved_write(const fraud_moved *m, const char *path, r1_err *err)
{
    json_t *columns = json_object(),
           *root = json_pack("{s:s, s:I, s:o}", "format", MOVED_FORMAT, "payments",
                             (json_int_t)m->n, "columns", columns);
    for (size_t c = 0; root && c < m->n_column; c++) {
        json_t *counts = json_array();
        for (size_t b = 0; b < m->column[c].n_edge; b++)
            json_array_append_new(counts, json_integer((json_int_t)m->column[c].now[b]));
        json_object_set_new(columns, m->column[c].name, counts);
    }
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to write it", path);
    r1_status st = r1_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}

/* ---- distances ---- */

/* Half a count in each bin, so that an empty one has a logarithm. */
static double moved_psi(const moved_column *x)
{
    double now = 0, then = 0, psi = 0;
    for (size_t b = 0; b < x->n_edge; b++) now += x->now[b] + .5, then += x->then[b] + .5;
    for (size_t b = 0; b < x->n_edge; b++) {
        const double p = (x->now[b] + .5) / now, q = (x->then[b] + .5) / then;
        psi += (p - q) * log(p / q);
    }
    return psi;
}

/* What grows with the stream's own age, or follows the calendar, says nothing of how like training
 * it is. */
static bool moved_grows(const char *name)
{
    static const char *const columns[] = {".age", ".total_out", ".total_in", ".total",
                                          ".month_day"};
    const size_t len = strlen(name);
    for (size_t i = 0; i < R1_COUNT(columns); i++) {
        const size_t n = strlen(columns[i]);
        if (len > n && !strcmp(name + len - n, columns[i])) return true;
    }
    return false;
}

static int moved_order(const void *a, const void *b)
{
    const fraud_moved_column *x = a, *y = b;
    if (x->psi != y->psi) return x->psi < y->psi ? 1 : -1;
    return strcmp(x->name, y->name);
}

size_t fraud_moved_list(const fraud_moved *m, fraud_moved_column *out, size_t cap, size_t *far)
{
    fraud_moved_column all[COLUMNS];
    size_t n = 0;
    *far = 0;
    if (!m->there || m->n < FRAUD_MOVED_LEAST) return 0;
    for (size_t c = 0; c < m->n_column; c++) {
        if (moved_grows(m->column[c].name)) continue;
        memcpy(all[n].name, m->column[c].name, sizeof all[n].name);
        all[n].psi = moved_psi(&m->column[c]);
        *far += all[n++].psi > FRAUD_MOVED_FAR;
    }
    qsort(all, n, sizeof *all, moved_order);
    memcpy(out, all, (n < cap ? n : cap) * sizeof *all);
    return n;
}

void fraud_moved_print(const fraud_moved *m, FILE *out)
{
    enum { SHOWN = 5 };
    fraud_moved_column column[SHOWN];
    size_t far, n = m ? fraud_moved_list(m, column, SHOWN, &far) : 0;
    if (!n) return;
    fprintf(out,
            "%zu of %zu columns have moved far from what the model was trained on (PSI above "
            "%g)%s",
            far, n, FRAUD_MOVED_FAR, far ? ":" : "\n");
    for (size_t i = 0; i < SHOWN && i < far; i++)
        fprintf(out, "%s %s %.2f%s", i ? "," : "", column[i].name, column[i].psi,
                i + 1 == SHOWN || i + 1 == far ? "\n" : "");
    if (4 * far > n)
        fputs("more than a quarter: this stream is not like the model's training; train on it, or "
              "calibrate and read scores as an order alone\n",
              out);
}
