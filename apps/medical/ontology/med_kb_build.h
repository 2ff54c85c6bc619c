/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_build.h - gathers what the importers read, in any order, and makes a knowledge base of
 * it: obsolete terms dropped, ancestors closed (a cycle is an error), equivalent diseases merged
 * by Mondo, profiles and information content counted.
 *
 * Owns: all it is given (strings are copied). One thread. Limits: 256 MiB of text, 4 million of
 * anything. */
#ifndef MED_KB_BUILD_H
#define MED_KB_BUILD_H

#include "ontology/med_kb.h"

typedef struct med_builder med_builder;
r1_status med_builder_new(med_builder **out, r1_err *err);
void med_builder_free(med_builder *b); /* NULL is fine */

/* The longest strings of a knowledge base, in bytes without a NUL. A longer id is refused, since
 * two ids that differ only at their ends would merge. A longer string of another kind is cut. */
enum {
    MED_ID_MAX = 127,
    MED_NAME_MAX = 1023,
    MED_SYNONYM_MAX = 2047,
    MED_DEFINITION_MAX = 8191,
    MED_SOURCE_MAX = 199, /* title, version, licence and address of a source */
    MED_SOURCES_MAX = 24
};

/* Strings are given as pointer and length; an empty one means none. Every call returns
 * R1_E_NOMEM past the limits, and R1_E_FORMAT for an id of more than MED_ID_MAX bytes. */
typedef struct {
    const char *s;
    size_t len;
} med_text;
#define MED_TEXT(z) ((med_text){(z), strlen(z)})

/* Begins an input: what names it in messages and is copied. A term or disease that one input
 * defines twice is a fault. Two inputs may define the same one, as hp.obo and hp.owl do. */
r1_status med_builder_input(med_builder *b, const char *what, r1_err *err);
/* The line of the input that the next calls speak of; 0: not known. */
void med_builder_line(med_builder *b, int64_t line);
/* Copies an id, NUL included, into to[MED_ID_MAX + 1]; R1_E_FORMAT where it is too long. */
r1_status med_builder_id(const med_builder *b, med_text id, char *to, r1_err *err);
/* Copies a string, NUL included, into to[cap] and returns its length. What does not fit is cut at
 * a character's border, counted and told as `field`. */
size_t med_builder_copy(med_builder *b, const char *field, med_text text, char *to, size_t cap);
/* The same for a string that lies in s already, of whose bytes only n were kept. */
size_t med_builder_cut(med_builder *b, const char *field, const char *s, size_t n);

/* The version of the input in hand's source, where the input itself states none. */
#define MED_VERSION_NONE "not stated"
r1_status med_builder_dated(med_builder *b, const char *version, r1_err *err);

/* A row of the input in hand that cannot be used: which field, what stands there, what was
 * expected. It is counted and told; the rest of the input is read. */
void med_builder_refuse(med_builder *b, const char *field, med_text value, const char *expected);
/* The same of a value whose row stands without it. */
void med_builder_ignore(med_builder *b, const char *field, med_text value, const char *expected);

r1_status med_builder_source(med_builder *b, const char *name, const char *version,
                             const char *licence, const char *url, uint16_t *index, r1_err *err);

r1_status med_builder_term(med_builder *b, med_text id, med_text name, med_text definition,
                           bool obsolete, r1_err *err);
/* More of a term that is defined elsewhere: what is not empty. By itself it makes no term. */
r1_status med_builder_amend(med_builder *b, med_text id, med_text name, med_text definition,
                            bool obsolete, r1_err *err);
r1_status med_builder_synonym(med_builder *b, med_text term, med_text text, uint32_t kind,
                              r1_err *err);
r1_status med_builder_parent(med_builder *b, med_text term, med_text parent, r1_err *err);
/* Another id of a term: an alternative id, or one that an obsolete term was replaced by, or a
 * sure cross reference. */
r1_status med_builder_alias(med_builder *b, med_text term, med_text alias, r1_err *err);
/* An id that the authors of an obsolete term name in its place. */
r1_status med_builder_consider(med_builder *b, med_text term, med_text other, r1_err *err);
void med_builder_root(med_builder *b,
                      med_text term); /* the top of the findings; HP:0000118 by default */

/* Makes the disease or finds it; a non-empty name replaces an empty one. Ids go by
 * med_disease_id.h. */
r1_status med_builder_disease(med_builder *b, med_text id, med_text name, uint32_t *index,
                              r1_err *err);
/* The same where the input defines the disease, which it may do once. */
r1_status med_builder_define_disease(med_builder *b, med_text id, med_text name, uint32_t *index,
                                     r1_err *err);
typedef struct {
    med_text term;
    float freq; /* < 0: not stated */
    uint32_t n, m;
    uint32_t pmid[16], n_pmid; /* publications that the row cites */
    bool negated;
    uint16_t sex;   /* MED_ROW_MALE, MED_ROW_FEMALE, 0 */
    uint16_t onset; /* MED_ONSET_*: when the finding begins */
    uint16_t source;
} med_annotation;
r1_status med_builder_annotate(med_builder *b, uint32_t disease, const med_annotation *a,
                               r1_err *err);
r1_status med_builder_gene(med_builder *b, uint32_t disease, med_text symbol, r1_err *err);
/* Adds what a source says of a disease: bits of onset and inheritance. 0 says nothing. */
r1_status med_builder_course(med_builder *b, uint32_t disease, uint32_t onset, uint32_t inheritance,
                             uint16_t source, r1_err *err);
/* per person; rank: of several the highest stands, of equal ones the largest. */
r1_status med_builder_prevalence(med_builder *b, uint32_t disease, float prevalence, uint32_t rank,
                                 uint16_t source, r1_err *err);

/* id and mondo name the same disease; child is a kind of parent (both Mondo). */
r1_status med_builder_same(med_builder *b, med_text id, med_text label, med_text mondo,
                           r1_err *err);
r1_status med_builder_subclass(med_builder *b, med_text child, med_text parent, r1_err *err);

/* What an importer met: how often, and a line of text for each of the first. The lines hold
 * strings of the sources as they are. */
enum { MED_TOLD_MAX = 20, MED_TOLD_BYTES = 400 };
typedef struct {
    uint32_t n;
    char line[MED_TOLD_MAX][MED_TOLD_BYTES];
} med_told;

/* What could not be used, for `ontology check`. */
typedef struct {
    uint32_t n_term, n_obsolete, n_disease, n_profiled, n_merged, n_inherited, n_row,
        n_row_unknown_term, n_orphan;
    med_told repeated; /* terms and diseases that one input defines again */
    med_told cut;      /* strings that were too long */
    med_told refused;  /* rows that could not be read */
    med_told ignored;  /* values that their rows do without */
    med_told unknown;  /* rows of findings that no ontology defines */
    med_told orphan;   /* is-a links to findings that are not defined */
    med_told moved;    /* rows that name a finding by an id that another one has taken over */
} med_build_stats;
r1_status med_builder_finish(med_builder *b, const char *what, med_kb **out, med_build_stats *stats,
                             r1_err *err);

/* Masks from the words of HPO, Orphanet and our own files; 0 for unknown words. */
uint32_t med_onset_mask(const char *s, size_t len);
uint32_t med_inheritance_mask(const char *s, size_t len);

#endif
