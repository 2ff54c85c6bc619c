/* SPDX-License-Identifier: GPL-3.0-or-later */
/* columns_file.c - one walk, one file a week. */
#include "eval/columns_file.h"

#include "walk/walk.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WEEKS_MAX = 8 };

typedef struct {
    const fraud_dataset *d;
    int n_week;
    FILE *f[WEEKS_MAX];
    uint8_t *use[WEEKS_MAX]; /* u8[d->n] */
    uint8_t *want;
} dump;

/* What stands before the columns of a row. */
/* clang-format off */
#define ROW_HEAD(X)                                                 \
    X("use",   d->use[w][i])                                        \
    X("label", c->label)                                            \
    X("inner", fraud_payment_inner(p))                              \
    X("row",   i)                                                   \
    X("day",   (c->ts - d->d->start) / FRAUD_DAY_MS)                \
    X("from",  c->from)                                             \
    X("to",    c->to)                                               \
    X("ring",  c->ring)
/* clang-format on */
#define AS_LINE(name, value)  name "\n"
#define AS_VALUE(name, value) (float)(value),
#define AT(field)             offsetof(fraud_features, field)

/* Then the columns: blocks of fraud_features, each with the prefix of its names. */
/* clang-format off */
static const struct {
    const char *prefix;
    const fraud_column *column;
    size_t n, at;
    bool category; /* i32, written as f32 */
} blocks[] = {
    {"payment_",  FRAUD_PAYMENT_NUM, FRAUD_N_PAYMENT_NUM, AT(payment),     false},
    {"cat_",      FRAUD_PAYMENT_CAT, FRAUD_N_PAYMENT_CAT, AT(payment_cat), true},
    {"sender_",   FRAUD_END_NUM,     FRAUD_N_END_NUM,     AT(end[0]),      false},
    {"receiver_", FRAUD_END_NUM,     FRAUD_N_END_NUM,     AT(end[1]),      false},
    {"pair_",     FRAUD_PAIR_NUM,    FRAUD_N_PAIR_NUM,    AT(pair),        false},
    {"pattern_",  FRAUD_PATTERN_NUM, FRAUD_N_PATTERN_NUM, AT(pattern),     false},
};
/* clang-format on */

static void put_block(FILE *to, size_t k, const fraud_features *f)
{
    const char *at = (const char *)f + blocks[k].at;
    if (!blocks[k].category) {
        fwrite(at, sizeof(float), blocks[k].n, to);
        return;
    }
    for (size_t i = 0; i < blocks[k].n; i++) {
        int32_t value;
        memcpy(&value, at + i * sizeof value, sizeof value);
        fwrite(&(float){(float)value}, sizeof(float), 1, to);
    }
}

static r1_status dump_row(void *ctx, size_t i, const fraud_payment *p, const fraud_features *f,
                          const fraud_state *s, r1_err *err)
{
    (void)s;
    dump *d = ctx;
    const fraud_case *c = &d->d->cases[i];
    for (int w = 0; w < d->n_week; w++) {
        if (!d->use[w][i]) continue;
        const float head[] = {ROW_HEAD(AS_VALUE)};
        fwrite(head, sizeof *head, R1_COUNT(head), d->f[w]);
        for (size_t k = 0; k < R1_COUNT(blocks); k++) put_block(d->f[w], k, f);
        if (ferror(d->f[w])) R1_FAIL(err, R1_E_IO, "writing columns: %s", strerror(errno));
    }
    return R1_OK;
}

static r1_status dump_names(const char *path, r1_err *err)
{
    char at[1100];
    snprintf(at, sizeof at, "%.1090s.txt", path);
    FILE *f = fopen(at, "w");
    if (!f) R1_FAIL(err, R1_E_IO, "%s: %s", at, strerror(errno));
    fprintf(f, "%s", ROW_HEAD(AS_LINE));
    for (size_t k = 0; k < R1_COUNT(blocks); k++)
        for (size_t i = 0; i < blocks[k].n; i++)
            fprintf(f, "%s%s\n", blocks[k].prefix, blocks[k].column[i].name);
    fclose(f);
    return R1_OK;
}

static r1_status dump_open(const fraud_columns_opts *o, const char *path, dump *d, r1_err *err)
{
    if (o->last_week - o->first_week >= WEEKS_MAX)
        R1_FAIL(err, R1_E_INVAL, "columns: at most %d weeks", WEEKS_MAX);
    d->want = calloc(o->data->n, 1);
    if (!d->want) R1_FAIL(err, R1_E_NOMEM, "no memory");
    for (int w = o->first_week; w <= o->last_week; w++) {
        char at[1040];
        bool weekly = o->data->layout == FRAUD_LAYOUT_HANDBOOK;
        snprintf(at, sizeof at, weekly ? "%s.%d" : "%s", path, w);
        R1_TRY(dump_names(at, err));
        d->f[d->n_week] = fopen(at, "wb");
        d->use[d->n_week] = malloc(o->data->n);
        if (!d->f[d->n_week]) R1_FAIL(err, R1_E_IO, "%s: %s", at, strerror(errno));
        if (!d->use[d->n_week]) R1_FAIL(err, R1_E_NOMEM, "no memory");
        fraud_protocol_opts protocol = o->protocol;
        protocol.week = w;
        R1_TRY(fraud_protocol(o->data, &protocol, d->use[d->n_week], err));
        for (size_t i = 0; i < o->data->n; i++) d->want[i] |= d->use[d->n_week][i];
        d->n_week++;
    }
    return R1_OK;
}

r1_status fraud_columns_write(const fraud_columns_opts *o, const char *path, r1_err *err)
{
    dump d = {.d = o->data};
    r1_status st = dump_open(o, path, &d, err);
    if (st == R1_OK) {
        fraud_source s = fraud_source_dataset(o->data);
        fraud_walk_opts walk = {
            .flags = FRAUD_CAPTURE_GRAPH, .want = d.want, .progress = o->progress};
        st = fraud_walk(&s, &walk, dump_row, &d, err);
    }
    for (int w = 0; w < WEEKS_MAX; w++) {
        free(d.use[w]);
        if (d.f[w] && fclose(d.f[w]) && st == R1_OK)
            st = r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "%s: %s", path, strerror(errno));
    }
    free(d.want);
    return st;
}
