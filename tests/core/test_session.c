/* SPDX-License-Identifier: Apache-2.0 */
/* test_session.c - scoring: the same bits whatever the batch, the session or the source of
 * memory; the trace adds up exactly; no allocation once it runs; bad samples are refused with a
 * message; working memory by its rules; one model under many threads; backends of the caller's
 * own. */
#include "core/alloc_count.h"
#include "core/toy.h"
#include "infer/pack.h"
#include "infer/session.h"
#include "memory/pool.h"
#include "r1_backend.h"
#include "r1_train.h"
#include "support/r1_test.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 150 };
static toy data;
static r1_model *model;

static void session_setup(void)
{
    r1_err err;
    if (model) return;
    toy_make(&data, N, 11);
    R1_ASSERT_OK(r1_model_new(&model, toy_description, 5, &err), &err);
}

static r1_session *open_session(uint32_t n_max, const char *backend)
{
    r1_err err;
    r1_session *s;
    r1_session_opts o = {.n_sample_max = n_max, .backend = backend};
    R1_ASSERT_OK(r1_session_new(&s, model, &o, &err), &err);
    return s;
}

static r1_event event_of_toy(void *ctx, uint64_t index) { return ((const r1_event *)ctx)[index]; }

static void copy_samples(r1_sample *to)
{
    for (size_t i = 0; i < N; i++) to[i] = data.sample[i].sample;
}

static void test_session_run(r1_session *s, const r1_batch *b, r1_result *res)
{
    r1_err err;
    R1_ASSERT_OK(r1_session_run(s, b, res, &err), &err);
}

/* All at once, one by one, in odd pieces, in another order, with a cold and a warm text cache:
 * the same bits. */
static void test_same_answer(void)
{
    session_setup();
    r1_sample all[N], mixed[N];
    copy_samples(all);
    r1_session *big = open_session(256, NULL), *small = open_session(7, NULL);
    r1_result res, one;
    r1_batch b = {.sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event};
    float expected[N][2];
    test_session_run(big, &b, &res);
    memcpy(expected, res.logit, sizeof expected);
    test_session_run(big, &b, &res);
    CU_ASSERT_EQUAL(memcmp(res.logit, expected, sizeof expected), 0);
    test_session_run(small, &b, &res);
    CU_ASSERT_EQUAL(memcmp(res.logit, expected, sizeof expected), 0);
    for (size_t i = 0; i < N; i++) {
        b.sample = &all[i];
        b.n_sample = 1;
        test_session_run(small, &b, &one);
        CU_ASSERT_EQUAL(memcmp(one.logit, expected[i], sizeof expected[i]), 0);
        mixed[i] = all[(i * 7 + 3) % N];
    }
    b.sample = mixed;
    b.n_sample = N - 1;
    test_session_run(big, &b, &res);
    for (size_t i = 0; i < N - 1; i++)
        CU_ASSERT_EQUAL(memcmp(res.logit + 2 * i, expected[(i * 7 + 3) % N], sizeof expected[0]),
                        0);
    r1_session_free(big);
    r1_session_free(small);
}

static r1_session *open_int8(uint32_t n_max)
{
    r1_err err;
    r1_session *s;
    r1_session_opts o = {.n_sample_max = n_max, .precision = R1_PRECISION_INT8};
    R1_ASSERT_OK(r1_session_new(&s, model, &o, &err), &err);
    return s;
}

/* A model without learned steps; one with them: tests/medical/check_train.py. */
static void test_auto(r1_session *f32, const r1_batch *b)
{
    r1_err err;
    r1_session *s;
    r1_session_opts o = {.n_sample_max = 256, .precision = R1_PRECISION_AUTO};
    r1_result mine, other;
    R1_ASSERT_OK(r1_session_new(&s, model, &o, &err), &err);
    test_session_run(s, b, &mine);
    test_session_run(f32, b, &other);
    CU_ASSERT_EQUAL(r1_session_precision(s), R1_PRECISION_F32);
    CU_ASSERT_EQUAL(memcmp(mine.logit, other.logit, N * 2 * sizeof *mine.logit), 0);
    r1_session_free(s);
}

/* In 8-bit integers: near f32 but not f32, the same bits in any batch, the trace still adds up;
 * other backends refuse. */
static void test_session_int8(void)
{
    session_setup();
    r1_err err;
    r1_sample all[N];
    copy_samples(all);
    r1_session *f32 = open_session(256, NULL), *big = open_int8(256), *small = open_int8(7),
               *none = NULL;
    r1_result res, one;
    r1_batch b = {.sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event};
    float expected[N][2], sum_diff = 0, spread = 0;
    test_session_run(big, &b, &res);
    memcpy(expected, res.logit, sizeof expected);
    for (size_t i = 0; i < N; i++) {
        double sum = 0;
        for (size_t t = 0; t <= res.n_step; t++) sum += res.trace[(i * (res.n_step + 1) + t) * 2];
        CU_ASSERT_EQUAL((float)sum, expected[i][0]);
    }
    test_session_run(f32, &b, &res);
    int same = 0;
    for (size_t i = 0; i < N; i++) {
        float diff = fabsf(res.logit[2 * i] - expected[i][0]);
        CU_ASSERT_TRUE(diff < 0.1f);
        same += diff == 0;
        sum_diff += diff;
        spread += fabsf(res.logit[2 * i] - res.logit[0]);
    }
    CU_ASSERT_TRUE(same < N / 2);
    CU_ASSERT_TRUE(sum_diff < 0.05f * spread);
    test_session_run(small, &b, &res);
    CU_ASSERT_EQUAL(memcmp(res.logit, expected, sizeof expected), 0);
    test_auto(f32, &b);
    for (size_t i = 0; i < N; i++) {
        b.sample = &all[i];
        b.n_sample = 1;
        test_session_run(big, &b, &one);
        CU_ASSERT_EQUAL(memcmp(one.logit, expected[i], sizeof expected[i]), 0);
    }
    r1_session_opts o = {.backend = "reference", .precision = R1_PRECISION_INT8};
    CU_ASSERT_EQUAL(r1_session_new(&none, model, &o, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "reference has no int8"));
    o = (r1_session_opts){.precision = (r1_precision)7};
    CU_ASSERT_EQUAL(r1_session_new(&none, model, &o, &err), R1_E_INVAL);
    r1_session_free(f32);
    r1_session_free(big);
    r1_session_free(small);
}

