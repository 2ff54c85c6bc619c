/* SPDX-License-Identifier: Apache-2.0 */
/* test_model.c - descriptions are checked member by member; a model survives a file; damaged
 * files are refused with a reason; tokens give back the text; counted work agrees with a count
 * by hand. */
#include "core/toy.h"
#include "file/bpe.h"
#include "file/gguf.h"
#include "file/json.h"
#include "model/model.h"
#include "support/r1_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char small[] = "{\"name\":\"s\",\"d_align\":16,\"d_model\":8,\"n_layer\":1,\"n_head\":"
                            "2,\"n_head_cross\":2,\"d_ff\":12,\"d_"
                            "context\":4,"
                            "\"items\":[{\"name\":\"t\",\"kind\":\"table\",\"num\":[\"a\",\"b\"],"
                            "\"n_bin\":3,\"hidden\":5}],"
                            "\"heads\":[{\"name\":\"h\",\"kind\":\"binary\"}]}";

/* The text with `from` replaced once by `to`. */
static char *model_replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    size_t n = strlen(text) + strlen(to) + 1;
    char *out = calloc(n, 1);
    snprintf(out, n, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static void test_description(void)
{
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"\"d_model\":8", "\"d_model\":9", "divide"},
        {"\"d_model\":8", "\"d_model\":99999", "d_model"},
        {"\"d_model\":8", "\"d_model\":8.5", "whole"},
        {"\"d_model\":8", "\"d_model\":\"8\"", "number"},
        {"\"d_model\":8", "\"d_modle\":8", "d_modle"},
        {"\"d_model\":8", "\"d_model\":8,\"d_model\":8", "twice"},
        {"\"table\"", "\"tabel\"", "tabel"},
        {"[\"a\",\"b\"]", "[\"a\",\"a\"]", "twice"},
        {"[\"a\",\"b\"]", "[]", "no columns"},
        {"\"binary\"", "\"unary\"", "unary"},
        {"\"kind\":\"table\",\"num\":[\"a\",\"b\"],\"n_bin\":3,\"hidden\":5",
         "\"kind\":\"memory\",\"query\":\"x\"", "earlier"},
        {"\"name\":\"s\"", "\"name\":\"s\",\"beta\":0.95", "beta"},
        {"\"name\":\"s\"", "\"name\":\"s\",\"cawa_rank\":17", "cawa_rank"},
        {"\"name\":\"s\"", "\"name\":\"s\",\"output_gate\":1", "output_gate"},
        {"\"name\":\"s\"", "\"name\":\"s\",\"output_gate\":true", "\"output_gate\" is not known"},
        {"}]}", "}]", "JSON"},
        {"{\"name\":\"s\"", "[[[[[[[[[[[[[[[[[[[[[[{\"name\":\"s\"", "deeper"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        uint64_t hash;
        char *text = model_replaced(small, cases[i].from, cases[i].to);
        CU_ASSERT_EQUAL(r1_description_hash(text, &hash, &err), R1_E_FORMAT);
        if (!strstr(err.msg, cases[i].says))
            printf("case %zu: \"%s\" lacks \"%s\"\n", i, err.msg, cases[i].says);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, cases[i].says));
        free(text);
    }
}

/* Widths are not part of the schema; names, kinds and sizes of columns are. */
static void test_schema_hash(void)
{
    static const struct {
        const char *from, *to;
        bool same;
    } cases[] = {{"\"d_model\":8", "\"d_model\":16", true},
                 {"\"n_bin\":3", "\"n_bin\":4", true},
                 {"\"d_ff\":12", "\"d_ff\":12,\"cawa_rank\":3", true},
                 {"\"a\",\"b\"", "\"b\",\"a\"", false},
                 {"\"name\":\"t\"", "\"name\":\"u\"", false},
                 {"\"num\":[\"a\",\"b\"]",
                  "\"num\":[\"a\",\"b\"],\"cat\":[{\"name\":\"c\",\"n\":2}]", false},
                 {"\"name\":\"h\"", "\"name\":\"g\"", false}};
    r1_err err;
    uint64_t base, other;
    r1_model *m;
    R1_ASSERT_OK(r1_description_hash(small, &base, &err), &err);
    R1_ASSERT_OK(r1_model_new(&m, small, 1, &err), &err);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char *text = model_replaced(small, cases[i].from, cases[i].to);
        R1_ASSERT_OK(r1_description_hash(text, &other, &err), &err);
        CU_ASSERT_EQUAL(base == other, cases[i].same);
        CU_ASSERT_EQUAL(r1_model_check_schema(m, text, &err) == R1_OK, cases[i].same);
        free(text);
    }
    r1_model_free(m);
}

