/* SPDX-License-Identifier: Apache-2.0 */
/* med_terms.c - lists of HPO ids or names, and what annotate printed: its table and its JSON.
 *
 * A list has an id at the start of each item. Before it may stand a sign or a word for "not":
 *
 *   HP:0001250              + HP:0001250 Seizure        HP:0001250, HP:0001251; -HP:0000750
 *   not HP:0001250          hp:0001250 (absent)         HP:0001250<TAB>Seizure<TAB>absent
 *
 * Lines that begin with # are comments; "age: 3 y 6 m" and "sex: female" say so of the patient.
 * Where the caller says that a text is a list, a line may hold a name in the place of an id; so may
 * a short line where more lines than not have ids. */
#include "documents/med_parts.h"
#include "ontology/med_slurp.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TERM_FIELDS = 16, TERM_LABEL_BYTES = 200, TERM_STRAY_BYTES = 60, TERM_STRAYS = 16 };

static bool term_is_word(const char *s, size_t len, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(words[i]) == len && strncasecmp(s, words[i], len) == 0) return true;
    return false;
}

/* A sign or a word before an id. Returns its length with the blanks behind it, 0 for none. */
static size_t term_sign(const char *s, size_t len, med_status *status)
{
    static const struct {
        const char *sign;
        med_status status;
    } signs[] = {{"+", MED_PRESENT},
                 {"-", MED_ABSENT},
                 {"!", MED_ABSENT},
                 {"~", MED_ABSENT},
                 {"?", MED_UNCERTAIN},
                 {"not ", MED_ABSENT},
                 {"no ", MED_ABSENT},
                 {"NOT\t", MED_ABSENT},
                 {"excluded ", MED_ABSENT},
                 {"absent ", MED_ABSENT},
                 {"\xe2\x88\x92", MED_ABSENT},
                 {"* ", MED_PRESENT},
                 {"\xe2\x80\xa2", MED_PRESENT}};
    for (size_t i = 0; i < R1_COUNT(signs); i++) {
        size_t n = strlen(signs[i].sign);
        if (len < n || strncasecmp(s, signs[i].sign, n) != 0) continue;
        *status = signs[i].status;
        while (n < len && (s[n] == ' ' || s[n] == '\t')) n++;
        return n;
    }
    return 0;
}

/* A name and a status, and no sentence: "HP:0001083 was seen; there is ...". */
static bool term_is_name(const char *s, size_t len)
{
    while (len && strchr(" \t,;|", s[len - 1])) len--;
    return len < TERM_LABEL_BYTES && !memchr(s, '.', len) && !memchr(s, ';', len);
}

/* What stands behind an id up to the next one: its name, and perhaps a status. */
static void term_label(const char *s, size_t len, char label[TERM_LABEL_BYTES], med_status *status)
{
    static const char *const absent[] = {"absent",   "excluded", "no",    "not present",
                                         "negative", "-",        "false", "n"};
    static const char *const present[] = {"present", "observed", "yes", "positive",
                                          "+",       "true",     "y"};
    static const char *const open[] = {"unknown",      "uncertain", "possible", "suspected",
                                       "not assessed", "not known", "?"};
    size_t n = 0;
    while (len) {
        size_t blank = strspn(s, " \t()[]|!=:,;\"'"), word;
        if (blank >= len) break;
        s += blank, len -= blank;
        for (word = 0; word < len && !strchr("\t()[]|,;\"", s[word]); word++) continue;
        size_t cut = word;
        while (cut && s[cut - 1] == ' ') cut--;
        if (term_is_word(s, cut, absent, R1_COUNT(absent)))
            *status = MED_ABSENT;
        else if (term_is_word(s, cut, open, R1_COUNT(open)))
            *status = MED_UNCERTAIN;
        else if (!term_is_word(s, cut, present, R1_COUNT(present)) && n == 0 &&
                 cut < TERM_LABEL_BYTES)
            memcpy(label, s, n = cut);
        s += word, len -= word;
    }
    label[n] = '\0';
}

