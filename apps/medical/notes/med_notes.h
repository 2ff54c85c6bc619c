/* SPDX-License-Identifier: Apache-2.0 */
/* med_notes.h - reading a clinical record: sections, sentences, findings with span and status,
 * age and sex.
 *
 * Owns:    its lists. Spans are offsets into the caller's text, which must outlive it.
 * Threads: one per call; the lexicon is shared.
 * Limits:  MED_RECORD_BYTES_MAX of text, MED_MENTIONS_MAX findings: a record beyond is refused.
 *          A sentence ends after MED_SENTENCE_BYTES, wherever that is. Of its words and marks the
 *          first MED_SENTENCE_TOKENS are read.
 * Status:  ConText (Harkema et al. 2009) over sentences: a cue works in one direction, up to the
 *          next word that ends its reach. */
#ifndef MED_NOTES_H
#define MED_NOTES_H

#include "notes/med_lexicon.h"
#include "rank/med_rank.h"

#define MED_RECORD_BYTES_MAX ((size_t)8 << 20)
enum { MED_MENTIONS_MAX = 200000, MED_SENTENCE_BYTES = 4000, MED_SENTENCE_TOKENS = 400 };

typedef enum {
    MED_PRESENT,
    MED_ABSENT,
    MED_FAMILY,
    MED_HISTORICAL,
    MED_HYPOTHETICAL,
    MED_UNCERTAIN,
    MED_STATUS_COUNT
} med_status;
extern const char *const med_status_name[MED_STATUS_COUNT];

typedef enum {
    MED_SECTION_START, /* before the first heading */
    MED_SECTION_PRESENT_ILLNESS,
    MED_SECTION_PAST_HISTORY,
    MED_SECTION_FAMILY,
    MED_SECTION_EXAMINATION,
    MED_SECTION_LABORATORY,
    MED_SECTION_IMAGING,
    MED_SECTION_ASSESSMENT,
    MED_SECTION_PLAN,
    MED_SECTION_MEDICATIONS,
    MED_SECTION_SOCIAL,
    MED_SECTION_OTHER,
    MED_SECTION_COUNT
} med_section_kind;
extern const char *const med_section_name[MED_SECTION_COUNT];

typedef struct {
    uint32_t start, end; /* bytes of the text */
    uint32_t name;       /* MED_SECTION_* */
} med_section;

typedef struct {
    uint32_t start, end;
    uint32_t section; /* index into med_notes.section */
} med_sentence;

typedef struct {
    uint32_t term;
    uint32_t start, end; /* bytes of the text */
    uint32_t sentence;
    med_status status;
    uint32_t cue_start, cue_end; /* what decided the status; equal: nothing */
    bool lab;                    /* from a laboratory value against its reference range */
    float value, low, high;      /* lab: what was measured, the range */
} med_mention;

typedef struct {
    const char *text;
    size_t len;
    med_section *section;
    med_sentence *sentence;
    med_mention *mention;
    uint32_t n_section, n_sentence, n_mention, n_word;
    uint32_t cap_section, cap_sentence, cap_mention;
    med_sex sex;
    float age_years; /* NaN: not said */
} med_notes;

/* what names the record in errors. Text must be UTF-8, without NUL bytes and not blank. */
r1_status med_notes_read(med_notes *out, const med_lexicon *lex, const med_kb *kb, const char *what,
                         const char *text, size_t len, r1_err *err);
void med_notes_free(med_notes *n);

/* One term of the record: how often it is mentioned, and where first. */
typedef struct {
    uint32_t term, n_mention, first_mention;
} med_finding;
/* The terms of that status, each once, in the order of the record. MED_PRESENT takes historical
 * ones too. out holds n_mention entries. Returns their number. */
uint32_t med_notes_findings(const med_notes *n, med_status status, med_finding *out);

/* Parts of med_notes_read, shared between its files. */
typedef struct {
    uint32_t start, end;
    int32_t word;            /* number in the lexicon, or MED_WORD_* */
    bool light, punct, conj; /* conj: this is "and", "or", a comma or a slash */
    bool normal; /* "normal", "intact"...: with an organ it denies the organ's abnormality */
} med_token;
void med_find_labs(med_notes *n, const med_kb *kb, uint32_t sentence);
void med_find_status(const med_notes *n, const med_token *t, uint32_t n_token, const uint32_t *used,
                     uint32_t n_used, med_mention *m);
void med_find_person(med_notes *n);
/* The mention must lie within its sentence. */
r1_status med_mention_add(med_notes *n, const med_mention *m, r1_err *err);
/* MED_SECTION_*; MED_SECTION_START: not a heading that is known. */
uint32_t med_section_of(const char *heading, size_t len);

#endif
