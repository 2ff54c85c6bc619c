/* SPDX-License-Identifier: Apache-2.0 */
/* Text from outside becomes UTF-8: well-formed text stays, other bytes are replaced, and a cut
 * falls between characters at every size. */
#include "support/r1_test.h"
#include "text/r1_utf8.h"

#include <stdlib.h>
#include <string.h>

#define BAD "\xef\xbf\xbd"

static void test_utf8_clean(void)
{
    static const struct {
        const char *text;
        size_t size;
        const char *expected;
    } cases[] = {
        {"", 1, ""},
        {"M\xc3\xbcller \xe6\xbc\xa2 \xf0\x9f\x98\x80", 64,
         "M\xc3\xbcller \xe6\xbc\xa2 \xf0\x9f\x98\x80"},
        {"M\xfcller", 64, "M" BAD "ller"},
        {"\xc0\xaf", 64, BAD BAD},                      /* overlong */
        {"\xed\xa0\x80", 64, BAD BAD BAD},              /* a surrogate */
        {"\xf4\x90\x80\x80!", 64, BAD BAD BAD BAD "!"}, /* beyond U+10FFFF */
        {"a\xe6\xbc", 64, "a" BAD BAD},                 /* cut before it came here */
        {"ab\xe6\xbc\xa2", 5, "ab"},                    /* 2 + 3 bytes and the NUL need 6 */
        {"ab\xe6\xbc\xa2", 6, "ab\xe6\xbc\xa2"},
        {"ab\xff", 5, "ab"},
        {"abc", 3, "ab"},
        {"abc", 1, ""},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char out[64];
        CU_ASSERT_EQUAL(r1_utf8_clean(out, cases[i].size, cases[i].text),
                        strlen(cases[i].expected));
        CU_ASSERT_STRING_EQUAL(out, cases[i].expected);
        CU_ASSERT_EQUAL(r1_utf8_valid(cases[i].text, strlen(cases[i].text)),
                        !strstr(cases[i].expected, BAD) && strcmp(cases[i].text, "ab\xff") != 0);
    }
}

static void test_utf8_damage(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 20000; i++) {
        char text[32] = "\xf0\x9f\x98\x80\xe6\xbc\xa2\xc3\xbc plain \xc3\xa9", out[64];
        for (int k = 0; k < 3; k++)
            text[r1_rng_below(&rng, 20)] = (char)(1 + r1_rng_below(&rng, 255));
        size_t len = r1_utf8_clean(out, 1 + r1_rng_below(&rng, sizeof out), text), n;
        CU_ASSERT_EQUAL(len, strlen(out));
        CU_ASSERT_TRUE(r1_utf8_valid(out, len));
        for (size_t at = 0; at < len; at += n) {
            n = r1_utf8_char(out + at, len - at);
            CU_ASSERT_TRUE_FATAL(n > 0);
        }
    }
}

/* What a terminal would obey is shown by its number; all else is as it was. */
static void test_utf8_print(void)
{
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    r1_utf8_print(f, "a\tb\xc3\xa9 \x1b[31m \xe2\x80\xae\xe2\x80\x8f \xff \xc2\x9b");
    fclose(f);
    CU_ASSERT_STRING_EQUAL(out, "a\tb\xc3\xa9 [U+001B][31m [U+202E][U+200F] \xef\xbf\xbd [U+009B]");
    free(out);
}

R1_TEST_MAIN("utf8", {"cases", test_utf8_clean}, {"damaged text", test_utf8_damage},
             {"terminal", test_utf8_print})
