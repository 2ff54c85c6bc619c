/* SPDX-License-Identifier: Apache-2.0 */
/* How often a batch waits for the device. The emulated plugin is wrapped in a table that counts
 * copies and waits.
 *
 * A batch takes one copy there, one back and one wait, whatever its size. A text that is new comes
 * back with the answers, one that is cached goes there: a copy each. Entries of a pool lie on the
 * host, so they come back, are gathered and go there: a wait more. */
#include "core/toy.h"
#include "support/r1_test.h"

#include "r1_backend.h"
#include "r1_session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef R1_TEST_CARD
static const r1_backend *the_card(r1_err *err) { return r1_backend_find("cuda", err); }
#else
const r1_backend *r1_backend_cuda(uint32_t abi_version, r1_err *err); /* the emulated plugin */
static const r1_backend *the_card(r1_err *err) { return r1_backend_cuda(R1_BACKEND_ABI, err); }
#endif

enum { N = 60, PIECE = 16 };
static const r1_backend *emulated;
static r1_backend counted;
static struct {
    int up, down, wait;
} n;

static r1_status count_upload(r1_stream *s, void *device, const void *host, size_t bytes,
                              r1_err *err)
{
    n.up++;
    return emulated->upload(s, device, host, bytes, err);
}
static r1_status count_download(r1_stream *s, void *host, const void *device, size_t bytes,
                                r1_err *err)
{
    n.down++;
    return emulated->download(s, host, device, bytes, err);
}
static r1_status count_wait(r1_stream *s, r1_err *err)
{
    n.wait++;
    return emulated->stream_sync(s, err);
}

static r1_model *model;
static toy data;
static r1_sample sample[N];

