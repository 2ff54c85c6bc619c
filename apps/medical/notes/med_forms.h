/* SPDX-License-Identifier: Apache-2.0 */
/* med_forms.h - how words of names and of records are brought to one form, read from a file
 * (data/words.tsv, whose head describes its form).
 *
 * Owns:    its tables.
 * Threads: read-only after med_forms_new.
 * Errors:  a line that does not fit: R1_E_FORMAT with file, line, expected, found. */
#ifndef MED_FORMS_H
#define MED_FORMS_H

#include "ontology/med_kb.h"

enum { MED_FORM_BYTES = 72 /* bytes that a word's form may take, with its NUL */ };

/* What a word is. */
enum {
    MED_IS_STOP = 1,     /* it counts for nothing */
    MED_IS_LIGHT = 2,    /* a name may lack it */
    MED_IS_BAR = 4,      /* no finding reaches over it */
    MED_IS_PLACE = 8,    /* what follows belongs to what comes first */
    MED_IS_PREFIX = 16,  /* also written as part of the next word */
    MED_IS_EXACT = 32,   /* it names a finding alone only as it stands */
    MED_IS_APART = 64,   /* it makes no finding near it more precise */
    MED_IS_BROAD = 128,  /* it ends the name of many findings together: "anomalies" */
    MED_IS_OFFICE = 256, /* what is called after a finding, and no finding: "clinic" */
    MED_IS_GIVEN = 512   /* it is also the name of a person */
};

typedef struct med_forms med_forms;
/* name: of the file, for errors. text need not outlive the call. */
r1_status med_forms_new(med_forms **out, const char *name, const char *text, size_t len,
                        r1_err *err);
void med_forms_free(med_forms *w); /* NULL is fine */

/* Brings the spelling of a folded word of n bytes to one form, in place; s has MED_FORM_BYTES
 * bytes. Returns its length. */
size_t med_forms_spell(const med_forms *w, char *s, size_t n);
/* MED_IS_* of a word in that spelling; *as: the word that it stands for, NULL for itself. */
uint32_t med_forms_kind(const med_forms *w, const char *s, size_t n, const char **as);
/* Whether a word names no finding where that other word stands beside it; both in lower case. */
bool med_forms_unless(const med_forms *w, const char *s, size_t n, const char *beside, size_t m);
/* Whether a whole name, in lower case, is too vague to be looked for. */
bool med_forms_vague(const med_forms *w, const char *s, size_t n);

/* A name beside those of the ontology. id NULL: it is no finding. normal: it says that the finding
 * is not there, as "intact palate" does. */
typedef struct {
    const char *id, *text;
    bool normal;
    bool wide; /* a name of the ontology comes before it */
} med_extra_name;
uint32_t med_forms_names(const med_forms *w);
med_extra_name med_forms_name(const med_forms *w, uint32_t i);
/* A word that counts as other words too, where they make a finding more precise: "leg" as "lower
 * limb". */
typedef struct {
    const char *word, *as; /* as: one or two words */
} med_wider;
uint32_t med_forms_widers(const med_forms *w);
med_wider med_forms_wider(const med_forms *w, uint32_t i);
/* The ids of findings that last, with all below them. */
uint32_t med_forms_lastings(const med_forms *w);
const char *med_forms_lasting(const med_forms *w, uint32_t i);

#endif
