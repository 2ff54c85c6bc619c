/* SPDX-License-Identifier: Apache-2.0 */
/* med_rtf.c - the text of an RTF file (Rich Text Format 1.9.1). Fonts, styles, pictures, headers,
 * footers and fields' instructions are left out. The bullets and numbers of lists stay, as the
 * program that wrote the file put them beside the lists. */
#include "documents/med_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RTF_WORD_MAX = 32 };

typedef struct {
    bool skip;     /* of this group nothing is text */
    bool struck;   /* its text is crossed out or deleted */
    int unicode_n; /* characters that follow a \u for readers that do not know it */
} rtf_group;

typedef struct {
    const char *what, *s;
    size_t at, len;
    rtf_group group[MED_DOCUMENT_DEPTH_MAX * 4];
    uint32_t depth;
    int swallow;   /* characters still to be left out after a \u */
    uint32_t high; /* the first half of a surrogate pair */
    char code_page[12];
    bool page_known; /* page holds code_page */
    uint32_t page[256];
    bool crossing;     /* the last character was crossed out */
    bool cell;         /* a tab is owed before the next cell's text */
    uint32_t n_header; /* headers, footers and notes left out */
    med_prose prose;
} rtf;

static void rtf_put(rtf *r, uint32_t c)
{
    if (r->group[r->depth].skip) return;
    if (r->swallow > 0) {
        r->swallow--;
        return;
    }
    if (r->group[r->depth].struck && c != '\n') {
        r->prose.struck += !r->crossing;
        r->crossing = true;
        return;
    }
    r->crossing = false;
    if (r->cell) med_prose_add(&r->prose, "\t", 1);
    r->cell = false;
    if (c == '\n')
        med_prose_line(&r->prose);
    else
        med_prose_char(&r->prose, c);
}

static uint32_t rtf_of_page(rtf *r, unsigned char byte)
{
    if (!r->page_known) med_code_page(r->code_page, r->page);
    r->page_known = true;
    return r->page[byte];
}

/* \u takes a signed 16-bit number; two of them make a character beyond the first plane. */
static void rtf_unicode(rtf *r, long value)
{
    uint32_t c = (uint32_t)(value < 0 ? value + 65536 : value) & 0xffff;
    r->swallow = 0;
    if (c >= 0xd800 && c < 0xdc00)
        r->high = c;
    else if (c >= 0xdc00 && c < 0xe000 && r->high)
        rtf_put(r, 0x10000 + ((r->high - 0xd800) << 10) + (c - 0xdc00)), r->high = 0;
    else
        rtf_put(r, c);
    r->swallow = r->group[r->depth].unicode_n;
}

static bool rtf_is(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0) return true;
    return false;
}

/* Words that stand for a character. */
static bool rtf_symbol(rtf *r, const char *word)
{
    static const struct {
        const char *word;
        uint32_t c;
    } symbols[] = {{"par", '\n'},      {"line", '\n'},        {"sect", '\n'},
                   {"page", '\n'},     {"row", '\n'},         {"tab", '\t'},
                   {"emdash", 0x2014}, {"endash", 0x2013},    {"bullet", 0x2022},
                   {"lquote", 0x2018}, {"rquote", 0x2019},    {"emspace", ' '},
                   {"enspace", ' '},   {"ldblquote", 0x201c}, {"rdblquote", 0x201d}};
    for (size_t i = 0; i < R1_COUNT(symbols); i++)
        if (strcmp(word, symbols[i].word) == 0) {
            if (symbols[i].c == '\n') r->cell = false;
            rtf_put(r, symbols[i].c);
            return true;
        }
    return false;
}

static void rtf_control(rtf *r, const char *word, bool given, long value)
{
    static const char *const skipped[] = {
        "fonttbl",   "colortbl",  "stylesheet",        "info",    "pict",      "object",
        "fldinst",   "listtable", "listoverridetable", "rsidtbl", "generator", "xmlnstbl",
        "themedata", "datastore", "bkmkstart",         "bkmkend", "filetbl",   "revtbl",
        "comment"};
    static const char *const margins[] = {"header",   "headerl",   "headerr", "headerf",
                                          "footer",   "footerl",   "footerr", "footerf",
                                          "footnote", "annotation"};
    static const char *const crosses[] = {"strike", "striked", "deleted"};
    rtf_group *g = &r->group[r->depth];
    if (rtf_is(word, skipped, R1_COUNT(skipped))) {
        g->skip = true;
    } else if (rtf_is(word, margins, R1_COUNT(margins))) {
        r->n_header += !g->skip;
        g->skip = true;
    } else if (rtf_is(word, crosses, R1_COUNT(crosses))) {
        g->struck = !given || value != 0;
    } else if (strcmp(word, "plain") == 0) {
        g->struck = false;
    } else if (strcmp(word, "u") == 0 && given) {
        rtf_unicode(r, value);
    } else if (strcmp(word, "uc") == 0) {
        g->unicode_n = value >= 0 && value < 16 ? (int)value : 1;
    } else if (strcmp(word, "ansicpg") == 0 && value > 0 && value < 65536) {
        snprintf(r->code_page, sizeof r->code_page, "CP%d", (int)value);
        r->page_known = false;
    } else if (strcmp(word, "mac") == 0) {
        snprintf(r->code_page, sizeof r->code_page, "MACINTOSH");
        r->page_known = false;
    } else if (strcmp(word, "cell") == 0) {
        r->cell = !g->skip;
    } else if (strcmp(word, "bin") == 0 && value > 0) {
        size_t left = r->len - r->at;
        r->at += (size_t)value < left ? (size_t)value : left;
    } else {
        rtf_symbol(r, word);
    }
}

