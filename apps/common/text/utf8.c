/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - the characters of UTF-8: no overlong form, no surrogate, nothing beyond U+10FFFF. */
#include "r1_assert.h"
#include "text/r1_utf8.h"

#include <string.h>

size_t r1_utf8_next(const char *s, size_t len, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)s;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    R1_ASSERT(len > 0, "a character of an empty string");
    size_t n = p[0] < 0x80             ? 1
               : (p[0] & 0xe0) == 0xc0 ? 2
               : (p[0] & 0xf0) == 0xe0 ? 3
               : (p[0] & 0xf8) == 0xf0 ? 4
                                       : 0;
    uint32_t c = n == 1 ? p[0] : n ? p[0] & (0xffu >> (n + 1)) : 0;
    bool good = n > 0 && n <= len;
    for (size_t i = 1; good && i < n; i++) {
        good = (p[i] & 0xc0) == 0x80;
        c = c << 6 | (p[i] & 0x3f);
    }
    good = good && c >= least[n] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
    *code = good ? c : R1_UTF8_BAD;
    return good ? n : 1;
}

bool r1_utf8_hidden(uint32_t c)
{
    if (c < 0x20) return c != '\t' && c != '\n' && c != '\r';
    return (c >= 0x7f && c <= 0x9f) ||                  /* DEL, C1 */
           c == 0x61c || c == 0x200e || c == 0x200f ||  /* marks of direction */
           c == 0x200b || c == 0x2060 || c == 0xfeff || /* without width */
           (c >= 0x2028 && c <= 0x202e) ||              /* separators, embeddings, overrides */
           (c >= 0x2066 && c <= 0x2069) ||              /* isolates */
           (c >= 0xfff9 && c <= 0xfffb) ||              /* annotations between the lines */
           (c >= 0xe0000 && c <= 0xe007f);              /* tags */
}

size_t r1_utf8_char(const char *s, size_t len)
{
    uint32_t code;
    size_t n = len ? r1_utf8_next(s, len, &code) : 0;
    return n && code != R1_UTF8_BAD ? n : 0;
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

void r1_utf8_print(FILE *out, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t code;
        n = r1_utf8_next(text + i, len - i, &code);
        if (code == R1_UTF8_BAD)
            fputs("\xef\xbf\xbd", out);
        else if (r1_utf8_hidden(code))
            fprintf(out, "[U+%04X]", code);
        else
            fwrite(text + i, 1, n, out);
    }
}