/* The items of one line. 0: it is no line of a list. */
static r1_status term_line(med_document *d, const char *what, const char *s, size_t len, bool *is,
                           r1_err *err)
{
    *is = false;
    for (size_t at = 0; at < len;) {
        char id[MED_HPO_ID_BYTES], label[TERM_LABEL_BYTES];
        med_status status = MED_PRESENT;
        at += strspn(s + at, " \t,;|");
        if (at >= len) break;
        size_t sign = term_sign(s + at, len - at, &status);
        size_t n = med_hpo_id(s + at + sign, len - at - sign, id);
        if (n == 0) return R1_OK;
        at += sign + n;
        size_t next = at;
        while (next < len) { /* up to the next item, which begins behind a comma or a blank */
            char other[MED_HPO_ID_BYTES];
            med_status ignored;
            size_t skip = term_sign(s + next, len - next, &ignored);
            if (med_hpo_id(s + next + skip, len - next - skip, other) &&
                strchr(" \t,;|", s[next - 1]))
                break;
            if (med_hpo_id(s + next, len - next, other)) break;
            next++;
        }
        if (!term_is_name(s + at, next - at)) return R1_OK;
        term_label(s + at, next - at, label, &status);
        R1_TRY(med_state(d, id, *label ? label : NULL, status, what, err));
        at = next;
        *is = true;
    }
    return R1_OK;
}

static void terms_forget(med_document *d, uint32_t keep)
{
    for (uint32_t i = keep; i < d->n_stated; i++) {
        free(d->stated[i].id);
        free(d->stated[i].label);
    }
    d->n_stated = keep;
}

static bool finding_status(const char *s, size_t len, med_status *status)
{
    for (int k = 0; k < MED_STATUS_COUNT; k++)
        if (strlen(med_status_name[k]) == len && strncasecmp(s, med_status_name[k], len) == 0) {
            *status = (med_status)k;
            return true;
        }
    return false;
}

static r1_status finding_refuse(const char *what, size_t at, r1_err *err)
{
    R1_FAIL(err, R1_E_FORMAT,
            "%s: finding %zu: expected the status present, absent, family, historical, "
            "hypothetical or uncertain, found another text",
            what, at);
}

/* "3 y 6 m", "2.5", "6 months", "P3Y6M" in years; NaN: none of these. */
static float term_age(const char *text)
{
    static const struct {
        const char *units;
        double years;
    } unit[] = {{"y yr yrs yo year years", 1},
                {"m mo mos month months", 1.0 / 12},
                {"w wk week weeks", 7 / 365.25},
                {"d day days", 1 / 365.25}};
    double years = 0;
    if (*text == 'P') return med_iso_years(text);
    for (const char *s = text; *s;) {
        char *end, word[16];
        if (!isdigit((unsigned char)*s)) return NAN;
        double v = strtod(s, &end), of = *end || s != text ? 0 : 1;
        while (*end == ' ') end++;
        size_t n = strspn(end, "abcdefghijklmnopqrstuvwxyz");
        for (size_t i = 0; i < R1_COUNT(unit) && n && n < sizeof word; i++) {
            const char *u = unit[i].units;
            for (size_t k; *u; u += k + (u[k] == ' '))
                if ((k = strcspn(u, " ")) == n && memcmp(u, end, n) == 0) of = unit[i].years;
        }
        if (of == 0) return NAN;
        years += v * of;
        s = end + n + strspn(end + n, " ,");
    }
    return *text && years < 150 ? (float)years : NAN;
}

/* "age: ..." and "sex: ...". A value that is none becomes a note. */
static bool term_person(med_document *d, const char *s, size_t len)
{
    char value[40];
    bool age = len > 4 && strncasecmp(s, "age", 3) == 0;
    bool sex = len > 4 && strncasecmp(s, "sex", 3) == 0;
    size_t at = 3;
    while ((age || sex) && at < len && s[at] == ' ') at++;
    if (!(age || sex) || at == len || !strchr(":=\t", s[at])) return false;
    at++;
    while (at < len && (s[at] == ' ' || s[at] == '\t')) at++;
    if (len - at >= sizeof value) return false;
    for (size_t i = at; i <= len; i++)
        value[i - at] = i < len ? (char)(age ? s[i] : tolower((unsigned char)s[i])) : '\0';
    float years = age ? term_age(value) : NAN;
    if (age && !isnan(years))
        d->age_years = years;
    else if (sex && (strcmp(value, "female") == 0 || strcmp(value, "f") == 0))
        d->sex = MED_SEX_FEMALE;
    else if (sex && (strcmp(value, "male") == 0 || strcmp(value, "m") == 0))
        d->sex = MED_SEX_MALE;
    else
        med_document_note(d, "The %s \"%s\" is in a form that is not read.", age ? "age" : "sex",
                          value);
    return true;
}