/* After a backslash. */
static void rtf_escape(rtf *r)
{
    char word[RTF_WORD_MAX + 1] = "", c = r->at < r->len ? r->s[r->at] : '\0';
    size_t n = 0;
    if (c == '\'' && r->len - r->at >= 3 && isxdigit((unsigned char)r->s[r->at + 1]) &&
        isxdigit((unsigned char)r->s[r->at + 2])) {
        char hex[3] = {r->s[r->at + 1], r->s[r->at + 2], '\0'};
        r->at += 3;
        rtf_put(r, rtf_of_page(r, (unsigned char)strtoul(hex, NULL, 16)));
        return;
    }
    if (!isalpha((unsigned char)c)) {
        r->at += r->at < r->len;
        if (c == '*') r->group[r->depth].skip = true;
        if (c == '\\' || c == '{' || c == '}') rtf_put(r, (unsigned char)c);
        if (c == '~') rtf_put(r, ' ');
        if (c == '_') rtf_put(r, '-');
        if (c == '\r' || c == '\n') rtf_put(r, '\n');
        return;
    }
    for (; r->at < r->len && isalpha((unsigned char)r->s[r->at]); r->at++)
        if (n < RTF_WORD_MAX) word[n++] = r->s[r->at];
    word[n] = '\0';
    bool minus = r->at < r->len && r->s[r->at] == '-', given = false;
    long value = 0;
    if (minus) r->at++;
    for (; r->at < r->len && isdigit((unsigned char)r->s[r->at]); r->at++, given = true)
        if (value < 100000000) value = value * 10 + (r->s[r->at] - '0');
    if (r->at < r->len && r->s[r->at] == ' ') r->at++;
    rtf_control(r, word, given, minus ? -value : value);
}

static r1_status rtf_open(rtf *r, r1_err *err)
{
    if (r->depth + 1 == R1_COUNT(r->group))
        R1_FAIL(err, R1_E_FORMAT, "%s: byte %zu: groups of RTF nested deeper than %zu", r->what,
                r->at, R1_COUNT(r->group) - 1);
    r->group[r->depth + 1] = r->group[r->depth];
    r->depth++;
    r->swallow = 0;
    return R1_OK;
}

static r1_status rtf_read(rtf *r, r1_err *err)
{
    while (r->at < r->len) {
        unsigned char c = (unsigned char)r->s[r->at++];
        if (c == '{') {
            R1_TRY(rtf_open(r, err));
        } else if (c == '}') {
            if (r->depth) r->depth--;
            r->swallow = 0;
            if (r->depth == 0) return R1_OK;
        } else if (c == '\\') {
            rtf_escape(r);
        } else if (c >= 0x80) {
            rtf_put(r, rtf_of_page(r, c));
        } else if (c >= ' ' || c == '\t') {
            rtf_put(r, c);
        }
    }
    R1_FAIL(err, R1_E_FORMAT, "%s: RTF that ends inside a group: the file is cut off", r->what);
}

r1_status med_rtf_text(med_document *d, const char *what, const char *s, size_t len, r1_err *err)
{
    rtf *r = calloc(1, sizeof *r);
    if (!r) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read RTF", what);
    *r = (rtf){.what = what, .s = s, .len = len, .code_page = "CP1252"};
    r->group[0].unicode_n = 1;
    r1_status st = rtf_read(r, err);
    if (st == R1_OK)
        st = med_prose_finish(&r->prose, d, what, err);
    else
        free(r->prose.s);
    if (st == R1_OK && r->n_header)
        med_document_note(d, "%u headers, footers or footnotes of the document were left out.",
                          r->n_header);
    free(r);
    return st;
}
