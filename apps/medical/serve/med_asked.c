/* SPDX-License-Identifier: Apache-2.0 */
/* med_asked.c - see med_asked.h. */
#include "serve/med_asked.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASKED_AGE_MAX 130.0

static const char *asked_kind(const json_t *v)
{
    static const char *const name[] = {"an object", "an array", "a string", "a whole number",
                                       "a number",  "true",     "false",    "null"};
    return name[json_typeof(v)];
}

/* The strings of a list, one to a line, each behind a sign. */
static r1_status asked_lines(const char *member, const json_t *list, const char *sign, FILE *f,
                             r1_err *err)
{
    json_t *v;
    size_t i;
    if (!list) return R1_OK;
    if (!json_is_array(list))
        R1_FAIL(err, R1_E_FORMAT, "\"%s\": expected a list of strings, found %s", member,
                asked_kind(list));
    json_array_foreach(list, i, v)
    {
        const char *s = json_string_value(v);
        if (!s)
            R1_FAIL(err, R1_E_FORMAT, "\"%s\"[%zu]: expected a string, found %s", member, i,
                    asked_kind(v));
        if (!s[strspn(s, " \t")] || strpbrk(s, "\r\n"))
            R1_FAIL(err, R1_E_FORMAT,
                    "\"%s\"[%zu]: expected one line that is not blank, found "
                    "\"%.40s\"",
                    member, i, s);
        fprintf(f, "%s%s\n", sign, s);
    }
    return R1_OK;
}

/* Both lists as the text of a list of findings. */
static r1_status asked_lists(med_asked *a, const json_t *observed, const json_t *excluded,
                             r1_err *err)
{
    FILE *f = open_memstream(&a->record, &a->len);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for a record");
    a->listed = true;
    r1_status st = asked_lines("observed", observed, "+ ", f, err);
    if (st == R1_OK) st = asked_lines("excluded", excluded, "- ", f, err);
    if (fclose(f) != 0 && st == R1_OK) R1_FAIL(err, R1_E_NOMEM, "no memory for a record");
    if (st == R1_OK && a->len == 0)
        R1_FAIL(err, R1_E_FORMAT, "\"observed\": expected at least one finding, found none");
    return st;
}

static r1_status asked_record(med_asked *a, const json_t *o, r1_err *err)
{
    const json_t *record = json_object_get(o, "record"), *findings = json_object_get(o, "findings");
    const json_t *observed = json_object_get(o, "observed"),
                 *excluded = json_object_get(o, "excluded");
    int n = (record != NULL) + (findings != NULL) + (observed || excluded);
    if (n != 1)
        R1_FAIL(err, R1_E_FORMAT,
                "expected one of \"record\", \"findings\" and \"observed\" with \"excluded\", "
                "found %d of them",
                n);
    if (observed || excluded) return asked_lists(a, observed, excluded, err);
    if (record && !json_is_string(record))
        R1_FAIL(err, R1_E_FORMAT, "\"record\": expected a string, found %s", asked_kind(record));
    if (findings && !json_is_object(findings))
        R1_FAIL(err, R1_E_FORMAT, "\"findings\": expected an object, found %s",
                asked_kind(findings));
    a->record = record ? strdup(json_string_value(record)) : json_dumps(findings, JSON_COMPACT);
    if (!a->record) R1_FAIL(err, R1_E_NOMEM, "no memory for a record");
    a->len = strlen(a->record);
    if (!a->record[strspn(a->record, " \t\r\n")])
        R1_FAIL(err, R1_E_FORMAT, "\"record\": expected a text, found a blank one");
    return R1_OK;
}

