/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what a model holds; core's own view of r1_model. */
#ifndef R1_MODEL_INTERNAL_H
#define R1_MODEL_INTERNAL_H

#include "file/bpe.h"
#include "model/build.h"
#include "r1_assert.h"
#include "r1_model.h"

struct r1_model {
    r1_desc *desc;
    r1_net net;
    float *weights; /* net.plan.weight_bytes; 64-byte aligned */
    bool steps;     /* the plan has learned steps of rounding */
    float beta;
    r1_calibration calibration[R1_HEADS_MAX];
    float *isotonic[R1_HEADS_MAX]; /* x[n_isotonic], then y; NULL: none */
    uint32_t n_isotonic[R1_HEADS_MAX];
    r1_bpe *bpe[R1_ITEMS_MAX]; /* text items; never NULL there */
    uint64_t trained_samples;
};

/* A model with room for weights (at most bytes_max), none of them set. */
r1_status r1_model_alloc(r1_model **out, const char *json, size_t len, bool steps, size_t bytes_max,
                         r1_err *err);
/* Gives m room for learned steps, none of them fitted yet; its weights stay. Nothing where it
 * has them. */
r1_status r1_model_add_steps(r1_model *m, r1_err *err);
/* The model under another description with the same items and widths: new heads in the place of
 * its own, every other weight, the bins and the tokenizers stay. On error *m is as it was. Not
 * for models with learned steps. */
r1_status r1_model_change_heads(r1_model **m, const char *json, uint64_t seed, r1_err *err);
/* A file of another stage under the description of this one: it keeps what it knows of the
 * items, heads that the description does not have make way for those that it has. */
r1_status r1_model_open_as(r1_model **out, const char *path, const char *json, uint64_t seed,
                           r1_err *err);
/* The bytes of a file. */
r1_status r1_model_parse(r1_model **out, const void *data, size_t len, r1_err *err);
/* What r1_train_opts.beta says: 0 leaves it, -1 is none. */
r1_status r1_model_choose_beta(r1_model *m, double beta, r1_err *err);
/* Scale 1, bias 0, no map: of every head, for training. */
void r1_model_uncalibrate(r1_model *m);
float r1_model_calibrated(const r1_model *m, size_t head, float logit);
/* Whether a tensor of the plan is a weight that files hold; others are derived when one is read. */
static inline bool r1_model_stored(const r1_tensor *t)
{
    return t->space == R1_SPACE_WEIGHT && t->init != R1_INIT_DERIVED;
}
static inline float *r1_model_weight(const r1_model *m, int16_t t)
{
    const r1_plan *p = &m->net.plan;
    R1_ASSERT(t >= 0 && (uint32_t)t < p->n_tensor && p->tensor[t].space == R1_SPACE_WEIGHT,
              "tensor %d of %u is no weight", t, p->n_tensor);
    return m->weights + p->tensor[t].offset / sizeof(float);
}

#endif
