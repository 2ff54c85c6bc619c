/* SPDX-License-Identifier: Apache-2.0 */
/* med_identifiers.c - see med_identifiers.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "deidentify/med_identifiers.h"

#include "med_data.h"
#include "notes/med_rows.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LETS_MAX = 32, ROWS_MAX = 160, PATTERN_BYTES = 16384, MONTH_FORMS = 3, FORM_BYTES = 16 };

const char *const med_identifier_name[MED_IDENTIFIER_ROWS] = {
    "NAME",    "PLACE",   "DATE",    "AGE",    "PHONE", "FAX", "EMAIL",     "SSN", "MRN",  "PLAN",
    "ACCOUNT", "LICENCE", "VEHICLE", "DEVICE", "URL",   "IP",  "BIOMETRIC", "ID",  "keep", "weak"};
static const char *const group_name[MED_DATE_PARTS] = {"y", "m", "d", "M", "a", "b", "o"};

typedef struct {
    med_identifier_kind kind;
    unsigned flags;
    pcre2_code *code;
    int value, part[MED_DATE_PARTS]; /* numbers of groups; 0: it has none */
} identifier_row;
struct med_identifiers {
    identifier_row row[ROWS_MAX];
    size_t n_row;
    char month[12][MONTH_FORMS][FORM_BYTES];
};

typedef struct {
    med_identifiers *x;
    struct {
        char name[16];
        char *pattern;
    } let[LETS_MAX];
    size_t n_let;
    char months[2048]; /* (?:January|JANUARY|...) */
    char pattern[PATTERN_BYTES];
} identifiers_reader;

#define ROW_FAIL(err, line, ...)                                                                   \
    do {                                                                                           \
        r1_err_set((err), R1_E_FORMAT, __FILE__, __LINE__, __VA_ARGS__);                           \
        return r1_err_prefix((err), "identifiers.tsv:%u: ", (line)), R1_E_FORMAT;                  \
    } while (0)

/* ---- rows ---- */

static const char *let_find(const identifiers_reader *r, const char *name, size_t len)
{
    if (len == 5 && memcmp(name, "Month", 5) == 0) return r->months;
    for (size_t i = 0; i < r->n_let; i++)
        if (strlen(r->let[i].name) == len && memcmp(r->let[i].name, name, len) == 0)
            return r->let[i].pattern;
    return NULL;
}

/* {NAME} becomes its pattern as one group; braces of other kinds stay. */
static r1_status pattern_expand(const identifiers_reader *r, uint32_t line, const char *s,
                                size_t len, char out[PATTERN_BYTES], r1_err *err)
{
    size_t at = 0;
    for (size_t i = 0; i < len;) {
        const char *close = s[i] == '{' ? memchr(s + i, '}', len - i) : NULL;
        const char *value = close ? let_find(r, s + i + 1, (size_t)(close - s) - i - 1) : NULL;
        int n = value ? snprintf(out + at, PATTERN_BYTES - at, "(?:%s)", value)
                      : snprintf(out + at, PATTERN_BYTES - at, "%c", s[i]);
        at += (size_t)n;
        if (at >= PATTERN_BYTES)
            ROW_FAIL(err, line, "a pattern of more than %d bytes", PATTERN_BYTES);
        i = value ? (size_t)(close - s) + 1 : i + 1;
    }
    return R1_OK;
}

static r1_status row_flags(uint32_t line, const char *s, size_t len, unsigned *flags, r1_err *err)
{
    static const char letters[] = "nwgbepsc";
    *flags = 0;
    for (size_t i = 0; i < len; i++) {
        const char *at = strchr(letters, s[i]);
        if (s[i] == '-') continue;
        if (!at || !s[i])
            ROW_FAIL(err, line, "a flag '%c', expected n, w, g, b, e, p, s, c or -", s[i]);
        *flags |= 1u << (at - letters);
    }
    return R1_OK;
}

