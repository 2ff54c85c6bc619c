/* SPDX-License-Identifier: GPL-3.0-or-later */
/* number_form.c - see number_form.h. */
#include "payment/number_form.h"

#include <string.h>

const fraud_number_form fraud_number_forms[FRAUD_N_NUMBER_FORM] = {
    {"1234.50", '.', 0, false},      {"1234,50", ',', 0, false},
    {"1,234.50", '.', ',', false},   {"1.234,50", ',', '.', false},
    {"1 234.50", '.', ' ', false},   {"1 234,50", ',', ' ', false},
    {"1'234.50", '.', '\'', false},  {"1'234,50", ',', '\'', false},
    {"12,34,567.50", '.', ',', true}};

const fraud_number_form *fraud_number_form_of(const char *example)
{
    for (size_t i = 0; i < FRAUD_N_NUMBER_FORM; i++)
        if (!strcmp(fraud_number_forms[i].example, example)) return &fraud_number_forms[i];
    return NULL;
}

/* Bytes of the mark between thousands at s; 0: there is none. */
static size_t group_mark(const fraud_number_form *f, const char *s)
{
    static const char *const blanks[] = {" ", "\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x89"},
                             *const ticks[] = {"'", "\xe2\x80\x99"};
    const char *const *marks = f->group == ' ' ? blanks : ticks;
    size_t n = f->group == ' ' ? R1_COUNT(blanks) : R1_COUNT(ticks);
    if (f->group == '.' || f->group == ',') return *s == f->group;
    for (size_t i = 0; f->group && i < n; i++)
        if (!strncmp(s, marks[i], strlen(marks[i]))) return strlen(marks[i]);
    return 0;
}

/* Bytes of a currency's sign with its blanks, before or behind a number; 0: there is none. */
static size_t money_sign(const char *s, bool before)
{
    static const char *const signs[] = {
        "R$",           "$",   "\xe2\x82\xac", "\xc2\xa3", "\xc2\xa5",
        "\xe2\x82\xb9", "Rs.", "Rs",           "kr",       "z\xc5\x82"};
    size_t blank = before ? 0 : strspn(s, " ");
    for (size_t i = 0; i < R1_COUNT(signs); i++) {
        size_t n = strlen(signs[i]);
        if (!strncmp(s + blank, signs[i], n)) return blank + n + (before ? strspn(s + n, " ") : 0);
    }
    return 0;
}

/* Whether groups of these lengths, from the left, are thousands. */
static bool groups_fit(const fraud_number_form *f, const size_t *digits, size_t n)
{
    const size_t inner = f->lakh ? 2 : 3;
    if (n == 1) return digits[0] > 0;
    for (size_t i = 1; i < n; i++)
        if (digits[i] != (i + 1 == n ? 3 : inner)) return false;
    return digits[0] > 0 && digits[0] <= inner;
}

const char *fraud_number_plain(const fraud_number_form *f, const char *text,
                               char out[FRAUD_NUMBER_BYTES])
{
    size_t digits[FRAUD_NUMBER_BYTES] = {0}, n_group = 1, n = 0, mark;
    if (f == &fraud_number_forms[0]) return text;
    if (strlen(text) >= FRAUD_NUMBER_BYTES) return NULL;
    if (*text == '-' || *text == '+') out[n++] = *text++;
    text += money_sign(text, true);
    for (;; text++) {
        if (*text >= '0' && *text <= '9') {
            digits[n_group - 1]++;
            out[n++] = *text;
        } else if ((mark = group_mark(f, text))) {
            n_group++;
            text += mark - 1;
        } else {
            break;
        }
    }
    if (!groups_fit(f, digits, n_group)) return NULL;
    if (*text == f->point) {
        size_t behind = strspn(++text, "0123456789");
        out[n++] = '.';
        memcpy(out + n, text, behind);
        n += behind;
        text += behind;
        if (!behind) return NULL;
    }
    text += money_sign(text, false);
    if (*text == '-' && n && *out >= '0' && *out <= '9' && n + 1 < FRAUD_NUMBER_BYTES) {
        memmove(out + 1, out, n++);
        *out = *text++;
    }
    out[n] = 0;
    return *text ? NULL : out;
}
