/* SPDX-License-Identifier: Apache-2.0 */
/* med_review_json.c - a review as JSON: each member stands once in the tables of this file. */
#include "documents/med_review.h"

#include "documents/med_parts.h"
#include "print/med_put.h"
#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const head_members[] = {
    "format", "version", "record",   "knowledge_base", "sex",    "age_years", "not_read",
    "cut",    "notes",   "findings", "signed",         "review", "hash"};
static const char *const signed_members[] = {"by", "at"};
static const char *const finding_members[] = {"id",     "name",   "status",
                                              "person", "review", "evidence"};
static const char *const quote_members[] = {"sentence", "from",    "to",  "start",
                                            "mentions", "section", "cue", "measured"};
static const char *const lab_members[] = {"value", "low", "high"};
static const char *const review_sex[] = {
    [MED_SEX_UNKNOWN] = "unknown", [MED_SEX_FEMALE] = "female", [MED_SEX_MALE] = "male"};
static const char *const review_person[] = {"patient", "relative"};

/* Where a value stands, for errors: "letter.json: finding 3". */
typedef struct {
    const char *what;
    uint32_t finding; /* from 1; 0: the head */
} place;

static const char *place_text(const place *p, char *out, size_t size)
{
    if (p->finding)
        snprintf(out, size, "%s: finding %u", p->what, p->finding);
    else
        snprintf(out, size, "%s", p->what);
    return out;
}

#define REVIEW_PLACE_BYTES 300
#define REVIEW_FAIL(err, p, ...)                                                                   \
    do {                                                                                           \
        char at_[REVIEW_PLACE_BYTES];                                                              \
        r1_err_set((err), R1_E_FORMAT, __FILE__, __LINE__, __VA_ARGS__);                           \
        r1_err_prefix((err), "%s: ", place_text((p), at_, sizeof at_));                            \
        return R1_E_FORMAT;                                                                        \
    } while (0)

/* ---- reading ---- */

static const char *kind_text(const json_t *v)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
    return v ? names[json_typeof(v)] : "nothing";
}

static r1_status review_object(const place *p, const char *name, const json_t *o,
                               const char *const *member, size_t n, r1_err *err)
{
    const char *key;
    json_t *v;
    if (!json_is_object(o))
        REVIEW_FAIL(err, p, "%s: expected an object, found %s", name, kind_text(o));
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        size_t i = 0;
        while (i < n && strcmp(member[i], key) != 0) i++;
        if (i == n) REVIEW_FAIL(err, p, "%s: a member \"%.40s\" that is not known", name, key);
    }
    return R1_OK;
}

/* A text of at most max bytes, malloc'ed; NULL where the member does not stand or is null. */
static r1_status review_text(const place *p, const json_t *o, const char *name, size_t max,
                             char **out, r1_err *err)
{
    const json_t *v = json_object_get(o, name);
    const char *s = json_string_value(v);
    *out = NULL;
    if (!v || json_is_null(v)) return R1_OK;
    if (!s) REVIEW_FAIL(err, p, "\"%s\": expected a text, found %s", name, kind_text(v));
    if (strlen(s) != json_string_length(v))
        REVIEW_FAIL(err, p, "\"%s\": a text with a NUL character", name);
    if (strlen(s) > max)
        REVIEW_FAIL(err, p, "\"%s\": %zu bytes, expected at most %zu", name, strlen(s), max);
    *out = strdup(s);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for the findings of a review");
    return R1_OK;
}

static void words_text(const char *const *word, int n, int without, char *out, size_t size)
{
    size_t at = 0;
    *out = '\0';
    for (int i = 0; i < n && at < size; i++)
        if (i != without)
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", word[i]);
}

/* The number of a word; `without` is a word that does not stand in files, -1: none. absent: what a
 * member that lacks stands for, -1: it must not lack. */
static r1_status review_word(const place *p, const json_t *o, const char *name,
                             const char *const *word, int n, int without, int absent, int *out,
                             r1_err *err)
{
    char known[120];
    const json_t *v = json_object_get(o, name);
    const char *s = json_string_value(v);
    *out = absent;
    if (!v && absent >= 0) return R1_OK;
    words_text(word, n, without, known, sizeof known);
    for (*out = 0; s && *out < n; ++*out)
        if (*out != without && strcmp(word[*out], s) == 0) return R1_OK;
    REVIEW_FAIL(err, p, "\"%s\": expected one of %s, found %s", name, known,
                s ? "another text" : kind_text(v));
}

