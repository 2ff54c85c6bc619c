/* SPDX-License-Identifier: Apache-2.0 */
/* med_frequency.c - see med_frequency.h. The text is brought to one form first: small letters,
 * plain blanks and signs. */
#include "ontology/med_frequency.h"

#include <stdlib.h>
#include <string.h>

enum { PLAIN_BYTES = 64 };

static const char expect_any[] =
    "n/m, a percentage such as 45 % or 10-20 %, or HPO's word or id for a frequency";
static const char expect_no_date[] = "n/m or a percentage: a spreadsheet made a date of this";
static const char expect_part[] = "n/m with n not above m";
static const char expect_percent[] = "a percentage of at most 100";
static const char expect_unit[] = "a percentage with its sign, or n/m";

/* Signs that stand for plain ones. */
static const struct {
    const char *sign;
    char plain;
} frequency_signs[] = {{"\xc2\xa0", ' '},     {"\xe2\x80\x89", ' '}, {"\xe2\x80\xaf", ' '},
                       {"\xe2\x80\x93", '-'}, {"\xe2\x80\x94", '-'}, {"\xe2\x88\x92", '-'},
                       {"\xe2\x89\xa4", '<'}, {"\xe2\x89\xa5", '>'}, {"\xe2\x81\x84", '/'},
                       {"\xe2\x88\x95", '/'}, {"\xef\xbc\x85", '%'}};

/* Into out, without blanks at its ends and with single ones inside. False: it is too long. */
static bool frequency_plain(const char *s, size_t len, char out[PLAIN_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        char c = s[i];
        size_t used = 1;
        for (size_t k = 0; k < R1_COUNT(frequency_signs); k++) {
            size_t m = strlen(frequency_signs[k].sign);
            if (len - i < m || memcmp(s + i, frequency_signs[k].sign, m) != 0) continue;
            c = frequency_signs[k].plain;
            used = m;
        }
        i += used;
        if (c >= 'A' && c <= 'Z') c = (char)(c + ('a' - 'A'));
        if (c == '\t' || c == '"') c = ' ';
        if (c == ' ' && (n == 0 || out[n - 1] == ' ')) continue;
        if (n + 1 >= PLAIN_BYTES) return false;
        out[n++] = c;
    }
    while (n && out[n - 1] == ' ') n--;
    out[n] = '\0';
    return true;
}

/* A word or an id of a class of frequency. HPO's and Orphanet's classes are the same; each stands
 * for its middle. */
static bool frequency_word(const char *s, float *freq)
{
    static const struct {
        const char *word, *id;
        float freq;
    } known[] = {{"obligate", "hp:0040280", 1.0f},      {"always", "", 1.0f},
                 {"very frequent", "hp:0040281", 0.9f}, {"frequent", "hp:0040282", 0.55f},
                 {"occasional", "hp:0040283", 0.17f},   {"very rare", "hp:0040284", 0.025f},
                 {"excluded", "hp:0040285", 0}};
    char word[PLAIN_BYTES];
    size_t n = strcspn(s, "(;");
    while (n && s[n - 1] == ' ') n--;
    memcpy(word, s, n);
    word[n] = '\0';
    if (strncmp(word, "hp_", 3) == 0) word[2] = ':';
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (n && (strcmp(word, known[i].word) == 0 || strcmp(word, known[i].id) == 0)) {
            *freq = known[i].freq;
            return true;
        }
    return false;
}

/* "03-jul", "jul-03", "3. jul", "3.7.2023", "2023-07-03": a digit beside a month, or three
 * numbers. */
static bool frequency_is_date(const char *s)
{
    static const char months[] =
        " jan feb mar apr may jun jul aug sep oct nov dec mai okt dez mrz january february march "
        "april june july august september october november december juni juli januar februar "
        "oktober dezember ";
    size_t digits = strcspn(s, "0123456789"), numbers = 0;
    for (const char *p = s; *p; p += strspn(p, "0123456789")) {
        p += strcspn(p, "0123456789");
        numbers += *p != '\0';
        if (!*p) break;
    }
    if (numbers == 3 && strspn(s, "0123456789-/. :") == strlen(s)) return true;
    for (const char *p = s; s[digits] && *p;) {
        size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz");
        char word[PLAIN_BYTES + 2] = " ";
        memcpy(word + 1, p, n);
        memcpy(word + 1 + n, " ", 2);
        if (n >= 3 && strstr(months, word)) return true;
        p += n ? n : 1;
    }
    return false;
}

