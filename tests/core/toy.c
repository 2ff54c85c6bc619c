/* SPDX-License-Identifier: Apache-2.0 */
/* toy.c - each of four things adds to the logit of the label: a product of two columns, the
 * amounts remembered, whether the ego's edges point outwards, a word in the text. No single item
 * is enough. */
#include "core/toy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const toy_description =
    "{\"name\":\"toy\",\"d_align\":64,\"d_model\":32,\"n_layer\":2,\"n_head\":4,\"n_head_cross\":4,"
    "\"d_ff\":48,"
    "\"event\":{\"num\":[\"amount\"],\"cat\":[{\"name\":\"kind\",\"n\":2}],\"n_bin\":6,\"d_cat\":4,"
    "\"hidden\":16,"
    "\"d_memory\":16,\"n_head\":4},"
    "\"items\":[{\"name\":\"row\",\"kind\":\"table\",\"num\":[\"a\",\"b\",\"noise\"],\"cat\":[{"
    "\"name\":\"c\",\"n\":3}]"
    ","
    "\"n_bin\":6,\"d_cat\":4,\"hidden\":24},"
    "{\"name\":\"history\",\"kind\":\"memory\",\"query\":\"row\",\"n_ref_max\":6,\"n_bucket\":6},"
    "{\"name\":\"ego\",\"kind\":\"graph\",\"node\":[\"x\"],\"edge\":[\"y\"],\"n_node_max\":8,\"n_"
    "edge_max\":12,"
    "\"hidden\":12,"
    "\"n_layer\":1},"
    "{\"name\":\"words\",\"kind\":\"text\",\"n_vocab\":320,\"n_token_max\":16,\"hidden\":16,\"n_"
    "layer\":1,\"n_head\":2}"
    "],"
    "\"heads\":[{\"name\":\"risk\",\"kind\":\"binary\"},{\"name\":\"order\",\"kind\":\"rank\"}]}";

static double toy_table(toy_sample *s, r1_rng *r)
{
    for (int i = 0; i < 3; i++) s->num[i] = (float)r1_rng_normal(r);
    if (r1_rng_unit(r) < 0.1) s->num[2] = NAN;
    s->cat[0] = (int32_t)r1_rng_below(r, 4) - 1;
    s->item[0] = (r1_item){.present = true, .num = s->num, .cat = s->cat};
    return (s->num[0] > 0) == (s->num[1] > 0) ? 1.5 : -1.5;
}

/* Only events of kind 1 count. */
static double toy_memory(toy *t, toy_sample *s, r1_rng *r)
{
    double sum = 0;
    uint32_t n = (uint32_t)r1_rng_below(r, TOY_REFS + 1);
    for (uint32_t j = 0; j < n; j++) {
        s->ref[j] = r1_rng_below(r, t->n_event);
        s->bucket[j] = (uint8_t)j;
        if (t->cat[s->ref[j]][0] == 1) sum += t->num[s->ref[j]][0];
    }
    s->item[1] = (r1_item){.present = n > 0, .n_ref = n, .ref = s->ref, .bucket = s->bucket};
    return n == 0 ? 0 : sum > 0 ? 1.5 : -1.5;
}

static double toy_graph(toy_sample *s, r1_rng *r)
{
    uint32_t n_node = 2 + (uint32_t)r1_rng_below(r, TOY_NODES - 1),
             n_edge = 1 + (uint32_t)r1_rng_below(r, TOY_EDGES);
    bool out = r1_rng_unit(r) < 0.5;
    for (uint32_t i = 0; i < n_node; i++) {
        s->node[i] = (float)r1_rng_normal(r);
        s->mark[i] = i == 0 ? 1 : 0;
    }
    for (uint32_t j = 0; j < n_edge; j++) {
        int32_t other = 1 + (int32_t)r1_rng_below(r, n_node - 1);
        s->src[j] = out ? 0 : other;
        s->dst[j] = out ? other : 0;
        s->edge[j] = (float)r1_rng_normal(r);
    }
    s->item[2] = (r1_item){.present = true,
                           .n_node = n_node,
                           .n_edge = n_edge,
                           .node = s->node,
                           .edge = s->edge,
                           .src = s->src,
                           .dst = s->dst,
                           .mark = s->mark};
    return out ? 1.5 : -1.5;
}

static double toy_text(toy_sample *s, r1_rng *r)
{
    static const char *const plain[] = {"invoice", "rent", "lunch", "books", "holiday"};
    bool odd = r1_rng_unit(r) < 0.5;
    snprintf(s->text, sizeof s->text, "%s %s%llu", plain[r1_rng_below(r, 5)], odd ? "urgent " : "",
             (unsigned long long)r1_rng_below(r, 30));
    s->item[3] =
        (r1_item){.present = true, .text = s->text, .text_bytes = (uint32_t)strlen(s->text)};
    return odd ? 1.5 : -1.5;
}

static void make_sample(toy *t, toy_sample *s, size_t i, r1_rng *r)
{
    double x = toy_table(s, r) + toy_memory(t, s, r) + toy_graph(s, r) + toy_text(s, r);
    if (r1_rng_unit(r) < 0.05) s->item[r1_rng_below(r, TOY_ITEMS)].present = false;
    s->label[0] = x > 0;
    s->label[1] = x > 0;
    s->event_num[0] = (float)r1_rng_normal(r);
    s->event_cat[0] = (int32_t)r1_rng_below(r, 2);
    s->sample =
        (r1_sample){.item = s->item, .id = i, .group = 1 + i / 4, .label = s->label, .weight = 1};
    s->sample.event = (r1_event){s->event_num, s->event_cat};
}

void toy_make(toy *t, size_t n_sample, uint64_t seed)
{
    r1_rng r;
    r1_rng_seed(&r, seed);
    t->n_event = n_sample / 2 + 8;
    t->n_sample = n_sample;
    t->event = calloc(t->n_event, sizeof *t->event);
    t->num = calloc(t->n_event, sizeof *t->num);
    t->cat = calloc(t->n_event, sizeof *t->cat);
    t->sample = calloc(n_sample, sizeof *t->sample);
    for (size_t i = 0; i < t->n_event; i++) {
        t->num[i][0] = (float)r1_rng_normal(&r);
        t->cat[i][0] = (int32_t)r1_rng_below(&r, 2);
        t->event[i] = (r1_event){t->num[i], t->cat[i]};
    }
    for (size_t i = 0; i < n_sample; i++) make_sample(t, &t->sample[i], i, &r);
}

void toy_make_alone(toy *t, size_t n_sample, uint64_t seed)
{
    toy_make(t, n_sample, seed);
    for (size_t i = 0; i < n_sample; i++) t->sample[i].sample.group = 0;
}

void toy_free(toy *t)
{
    free(t->event);
    free(t->num);
    free(t->cat);
    free(t->sample);
}

r1_status toy_write(const toy *t, const char *path, r1_err *err)
{
    r1_shard_writer *w;
    uint64_t index;
    R1_TRY(r1_shard_create(&w, path, toy_description, err));
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < t->n_event; i++)
        st = r1_shard_add_event(w, &t->event[i], &index, err);
    for (size_t i = 0; st == R1_OK && i < t->n_sample; i++)
        st = r1_shard_add(w, &t->sample[i].sample, err);
    if (st == R1_OK) return r1_shard_finish(w, err);
    r1_shard_abort(w);
    return st;
}