/* A saved and opened model scores the same bits; the reference backend agrees closely. */
static void test_file_and_reference(void)
{
    session_setup();
    r1_err err;
    char path[300];
    r1_sample all[N];
    copy_samples(all);
    r1_batch b = {.sample = all, .n_sample = 40, .event = data.event, .n_event = data.n_event};
    r1_result res, ref;
    r1_session *s = open_session(64, "cpu");
    test_session_run(s, &b, &res);
    r1_model *first = model;
    snprintf(path, sizeof path, "%s/m.gguf", r1_test_tmpdir());
    R1_ASSERT_OK(r1_model_save(model, path, &err), &err);
    R1_ASSERT_OK(r1_model_open(&model, path, &err), &err);
    r1_session *again = open_session(64, "cpu"), *slow = open_session(64, "reference");
    test_session_run(again, &b, &ref);
    CU_ASSERT_EQUAL(memcmp(res.logit, ref.logit, 40 * 2 * sizeof(float)), 0);
    test_session_run(slow, &b, &ref);
    for (size_t i = 0; i < 80; i++) CU_ASSERT_DOUBLE_EQUAL(res.logit[i], ref.logit[i], 2e-4);
    r1_session_free(s);
    r1_session_free(again);
    r1_session_free(slow);
    r1_model_free(model);
    model = first;
}

/* The parts add up to the verdict exactly; stopping after k items gives the verdict of the first
 * k. */
static void test_trace(void)
{
    session_setup();
    r1_sample all[N];
    copy_samples(all);
    r1_session *s = open_session(64, NULL);
    r1_result res;
    float stopped[N][2];
    r1_batch b = {
        .sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event, .n_step = 2};
    test_session_run(s, &b, &res);
    CU_ASSERT_EQUAL(res.n_step, 2);
    memcpy(stopped, res.logit, sizeof stopped);
    b.n_step = 0;
    test_session_run(s, &b, &res);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < 2; k++) {
            double sum = 0, part = 0;
            for (size_t p = 0; p <= res.n_step; p++) {
                sum += res.trace[(i * (res.n_step + 1) + p) * 2 + k];
                if (p == 2) part = sum;
            }
            CU_ASSERT_EQUAL((float)sum, res.logit[2 * i + k]);
            CU_ASSERT_EQUAL((float)part, stopped[i][k]);
        }
    r1_session_free(s);
}

static void test_flags(void)
{
    session_setup();
    r1_sample all[N];
    copy_samples(all);
    r1_session *s = open_session(64, NULL);
    r1_result res;
    float base[N][2];
    r1_batch b = {.sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event};
    test_session_run(s, &b, &res);
    memcpy(base, res.logit, sizeof base);
    for (uint32_t flag = R1_RUN_NO_LENGTH; flag <= R1_RUN_NO_CONTEXT; flag <<= 1) {
        b.flags = flag;
        test_session_run(s, &b, &res);
        CU_ASSERT_NOT_EQUAL(memcmp(res.logit, base, sizeof base), 0);
    }
    b.flags = 0;
    for (uint32_t i = 0; i < TOY_ITEMS; i++) {
        b.items_off = 1u << i;
        test_session_run(s, &b, &res);
        CU_ASSERT_NOT_EQUAL(memcmp(res.logit, base, sizeof base), 0);
    }
    r1_session_free(s);
}

static void test_session_no_allocation(void)
{
#ifdef COUNTING
    session_setup();
    r1_sample all[N];
    copy_samples(all);
    for (int int8 = 0; int8 < 2; int8++) {
        r1_session *s = int8 ? open_int8(32) : open_session(32, NULL);
        r1_result res;
        r1_batch b = {.sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event};
        test_session_run(s, &b, &res);
        unsigned long before = alloc_count();
        CU_ASSERT(before > 0);
        for (int round = 0; round < 5; round++) test_session_run(s, &b, &res);
        CU_ASSERT_EQUAL(alloc_count() - before, 0);
        r1_session_free(s);
    }
#endif
}

