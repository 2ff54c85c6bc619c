/* SPDX-License-Identifier: Apache-2.0 */
/* med_several.c - whether a text tells of several patients: two dates of birth, record numbers or
 * names behind their labels, or parts for twin A and twin B. Findings of one text are taken as one
 * patient's, so a note says it. What is a relative's counts for nothing. No name, date or number is
 * repeated in the note. */
#include "documents/med_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { VALUE_BYTES = 48, VALUES_MAX = 8, LABEL_BEFORE = 40, NAME_WORDS = 2 };

typedef enum { OF_BIRTH, OF_NUMBER, OF_NAME, OF_PART, OF_COUNT } several_kind;

typedef struct {
    char value[OF_COUNT][VALUES_MAX][VALUE_BYTES];
    uint32_t line[OF_COUNT][VALUES_MAX], n[OF_COUNT];
} several;

static const struct {
    const char *label;
    several_kind kind;
} labels[] = {{"date of birth", OF_BIRTH},
              {"d.o.b.", OF_BIRTH},
              {"d.o.b", OF_BIRTH},
              {"dob", OF_BIRTH},
              {"birth date", OF_BIRTH},
              {"medical record number", OF_NUMBER},
              {"mrn", OF_NUMBER},
              {"hospital number", OF_NUMBER},
              {"hospital no", OF_NUMBER},
              {"patient id", OF_NUMBER},
              {"patient number", OF_NUMBER},
              {"patient name", OF_NAME},
              {"name of patient", OF_NAME},
              {"name", OF_NAME},
              {"re", OF_NAME}};

static bool several_word(char c) { return isalnum((unsigned char)c) || (unsigned char)c >= 0x80; }

/* Whether a label stands at s[at], as words of their own. Returns its bytes, 0 for no. */
static size_t several_label(const char *s, size_t at, size_t end, const char *label)
{
    size_t n = strlen(label);
    if (at + n > end || strncasecmp(s + at, label, n) != 0) return 0;
    if (at && several_word(s[at - 1])) return 0;
    return at + n < end && several_word(s[at + n]) ? 0 : n;
}

static bool several_of_relative(const char *s, size_t from, size_t to)
{
    static const char *const kin[] = {
        "mother",   "father", "sister",     "brother",   "parent", "sibling", "cousin", "maternal",
        "paternal", "doctor", "consultant", "clinician", "gp",     "file",    "drug",   "test",
        "gene",     "son",    "daughter",   "partner",   "carer",  "contact"};
    for (size_t i = from; i < to; i++)
        for (size_t k = 0; k < R1_COUNT(kin); k++)
            if (several_label(s, i, to, kin[k]) ||
                (several_label(s, i, to + 1, kin[k]) && i + strlen(kin[k]) == to))
                return true;
    return false;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int several_month(const char *s, size_t len)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int m = 0; len >= 3 && m < 12; m++)
        if (strncasecmp(s, months + (size_t)m * 3, 3) == 0) return m + 1;
    return 0;
}

/* A date in any order of its parts: 2021-09-02, 02/09/21 and 2 Sept 2021 are one. */
static bool several_date(const char *s, size_t len, char out[VALUE_BYTES])
{
    unsigned part[3];
    size_t n = 0;
    for (size_t i = 0; i < len && n < 3;) {
        size_t k = i;
        unsigned v = 0;
        while (k < len && isdigit((unsigned char)s[k]) && k < i + 4)
            v = v * 10 + (unsigned)(s[k++] - '0');
        if (k == i) {
            while (k < len && isalpha((unsigned char)s[k])) k++;
            v = (unsigned)several_month(s + i, k - i);
        }
        if (v) part[n++] = v % 100;
        if (k > i && !v && !isdigit((unsigned char)s[i])) return false; /* another word */
        i = k > i ? k : i + 1;
    }
    if (n < 3) return false;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 2; k++)
            if (part[k] > part[k + 1]) {
                unsigned swap = part[k];
                part[k] = part[k + 1];
                part[k + 1] = swap;
            }
    snprintf(out, VALUE_BYTES, "%u-%u-%u", part[0], part[1], part[2]);
    return true;
}

static bool several_number(const char *s, size_t len, char out[VALUE_BYTES])
{
    size_t n = 0, digits = 0;
    for (size_t i = 0; i < len && n + 1 < VALUE_BYTES; i++) {
        bool word = isalnum((unsigned char)s[i]);
        if (!word && s[i] != '-' && s[i] != '/') break;
        digits += isdigit((unsigned char)s[i]) != 0;
        if (word) out[n++] = (char)toupper((unsigned char)s[i]);
    }
    out[n] = '\0';
    return digits >= 3;
}

