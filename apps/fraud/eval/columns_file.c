/* SPDX-License-Identifier: GPL-3.0-or-later */
/* columns_file.c - one walk, one file a week. */
#include "eval/columns_file.h"

#include "walk/walk.h"

#include <errno.h>
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

static bool columns_file_put_columns(FILE *to, const float *head, size_t n_head,
                                     const fraud_features *f)
{
    float cat[FRAUD_N_PAYMENT_CAT];
    for (int k = 0; k < FRAUD_N_PAYMENT_CAT; k++) cat[k] = (float)f->payment_cat[k];
    fwrite(head, sizeof *head, n_head, to);
    fwrite(f->payment, sizeof(float), FRAUD_N_PAYMENT_NUM, to);
    fwrite(cat, sizeof(float), FRAUD_N_PAYMENT_CAT, to);
    fwrite(f->end, sizeof(float), 2 * FRAUD_N_END_NUM, to);
    fwrite(f->pair, sizeof(float), FRAUD_N_PAIR_NUM, to);
    fwrite(&f->pattern, sizeof(float), FRAUD_N_PATTERN_FEATURE, to);
    return !ferror(to);
}

static r1_status dump_row(void *ctx, size_t i, const fraud_payment *p, const fraud_features *f,
                          const fraud_state *s, r1_err *err)
{
    (void)s;
    dump *d = ctx;
    const fraud_case *c = &d->d->cases[i];
    for (int w = 0; w < d->n_week; w++) {
        if (!d->use[w][i]) continue;
        float head[] = {(float)d->use[w][i],
                        (float)c->label,
                        (float)fraud_payment_inner(p),
                        (float)i,
                        (float)((c->ts - d->d->start) / FRAUD_DAY_MS),
                        (float)c->from,
                        (float)c->to,
                        (float)c->ring};
        if (!columns_file_put_columns(d->f[w], head, R1_COUNT(head), f))
            R1_FAIL(err, R1_E_IO, "writing columns: %s", strerror(errno));
    }
    return R1_OK;
}

static void put_list(FILE *f, const char *prefix, const char *const *name, size_t n)
{
    for (size_t i = 0; i < n; i++) fprintf(f, "%s%s\n", prefix, name[i]);
}

static r1_status dump_names(const char *path, r1_err *err)
{
    char at[1100];
    snprintf(at, sizeof at, "%.1090s.txt", path);
    FILE *f = fopen(at, "w");
    if (!f) R1_FAIL(err, R1_E_IO, "%s: %s", at, strerror(errno));
    fprintf(f, "use\nlabel\ninner\nrow\nday\nfrom\nto\nring\n");
    put_list(f, "payment_", FRAUD_PAYMENT_NUM, FRAUD_N_PAYMENT_NUM);
    for (int i = 0; i < FRAUD_N_PAYMENT_CAT; i++) fprintf(f, "cat_%s\n", FRAUD_PAYMENT_CAT[i].name);
    put_list(f, "sender_", FRAUD_END_NUM, FRAUD_N_END_NUM);
    put_list(f, "receiver_", FRAUD_END_NUM, FRAUD_N_END_NUM);
    put_list(f, "pair_", FRAUD_PAIR_NUM, FRAUD_N_PAIR_NUM);
    put_list(f, "pattern_", FRAUD_PATTERN_FEATURE, FRAUD_N_PATTERN_FEATURE);
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
