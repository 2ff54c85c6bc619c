/* SPDX-License-Identifier: Apache-2.0 */
/* test_pretrain.c - losses against twins and finite differences, masking by its properties,
 * labels that change nothing, resuming to the bit, shards with nothing to learn, and a world of
 * twins (a word and columns that mean the same) whose modalities must find each other. */
#include "core/runs.h"
#include "core/toy.h"
#include "infer/pack.h"
#include "r1_pretrain.h"
#include "r1_train.h"
#include "support/r1_test.h"
#include "train/curriculum.h"
#include "train/pretext.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- InfoNCE --------------------------------------------------------------------------------- */

enum { N = 7 };

/* As the formula is written. */
static double pretrain_twin(const float *x, const uint64_t *a, const uint64_t *b, double scale,
                            bool both)
{
    double loss = 0;
    for (int i = 0; i < N; i++) {
        double row = 0, column = 0;
        for (int k = 0; k < N; k++) {
            if (k != i && (a[i] == a[k] || b[i] == b[k])) continue;
            row += exp(scale * (double)x[i * N + k]);
            column += exp(scale * (double)x[k * N + i]);
        }
        double own = exp(scale * (double)x[i * N + i]);
        loss -= both ? (log(own / row) + log(own / column)) / 2 : log(own / row);
    }
    return loss / N;
}

static void random_pair(r1_rng *r, float *x, uint64_t *a, uint64_t *b)
{
    for (int i = 0; i < N * N; i++) x[i] = (float)(2 * r1_rng_unit(r) - 1);
    for (int i = 0; i < N; i++) a[i] = r1_rng_below(r, 5), b[i] = r1_rng_below(r, 20);
}

static void test_infonce(void)
{
    r1_rng r;
    float x[N * N], grad[N * N];
    uint64_t a[N], b[N];
    double room[N * (N + 2)];
    r1_rng_seed(&r, r1_test_seed());
    for (int round = 0; round < 200; round++) {
        bool both = round & 1;
        double scale = 1 + 20 * r1_rng_unit(&r), slope = 0, h = 1e-3;
        random_pair(&r, x, a, b);
        double loss = r1_infonce(x, N, a, b, scale, both, 0.7, grad, &slope, room);
        CU_ASSERT_DOUBLE_EQUAL(loss, pretrain_twin(x, a, b, scale, both), 1e-9);
        CU_ASSERT_DOUBLE_EQUAL(loss, r1_infonce(x, N, a, b, scale, both, 1, NULL, NULL, room),
                               1e-12);
        double up = pretrain_twin(x, a, b, scale * exp(h), both),
               down = pretrain_twin(x, a, b, scale * exp(-h), both);
        CU_ASSERT_DOUBLE_EQUAL(slope, 0.7 * (up - down) / (2 * h), 1e-4 * (1 + fabs(slope)));
        for (int i = 0; i < N * N; i++) {
            float keep = x[i];
            x[i] = keep + 1e-3f;
            double high = x[i], above = pretrain_twin(x, a, b, scale, both);
            x[i] = keep - 1e-3f;
            double low = x[i], below = pretrain_twin(x, a, b, scale, both);
            x[i] = keep;
            CU_ASSERT_DOUBLE_EQUAL((double)grad[i], 0.7 * (above - below) / (high - low),
                                   2e-3 * (1 + scale));
        }
    }
}

/* At the coldest temperature nothing overflows or vanishes, even where one's own is the
 * opposite. */
static void test_infonce_cold(void)
{
    float x[N * N], grad[N * N];
    uint64_t a[N], b[N];
    double room[N * (N + 2)], slope = 0;
    for (int i = 0; i < N; i++) a[i] = b[i] = (uint64_t)i;
    for (int i = 0; i < N * N; i++) x[i] = i / N == i % N ? -1 : 1;
    CU_ASSERT_DOUBLE_EQUAL(r1_infonce(x, N, a, b, 100, true, 1, grad, &slope, room),
                           200 + log(N - 1), 1e-6);
    for (int i = 0; i < N * N; i++) CU_ASSERT(isfinite(grad[i]));
    for (int i = 0; i < N * N; i++) x[i] = -1;
    CU_ASSERT_DOUBLE_EQUAL(r1_infonce(x, N, a, b, 100, true, 1, grad, &slope, room), log(N), 1e-6);
}

