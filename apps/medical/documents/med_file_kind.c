/* SPDX-License-Identifier: Apache-2.0 */
/* med_file_kind.c - see med_document.h. Owns the decision what a file is. */
#include "documents/med_document.h"

#include "documents/med_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const med_document_name[MED_DOCUMENT_COUNT] = {
    [MED_DOCUMENT_TEXT] = "text",
    [MED_DOCUMENT_HTML] = "HTML",
    [MED_DOCUMENT_RTF] = "RTF",
    [MED_DOCUMENT_DOCX] = "DOCX",
    [MED_DOCUMENT_ODT] = "ODT",
    [MED_DOCUMENT_PDF] = "PDF",
    [MED_DOCUMENT_PHENOPACKET] = "phenopacket",
    [MED_DOCUMENT_FHIR] = "FHIR resource",
    [MED_DOCUMENT_TERMS] = "list of HPO ids",
    [MED_DOCUMENT_FINDINGS] = "table of findings",
    [MED_DOCUMENT_REVIEW] = "file of reviewed findings"};

/* Files that are recognised in order to be refused with what to do. */
static const struct {
    const char *bytes;
    size_t n;
    const char *remedy;
} refused[] = {
    {"\xd0\xcf\x11\xe0", 4, "a file of Word before 2007: save it as DOCX or as text"},
    {"\x89PNG", 4, "a picture (PNG): run text recognition (OCR) first"},
    {"\xff\xd8\xff", 3, "a picture (JPEG): run text recognition (OCR) first"},
    {"II*\0", 4, "a picture (TIFF): run text recognition (OCR) first"},
    {"MM\0*", 4, "a picture (TIFF): run text recognition (OCR) first"},
    {"GIF8", 4, "a picture (GIF): run text recognition (OCR) first"},
    {"\x1f\x8b", 2, "a compressed file (gzip): unpack it"},
    {"\x28\xb5\x2f\xfd", 4, "a compressed file (zstd): unpack it"},
    {"7z\xbc\xaf", 4, "a compressed file (7z): unpack it"},
    {"Rar!", 4, "a compressed file (RAR): unpack it"},
};
static const struct {
    const char *start, *remedy;
} refused_text[] = {
    {"MSH|", "a message of HL7 version 2: give its report as text, or a FHIR bundle"},
    {"%!PS", "PostScript: save it as PDF or as text"},
    {"##fileformat=VCF", "variants (VCF), no findings: give the record or a phenopacket"},
};

static r1_status document_binary(med_document *d, const char *what, const char *s, size_t len,
                                 bool *done, r1_err *err)
{
    size_t head = len < 1024 ? len : 1024;
    *done = true;
    for (size_t i = 0; i < R1_COUNT(refused); i++)
        if (len >= refused[i].n && memcmp(s, refused[i].bytes, refused[i].n) == 0)
            R1_FAIL(err, R1_E_FORMAT, "%s: %s", what, refused[i].remedy);
    if (memmem(s, head, "%PDF-", 5)) {
        d->kind = MED_DOCUMENT_PDF;
        return med_pdf_text(d, what, s, len, err);
    }
    if (len >= 4 && memcmp(s, "PK\3\4", 4) == 0) return med_zip_text(d, what, s, len, err);
    if (len >= 5 && memcmp(s, "{\\rtf", 5) == 0) {
        d->kind = MED_DOCUMENT_RTF;
        return med_rtf_text(d, what, s, len, err);
    }
    *done = false;
    return R1_OK;
}

static bool document_is_yaml(const char *s, size_t len)
{
    static const char *const keys[] = {
        "phenotypicFeatures:", "phenotypic_features:", "resourceType:"};
    for (size_t i = 0; i < R1_COUNT(keys); i++) {
        const char *k = memmem(s, len, keys[i], strlen(keys[i]));
        if (k && (k == s || k[-1] == '\n' || k[-1] == ' ')) return true;
    }
    return false;
}

static r1_status document_tree(med_document *d, const char *what, json_t *tree, r1_err *err)
{
    r1_status st = med_tree_read(d, what, tree, err);
    json_decref(tree);
    return st;
}

