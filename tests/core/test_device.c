/* SPDX-License-Identifier: Apache-2.0 */
/* What r1_device_choose takes, and what takes its place: nothing, but for `auto`. A table of ours
 * that lacks an op stands for a device that cannot do everything. */
#include "core/toy.h"
#include "support/r1_test.h"

#include "r1_backend.h"
#include "r1_session.h"

#include <stdlib.h>
#include <string.h>

static int messages;
static void keep_message(void *ctx, r1_log_level level, const char *event, const char *text)
{
    (void)ctx, (void)level;
    messages += !strcmp(event, "device") && strstr(text, "the CPU does");
}

/* Ordinary memory that calls itself a device's, and cannot do GELU. */
static r1_backend narrow;

static r1_status copy_there(r1_stream *s, void *to, const void *from, size_t bytes, r1_err *err)
{
    return r1_backend_cpu()->upload(s, to, from, bytes, err);
}
static r1_status narrow_stream(r1_stream **s, uint32_t device, r1_err *err)
{
    (void)err;
    CU_ASSERT_EQUAL(device, 0);
    *s = malloc(1);
    return R1_OK;
}
static void narrow_stream_free(r1_stream *s) { free(s); }
static bool narrow_supports(r1_op op, const r1_op_args *a)
{
    (void)a;
    return op != R1_OP_ACT;
}

static r1_status run_once(r1_model *m, r1_err *err)
{
    toy t;
    r1_session *s;
    r1_result res;
    toy_make_alone(&t, 4, 3);
    r1_sample sample[4];
    for (int i = 0; i < 4; i++) sample[i] = t.sample[i].sample;
    r1_batch b = {.sample = sample, .n_sample = 4, .event = t.event, .n_event = t.n_event};
    r1_status st = r1_session_new(&s, m, NULL, err);
    if (st == R1_OK) {
        st = r1_session_run(s, &b, &res, err);
        r1_session_free(s);
    }
    toy_free(&t);
    return st;
}

static void test_names(void)
{
    static const char *const wrong[] = {
        "", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda: 1", "cuda:99999999999", "CPU"};
    r1_err err = {0};
    setenv("R1_BACKEND", "reference", 1);
    CU_ASSERT_STRING_EQUAL(r1_device_name(), "reference");
    for (size_t i = 0; i < R1_COUNT(wrong); i++)
        CU_ASSERT_NOT_EQUAL(r1_device_choose(wrong[i], &err), R1_OK);
    CU_ASSERT_STRING_EQUAL(r1_device_name(), "reference"); /* nothing was chosen */
    R1_ASSERT_OK(r1_device_choose("cpu", &err), &err);
    CU_ASSERT_STRING_EQUAL(r1_device_name(), "cpu");
    CU_ASSERT_PTR_EQUAL(r1_backend_find(NULL, &err), r1_backend_cpu());
    R1_ASSERT_OK(r1_device_choose("reference", &err), &err);
    CU_ASSERT_PTR_EQUAL(r1_backend_find(NULL, &err), r1_backend_reference());
    unsetenv("R1_BACKEND");
}

/* Where CUDA works, auto takes it; else the CPU. A choice that fails leaves the last one. */
static void test_auto(void)
{
    r1_err err = {0}, why = {0};
    const r1_backend *cuda = r1_backend_find("cuda", &why);
    R1_ASSERT_OK(r1_device_choose("auto", &err), &err);
    CU_ASSERT_STRING_EQUAL(r1_device_name(), cuda ? "cuda:0" : "cpu");
    if (cuda) return;
    CU_ASSERT_EQUAL(r1_device_choose("cuda", &err), R1_E_DEVICE);
    CU_ASSERT_STRING_EQUAL(err.msg, why.msg);
    CU_ASSERT_EQUAL(r1_device_choose("cuda:0", &err), R1_E_DEVICE);
    CU_ASSERT_STRING_EQUAL(r1_device_name(), "cpu");
}

/* An op that a device cannot do: the CPU's runs, which is said once; an error where the device was
 * asked for. */
static void test_never_silent(void)
{
    r1_err err = {0};
    r1_model *m;
    narrow = *r1_backend_cpu();
    narrow.name = "narrow";
    narrow.host_memory = false;
    narrow.pack = NULL, narrow.pack_int8 = NULL, narrow.packed_free = NULL;
    narrow.upload = copy_there;
    narrow.stream_new = narrow_stream;
    narrow.stream_free = narrow_stream_free;
    narrow.supports = narrow_supports;
    R1_ASSERT_OK(r1_backend_register(&narrow, &err), &err);
    R1_ASSERT_OK(r1_model_new(&m, toy_description, 5, &err), &err);
    r1_log_set(keep_message, NULL, R1_LOG_WARN);
    r1_session *s;
    r1_session_opts o = {.backend = "narrow"};
    toy t;
    toy_make_alone(&t, 1, 3);
    r1_result res;
    r1_batch b = {
        .sample = &t.sample[0].sample, .n_sample = 1, .event = t.event, .n_event = t.n_event};
    R1_ASSERT_OK(r1_device_choose("cpu", &err), &err);
    R1_ASSERT_OK(r1_session_new(&s, m, &o, &err), &err);
    R1_ASSERT_OK(r1_session_run(s, &b, &res, &err), &err);
    R1_ASSERT_OK(r1_session_run(s, &b, &res, &err), &err);
    CU_ASSERT_EQUAL(messages, 1);
    r1_session_free(s);
    toy_free(&t);
    R1_ASSERT_OK(r1_device_choose("narrow", &err), &err);
    CU_ASSERT_EQUAL(run_once(m, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "device narrow cannot do act"));
    R1_ASSERT_OK(r1_device_choose("cpu", &err), &err);
    R1_ASSERT_OK(run_once(m, &err), &err);
    r1_log_set(NULL, NULL, R1_LOG_WARN);
    r1_model_free(m);
}

R1_TEST_MAIN("device", {"names", test_names}, {"auto", test_auto},
             {"never silent", test_never_silent})