static r1_status review_count(const place *p, const json_t *o, const char *name, json_int_t low,
                              json_int_t high, json_int_t absent, uint32_t *out, r1_err *err)
{
    const json_t *v = json_object_get(o, name);
    json_int_t n = v ? json_integer_value(v) : absent;
    if (v && !json_is_integer(v))
        REVIEW_FAIL(err, p, "\"%s\": expected a whole number, found %s", name, kind_text(v));
    if (n < low || n > high)
        REVIEW_FAIL(err, p, "\"%s\": expected %lld to %lld, found %lld", name, (long long)low,
                    (long long)high, (long long)n);
    *out = (uint32_t)n;
    return R1_OK;
}

/* A number; NaN where it lacks or is null. */
static r1_status review_number(const place *p, const json_t *o, const char *name, double low,
                               double high, double *out, r1_err *err)
{
    const json_t *v = json_object_get(o, name);
    *out = NAN;
    if (!v || json_is_null(v)) return R1_OK;
    if (!json_is_number(v))
        REVIEW_FAIL(err, p, "\"%s\": expected a number or null, found %s", name, kind_text(v));
    *out = json_number_value(v);
    if (!(*out >= low && *out <= high))
        REVIEW_FAIL(err, p, "\"%s\": expected %g to %g, found %g", name, low, high, *out);
    return R1_OK;
}

static r1_status review_lab(const place *p, const json_t *o, med_quote *q, r1_err *err)
{
    double v[R1_COUNT(lab_members)];
    if (!o) return R1_OK;
    R1_TRY(review_object(p, "\"measured\"", o, lab_members, R1_COUNT(lab_members), err));
    for (size_t i = 0; i < R1_COUNT(v); i++)
        R1_TRY(review_number(p, o, lab_members[i], -1e30, 1e30, &v[i], err));
    if (isnan(v[0])) REVIEW_FAIL(err, p, "\"measured\": expected a \"value\"");
    q->lab = true;
    q->value = (float)v[0];
    q->low = (float)(isnan(v[1]) ? -INFINITY : v[1]);
    q->high = (float)(isnan(v[2]) ? INFINITY : v[2]);
    return R1_OK;
}

static r1_status review_quote_read(const place *p, const json_t *o, med_quote *q, r1_err *err)
{
    int section;
    if (!o) return R1_OK;
    R1_TRY(review_object(p, "\"evidence\"", o, quote_members, R1_COUNT(quote_members), err));
    R1_TRY(review_text(p, o, "sentence", MED_REVIEW_TEXT_MAX, &q->sentence, err));
    R1_TRY(review_text(p, o, "cue", MED_REVIEW_TEXT_MAX, &q->cue, err));
    if (!q->sentence || !*q->sentence)
        REVIEW_FAIL(err, p, "\"evidence\": expected a \"sentence\" that is not empty");
    json_int_t len = (json_int_t)strlen(q->sentence);
    R1_TRY(review_count(p, o, "from", 0, len - 1, 0, &q->from, err));
    R1_TRY(review_count(p, o, "to", q->from + 1, len, len, &q->to, err));
    R1_TRY(review_count(p, o, "start", 0, MED_DOCUMENT_BYTES_MAX, 0, &q->start, err));
    R1_TRY(review_count(p, o, "mentions", 1, MED_MENTIONS_MAX, 1, &q->mentions, err));
    if ((q->sentence[q->from] & 0xc0) == 0x80 || (q->sentence[q->to] & 0xc0) == 0x80)
        REVIEW_FAIL(err, p, "\"from\" and \"to\": bytes %u to %u cut a character", q->from, q->to);
    R1_TRY(review_word(p, o, "section", med_section_name, MED_SECTION_COUNT, -1, MED_SECTION_OTHER,
                       &section, err));
    q->section = (uint8_t)section;
    return review_lab(p, json_object_get(o, "measured"), q, err);
}

