/* SPDX-License-Identifier: Apache-2.0 */
/* med_quantity.c - see med_quantity.h. Owns which signs are alike to quantities. */
#include "notes/med_quantity.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- plain text ------------------------------------------------------------------------------ */

void med_plain_clear(med_plain *p)
{
    p->n = 0;
    p->c[0] = p->raw[0] = '\0';
    p->at[0] = 0;
}

static void plain_put(med_plain *p, char raw, uint32_t at, uint32_t next)
{
    if (p->n == MED_PLAIN_BYTES) return;
    p->raw[p->n] = raw;
    p->c[p->n] = raw >= 'A' && raw <= 'Z' ? (char)(raw | 32) : raw;
    p->at[p->n++] = at;
    p->c[p->n] = p->raw[p->n] = '\0';
    p->at[p->n] = next;
}

void med_plain_border(med_plain *p, uint32_t at)
{
    plain_put(p, ' ', at, at);
    plain_put(p, '|', at, at);
    plain_put(p, ' ', at, at);
}

bool med_plain_cell(med_plain *p, const med_plain *from, uint32_t k)
{
    uint32_t i = 0;
    while (from->c[i] == ' ') i++;
    if (from->c[i] == '|') i++; /* the border of a row */
    for (; k && i < from->n; i++) k -= from->c[i] == '|';
    if (k || i >= from->n) return false;
    for (; i < from->n && from->c[i] != '|'; i++)
        plain_put(p, from->raw[i], from->at[i], from->at[i + 1]);
    return true;
}

/* What stands for a sign beyond ASCII, "" for nothing. */
static const char *plain_sign(utf8proc_int32_t c)
{
    static const struct {
        utf8proc_int32_t sign;
        const char *is;
    } signs[] = {{0xb5, "u"},    {0x3bc, "u"},     {0xd7, "x"},      {0xb7, "."},   {0x2219, "x"},
                 {0x22c5, "x"},  {0x2264, "<"},    {0x2265, ">"},    {0x2a7d, "<"}, {0x2a7e, ">"},
                 {0xb9, "^1"},   {0xb2, "^2"},     {0xb3, "^3"},     {0xbd, ".5"},  {0xbc, ".25"},
                 {0xbe, ".75"},  {0x2191, "\1"},   {0x2193, "\2"},   {0xba, " "},   {0xb0, " "},
                 {0x2265, ">"},  {0xff1c, "<"},    {0xff1e, ">"},    {0xff05, "%"}, {0x2070, "^0"},
                 {0x2103, " c"}, {0x3b3, "gamma"}, {0x3b1, "alpha"}, {0x2044, "/"}, {0x2215, "/"}};
    for (size_t i = 0; i < R1_COUNT(signs); i++)
        if (signs[i].sign == c) return signs[i].is;
    return NULL;
}

static void plain_beyond_ascii(med_plain *p, const char *text, uint32_t i, uint32_t end)
{
    utf8proc_int32_t c;
    med_char x = med_char_at(text, i, end);
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(end - i), &c);
    const char *is = n > 0 ? plain_sign(c) : NULL;
    if (n > 0 && c >= 0x2074 && c <= 0x2079) {
        plain_put(p, '^', i, i);
        plain_put(p, (char)('0' + (c - 0x2070)), i, i + x.len);
        return;
    }
    if (is) {
        for (; *is; is++) plain_put(p, *is, i, is[1] ? i : i + x.len);
        return;
    }
    if (x.kind == MED_CHAR_NOTHING) return;
    bool mark = x.kind == MED_CHAR_MARK && x.mark >= ' ';
    plain_put(p, x.kind == MED_CHAR_BLANK ? ' ' : mark ? x.mark : MED_PLAIN_OTHER, i, i + x.len);
}

/* Blanks and tabs; in a row wide ones are the border of a cell. Returns where they end. */
static uint32_t plain_blanks(med_plain *p, const char *text, uint32_t i, uint32_t end,
                             med_token_rules rules)
{
    med_gap g = med_gap_at(text, i, end);
    uint32_t k = i + g.len;
    while (k < end && strchr(" \t\r\n", text[k])) k++;
    plain_put(p, ' ', i, k);
    if (rules.row && (g.tab || (rules.wide && g.wide >= rules.wide))) {
        plain_put(p, '|', i, k);
        plain_put(p, ' ', i, k);
    }
    return k;
}