static void test_session_refusals(void)
{
    session_setup();
    r1_err err;
    r1_result res;
    r1_session *s = open_session(8, NULL);
    for (int k = 0; k < 7; k++) {
        toy_sample x = data.sample[1];
        uint64_t far = data.n_event;
        uint8_t bucket = 200;
        float heavy = INFINITY;
        int32_t node = 99;
        uint32_t one = 1;
        x.sample.item = x.item;
        x.item[1] = (r1_item){.present = true, .n_ref = one, .ref = &far};
        if (k != 0) far = 0;
        if (k == 1) x.item[1].bucket = &bucket;
        if (k == 2) x.item[1].log_weight = &heavy;
        if (k == 3) x.item[2].src = &node, x.item[2].n_edge = 1, x.item[2].present = true;
        if (k == 4) x.item[2].n_node = 1000, x.item[2].present = true;
        if (k == 5) x.item[0].num = NULL, x.item[0].present = true;
        if (k == 6) x.item[1].n_ref = 1000;
        r1_batch b = {
            .sample = &x.sample, .n_sample = 1, .event = data.event, .n_event = data.n_event};
        CU_ASSERT_EQUAL(r1_session_run(s, &b, &res, &err), R1_E_INVAL);
        CU_ASSERT(strlen(err.msg) > 10);
        CU_ASSERT_EQUAL(res.n_sample, 0);
    }
    r1_session_free(s);
}

/* The folded plan against the plain one as its twin, items absent here and there, CAWA's factors
 * on and off: equal but for rounding, and less work. Only the plain session keeps rows of the
 * common space: unit tests of what stands there. */
static void test_folded(void)
{
    session_setup();
    r1_err err;
    r1_session *folded = open_session(32, NULL), *plain;
    r1_session_opts o = {.n_sample_max = N, .aligned = true};
    R1_ASSERT_OK(r1_session_new(&plain, model, &o, &err), &err);
    static const uint32_t flags[] = {0, R1_RUN_NO_LENGTH, R1_RUN_NO_CONTEXT};
    r1_sample all[N];
    copy_samples(all);
    for (size_t k = 0; k < R1_COUNT(flags); k++) {
        r1_batch b = {.sample = all,
                      .n_sample = N,
                      .event = data.event,
                      .n_event = data.n_event,
                      .flags = flags[k]};
        r1_result x, y;
        float worst = 0, largest = 0;
        test_session_run(folded, &b, &x);
        test_session_run(plain, &b, &y);
        for (size_t i = 0; i < N * x.n_output; i++) {
            worst = fmaxf(worst, fabsf(x.logit[i] - y.logit[i]));
            largest = fmaxf(largest, fabsf(y.logit[i]));
        }
        if (!(worst < 1e-4f))
            fprintf(stderr, "folded and plain logits differ by %g\n", (double)worst);
        CU_ASSERT_TRUE(worst < 1e-4f); /* f32 sums of some hundred terms of size 1 */
        CU_ASSERT_TRUE(largest > 0.05f);
    }
    for (size_t i = 0; i < TOY_ITEMS; i++) {
        const float *row = r1_session_aligned(plain, 3, i);
        CU_ASSERT_EQUAL(row != NULL, data.sample[3].item[i].present);
        CU_ASSERT_PTR_NULL(r1_session_aligned(folded, 3, i));
    }
    r1_session_free(folded);
    r1_session_free(plain);
}

/* The trunk's key factor, described and carried by a file: the folded plan agrees with the plain
 * one; beta = 0 and the switch of the context factors both leave the
 * very scores that neither of them touches. */
static void test_key_factor(void)
{
    session_setup();
    r1_err err;
    static const char *const from = "\"name\"";
    size_t cap = strlen(toy_description) + 100;
    char path[300], *text = calloc(cap, 1);
    const char *at = strstr(toy_description, from);
    snprintf(text, cap, "%.*s\"cawa_rank\": 3, %s", (int)(at - toy_description), toy_description,
             at);
    r1_model *made, *m;
    snprintf(path, sizeof path, "%s/key_factor.gguf", r1_test_tmpdir());
    R1_ASSERT_OK(r1_model_new(&made, text, 4, &err), &err);
    R1_ASSERT_OK(r1_model_save(made, path, &err), &err);
    R1_ASSERT_OK(r1_model_open(&m, path, &err), &err);
    static float logit[4][N * 8];
    for (int k = 0; k < 4; k++) { /* plain, folded, beta 0, switched off */
        r1_session *s;
        r1_result res;
        R1_ASSERT_OK(r1_model_set_beta(m, k == 2 ? 0 : 0.9f, &err), &err);
        R1_ASSERT_OK(
            r1_session_new(&s, m, &(r1_session_opts){.n_sample_max = N, .aligned = k == 0}, &err),
            &err);
        r1_sample all[N];
        copy_samples(all);
        r1_batch b = {.sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event};
        b.flags = k == 3 ? R1_RUN_NO_CONTEXT : 0;
        test_session_run(s, &b, &res);
        CU_ASSERT_FATAL(res.n_output <= 8);
        memcpy(logit[k], res.logit, N * res.n_output * sizeof(float));
        for (size_t i = 0; k == 1 && i < N * res.n_output; i++)
            CU_ASSERT_TRUE(fabsf(logit[0][i] - logit[1][i]) < 1e-4f);
        r1_session_free(s);
    }
    CU_ASSERT_EQUAL(memcmp(logit[2], logit[3], sizeof logit[2]), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(logit[1], logit[2], sizeof logit[1]), 0);
    r1_model_free(made);
    r1_model_free(m);
    free(text);
}

/* ---- working memory -------------------------------------------------------------------------- */

static r1_memory *open_memory_in(r1_precision precision, uint32_t quota, size_t bytes,
                                 uint32_t n_entity)
{
    r1_err err;
    r1_memory *mem;
    r1_memory_opts o = {
        .bytes_max = bytes, .quota = quota, .n_entity_max = n_entity, .precision = precision};
    R1_ASSERT_OK(r1_memory_new(&mem, model, &o, &err), &err);
    return mem;
}