/* By sorting candidates instead of one pass. */
static void test_pretrain_search(void)
{
    r1_rng r;
    float x[N * N];
    uint64_t a[N], b[N];
    r1_rng_seed(&r, r1_test_seed());
    for (int round = 0; round < 200; round++) {
        r1_searches s = {0};
        uint64_t found = 0;
        double chance = 0;
        random_pair(&r, x, a, b);
        for (int i = 0; i < N * N; i++) x[i] = roundf(4 * x[i]) / 4; /* ties */
        for (int i = 0; i < 2 * N; i++) {
            int at = i % N, rank = 0, candidates = 1;
            for (int k = 0; k < N; k++) {
                if (k == at || a[k] == a[at] || b[k] == b[at]) continue;
                rank += (i < N ? x[at * N + k] : x[k * N + at]) >= x[at * N + at];
                candidates++;
            }
            found += rank == 0;
            chance += 1.0 / candidates;
        }
        r1_search(x, N, a, b, &s);
        CU_ASSERT_EQUAL(s.found, found);
        CU_ASSERT_EQUAL(s.n, 2 * N);
        CU_ASSERT_DOUBLE_EQUAL(s.chance, chance, 1e-9);
    }
}

/* ---- a batch of the toy through the pretraining plan ----------------------------------------- */

enum { BATCH = 12 };

typedef struct {
    toy toy;
    r1_model *m;
    r1_exec *e;
    r1_pack *pack;
    r1_data_parallel parallel; /* one slice: e and pack */
    r1_pretext pretext;
    r1_sample sample[BATCH];
} bench;

static r1_event pretrain_toy_event(void *ctx, uint64_t i) { return ((const toy *)ctx)->event[i]; }

static void bench_open(bench *b, const r1_backend *be)
{
    r1_err err;
    r1_net wide;
    uint32_t cap[R1_SYMBOLS_MAX];
    toy_make_alone(&b->toy, BATCH, r1_test_seed());
    R1_ASSERT_OK(r1_model_new(&b->m, toy_description, 5, &err), &err);
    R1_ASSERT_OK(r1_net_build(&wide, b->m->desc, R1_NET_PRETRAIN, &err), &err);
    free(b->m->weights);
    b->m->weights = r1_calloc_aligned(wide.plan.weight_bytes + 64, 1);
    CU_ASSERT_FATAL(b->m->weights != NULL);
    r1_net_init(&wide, b->m->desc, b->m->weights, 5);
    r1_net_free(&b->m->net);
    b->m->net = wide;
    for (uint32_t i = 0; i < TOY_ITEMS; i++)
        for (size_t k = 0; b->m->net.item[i].bins >= 0 && k < 3 * 7;
             k++) /* edges that numbers really cross */
            r1_model_weight(b->m, b->m->net.item[i].bins)[k] = -2 + 4 * (float)(k % 7) / 6;
    r1_pack_capacity(b->m, BATCH, cap);
    R1_ASSERT_OK(r1_exec_new(&b->e, b->m, be, cap, true, &err), &err);
    R1_ASSERT_OK(r1_pack_new(&b->pack, b->e, 0, &err), &err);
    b->parallel = (r1_data_parallel){
        .n_slice = 1, .cap = BATCH, .slice = {{b->e, b->pack, 0, BATCH}}, .grad = {b->e->wgrad}};
    R1_ASSERT_OK(r1_pretext_new(&b->pretext, &b->parallel, BATCH, &err), &err);
    for (size_t i = 0; i < BATCH; i++) b->sample[i] = b->toy.sample[i].sample;
}

static void bench_close(bench *b)
{
    r1_pretext_free(&b->pretext);
    r1_pack_free(b->pack);
    r1_exec_free(b->e);
    r1_model_free(b->m);
    toy_free(&b->toy);
}

static void bench_pack(bench *b)
{
    r1_err err;
    r1_pack_source src = {.sample = b->sample,
                          .n_sample = BATCH,
                          .event = pretrain_toy_event,
                          .event_ctx = &b->toy,
                          .n_event = b->toy.n_event};
    R1_ASSERT_OK(r1_pack_fill(b->pack, &src, &err), &err);
}

static double bench_loss(bench *b, const double *weight, bool learn)
{
    r1_err err;
    r1_pretext_loss l;
    double sum = 0;
    bench_pack(b);
    r1_pretext_hide(&b->pretext, b->sample, BATCH, 0.4, 99);
    R1_ASSERT_OK(r1_exec_forward_all(b->e, &err), &err);
    if (learn) r1_exec_zero_grad(b->e);
    R1_ASSERT_OK(r1_pretext_judge(&b->pretext, BATCH, weight, learn, &l, &err), &err);
    if (learn) R1_ASSERT_OK(r1_exec_backward(b->e, &err), &err);
    for (int k = 0; k < R1_PRETEXT_PARTS; k++) sum += weight[k] > 0 ? weight[k] * l.part[k] : 0;
    return sum;
}

