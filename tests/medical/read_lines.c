/* SPDX-License-Identifier: Apache-2.0 */
/* read_lines.c - see read_lines.h. */
#include "medical/read_lines.h"

#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_err err;

uint32_t term_named(const med_kb *kb, const char *name, size_t len)
{
    for (uint32_t i = 0; i < kb->n_term; i++) {
        const char *s = med_str(kb, kb->term[i].name);
        if (strlen(s) == len && memcmp(s, name, len) == 0) return i;
    }
    fprintf(stderr, "no finding %.*s\n", (int)len, name);
    CU_FAIL_FATAL("a finding that the test's ontology lacks");
    return 0;
}

static size_t put_code_point(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 63));
    out[2] = (char)(0x80 | (c & 63));
    return 3;
}

size_t unescaped(const char *s, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '\\' || i + 1 == len) {
            out[n++] = s[i];
            continue;
        }
        char c = s[++i], hex[5] = "";
        if (c == 'u' && i + 4 < len + 1) {
            memcpy(hex, s + i + 1, 4);
            n += put_code_point(out + n, (uint32_t)strtoul(hex, NULL, 16));
            i += 4;
        } else {
            out[n++] = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
    }
    return n;
}

bool read_as(const med_notes *n, uint32_t term, const char *wanted, size_t len)
{
    bool any = false, good = true;
    for (uint32_t i = 0; i < n->n_mention; i++) {
        if (n->mention[i].term != term) continue;
        bool fits = false;
        for (const char *s = wanted; s < wanted + len;) {
            size_t k = strcspn(s, "|;\n");
            const char *name = med_status_name[n->mention[i].status];
            fits |= strlen(name) == k && memcmp(s, name, k) == 0;
            s += k + 1;
        }
        any = true;
        good &= fits;
    }
    return any ? good : memchr(wanted, '-', len) != NULL;
}

static bool line_is_read(const med_kb *kb, const med_lexicon *lex, const char *line, size_t len)
{
    const char *tab = memchr(line, '\t', len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tab);
    char *text = malloc(len + 1);
    size_t n_text = unescaped(line, (size_t)(tab - line), text);
    med_notes n;
    R1_ASSERT_OK(med_notes_read(&n, lex, kb, "line", text, n_text, &err), &err);
    bool good = true;
    for (const char *s = tab + 1, *end = line + len; s < end;) {
        const char *stop = memchr(s, ';', (size_t)(end - s));
        if (!stop) stop = end;
        const char *is = memchr(s, '=', (size_t)(stop - s));
        CU_ASSERT_PTR_NOT_NULL_FATAL(is);
        good &= read_as(&n, term_named(kb, s, (size_t)(is - s)), is + 1, (size_t)(stop - is - 1));
        s = stop + 1;
    }
    med_notes_free(&n);
    free(text);
    return good;
}

void read_lines(const med_kb *kb, const med_lexicon *lex, const char *name, uint32_t *n,
                uint32_t *good)
{
    char path[100], *data = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "tests/medical/lines/%s.tsv", name);
    R1_ASSERT_OK(r1_file_read(r1_test_source(path), 1u << 20, &data, &len, &err), &err);
    char *s = strchr(data, '\n') + 1;
    for (char *nl; (nl = strchr(s, '\n')) != NULL; s = nl + 1) {
        bool read = line_is_read(kb, lex, s, (size_t)(nl - s));
        if (!read) fprintf(stderr, "%s: %.*s\n", name, (int)(nl - s), s);
        ++*n;
        *good += read;
    }
    free(data);
}
