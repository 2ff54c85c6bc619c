/* SPDX-License-Identifier: Apache-2.0 */
/* med_asked.h - the body of POST /v1/report: one record, and what is known of its patient beside
 * it. Each member is of one type, and no other member may stand there: a misspelt one would be left
 * out in silence.
 *
 *     {"record": "text of any kind"}            or the two below in its place
 *     {"findings": {...}}                       a file of findings, as /v1/findings takes it
 *     {"observed": ["HP:0001083"], "excluded": ["Seizure"]}
 *     "genes": ["FBN1", "TP53"], "vcf": "##fileformat..."      one of both
 *     "sex": "female" or "male", "age": years from 0 to 130
 *
 * Owns:    the record's bytes and the genes. Zero is empty; free it after a failure too.
 * Threads: any.
 * Errors:  R1_E_FORMAT with the member, expected and found; R1_E_NOMEM. */
#ifndef MED_ASKED_H
#define MED_ASKED_H

#include "genes/med_genes.h"

typedef struct {
    char *record; /* NUL-terminated */
    size_t len;
    bool listed; /* the record is a list of findings */
    bool has_genes;
    med_genes genes;
    med_sex sex;
    float age_years; /* NaN: not said */
} med_asked;

r1_status med_asked_read(med_asked *out, const char *body, size_t len, r1_err *err);
void med_asked_free(med_asked *a);

#endif
