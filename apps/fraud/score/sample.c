/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sample.c - the one place that knows both the columns and the model's items.
 *
 * The description is printed by hand, because models and shards store its very bytes, spaces
 * included. Its names come from the tables of this program, so none needs an escape. */
#include "score/sample.h"

#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the items ------------------------------------------------------------------------------- */

typedef struct item_row item_row;
typedef r1_item (*item_fill)(const fraud_features *f, const fraud_payment *p, const uint64_t *ref);

struct item_row {
    const char *name;
    unsigned flag; /* without this bit the item is left out; 0: always there */
    void (*describe)(const item_row *row, FILE *f, int hidden);
    item_fill fill;
    const fraud_column *num, *cat; /* of a table */
    size_t n_num, n_cat;
};

static void put_names(FILE *f, const char *key, const fraud_column *column, size_t n)
{
    fprintf(f, "\"%s\": [", key);
    for (size_t i = 0; i < n; i++) fprintf(f, "%s\"%s\"", i ? ", " : "", column[i].name);
    fprintf(f, "]");
}

static void put_categories(FILE *f, const fraud_column *column, size_t n)
{
    fprintf(f, ", \"cat\": [");
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s{\"name\": \"%s\", \"n\": %d}", i ? ", " : "", column[i].name, column[i].n);
    fprintf(f, "]");
}

static void describe_table(const item_row *row, FILE *f, int hidden)
{
    fprintf(f, "\"kind\": \"table\", ");
    put_names(f, "num", row->num, row->n_num);
    put_categories(f, row->cat, row->n_cat);
    fprintf(f, ", \"n_bin\": 12, \"d_cat\": 8, \"hidden\": %d", hidden);
}

static void describe_text(const item_row *row, FILE *f, int hidden)
{
    (void)row, (void)hidden;
    fprintf(f, "\"kind\": \"text\", \"n_vocab\": 512, \"n_token_max\": 24, \"hidden\": 32, "
               "\"n_layer\": 1");
}

static void describe_graph(const item_row *row, FILE *f, int hidden)
{
    (void)row, (void)hidden;
    fprintf(f, "\"kind\": \"graph\", ");
    put_names(f, "node", FRAUD_NODE_NUM, FRAUD_N_NODE_NUM);
    fprintf(f, ", ");
    put_names(f, "edge", FRAUD_EDGE_NUM, FRAUD_N_EDGE_NUM);
    fprintf(f, ", \"n_node_max\": %d, \"n_edge_max\": %d, \"hidden\": 32, \"n_layer\": 2",
            FRAUD_EGO_NODES_MAX, FRAUD_EGO_EDGES_MAX);
}

static void describe_history(const item_row *row, FILE *f, int hidden)
{
    (void)row, (void)hidden;
    fprintf(f, "\"kind\": \"memory\", \"query\": \"payment\", \"n_ref_max\": %d, \"n_bucket\": %d",
            FRAUD_REFS_MAX, FRAUD_N_BUCKET);
}

static r1_item sample_payment(const fraud_features *f, const fraud_payment *p, const uint64_t *ref)
{
    (void)p, (void)ref;
    return (r1_item){.present = true, .num = f->payment, .cat = f->payment_cat};
}

static r1_item sample_text(const fraud_features *f, const fraud_payment *p, const uint64_t *ref)
{
    (void)f, (void)ref;
    size_t bytes = strlen(p->text);
    return (r1_item){.present = bytes > 0, .text = p->text, .text_bytes = (uint32_t)bytes};
}

static r1_item sample_sender(const fraud_features *f, const fraud_payment *p, const uint64_t *ref)
{
    (void)p, (void)ref;
    return (r1_item){.present = true, .num = f->end[0]};
}

static r1_item sample_receiver(const fraud_features *f, const fraud_payment *p, const uint64_t *ref)
{
    (void)p, (void)ref;
    return (r1_item){.present = true, .num = f->end[1]};
}

static r1_item sample_pair(const fraud_features *f, const fraud_payment *p, const uint64_t *ref)
{
    (void)p, (void)ref;
    return (r1_item){.present = true, .num = f->pair};
}

static r1_item sample_pattern(const fraud_features *f, const fraud_payment *p, const uint64_t *ref)
{
    (void)p, (void)ref;
    return (r1_item){.present = true, .num = &f->pattern.cycle2};
}

static r1_item sample_graph(const fraud_features *f, const fraud_payment *p, const uint64_t *ref)
{
    (void)p, (void)ref;
    return (r1_item){.present = f->n_edge > 1, /* more than the new payment alone */
                     .n_node = f->n_node,
                     .n_edge = f->n_edge,
                     .node = &f->node[0][0],
                     .edge = &f->edge[0][0],
                     .src = f->src,
                     .dst = f->dst,
                     .mark = f->mark};
}

static r1_item sample_history(const fraud_features *f, const fraud_payment *p, const uint64_t *ref)
{
    (void)p;
    return (r1_item){.present = f->n_ref > 0, .n_ref = f->n_ref, .ref = ref, .bucket = f->bucket};
}

