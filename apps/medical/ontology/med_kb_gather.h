/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_gather.h - what the importers left in a builder, and the knowledge base that is made of it
 * step by step. Shared by the files that do so:
 *
 *   med_kb_gather.c     gathers
 *   med_kb_terms.c      findings: order, parents, ancestors, names, obsolete ones
 *   med_kb_diseases.c   diseases: equal ones merged, rows, genes, facts
 *   med_kb_families.c   entries that are one disease to a reader, by their names
 *   med_kb_finish.c     profiles, and the block of bytes
 *
 * Threads: one per builder. */
#ifndef MED_KB_GATHER_H
#define MED_KB_GATHER_H

#include "ontology/med_kb_build.h"
#include "ontology/med_map.h"

typedef struct {
    uint32_t input, line;
} med_raw_place;

typedef struct {
    uint32_t id, name, definition;
    bool obsolete, seen;
    med_raw_place defined;
    uint32_t final; /* number in the knowledge base */
} med_raw_term;

typedef struct {
    uint32_t id, name, mondo, onset, inheritance;
    uint32_t row_onset; /* of its rows, where nothing says when the disease begins */
    float prevalence;
    uint32_t prevalence_rank; /* how well the source knows it */
    bool annotated, absorbed, inherited;
    uint32_t first_row, last_row; /* chain through med_raw_row.next */
    med_raw_place defined;
    uint32_t final;
} med_raw_disease;

typedef struct {
    uint32_t term, next; /* term: string offset of the id */
    med_row row;
    med_raw_place at;
} med_raw_row;

typedef struct {
    uint32_t a, b, kind;
} med_raw_link;

typedef struct {
    med_raw_link *v;
    uint32_t n, cap;
} med_raw_links;

struct med_builder {
    bool finished; /* its links were renumbered: it makes no second knowledge base */
    med_map *text, *terms, *diseases; /* terms, diseases: id -> index */
    med_raw_term *term;
    med_raw_disease *disease;
    med_raw_row *row;
    uint32_t *pmid;
    uint32_t n_term, cap_term, n_disease, cap_disease, n_row, cap_row, n_pmid, cap_pmid;
    med_raw_links synonym, parent, alias, consider, gene, subclass;
    med_source source[MED_SOURCES_MAX];
    med_source_loss loss[MED_SOURCES_MAX];
    uint32_t n_source, source_here; /* of the input in hand; MED_NONE: not named yet */
    uint32_t refused_here;          /* rows of the input in hand, before its source is named */
    med_fact *fact;
    uint32_t n_fact, cap_fact;
    uint32_t root;
    char **input; /* names: [at.input - 1] is in hand */
    uint32_t n_input, cap_input;
    med_raw_place at;
    med_told repeated, cut, refused, ignored, unknown, moved;
};

/* Work space of med_builder_finish; everything is freed by final_free. */
typedef struct {
    med_builder *b;
    uint32_t *order; /* final term -> raw term */
    uint32_t n_term;
    med_term *term;
    uint32_t *parent, *ancestor, n_parent, n_ancestor, cap_ancestor;
    med_synonym *synonym;
    uint32_t n_synonym;
    med_id *term_id, *disease_id;
    uint32_t n_term_id, n_disease_id, cap_term_id, cap_disease_id;
    uint32_t *group; /* final disease -> raw disease */
    uint32_t n_disease;
    med_disease *disease;
    uint32_t *list, n_list, cap_list;
    med_obsolete *obsolete;
    uint32_t n_obsolete;
    uint32_t *family, n_family;
    med_row *row;
    uint32_t n_row, cap_row;
    med_profile *profile;
    uint32_t n_profile, cap_profile;
    uint32_t root, n_profiled;
    med_build_stats stats;
} med_kb_final;

/* Room for one more element; false where there is none. array: the address of a pointer. */
bool med_kb_grow(void *array, uint32_t n, uint32_t *cap, size_t size);
r1_status med_kb_full(r1_err *err);
r1_status med_kb_link(med_raw_links *l, uint32_t a, uint32_t b, uint32_t kind, r1_err *err);
int med_kb_by_link(const void *a, const void *b);
r1_status med_kb_id_add(med_id **v, uint32_t *n, uint32_t *cap, uint32_t text, uint32_t index,
                        r1_err *err);
/* By text; of equal ones the first stays. */
void med_kb_id_sort(med_kb_final *f, med_id *v, uint32_t *n);
r1_status med_kb_list_add(med_kb_final *f, uint32_t value, r1_err *err);

/* The room for one more line of text, which may be none; counts it. */
char *med_told_next(med_told *t);
/* The end of an input's name: a line of text has room for the rest behind it. */
const char *med_told_what(const med_builder *b, uint32_t input);

/* The steps, in this order. */
r1_status med_kb_terms(med_kb_final *f, r1_err *err);
r1_status med_kb_diseases(med_kb_final *f, r1_err *err);
r1_status med_kb_families(med_kb_final *f, r1_err *err);
r1_status med_kb_obsolete_terms(med_kb_final *f, r1_err *err);

#endif