static r1_memory *open_memory(uint32_t quota, size_t bytes, uint32_t n_entity)
{
    return open_memory_in(R1_PRECISION_F32, quota, bytes, n_entity);
}

/* One sample of a stream: its ring as references, then its own entry. Keeps which event each
 * handle was made from. */
typedef struct {
    r1_sample sample;
    r1_item item[TOY_ITEMS];
    uint64_t ref[TOY_REFS], event[TOY_REFS];
} streamed;

static void stream_one(r1_memory *mem, uint64_t ticket, size_t i, streamed *x)
{
    r1_err err;
    uint64_t entity = i % 5;
    *x = (streamed){.sample = data.sample[i].sample};
    memcpy(x->item, data.sample[i].item, sizeof x->item);
    x->sample.item = x->item;
    uint32_t n = (uint32_t)r1_memory_ring(mem, entity, x->ref, x->event, TOY_REFS);
    x->item[1] = (r1_item){.present = n > 0, .n_ref = n, .ref = x->ref};
    R1_ASSERT_OK(r1_memory_append(mem, ticket, &entity, 1, i, &x->sample.event_handle, &err), &err);
}

/* All N through a pool in batches of `step`; step 22 stores the entries of a batch ahead of it. */
static void run_through(r1_memory *mem, r1_session *s, size_t step, streamed *x, r1_sample *batch,
                        r1_event *events, float by_pool[][2])
{
    r1_err err;
    r1_result res;
    for (size_t at = 0; at < N; at += step) {
        size_t n = N - at < step ? N - at : step;
        uint64_t ticket;
        R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
        for (size_t i = at; i < at + n; i++) {
            stream_one(mem, ticket, i, &x[i]);
            batch[i] = x[i].sample;
            events[i] = batch[i].event;
        }
        if (step == 22) {
            uint64_t handle[64];
            for (size_t i = at; i < at + n; i++) {
                handle[i - at] = batch[i].event_handle;
                batch[i].event_handle = 0;
            }
            R1_ASSERT_OK(r1_session_store(s, mem, ticket, events + at, handle, n, &err), &err);
        }
        r1_batch b = {.sample = batch + at, .n_sample = n, .pool = mem, .ticket = ticket};
        test_session_run(s, &b, &res);
        memcpy(by_pool[at], res.logit, n * sizeof by_pool[0]);
    }
}

/* Through the pool, in batches of any size, the scores are those of the same events given
 * inline; so they are when the entries of a batch are stored ahead of it. */
static void test_pool_equals_inline(void)
{
    session_setup();
    static streamed x[N];
    r1_sample batch[N];
    r1_event events[N];
    float by_pool[N][2];
    for (size_t step = 1; step <= 64; step += 21) {
        r1_memory *mem = open_memory(TOY_REFS, 1 << 20, 16);
        r1_session *s = open_session(16, NULL);
        r1_result res;
        run_through(mem, s, step, x, batch, events, by_pool);
        for (size_t i = 0; i < N; i++) {
            x[i].item[1].ref = x[i].event;
            batch[i].event_handle = 0;
        }
        r1_batch b = {.sample = batch, .n_sample = N, .event = events, .n_event = N};
        test_session_run(s, &b, &res);
        CU_ASSERT_EQUAL(memcmp(res.logit, by_pool, sizeof by_pool), 0);
        r1_session_free(s);
        r1_memory_free(mem);
    }
}

/* Entries in bytes change the scores, by little, and in batches of any size to the same bits. */
static void test_pool_of_bytes(void)
{
    session_setup();
    static streamed x[N];
    r1_sample batch[N];
    r1_event events[N];
    float f32[N][2], first[N][2], now[N][2], most = 0;
    for (size_t step = 1; step <= 64; step += 21) {
        r1_session *s = open_session(16, NULL);
        r1_memory *exact = open_memory(TOY_REFS, 1 << 20, 16);
        r1_memory *bytes = open_memory_in(R1_PRECISION_INT8, TOY_REFS, 1 << 20, 16);
        if (step == 1) run_through(exact, s, step, x, batch, events, f32);
        run_through(bytes, s, step, x, batch, events, step == 1 ? first : now);
        if (step > 1) CU_ASSERT_EQUAL(memcmp(first, now, sizeof now), 0);
        r1_memory_free(exact);
        r1_memory_free(bytes);
        r1_session_free(s);
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 2; k++) most = fmaxf(most, fabsf(first[i][k] - f32[i][k]));
    CU_ASSERT_TRUE(most > 0 && most < .05F);
}

