/* SPDX-License-Identifier: Apache-2.0 */
/* med_parts.h - what the readers of the formats share: a growing text, notes and listed findings.
 * Private to this room. */
#ifndef MED_PARTS_H
#define MED_PARTS_H

#include "documents/med_document.h"

#include <jansson.h>

/* A text that grows up to MED_DOCUMENT_BYTES_MAX. Zero is empty. full or lost memory stays said in
 * `status`, so that a format's walker may add without asking each time. */
typedef struct {
    char *s;
    size_t n, cap;
    r1_status status;
    uint32_t struck; /* stretches that are crossed out and were left out */
} med_prose;
void med_prose_add(med_prose *p, const char *s, size_t len);
void med_prose_char(med_prose *p, uint32_t codepoint);
/* Ends the line. A second one leaves an empty line, a third does nothing. */
void med_prose_line(med_prose *p);
/* The text goes to the document, or the error is told. Frees it in any case. */
r1_status med_prose_finish(med_prose *p, med_document *d, const char *what, r1_err *err);

r1_status med_state(med_document *d, const char *id, const char *label, med_status status,
                    const char *what, r1_err *err);
/* Whether an HPO id stands at the start of a text, also in small letters or with an underscore in
 * the place of the colon; *id gets it as HP:0001250. Returns its length, or 0. */
enum { MED_HPO_ID_BYTES = 12 };
size_t med_hpo_id(const char *s, size_t len, char id[MED_HPO_ID_BYTES]);
/* "P12Y3M", "P3W2D" in years; NaN where it is none. */
float med_iso_years(const char *duration);
/* The years between two dates "1998-05-07..."; a month or a day that lacks is the first. NaN. */
float med_years_between(const char *from, const char *to);
/* A date of birth "1998", "1998-05" or "1998-05-07..." becomes the document's; NULL and anything
 * else do not. */
void med_keep_birth(med_document *d, const char *date);

/* Bytes of any encoding as UTF-8 in a new text, without byte order mark. A file that is no text is
 * refused. */
r1_status med_decode(med_document *d, const char *what, const char *bytes, size_t len, char **text,
                     size_t *n, r1_err *err);
bool med_valid_utf8(const char *s, size_t len, size_t *bad);
/* The characters of code page 1252 or another one ("CP1250"), U+FFFD where it has none. */
void med_code_page(const char *name, uint32_t page[256]);

r1_status med_html_text(med_document *d, const char *what, const char *s, size_t len, r1_err *err);
bool med_html_looks(const char *s, size_t len);
r1_status med_rtf_text(med_document *d, const char *what, const char *s, size_t len, r1_err *err);
r1_status med_zip_text(med_document *d, const char *what, const char *s, size_t len, r1_err *err);
r1_status med_pdf_text(med_document *d, const char *what, const char *s, size_t len, r1_err *err);

/* A tree of JSON's kinds; a new reference. */
r1_status med_json_tree(const char *what, const char *s, size_t len, json_t **out, r1_err *err);
r1_status med_yaml_tree(const char *what, const char *s, size_t len, json_t **out, r1_err *err);
/* The member of the first of both names that is there; NULL. Either name may be NULL. */
json_t *med_member(const json_t *o, const char *name, const char *other);
const char *med_member_text(const json_t *o, const char *name, const char *other);
/* A tree that is a phenopacket, a FHIR bundle or findings. */
r1_status med_tree_read(med_document *d, const char *what, json_t *tree, r1_err *err);
bool med_is_phenopacket(const json_t *tree);
r1_status med_phenopacket(med_document *d, const char *what, const json_t *tree, r1_err *err);
r1_status med_fhir(med_document *d, const char *what, const json_t *tree, r1_err *err);
r1_status med_findings_tree(med_document *d, const char *what, const json_t *tree, r1_err *err);
/* A file that `review` made and a person went through. */
r1_status med_review_tree(med_document *d, const char *what, const json_t *tree, r1_err *err);
/* The object that annotate --json prints: findings, sex, age, what it did not read. */
r1_status med_annotated_tree(med_document *d, const char *what, const json_t *tree, r1_err *err);

/* Lists of ids and the table that annotate prints; *is false: the text is no such list. */
r1_status med_terms_text(med_document *d, const char *what, const char *s, size_t len, bool *is,
                         r1_err *err);

/* Crossed-out stretches of plain text become blanks. Returns how many there were. */
uint32_t med_struck_blank(char *s, size_t len);
void med_struck_note(med_document *d, uint32_t n); /* n 0: none */

/* A note where the text tells of several patients. */
void med_several_note(med_document *d);

/* Columns of prose that stand side by side become one text, column after column; a note says
 * which lines they were. Pages may be parted by form feeds. */
r1_status med_columns_part(med_document *d, const char *what, r1_err *err);

/* A text in another language than English is refused; a doubtful one gets a note. */
r1_status med_language_check(med_document *d, const char *what, r1_err *err);

#endif