static r1_status review_finding(const place *p, const json_t *o, med_review_finding *f, r1_err *err)
{
    int status, person, review;
    R1_TRY(review_object(p, "a finding", o, finding_members, R1_COUNT(finding_members), err));
    R1_TRY(review_text(p, o, "id", 127, &f->id, err));
    R1_TRY(review_text(p, o, "name", MED_REVIEW_NAME_MAX, &f->name, err));
    if (!f->id || !*f->id) REVIEW_FAIL(err, p, "\"id\": expected the id of a finding");
    R1_TRY(review_word(p, o, "status", med_status_name, MED_STATUS_COUNT, MED_FAMILY, -1, &status,
                       err));
    R1_TRY(review_word(p, o, "person", review_person, 2, -1, 0, &person, err));
    R1_TRY(review_word(p, o, "review", med_review_name, MED_REVIEW_STATES, -1, -1, &review, err));
    f->status = (med_status)status;
    f->relative = person == 1;
    f->review = (med_review_state)review;
    return review_quote_read(p, json_object_get(o, "evidence"), &f->quote, err);
}

static r1_status review_notes_read(const place *p, const json_t *list, med_review *r, r1_err *err)
{
    if (!list) return R1_OK;
    if (!json_is_array(list) || json_array_size(list) > MED_DOCUMENT_NOTES_MAX + 1)
        REVIEW_FAIL(err, p, "\"notes\": expected a list of at most %d texts, found %s of %zu",
                    MED_DOCUMENT_NOTES_MAX + 1, kind_text(list), json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        const char *s = json_string_value(v);
        if (!s || strlen(s) != json_string_length(v) || strlen(s) > MED_REVIEW_TEXT_MAX)
            REVIEW_FAIL(err, p, "\"notes\": expected texts of at most %d bytes, found %s",
                        MED_REVIEW_TEXT_MAX, kind_text(v));
        if (!(r->note[r->n_note] = strdup(s)))
            R1_FAIL(err, R1_E_NOMEM, "no memory for the findings of a review");
        r->n_note++;
    }
    return R1_OK;
}

/* "2026-11-30T09:15:00Z", also with a fraction of a second and an offset. */
static bool review_is_instant(const char *s)
{
    struct tm tm = {0};
    const char *end =
        strlen(s) < MED_SIGNED_AT_BYTES ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!end || end - s != 19) return false;
    struct tm day = tm; /* timegm makes 3 March of 31 February */
    timegm(&day);
    if (day.tm_mday != tm.tm_mday || day.tm_mon != tm.tm_mon) return false;
    if (*end == '.') {
        size_t n = strspn(end + 1, "0123456789");
        if (n < 1 || n > 9) return false;
        end += 1 + n;
    }
    if (strcmp(end, "Z") == 0) return true;
    int hour = 0, minute = 0, read = 0;
    return strlen(end) == 6 && strchr("+-", *end) && strspn(end + 1, "0123456789:") == 5 &&
           sscanf(end + 1, "%2d:%2d%n", &hour, &minute, &read) == 2 && read == 5 && hour <= 14 &&
           minute <= 59;
}

static r1_status review_signature(const place *p, const json_t *o, med_signature *x, r1_err *err)
{
    R1_TRY(review_object(p, "\"signed\"", o, signed_members, R1_COUNT(signed_members), err));
    const json_t *who = json_object_get(o, "by"), *when = json_object_get(o, "at");
    const char *by = json_string_value(who), *at = json_string_value(when);
    bool plain = by && *by && strlen(by) == json_string_length(who) && strlen(by) < sizeof x->by;
    for (const char *c = by; plain && *c; c++) plain = (unsigned char)*c >= ' ' && *c != 0x7f;
    if (!plain)
        REVIEW_FAIL(err, p,
                    "\"signed\": \"by\": expected a name of 1 to %zu bytes without control "
                    "characters, found %s",
                    sizeof x->by - 1, by ? "another text" : kind_text(who));
    if (!at || strlen(at) != json_string_length(when) || !review_is_instant(at))
        REVIEW_FAIL(err, p,
                    "\"signed\": \"at\": expected an instant as 2026-11-30T09:15:00Z, found %s",
                    at ? "another text" : kind_text(when));
    snprintf(x->by, sizeof x->by, "%s", by);
    snprintf(x->at, sizeof x->at, "%s", at);
    return R1_OK;
}