static void test_rings(void)
{
    session_setup();
    r1_err err;
    r1_memory *mem = open_memory(8, 1 << 20, 4);
    uint64_t ticket, handle[20], got[20], meta[20], entity[2] = {1, 2};
    r1_memory_counts c;
    R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
    for (uint64_t i = 0; i < 8; i++)
        R1_ASSERT_OK(r1_memory_append(mem, ticket, entity, 2, i, &handle[i], &err), &err);
    R1_ASSERT_OK(r1_memory_pin(mem, 1, handle[0], 1, 0, &err), &err);
    R1_ASSERT_OK(r1_memory_pin(mem, 1, handle[3], 1, 0, &err), &err);
    CU_ASSERT_EQUAL(r1_memory_pin(mem, 1, handle[4], 1, 0, &err), R1_E_NOMEM); /* a quarter of 8 */
    CU_ASSERT_EQUAL(r1_memory_pin(mem, 7, handle[4], 1, 0, &err), R1_E_NOT_FOUND);
    for (uint64_t i = 8; i < 14; i++)
        R1_ASSERT_OK(r1_memory_append(mem, ticket, entity, 1, i, &handle[i], &err), &err);
    CU_ASSERT_EQUAL(r1_memory_ring(mem, 1, got, meta, 20), 8);
    const uint64_t expected[] = {0, 3, 8, 9, 10, 11, 12, 13};
    for (int k = 0; k < 8; k++) CU_ASSERT_EQUAL(meta[k], expected[k]);
    CU_ASSERT_EQUAL(r1_memory_ring(mem, 2, got, meta, 3), 3);
    CU_ASSERT_EQUAL(meta[2], 7);
    r1_memory_stats(mem, &c);
    CU_ASSERT_EQUAL(c.n_entry, 14);
    CU_ASSERT_EQUAL(c.n_entity, 2);
    r1_memory_forget(mem, 2);
    r1_memory_stats(mem, &c);
    CU_ASSERT_EQUAL(c.n_entry, 8);
    r1_memory_cancel(mem, ticket);
    CU_ASSERT_EQUAL(r1_memory_ring(mem, 1, got, meta, 20), 0);
    r1_memory_free(mem);
}

/* A full pool goes on for ever; a slot freed while a batch is open is not handed out before that
 * batch has ended. */
static void test_pool_pressure(void)
{
    session_setup();
    r1_err err;
    r1_memory *mem = open_memory(4, 60000, 20);
    uint64_t last[40], ticket = 0;
    for (int round = 0; round < 400; round++) {
        R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
        for (uint64_t i = 0; i < 8; i++) {
            uint64_t entity = (uint64_t)round * 8 + i, handle;
            R1_ASSERT_OK(r1_memory_append(mem, ticket, &entity, 1, 0, &handle, &err), &err);
            for (uint64_t k = 0; k < i; k++) CU_ASSERT((uint32_t)last[k] != (uint32_t)handle);
            last[i] = handle;
        }
        r1_memory_end(mem, ticket);
    }
    R1_ASSERT_OK(r1_memory_get(mem, last[7], NULL, NULL, &err), &err);
    r1_memory_free(mem);
}

/* Two workers, batches handed out in order, finished in any: the scores are those of one worker. */
typedef struct {
    r1_memory *mem;
    r1_session *s;
    r1_batch batch[N];
    size_t first, n_batch;
    float (*out)[2];
} worker;

static void *session_work(void *ctx)
{
    worker *w = ctx;
    for (size_t k = w->first; k < w->n_batch; k += 2) {
        r1_result res;
        r1_err err;
        if (r1_session_run(w->s, &w->batch[k], &res, &err) != R1_OK) return NULL;
        memcpy(w->out[k * 5], res.logit, w->batch[k].n_sample * 2 * sizeof(float));
    }
    return ctx;
}

static void test_workers(void)
{
    session_setup();
    static streamed x[N];
    static worker w[2];
    static r1_sample batch[N];
    static float out[2][N][2];
    r1_err err;
    for (int threads = 1; threads <= 2; threads++) {
        r1_memory *mem = open_memory(TOY_REFS, 1 << 20, 16);
        for (int k = 0; k < 2; k++)
            w[k] =
                (worker){.mem = mem, .first = (size_t)k, .n_batch = N / 5, .out = out[threads - 1]};
        for (size_t k = 0; k < N / 5; k++) {
            uint64_t ticket;
            R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
            for (size_t i = k * 5; i < k * 5 + 5; i++) {
                stream_one(mem, ticket, i, &x[i]);
                batch[i] = x[i].sample;
            }
            w[0].batch[k] =
                (r1_batch){.sample = batch + k * 5, .n_sample = 5, .pool = mem, .ticket = ticket};
            w[1].batch[k] = w[0].batch[k];
        }
        pthread_t other;
        w[0].s = open_session(8, NULL);
        w[1].s = open_session(8, NULL);
        if (threads == 2) {
            pthread_create(&other, NULL, session_work, &w[1]);
            CU_ASSERT_PTR_NOT_NULL(session_work(&w[0]));
            pthread_join(other, NULL);
        } else {
            for (size_t k = 0; k < N / 5; k++) {
                r1_result res;
                test_session_run(w[0].s, &w[0].batch[k], &res);
                memcpy(out[0][k * 5], res.logit, 5 * sizeof out[0][0]);
            }
        }
        r1_session_free(w[0].s);
        r1_session_free(w[1].s);
        r1_memory_free(mem);
    }
    CU_ASSERT_EQUAL(memcmp(out[0], out[1], sizeof out[0]), 0);
}

/* ---- one model, many threads ----------------------------------------------------------------- */

/* Each thread opens sessions of its own while others run, plain and folded in turn, and scores
 * all samples in pieces of its own size and from a place of its own: the bits are those that one
 * thread gave before. */
enum { N_THREAD = 6, N_ROUND = 3 };
typedef struct {
    size_t number, n_wrong, n_failed;
    float (*expected)[N][2]; /* [plain or aligned] */
} scorer;

