/* SPDX-License-Identifier: Apache-2.0 */
/* toy.h - a synthetic task that needs all four kinds of item: its description, and samples from
 * a seed. */
#ifndef R1_TOY_H
#define R1_TOY_H

#include "r1_session.h"
#include "r1_shard.h"

enum { TOY_REFS = 6, TOY_NODES = 8, TOY_EDGES = 12, TOY_ITEMS = 4 };

extern const char *const toy_description;

/* One sample with storage of its own; refs are event numbers. */
typedef struct {
    r1_sample sample;
    r1_item item[TOY_ITEMS];
    float num[3], label[2], node[TOY_NODES], edge[TOY_EDGES], event_num[1];
    int32_t cat[1], src[TOY_EDGES], dst[TOY_EDGES], event_cat[1];
    uint8_t mark[TOY_NODES], bucket[TOY_REFS];
    uint64_t ref[TOY_REFS];
    char text[64];
} toy_sample;

typedef struct {
    r1_event *event;
    float (*num)[1];
    int32_t (*cat)[1];
    toy_sample *sample;
    size_t n_event, n_sample;
} toy;

/* Events first, then samples that refer to them. Items are sometimes absent. */
void toy_make(toy *t, size_t n_sample, uint64_t seed);
/* The same without groups. */
void toy_make_alone(toy *t, size_t n_sample, uint64_t seed);
void toy_free(toy *t);
r1_status toy_write(const toy *t, const char *path, r1_err *err);

#endif
