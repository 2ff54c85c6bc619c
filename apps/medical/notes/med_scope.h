/* SPDX-License-Identifier: Apache-2.0 */
/* med_scope.h - whose finding it is and whether it is there: the scopes of cues over the tokens
 * of a unit, after NegEx (Chapman et al. 2001) and ConText (Harkema et al. 2009).
 *
 * Cues that go forward are live from where they stand to what ends them; each finding takes those
 * that are live at its first word. Cues behind findings are laid over them afterwards. Of several
 * statuses one wins: a relative's, then denied, hypothetical, uncertain, past. What a section's
 * heading says holds where no word says another thing.
 *
 * Threads: one per scope. */
#ifndef MED_SCOPE_H
#define MED_SCOPE_H

#include "notes/med_cues.h"
#include "notes/med_headings.h"
#include "notes/med_tokens.h"

/* A cue that is live: its bytes of the text. end 0: none. */
typedef struct {
    uint32_t start, end;
    bool near, sticky; /* sticky: a verb does not end it */
    bool none;         /* of a relative: a word of it denies, "no family history of" */
} med_scope_cue;

typedef struct {
    med_scope_cue live[MED_SAYS_COUNT];
    med_status section;     /* what the heading says */
    med_scope_cue heading;  /* its words */
    med_scope_cue relative; /* of whom the unit spoke last; end 0: of nobody but the patient */
} med_scope;

/* A finding: its first and last token, and what decides about it. */
typedef struct {
    uint32_t first, last;
    med_scope by;
    med_status status;
    bool denied;                 /* with MED_FAMILY: the relatives do not have it */
    uint32_t cue_start, cue_end; /* equal: no word decided */
} med_scope_finding;

/* Starts a scope under a heading of that status whose words are text[start, end). */
void med_scope_begin(med_scope *s, med_status status, uint32_t start, uint32_t end);

/* Reads the tokens of a unit. own: tokens that are words of findings, which are no cues. find:
 * sorted by first. Fills status and cue of each; *s is left as it stands at the end. */
void med_scope_read(med_scope *s, const med_cues *c, const char *text, const med_token *t,
                    uint32_t n, const bool *own, med_scope_finding *find, uint32_t n_find);
/* The status that holds where *s stands, and the cue of it. */
med_status med_scope_status(const med_scope *s, med_scope_cue *cue);

#endif