static void *session_score_all(void *ctx)
{
    scorer *t = ctx;
    static const uint32_t piece[N_THREAD] = {1, 3, 16, 40, 64, 150};
    r1_sample all[N];
    copy_samples(all);
    for (size_t round = 0; round < N_ROUND; round++) {
        r1_session *s = NULL;
        r1_result res;
        size_t aligned = (t->number + round) % 2, n = piece[t->number], first = t->number * 20;
        r1_session_opts o = {
            .n_sample_max = piece[t->number], .n_text_cache = 16, .aligned = aligned};
        if (r1_session_new(&s, model, &o, NULL) != R1_OK) t->n_failed++;
        for (size_t done = 0; s && done < N;) {
            size_t at = (first + done) % N, now = n < N - at ? n : N - at;
            if (now > N - done) now = N - done;
            r1_batch b = {
                .sample = all + at, .n_sample = now, .event = data.event, .n_event = data.n_event};
            if (r1_session_run(s, &b, &res, NULL) != R1_OK)
                t->n_failed++;
            else
                t->n_wrong += memcmp(res.logit, t->expected[aligned][at],
                                     now * sizeof t->expected[0][0]) != 0;
            done += now;
        }
        r1_session_free(s);
    }
    return NULL;
}

static void test_session_threads(void)
{
    session_setup();
    static float expected[2][N][2];
    r1_sample all[N];
    r1_err err;
    copy_samples(all);
    for (size_t aligned = 0; aligned < 2; aligned++) {
        r1_session *s;
        r1_result res;
        r1_session_opts o = {.aligned = aligned};
        r1_batch b = {.sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event};
        R1_ASSERT_OK(r1_session_new(&s, model, &o, &err), &err);
        test_session_run(s, &b, &res);
        memcpy(expected[aligned], res.logit, sizeof expected[aligned]);
        r1_session_free(s);
    }
    scorer t[N_THREAD];
    pthread_t thread[N_THREAD];
    for (size_t i = 0; i < N_THREAD; i++) {
        t[i] = (scorer){.number = i, .expected = expected};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, session_score_all, &t[i]), 0);
    }
    for (size_t i = 0; i < N_THREAD; i++) {
        pthread_join(thread[i], NULL);
        if (t[i].n_failed + t[i].n_wrong)
            fprintf(stderr, "thread %zu: %zu runs failed, %zu gave other bits\n", i, t[i].n_failed,
                    t[i].n_wrong);
        CU_ASSERT_EQUAL(t[i].n_failed, 0);
        CU_ASSERT_EQUAL(t[i].n_wrong, 0);
    }
}

/* ---- a device with memory of its own --------------------------------------------------------- */

/* The CPU's functions over other memory; every third op is "not supported", so that the plan's
 * copies are exercised. A pointer of the host in an op, or of the device in a fallback, would
 * read other values. */
static unsigned device_calls;

static r1_status device_buffer(void **p, size_t bytes, r1_err *err)
{
    (void)err;
    uint8_t *b = r1_calloc_aligned(bytes, 1);
    if (b) memset(b, 0xff, bytes); /* NaN until somebody uploads */
    *p = b;
    return b ? R1_OK : R1_E_NOMEM;
}
static r1_status device_copy(r1_stream *s, void *to, const void *from, size_t n, r1_err *err)
{
    (void)s, (void)err;
    memcpy(to, from, n);
    return R1_OK;
}
static bool device_supports(r1_op op, const r1_op_args *a)
{
    (void)a;
    device_calls++;
    return op % 3 != 1;
}

static void test_device(void)
{
    session_setup();
    r1_err err;
    r1_backend device = *r1_backend_cpu();
    device.name = "apart";
    device.host_memory = false;
    device.buffer_new = device_buffer;
    device.upload = device.download = device_copy;
    device.supports = device_supports;
    device.pack = NULL;
    r1_sample all[N];
    copy_samples(all);
    r1_batch b = {.sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event};
    r1_result res, other;
    r1_session *s = open_session(40, "cpu"), *apart;
    r1_session_opts o = {.n_sample_max = 40};
    R1_ASSERT_OK(r1_session_new_on(&apart, model, &o, &device, &err), &err);
    test_session_run(s, &b, &res);
    for (int round = 0; round < 2; round++) { /* the second with cached texts */
        test_session_run(apart, &b, &other);
        CU_ASSERT_EQUAL(memcmp(res.logit, other.logit, N * 2 * sizeof(float)), 0);
    }
    CU_ASSERT(device_calls > 0);
    r1_memory *mem = open_memory(TOY_REFS, 1 << 20, 16), *twin = open_memory(TOY_REFS, 1 << 20, 16);
    static streamed x[N];
    for (size_t i = 0; i < 40; i++) {
        uint64_t ticket;
        float expected[2];
        R1_ASSERT_OK(r1_memory_begin(twin, &ticket, &err), &err);
        stream_one(twin, ticket, i, &x[i]);
        b = (r1_batch){.sample = &x[i].sample, .n_sample = 1, .pool = twin, .ticket = ticket};
        test_session_run(s, &b, &res);
        memcpy(expected, res.logit, sizeof expected);
        R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
        stream_one(mem, ticket, i, &x[i]);
        b = (r1_batch){.sample = &x[i].sample, .n_sample = 1, .pool = mem, .ticket = ticket};
        test_session_run(apart, &b, &other);
        CU_ASSERT_EQUAL(memcmp(other.logit, expected, sizeof expected), 0);
    }
    r1_memory_free(mem);
    r1_memory_free(twin);
    r1_session_free(s);
    r1_session_free(apart);
}

/* ---- a backend of the caller's own ----------------------------------------------------------- */

static atomic_uint own_calls;
static r1_status own_linear(r1_stream *stream, const r1_op_args *a, r1_err *err)
{
    atomic_fetch_add(&own_calls, 1);
    return r1_backend_cpu()->forward[R1_OP_LINEAR](stream, a, err);
}