void med_plain_add(med_plain *p, const char *text, uint32_t start, uint32_t end,
                   med_token_rules rules)
{
    for (uint32_t i = start; i < end;) {
        unsigned char c = (unsigned char)text[i];
        bool breaks;
        uint32_t len =
            rules.markup && (c == '<' || c == '\\') ? med_markup_len(text, i, end, &breaks) : 0;
        if (len) {
            bool cell = len == 5 && text[i + 1] == '/' && (text[i + 2] | 32) == 't';
            plain_put(p, cell ? '|' : ' ', i, i + len);
            i += len;
        } else if (c >= 128 && !med_gap_at(text, i, end).len) {
            plain_beyond_ascii(p, text, i, end);
            i += med_char_at(text, i, end).len;
        } else if (c >= 128 || strchr(" \t\r\n", c)) {
            i = plain_blanks(p, text, i, end, rules);
        } else {
            bool border = rules.separator && c == (unsigned char)rules.separator;
            plain_put(p, border ? '|' : c < ' ' || c == '"' ? ' ' : (char)c, i, i + 1);
            i++;
        }
    }
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool quantity_digit(char c) { return c >= '0' && c <= '9'; }

enum { NUMBER_PARTS = 5 };

/* The digits of a number between its separators. */
typedef struct {
    uint32_t n;
    uint32_t from[NUMBER_PARTS], len[NUMBER_PARTS];
    char between[NUMBER_PARTS]; /* before the part */
    uint32_t end;
} number_parts;

/* Whether the separator at s[i] may go on a number. */
static bool number_continues(const char *s, uint32_t i, char separator)
{
    char c = s[i];
    if (!(c == '.' || c == ',' || c == '\'' || c == ' ') || c == separator) return false;
    if (!quantity_digit(s[i + 1])) return false;
    if (c == '.' || c == ',') return true;
    return quantity_digit(s[i + 2]) && quantity_digit(s[i + 3]) && !quantity_digit(s[i + 4]);
}

static bool number_split(const char *s, char separator, number_parts *p)
{
    uint32_t i = 0, digits = 0;
    p->n = 0;
    while (p->n < NUMBER_PARTS) {
        uint32_t from = i;
        while (quantity_digit(s[i])) i++;
        p->from[p->n] = from;
        p->len[p->n++] = i - from;
        digits += i - from;
        bool blank = s[i] == ' ' && (p->len[p->n - 1] > 3 || (p->n > 1 && p->between[1] != ' '));
        if (digits > MED_NUMBER_DIGITS || blank || !number_continues(s, i, separator)) break;
        if (p->n == NUMBER_PARTS) return false;
        p->between[p->n] = s[i++];
    }
    p->end = i;
    return digits > 0 && digits <= MED_NUMBER_DIGITS;
}

/* The parts up to `whole` are the number, those behind them its fraction. */
static double number_value(const char *s, const number_parts *p, uint32_t whole)
{
    char buf[MED_NUMBER_DIGITS + 4];
    size_t n = 0;
    for (uint32_t k = 0; k < p->n; k++) {
        if (k == whole) buf[n++] = '.';
        memcpy(buf + n, s + p->from[k], p->len[k]);
        n += p->len[k];
    }
    buf[n] = '\0';
    return strtod(buf, NULL);
}

bool med_number_at(const char *s, char separator, med_number *out)
{
    number_parts p;
    bool point = s[0] == '.' && quantity_digit(s[1]);
    *out = (med_number){.other = NAN};
    if (!quantity_digit(s[0]) && !point) return false;
    if (point) {
        char *end;
        out->value = strtod(s, &end);
        out->len = (uint32_t)(end - s);
        return !(*end == '.' && quantity_digit(end[1]));
    }
    if (!number_split(s, separator, &p)) return false;
    out->len = p.end;
    bool groups = p.len[0] <= 3 && !(p.len[0] == 1 && s[0] == '0'), alike = true;
    for (uint32_t k = 1; k < p.n; k++) {
        bool last = k + 1 == p.n;
        groups &= p.len[k] == 3 || (last && p.between[k] != p.between[1]);
        alike &= p.between[k] == p.between[1];
    }
    if (p.n == 1) {
        out->value = number_value(s, &p, 1);
    } else if (p.n == 2) {
        bool grouped = groups && p.between[1] != '.';
        out->value = number_value(s, &p, grouped ? 2 : 1);
        if (groups && p.between[1] != '\'') out->other = number_value(s, &p, grouped ? 1 : 2);
    } else if (groups) {
        out->value = number_value(s, &p, alike ? p.n : p.n - 1);
    } else {
        return false; /* 12.03.2020 */
    }
    return true;
}
