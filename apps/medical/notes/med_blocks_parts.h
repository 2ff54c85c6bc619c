/* SPDX-License-Identifier: Apache-2.0 */
/* med_blocks_parts.h - what the splitter into blocks and the reader of tables share. Private to
 * med_blocks.c and med_tables.c. */
#ifndef MED_BLOCKS_PARTS_H
#define MED_BLOCKS_PARTS_H

#include "notes/med_cells.h"
#include "notes/med_cues.h"
#include "notes/med_recognise.h"
#include "notes/med_record.h"

enum {
    HEADING_BYTES = 60,
    HEADING_WORDS = 8,
    CAPS_WORDS = 7,
    WIDE_LINE = 60,  /* bytes from which a line may have been broken for its width */
    SHORT_LINE = 40, /* bytes up to which two lines may be two entries of a list */
    COLUMNS_MAX = 12,
    ALIGN_REACH = 2,  /* characters that a tick may stand beside its column */
    WIDTH_LINES = 40, /* lines around one whose widths tell whether it is full */
    BLOCKS_LINES_MAX = 1 << 22
};

typedef enum { LINE_TEXT, LINE_BLANK, LINE_RULE } line_kind;

typedef struct {
    uint32_t start, end;  /* without what ends the line */
    uint32_t body, stop;  /* without indentation, bullet and marks of emphasis */
    uint32_t number;      /* of words in the body */
    uint8_t kind, indent; /* indent: blanks before it, at most 255 */
    char bullet;          /* its sign; '1' for numbers and letters, 'Q', 'A', '#'; 0: none */
    char separator;       /* of CSV */
    uint8_t wide;         /* of a row: blanks that part cells */
    bool row, strong;     /* strong: a heading by its marks */
    bool caps, sign;      /* sign: an item of a list of + and - */
} block_line;

typedef struct {
    med_notes *n;
    const med_lexicon *lex;
    med_recogniser *recogniser;
    const med_cues *cues;
    const med_headings *headings;
    block_line *line;
    uint32_t n_line, cap_line;
    bool markup, capitals; /* capitals: most letters of the record are */
    bool numbered;         /* a numbered line was a heading */
    bool in_list, after_blank;
    bool unknown;            /* the section's heading has no meaning of its own */
    uint32_t table;          /* the first row of this table */
    uint32_t heading_indent; /* of a heading that is an item; MED_NONE */
} blocks;

enum { LOOK_TOKENS = 24, NAMES_TOKENS = 400 };

bool blocks_blank(char c);
/* The bytes of a dash of any length at i, 0 for none. */
uint32_t dash_sign(const char *s, uint32_t i, uint32_t end);
/* The number of a token among the words of the cues. */
uint16_t blocks_word(const blocks *b, const med_token *t);
/* The first tokens of a stretch. */
uint32_t blocks_look(const blocks *b, uint32_t from, uint32_t to, med_token t[LOOK_TOKENS]);
/* Whether the first word of a stretch is of that class, and whether all of it is one answer. */
bool blocks_begins_with(const blocks *b, uint32_t from, uint32_t to, const char *cls);
bool blocks_is_answer(const blocks *b, uint32_t from, uint32_t to);
/* A known heading in that stretch, NULL for none. */
const med_heading *blocks_known(const blocks *b, uint32_t from, uint32_t to);

/* Which lines are rows of cells. */
void tables_find_rows(blocks *b);
/* What the head of its table says of row i: the answer whose column is ticked; of a table of
 * persons, whose it is. */
void tables_answer(blocks *b, uint32_t i, med_sentence *unit);

#endif