static void copies_setup(void)
{
    r1_err err = {0};
    if (model) return;
    emulated = the_card(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(emulated);
    counted = *emulated;
    counted.name = "counted";
    counted.upload = count_upload;
    counted.download = count_download;
    counted.stream_sync = count_wait;
    R1_ASSERT_OK(r1_backend_register(&counted, &err), &err);
    R1_ASSERT_OK(r1_model_new(&model, toy_description, 5, &err), &err);
    toy_make(&data, N, r1_test_seed());
    for (size_t i = 0; i < N; i++) sample[i] = data.sample[i].sample;
}

static r1_session *open_on(const char *backend, bool aligned)
{
    r1_err err = {0};
    r1_session *s;
    r1_session_opts o = {.n_sample_max = PIECE, .backend = backend, .aligned = aligned};
    R1_ASSERT_OK(r1_session_new(&s, model, &o, &err), &err);
    return s;
}

static void run_both(r1_session *card, r1_session *cpu, const r1_batch *b)
{
    r1_err err = {0};
    r1_result got, expected;
    memset(&n, 0, sizeof n);
    R1_ASSERT_OK(r1_session_run(card, b, &got, &err), &err);
    R1_ASSERT_OK(r1_session_run(cpu, b, &expected, &err), &err);
    for (size_t i = 0; i < b->n_sample * got.n_output; i++)
        CU_ASSERT_TRUE(fabsf(got.logit[i] - expected.logit[i]) <= 2e-5f);
}

static bool counts(int up, int down, int wait)
{
    if (n.up == up && n.down == down && n.wait == wait) return true;
    printf("%d copies there, %d back, %d waits; expected %d, %d, %d\n", n.up, n.down, n.wait, up,
           down, wait);
    return false;
}

/* Bit of the item that is a text: without it the cache has no part. */
static uint32_t texts_off(void)
{
    uint32_t off = 0;
    for (uint32_t i = 0; i < TOY_ITEMS; i++)
        for (size_t k = 0; k < N; k++)
            if (data.sample[k].item[i].text) off |= 1u << i;
    CU_ASSERT_TRUE(off != 0);
    return off;
}

static void test_one_each(void)
{
    copies_setup();
    r1_session *card = open_on("counted", false), *cpu = open_on("cpu", false);
    for (size_t size = 1; size <= PIECE; size += 5) {
        r1_batch b = {.sample = sample,
                      .n_sample = size,
                      .event = data.event,
                      .n_event = data.n_event,
                      .items_off = texts_off()};
        run_both(card, cpu, &b);
        CU_ASSERT_TRUE(counts(1, 1, 1));
    }
    r1_batch all = {.sample = sample,
                    .n_sample = N,
                    .event = data.event,
                    .n_event = data.n_event,
                    .items_off = texts_off()};
    run_both(card, cpu, &all); /* in four pieces */
    CU_ASSERT_TRUE(counts(4, 4, 4));
    r1_session_free(card);
    r1_session_free(cpu);
}

static void test_texts(void)
{
    copies_setup();
    r1_session *card = open_on("counted", false), *cpu = open_on("cpu", false);
    r1_batch b = {
        .sample = sample, .n_sample = PIECE, .event = data.event, .n_event = data.n_event};
    run_both(card, cpu, &b);
    CU_ASSERT_TRUE(counts(1, 2, 1)); /* new */
    run_both(card, cpu, &b);
    CU_ASSERT_TRUE(counts(2, 1, 1)); /* cached */
    r1_session_free(card);
    r1_session_free(cpu);
}

/* A batch of a stream: each sample's entry is new, and refers to those before. */
static void through_pool(const char *backend, r1_precision precision, float *logit)
{
    r1_err err = {0};
    r1_memory *pool;
    r1_memory_opts o = {
        .bytes_max = 1 << 20, .quota = TOY_REFS, .n_entity_max = 16, .precision = precision};
    R1_ASSERT_OK(r1_memory_new(&pool, model, &o, &err), &err);
    r1_session *s = open_on(backend, false);
    for (size_t at = 0; at + 10 <= N; at += 10) {
        r1_sample batch[10];
        r1_item item[10][TOY_ITEMS];
        uint64_t ticket, ref[10][TOY_REFS];
        R1_ASSERT_OK(r1_memory_begin(pool, &ticket, &err), &err);
        for (size_t i = 0; i < 10; i++) {
            uint64_t entity = i % 5;
            batch[i] = sample[at + i];
            memcpy(item[i], batch[i].item, sizeof item[i]);
            batch[i].item = item[i];
            uint32_t n_ref = (uint32_t)r1_memory_ring(pool, entity, ref[i], NULL, TOY_REFS);
            item[i][1] = (r1_item){.present = n_ref > 0, .n_ref = n_ref, .ref = ref[i]};
            R1_ASSERT_OK(
                r1_memory_append(pool, ticket, &entity, 1, at + i, &batch[i].event_handle, &err),
                &err);
        }
        r1_batch b = {.sample = batch,
                      .n_sample = 10,
                      .pool = pool,
                      .ticket = ticket,
                      .items_off = texts_off()};
        r1_result got;
        memset(&n, 0, sizeof n);
        R1_ASSERT_OK(r1_session_run(s, &b, &got, &err), &err);
        memcpy(logit + at * got.n_output, got.logit, 10 * got.n_output * sizeof *logit);
    }
    r1_session_free(s);
    r1_memory_free(pool);
}

static void test_pool(void)
{
    copies_setup();
    static float card[2 * N], cpu[2 * N];
    CU_ASSERT_EQUAL_FATAL(r1_model_n_output(model), 2);
    through_pool("counted", R1_PRECISION_F32, card);
    CU_ASSERT_TRUE(counts(2, 2, 2)); /* of the last batch: gathered entries go there */
    through_pool("cpu", R1_PRECISION_F32, cpu);
    for (size_t i = 0; i < 2 * N; i++) CU_ASSERT_TRUE(fabsf(card[i] - cpu[i]) <= 2e-5f);
    through_pool("counted", R1_PRECISION_INT8, card);
    CU_ASSERT_TRUE(counts(3, 2, 2)); /* so do new ones, rounded */
    through_pool("cpu", R1_PRECISION_INT8, cpu);
    /* A last bit may decide which way an entry is rounded. */
    for (size_t i = 0; i < 2 * N; i++) CU_ASSERT_TRUE(fabsf(card[i] - cpu[i]) <= 2e-2f);
}

/* Rows of the common space are there on a device as well. */
static void test_aligned(void)
{
    copies_setup();
    r1_session *card = open_on("counted", true), *cpu = open_on("cpu", true);
    r1_batch b = {
        .sample = sample, .n_sample = PIECE, .event = data.event, .n_event = data.n_event};
    int rows = 0;
    for (int again = 0; again < 2; again++) {
        run_both(card, cpu, &b);
        CU_ASSERT_EQUAL(n.wait, 1);
        for (size_t i = 0; i < PIECE; i++)
            for (size_t k = 0; k < TOY_ITEMS; k++) {
                const float *x = r1_session_aligned(cpu, i, k), *y = r1_session_aligned(card, i, k);
                CU_ASSERT_EQUAL(!x, !y);
                rows += x && y;
                if (x && y) CU_ASSERT_TRUE(fabsf(x[0] - y[0]) <= 2e-5f);
            }
    }
    CU_ASSERT_TRUE(rows > PIECE);
    r1_session_free(card);
    r1_session_free(cpu);
}

static const r1_test_case cases[] = {{"one copy there, one back, one wait", test_one_each},
                                     {"texts", test_texts},
                                     {"pool", test_pool},
                                     {"common space", test_aligned}};

int main(void)
{
    r1_err err = {0};
    if (!the_card(&err)) {
        printf("no card, so nothing is tested: %s\n", err.msg);
        return 77; /* CTest's mark of a test that was passed over */
    }
    return r1_test_run("copies of a batch", cases, R1_COUNT(cases));
}
