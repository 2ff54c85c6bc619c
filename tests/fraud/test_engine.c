/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine with the shipped model: a score is the same bits however payments are batched,
 * whether earlier ones were scored or only applied (a rebuild), and through the working memory
 * as with the history encoded beside each payment (the training path). */
#include "features/columns.h"
#include "generate/generate.h"
#include "r1_session.h"
#include "score/engine.h"
#include "score/sample.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3000, SCORED_FROM = 2200 };

static const char *model = "models/fraud-s.gguf";
static r1_precision precision = R1_PRECISION_AUTO;
static fraud_generated *world;
static size_t n_world;

static void engine_make_world(void)
{
    r1_err err = {0};
    fraud_generate_opts o = {
        .seed = r1_test_seed(), .start_ms = 1767225600000, .accounts = 120, .days = 30, .rings = 3};
    o.ring_min = 4, o.ring_max = 8, o.activity = 1;
    R1_ASSERT_OK(fraud_generate(&o, &world, &n_world, &err), &err);
    if (n_world > N) n_world = N;
    CU_ASSERT_TRUE_FATAL(n_world > SCORED_FROM);
}

static bool signs_off; /* the model's own scores */

/* Logits of all payments from SCORED_FROM on. Earlier ones are applied alone (rebuild) or scored
 * too, in batches of `batch`. */
static void run_engine(size_t batch, bool rebuild, double *logit)
{
    r1_err err = {0};
    fraud_engine *e;
    fraud_engine_opts o = {
        .model_path = r1_test_source(model), .edges_max = 1 << 14, .entities_max = 1 << 12};
    o.pairs_max = 1 << 14, o.precision = precision, o.signs_off = signs_off;
    R1_ASSERT_OK(fraud_engine_new(&e, &o, &err), &err);
    fraud_slot *slot[FRAUD_SCORE_MAX];
    size_t at[FRAUD_SCORE_MAX], n = 0;
    fraud_result *result = calloc(FRAUD_SCORE_MAX, sizeof *result);
    for (size_t i = 0; i < n_world; i++) {
        bool wanted = i >= SCORED_FROM || !rebuild;
        R1_ASSERT_OK(fraud_engine_apply(e, &world[i].payment, (int64_t)i + 1,
                                        wanted ? &slot[n] : NULL, &err),
                     &err);
        if (wanted) at[n++] = i;
        if (n < batch && i + 1 < n_world) continue;
        R1_ASSERT_OK(fraud_engine_score(e, slot, n, result, &err), &err);
        for (size_t k = 0; k < n; k++) {
            if (at[k] >= SCORED_FROM) logit[at[k] - SCORED_FROM] = result[k].logit;
            fraud_slot_release(e, slot[k]);
        }
        n = 0;
    }
    free(result);
    fraud_engine_free(e);
}

static void test_batches_and_rebuild(void)
{
    static double expected[N], got[N];
    static const struct {
        size_t batch;
        bool rebuild;
    } runs[] = {{1, true}, {7, false}, {FRAUD_SCORE_MAX, true}};
    size_t bytes = (n_world - SCORED_FROM) * sizeof(double);
    run_engine(16, false, expected);
    for (size_t r = 0; r < R1_COUNT(runs); r++) {
        memset(got, 0, sizeof got);
        run_engine(runs[r].batch, runs[r].rebuild, got);
        if (memcmp(got, expected, bytes) != 0)
            fprintf(stderr, "batches of %zu%s differ\n", runs[r].batch,
                    runs[r].rebuild ? " after a rebuild" : "");
        CU_ASSERT_EQUAL(memcmp(got, expected, bytes), 0);
    }
}

/* The twin: state, capture with the history's events beside the payment, one sample a run. */
/* Scores what was kept from `first` to `last`, in one batch at most. */
static size_t score_kept(fraud_engine *e, fraud_slot **waits, size_t first, size_t last,
                         fraud_result *result, double *logit)
{
    fraud_slot *slot[FRAUD_SCORE_MAX] = {NULL};
    size_t at[FRAUD_SCORE_MAX], n = 0;
    r1_err err = {0};
    for (; first < last && n < FRAUD_SCORE_MAX; first++)
        if (waits[first]) slot[n] = waits[first], at[n++] = first;
    R1_ASSERT_OK(fraud_engine_score(e, slot, n, result, &err), &err);
    for (size_t k = 0; k < n; k++) {
        if (at[k] >= SCORED_FROM) logit[at[k] - SCORED_FROM] = result[k].logit;
        fraud_slot_release(e, slot[k]);
        waits[at[k]] = NULL;
    }
    return first;
}

