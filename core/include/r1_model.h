/* SPDX-License-Identifier: Apache-2.0 */
/* r1_model.h - a model: description, weights, tokenizer, calibration; read from and written to
 * GGUF.
 *
 * Owns:    all of it; nothing is borrowed after a call returns.
 * Threads: immutable once opened. Many sessions in many threads may share it, and it must outlive
 *          them.
 * Errors:  R1_E_FORMAT for a file that is not what it says (with place, expected, found),
 *          R1_E_NOT_FOUND, R1_E_IO, R1_E_NOMEM. */
#ifndef R1_MODEL_H
#define R1_MODEL_H

#include "r1_sample.h"

typedef struct r1_model r1_model;

/* What numbers are held in while a model is served: of a session's linear layers (r1_session.h),
 * of a pool's entries (r1_memory.h). AUTO, of a session: INT8 where the model's steps of
 * rounding are learned and the backend has int8, else F32. */
typedef enum { R1_PRECISION_F32 = 0, R1_PRECISION_INT8, R1_PRECISION_AUTO } r1_precision;

/* Opens a GGUF file written by r1_model_save. Trusts nothing in it. Where PATH.sum stands beside
 * it, its bytes must be those of that checksum; without it a warning is logged. */
R1_API r1_status r1_model_open(r1_model **out, const char *path, r1_err *err);
/* Writes PATH.sum for a model that can be opened, as r1_model_save does. */
R1_API r1_status r1_model_seal(const char *path, r1_err *err);
/* A fresh model from a description: weights from the seed, bins at 0..1 until training fits
 * them. */
R1_API r1_status r1_model_new(r1_model **out, const char *description_json, uint64_t seed,
                              r1_err *err);
R1_API r1_status r1_model_save(const r1_model *m, const char *path, r1_err *err);
R1_API void r1_model_free(r1_model *m); /* NULL is fine */

R1_API const char *r1_model_name(const r1_model *m);
R1_API const char *r1_model_description(const r1_model *m); /* JSON */
/* Hash over item names, kinds, column names and sizes: what the application must agree with
 * before it serves. */
R1_API uint64_t r1_model_schema_hash(const r1_model *m);
/* The same hash of a description that has no model yet (an application's compiled-in one). */
R1_API r1_status r1_description_hash(const char *description_json, uint64_t *hash, r1_err *err);
/* Refuses with both hashes in the message when the model was trained with another feature
 * schema. */
R1_API r1_status r1_model_check_schema(const r1_model *m, const char *description_json,
                                       r1_err *err);

R1_API size_t r1_model_n_item(const r1_model *m);
R1_API int r1_model_item(const r1_model *m, const char *name); /* index, -1 = none */
R1_API const char *r1_model_item_name(const r1_model *m, size_t item);
R1_API r1_item_kind r1_model_item_kind(const r1_model *m, size_t item);
R1_API size_t r1_model_item_n_num(const r1_model *m, size_t item); /* table: numeric columns */
/* The quantiles of a table's numeric columns that training saw, from the least to the largest:
 * f32[n_num][*n_edge], the model's. What lies outside is encoded as the nearest of them. NULL: the
 * item has none. */
R1_API const float *r1_model_item_edges(const r1_model *m, size_t item, size_t *n_edge);
R1_API size_t r1_model_item_n_cat(const r1_model *m, size_t item);
R1_API size_t r1_model_event_n_num(const r1_model *m); /* 0 without memory */
R1_API size_t r1_model_event_n_cat(const r1_model *m);
R1_API size_t r1_model_entry_width(
    const r1_model *m); /* d_memory: an entry is K f32[d_memory], V f32[d_memory] */
R1_API size_t r1_model_d_align(const r1_model *m); /* width of the common space */
R1_API size_t r1_model_n_head(const r1_model *m);
R1_API size_t
r1_model_n_output(const r1_model *m); /* 1 per binary or rank head, n per class head */
R1_API const char *r1_model_head_name(const r1_model *m, size_t head);

R1_API float r1_model_beta(const r1_model *m);
/* 0..0.9; before sessions exist */
R1_API r1_status r1_model_set_beta(r1_model *m, float beta, r1_err *err);

/* calibrated logit = scale * logit + bias (for class heads: bias is shared, scale = 1 /
 * temperature). */
typedef struct {
    float scale, bias;
} r1_calibration;
R1_API r1_calibration r1_model_calibration(const r1_model *m, size_t head);
R1_API r1_status r1_model_set_calibration(r1_model *m, size_t head, r1_calibration c, r1_err *err);

/* Isotonic calibration of a binary head, after scale and bias where a model has one (Zadrozny
 * and Elkan 2002): y[n] at x[n], both rising, straight lines between them, slope 1 beyond. The
 * arrays that r1_model_isotonic hands out are the model's; set copies. n 0: none. */
enum { R1_ISOTONIC_MAX = 1024 };
typedef struct {
    uint32_t n;
    const float *x, *y;
} r1_isotonic;
R1_API r1_isotonic r1_model_isotonic(const r1_model *m, size_t head);
R1_API r1_status r1_model_set_isotonic(r1_model *m, size_t head, r1_isotonic map, r1_err *err);

typedef struct {
    uint64_t n_weight;     /* trained scalars */
    uint64_t weight_bytes; /* in the file */
    /* of one sample with every item at its largest, counted from the plan; entry included */
    uint64_t flop_sample;
    uint64_t flop_event; /* of making one working-memory entry */
    uint32_t n_op;       /* op calls of the plan */
    uint64_t trained_samples;
    /* trained for int8: its steps of rounding are learned (R1_PRECISION_INT8 uses them) */
    bool int8_steps;
} r1_model_info;
R1_API r1_status r1_model_get_info(const r1_model *m, r1_model_info *info, r1_err *err);
/* FLOP of one sample by group of op, for tables: calls fn(name, flop) per part of the plan. */
R1_API r1_status r1_model_flops(const r1_model *m,
                                void (*fn)(void *ctx, const char *part, uint64_t flop), void *ctx,
                                r1_err *err);

#endif