/* Two words with capital letters or more, in small letters between blanks. */
static bool several_name(const char *s, size_t len, char out[VALUE_BYTES])
{
    static const char titles[] = " mr mrs ms miss master dr prof baby ";
    size_t n = 0, words = 0;
    out[n++] = ' ';
    for (size_t i = 0; i < len && words < 4;) {
        size_t k = i;
        while (k < len && (several_word(s[k]) || s[k] == '-' || s[k] == '\'')) k++;
        if (k == i) {
            if (!strchr(" ,.\t", s[i])) break;
            i++;
            continue;
        }
        if (!isupper((unsigned char)s[i]) || n + (k - i) + 2 >= VALUE_BYTES) break;
        for (size_t j = i; j < k; j++) out[n++] = (char)tolower((unsigned char)s[j]);
        out[n++] = ' ';
        out[n] = '\0';
        char key[VALUE_BYTES];
        snprintf(key, sizeof key, " %.*s ", (int)(k - i), out + n - 1 - (k - i));
        if (strstr(titles, key) || k - i < 2)
            n -= k - i + 1;
        else
            words++;
        i = k;
    }
    out[n] = '\0';
    return words >= NAME_WORDS;
}

/* Whether two names share a word: "DOE, Anna" and "Anna Doe". */
static bool several_same_name(const char *a, const char *b)
{
    for (const char *s = a + 1; *s;) {
        const char *end = strchr(s, ' ');
        char key[VALUE_BYTES];
        if (!end) break;
        snprintf(key, sizeof key, " %.*s ", (int)(end - s), s);
        if (strstr(b, key)) return true;
        s = end + 1;
    }
    return false;
}

static void several_add(several *x, several_kind kind, const char *value, uint32_t line)
{
    uint32_t *n = &x->n[kind];
    for (uint32_t i = 0; i < *n; i++) {
        const char *old = x->value[kind][i];
        if (strcmp(old, value) == 0 || (kind == OF_NAME && several_same_name(old, value))) return;
    }
    if (*n == VALUES_MAX) return;
    snprintf(x->value[kind][*n], VALUE_BYTES, "%s", value);
    x->line[kind][(*n)++] = line;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* "Twin A:", "Patient 2 -", "CASE 1" at the start of a line. */
static void several_part(several *x, const char *s, size_t from, size_t to, uint32_t line)
{
    static const char *const parts[] = {"twin", "triplet", "baby", "infant", "patient", "case"};
    while (from < to && strchr("#*- \t", s[from])) from++;
    for (size_t i = 0; i < R1_COUNT(parts); i++) {
        size_t n = several_label(s, from, to, parts[i]), at = from + n + 1;
        if (!n || at >= to || s[at - 1] != ' ') continue;
        char c = (char)toupper((unsigned char)s[at]);
        bool ends = at + 1 == to || strchr(":-.)(", s[at + 1]) ||
                    (s[at + 1] == ' ' && at + 2 < to && strchr("-(:", s[at + 2]));
        if (!strchr("ABC123", c) || !ends) continue;
        char value[VALUE_BYTES];
        snprintf(value, sizeof value, "%s %c", parts[i], c < 'A' ? c - '1' + 'A' : c);
        several_add(x, OF_PART, value, line);
    }
}

static void several_values(several *x, const char *s, size_t from, size_t to, uint32_t line)
{
    for (size_t i = from; i < to; i++) {
        if (i > from && several_word(s[i - 1])) continue;
        for (size_t k = 0; k < R1_COUNT(labels); k++) {
            size_t n = several_label(s, i, to, labels[k].label), at = i + n;
            char value[VALUE_BYTES];
            if (!n) continue;
            size_t before = i - from > LABEL_BEFORE ? i - LABEL_BEFORE : from;
            bool name = labels[k].kind == OF_NAME;
            if (several_of_relative(s, before, i)) break;
            while (at < to && strchr(" \t:|=#.", s[at])) at++;
            /* a name needs its colon, and "name" the start of the line */
            if (name && (!memchr(s + i + n, ':', at - i - n) || i != from)) break;
            bool good = labels[k].kind == OF_BIRTH    ? several_date(s + at, to - at, value)
                        : labels[k].kind == OF_NUMBER ? several_number(s + at, to - at, value)
                                                      : several_name(s + at, to - at, value);
            if (good) several_add(x, labels[k].kind, value, line);
            break;
        }
    }
}

void med_several_note(med_document *d)
{
    static const char *const what[OF_COUNT] = {"dates of birth", "record numbers", "names",
                                               "parts"};
    several x = {0};
    uint32_t line = 1;
    for (size_t i = 0; i < d->len; line++) {
        const char *nl = memchr(d->text + i, '\n', d->len - i);
        size_t end = nl ? (size_t)(nl - d->text) : d->len, from = i;
        while (from < end && (d->text[from] == ' ' || d->text[from] == '\t')) from++;
        several_values(&x, d->text, from, end, line);
        several_part(&x, d->text, from, end, line);
        i = end + 1;
    }
    for (int k = 0; k < OF_COUNT; k++) {
        if (x.n[k] < 2) continue;
        snprintf(d->several, sizeof d->several, "%u %s, in lines %u and %u", x.n[k], what[k],
                 x.line[k][0], x.line[k][1]);
        med_document_note(d,
                          "The record seems to be of several patients: %s. Their findings are not "
                          "told apart: give one record for each.",
                          d->several);
        return;
    }
}

r1_status med_document_one_patient(const med_document *d, const char *what, const char *remedy,
                                   r1_err *err)
{
    if (!d->several[0]) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT,
            "%s: the record seems to be of several patients (%s): give one record for each%s", what,
            d->several, remedy);
}