/* A record may begin with a bracket, "[x] seizures". What begins like an object is meant as one. */
static r1_status document_json(med_document *d, const char *what, const char *s, size_t len,
                               bool *done, r1_err *err)
{
    json_t *tree = NULL;
    r1_err why = {0};
    r1_status st = med_json_tree(what, s, len, &tree, &why);
    size_t next = 1;
    while (next < len && isspace((unsigned char)s[next])) next++;
    bool meant =
        next < len && (*s == '{' ? strchr("\"}", s[next]) : strchr("{\"", s[next])) != NULL;
    *done = st == R1_OK || meant;
    if (st == R1_OK && !json_is_object(tree) && !json_is_object(json_array_get(tree, 0)) &&
        json_array_size(tree)) {
        *done = meant;
        json_decref(tree);
        tree = NULL;
    }
    if (!*done) return R1_OK;
    if (st == R1_OK && tree) return document_tree(d, what, tree, err);
    if (st == R1_OK)
        R1_FAIL(err, R1_E_FORMAT, "%s: JSON that holds no findings: expected objects", what);
    *err = why;
    return st;
}

/* A text that is decoded: a list, a page, or prose. */
static r1_status document_text(med_document *d, const char *what, char *text, size_t len,
                               r1_err *err)
{
    size_t blank = strspn(text, " \t\r\n");
    const char *s = text + blank;
    bool done = false;
    len -= blank;
    for (size_t i = 0; i < R1_COUNT(refused_text); i++)
        if (strncmp(s, refused_text[i].start, strlen(refused_text[i].start)) == 0)
            R1_FAIL(err, R1_E_FORMAT, "%s: %s", what, refused_text[i].remedy);
    if (*s == '{' || *s == '[') R1_TRY(document_json(d, what, s, len, &done, err));
    if (done) return R1_OK;
    if (med_html_looks(s, len)) {
        d->kind = MED_DOCUMENT_HTML;
        return med_html_text(d, what, s, len, err);
    }
    if (strncmp(s, "<?xml", 5) == 0 || strncmp(s, "<ClinicalDocument", 17) == 0)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: XML that is no page (perhaps a CDA document): give its text, or a FHIR bundle",
                what);
    if (document_is_yaml(s, len)) {
        json_t *tree = NULL;
        R1_TRY(med_yaml_tree(what, s, len, &tree, err));
        return document_tree(d, what, tree, err);
    }
    R1_TRY(med_terms_text(d, what, s, len, &done, err));
    return R1_OK;
}

static r1_status document_any(med_document *d, const char *what, const char *s, size_t len,
                              r1_err *err)
{
    bool done;
    char *text = NULL;
    size_t n = 0;
    R1_TRY(document_binary(d, what, s, len, &done, err));
    if (!done) {
        R1_TRY(med_decode(d, what, s, len, &text, &n, err));
        r1_status st = document_text(d, what, text, n, err);
        if (st == R1_OK && !d->text && !d->listed) {
            d->text = text;
            d->len = n;
        } else {
            free(text);
        }
        if (st != R1_OK) return st;
    }
    if (!d->listed) {
        if (d->kind != MED_DOCUMENT_TEXT)
            med_document_note(d, "The file is %s: places count bytes of the text in it.",
                              med_document_name[d->kind]);
        return med_language_check(d, what, err);
    }
    if (d->n_stated == 0 && d->kind != MED_DOCUMENT_REVIEW)
        R1_FAIL(err, R1_E_FORMAT, "%s: a %s without findings", what, med_document_name[d->kind]);
    med_document_note(d, "The file is a %s: its %u findings were taken, and no text was read.",
                      med_document_name[d->kind], d->n_stated);
    return R1_OK;
}

r1_status med_document_read(med_document *out, const char *what, const char *bytes, size_t len,
                            r1_err *err)
{
    *out = (med_document){.age_years = NAN};
    if (len > MED_DOCUMENT_BYTES_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s: %zu bytes, at most %zu are read", what, len,
                MED_DOCUMENT_BYTES_MAX);
    r1_status st = document_any(out, what, bytes, len, err);
    if (st != R1_OK) med_document_free(out);
    return st;
}

void med_document_free(med_document *d)
{
    for (uint32_t i = 0; i < d->n_stated; i++) {
        free(d->stated[i].id);
        free(d->stated[i].label);
        med_quote_free(&d->stated[i].quote);
    }
    for (uint32_t i = 0; i < d->n_note; i++) free(d->note[i]);
    free(d->stated);
    free(d->title);
    free(d->text);
    *d = (med_document){.age_years = NAN};
}