/* The table that annotate prints: its first line names the columns. */
static r1_status terms_table(med_document *d, const char *what, const char *s, size_t len, bool *is,
                             r1_err *err)
{
    med_field f[TERM_FIELDS];
    med_lines lines = {.at = s, .end = s + len};
    size_t id = TERM_FIELDS, status = TERM_FIELDS, name = TERM_FIELDS, n;
    *is = false;
    while (med_lines_next(&lines, &s, &len)) {
        n = med_split(s, len, '\t', f, TERM_FIELDS);
        if (n > TERM_FIELDS) n = TERM_FIELDS;
        if (lines.number == 1) {
            for (size_t i = 0; i < n; i++) {
                if (f[i].len == 2 && memcmp(f[i].s, "id", 2) == 0) id = i;
                if (f[i].len == 6 && memcmp(f[i].s, "status", 6) == 0) status = i;
                if (f[i].len == 4 && memcmp(f[i].s, "name", 4) == 0) name = i;
            }
            if (id == TERM_FIELDS || status == TERM_FIELDS) return R1_OK;
            *is = true;
            continue;
        }
        if (len && *s == '#')
            term_person(d, s + 1 + strspn(s + 1, " "), len - 1 - strspn(s + 1, " "));
        if (len == 0 || *s == '#') continue;
        char text[32], label[TERM_LABEL_BYTES] = "";
        med_status of;
        if (n <= id || n <= status)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: %zu columns, fewer than its first line", what,
                    (long long)lines.number, n);
        if (!finding_status(f[status].s, f[status].len, &of))
            return finding_refuse(what, (size_t)lines.number - 1, err);
        snprintf(text, sizeof text, "%.*s", (int)(f[id].len < 31 ? f[id].len : 31), f[id].s);
        if (name < n)
            snprintf(label, sizeof label, "%.*s", (int)(f[name].len < 199 ? f[name].len : 199),
                     f[name].s);
        R1_TRY(med_state(d, text, *label ? label : NULL, of, what, err));
    }
    return R1_OK;
}

/* A line with a name in the place of an id: a sign, the name, perhaps a status behind a tab. */
static r1_status term_named(med_document *d, const char *what, int64_t number, const char *s,
                            size_t len, r1_err *err)
{
    char label[TERM_LABEL_BYTES], rest[TERM_LABEL_BYTES];
    med_status status = MED_PRESENT;
    size_t at = term_sign(s, len, &status), n = 0;
    while (at + n < len && s[at + n] != '\t') n++;
    if (n == 0 || n >= sizeof label || len - at - n >= sizeof rest)
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%lld: a line of %zu bytes, expected the id or the name of one finding: a "
                "record in prose is for `report` and `annotate`",
                what, (long long)number, len);
    memcpy(label, s + at, n);
    label[n] = '\0';
    term_label(s + at + n, len - at - n, rest, &status);
    return med_state(d, "", label, status, what, err);
}

r1_status med_document_as_list(med_document *d, const char *what, r1_err *err)
{
    med_lines lines = {.at = d->text, .end = d->text + d->len};
    const char *s;
    size_t len;
    while (!d->listed && med_lines_next(&lines, &s, &len)) {
        bool is;
        while (len && isspace((unsigned char)s[len - 1])) len--;
        while (len && isspace((unsigned char)*s)) s++, len--;
        if (len == 0 || *s == '#' || term_person(d, s, len)) continue;
        uint32_t before = d->n_stated;
        R1_TRY(term_line(d, what, s, len, &is, err));
        if (!is) terms_forget(d, before);
        if (!is) R1_TRY(term_named(d, what, lines.number, s, len, err));
    }
    if (d->n_stated == 0) R1_FAIL(err, R1_E_FORMAT, "%s: a list without findings", what);
    d->listed = true;
    return R1_OK;
}