/* Who signed, which review, and its hash: a signature without what was signed says nothing. */
static r1_status review_signing(const place *p, const json_t *tree, med_signing *x, r1_err *err)
{
    const json_t *list = json_object_get(tree, "signed"), *sum = json_object_get(tree, "hash");
    const char *hash = json_string_value(sum);
    R1_TRY(review_count(p, tree, "review", json_object_get(tree, "review") ? 1 : 0, UINT32_MAX, 0,
                        &x->review, err));
    if (sum && (!hash || json_string_length(sum) != 64 || strspn(hash, "0123456789abcdef") != 64))
        REVIEW_FAIL(err, p, "\"hash\": expected 64 digits of 0 to 9 and a to f, found %s",
                    hash ? "another text" : kind_text(sum));
    if (hash) snprintf(x->hash, sizeof x->hash, "%s", hash);
    if ((x->review != 0) != (hash != NULL))
        REVIEW_FAIL(err, p, "\"review\" and \"hash\": expected both or none, found one");
    if (list && (!json_is_array(list) || json_array_size(list) > MED_SIGNERS_MAX))
        REVIEW_FAIL(err, p, "\"signed\": expected a list of at most %d, found %s of %zu",
                    (int)MED_SIGNERS_MAX, kind_text(list), json_array_size(list));
    if (json_array_size(list) && !x->review)
        REVIEW_FAIL(err, p,
                    "\"signed\": expected \"review\" and \"hash\" of what was signed, found none");
    for (size_t i = 0; i < json_array_size(list); i++)
        R1_TRY(review_signature(p, json_array_get(list, i), &x->signature[x->n++], err));
    return R1_OK;
}

static r1_status review_head(const place *p, const json_t *tree, med_review *r, r1_err *err)
{
    int sex;
    uint32_t version;
    const char *format = json_string_value(json_object_get(tree, "format"));
    if (!format || strcmp(format, MED_REVIEW_FORMAT) != 0)
        REVIEW_FAIL(err, p, "\"format\": expected \"%s\", found another", MED_REVIEW_FORMAT);
    R1_TRY(review_object(p, "the file", tree, head_members, R1_COUNT(head_members), err));
    R1_TRY(
        review_count(p, tree, "version", MED_REVIEW_VERSION, MED_REVIEW_VERSION, 0, &version, err));
    R1_TRY(review_text(p, tree, "record", MED_REVIEW_NAME_MAX, &r->record, err));
    R1_TRY(review_text(p, tree, "knowledge_base", 64, &r->knowledge_base, err));
    R1_TRY(review_word(p, tree, "sex", review_sex, R1_COUNT(review_sex), -1, MED_SEX_UNKNOWN, &sex,
                       err));
    R1_TRY(review_number(p, tree, "age_years", 0, 150, &r->age_years, err));
    R1_TRY(review_count(p, tree, "not_read", 0, UINT32_MAX, 0, &r->not_read, err));
    R1_TRY(review_count(p, tree, "cut", 0, UINT32_MAX, 0, &r->cut, err));
    R1_TRY(review_signing(p, tree, &r->signing, err));
    r->sex = (med_sex)sex;
    return review_notes_read(p, json_object_get(tree, "notes"), r, err);
}

static r1_status review_all(med_review *r, const char *what, const json_t *tree, r1_err *err)
{
    place p = {what, 0};
    const json_t *list = json_object_get(tree, "findings");
    R1_TRY(review_head(&p, tree, r, err));
    if (!json_is_array(list))
        REVIEW_FAIL(err, &p, "\"findings\": expected a list, found %s", kind_text(list));
    size_t n = json_array_size(list);
    if (n > MED_DOCUMENT_FINDINGS_MAX)
        REVIEW_FAIL(err, &p, "\"findings\": %zu, expected at most %d", n,
                    MED_DOCUMENT_FINDINGS_MAX);
    r->finding = calloc(n + 1, sizeof *r->finding);
    if (!r->finding) R1_FAIL(err, R1_E_NOMEM, "no memory for the findings of a review");
    r->cap = (uint32_t)n + 1;
    for (p.finding = 1; p.finding <= n; p.finding++) {
        r->n = p.finding; /* what a failed one holds is freed */
        R1_TRY(review_finding(&p, json_array_get(list, p.finding - 1), &r->finding[p.finding - 1],
                              err));
    }
    return R1_OK;
}

r1_status med_review_read(med_review *out, const char *what, const json_t *tree, r1_err *err)
{
    *out = (med_review){.age_years = NAN};
    r1_status st = review_all(out, what, tree, err);
    if (st != R1_OK) med_review_free(out);
    return st;
}

/* ---- writing ---- */