static r1_status asked_genes(med_asked *a, const json_t *o, r1_err *err)
{
    const json_t *genes = json_object_get(o, "genes"), *vcf = json_object_get(o, "vcf");
    char *text = NULL;
    size_t len = 0;
    if (!genes && !vcf) return R1_OK;
    if (genes && vcf)
        R1_FAIL(err, R1_E_FORMAT, "expected one of \"genes\" and \"vcf\", found both");
    if (vcf && !json_is_string(vcf))
        R1_FAIL(err, R1_E_FORMAT, "\"vcf\": expected a string, the text of a VCF, found %s",
                asked_kind(vcf));
    a->has_genes = true;
    if (vcf) {
        const char *s = json_string_value(vcf);
        if (strncmp(s, "##fileformat=VCF", 16) != 0)
            R1_FAIL(err, R1_E_FORMAT,
                    "\"vcf\": expected a text that begins with ##fileformat=VCF, found \"%.20s\"",
                    s);
        return med_genes_read(&a->genes, "\"vcf\"", s, strlen(s), err);
    }
    FILE *f = open_memstream(&text, &len);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for genes");
    r1_status st = asked_lines("genes", genes, "", f, err);
    if (fclose(f) != 0 && st == R1_OK)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for genes");
    if (st == R1_OK && !len)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "\"genes\": expected at least one symbol, found none");
    if (st == R1_OK) st = med_genes_read(&a->genes, "\"genes\"", text, len, err);
    free(text);
    return st;
}

static r1_status asked_person(med_asked *a, const json_t *o, r1_err *err)
{
    const json_t *sex = json_object_get(o, "sex"), *age = json_object_get(o, "age");
    const char *s = json_string_value(sex);
    if (sex && (!s || (strcmp(s, "female") != 0 && strcmp(s, "male") != 0)))
        R1_FAIL(err, R1_E_FORMAT, "\"sex\": expected \"female\" or \"male\", found %s%.20s",
                s ? "" : asked_kind(sex), s ? s : "");
    if (sex) a->sex = *s == 'f' ? MED_SEX_FEMALE : MED_SEX_MALE;
    double years = json_number_value(age);
    if (age && (!json_is_number(age) || !(years >= 0 && years <= ASKED_AGE_MAX)))
        R1_FAIL(err, R1_E_FORMAT, "\"age\": expected years from 0 to %.0f, found %s", ASKED_AGE_MAX,
                json_is_number(age) ? "a number beyond" : asked_kind(age));
    if (age) a->age_years = (float)years;
    return R1_OK;
}

static r1_status asked_members(json_t *o, r1_err *err)
{
    static const char *const known[] = {"record", "findings", "observed", "excluded",
                                        "genes",  "vcf",      "sex",      "age"};
    const char *key;
    json_t *v;
    if (!json_is_object(o))
        R1_FAIL(err, R1_E_FORMAT, "the body: expected an object, found %s", asked_kind(o));
    json_object_foreach(o, key, v)
    {
        size_t i = 0;
        while (i < R1_COUNT(known) && strcmp(key, known[i]) != 0) i++;
        if (i == R1_COUNT(known))
            R1_FAIL(err, R1_E_FORMAT,
                    "\"%.40s\": expected one of record, findings, observed, excluded, genes, vcf, "
                    "sex and age, found another member",
                    key);
    }
    return R1_OK;
}

r1_status med_asked_read(med_asked *out, const char *body, size_t len, r1_err *err)
{
    json_error_t why;
    *out = (med_asked){.age_years = NAN};
    if (len == 0) R1_FAIL(err, R1_E_FORMAT, "expected an object of JSON, found an empty body");
    json_t *o = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!o)
        R1_FAIL(err, R1_E_FORMAT, "line %d, column %d: expected JSON, found a fault: %.100s",
                why.line, why.column, why.text);
    r1_status st = asked_members(o, err);
    if (st == R1_OK) st = asked_record(out, o, err);
    if (st == R1_OK) st = asked_genes(out, o, err);
    if (st == R1_OK) st = asked_person(out, o, err);
    json_decref(o);
    return st;
}

void med_asked_free(med_asked *a)
{
    free(a->record);
    if (a->has_genes) med_genes_free(&a->genes);
    *a = (med_asked){.age_years = NAN};
}
