/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_privacy.c - the file of keys and what is sealed: each fault of a file by its words,
 * round trips for any bytes, and that no bit of what is sealed, of its row or of its key may
 * change. Random cases hold for every seed. */
#include "privacy/med_seal.h"
#include "support/r1_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static r1_err err;

static med_keys *keys_of(const char *name, int n)
{
    char made[MED_KEY_NAME_BYTES];
    const char *path = r1_test_in_tmp(name);
    med_keys *k = NULL;
    remove(path);
    for (int i = 0; i < n; i++) R1_ASSERT_OK(med_keys_add(path, "t", made, &err), &err);
    R1_ASSERT_OK(med_keys_open(&k, path, &err), &err);
    CU_ASSERT_STRING_EQUAL(med_keys_name(k, 0), made);
    return k;
}

/* The lines of a sound file, to be joined otherwise. */
static void keys_lines(char line[3][160])
{
    char *text, *rest = NULL;
    size_t len, n = 0;
    med_keys_free(keys_of("sound", 2));
    R1_ASSERT_OK(r1_file_read(r1_test_in_tmp("sound"), 4096, &text, &len, &err), &err);
    for (char *s = strtok_r(text, "\n", &rest); s; s = strtok_r(NULL, "\n", &rest))
        if (*s != '#' && n < 3) snprintf(line[n++], 160, "%s", s);
    CU_ASSERT_EQUAL_FATAL(n, 3); /* fresh, index, first */
    free(text);
}

static void keys_refused(const char *text, const char *words)
{
    const char *path = r1_test_in_tmp("faulty");
    med_keys *k = NULL;
    remove(path);
    R1_ASSERT_OK(r1_file_write(path, text, strlen(text), &err), &err);
    chmod(path, 0600);
    r1_status st = med_keys_open(&k, path, &err);
    CU_ASSERT_EQUAL(st, R1_E_INVAL);
    if (!strstr(err.msg, words)) printf("expected \"%s\", found \"%s\"\n", words, err.msg);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, words));
    med_keys_free(k);
}

/* The index key's check value tells keys apart, and ids of blanks are known. */
static void test_index_key(void)
{
    static const struct {
        const char *id;
        bool blank;
    } ids[] = {
        {"", true},         {" \t\r\n", true}, {"\v\f", true}, {"\xc2\xa0\xe3\x80\x80", true},
        {"\xc2\xad", true}, {" a ", false},    {"0", false},   {"\xff", false}};
    char a[MED_INDEX_BYTES], again[MED_INDEX_BYTES], b[MED_INDEX_BYTES], id[MED_INDEX_BYTES];
    med_keys *one = keys_of("one", 1), *other = keys_of("other", 1);
    med_index_check(one, a);
    med_index_check(one, again);
    med_index_check(other, b);
    med_index_of_id(one, "r1.med_index_key", 16, id);
    CU_ASSERT_STRING_EQUAL(a, again);
    CU_ASSERT_STRING_NOT_EQUAL(a, b);
    CU_ASSERT_STRING_NOT_EQUAL(a, id);
    for (size_t i = 0; i < R1_COUNT(ids); i++)
        CU_ASSERT_EQUAL(med_index_id_is_blank(ids[i].id, strlen(ids[i].id)), ids[i].blank);
    med_keys_free(one);
    med_keys_free(other);
}

static void test_keys_faults(void)
{
    char l[3][160], text[4096], digit[160];
    keys_lines(l);
    snprintf(digit, sizeof digit, "%s", l[0]);
    digit[strlen(digit) - 1] = digit[strlen(digit) - 1] == '0' ? '1' : '0';
    const struct {
        const char *a, *b, *words;
    } fault[] = {
        {l[0], "", "expected a line \"index\" and a line \"seal\""},
        {l[1], "# seal", "expected a line \"index\" and a line \"seal\""},
        {l[1], l[1], ":2: expected one line \"index\", found a second one"},
        {l[0], l[0], ":2: expected at most 16 keys, each once"},
        {l[1], digit, ":2: expected a key with the fingerprint"},
        {l[1], "seal name", ":2: expected \"index NAME KEY\" or"},
        {l[1], "lock name 00", ":2: expected \"index NAME KEY\" or"},
        {l[1], "seal too-short 00", ":2: expected a key of 64 hexadecimal digits"},
        {l[1], "seal short 00", ":2: expected a name of 8 to 39 characters, found 5"},
        {"", "", "records key"},
    };
    for (size_t i = 0; i < R1_COUNT(fault); i++) {
        snprintf(text, sizeof text, "%s\r\n%s\n", fault[i].a, fault[i].b);
        keys_refused(text, fault[i].words);
    }
    CU_ASSERT_PTR_NULL(strstr(err.msg, strrchr(l[0], ' ')));
}

