/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb.h - the knowledge base: findings (terms) with their ancestors, diseases with their
 * profiles, and the sources' versions and licences. It is one read-only block, mapped from a file
 * or built in memory.
 *
 * Owns:    the block. Every pointer and string that is handed out lives as long as it.
 * Threads: read-only once it is open, so any number.
 * File:    a header, a table of sections, then the sections, 64-byte aligned and little-endian.
 *          A checksum covers all that follows the header, and the header's own figures are
 *          counted again. Every index is checked against its
 *          section before the first use. med_kb_layout.h draws the bytes.
 * Ids:     a term or a disease is a number from 0; strings are offsets into one blob. */
#ifndef MED_KB_H
#define MED_KB_H

#include "r1_base.h"

#define MED_NONE UINT32_MAX

typedef struct {
    uint32_t id, name, definition;    /* strings */
    uint32_t parent_at, n_parent;     /* direct parents */
    uint32_t ancestor_at, n_ancestor; /* all ancestors and the term itself, ascending */
    uint32_t synonym_at, n_synonym;
    uint32_t n_disease; /* diseases that have it or a descendant */
    float ic;           /* -ln(n_disease / n_profile) */
    uint32_t flags;     /* MED_TERM_* */
} med_term;
enum { MED_TERM_PHENOTYPE = 1 };

typedef struct {
    uint32_t text, term, kind; /* kind: MED_SYN_* */
} med_synonym;
enum {
    MED_SYN_LABEL = 0,
    MED_SYN_EXACT = 1,
    MED_SYN_RELATED = 2,
    MED_SYN_NARROW = 3,
    MED_SYN_BROAD = 4
};

typedef struct {
    uint32_t text, index;
} med_id; /* sorted by text; alternative and cross-reference ids included */

enum {
    MED_ONSET_ANTENATAL = 1,
    MED_ONSET_NEONATAL = 2,
    MED_ONSET_INFANCY = 4,
    MED_ONSET_CHILD = 8,
    MED_ONSET_TEEN = 16,
    MED_ONSET_ADULT = 32,
    MED_ONSET_LATE = 64
};
enum {
    MED_INHERIT_AD = 1,
    MED_INHERIT_AR = 2,
    MED_INHERIT_XLD = 4,
    MED_INHERIT_XLR = 8,
    MED_INHERIT_MT = 16,
    MED_INHERIT_Y = 32,
    MED_INHERIT_MULTI = 64,
    MED_INHERIT_SPORADIC = 128
};
enum { MED_DISEASE_INHERITED_PROFILE = 1 }; /* the profile is that of the Orphanet parent */

typedef struct {
    uint32_t id, name;          /* strings; OMIM preferred where several ids were merged */
    uint32_t alias_at, n_alias; /* all ids, strings in `list` */
    uint32_t gene_at, n_gene;   /* symbols, strings in `list` */
    uint32_t row_at, n_row;
    uint32_t profile_at, n_profile;
    float profile_ic;            /* sum of the ic of its profile */
    float prevalence;            /* per person, 0: unknown */
    uint32_t onset, inheritance; /* bit sets */
    uint32_t flags;
} med_disease;

/* One annotation as its source gives it: n of m patients, or a frequency, or nothing (freq < 0). */
typedef struct {
    uint32_t term;
    float freq;
    uint32_t pmid_at;       /* publications that the row cites: pmid[pmid_at .. pmid_at + n_pmid) */
    uint16_t n, m;          /* m 0: no counts */
    uint16_t flags;         /* MED_ROW_* */
    uint8_t n_pmid, source; /* index of the source */
} med_row;
enum {
    MED_ROW_NEGATED = 1,
    MED_ROW_MALE = 2,       /* it speaks of men alone */
    MED_ROW_FEMALE = 4,     /* of women alone */
    MED_ROW_ONSET_SHIFT = 8 /* from this bit on, MED_ONSET_*: when the finding begins */
};
#define MED_ROW_ONSET(r) ((uint32_t)(r).flags >> MED_ROW_ONSET_SHIFT)

/* One term of a disease's profile closed under ancestors, ascending by term. MED_PROFILE_DIRECT
 * in term: annotated itself, not only by a descendant. */
typedef struct {
    uint32_t term;
    float freq;
} med_profile;
#define MED_PROFILE_DIRECT  0x80000000u
#define MED_PROFILE_TERM(p) ((p).term & 0x7fffffffu)

typedef struct {
    uint32_t name, version, licence, url;
} med_source;