static r1_status row_compile(identifier_row *row, uint32_t line, const char *pattern, r1_err *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    row->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &at, NULL);
    if (!row->code) {
        char why[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        ROW_FAIL(err, line, "%s, near \"%.40s\"", why, pattern + (at > 20 ? at - 20 : 0));
    }
    pcre2_jit_compile(row->code, PCRE2_JIT_COMPLETE); /* without it matching is slower alone */
    int value = pcre2_substring_number_from_name(row->code, (PCRE2_SPTR) "v");
    row->value = value > 0 ? value : 0;
    for (int i = 0; i < MED_DATE_PARTS; i++) {
        int part = pcre2_substring_number_from_name(row->code, (PCRE2_SPTR)group_name[i]);
        row->part[i] = part > 0 ? part : 0;
    }
    return R1_OK;
}

static r1_status row_pattern(identifiers_reader *r, uint32_t line, const char *const field[3],
                             const size_t len[3], r1_err *err)
{
    med_identifiers *x = r->x;
    size_t kind = 0;
    while (kind < MED_IDENTIFIER_ROWS && (strlen(med_identifier_name[kind]) != len[0] ||
                                          memcmp(med_identifier_name[kind], field[0], len[0]) != 0))
        kind++;
    if (kind == MED_IDENTIFIER_ROWS || x->n_row == ROWS_MAX)
        ROW_FAIL(err, line, "a kind that is not known, or more than %d rows", ROWS_MAX);
    identifier_row *row = &x->row[x->n_row++];
    row->kind = (med_identifier_kind)kind;
    R1_TRY(row_flags(line, field[1], len[1], &row->flags, err));
    R1_TRY(pattern_expand(r, line, field[2], len[2], r->pattern, err));
    return row_compile(row, line, r->pattern, err);
}

static r1_status row_let(identifiers_reader *r, uint32_t line, const char *const field[3],
                         const size_t len[3], r1_err *err)
{
    if (r->n_let == LETS_MAX || len[1] >= sizeof r->let[0].name)
        ROW_FAIL(err, line, "more than %d names, or one that is too long", LETS_MAX);
    R1_TRY(pattern_expand(r, line, field[2], len[2], r->pattern, err));
    snprintf(r->let[r->n_let].name, sizeof r->let[0].name, "%.*s", (int)len[1], field[1]);
    r->let[r->n_let].pattern = strdup(r->pattern);
    if (!r->let[r->n_let++].pattern) R1_FAIL(err, R1_E_NOMEM, "no memory for patterns");
    return R1_OK;
}

static r1_status row_month(identifiers_reader *r, uint32_t line, const char *const field[3],
                           const size_t len[3], r1_err *err)
{
    long number = strtol(field[1], NULL, 10);
    const char *s = field[2], *end = s + len[2];
    if (number < 1 || number > 12) ROW_FAIL(err, line, "a month %ld, expected 1 to 12", number);
    for (int i = 0; i < MONTH_FORMS && s < end; i++) {
        char *form = r->x->month[number - 1][i], upper[FORM_BYTES];
        size_t n = 0, at = strlen(r->months);
        while (s + n < end && s[n] != '|') n++;
        snprintf(form, FORM_BYTES, "%.*s", (int)n, s);
        for (size_t k = 0; k < FORM_BYTES; k++) upper[k] = (char)toupper((unsigned char)form[k]);
        s += n + 1;
        /* The closing bracket is written anew behind each form. */
        snprintf(r->months + (at ? at - 1 : 0), sizeof r->months - at, "%s%s|%s)",
                 at ? "|" : "(?:", form, upper);
    }
    return R1_OK;
}

static r1_status identifiers_row(void *ctx, uint32_t line, const char *s, size_t len, r1_err *err)
{
    identifiers_reader *r = ctx;
    const char *field[3];
    size_t n[3];
    for (int i = 0; i < 3; i++) {
        const char *tab = i < 2 ? memchr(s, '\t', len) : NULL;
        if (i < 2 && !tab) ROW_FAIL(err, line, "expected three columns");
        field[i] = s;
        n[i] = tab ? (size_t)(tab - s) : len;
        if (tab) len -= n[i] + 1, s = tab + 1;
    }
    if (n[0] == 3 && memcmp(field[0], "let", 3) == 0) return row_let(r, line, field, n, err);
    if (n[0] == 5 && memcmp(field[0], "month", 5) == 0) return row_month(r, line, field, n, err);
    return row_pattern(r, line, field, n, err);
}