/* A value that is not finite stands as null; a NULL text does not stand. */
static void write_number(json_t *o, const char *name, double v, bool *good)
{
    *good = json_object_set_new(o, name, isfinite(v) ? json_real(v) : json_null()) == 0 && *good;
}

static void write_text(json_t *o, const char *name, const char *s, bool *good)
{
    if (s) *good = json_object_set_new(o, name, med_json_string(s)) == 0 && *good;
}

/* Words of the record are UTF-8 already, and their bytes are counted. */
static void write_words(json_t *o, const char *name, const char *s, bool *good)
{
    if (s) *good = json_object_set_new(o, name, json_string(s)) == 0 && *good;
}

static void write_count(json_t *o, const char *name, uint32_t n, bool *good)
{
    *good = json_object_set_new(o, name, json_integer(n)) == 0 && *good;
}

static json_t *write_quote(const med_quote *q, bool *good)
{
    json_t *o = json_object();
    write_words(o, "sentence", q->sentence, good);
    write_count(o, "from", q->from, good);
    write_count(o, "to", q->to, good);
    write_count(o, "start", q->start, good);
    write_count(o, "mentions", q->mentions, good);
    write_text(o, "section", med_section_name[q->section], good);
    write_words(o, "cue", q->cue, good);
    if (!q->lab) return o;
    json_t *lab = json_object();
    write_number(lab, "value", (double)q->value, good);
    write_number(lab, "low", (double)q->low, good);
    write_number(lab, "high", (double)q->high, good);
    *good = json_object_set_new(o, "measured", lab) == 0 && *good;
    return o;
}

static json_t *write_finding(const med_review_finding *f, bool *good)
{
    json_t *o = json_object();
    write_text(o, "id", f->id, good);
    write_text(o, "name", f->name, good);
    write_text(o, "status", med_status_name[f->status], good);
    write_text(o, "person", review_person[f->relative], good);
    write_text(o, "review", med_review_name[f->review], good);
    if (f->quote.sentence)
        *good = json_object_set_new(o, "evidence", write_quote(&f->quote, good)) == 0 && *good;
    return o;
}

static void write_signing(json_t *o, const med_signing *x, bool *good)
{
    if (!x->review) return;
    json_t *list = json_array();
    for (uint32_t i = 0; i < x->n; i++) {
        json_t *s = json_object();
        write_text(s, "by", x->signature[i].by, good);
        write_text(s, "at", x->signature[i].at, good);
        *good = json_array_append_new(list, s) == 0 && *good;
    }
    write_count(o, "review", x->review, good);
    write_text(o, "hash", x->hash, good);
    *good = json_object_set_new(o, "signed", list) == 0 && *good;
}

static json_t *write_tree(const med_review *r, bool *good)
{
    json_t *o = json_object(), *notes = json_array(), *list = json_array();
    write_text(o, "format", MED_REVIEW_FORMAT, good);
    write_count(o, "version", MED_REVIEW_VERSION, good);
    write_text(o, "record", r->record, good);
    write_text(o, "knowledge_base", r->knowledge_base, good);
    write_text(o, "sex", review_sex[r->sex], good);
    write_number(o, "age_years", r->age_years, good);
    write_count(o, "not_read", r->not_read, good);
    write_count(o, "cut", r->cut, good);
    for (uint32_t i = 0; i < r->n_note; i++)
        *good = json_array_append_new(notes, med_json_string(r->note[i])) == 0 && *good;
    for (uint32_t i = 0; i < r->n; i++)
        *good = json_array_append_new(list, write_finding(&r->finding[i], good)) == 0 && *good;
    write_signing(o, &r->signing, good);
    *good = json_object_set_new(o, "notes", notes) == 0 && *good;
    *good = json_object_set_new(o, "findings", list) == 0 && *good;
    return o;
}

r1_status med_review_write(const med_review *r, char **out, r1_err *err)
{
    bool good = true;
    json_t *o = write_tree(r, &good);
    *out = o && good ? json_dumps(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9))
                     : NULL;
    json_decref(o);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for the findings of a review");
    if (strlen(*out) <= MED_DOCUMENT_BYTES_MAX) return R1_OK;
    size_t n = strlen(*out);
    free(*out);
    *out = NULL;
    R1_FAIL(err, R1_E_FORMAT, "a file of findings of %zu bytes, at most %zu are read again", n,
            MED_DOCUMENT_BYTES_MAX);
}
