/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/rungs.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const rung rungs[RUNGS] = {{"v1", RUNG_TEXT, false},
                           {"v2", RUNG_ITEMS, false},
                           {"v2_memory", RUNG_MEMORY, false},
                           {"v2_cawa", RUNG_ITEMS, true},
                           {"r1", RUNG_MEMORY, true}};

static void rungs_give_up(const char *what)
{
    fprintf(stderr, "ladder: %s\n", what);
    exit(1);
}

static json_t *rungs_parse(const char *text)
{
    json_t *root = json_loads(text, 0, NULL);
    if (!root) rungs_give_up("a description is not JSON");
    return root;
}

static void remove_memory(json_t *root)
{
    json_t *items = json_object_get(root, "items");
    json_object_del(root, "event");
    for (size_t i = json_array_size(items); i-- > 0;)
        if (strcmp(json_string_value(json_object_get(json_array_get(items, i), "kind")),
                   "memory") == 0)
            json_array_remove(items, i);
}

char *rung_describe(const char *whole, const char *text, int kind, bool cawa, int d_ff)
{
    json_t *root = rungs_parse(whole);
    if (kind != RUNG_MEMORY) remove_memory(root);
    if (kind == RUNG_TEXT) {
        json_t *one = json_array();
        json_array_append_new(one, rungs_parse(text));
        json_object_set_new(root, "items", one);
    }
    json_object_set_new(root, "d_ff", json_integer(d_ff));
    json_object_set_new(root, "cawa_length", json_boolean(cawa));
    json_object_set_new(root, "cawa_context", json_boolean(cawa));
    char *out = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!out) rungs_give_up("out of memory");
    return out;
}

r1_model_info rung_info(const char *description)
{
    r1_err err;
    r1_model *m;
    r1_model_info info;
    if (r1_model_new(&m, description, 1, &err) != R1_OK ||
        r1_model_get_info(m, &info, &err) != R1_OK)
        rungs_give_up(err.msg);
    r1_model_free(m);
    return info;
}

static uint64_t weights_at(const char *whole, const char *text, const rung *r, int d_ff)
{
    char *description = rung_describe(whole, text, r->kind, r->cawa, d_ff);
    uint64_t n = rung_info(description).n_weight;
    free(description);
    return n;
}

char *rung_equal(const char *whole, const char *text, const rung *r)
{
    json_t *root = rungs_parse(whole);
    int own = (int)json_integer_value(json_object_get(root, "d_ff"));
    json_decref(root);
    uint64_t want = weights_at(whole, text, &rungs[RUNGS - 1], own);
    uint64_t at_own = weights_at(whole, text, r, own),
             one = weights_at(whole, text, r, own + 1) - at_own;
    int width = own + (int)lround(((double)want - (double)at_own) / (double)one);
    if (width < 1)
        rungs_give_up("an arm has more parameters than R1 without any feed-forward part");
    return rung_describe(whole, text, r->kind, r->cawa, width);
}

FILE *rung_table(const char *table, const char *header)
{
    FILE *f = fopen(table, "ae");
    if (!f) {
        fprintf(stderr, "ladder: %s: cannot be written\n", table);
        exit(1);
    }
    if (ftell(f) == 0) fprintf(f, "%s\n", header);
    return f;
}
