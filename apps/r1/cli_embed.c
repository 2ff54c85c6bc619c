/* SPDX-License-Identifier: Apache-2.0 */
/* cli_embed.c - r1 embed: what the encoders make of the items of shards, as files of vectors. */
#include "cli_r1.h"
#include "files/outputs.h"
#include "r1_train.h"
#include "vectors/r1_vectors.h"

#include <stdio.h>

enum { QUERY_EVERY = 50, EMBED_PATH_BYTES = 4200 };

static const r1_option options[] = {
    {.name = "model", .type = R1_OPT_PATH, .help = "model file"},
    {.name = "item", .type = R1_OPT_STRING, .help = "the item whose rows are the base"},
    {.name = "queries",
     .type = R1_OPT_STRING,
     .help = "the item whose rows are queries, of every fiftieth sample; default: that of --item, "
             "which are then not "
             "in the base"},
    {.name = "out", .type = R1_OPT_PATH, .help = "folder for ITEM_base.f16 and ITEM_queries.f16"},
    R1_CLI_DEVICE(NULL),
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

typedef struct {
    r1_vectors v;
    size_t width, n[2], n_seen;
    bool base, queries; /* what this pass writes */
} writer;

static void embed_put(void *ctx, uint64_t id, const float *row)
{
    writer *w = ctx;
    bool query = w->queries && w->n_seen % QUERY_EVERY == 0;
    (void)id;
    w->n_seen++;
    if (!query && !w->base) return;
    r1_vectors_put(&w->v, query, row, w->width, true);
    w->n[query]++;
}

static r1_status embed_item_of(const r1_model *m, const char *option, const char *name,
                               uint32_t *item, r1_err *err)
{
    int k = name ? r1_model_item(m, name) : -1;
    *item = (uint32_t)k;
    if (k >= 0) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "--%s %s: the model has no such item", option, name ? name : "(none)");
}

/* The two files below --out are neither the model nor a shard. */
static r1_status embed_check_files(r1_cli_call *call)
{
    const r1_options *o = call->opts;
    const char *dir = r1_options_str(o, "out"), *item = r1_options_str(o, "item");
    char base[EMBED_PATH_BYTES], queries[EMBED_PATH_BYTES];
    if (!item) return R1_OK; /* refused when the model is there to be asked */
    snprintf(base, sizeof base, "%s/%s_base.f16", dir, item);
    snprintf(queries, sizeof queries, "%s/%s_queries.f16", dir, item);
    const r1_named_file out[] = {{"--out", base, R1_OUTPUT_BELOW},
                                 {"--out", queries, R1_OUTPUT_BELOW}};
    const r1_named_file in[] = {{"--model", r1_options_str(o, "model"), 0}};
    R1_TRY(r1_outputs_check(out, R1_COUNT(out), in, R1_COUNT(in), &call->err));
    return r1_outputs_spare(out, R1_COUNT(out), "the shard", call->rest, call->n_rest, &call->err);
}

static r1_status embed_run(r1_cli_call *call, const r1_model *m, writer *w)
{
    const r1_options *o = call->opts;
    const char *out = r1_options_str(o, "out"), *name = r1_options_str(o, "item"),
               *ask = r1_options_str(o, "queries");
    uint32_t item, query;
    R1_TRY(embed_item_of(m, "item", name, &item, &call->err));
    R1_TRY(embed_item_of(m, "queries", ask ? ask : name, &query, &call->err));
    w->width = r1_model_d_align(m);
    R1_TRY(r1_mkdirs(out, &call->err));
    R1_TRY(r1_vectors_open(&w->v, out, name, &call->err));
    w->base = true;
    w->queries = item == query;
    R1_TRY(r1_embed(m, call->rest, call->n_rest, item, embed_put, w, &call->err));
    if (item == query) return R1_OK;
    w->base = false;
    w->queries = true;
    w->n_seen = 0;
    return r1_embed(m, call->rest, call->n_rest, query, embed_put, w, &call->err);
}

static int embed_embed(r1_cli_call *call)
{
    const r1_options *o = call->opts;
    writer w = {0};
    r1_model *m = NULL;
    r1_err late;
    r1_status st = r1_options_str(o, "model") && r1_options_str(o, "out") && call->n_rest
                       ? R1_OK
                       : r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                                    "name --model, --item, --out and at least one shard");
    if (st == R1_OK) st = embed_check_files(call);
    if (st == R1_OK) st = r1_model_open(&m, r1_options_str(o, "model"), &call->err);
    if (st == R1_OK) st = embed_run(call, m, &w);
    r1_status closed = r1_vectors_close(&w.v, st == R1_OK ? &call->err : &late);
    if (st == R1_OK) st = closed;
    r1_figures *f = st == R1_OK ? r1_figures_new("r1 embed") : NULL;
    if (f) {
        r1_figures_note(f, "base", w.v.path);
        r1_figures_add(f, "n", (double)w.n[0]);
        r1_figures_add(f, "queries", (double)w.n[1]);
        r1_figures_add(f, "columns", (double)w.width);
        r1_figures_print(f, r1_options_bool(o, "json"), stdout);
    }
    r1_figures_free(f);
    r1_model_free(m);
    return r1_cli_exit(st);
}

const r1_command cli_embed_commands[] = {
    {.name = "embed",
     .operands = "SHARD...",
     .operands_max = R1_OPERANDS_ANY,
     .summary = "rows of the common space that the encoders make of shards, as files of vectors "
                "for r1-bench memory",
     .examples =
         "r1 embed --model m.gguf --item row --out vectors train.r1s\n"
         "r1 embed --model m.gguf --item name --queries definition --out vectors a.r1s b.r1s",
     .options = options,
     .n_options = R1_COUNT(options),
     .run = embed_embed}};
const size_t cli_embed_n = R1_COUNT(cli_embed_commands);
