/* SPDX-License-Identifier: Apache-2.0 */
/* med_decode.c - bytes of any usual encoding as UTF-8. A byte order mark decides first, then NUL
 * bytes in every second place, then whether the bytes are UTF-8. What is left is windows-1252,
 * which holds all of ISO 8859-1 that a letter uses. */
#include "documents/med_parts.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool med_valid_utf8(const char *s, size_t len, size_t *bad)
{
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(len - i), &c);
        if (n <= 0) {
            *bad = i;
            return false;
        }
        i += (size_t)n;
    }
    return true;
}

void med_code_page(const char *name, uint32_t page[256])
{
    iconv_t cd = iconv_open("UTF-32LE", name);
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned char in[1] = {(unsigned char)byte}, out[8];
        char *from = (char *)in, *to = (char *)out;
        size_t n_in = 1, n_out = sizeof out;
        bool known =
            cd != (iconv_t)-1 && iconv(cd, &from, &n_in, &to, &n_out) != (size_t)-1 && n_out == 4;
        page[byte] = !known ? 0xfffd
                            : out[0] | (uint32_t)out[1] << 8 | (uint32_t)out[2] << 16 |
                                  (uint32_t)out[3] << 24;
        if (cd != (iconv_t)-1) iconv(cd, NULL, NULL, NULL, NULL);
    }
    if (cd != (iconv_t)-1) iconv_close(cd);
}

/* The encoding that the first bytes tell, and how many of them are its mark. */
static const char *decode_guess(const char *s, size_t len, size_t *mark)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *name;
    } marks[] = {{"\xef\xbb\xbf", 3, "UTF-8"},
                 {"\xff\xfe\0\0", 4, "UTF-32LE"},
                 {"\0\0\xfe\xff", 4, "UTF-32BE"},
                 {"\xff\xfe", 2, "UTF-16LE"},
                 {"\xfe\xff", 2, "UTF-16BE"}};
    size_t zero[2] = {0, 0}, looked = len < 4096 ? len : 4096, bad;
    *mark = 0;
    for (size_t i = 0; i < R1_COUNT(marks); i++)
        if (len >= marks[i].n && memcmp(s, marks[i].bytes, marks[i].n) == 0) {
            *mark = marks[i].n;
            return marks[i].name;
        }
    for (size_t i = 0; i < looked; i++) zero[i % 2] += s[i] == '\0';
    if (zero[1] > looked / 4 && zero[0] == 0) return "UTF-16LE";
    if (zero[0] > looked / 4 && zero[1] == 0) return "UTF-16BE";
    return med_valid_utf8(s, len, &bad) ? "UTF-8" : "CP1252";
}

static r1_status decode_convert(const char *what, const char *from, const char *s, size_t len,
                                char **text, size_t *n, r1_err *err)
{
    size_t cap = len * 4 + 4, left = cap - 1, in = len;
    iconv_t cd = iconv_open("UTF-8", from);
    char *out = malloc(cap), *to = out, *at;
    memcpy(&at, &s, sizeof at); /* iconv reads through a pointer to char that is not const */
    if (cd == (iconv_t)-1 || !out) {
        if (cd != (iconv_t)-1) iconv_close(cd);
        free(out);
        R1_FAIL(err, R1_E_NOMEM, "%s: no memory to convert it from %s", what, from);
    }
    size_t lost = iconv(cd, &at, &in, &to, &left);
    iconv_close(cd);
    if (lost == (size_t)-1) {
        free(out);
        R1_FAIL(err, R1_E_FORMAT,
                "%s: byte %zu (0x%02x) is not %s, as the bytes before it are; save it as UTF-8",
                what, len - in, (unsigned char)s[len - in], from);
    }
    *n = (size_t)(to - out);
    out[*n] = '\0';
    *text = out;
    return R1_OK;
}

r1_status med_decode(med_document *d, const char *what, const char *bytes, size_t len, char **text,
                     size_t *n, r1_err *err)
{
    size_t mark, bad = 0;
    const char *name = decode_guess(bytes, len, &mark), *s = bytes + mark;
    len -= mark;
    bool utf8 = strcmp(name, "UTF-8") == 0;
    const char *nul = memchr(s, '\0', len);
    if ((utf8 || strcmp(name, "CP1252") == 0) && nul)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: a NUL byte at %zu: expected a text, a document or a list of findings", what,
                (size_t)(nul - bytes));
    if (!utf8) {
        R1_TRY(decode_convert(what, name, s, len, text, n, err));
        nul = memchr(*text, '\0', *n);
        if (nul) free(*text);
        if (nul) R1_FAIL(err, R1_E_FORMAT, "%s: NUL characters in a text of %s", what, name);
        med_document_note(d, "The text was converted from %s to UTF-8.",
                          strcmp(name, "CP1252") == 0 ? "windows-1252" : name);
        return R1_OK;
    }
    if (!med_valid_utf8(s, len, &bad))
        R1_FAIL(err, R1_E_FORMAT, "%s: byte %zu is not UTF-8, though the file has its mark", what,
                mark + bad);
    *text = malloc(len + 1);
    if (!*text) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its text", what);
    memcpy(*text, s, len);
    (*text)[len] = '\0';
    *n = len;
    return R1_OK;
}