static const char *skip_blank(const char *s) { return s + (*s == ' '); }

/* Digits with at most one decimal sign; false where none stand there. */
static bool frequency_number(const char **s, double *v, bool *whole)
{
    char text[PLAIN_BYTES];
    size_t n = strspn(*s, "0123456789"), m = 0;
    if (n == 0) return false;
    if ((*s)[n] == '.' || (*s)[n] == ',') m = strspn(*s + n + 1, "0123456789");
    memcpy(text, *s, n);
    if (m) {
        text[n] = '.';
        memcpy(text + n + 1, *s + n + 1, m);
        m++;
    }
    text[n + m] = '\0';
    *v = strtod(text, NULL);
    *whole = m == 0 && n < 10;
    *s = skip_blank(*s + n + m);
    return true;
}

/* Behind a number: "/ 7", "of 7", "out of 7 patients". */
static const char *frequency_part(const char *s, double n, bool whole, med_frequency *out)
{
    static const char *const between[] = {"/", "of ", "out of "};
    double m;
    bool whole_m;
    size_t k = 0;
    while (k < R1_COUNT(between) && strncmp(s, between[k], strlen(between[k])) != 0) k++;
    if (k == R1_COUNT(between)) return expect_any;
    s = skip_blank(s + strlen(between[k]));
    if (!frequency_number(&s, &m, &whole_m) || !whole || !whole_m) return expect_any;
    if (strcmp(s, "patients") == 0 || strcmp(s, "cases") == 0) s = "";
    if (*s) return expect_any;
    if (n > m) return expect_part;
    if (m == 0) return NULL; /* nobody was looked at: says nothing */
    *out = (med_frequency){(float)(n / m), (uint32_t)n, (uint32_t)m};
    return NULL;
}

/* Behind a number: "%", "- 20 %", "to 20 %", "% - 20 %". bound: '<' or '>' before it, or none. */
static const char *frequency_percent(const char *s, double low, char bound, med_frequency *out)
{
    double high = low;
    bool whole, sign = *s == '%';
    if (sign) s = skip_blank(s + 1);
    if (*s == '-' || strncmp(s, "to ", 3) == 0) {
        s = skip_blank(s + (*s == '-' ? 1 : 2));
        if (bound || !frequency_number(&s, &high, &whole) || *s != '%' || s[1]) return expect_any;
    } else if (!sign || *s) {
        return *s ? expect_any : expect_unit;
    }
    if (low > 100 || high > 100 || low > high) return expect_percent;
    if (bound == '<') low = 0;
    if (bound == '>') high = 100;
    out->freq = (float)((low + high) / 200);
    return NULL;
}

const char *med_frequency_read(const char *s, size_t len, med_frequency *out)
{
    static const char *const none[] = {"", "-", "n/a", "na", "unknown", "not known"};
    char plain[PLAIN_BYTES], bound = 0;
    const char *p = plain;
    double v;
    bool whole;
    *out = (med_frequency){.freq = -1};
    if (!frequency_plain(s, len, plain)) return expect_any;
    for (size_t i = 0; i < R1_COUNT(none); i++)
        if (strcmp(plain, none[i]) == 0) return NULL;
    if (frequency_word(plain, &out->freq)) return NULL;
    if (frequency_is_date(plain)) return expect_no_date;
    if (*p == '<' || *p == '>') bound = *p++;
    if (*p == '~') p++;
    if (*p == '=') p++; /* <= */
    p = skip_blank(p);
    if (!frequency_number(&p, &v, &whole)) return expect_any;
    bool part = *p == '/' || strncmp(p, "of ", 3) == 0 || strncmp(p, "out of ", 7) == 0;
    return part && !bound ? frequency_part(p, v, whole, out) : frequency_percent(p, v, bound, out);
}