r1_status med_identifiers_new(med_identifiers **out, r1_err *err)
{
    med_identifiers *x = calloc(1, sizeof *x);
    if (!x) R1_FAIL(err, R1_E_NOMEM, "no memory for patterns");
    identifiers_reader *r = calloc(1, sizeof *r);
    if (r) r->x = x;
    r1_status st = r ? med_rows_read("identifiers.tsv", (const char *)med_data_identifiers,
                                     sizeof med_data_identifiers, identifiers_row, r, err)
                     : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for patterns");
    for (size_t i = 0; r && i < r->n_let; i++) free(r->let[i].pattern);
    free(r);
    if (st == R1_OK)
        *out = x;
    else
        med_identifiers_free(x);
    return st;
}

void med_identifiers_free(med_identifiers *x)
{
    if (!x) return;
    for (size_t i = 0; i < x->n_row; i++) pcre2_code_free(x->row[i].code);
    free(x);
}

int med_identifiers_month(const med_identifiers *x, const char *s, size_t len)
{
    for (int m = 0; m < 12; m++)
        for (int i = 0; i < MONTH_FORMS; i++)
            if (strlen(x->month[m][i]) == len && strncasecmp(x->month[m][i], s, len) == 0)
                return m + 1;
    return 0;
}

const char *med_identifiers_month_name(const med_identifiers *x, int month, bool brief)
{
    int i = 0;
    while (brief && i + 1 < MONTH_FORMS && *x->month[month - 1][i + 1]) i++;
    return x->month[month - 1][i];
}

/* ---- matches ---- */

static med_stretch group_of(const PCRE2_SIZE *v, uint32_t n_group, int group)
{
    if (!group || (uint32_t)group >= n_group || v[2 * group] == PCRE2_UNSET)
        return (med_stretch){0};
    return (med_stretch){(uint32_t)v[2 * group], (uint32_t)v[2 * group + 1]};
}

static r1_status identifier_hit(const identifier_row *row, const PCRE2_SIZE *v, uint32_t n_group,
                                med_identifier_fn fn, void *ctx, r1_err *err)
{
    med_stretch value = group_of(v, n_group, row->value);
    med_identifier hit = {.kind = row->kind,
                          .flags = row->flags,
                          .span = {(uint32_t)v[0], (uint32_t)v[1]},
                          .valued = value.end > value.start};
    if (hit.valued) hit.span = value;
    for (int i = 0; i < MED_DATE_PARTS; i++) hit.date[i] = group_of(v, n_group, row->part[i]);
    return fn(ctx, &hit, err);
}

static r1_status identifiers_match(const identifier_row *row, const char *text, size_t len,
                                   med_identifier_fn fn, void *ctx, r1_err *err)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(row->code, NULL);
    r1_status st = R1_OK;
    if (!data) R1_FAIL(err, R1_E_NOMEM, "no memory to look for identifiers");
    for (size_t at = 0; at <= len && st == R1_OK;) {
        int n = pcre2_match(row->code, (PCRE2_SPTR)text, len, at, PCRE2_NO_UTF_CHECK, data, NULL);
        if (n == PCRE2_ERROR_NOMATCH) break;
        const PCRE2_SIZE *v = pcre2_get_ovector_pointer(data);
        if (n < 0)
            st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                            "a text that cannot be searched for %s within bounds (PCRE2 %d): "
                            "divide its long lines",
                            med_identifier_name[row->kind], n);
        else
            st = identifier_hit(row, v, (uint32_t)n, fn, ctx, err);
        if (n > 0) at = v[1] > at ? v[1] : at + 1;
        while (at < len && ((unsigned char)text[at] & 0xc0) == 0x80) at++;
    }
    pcre2_match_data_free(data);
    return st;
}

r1_status med_identifiers_find(const med_identifiers *x, const char *text, size_t len,
                               med_identifier_fn fn, void *ctx, r1_err *err)
{
    for (size_t i = 0; i < x->n_row; i++)
        R1_TRY(identifiers_match(&x->row[i], text, len, fn, ctx, err));
    return R1_OK;
}