/* What a source holds and the knowledge base does not. One for each source. */
typedef struct {
    uint32_t n_refused; /* rows that could not be read */
    uint32_t n_unknown; /* rows of findings that no ontology defines */
} med_source_loss;

/* Which source says so of a disease. Sorted by disease, kind, source. */
typedef struct {
    uint32_t disease;
    uint16_t kind, source; /* kind: MED_FACT_* */
} med_fact;
enum { MED_FACT_ONSET = 0, MED_FACT_INHERITANCE = 1, MED_FACT_PREVALENCE = 2 };

/* A term that is no more, sorted by the text of its id; what it was replaced by is an alternative
 * id of that term. consider: ids that its authors name in its place, strings in `list`. */
typedef struct {
    uint32_t id, name;
    uint32_t consider_at, n_consider;
} med_obsolete;

typedef struct med_kb {
    const char *strings;
    const med_term *term;
    const uint32_t *parent, *ancestor, *list, *pmid;
    const med_synonym *synonym;
    const med_id *term_id, *disease_id;
    const med_disease *disease;
    const med_row *row;
    const med_profile *profile;
    const med_source *source;
    const med_obsolete *obsolete;
    const med_source_loss *loss; /* [n_source], or NULL */
    const med_fact *fact;
    const uint32_t *family; /* [n_disease], or NULL: see med_kb_family */
    uint32_t n_string, n_term, n_parent, n_ancestor, n_list, n_synonym, n_term_id, n_disease_id,
        n_disease, n_row, n_profile, n_source, n_pmid, n_obsolete, n_fact;
    uint32_t n_profiled; /* diseases that have a profile */
    uint32_t root;       /* "Phenotypic abnormality", or MED_NONE */
    uint64_t checksum;   /* names this very content */
    void *block;
    size_t bytes;
    bool mapped;
} med_kb;

/* path: a knowledge base file. med_sources_open takes whatever else can become one. */
r1_status med_kb_open_file(med_kb **out, const char *path, r1_err *err);
/* Takes ownership of block (malloc'ed) on success. */
r1_status med_kb_from_block(med_kb **out, void *block, size_t bytes, const char *what, r1_err *err);
void med_kb_free(med_kb *kb); /* NULL is fine */
/* Puts a copy in memory in the place of a mapped file, and checks it again: whoever writes into the
 * file then reaches nobody. On failure *kb stays. */
r1_status med_kb_hold(med_kb **kb, const char *what, r1_err *err);
r1_status med_kb_save(const med_kb *kb, const char *path, r1_err *err);

static inline const char *med_str(const med_kb *kb, uint32_t offset)
{
    return kb->strings + offset;
}
/* By id ("HP:0001250", an alternative or a cross-referenced one). MED_NONE where unknown. */
uint32_t med_kb_term(const med_kb *kb, const char *id, size_t len);
/* By any id of the disease, as med_disease_id.h writes it. */
uint32_t med_kb_disease(const med_kb *kb, const char *id, size_t len);
/* The obsolete term of an id, NULL. Knowledge bases that were built before have none. */
const med_obsolete *med_kb_obsolete(const med_kb *kb, const char *id, size_t len);
/* The disease that stands for several that a reader takes for one, as Orphanet's entry does for
 * those that OMIM numbers by gene; the disease itself where it is alone. */
static inline uint32_t med_kb_family(const med_kb *kb, uint32_t disease)
{
    bool alone = !kb->family || kb->family[disease] == MED_NONE;
    return alone ? disease : kb->family[disease];
}
/* Whether a is b or an ancestor of b. */
bool med_kb_is_a(const med_kb *kb, uint32_t b, uint32_t a);

/* The age in years at which the earliest of some classes of onset begins; negative before birth.
 * mask: MED_ONSET_*, not 0. */
float med_onset_from(uint32_t mask);

/* The frequency that stands for an annotation without one. */
#define MED_FREQ_UNKNOWN 0.5f
/* Which rows a publication takes with it when it is left out: all that cite it, or only those
 * that cite nothing else. And which rows do not speak of a patient. */
typedef struct {
    uint32_t pmid; /* 0: none */
    bool sole;
    uint16_t flags; /* rows with one of these are left out: those of the other sex */
} med_leave_out;
bool med_row_left_out(const med_kb *kb, const med_row *row, med_leave_out out);

/* The profile of a disease from its rows, without those left out. out must hold as many entries
 * as the union of the ancestors; work is med_kb n_term floats, zero before and after. Returns
 * the count. */
uint32_t med_profile_make(const med_kb *kb, const med_row *row, uint32_t n_row, med_leave_out skip,
                          float *work, med_profile *out, uint32_t max);

#endif