/* Takes a line without an id as the name of a finding, where a list is sure. */
static r1_status terms_stray(med_document *d, const char *what, const char *s, size_t len,
                             r1_err *err)
{
    char name[TERM_LABEL_BYTES];
    med_status status = MED_PRESENT;
    size_t sign = term_sign(s, len, &status), n = len - sign;
    memcpy(name, s + sign, n);
    name[n] = '\0';
    return med_state(d, "", name, status, what, err);
}

/* One line of what may be a list. *is: it is an item. *stray: it may be the name of a finding. */
static r1_status terms_one(med_document *d, const char *what, const char *s, size_t len, bool *is,
                           bool *stray, r1_err *err)
{
    uint32_t before = d->n_stated;
    R1_TRY(term_line(d, what, s, len, is, err));
    bool bullet = *s == '-' || *s == '*' || (unsigned char)*s >= 128; /* or is it a denial? */
    *stray = !*is && !bullet && len < TERM_STRAY_BYTES && term_is_name(s, len);
    if (!*is) terms_forget(d, before);
    return *stray ? terms_stray(d, what, s, len, err) : R1_OK;
}

r1_status med_terms_text(med_document *d, const char *what, const char *s, size_t len, bool *is,
                         r1_err *err)
{
    bool table;
    uint32_t n_item = 0, n_stray = 0;
    med_lines lines = {.at = s, .end = s + len};
    R1_TRY(terms_table(d, what, s, len, &table, err));
    d->kind = table ? MED_DOCUMENT_FINDINGS : d->kind;
    while (!table && med_lines_next(&lines, &s, &len)) {
        while (len && isspace((unsigned char)s[len - 1])) len--;
        if (len == 0 || *s == '#' || term_person(d, s, len)) continue;
        bool item, stray;
        R1_TRY(terms_one(d, what, s, len, &item, &stray, err));
        n_item += item;
        n_stray += stray;
        if (item || (stray && n_stray <= n_item + TERM_STRAYS)) continue;
        n_item = 0;
        break;
    }
    *is = table || n_item > n_stray;
    if (!*is) {
        terms_forget(d, 0);
        d->sex = MED_SEX_UNKNOWN;
        d->age_years = NAN;
        return R1_OK;
    }
    if (!table) d->kind = MED_DOCUMENT_TERMS;
    d->listed = true;
    return R1_OK;
}

r1_status med_findings_tree(med_document *d, const char *what, const json_t *tree, r1_err *err)
{
    json_t *o;
    size_t i;
    d->kind = MED_DOCUMENT_FINDINGS;
    if (!json_is_array(tree))
        R1_FAIL(err, R1_E_FORMAT, "%s: one finding that is no list: put it in brackets", what);
    json_array_foreach(tree, i, o)
    {
        const char *id = med_member_text(o, "id", NULL), *s = med_member_text(o, "status", NULL);
        med_status status;
        if (!id || !s)
            R1_FAIL(err, R1_E_FORMAT, "%s: finding %zu: expected \"id\" and \"status\" as texts",
                    what, i + 1);
        if (!finding_status(s, strlen(s), &status)) return finding_refuse(what, i + 1, err);
        R1_TRY(med_state(d, id, med_member_text(o, "name", NULL), status, what, err));
    }
    return R1_OK;
}

r1_status med_annotated_tree(med_document *d, const char *what, const json_t *tree, r1_err *err)
{
    const char *sex = med_member_text(tree, "sex", NULL);
    const json_t *age = med_member(tree, "age_years", NULL);
    json_int_t not_read = json_integer_value(med_member(tree, "not_read", NULL));
    if (sex && strcmp(sex, "female") == 0) d->sex = MED_SEX_FEMALE;
    if (sex && strcmp(sex, "male") == 0) d->sex = MED_SEX_MALE;
    if (json_is_number(age)) d->age_years = (float)json_number_value(age);
    if (not_read)
        med_document_note(d, "When the record was annotated, %lld possible findings were not read.",
                          (long long)not_read);
    return med_findings_tree(d, what, json_object_get(tree, "findings"), err);
}
