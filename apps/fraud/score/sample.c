/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sample.c - the one place that knows both the columns and the model's items. */
#include "score/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const FRAUD_ITEM_NAME[FRAUD_N_ITEM] = {"payment", "remittance", "sender", "receiver",
                                                   "pair",    "pattern",    "graph",  "history"};

static void sample_put_names(FILE *f, const char *key, const char *const *name, size_t n)
{
    fprintf(f, "\"%s\": [", key);
    for (size_t i = 0; i < n; i++) fprintf(f, "%s\"%s\"", i ? ", " : "", name[i]);
    fprintf(f, "]");
}

static void put_categories(FILE *f, const fraud_category *c, size_t n)
{
    fprintf(f, ", \"cat\": [");
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s{\"name\": \"%s\", \"n\": %d}", i ? ", " : "", c[i].name, c[i].n);
    fprintf(f, "]");
}

static void sample_put_table(FILE *f, int item, const char *const *num, size_t n_num,
                             const fraud_category *cat, size_t n_cat, int hidden)
{
    fprintf(f, "  {\"name\": \"%s\", \"kind\": \"table\", ", FRAUD_ITEM_NAME[item]);
    sample_put_names(f, "num", num, n_num);
    put_categories(f, cat, n_cat);
    fprintf(f, ", \"n_bin\": 12, \"d_cat\": 8, \"hidden\": %d},\n", hidden);
}

static void put_items(FILE *f, int hidden)
{
    sample_put_table(f, FRAUD_ITEM_PAYMENT, FRAUD_PAYMENT_NUM, FRAUD_N_PAYMENT_NUM,
                     FRAUD_PAYMENT_CAT, FRAUD_N_PAYMENT_CAT, hidden);
    fprintf(f, "  {\"name\": \"remittance\", \"kind\": \"text\", \"n_vocab\": 512, "
               "\"n_token_max\": 24, \"hidden\": "
               "32, \"n_layer\": 1},\n");
    sample_put_table(f, FRAUD_ITEM_SENDER, FRAUD_END_NUM, FRAUD_N_END_NUM, NULL, 0, hidden);
    sample_put_table(f, FRAUD_ITEM_RECEIVER, FRAUD_END_NUM, FRAUD_N_END_NUM, NULL, 0, hidden);
    sample_put_table(f, FRAUD_ITEM_PAIR, FRAUD_PAIR_NUM, FRAUD_N_PAIR_NUM, NULL, 0, hidden);
    sample_put_table(f, FRAUD_ITEM_PATTERN, FRAUD_PATTERN_FEATURE, FRAUD_N_PATTERN_FEATURE, NULL, 0,
                     hidden);
    fprintf(f, "  {\"name\": \"graph\", \"kind\": \"graph\", ");
    sample_put_names(f, "node", FRAUD_NODE_FEATURE, FRAUD_N_NODE_FEATURE);
    fprintf(f, ", ");
    sample_put_names(f, "edge", FRAUD_EDGE_FEATURE, FRAUD_N_EDGE_FEATURE);
    fprintf(f, ", \"n_node_max\": %d, \"n_edge_max\": %d, \"hidden\": 32, \"n_layer\": 2},\n",
            FRAUD_EGO_NODES_MAX, FRAUD_EGO_EDGES_MAX);
    fprintf(f,
            "  {\"name\": \"history\", \"kind\": \"memory\", \"query\": \"payment\", "
            "\"n_ref_max\": %d, \"n_bucket\": "
            "%d}],\n",
            FRAUD_REFS_MAX, FRAUD_N_BUCKET);
}

r1_status fraud_description(const fraud_description_opts *o, char **json, r1_err *err)
{
    size_t len;
    FILE *f = open_memstream(json, &len);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for the description");
    int d = o->d_model ? o->d_model : 64, hidden = o->hidden ? o->hidden : 64;
    fprintf(f,
            "{\"name\": \"%s\", \"d_align\": 512, \"d_model\": %d, \"n_layer\": %d, \"n_head\": 4, "
            "\"n_head_cross\": "
            "4, \"d_ff\": %d,\n",
            o->name ? o->name : "fraud-s", d, o->n_layer ? o->n_layer : 2, 2 * d);
    fprintf(f, " \"beta\": 0.3, \"cawa_length\": true, \"cawa_context\": true, \"step_loss\": "
               "0.2,\n \"event\": {");
    sample_put_names(f, "num", FRAUD_EVENT_NUM, FRAUD_N_EVENT_NUM);
    put_categories(f, FRAUD_EVENT_CAT, FRAUD_N_EVENT_CAT);
    fprintf(f,
            ", \"n_bin\": 12, \"hidden\": 48, \"d_memory\": 64, \"n_head\": 4},\n \"items\": [\n");
    put_items(f, hidden);
    fprintf(f, " \"heads\": [{\"name\": \"fraud\", \"kind\": \"binary\"}]}\n");
    if (fclose(f)) R1_FAIL(err, R1_E_NOMEM, "no memory for the description");
    return R1_OK;
}

void fraud_capture(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                   unsigned flags, fraud_features *f)
{
    fraud_features_tables(s, p, from, to, f);
    f->n_node = f->n_edge = f->n_ref = 0;
    if (flags & FRAUD_CAPTURE_GRAPH) {
        fraud_patterns_count(s, from, to, fraud_ln1024(fraud_hundredths(p)), &f->pattern);
        fraud_features_ego(s, p, from, to, f);
    }
    if (flags & FRAUD_CAPTURE_MEMORY) fraud_features_history(s, from, to, f);
}

void fraud_sample_fill(const fraud_features *f, const fraud_payment *p, const uint64_t *ref,
                       unsigned flags, r1_item *item)
{
    memset(item, 0, FRAUD_N_ITEM * sizeof *item);
    item[FRAUD_ITEM_PAYMENT] = (r1_item){.present = true, .num = f->payment, .cat = f->payment_cat};
    size_t bytes = strlen(p->text);
    item[FRAUD_ITEM_TEXT] = (r1_item){.present = bytes && (flags & FRAUD_SAMPLE_TEXT),
                                      .text = p->text,
                                      .text_bytes = (uint32_t)bytes};
    item[FRAUD_ITEM_SENDER] = (r1_item){.present = true, .num = f->end[0]};
    item[FRAUD_ITEM_RECEIVER] = (r1_item){.present = true, .num = f->end[1]};
    item[FRAUD_ITEM_PAIR] = (r1_item){.present = true, .num = f->pair};
    bool graph = flags & FRAUD_CAPTURE_GRAPH;
    item[FRAUD_ITEM_PATTERN] = (r1_item){.present = graph, .num = &f->pattern.cycle2};
    item[FRAUD_ITEM_GRAPH] = (r1_item){.present = graph && f->n_edge > 1,
                                       .n_node = f->n_node,
                                       .n_edge = f->n_edge,
                                       .node = &f->node[0][0],
                                       .edge = &f->edge[0][0],
                                       .src = f->src,
                                       .dst = f->dst,
                                       .mark = f->mark};
    item[FRAUD_ITEM_HISTORY] = (r1_item){.present = (flags & FRAUD_CAPTURE_MEMORY) && f->n_ref,
                                         .n_ref = f->n_ref,
                                         .ref = ref,
                                         .bucket = f->bucket};
}
