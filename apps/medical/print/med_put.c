/* SPDX-License-Identifier: Apache-2.0 */
/* med_put.c - see med_put.h. A template is read once: its own characters are written as they are,
 * each string argument goes through put_bytes. */
#include "print/med_put.h"

#include "r1_assert.h"
#include "text/r1_utf8.h"

#include <stdlib.h>
#include <string.h>

/* Behind a string that was cut; the number of bytes that are not shown. */
#define MED_PUT_CUT_F " [%zu bytes left out]"

static const char put_replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* What is written in the place of a character; NULL: the character itself. */
static const char *put_instead(med_medium m, uint32_t c)
{
    if (c == R1_UTF8_BAD) return put_replacement;
    if (c == '\n' || c == '\r') return " ";
    if (c == '\t') return m == MED_TABLE ? " " : NULL;
    if (m != MED_HTML) return NULL;
    switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    default: return NULL;
    }
}

/* width counts what a reader sees: the bound holds for the page, not for the source alone. */
static void put_bytes(FILE *f, med_medium m, const char *s, size_t len, size_t width_max)
{
    size_t width = 0, from = 0, i = 0, n;
    for (; i < len && width < width_max; i += n) {
        uint32_t c;
        n = r1_utf8_next(s + i, len - i, &c);
        bool hidden = r1_utf8_hidden(c);
        const char *instead = hidden ? NULL : put_instead(m, c);
        width += hidden ? 8 : n;
        if (!hidden && !instead) continue;
        fwrite(s + from, 1, i - from, f);
        from = i + n;
        if (hidden)
            fprintf(f, "[U+%04X]", (unsigned)c);
        else
            fputs(instead, f);
    }
    R1_ASSERT(from <= i && i <= len, "bytes %zu to %zu of %zu", from, i, len);
    fwrite(s + from, 1, i - from, f);
    if (i < len) fprintf(f, MED_PUT_CUT_F, len - i);
}

/* One conversion that is no string, as printf does it. spec ends with its letter. */
static void put_number(FILE *f, const char *spec, size_t n, va_list *ap)
{
    char form[24];
    R1_ASSERT(n < sizeof form, "template: a conversion of %zu characters", n);
    memcpy(form, spec, n);
    form[n] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    switch (form[n - 1]) {
    case 'd': fprintf(f, form, va_arg(*ap, int)); break;
    case 'f': fprintf(f, form, va_arg(*ap, double)); break;
    case 'u':
        if (n > 2 && form[n - 2] == 'z')
            fprintf(f, form, va_arg(*ap, size_t));
        else
            fprintf(f, form, va_arg(*ap, unsigned));
        break;
    default: R1_ASSERT(form[n - 1] == '%', "template: the conversion \"%s\"", form); fputc('%', f);
    }
#pragma GCC diagnostic pop
}

void med_put(FILE *f, med_medium m, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    for (const char *p = template; *p;) {
        size_t n = strcspn(p, "%");
        fwrite(p, 1, n, f);
        p += n;
        if (!*p) break;
        n = 1 + strcspn(p + 1, "sdfu%") + 1;
        if (p[n - 1] != 's') {
            put_number(f, p, n, &ap);
        } else if (n == 2) {
            const char *s = va_arg(ap, const char *);
            put_bytes(f, m, s ? s : "", s ? strlen(s) : 0, MED_STRING_MAX);
        } else {
            R1_ASSERT(memcmp(p, "%.*s", 4) == 0, "template: \"%.8s\"", p);
            int len = va_arg(ap, int);
            R1_ASSERT(len >= 0, "a string of %d bytes", len);
            put_bytes(f, m, va_arg(ap, const char *), (size_t)len, MED_SPAN_MAX);
        }
        p += n;
    }
    va_end(ap);
}

/* JSON keeps every character; only bytes that are no UTF-8 and what is too long change. */
static json_t *put_json(const char *s, size_t len, size_t max)
{
    char *out = NULL;
    size_t n_out = 0, i = 0, from = 0, n;
    FILE *f = open_memstream(&out, &n_out);
    if (!f) return NULL;
    for (; i < len && i < max; i += n) {
        uint32_t c;
        n = r1_utf8_next(s + i, len - i, &c);
        if (c != R1_UTF8_BAD) continue;
        fwrite(s + from, 1, i - from, f);
        fputs(put_replacement, f);
        from = i + n;
    }
    fwrite(s + from, 1, i - from, f);
    if (i < len) fprintf(f, MED_PUT_CUT_F, len - i);
    bool good = fclose(f) == 0 && out;
    json_t *j = good ? json_stringn(out, n_out) : NULL;
    free(out);
    return j;
}

json_t *med_json_span(const char *s, size_t len)
{
    json_t *j = len <= MED_SPAN_MAX ? json_stringn(s, len) : NULL;
    return j ? j : put_json(s, len, MED_SPAN_MAX);
}

json_t *med_json_string(const char *s)
{
    size_t len = s ? strlen(s) : 0;
    json_t *j = len <= MED_STRING_MAX ? json_stringn(s ? s : "", len) : NULL;
    return j ? j : put_json(s ? s : "", len, MED_STRING_MAX);
}
