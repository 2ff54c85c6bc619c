/* SPDX-License-Identifier: Apache-2.0 */
/* med_document.h - what file a record comes in. Prose of any usual format becomes UTF-8 text;
 * findings that somebody has listed already stay a list. What is neither is refused with a remedy,
 * and never taken for prose.
 *
 *   prose   plain text (UTF-8, UTF-16, UTF-32, windows-1252), HTML, RTF, DOCX, ODT, PDF with a
 *           text layer
 *   lists   phenopackets v1 and v2 (JSON, YAML), FHIR R4 bundles, HPO ids with or without names and
 *           signs, age and sex, reviewed findings (med_review.h), the tables and the JSON that
 *           `annotate` prints
 *
 * The first bytes and the content tell the kind, not the name.
 *
 * Owns:    a med_document owns its text, its list and its notes.
 * Threads: any, one document per call. PDF runs `pdftotext` of poppler-utils as a child with bounds
 *          on time and memory.
 * Limits:  MED_DOCUMENT_BYTES_MAX of the file and of its text, MED_DOCUMENT_FINDINGS_MAX listed
 *          findings, MED_DOCUMENT_DEPTH_MAX levels of nesting.
 * Errors:  R1_E_FORMAT with what, where, expected, found and the remedy; R1_E_NOMEM. */
#ifndef MED_DOCUMENT_H
#define MED_DOCUMENT_H

#include "notes/med_notes.h"
#include "notes/med_signing.h"
#include "ontology/med_names.h"

#define MED_DOCUMENT_BYTES_MAX MED_RECORD_BYTES_MAX
enum {
    MED_DOCUMENT_FINDINGS_MAX = 10000,
    MED_DOCUMENT_NOTES_MAX = 64,
    MED_DOCUMENT_DEPTH_MAX = 64
};

typedef enum {
    MED_DOCUMENT_TEXT,
    MED_DOCUMENT_HTML,
    MED_DOCUMENT_RTF,
    MED_DOCUMENT_DOCX,
    MED_DOCUMENT_ODT,
    MED_DOCUMENT_PDF,
    MED_DOCUMENT_PHENOPACKET,
    MED_DOCUMENT_FHIR,
    MED_DOCUMENT_TERMS,    /* HPO ids, one or more to a line */
    MED_DOCUMENT_FINDINGS, /* what annotate printed */
    MED_DOCUMENT_REVIEW,   /* findings that a person went through, med_review.h */
    MED_DOCUMENT_COUNT
} med_document_kind;
extern const char *const med_document_name[MED_DOCUMENT_COUNT];

/* Where a listed finding stands in the record that it came from, as a review says it. */
typedef struct {
    char *sentence, *cue; /* NULL: not said; cue: the words that decided the status */
    uint32_t from, to;    /* bytes of the sentence: the finding's own words */
    uint32_t start;       /* byte of the record at which the sentence begins */
    uint32_t mentions;
    uint8_t section; /* MED_SECTION_* */
    bool lab;        /* from a measured value, as in med_mention */
    float value, low, high;
} med_quote;
void med_quote_free(med_quote *q);

/* A finding that a file lists. */
typedef struct {
    char *id;    /* as it stands there, "HP:0001250"; "": it is named alone; never NULL */
    char *label; /* as it stands there, or NULL */
    med_status status;
    bool added;      /* by a person in review: it stands nowhere in the record */
    med_quote quote; /* zero: none */
} med_stated;

typedef struct {
    med_document_kind kind;
    bool listed;         /* `stated` holds the findings, and there is no text to be read */
    med_signing signing; /* of a review; zero: none */
    char *title;         /* of the record that a review came from; NULL: the file's own name */
    char *text;          /* UTF-8, NUL-terminated; of a list "" */
    size_t len;
    med_stated *stated;
    uint32_t n_stated, cap_stated;
    med_sex sex;
    float age_years;                        /* NaN: not said */
    char born[12];                          /* as in med_notes */
    char *note[MED_DOCUMENT_NOTES_MAX + 1]; /* what was converted, left out or changed */
    uint32_t n_note;
    char several[80]; /* what says that the text is of several patients, and where; "": nothing */
} med_document;

/* what names the file in errors. *out is empty after a failure; free it in any case. */
r1_status med_document_read(med_document *out, const char *what, const char *bytes, size_t len,
                            r1_err *err);
void med_document_free(med_document *d);

/* The caller says that the document lists findings: a text is read as one id or name to a line,
 * with a sign before it, and lines "age: 3 y" and "sex: female". A list stays as it is. */
r1_status med_document_as_list(med_document *d, const char *what, r1_err *err);
/* Adds the findings of "HP:0001250, Cleft palate; Seizure" to a list. A name may hold commas:
 * between two semicolons the longest name that the knowledge base has is taken. */
r1_status med_document_state(med_document *d, const char *what, const char *list, med_status status,
                             const med_names *names, const med_kb *kb, r1_err *err);

/* R1_E_FORMAT where the text seems to be of several patients, since a ranking of their findings
 * together would be nobody's. what names the file, and remedy ends the message. */
r1_status med_document_one_patient(const med_document *d, const char *what, const char *remedy,
                                   r1_err *err);

/* One sentence about the document; beyond MED_DOCUMENT_NOTES_MAX the last one says that there are
 * more. */
void med_document_note(med_document *d, const char *fmt, ...) R1_PRINTF(2, 3);

/* The notes of a document: its text read, or its list looked up in the knowledge base. Ids and
 * names that it lacks, ids that are obsolete or were replaced and names that are another term's
 * become notes of the document. The document must outlive *out, which the caller frees. */
r1_status med_document_notes(med_document *d, const med_lexicon *lex, const med_kb *kb,
                             const char *what, med_notes *out, r1_err *err);

#endif