/* clang-format off */
static const item_row items[FRAUD_N_ITEM] = {
    [FRAUD_ITEM_PAYMENT]  = {"payment",    0, describe_table, sample_payment,
                             FRAUD_PAYMENT_NUM, FRAUD_PAYMENT_CAT,
                             FRAUD_N_PAYMENT_NUM, FRAUD_N_PAYMENT_CAT},
    [FRAUD_ITEM_TEXT]     = {"remittance", FRAUD_SAMPLE_TEXT, describe_text, sample_text,
                             NULL, NULL, 0, 0},
    [FRAUD_ITEM_SENDER]   = {"sender",     0, describe_table, sample_sender,
                             FRAUD_END_NUM, NULL, FRAUD_N_END_NUM, 0},
    [FRAUD_ITEM_RECEIVER] = {"receiver",   0, describe_table, sample_receiver,
                             FRAUD_END_NUM, NULL, FRAUD_N_END_NUM, 0},
    [FRAUD_ITEM_PAIR]     = {"pair",       0, describe_table, sample_pair,
                             FRAUD_PAIR_NUM, NULL, FRAUD_N_PAIR_NUM, 0},
    [FRAUD_ITEM_PATTERN]  = {"pattern",    FRAUD_CAPTURE_GRAPH, describe_table, sample_pattern,
                             FRAUD_PATTERN_NUM, NULL, FRAUD_N_PATTERN_NUM, 0},
    [FRAUD_ITEM_GRAPH]    = {"graph",      FRAUD_CAPTURE_GRAPH, describe_graph, sample_graph,
                             NULL, NULL, 0, 0},
    [FRAUD_ITEM_HISTORY]  = {"history",    FRAUD_CAPTURE_MEMORY, describe_history, sample_history,
                             NULL, NULL, 0, 0},
};
/* clang-format on */

const char *fraud_item_name(int item)
{
    R1_ASSERT(item >= 0 && item < FRAUD_N_ITEM, "item %d", item);
    return items[item].name;
}

size_t fraud_item_columns(int item, const fraud_column **columns)
{
    R1_ASSERT(item >= 0 && item < FRAUD_N_ITEM, "item %d", item);
    if (columns) *columns = items[item].num;
    return items[item].n_num;
}

static void put_items(FILE *f, int hidden)
{
    for (int i = 0; i < FRAUD_N_ITEM; i++) {
        fprintf(f, "  {\"name\": \"%s\", ", items[i].name);
        items[i].describe(&items[i], f, hidden);
        fprintf(f, "}%s\n", i + 1 < FRAUD_N_ITEM ? "," : "],");
    }
}

/* ---- the description ------------------------------------------------------------------------- */

r1_status fraud_description(const fraud_description_opts *o, char **json, r1_err *err)
{
    size_t len;
    FILE *f = open_memstream(json, &len);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for the description");
    int d = o->d_model ? o->d_model : FRAUD_D_MODEL, hidden = o->hidden ? o->hidden : FRAUD_HIDDEN;
    fprintf(f,
            "{\"name\": \"%s\", \"d_align\": 512, \"d_model\": %d, \"n_layer\": %d, \"n_head\": 4, "
            "\"n_head_cross\": "
            "4, \"d_ff\": %d,\n",
            o->name ? o->name : "fraud-s", d, o->n_layer ? o->n_layer : FRAUD_N_LAYER, 2 * d);
    fprintf(f, " \"beta\": 0.3, \"cawa_length\": true, \"cawa_context\": true, \"step_loss\": "
               "0.2,\n \"event\": {");
    put_names(f, "num", FRAUD_EVENT_NUM, FRAUD_N_EVENT_NUM);
    put_categories(f, FRAUD_EVENT_CAT, FRAUD_N_EVENT_CAT);
    fprintf(f,
            ", \"n_bin\": 12, \"hidden\": 48, \"d_memory\": 64, \"n_head\": 4},\n \"items\": [\n");
    put_items(f, hidden);
    fprintf(f, " \"heads\": [{\"name\": \"fraud\", \"kind\": \"binary\"}]}\n");
    if (fclose(f)) R1_FAIL(err, R1_E_NOMEM, "no memory for the description");
    return R1_OK;
}

/* ---- samples --------------------------------------------------------------------------------- */

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
    R1_ASSERT(f->n_node <= FRAUD_EGO_NODES_MAX && f->n_edge <= FRAUD_EGO_EDGES_MAX &&
                  f->n_ref <= FRAUD_REFS_MAX,
              "sample: %u nodes, %u edges, %u references", f->n_node, f->n_edge, f->n_ref);
    for (int i = 0; i < FRAUD_N_ITEM; i++) {
        item[i] = items[i].fill(f, p, ref);
        if (items[i].flag && !(flags & items[i].flag)) item[i].present = false;
    }
}
