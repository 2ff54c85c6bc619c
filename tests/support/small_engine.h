/* SPDX-License-Identifier: GPL-3.0-or-later */
/* small_engine.h - an engine of few rows without a model, and its image as plain bytes: what the
 * fuzzer of snapshots and the maker of its seeds share.
 *
 * Plain bytes: for each section a length (u64), then its bytes. Names and versions stay out, so
 * that each change of a byte reaches the code that reads the section. */
#ifndef SMALL_ENGINE_H
#define SMALL_ENGINE_H

#include "score/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_IMAGE_MAX = 1 << 20, SMALL_PAYMENTS = 60 };

static inline fraud_engine *small_engine_new(void)
{
    const fraud_engine_opts o = {
        .slots_max = 1, .edges_max = 24, .entities_max = 12, .pairs_max = 20, .labels_waiting = 4};
    fraud_engine *e;
    if (fraud_engine_new(&e, &o, NULL) != R1_OK) abort();
    return e;
}

/* Payments from i on among ten accounts, with labels, some of which wait. */
static inline void small_engine_feed(fraud_engine *e, int64_t i, int64_t n)
{
    for (int64_t end = i + n; i < end; i++) {
        fraud_payment p = {
            .ts = 1767225600000 + i * 7200000, .amount_minor = 100 + 37 * i, .minor_digits = 2};
        char id[32];
        snprintf(p.tx_id, sizeof p.tx_id, "t%lld", (long long)i);
        snprintf(p.from, sizeof p.from, "A%lld", (long long)(i * 7 % 10));
        snprintf(p.to, sizeof p.to, "A%lld", (long long)((i * 3 + 1) % 10 + 10));
        snprintf(p.currency, sizeof p.currency, "EUR");
        if (fraud_engine_apply(e, &p, i + 1, NULL, NULL) != R1_OK) abort();
        snprintf(id, sizeof id, "t%lld", (long long)(i % 4 ? i - 1 : i + 3));
        (void)fraud_engine_label(e, id, i % 3 == 0, p.ts, NULL);
    }
}

typedef struct {
    r1_image_out out;
    uint8_t *data;
    size_t n, length_at;
} small_image_out;

static inline r1_status small_put(void *ctx, const void *data, size_t bytes, r1_err *err)
{
    small_image_out *o = ctx;
    uint64_t length = o->n + bytes - o->length_at - sizeof length;
    if (o->n + bytes > SMALL_IMAGE_MAX) R1_FAIL(err, R1_E_NOMEM, "image of %zu bytes", o->n);
    memcpy(o->data + o->n, data, bytes);
    memcpy(o->data + o->length_at, &length, sizeof length);
    o->n += bytes;
    return R1_OK;
}

static inline r1_status small_put_section(r1_image_out *out, const char *name, uint32_t version,
                                          r1_err *err)
{
    small_image_out *o = (small_image_out *)out;
    (void)name, (void)version, (void)err;
    o->length_at = o->n;
    memset(o->data + o->n, 0, sizeof(uint64_t));
    o->n += sizeof(uint64_t);
    return R1_OK;
}

typedef struct {
    r1_image_in in;
    const uint8_t *data;
    size_t n, at;
} small_image_in;

static inline r1_status small_get(void *ctx, void *data, size_t bytes, r1_err *err)
{
    small_image_in *i = ctx;
    if (bytes > i->in.left) R1_FAIL(err, R1_E_FORMAT, "the section ends");
    memcpy(data, i->data + i->at, bytes);
    i->at += bytes;
    i->in.left -= bytes;
    return R1_OK;
}

static inline r1_status small_get_section(r1_image_in *in, const char *name, uint32_t version,
                                          r1_err *err)
{
    small_image_in *i = (small_image_in *)in;
    uint64_t length;
    (void)version;
    if (in->left || i->n - i->at < sizeof length) R1_FAIL(err, R1_E_FORMAT, "no section %s", name);
    memcpy(&length, i->data + i->at, sizeof length);
    i->at += sizeof length;
    if (length > i->n - i->at) R1_FAIL(err, R1_E_FORMAT, "%s: more than there is", name);
    in->name = name;
    in->left = length;
    return R1_OK;
}

#endif