/* Two thirds of the payments are kept, and scored LATER payments later: alone, or beside a payment
 * that has just come. The others are scored at once. */
static void run_kept(double *logit)
{
    enum { LATER = 384 };
    static fraud_slot *waits[N];
    r1_err err = {0};
    fraud_engine *e;
    fraud_engine_opts o = {
        .model_path = r1_test_source(model), .edges_max = 1 << 14, .entities_max = 1 << 12};
    o.pairs_max = 1 << 14, o.precision = precision;
    R1_ASSERT_OK(fraud_engine_new(&e, &o, &err), &err);
    fraud_result *result = calloc(FRAUD_SCORE_MAX, sizeof *result);
    size_t first = 0;
    for (size_t i = 0; i < n_world; i++) {
        bool keep = i % 3 != 0;
        fraud_engine_keeps(e, keep);
        R1_ASSERT_OK(fraud_engine_apply(e, &world[i].payment, (int64_t)i + 1, &waits[i], &err),
                     &err);
        if (keep) waits[i] = fraud_slot_keep(e, waits[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(waits[i]);
        if (!keep) score_kept(e, waits, i && i % 2 ? i - 1 : i, i + 1, result, logit);
        if (i > first + LATER) first = score_kept(e, waits, first, i - LATER / 2, result, logit);
    }
    while (first < n_world) first = score_kept(e, waits, first, n_world, result, logit);
    free(result);
    fraud_engine_free(e);
}

static void test_kept(void)
{
    static double expected[N], got[N];
    run_engine(16, false, expected);
    run_kept(got);
    CU_ASSERT_EQUAL(memcmp(got, expected, (n_world - SCORED_FROM) * sizeof(double)), 0);
}

/* ---- the evidence that is named is the evidence that counts ---- */

static struct {
    size_t n;
    double top, random; /* sums of what three items change when they are missing */
} deleted;

static double score_without(r1_session *session, const r1_batch *b, r1_item *item,
                            const bool without[FRAUD_N_ITEM])
{
    r1_item all[FRAUD_N_ITEM];
    r1_err err = {0};
    r1_result res;
    memcpy(all, item, sizeof all);
    for (int i = 0; i < FRAUD_N_ITEM; i++)
        if (without[i]) item[i].present = false;
    R1_ASSERT_OK(r1_session_run(session, b, &res, &err), &err);
    memcpy(item, all, sizeof all);
    return (double)res.logit[0];
}

/* The three items that raised the score most, and three of the others by lot, of one alert. */
static void delete_items(r1_session *session, const r1_batch *b, r1_item *item,
                         const r1_result *res)
{
    const double score = (double)res->logit[0];
    double delta[FRAUD_N_ITEM];
    bool top[FRAUD_N_ITEM] = {false}, random[FRAUD_N_ITEM] = {false};
    static uint32_t lot = 1;
    if (score < -3) return;
    for (int i = 0; i < FRAUD_N_ITEM; i++) delta[i] = res->trace[i + 1];
    for (int n = 0; n < 3; n++) {
        int best = -1, other;
        for (int i = 0; i < FRAUD_N_ITEM; i++)
            if (!top[i] && (best < 0 || delta[i] > delta[best])) best = i;
        top[best] = true;
        do other = (int)((lot = lot * 1664525 + 1013904223) >> 16) % FRAUD_N_ITEM;
        while (random[other]);
        random[other] = true;
    }
    deleted.n++;
    deleted.top += score - score_without(session, b, item, top);
    deleted.random += fabs(score - score_without(session, b, item, random));
}

static void test_memory_equals_history(void)
{
    static double by_engine[N];
    r1_err err = {0};
    signs_off = true;
    run_engine(FRAUD_SCORE_MAX, true, by_engine);
    signs_off = false;
    fraud_state *s;
    r1_model *m;
    r1_session *session;
    R1_ASSERT_OK(fraud_state_new(&s, 1 << 14, 1 << 12, 1 << 14, &err), &err);
    R1_ASSERT_OK(r1_model_open(&m, r1_test_source("models/fraud-s.gguf"), &err), &err);
    R1_ASSERT_OK(r1_session_new(&session, m, NULL, &err), &err);
    fraud_features *f = calloc(1, sizeof *f);
    size_t with_history = 0;
    for (size_t i = 0; i < n_world; i++) {
        const fraud_payment *p = &world[i].payment;
        fraud_state_advance(s, p->ts);
        uint32_t from = fraud_state_entity(s, p->from, p->from_role),
                 to = fraud_state_entity(s, p->to, p->to_role);
        if (i >= SCORED_FROM) {
            fraud_capture(s, p, from, to, FRAUD_CAPTURE_GRAPH | FRAUD_CAPTURE_MEMORY, f);
            r1_event event[FRAUD_REFS_MAX];
            uint64_t ref[FRAUD_REFS_MAX];
            r1_item item[FRAUD_N_ITEM];
            for (uint32_t k = 0; k < f->n_ref; k++)
                event[k] = (r1_event){f->event[k], f->event_cat[k]}, ref[k] = k;
            fraud_sample_fill(f, p, ref,
                              FRAUD_CAPTURE_GRAPH | FRAUD_CAPTURE_MEMORY | FRAUD_SAMPLE_TEXT, item);
            r1_sample sample = {.item = item};
            r1_batch b = {.sample = &sample,
                          .n_sample = 1,
                          .event = f->n_ref ? event : NULL,
                          .n_event = f->n_ref};
            r1_result res;
            R1_ASSERT_OK(r1_session_run(session, &b, &res, &err), &err);
            with_history += f->n_ref > 0;
            CU_ASSERT_EQUAL((float)by_engine[i - SCORED_FROM], res.logit[0]);
            delete_items(session, &b, item, &res);
        }
        fraud_state_insert(s, p, from, to);
    }
    CU_ASSERT_TRUE(with_history > (n_world - SCORED_FROM) / 2); /* else it proves little */
    printf("%zu alerts: without their three first items %.2f lower, without three by lot %.2f "
           "other\n",
           deleted.n, deleted.top / (double)deleted.n, deleted.random / (double)deleted.n);
    CU_ASSERT_TRUE(deleted.n >= 8 && deleted.top > 1.2 * deleted.random);
    free(f);
    r1_session_free(session);
    r1_model_free(m);
    fraud_state_free(s);
}

/* Left alone, a model that was trained for int8 runs in int8, with the same promises, and
 * another in f32. */
static void test_precision(void)
{
    static double automatic[N], other[N];
    size_t bytes = (n_world - SCORED_FROM) * sizeof(double);
    run_engine(FRAUD_SCORE_MAX, true, automatic);
    precision = R1_PRECISION_F32;
    run_engine(FRAUD_SCORE_MAX, true, other);
    CU_ASSERT_EQUAL(memcmp(automatic, other, bytes), 0);
    model = "models/fraud-s-int8.gguf";
    run_engine(FRAUD_SCORE_MAX, true, other);
    precision = R1_PRECISION_AUTO;
    run_engine(FRAUD_SCORE_MAX, true, automatic);
    CU_ASSERT_NOT_EQUAL(memcmp(automatic, other, bytes), 0);
    precision = R1_PRECISION_INT8;
    run_engine(3, true, other);
    CU_ASSERT_EQUAL(memcmp(automatic, other, bytes), 0);
}

static void test_too_many(void)
{
    r1_err err = {0};
    fraud_engine *e;
    fraud_engine_opts o = {.model_path = r1_test_source("models/fraud-s.gguf"),
                           .edges_max = 1 << 10,
                           .entities_max = 1 << 10};
    o.pairs_max = 1 << 10, o.slots_max = 2;
    R1_ASSERT_OK(fraud_engine_new(&e, &o, &err), &err);
    fraud_slot *slot[3];
    for (int i = 0; i < 2; i++)
        R1_ASSERT_OK(fraud_engine_apply(e, &world[i].payment, i + 1, &slot[i], &err), &err);
    CU_ASSERT_EQUAL(fraud_engine_apply(e, &world[2].payment, 3, &slot[2], &err), R1_E_AGAIN);
    CU_ASSERT_EQUAL(fraud_engine_apply(e, &world[2].payment, 2, NULL, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(fraud_engine_score(e, slot, FRAUD_SCORE_MAX + 1, NULL, &err), R1_E_INVAL);
    fraud_engine_free(e);
}

/* ---- broken invariants ----------------------------------------------------------------------- */

typedef struct {
    fraud_engine *e;
    fraud_slot *slot;
    fraud_features f;
    fraud_state *s;
} broken;

static void release_again(void *ctx)
{
    broken *b = ctx;
    fraud_slot_release(b->e, b->slot);
    fraud_slot_release(b->e, b->slot);
}

static void release_a_stranger(void *ctx)
{
    broken *b = ctx;
    static _Alignas(16) char stranger[1 << 20]; /* larger than a slot, and not kept */
    fraud_slot_release(b->e, (fraud_slot *)(void *)stranger);
}

static void score_a_free_slot(void *ctx)
{
    broken *b = ctx;
    fraud_result result;
    fraud_slot_release(b->e, b->slot);
    fraud_engine_score_by_rules(b->slot, &result);
}

static void one_reference_too_many(void *ctx)
{
    broken *b = ctx;
    b->f.n_ref = FRAUD_REFS_MAX;
    fraud_features_ref(b->s, 0, 0, false, 0, &b->f);
}

static void a_category_of_no_value(void *ctx)
{
    broken *b = ctx;
    b->s->edge[0].kind = FRAUD_N_KIND;
    fraud_features_event(b->s, 0, b->f.event[0], b->f.event_cat[0]);
}

static void a_node_too_many(void *ctx)
{
    broken *b = ctx;
    r1_item item[FRAUD_N_ITEM];
    b->f.n_node = FRAUD_EGO_NODES_MAX + 1;
    fraud_sample_fill(&b->f, &world[0].payment, b->f.ref_handle, FRAUD_CAPTURE_GRAPH, item);
}

static void test_breaks(void)
{
    static broken b;
    r1_err err = {0};
    const fraud_payment *p = &world[0].payment;
    fraud_engine_opts o = {.edges_max = 64, .entities_max = 64, .pairs_max = 64, .slots_max = 2};
    R1_ASSERT_OK(fraud_engine_new(&b.e, &o, &err), &err);
    R1_ASSERT_OK(fraud_engine_apply(b.e, p, 1, &b.slot, &err), &err);
    R1_ASSERT_OK(fraud_state_new(&b.s, 64, 64, 64, &err), &err);
    fraud_state_advance(b.s, p->ts);
    uint32_t from = fraud_state_entity(b.s, p->from, p->from_role),
             to = fraud_state_entity(b.s, p->to, p->to_role);
    fraud_state_insert(b.s, p, from, to);
    CU_ASSERT(r1_test_breaks(release_again, &b, "is released twice"));
    CU_ASSERT(r1_test_breaks(release_a_stranger, &b, "slot < e->slots + e->n_slot"));
    CU_ASSERT(r1_test_breaks(score_a_free_slot, &b, "is free"));
    CU_ASSERT(r1_test_breaks(one_reference_too_many, &b, "reference 32, role 0"));
    CU_ASSERT(r1_test_breaks(a_category_of_no_value, &b, "column kind: 3 of 3"));
    CU_ASSERT(r1_test_breaks(a_node_too_many, &b, "sample: 49 nodes"));
    fraud_state_free(b.s);
    fraud_engine_free(b.e);
}

static void test_all(void)
{
    engine_make_world();
    test_batches_and_rebuild();
    test_kept();
    test_memory_equals_history();
    test_precision();
    test_too_many();
    test_breaks();
    free(world);
}

R1_TEST_MAIN("fraud engine",
             {"same bits in every batch, after a rebuild, through the memory", test_all})