/* Along each weight tensor's own gradient the loss must rise by its length: heads, temperatures,
 * encoders and trunk, each part alone and together. */
static void test_gradient(void)
{
    static const double parts[][R1_PRETEXT_PARTS] = {
        {1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {0.5, 2, 1, 0.7}};
    bench b;
    bench_open(&b, r1_backend_reference());
    size_t bytes = b.m->net.plan.weight_bytes, tested = 0, heads = 0;
    float *keep = malloc(bytes);
    CU_ASSERT_FATAL(keep != NULL);
    memcpy(keep, b.m->weights, bytes);
    for (size_t k = 0; k < R1_COUNT(parts); k++) {
        memset(b.e->wgrad, 0, bytes);
        bench_loss(&b, parts[k], true);
        for (uint32_t i = 0; i < b.m->net.plan.n_tensor; i++) {
            const r1_tensor *t = &b.m->net.plan.tensor[i];
            size_t at = t->offset / sizeof(float), n = (size_t)t->mul * t->cols;
            double length = 0, slope = 0;
            if (t->space != R1_SPACE_WEIGHT || t->frozen) continue;
            for (size_t w = 0; w < n; w++)
                length += (double)b.e->wgrad[at + w] * (double)b.e->wgrad[at + w];
            length = sqrt(length);
            if (length < 2e-3) continue;
            /* Until the curvature is small beside the slope, and no kink lies within the step. */
            for (double h = 0.02; h > 5e-5; h /= 2) {
                double side[2];
                for (int s = 0; s < 2; s++) {
                    for (size_t w = 0; w < n; w++)
                        b.m->weights[at + w] +=
                            (float)((s ? -h : h) * (double)b.e->wgrad[at + w] / length);
                    side[s] = bench_loss(&b, parts[k], false);
                    memcpy(b.m->weights, keep, bytes);
                }
                slope = (side[0] - side[1]) / (2 * h);
                if (fabs(slope - length) < 0.02 * length) break;
            }
            if (fabs(slope - length) > 0.02 * length + 1e-4)
                printf("parts %zu, %s: slope %g, gradient %g\n", k, t->name, slope, length);
            CU_ASSERT(fabs(slope - length) <= 0.02 * length + 1e-4);
            tested++;
            heads += strncmp(t->name, "pretrain.", 9) == 0;
        }
    }
    printf("%zu tensors, %zu of them of heads ", tested, heads);
    CU_ASSERT(tested > 60 && heads >= 12);
    free(keep);
    bench_close(&b);
}

/* What is hidden reads as missing, what is right is what stood there, the rest stays as it was;
 * about the share asked for. */
static void test_hide(void)
{
    bench b;
    bench_open(&b, r1_backend_cpu());
    const r1_item_io *row = &b.m->net.item[0], *text = &b.m->net.item[3];
    bench_pack(&b);
    size_t n_token = b.e->sym[text->sym_b];
    float *num = r1_exec_ptr(b.e, row->num), num_was[3 * BATCH];
    int32_t *cat = r1_exec_ptr(b.e, row->cat), cat_was[BATCH],
            *token = r1_exec_ptr(b.e, text->token);
    int32_t *token_was = calloc(2 * n_token, sizeof *token_was);
    CU_ASSERT_FATAL(token_was != NULL);
    memcpy(num_was, num, sizeof num_was);
    memcpy(cat_was, cat, sizeof cat_was);
    memcpy(token_was, token, 2 * n_token * sizeof *token);
    r1_pretext_hide(&b.pretext, b.sample, BATCH, 0.5, r1_test_seed());
    size_t hidden = 0, present = 0;
    for (size_t i = 0; i < 3 * BATCH; i++) {
        bool was = isfinite(num_was[i]), is = isfinite(num[i]);
        present += was;
        hidden += was && !is;
        CU_ASSERT(is ? num[i] == num_was[i] : true);
    }
    for (size_t i = 0; i < BATCH; i++) {
        present += cat_was[i] >= 0;
        hidden += cat_was[i] >= 0 && cat[i] < 0;
        CU_ASSERT(cat[i] < 0 || cat[i] == cat_was[i]);
    }
    CU_ASSERT_EQUAL(hidden, b.pretext.asked[0].n[0]);
    CU_ASSERT(hidden > present / 4 && hidden < 3 * present / 4);
    for (size_t k = 0; k < b.pretext.asked[0].n[0]; k++) {
        const r1_cell *c = &b.pretext.asked[0].cell[0][k];
        if (c->first ==
            18) { /* three columns of six bins, then the category's three values and "other" */
            CU_ASSERT_EQUAL(c->n, 4);
            CU_ASSERT_EQUAL((int)c->target, cat_was[c->row]);
        } else {
            const float *edge = r1_model_weight(b.m, row->bins) + c->first / 6 * 7;
            float x = num_was[c->row * 3 + c->first / 6];
            CU_ASSERT(c->target == 0 || x >= edge[c->target]);
            CU_ASSERT(c->target == 5 || x < edge[c->target + 1]);
        }
    }
    const int32_t *pick = r1_exec_ptr(b.e, text->pick), *off = r1_exec_ptr(b.e, text->tok_off);
    for (size_t i = 0; i < n_token; i++) {
        size_t k = 0;
        while (k < b.pretext.asked[0].n[3] && pick[k] != (int32_t)i) k++;
        bool picked = k < b.pretext.asked[0].n[3];
        CU_ASSERT(picked || token[2 * i] == token_was[2 * i]);
        CU_ASSERT(!picked || (int)b.pretext.asked[0].cell[3][k].target == token_was[2 * i]);
        CU_ASSERT_EQUAL(token[2 * i + 1], token_was[2 * i + 1]);
    }
    for (uint32_t t = 0; t < b.e->sym[text->sym_a]; t++) {
        long length = off[t + 1] - off[t], n = 0;
        for (size_t k = 0; k < b.pretext.asked[0].n[3]; k++)
            n += pick[k] >= off[t] && pick[k] < off[t + 1];
        CU_ASSERT_EQUAL(n, length < 2 ? 0 : lround(0.5 * (double)length));
    }
    r1_pretext_hide(&b.pretext, b.sample, BATCH, 0, 1);
    CU_ASSERT_EQUAL(b.pretext.asked[0].n[0] + b.pretext.asked[0].n[3], 0);
    free(token_was);
    bench_close(&b);
}

/* ---- worlds ---------------------------------------------------------------------------------- */

static const char twins_description[] =
    "{\"name\":\"twins\",\"d_align\":32,\"d_model\":32,\"n_layer\":1,\"n_head\":4,\"n_head_cross\":"
    "4,\"d_ff\":48,"
    "\"items\":[{\"name\":\"words\",\"kind\":\"text\",\"n_vocab\":288,\"n_token_max\":16,"
    "\"hidden\":24,\"n_layer\":1,"
    "\"n_head\":2},"
    "{\"name\":\"row\",\"kind\":\"table\",\"num\":[\"x\",\"y\",\"same\",\"never\"],\"cat\":[{"
    "\"name\":\"c\",\"n\":4}],"
    "\"n_bin\":4,\"d_cat\":4,\"hidden\":24}],"
    "\"heads\":[{\"name\":\"h\",\"kind\":\"binary\"}]}";

typedef enum { WHOLE, ROW_ALONE, NOTHING } world;

/* A word of 64, and the columns that say which: x its two high bits, y its two middle bits, c
 * its low ones. */
static void write_twins(const char *path, world w, size_t n, uint64_t seed, float label)
{
    r1_err err;
    r1_rng r;
    r1_shard_writer *out;
    r1_rng_seed(&r, seed);
    R1_ASSERT_OK(r1_shard_create(&out, path, twins_description, &err), &err);
    for (size_t i = 0; i < n; i++) {
        unsigned code = (unsigned)r1_rng_below(&r, 64);
        char text[48];
        float num[] = {(float)(code >> 4), (float)(code >> 2 & 3), 7, NAN};
        int32_t cat = (int32_t)(code & 3);
        snprintf(text, sizeof text, "say %c%c%c again", 'a' + (int)(code >> 4),
                 'k' + (int)(code >> 2 & 3), 'u' + (int)(code & 3));
        if (w == NOTHING) num[0] = num[1] = NAN, cat = -1;
        r1_item item[] = {
            {.present = w != ROW_ALONE, .text = text, .text_bytes = (uint32_t)strlen(text)},
            {.present = true, .num = num, .cat = &cat}};
        if (w == NOTHING) item[0].text_bytes = 0;
        r1_sample s = {.item = item, .id = i, .label = &label, .weight = 1};
        R1_ASSERT_OK(r1_shard_add(out, &s, &err), &err);
    }
    R1_ASSERT_OK(r1_shard_finish(out, &err), &err);
}

static r1_pretrain_opts pretrain_options(const char *const *train, const char *const *valid)
{
    return (r1_pretrain_opts){
        .run = {.train = train, .n_train = 1, .valid = valid, .n_valid = valid ? 1 : 0, .seed = 3}};
}

/* Words and rows find each other, masked columns are read off the word, and the file is a model
 * that finetuning starts from. */
static void test_twins(void)
{
    r1_err err;
    r1_pretrain_report rep;
    const char *train[] = {r1_test_in_tmp("twins.r1s")},
               *valid[] = {r1_test_in_tmp("twins_valid.r1s")};
#ifdef __SANITIZE_THREAD__
    printf("skipped: this takes minutes here, and threads are what test_slices is for ");
    return;
#endif
    write_twins(train[0], WHOLE, 3000, 1, NAN);
    write_twins(valid[0], WHOLE, 512, 2, NAN);
    r1_pretrain_opts o = pretrain_options(train, valid);
    o.run.out = r1_test_in_tmp("twins.gguf");
    o.n_batch = 64;
    o.n_epoch = 20;
    o.mask = 0.3;
    o.run.lr = 4e-3;
    o.curriculum = "mask:linear:0.3:0.5";
    o.run.metrics = r1_test_in_tmp("twins.jsonl");
    R1_ASSERT_OK(r1_pretrain(&o, &rep, &err), &err);
    CU_ASSERT_EQUAL_FATAL(rep.n_pair, 1);
    printf("recall@1 %.3f -> %.3f (chance %.3f), columns %.3f tokens %.3f ", rep.pair[0].before,
           rep.pair[0].after, rep.pair[0].chance, rep.part[1], rep.part[0]);
    CU_ASSERT(rep.pair[0].before < 0.1);
    CU_ASSERT(rep.pair[0].after > 0.9);
    CU_ASSERT(rep.pair[0].chance < 0.01);
    CU_ASSERT(rep.part[1] < 0.7 * log(4)); /* four values each, a third of the word hidden */
    r1_model *m;
    R1_ASSERT_OK(r1_model_open(&m, o.run.out, &err),
                 &err); /* refuses tensors that the description does not have */
    r1_model_free(m);
    write_twins(train[0], WHOLE, 300, 4, 1);
    r1_train_opts f = {.run = {.train = train, .n_train = 1, .out = r1_test_in_tmp("tuned.gguf")},
                       .init = o.run.out,
                       .n_epoch = 1};
    R1_ASSERT_OK(r1_train(&f, NULL, &err), &err);
}

/* All four kinds of item; epochs and validations crossed; 14 steps = 8 and a new process' 6.
 * Another seed does not go on. */
static void test_pretrain_resume(void)
{
    r1_err err;
    toy t;
    r1_pretrainer *p;
    const char *train[] = {r1_test_in_tmp("toy.r1s")}, *valid[] = {r1_test_in_tmp("toy_valid.r1s")};
    char whole[300], half[300], rest[300];
    snprintf(whole, sizeof whole, "%s", r1_test_in_tmp("whole.ck"));
    snprintf(half, sizeof half, "%s", r1_test_in_tmp("half.ck"));
    snprintf(rest, sizeof rest, "%s", r1_test_in_tmp("rest.ck"));
    toy_make(&t, 300, 7);
    R1_ASSERT_OK(toy_write(&t, train[0], &err), &err);
    R1_ASSERT_OK(toy_write(&t, valid[0], &err), &err);
    toy_free(&t);
    r1_pretrain_opts o = pretrain_options(train, valid);
    o.n_batch = 64;
    o.curriculum = "bytes:root:0.3:0.5";
    run_pretrain(o, 14, whole, NULL);
    run_pretrain(o, 8, half, NULL);
    run_pretrain(o, 14, rest, half);
    CU_ASSERT(r1_test_same_files(whole, rest));
    CU_ASSERT(!r1_test_same_files(whole, half));
    o.run.checkpoint = whole;
    o.run.seed = 4;
    CU_ASSERT_EQUAL(r1_pretrainer_new(&p, &o, &err), R1_E_INVAL);
}

/* Labels of 0, of 1 and of none give the same bytes. */
static void test_labels(void)
{
    const float label[] = {0, 1, NAN};
    char checkpoint[3][300];
    for (int i = 0; i < 3; i++) {
        const char *train[] = {r1_test_in_tmp("label.r1s")};
        write_twins(train[0], WHOLE, 200, 5, label[i]);
        snprintf(checkpoint[i], sizeof checkpoint[i], "%s/label%d.ck", r1_test_tmpdir(), i);
        r1_pretrain_opts o = pretrain_options(train, NULL);
        o.n_batch = 50;
        run_pretrain(o, 6, checkpoint[i], NULL);
    }
    CU_ASSERT(r1_test_same_files(checkpoint[0], checkpoint[1]));
    CU_ASSERT(r1_test_same_files(checkpoint[0], checkpoint[2]));
}

static void pretrain_expect(const r1_pretrain_opts *o, r1_status code, const char *says)
{
    r1_err err = {0};
    CU_ASSERT_EQUAL(r1_pretrain(o, NULL, &err), code);
    if (code != R1_OK && !strstr(err.msg, says)) printf("\"%s\" lacks \"%s\"\n", err.msg, says);
    CU_ASSERT(code == R1_OK || strstr(err.msg, says) != NULL);
}

static void test_pretrain_bad_input(void)
{
    r1_err err;
    r1_pretrain_report rep;
    const char *train[] = {r1_test_in_tmp("bad.r1s")};
    r1_pretrain_opts o = pretrain_options(train, train);
    o.n_epoch = 1;
    o.n_batch = 32;
    /* one modality alone: its columns are learned, and no search is made */
    write_twins(train[0], ROW_ALONE, 100, 1, NAN);
    R1_ASSERT_OK(r1_pretrain(&o, &rep, &err), &err);
    CU_ASSERT_EQUAL_FATAL(rep.n_pair, 1);
    CU_ASSERT(rep.pair[0].n == 0 && isnan(rep.pair[0].after));
    CU_ASSERT(isfinite(rep.part[1]) && isnan(rep.part[0]));
    /* text empty, columns missing or the same everywhere: nothing to learn is said, not trained */
    write_twins(train[0], NOTHING, 100, 1, NAN);
    pretrain_expect(&o, R1_E_INVAL, "nothing to ask");
    write_twins(train[0], WHOLE, 100, 1, NAN);
    pretrain_expect(&o, R1_OK, NULL);
    o.mask = 0.95;
    pretrain_expect(&o, R1_E_INVAL, "masked");
    o.mask = 0;
    o.n_batch = 1;
    pretrain_expect(&o, R1_E_INVAL, "batches");
    o.n_batch = 32;
    o.curriculum = "mask:linear:2:0.5";
    pretrain_expect(&o, R1_E_INVAL, "start");
    o.curriculum = NULL;
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++) o.weight[k] = -1;
    pretrain_expect(&o, R1_E_INVAL, "none fits");
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++) o.weight[k] = 0;
    o.run.description = toy_description;
    pretrain_expect(&o, R1_E_INVAL, "other items");
    r1_train_opts f = {.run = {.train = train, .n_train = 1}, .curriculum = "mask:linear:0.5:0.5"};
    CU_ASSERT_EQUAL(r1_train(&f, NULL, &err),
                    R1_E_INVAL); /* where nothing is masked, mask is no difficulty */
}