static void test_keys_mode(void)
{
    med_keys *k = NULL;
    struct stat is;
    char name[MED_KEY_NAME_BYTES];
    const char *path = r1_test_in_tmp("mode");
    R1_ASSERT_OK(med_keys_add(path, "a", name, &err), &err);
    CU_ASSERT_EQUAL_FATAL(stat(path, &is), 0);
    CU_ASSERT_EQUAL(is.st_mode & 0777, 0600);
    chmod(path, 0640);
    CU_ASSERT_EQUAL(med_keys_open(&k, path, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "found mode 640: chmod 600"));
    CU_ASSERT_EQUAL(med_keys_add(path, "b", name, &err), R1_E_INVAL); /* nor is it read to grow */
    CU_ASSERT_NOT_EQUAL(med_keys_open(&k, r1_test_in_tmp("none"), &err), R1_OK);
    for (const char *const *bad =
             (const char *const[]){"", "a b", "a/b", "0123456789012345678901234", NULL};
         *bad; bad++)
        CU_ASSERT_EQUAL(med_keys_add(r1_test_in_tmp("label"), *bad, name, &err), R1_E_INVAL);
}

static void test_keys_many(void)
{
    char name[MED_KEY_NAME_BYTES];
    med_keys *k = keys_of("many", MED_KEYS_MAX);
    CU_ASSERT_PTR_NOT_NULL(med_keys_name(k, MED_KEYS_MAX - 1));
    CU_ASSERT_PTR_NULL(med_keys_name(k, MED_KEYS_MAX));
    med_keys_free(k);
    CU_ASSERT_EQUAL(med_keys_add(r1_test_in_tmp("many"), "t", name, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "take out those that seal nothing"));
}

/* ---- sealing ---- */

static const med_place here = {"cluster", "records", 3, 17};

static bool opens(const med_keys *k, const char *key, const med_place *p, const char *kind,
                  const char *hex, r1_status expected)
{
    char *bytes = NULL;
    size_t len = 0;
    r1_status st = med_unseal(k, key, p, kind, hex, &bytes, &len, &err);
    CU_ASSERT_EQUAL(st, expected);
    med_seal_forget(bytes, len);
    return st == R1_OK;
}

static void test_seal_round_trips(void)
{
    med_keys *k = keys_of("round", 2);
    r1_rng rng;
    char bytes[600], *hex, *again, *plain;
    size_t len;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 200; i++) {
        size_t n = i == 0 ? 0 : (size_t)r1_rng_below(&rng, sizeof bytes);
        for (size_t j = 0; j < n; j++) bytes[j] = (char)r1_rng_below(&rng, 256);
        const med_place p = {"c", "t", (int32_t)r1_rng_below(&rng, 9), (int64_t)r1_rng_u64(&rng)};
        R1_ASSERT_OK(med_seal(k, &p, MED_SEALED_TEXT, bytes, n, &hex, &err), &err);
        R1_ASSERT_OK(med_seal(k, &p, MED_SEALED_TEXT, bytes, n, &again, &err), &err);
        CU_ASSERT_STRING_NOT_EQUAL(hex, again);
        R1_ASSERT_OK(
            med_unseal(k, med_keys_name(k, 0), &p, MED_SEALED_TEXT, again, &plain, &len, &err),
            &err);
        CU_ASSERT_EQUAL(len, n);
        CU_ASSERT_EQUAL(memcmp(plain, bytes, n), 0);
        med_seal_forget(plain, len);
        free(hex);
        free(again);
    }
    med_keys_free(k);
}