/* Refused, with what is wrong in the message; and not found afterwards. */
static void session_refuse(const r1_backend *b, const char *what)
{
    r1_err err = {0};
    CU_ASSERT_EQUAL(r1_backend_register(b, &err), R1_E_INVAL);
    if (!strstr(err.msg, what)) fprintf(stderr, "expected \"%s\" in: %s\n", what, err.msg);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, what));
}

static void test_register_refusals(void)
{
    static const struct {
        const char *name;
        size_t at;
    } needed[] = {{"devices", offsetof(r1_backend, devices)},
                  {"device_text", offsetof(r1_backend, device_text)},
                  {"buffer_new", offsetof(r1_backend, buffer_new)},
                  {"buffer_free", offsetof(r1_backend, buffer_free)},
                  {"upload", offsetof(r1_backend, upload)},
                  {"download", offsetof(r1_backend, download)},
                  {"stream_new", offsetof(r1_backend, stream_new)},
                  {"stream_free", offsetof(r1_backend, stream_free)},
                  {"stream_sync", offsetof(r1_backend, stream_sync)},
                  {"event_new", offsetof(r1_backend, event_new)},
                  {"event_free", offsetof(r1_backend, event_free)},
                  {"event_record", offsetof(r1_backend, event_record)},
                  {"event_wait", offsetof(r1_backend, event_wait)},
                  {"packed_free", offsetof(r1_backend, packed_free)},
                  {"supports", offsetof(r1_backend, supports)}};
    static r1_backend b;
    r1_err err;
    session_refuse(NULL, "name");
    for (size_t i = 0; i < R1_COUNT(needed); i++) {
        b = *r1_backend_cpu();
        b.name = "lacking";
        memset((char *)&b + needed[i].at, 0, sizeof(void (*)(void)));
        session_refuse(&b, needed[i].name);
    }
    b = *r1_backend_cpu();
    b.name = "lacking";
    b.pack = NULL, b.pack_int8 = NULL;
    session_refuse(&b, "pack or pack_int8");
    for (int op = 0; op < R1_OP_COUNT; op++) {
        b = *r1_backend_cpu();
        b.name = "lacking";
        b.forward[op] = NULL;
        if (op != R1_OP_TAIL_NORM) session_refuse(&b, r1_op_name((r1_op)op));
        b = *r1_backend_cpu();
        b.name = "lacking";
        b.backward[op] = NULL;
        if (r1_backend_cpu()->backward[op]) session_refuse(&b, r1_op_name((r1_op)op));
    }
    b = *r1_backend_cpu();
    for (size_t i = 0; i < 3; i++) {
        static const char *const taken[] = {"cpu", "reference", "cuda"};
        b.name = taken[i];
        session_refuse(&b, "taken");
    }
    b.name = "";
    session_refuse(&b, "name");
    b.name = "lacking";
    b.abi = R1_BACKEND_ABI + 1;
    session_refuse(&b, "version");
    CU_ASSERT_PTR_NULL(r1_backend_find("lacking", &err));
}

/* Found by name, it runs the session's ops and gives the CPU's bits; a second table of its name
 * is refused; so is one too many. */
static void test_register(void)
{
    session_setup();
    static r1_backend own, other, many[R1_BACKENDS_MAX];
    static char name[R1_BACKENDS_MAX][16];
    r1_err err;
    r1_sample all[N];
    r1_result res, twin;
    own = *r1_backend_cpu();
    own.name = "own";
    own.forward[R1_OP_LINEAR] = own_linear;
    own.forward[R1_OP_TAIL_NORM] = NULL; /* optional: the plain plan runs */
    memset(own.backward, 0, sizeof own.backward);
    R1_ASSERT_OK(r1_backend_register(&own, &err), &err);
    R1_ASSERT_OK(r1_backend_register(&own, &err), &err);
    CU_ASSERT_PTR_EQUAL(r1_backend_find("own", &err), &own);
    copy_samples(all);
    r1_session *plain, *s = open_session(64, "own");
    r1_session_opts o = {.aligned = true};
    r1_batch b = {.sample = all, .n_sample = N, .event = data.event, .n_event = data.n_event};
    R1_ASSERT_OK(r1_session_new(&plain, model, &o, &err), &err);
    own_calls = 0;
    test_session_run(plain, &b, &twin);
    CU_ASSERT_EQUAL(own_calls, 0);
    test_session_run(s, &b, &res);
    CU_ASSERT(own_calls > 0);
    CU_ASSERT_EQUAL(memcmp(res.logit, twin.logit, N * 2 * sizeof(float)), 0);
    r1_session_free(s);
    r1_session_free(plain);
    other = own;
    session_refuse(&other, "taken");
    r1_status st = R1_OK;
    size_t n = 0;
    for (; st == R1_OK && n < R1_BACKENDS_MAX; n++) {
        many[n] = own;
        snprintf(name[n], sizeof name[n], "own %zu", n);
        many[n].name = name[n];
        st = r1_backend_register(&many[n], &err);
    }
    CU_ASSERT_EQUAL(st, R1_E_NOMEM);
    CU_ASSERT(n > 4); /* others of this program are there too */
    CU_ASSERT_PTR_EQUAL(r1_backend_find("own 3", &err), &many[3]);
}

static r1_status learning_linear(r1_stream *stream, const r1_op_args *a, r1_err *err)
{
    atomic_fetch_add(&own_calls, 1);
    return r1_backend_cpu()->backward[R1_OP_LINEAR](stream, a, err);
}

/* A table with gradients trains, by the name in the environment, and evaluates: the CPU's loss,
 * and calls of its own. */
