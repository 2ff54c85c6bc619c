/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - the characters of UTF-8: no overlong form, no surrogate, nothing beyond U+10FFFF. */
#include "r1_assert.h"
#include "text/r1_utf8.h"

#include <string.h>

size_t r1_utf8_char(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    if (len == 0) return 0;
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (!n || n > len) return 0;
    for (size_t k = 1; k < n; k++)
        if ((p[k] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool r1_utf8_valid(const char *s, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len && n; i += n) n = r1_utf8_char(s + i, len - i);
    return n != 0;
}

size_t r1_utf8_clean(char *out, size_t size, const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t len = strlen(text), n_out = 0;
    R1_ASSERT(size > 0, "no room for the NUL of a text of %zu bytes", len);
    for (size_t i = 0; i < len;) {
        size_t n = r1_utf8_char(text + i, len - i), n_put = n ? n : sizeof replacement - 1;
        if (n_out + n_put >= size) break;
        memcpy(out + n_out, n ? text + i : replacement, n_put);
        n_out += n_put;
        i += n ? n : 1;
    }
    out[n_out] = 0;
    return n_out;
}