/* Each bit of the sealed bytes, each cut, each part of the row's name, each other key. */
static void test_seal_bound(void)
{
    static const char id[] = "MRN-0042";
    med_keys *k = keys_of("bound", 2), *other = keys_of("other", 1);
    char *hex;
    const char *key = med_keys_name(k, 0);
    const med_place moved[] = {{"Cluster", "records", 3, 17}, {"cluster", "record", 3, 17},
                               {"cluster", "records", 4, 17}, {"cluster", "records", 3, 18},
                               {"clusterr", "ecords", 3, 17}, {"cluster", "records", 31, 7}};
    R1_ASSERT_OK(med_seal(k, &here, MED_SEALED_ID, id, strlen(id), &hex, &err), &err);
    CU_ASSERT(opens(k, key, &here, MED_SEALED_ID, hex, R1_OK));
    for (size_t i = 0; i < R1_COUNT(moved); i++)
        CU_ASSERT_FALSE(opens(k, key, &moved[i], MED_SEALED_ID, hex, R1_E_FORMAT));
    opens(k, key, &here, MED_SEALED_TEXT, hex, R1_E_FORMAT);
    opens(k, med_keys_name(k, 1), &here, MED_SEALED_ID, hex, R1_E_FORMAT);
    opens(other, key, &here, MED_SEALED_ID, hex, R1_E_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "lacks: add its line"));
    for (size_t i = 0; i < strlen(hex); i++) {
        char was = hex[i];
        hex[i] = was == '0' ? '1' : '0';
        opens(k, key, &here, MED_SEALED_ID, hex, R1_E_FORMAT);
        hex[i] = '\0';
        opens(k, key, &here, MED_SEALED_ID, hex, R1_E_FORMAT);
        CU_ASSERT_PTR_NULL(strstr(err.msg, id));
        hex[i] = was;
    }
    opens(k, key, &here, MED_SEALED_ID, "zz", R1_E_FORMAT);
    free(hex);
    med_keys_free(k);
    med_keys_free(other);
}

/* ---- the blind index ---- */

static void index_of(const med_keys *k, const char *id, char out[MED_INDEX_BYTES])
{
    med_index_of_id(k, id, strlen(id), out);
}

static void test_index(void)
{
    med_keys *k = keys_of("index", 1), *other = keys_of("index2", 1);
    static const char *const same[] = {"MRN-0042", "mrn-0042", " MRN - 0042\n", "ＭＲＮ-0042",
                                       "MRN-\u200b0042"};
    static const char *const differ[] = {"MRN-0043", "MRN0042", "MRN-042", "", "\xff\xfe"};
    char first[MED_INDEX_BYTES], x[MED_INDEX_BYTES];
    index_of(k, same[0], first);
    CU_ASSERT_EQUAL(strncmp(first, med_index_name(k), 8), 0);
    for (size_t i = 1; i < R1_COUNT(same); i++) {
        index_of(k, same[i], x);
        CU_ASSERT_STRING_EQUAL(x, first);
    }
    for (size_t i = 0; i < R1_COUNT(differ); i++) {
        index_of(k, differ[i], x);
        CU_ASSERT_STRING_NOT_EQUAL(x, first);
    }
    med_index_of_record(k, same[0], strlen(same[0]), x);
    CU_ASSERT_STRING_NOT_EQUAL(x, first); /* of another purpose */
    index_of(other, same[0], x);
    CU_ASSERT_STRING_NOT_EQUAL(x + 9, first + 9);
    uint64_t a = med_index_number(k, "dates", "MRN-0042", 8, 1000);
    CU_ASSERT(a < 1000);
    CU_ASSERT_EQUAL(a, med_index_number(k, "dates", "mrn-0042", 8, 1000));
    med_keys_free(k);
    med_keys_free(other);
}

R1_TEST_MAIN("med_privacy", {"faults of a file of keys", test_keys_faults},
             {"the index key", test_index_key}, {"its mode", test_keys_mode},
             {"many keys", test_keys_many}, {"round trips", test_seal_round_trips},
             {"what is bound", test_seal_bound}, {"blind index", test_index})