/* P = 2 positions, the common space folded away: 4 * 8 columns and the 5 + 1 that carry the
 * length. Counted by hand as two per multiply-add, for the products alone; the plan also counts
 * the rest. */
static void test_flop(void)
{
    r1_err err;
    r1_model *m;
    r1_model_info info;
    uint64_t by_hand =
        2 * (8 * 5 + 5 * (32 + 6)) /* 2 columns of 3 bins + missing -> 5 -> what is read */
        + 2 * 2 * 8 * 8            /* cross: out */
        +
        2 * 2 * (16 * 4 + 4 * 2 + 8 * 24 + 8 * 8 + 8 * 12 * 2) /* context, qkv, out, feed-forward */
        + 2 * 2 * 8;                                           /* head */
    R1_ASSERT_OK(r1_model_new(&m, small, 1, &err), &err);
    R1_ASSERT_OK(r1_model_get_info(m, &info, &err), &err);
    CU_ASSERT(info.flop_sample > by_hand);
    CU_ASSERT((double)info.flop_sample < 1.8 * (double)by_hand);
    r1_model_free(m);
}

static void test_model_file(void)
{
    r1_err err = {0};
    r1_model *m, *again;
    char path[300], twice[300], *a, *b;
    size_t na, nb;
    snprintf(path, sizeof path, "%s/a.gguf", r1_test_tmpdir());
    snprintf(twice, sizeof twice, "%s/b.gguf", r1_test_tmpdir());
    R1_ASSERT_OK(r1_model_new(&m, toy_description, 1, &err), &err);
    R1_ASSERT_OK(r1_model_set_beta(m, 0.5f, &err), &err);
    R1_ASSERT_OK(r1_model_set_calibration(m, 0, (r1_calibration){0.8f, -0.25f}, &err), &err);
    CU_ASSERT_EQUAL(r1_model_set_beta(m, 1.5f, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_model_set_calibration(m, 0, (r1_calibration){0, 0}, &err), R1_E_INVAL);
    R1_ASSERT_OK(r1_model_save(m, path, &err), &err);
    R1_ASSERT_OK(r1_model_open(&again, path, &err), &err);
    CU_ASSERT_EQUAL(r1_model_beta(again), 0.5f);
    CU_ASSERT_EQUAL(r1_model_calibration(again, 0).bias, -0.25f);
    R1_ASSERT_OK(r1_model_save(again, twice, &err), &err);
    R1_ASSERT_OK(r1_file_read(path, 1 << 24, &a, &na, &err), &err);
    R1_ASSERT_OK(r1_file_read(twice, 1 << 24, &b, &nb, &err), &err);
    CU_ASSERT(na == nb && memcmp(a, b, na) == 0);
    r1_model_free(m);
    r1_model_free(again);
    /* every cut, and a value that is not finite, is refused with a reason */
    for (size_t cut = 0; cut < na; cut += cut < 4096 ? 7 : 997) {
        r1_model *none = NULL;
        CU_ASSERT_NOT_EQUAL(r1_model_parse(&none, a, cut, &err), R1_OK);
        CU_ASSERT(err.msg[0] != 0);
    }
    memset(a + na - 64, 0xff, 64);
    CU_ASSERT_EQUAL(r1_model_parse(&again, a, na, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "finite"));
    CU_ASSERT_EQUAL(r1_model_open(&again, "/nonexistent.gguf", &err), R1_E_NOT_FOUND);
    free(a);
    free(b);
}

/* A file by another writer: keys of all types, other order, unknown ones. */
static void test_gguf(void)
{
    r1_err err;
    r1_gguf_writer *w;
    r1_gguf g;
    char path[300], *data;
    size_t len;
    float values[6] = {1, 2, 3, 4, 5, 6}, f;
    uint64_t u, count;
    const uint8_t *items;
    const char *s;
    const uint16_t small_ints[] = {7, 8, 9};
    snprintf(path, sizeof path, "%s/g.gguf", r1_test_tmpdir());
    R1_ASSERT_OK(r1_gguf_writer_new(&w, &err), &err);
    r1_gguf_put_array(w, "x.small", R1_GGUF_U16, small_ints, 3);
    r1_gguf_put_u64(w, "x.u", UINT64_MAX);
    r1_gguf_put_f32(w, "x.f", 2.5f);
    r1_gguf_put_str(w, "x.s", "na\xc3\xafve");
    r1_gguf_put_tensor(w, "t", 0, 2, 3, values, sizeof values);
    R1_ASSERT_OK(r1_gguf_save(w, path, &err), &err);
    r1_gguf_writer_free(w);
    R1_ASSERT_OK(r1_file_read(path, 1 << 20, &data, &len, &err), &err);
    R1_ASSERT_OK(r1_gguf_parse(&g, data, len, &err), &err);
    R1_ASSERT_OK(r1_gguf_u64(&g, "x.u", &u, &err), &err);
    R1_ASSERT_OK(r1_gguf_f32(&g, "x.f", &f, &err), &err);
    R1_ASSERT_OK(r1_gguf_str(&g, "x.s", &s, &len, &err), &err);
    CU_ASSERT(u == UINT64_MAX && f == 2.5f && len == 6);
    R1_ASSERT_OK(r1_gguf_array(&g, "x.small", R1_GGUF_U16, &items, &count, &err), &err);
    CU_ASSERT(count == 3 && memcmp(items, small_ints, sizeof small_ints) == 0);
    CU_ASSERT_EQUAL(r1_gguf_u64(&g, "x.f", &u, &err), R1_E_FORMAT);
    CU_ASSERT_EQUAL(r1_gguf_u64(&g, "absent", &u, &err), R1_E_FORMAT);
    const r1_gguf_tensor *t = r1_gguf_find_tensor(&g, "t");
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT(t->dim[0] == 3 && t->dim[1] == 2 && (uintptr_t)t->data % 16 == (uintptr_t)data % 16);
    CU_ASSERT_EQUAL(memcmp(t->data, values, sizeof values), 0);
    r1_gguf_free(&g);
    free(data);
}

static bool some_text(void *ctx, size_t i, const char **text, size_t *len)
{
    static const char *const texts[] = {"the rent of the month", "the month of may",
                                        "rent, rent and more rent!", "caf\xc3\xa9"};
    (void)ctx;
    if (i >= 40) return false;
    *text = texts[i % 4];
    *len = strlen(*text);
    return true;
}

/* Expanding the ids gives the text back; frequent words become single ids. */
static void test_tokens(void)
{
    r1_err err;
    r1_bpe *b;
    R1_ASSERT_OK(r1_bpe_train(&b, some_text, NULL, 30, 1 << 20, &err), &err);
    size_t n_merge;
    const int32_t *merge = r1_bpe_merges(b, &n_merge);
    CU_ASSERT(n_merge > 10 && n_merge <= 30);
    const char text[] = "rent of the month: caf\xc3\xa9 \x01\xff!";
    int32_t id[64], stack[64];
    size_t n = r1_bpe_encode(b, text, sizeof text - 1, id, 64), out = 0;
    char back[64];
    CU_ASSERT(n < sizeof text - 1);
    for (size_t i = 0; i < n; i++) {
        size_t top = 0;
        stack[top++] = id[i];
        while (top) {
            int32_t x = stack[--top];
            if (x < 256) {
                back[out++] = (char)x;
                continue;
            }
            stack[top++] = merge[2 * (x - 256) + 1];
            stack[top++] = merge[2 * (x - 256)];
        }
    }
    CU_ASSERT(out == sizeof text - 1 && memcmp(back, text, out) == 0);
    CU_ASSERT_EQUAL(r1_bpe_encode(b, " rent", 5, id, 64), 1);
    CU_ASSERT_EQUAL(r1_bpe_encode(b, text, sizeof text - 1, id, 3), 3);
    CU_ASSERT_EQUAL(r1_bpe_encode(b, "", 0, id, 64), 0);
    r1_bpe_free(b);
    const int32_t forward[] = {97, 300};
    CU_ASSERT_EQUAL(r1_bpe_new(&b, forward, 1, &err), R1_E_FORMAT);
}

/* What RFC 8259 allows and what it does not, with the place where it is refused. */
static void test_json(void)
{
    static const struct {
        const char *text, *says; /* says NULL: it is read */
    } cases[] = {
        {"[+032.]", "at byte"},
        {"[032]", "at byte"},
        {"[1.]", "at byte"},
        {"[.5]", "at byte"},
        {"[1e400]", "at byte"},
        {"[NaN]", "at byte"},
        {"[-12.5e1, 0, 1e2, 123456789012345678901]", NULL},
        {"\"\\ud83d\\ude00\"", NULL}, /* a surrogate pair */
        {"\"\\ud83d\"", "at byte"},   /* half of one */
        {"\"\\u0000\"", "at byte"},
        {"\"\xff\"", "at byte"},
        {"\"a\tb\"", "at byte"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "twice"},
        {"{\"a\":1} x", "at byte 9 of 9"},
        {"[1,", "at byte"},
        {"", "at byte"},
        {"true", NULL},
        {"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", NULL},
        {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "deeper than 16 at byte 16 of 34"},
        {"[\"[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"]", NULL}, /* brackets in a string */
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        r1_arena *a;
        r1_json *v;
        R1_ASSERT_OK(r1_arena_new(&a, 1 << 20, &err), &err);
        r1_status st = r1_json_parse(a, cases[i].text, strlen(cases[i].text), &v, &err);
        CU_ASSERT_EQUAL(st, cases[i].says ? R1_E_FORMAT : R1_OK);
        if (cases[i].says && !strstr(err.msg, cases[i].says))
            printf("%s: expected \"%s\", found \"%s\"\n", cases[i].text, cases[i].says, err.msg);
        CU_ASSERT(!cases[i].says || strstr(err.msg, cases[i].says));
        r1_arena_free(a);
    }
}

static void test_json_values(void)
{
    static const char text[] = "{\"n\":[-12.5e1,7,true,null],\"s\":\"\\ud83d\\ude00\\n\"}\0";
    r1_err err = {0};
    r1_arena *a;
    r1_json *v;
    R1_ASSERT_OK(r1_arena_new(&a, 16 << 20, &err), &err);
    R1_ASSERT_OK(r1_json_parse(a, text, sizeof text - 2, &v, &err), &err);
    const r1_json *n = r1_json_member(v, "n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(n);
    CU_ASSERT(n->count == 4 && n->child->num == -125 && n->child->next->num == 7);
    CU_ASSERT_STRING_EQUAL(r1_json_unseen(v), "s");
    CU_ASSERT_STRING_EQUAL(r1_json_member(v, "s")->str, "\xf0\x9f\x98\x80\n");
    CU_ASSERT_PTR_NULL(r1_json_unseen(v));
    CU_ASSERT_EQUAL(r1_json_parse(a, text, sizeof text - 1, &v, &err), R1_E_FORMAT); /* a NUL */
    size_t most = R1_JSON_BYTES_MAX;
    char *longest = malloc(most + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(longest);
    memset(longest, ' ', most + 1);
    longest[0] = '1';
    R1_ASSERT_OK(r1_json_parse(a, longest, most, &v, &err), &err);
    CU_ASSERT_EQUAL(r1_json_parse(a, longest, most + 1, &v, &err), R1_E_FORMAT);
    memset(longest, '[', most); /* deep nesting ends before jansson's recursion */
    CU_ASSERT_EQUAL(r1_json_parse(a, longest, most, &v, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "deeper"));
    free(longest);
    r1_arena_free(a);
    R1_ASSERT_OK(r1_arena_new(&a, 1 << 16, &err), &err); /* a full arena */
    char list[8191];
    for (size_t i = 0; i < sizeof list; i++) list[i] = i % 2 ? '1' : ',';
    list[0] = '[';
    list[sizeof list - 1] = ']';
    CU_ASSERT_EQUAL(r1_json_parse(a, list, sizeof list, &v, &err), R1_E_NOMEM);
    r1_arena_free(a);
}

static void key_outside(r1_gguf *g) { g->key[0].data -= 4096; }
static void tensor_outside(r1_gguf *g) { g->tensor[0].bytes += 1 << 20; }

typedef struct {
    void (*plant)(r1_gguf *g);
    const char *expected;
} planted_gguf;

static void plant_and_check_gguf(void *ctx)
{
    const planted_gguf *p = ctx;
    r1_gguf_writer *w;
    r1_gguf g;
    float x[4] = {1, 2, 3, 4};
    char path[512], *bytes;
    size_t len;
    snprintf(path, sizeof path, "%s", r1_test_in_tmp("planted.gguf"));
    if (r1_gguf_writer_new(&w, NULL) != R1_OK) return;
    r1_gguf_put_u64(w, "a", 1);
    r1_gguf_put_tensor(w, "t", 0, 2, 2, x, sizeof x);
    if (r1_gguf_save(w, path, NULL) != R1_OK) return;
    if (r1_file_read(path, 1 << 20, &bytes, &len, NULL) != R1_OK) return;
    if (r1_gguf_parse(&g, bytes, len, NULL) != R1_OK) return;
    p->plant(&g);
    r1_gguf_check(&g, bytes, len);
}

static void test_gguf_breaks(void)
{
    static const planted_gguf cases[] = {{key_outside, "GGUF: key 0 of 1"},
                                         {tensor_outside, "GGUF: tensor 0 of 1"}};
    (void)r1_test_tmpdir(); /* made here, so that this process removes it */
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        planted_gguf p = cases[i];
        CU_ASSERT(r1_test_breaks(plant_and_check_gguf, &p, p.expected));
    }
}

/* A flipped bit moves scores without a word. Wherever it stands, the file is refused. */
static void test_flipped_bit(void)
{
    char path[512], beside[520], *bytes;
    size_t len;
    r1_err err = {0};
    r1_model *m;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    snprintf(path, sizeof path, "%s", r1_test_in_tmp("flipped.gguf"));
    snprintf(beside, sizeof beside, "%s.sum", path);
    R1_ASSERT_OK(r1_model_new(&m, toy_description, 1, &err), &err);
    R1_ASSERT_OK(r1_model_save(m, path, &err), &err);
    r1_model_free(m);
    R1_ASSERT_OK(r1_file_read(path, 1 << 24, &bytes, &len, &err), &err);
    for (int i = 0; i < 200; i++) {
        size_t at = (size_t)r1_rng_below(&rng, len);
        char bit = (char)(1 << r1_rng_below(&rng, 8));
        bytes[at] ^= bit;
        R1_ASSERT_OK(r1_file_write(path, bytes, len, &err), &err);
        CU_ASSERT_EQUAL(r1_model_open(&m, path, &err), R1_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "damaged or was changed"));
        bytes[at] ^= bit;
    }
    R1_ASSERT_OK(r1_file_write(path, bytes, len, &err), &err);
    R1_ASSERT_OK(r1_model_open(&m, path, &err), &err);
    r1_model_free(m);
    R1_ASSERT_OK(r1_file_write(beside, "0123456789abcdef", 7, &err), &err);
    CU_ASSERT_EQUAL(r1_model_open(&m, path, &err), R1_E_FORMAT);
    remove(beside);
    R1_ASSERT_OK(r1_model_seal(path, &err), &err); /* no checksum: opened, with a warning */
    R1_ASSERT_OK(r1_model_open(&m, path, &err), &err);
    r1_model_free(m);
    free(bytes);
}

R1_TEST_MAIN("model", {"description", test_description}, {"schema hash", test_schema_hash},
             {"JSON", test_json}, {"JSON values", test_json_values}, {"work", test_flop},
             {"file", test_model_file}, {"one flipped bit", test_flipped_bit}, {"gguf", test_gguf},
             {"tokens", test_tokens}, {"broken invariants", test_gguf_breaks})
