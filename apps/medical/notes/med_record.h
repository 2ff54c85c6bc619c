/* SPDX-License-Identifier: Apache-2.0 */
/* med_record.h - what a reading of a record consists of: sections, units, findings. Spans are
 * bytes of the text. med_notes.h makes and frees it; the files of this room fill it. */
#ifndef MED_RECORD_H
#define MED_RECORD_H

#include "notes/med_headings.h"
#include "notes/med_tokens.h"
#include "rank/med_rank.h"

#define MED_RECORD_BYTES_MAX ((size_t)8 << 20)
enum { MED_MENTIONS_MAX = 200000, MED_SECTIONS_MAX = 100000, MED_SENTENCES_MAX = 1000000 };

typedef struct {
    uint32_t start, end;           /* bytes of the text */
    uint32_t name;                 /* MED_SECTION_* */
    med_status status;             /* of a finding for which no word says another one */
    uint32_t head_start, head_end; /* the heading, or the words of it that say the status */
} med_section;

typedef enum {
    MED_UNIT_SENTENCE,
    MED_UNIT_ITEM,
    MED_UNIT_ROW,
    MED_UNIT_HEADING, /* without a meaning of its own: its words are read too */
    MED_UNIT_ADDED    /* no words of a record: a person added its finding in review */
} med_unit_kind;

typedef struct {
    uint32_t start, end;
    uint32_t section; /* index into med_notes.section */
    med_token_rules rules;
    uint8_t kind;   /* MED_UNIT_* */
    bool continues; /* the one before was cut for its length */
    /* Of a row that is ticked below "yes" or "no": what its column says, and the bytes of the
     * column's head; equal: nothing. */
    med_status answer;
    uint32_t answer_start, answer_end;
} med_sentence;

typedef struct {
    uint32_t term;
    uint32_t start, end; /* bytes of the text */
    uint32_t sentence;
    med_status status;
    uint32_t cue_start, cue_end; /* what decided the status; equal: nothing */
    bool denied;                 /* with MED_FAMILY: the relatives do not have it */
    const char *other; /* of an abbreviation: what else it may mean, of the lexicon; NULL */
    bool lab;          /* from a measured value against its range */
    /* lab: what was measured; the range in its unit, not finite where there is no bound */
    float value, low, high;
} med_mention;

typedef struct {
    const char *text;
    size_t len;
    med_section *section;
    med_sentence *sentence;
    med_mention *mention;
    uint32_t n_section, n_sentence, n_mention, n_word;
    uint32_t cap_section, cap_sentence, cap_mention;
    bool listed;       /* the findings came as a list: no text was read, and n_word is 0 */
    uint32_t n_cut;    /* sentences that were cut for their length */
    uint32_t n_unread; /* possible findings beyond MED_HITS_MAX of a sentence, abbreviations
                        * beyond MED_INTRODUCED_MAX, words of MED_WORD_BYTES bytes or more */
    med_sex sex;
    float age_years; /* NaN: not said */
    /* A decade of life in the place of an age, "in her forties"; low NaN: none. */
    float age_low, age_high;
    char born[12]; /* 2009-03-17; 2009 where day and month are not sure; "": not said */
} med_notes;

/* Age and sex, from the sections and sentences. */
void med_find_person(med_notes *n);
/* The mention must lie within its sentence. */
r1_status med_mention_add(med_notes *n, const med_mention *m, r1_err *err);

#endif