static void test_register_train(void)
{
    session_setup();
    static r1_backend own;
    char path[300];
    const char *shard = path;
    double loss[2] = {0, 1};
    r1_eval eval[2];
    r1_err err;
    own = *r1_backend_cpu();
    own.name = "learns";
    own.forward[R1_OP_LINEAR] = own_linear;
    own.backward[R1_OP_LINEAR] = learning_linear;
    snprintf(path, sizeof path, "%s/own.shard", r1_test_tmpdir());
    R1_ASSERT_OK(toy_write(&data, path, &err), &err);
    R1_ASSERT_OK(r1_backend_register(&own, &err), &err);
    const char *before = getenv("R1_BACKEND");
    char *kept = before ? strdup(before) : NULL;
    for (int k = 0; k < 2; k++) {
        r1_train_opts o = {.run = {.train = &shard, .n_train = 1, .seed = 3}, .n_batch = 32};
        r1_eval_opts e = {.backend = k ? "learns" : "cpu"};
        r1_trainer *t;
        bool done;
        own_calls = 0;
        setenv("R1_BACKEND", e.backend, 1);
        R1_ASSERT_OK(r1_trainer_new(&t, &o, &err), &err);
        for (int step = 0; step < 2; step++)
            R1_ASSERT_OK(r1_trainer_step(t, &loss[k], &done, &err), &err);
        r1_trainer_free(t);
        CU_ASSERT_EQUAL(own_calls > 0, k == 1);
        own_calls = 0;
        R1_ASSERT_OK(r1_evaluate(model, &shard, 1, &e, &eval[k], &err), &err);
        CU_ASSERT_EQUAL(own_calls > 0, k == 1);
    }
    if (kept)
        setenv("R1_BACKEND", kept, 1);
    else
        unsetenv("R1_BACKEND");
    free(kept);
    CU_ASSERT_EQUAL(loss[0], loss[1]);
    CU_ASSERT_EQUAL(eval[0].loss, eval[1].loss);
}

/* What names no backend, or one that is not here, is an error with a reason. */
static void test_no_backend(void)
{
    session_setup();
    r1_err err = {0};
    r1_session *s;
    r1_session_opts o = {.backend = "abacus"};
    CU_ASSERT_NOT_EQUAL(r1_session_new(&s, model, &o, &err), R1_OK);
    CU_ASSERT(strlen(err.msg) > 5);
}

/* Staging whose capacity is less than what the samples need: each offset is caught. */
typedef struct {
    uint32_t symbol; /* UINT32_MAX: tokens of the text item */
    const char *expected;
} planted_capacity;

static void fill_too_much(void *ctx)
{
    const planted_capacity *c = ctx;
    r1_sample all[N];
    uint32_t cap[R1_SYMBOLS_MAX];
    r1_exec *e;
    r1_pack *p;
    copy_samples(all);
    r1_pack_capacity(model, 32, cap);
    if (r1_exec_new(&e, model, r1_backend_cpu(), cap, false, NULL) != R1_OK) return;
    if (r1_pack_new(&p, e, 0, NULL) != R1_OK) return;
    for (uint32_t i = 0; i < model->desc->n_item; i++)
        if (c->symbol == UINT32_MAX && model->desc->item[i].kind == R1_ITEM_TEXT)
            e->cap[model->net.item[i].sym_b] = 2;
    if (c->symbol < R1_SYMBOLS_MAX) e->cap[c->symbol] = 2;
    r1_pack_source src = {.sample = all,
                          .n_sample = 32,
                          .event = event_of_toy,
                          .event_ctx = data.event,
                          .n_event = data.n_event};
    r1_pack_fill(p, &src, NULL);
}

static void end_ticket_twice(void *ctx)
{
    r1_memory *pool;
    uint64_t ticket;
    (void)ctx;
    if (r1_memory_new(&pool, NULL, &(r1_memory_opts){.width = 4, .bytes_max = 1 << 20}, NULL) !=
            R1_OK ||
        r1_memory_begin(pool, &ticket, NULL) != R1_OK)
        return;
    r1_memory_end(pool, ticket);
    r1_memory_stored(pool, ticket);
}

static void test_session_breaks(void)
{
    static const planted_capacity cases[] = {{R1_SYM_SEQ, "a piece of 32 samples, room for 2"},
                                             {R1_SYM_EVENT, "event in row 2 of 2"},
                                             {UINT32_MAX, "of 2"}};
    session_setup();
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        planted_capacity c = cases[i];
        CU_ASSERT(r1_test_breaks(fill_too_much, &c, c.expected));
    }
    CU_ASSERT(r1_test_breaks(end_ticket_twice, NULL, "ticket 1, ended 1"));
}

R1_TEST_MAIN("session", {"same input, same answer", test_same_answer}, {"int8", test_session_int8},
             {"file, reference", test_file_and_reference}, {"trace adds up", test_trace},
             {"switches", test_flags}, {"folded equals plain", test_folded},
             {"key factor", test_key_factor}, {"no allocation", test_session_no_allocation},
             {"bad samples", test_session_refusals},
             {"pool equals inline", test_pool_equals_inline}, {"pool of bytes", test_pool_of_bytes},
             {"rings", test_rings}, {"pool under pressure", test_pool_pressure},
             {"two workers", test_workers}, {"many threads", test_session_threads},
             {"memory apart", test_device}, {"own backend trains", test_register_train},
             {"own backend", test_register}, {"tables refused", test_register_refusals},
             {"no backend", test_no_backend}, {"broken invariants", test_session_breaks})