/* The share that is masked grows as declared, and every unit is in play. */
static void test_mask_curriculum(void)
{
    r1_err err;
    r1_desc *d;
    r1_data data = {.n_unit = 10};
    r1_curriculum c;
    R1_ASSERT_OK(r1_desc_parse(&d, twins_description, strlen(twins_description), &err), &err);
    R1_ASSERT_OK(r1_curriculum_new(&c, "mask:linear:0.2:0.5", true, d, &data, &err), &err);
    CU_ASSERT_DOUBLE_EQUAL(r1_curriculum_share(&c, 0), 0.2, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(r1_curriculum_share(&c, 0.25), 0.6, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(r1_curriculum_share(&c, 0.5), 1, 1e-12);
    CU_ASSERT_EQUAL(r1_curriculum_pool(&c, 0), 10);
    r1_curriculum_free(&c);
    r1_desc_free(d);
}

R1_TEST_MAIN("pretrain", {"infonce", test_infonce}, {"coldest temperature", test_infonce_cold},
             {"search", test_pretrain_search}, {"gradient", test_gradient},
             {"what is hidden", test_hide}, {"curriculum by mask", test_mask_curriculum},
             {"resume", test_pretrain_resume}, {"labels", test_labels},
             {"bad input", test_pretrain_bad_input}, {"twins", test_twins})
