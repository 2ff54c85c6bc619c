/* SPDX-License-Identifier: Apache-2.0 */
/* med_measures.h - what laboratories and clinics measure: names, units, usual ranges by age and
 * sex, and the findings beyond them, read from a file (data/measures.tsv, whose head describes its
 * form).
 *
 * Owns:    its tables.
 * Threads: read-only after med_measures_new.
 * Errors:  a line that does not fit: R1_E_FORMAT with file, line, expected, found. */
#ifndef MED_MEASURES_H
#define MED_MEASURES_H

#include "ontology/med_kb.h"
#include "rank/med_rank.h"

/* What a word does between a name and its value, as bits. */
typedef enum {
    MED_ROLE_LINK,
    MED_ROLE_LOW,
    MED_ROLE_HIGH,
    MED_ROLE_NORMAL,
    MED_ROLE_RANGE,
    MED_ROLE_UPPER,
    MED_ROLE_LESS,
    MED_ROLE_MORE,
    MED_ROLE_FROM,
    MED_ROLE_BETWEEN,
    MED_ROLE_BEFORE,
    MED_ROLE_AFTER,
    MED_ROLE_LATER,
    MED_ROLE_AGE,
    MED_ROLE_BIRTH,
    MED_ROLE_COUNT
} med_measure_role;

typedef enum {
    MED_SPECIMEN_ANY,
    MED_SPECIMEN_BLOOD,
    MED_SPECIMEN_CSF,
    MED_SPECIMEN_URINE,
    MED_SPECIMEN_OTHER,
    MED_SPECIMEN_COUNT
} med_specimen;

/* The tables of growth that a unit may name. */
typedef enum {
    MED_GROWTH_NONE,
    MED_GROWTH_BMI,
    MED_GROWTH_HEIGHT,
    MED_GROWTH_OFC,
    MED_GROWTH_WEIGHT,
    MED_GROWTH_COUNT
} med_growth_table;
extern const char *const med_growth_name[MED_GROWTH_COUNT];

enum { MED_HPO_BYTES = 12 };

typedef struct {
    double factor;              /* to the first unit of the measure */
    double low, high;           /* values that can be */
    double bare_low, bare_high; /* values that are in this unit where none is written */
    uint32_t spell;             /* number of the unit */
    uint8_t table;              /* med_growth_table */
    bool written;               /* a value without a unit is not in this one */
} med_measure_unit;

typedef struct {
    double from, to;  /* years */
    double low, high; /* what is usual; infinite where there is no bound */
    uint8_t sex;      /* med_sex; MED_SEX_UNKNOWN: any */
    uint8_t unit;     /* of the measure's */
} med_measure_range;

typedef struct {
    double low, high;
    char id[MED_HPO_BYTES];
} med_measure_band;

typedef struct {
    char below[MED_HPO_BYTES], above[MED_HPO_BYTES]; /* HPO ids, "" for none */
    uint32_t unit, n_unit, range, n_range, band, n_band;
    uint8_t specimen;
} med_measure;

/* One way to call a measure; those of the same words follow by next. */
typedef struct {
    uint32_t measure;  /* MED_NONE: something else that only begins alike */
    uint32_t next;     /* MED_NONE: the last */
    const char *exact; /* as it must stand; NULL: in any case */
} med_measure_name;

typedef struct med_measures med_measures;
/* name: of the file, for errors. text need not outlive the call. */
r1_status med_measures_new(med_measures **out, const char *name, const char *text, size_t len,
                           r1_err *err);
void med_measures_free(med_measures *m); /* NULL is fine */

/* The roles of a word in lower case, a bit for each. */
uint32_t med_measures_roles(const med_measures *m, const char *word, size_t len);
/* MED_SPECIMEN_ANY: the word is none. */
med_specimen med_measures_specimen(const med_measures *m, const char *word, size_t len);
/* The first name of those words, in lower case with one blank between; NULL: none. */
const med_measure_name *med_measures_find(const med_measures *m, const char *words, size_t len);
const med_measure_name *med_measures_next(const med_measures *m, const med_measure_name *name);
/* Whether some name begins with that word. */
bool med_measures_begins(const med_measures *m, const char *word, size_t len);

/* Each name in turn, i below med_measures_names: its words in lower case; *measure: of which. */
uint32_t med_measures_names(const med_measures *m);
const char *med_measures_words(const med_measures *m, uint32_t i, uint32_t *measure);

const med_measure *med_measures_at(const med_measures *m, uint32_t measure);
const med_measure_unit *med_measures_unit(const med_measures *m, uint32_t unit);
const med_measure_range *med_measures_range(const med_measures *m, uint32_t range);
const med_measure_band *med_measures_band(const med_measures *m, uint32_t band);
uint32_t med_measures_count(const med_measures *m);
/* The number of the unit of that name, MED_NONE: none. */
uint32_t med_measures_spell(const med_measures *m, const char *unit);
/* How a unit is written, i from 0; NULL at the end. */
const char *med_measures_spelling(const med_measures *m, uint32_t spell, uint32_t i);

#endif
