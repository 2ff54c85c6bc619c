/* SPDX-License-Identifier: Apache-2.0 */
/* med_blocks.c - see med_blocks.h. Lines are split and classed first, then looked at together
 * (rules under headings, tables of CSV, lists of signs), then made into sections and units. */
#include "notes/med_blocks.h"

#include "notes/med_blocks_parts.h"

#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

/* ---- growing --------------------------------------------------------------------------------- */

static r1_status blocks_too_many(r1_err *err)
{
    R1_FAIL(err, R1_E_NOMEM, "a record with more sentences or sections than are read");
}

static bool blocks_room(void *array, uint32_t n, uint32_t *cap, uint32_t max, size_t size)
{
    if (n < *cap) return true;
    uint32_t c = *cap ? *cap * 2 : 256;
    void **p = array, *q = n >= max ? NULL : r1_realloc_array(*p, c, size);
    if (!q) return false;
    *p = q;
    *cap = c;
    return true;
}

static r1_status blocks_open(blocks *b, uint32_t at, med_heading what, uint32_t head_end,
                             r1_err *err)
{
    med_notes *n = b->n;
    if (!blocks_room(&n->section, n->n_section, &n->cap_section, MED_SECTIONS_MAX,
                     sizeof *n->section))
        return blocks_too_many(err);
    if (n->n_section) n->section[n->n_section - 1].end = at;
    n->section[n->n_section++] = (med_section){.start = at,
                                               .end = (uint32_t)n->len,
                                               .name = what.section,
                                               .status = (med_status)what.status,
                                               .head_start = at,
                                               .head_end = head_end};
    b->unknown = false;
    return R1_OK;
}

static r1_status blocks_plain(blocks *b, uint32_t at, r1_err *err)
{
    b->heading_indent = MED_NONE;
    return blocks_open(b, at, (med_heading){MED_SECTION_OTHER, MED_PRESENT, false}, at, err);
}

static med_section *blocks_section(const blocks *b) { return &b->n->section[b->n->n_section - 1]; }

bool blocks_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static r1_status blocks_unit(blocks *b, const block_line *l, uint32_t start, uint32_t end,
                             med_unit_kind kind, bool continues, r1_err *err)
{
    med_notes *n = b->n;
    while (start < end && blocks_blank(n->text[start])) start++;
    while (end > start && blocks_blank(n->text[end - 1])) end--;
    if (start == end) return R1_OK;
    if (!blocks_room(&n->sentence, n->n_sentence, &n->cap_sentence, MED_SENTENCES_MAX,
                     sizeof *n->sentence))
        return blocks_too_many(err);
    n->sentence[n->n_sentence++] =
        (med_sentence){.start = start,
                       .end = end,
                       .section = n->n_section - 1,
                       .rules = {l->row, l->wide, l->separator, b->markup, l->sign},
                       .kind = (uint8_t)kind,
                       .continues = continues};
    return R1_OK;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* The bytes of a round bullet at i, 0 for none. */
static uint32_t bullet_sign(const char *s, uint32_t i, uint32_t end)
{
    static const char *const signs[] = {"\xe2\x80\xa2", "\xe2\x80\xa3", "\xe2\x97\xa6",
                                        "\xe2\x96\xaa", "\xe2\x97\x8f", "\xe2\x96\xba",
                                        "\xe2\x81\x83", "\xe2\x9e\xa2", "\xc2\xb7"};
    if ((unsigned char)s[i] < 128) return 0;
    for (size_t k = 0; k < R1_COUNT(signs); k++) {
        size_t n = strlen(signs[k]);
        if (i + n <= end && memcmp(s + i, signs[k], n) == 0) return (uint32_t)n;
    }
    return 0;
}

/* The bytes of a dash of any length at i. */
uint32_t dash_sign(const char *s, uint32_t i, uint32_t end)
{
    if (s[i] == '-') return 1;
    if (i + 3 > end || (unsigned char)s[i] < 128) return 0;
    med_char x = med_char_at(s, i, end);
    return x.kind == MED_CHAR_MARK && x.mark == '-' ? x.len : 0;
}

static bool blocks_digit(char c) { return c >= '0' && c <= '9'; }
static bool blocks_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static bool blocks_blank_or_end(const char *s, uint32_t i, uint32_t end)
{
    return i >= end || s[i] == ' ' || s[i] == '\t';
}

/* The letters of a Roman number at i. */
static uint32_t roman_len(const char *s, uint32_t i, uint32_t end)
{
    uint32_t k = i;
    while (k < end && k < i + 4 && strchr("ivxIVX", s[k])) k++;
    return k - i;
}

/* "1.", "1)", "(1)", "a)", "(a)", "ii)", "II."; not "(x)", which is a box. */
static uint32_t number_sign(const char *s, uint32_t i, uint32_t end)
{
    uint32_t from = i + (s[i] == '('), k = from, roman = roman_len(s, from, end);
    while (k < end && k < from + 3 && blocks_digit(s[k])) k++;
    bool number = k > from || roman > 1;
    if (roman > 1)
        k += roman;
    else if (!number && k < end && blocks_letter(s[k]) && (s[k] | 32) != 'x')
        k++;
    if (k == from || k >= end) return 0;
    bool shut = s[k] == ')' || (number && from == i && s[k] == '.');
    return shut && blocks_blank_or_end(s, k + 1, end) ? k + 1 - i : 0;
}

/* A sign that stands close to a word is a bullet, unless it is emphasis or "-ve". */
static bool bullet_tight(const char *s, uint32_t i, uint32_t n, uint32_t end)
{
    if (i + n >= end || s[i] == '+' || s[i] == '>') return false;
    if (s[i] == '*' && s[end - 1] == '*') return false;
    bool ve =
        i + n + 2 < end && strncasecmp(s + i + n, "ve", 2) == 0 && !blocks_letter(s[i + n + 2]);
    return (blocks_letter(s[i + n]) && !ve) || s[i + n] == '[';
}

/* The bytes of what begins an item at i; *sign says what. */
static uint32_t blocks_bullet(const char *s, uint32_t i, uint32_t end, char *sign)
{
    uint32_t n;
    *sign = 0;
    if (i >= end) return 0;
    if ((n = bullet_sign(s, i, end)) != 0) {
        *sign = '*';
        return n;
    }
    n = s[i] == '*' || s[i] == '+' || s[i] == '>' ? 1 : dash_sign(s, i, end);
    if (n) {
        if (!blocks_blank_or_end(s, i + n, end) && !bullet_tight(s, i, n, end)) return 0;
        *sign = n > 1 ? '*' : s[i];
        return n;
    }
    if ((n = number_sign(s, i, end)) != 0) {
        *sign = '1';
        return n;
    }
    for (n = 0; i + n < end && s[i + n] == '#';) n++;
    if (n && n < 7 && blocks_blank_or_end(s, i + n, end)) {
        *sign = '#';
        return n;
    }
    if (i + 1 < end && (s[i] == 'Q' || s[i] == 'A') && s[i + 1] == ':') *sign = s[i];
    return *sign == 'Q' ? 2 : 0;
}

static bool blocks_rule(const char *s, uint32_t from, uint32_t to)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++) {
        if (!strchr("-=_~*|+: ", s[i])) return false;
        n += s[i] == '-' || s[i] == '=' || s[i] == '_' || s[i] == '~' || s[i] == '*';
    }
    return n >= 3;
}

/* Takes "**", "__" and "#" from both ends; true where both had them. */
static bool blocks_emphasis(const char *s, uint32_t *from, uint32_t *to)
{
    uint32_t a = *from, z = *to;
    while (z > a && (s[z - 1] == '*' || s[z - 1] == '_' || s[z - 1] == '#' || s[z - 1] == ' ')) z--;
    bool behind = z < *to && (s[*to - 1] == '*' || s[*to - 1] == '_');
    if (z > a && s[z - 1] == ':' && !behind) {
        uint32_t k = z - 1;
        while (k > a && (s[k - 1] == '*' || s[k - 1] == '_')) k--;
        behind = k < z - 1;
    }
    bool before = a + 1 < z && (s[a] == '*' || s[a] == '_') &&
                  (s[a + 1] == s[a] || (behind && blocks_letter(s[a + 1])));
    if (before)
        while (a < z && (s[a] == '*' || s[a] == '_')) a++;
    *from = a;
    *to = z;
    return before && behind;
}

static bool blocks_all_caps(const char *s, uint32_t from, uint32_t to)
{
    uint32_t up = 0;
    for (uint32_t i = from; i < to; i++) {
        if (s[i] >= 'a' && s[i] <= 'z') return false;
        up += s[i] >= 'A' && s[i] <= 'Z';
    }
    return up >= 3;
}

static void blocks_class(blocks *b, block_line *l)
{
    const char *s = b->n->text;
    uint32_t i = l->start, end = l->end;
    while (i < end) {
        med_char x = med_char_at(s, i, end);
        if (x.kind != MED_CHAR_BLANK && x.kind != MED_CHAR_NOTHING) break;
        i += x.len;
    }
    while (end > i && blocks_blank(s[end - 1])) end--;
    l->indent = (uint8_t)(i - l->start > 255 ? 255 : i - l->start);
    l->kind = i == end ? LINE_BLANK : blocks_rule(s, i, end) ? LINE_RULE : LINE_TEXT;
    l->body = i;
    l->stop = end;
    if (l->kind != LINE_TEXT) return;
    uint32_t n = blocks_bullet(s, i, end, &l->bullet);
    l->body += n;
    while (l->body < end && blocks_blank(s[l->body])) l->body++;
    l->strong |= blocks_emphasis(s, &l->body, &l->stop) || l->bullet == '#';
    l->caps = blocks_all_caps(s, l->body, l->stop);
    for (uint32_t k = l->body; k < l->stop; k++)
        l->number += !blocks_blank(s[k]) && (k == l->body || blocks_blank(s[k - 1]));
}

static r1_status blocks_line_add(blocks *b, uint32_t start, uint32_t end, bool strong, r1_err *err)
{
    if (!blocks_room(&b->line, b->n_line, &b->cap_line, BLOCKS_LINES_MAX, sizeof *b->line))
        return blocks_too_many(err);
    block_line *l = &b->line[b->n_line++];
    *l = (block_line){.start = start, .end = end, .strong = strong};
    blocks_class(b, l);
    return R1_OK;
}

static bool blocks_heading_tag(const char *s, uint32_t at, uint32_t len)
{
    return len > 3 && s[at] == '<' && (s[at + 1] | 32) == 'h' && s[at + 2] >= '1' &&
           s[at + 2] <= '6';
}

/* The bytes of what ends a line at i, 0 where it goes on; *strong: the next one is a heading. */
static uint32_t blocks_line_end(const blocks *b, uint32_t i, bool *strong)
{
    const char *s = b->n->text;
    uint32_t end = (uint32_t)b->n->len;
    unsigned char c = (unsigned char)s[i];
    *strong = false;
    if (c == '\r' && i + 1 < end && s[i + 1] == '\n') return 2;
    if (c == '\n' || c == '\r' || c == '\f' || c == '\v') return 1;
    if (c == 0xe2 && i + 2 < end && (unsigned char)s[i + 1] == 0x80 &&
        ((unsigned char)s[i + 2] == 0xa8 || (unsigned char)s[i + 2] == 0xa9))
        return 3;
    if (b->markup && (c == '<' || c == '\\')) {
        bool breaks;
        uint32_t n = med_markup_len(s, i, end, &breaks);
        *strong = n && blocks_heading_tag(s, i, n);
        return breaks ? n : 0;
    }
    return 0;
}

/* A round bullet within a line begins the next item. */
static bool blocks_item_within(const char *s, uint32_t i, uint32_t from, uint32_t end)
{
    if ((unsigned char)s[i] != 0xe2 || i == from || !blocks_blank(s[i - 1])) return false;
    if (!bullet_sign(s, i, end)) return false;
    while (i > from && blocks_blank(s[i - 1])) i--;
    return i > from;
}

static r1_status blocks_lines(blocks *b, r1_err *err)
{
    uint32_t from = 0, end = (uint32_t)b->n->len;
    bool strong = false, next = false;
    for (uint32_t i = 0; i < end;) {
        uint32_t n =
            (unsigned char)b->n->text[i] < ' ' || b->markup || (unsigned char)b->n->text[i] >= 128
                ? blocks_line_end(b, i, &next)
                : 0;
        if (n || blocks_item_within(b->n->text, i, from, end)) {
            R1_TRY(blocks_line_add(b, from, i, strong, err));
            strong = n && next;
            from = i + n;
        }
        i += n ? n : 1;
    }
    return blocks_line_add(b, from, end, strong, err);
}

/* ---- lines beside lines ---------------------------------------------------------------------- */

/* The number of separators that stand without a blank behind them; 0 where one has a blank, or
 * where the only one ends the line, as in a sentence that was broken there. */
static uint32_t blocks_separators(const char *s, const block_line *l, char separator)
{
    uint32_t n = 0;
    if (l->kind != LINE_TEXT || l->bullet) return 0;
    for (uint32_t i = l->start; i < l->end; i++) {
        if (s[i] != separator) continue;
        if (i + 1 < l->stop && blocks_blank(s[i + 1])) return 0;
        n++;
    }
    return n == 1 && s[l->stop - 1] == separator ? 0 : n;
}

static void blocks_find_csv(blocks *b)
{
    static const char separators[] = ",;";
    for (const char *sep = separators; *sep; sep++)
        for (uint32_t i = 0; i + 1 < b->n_line; i++) {
            uint32_t n = blocks_separators(b->n->text, &b->line[i], *sep), k = i + 1;
            if (!n || b->line[i].separator) continue;
            while (k < b->n_line && blocks_separators(b->n->text, &b->line[k], *sep) == n) k++;
            if (k == i + 1) continue;
            for (uint32_t j = i; j < k; j++) {
                b->line[j].separator = *sep;
                b->line[j].row = true;
            }
            i = k - 1;
        }
}

/* A list whose items begin with + and with - says what is there and what is not. */
static void blocks_find_signs(blocks *b)
{
    for (uint32_t i = 0; i < b->n_line;) {
        uint32_t k = i, plus = 0, minus = 0;
        for (; k < b->n_line && (b->line[k].bullet == '+' || b->line[k].bullet == '-'); k++)
            *(b->line[k].bullet == '+' ? &plus : &minus) += 1;
        for (uint32_t j = i; j < k && plus && minus; j++) {
            b->line[j].sign = true;
            b->line[j].body = b->line[j].start + b->line[j].indent;
        }
        i = k > i ? k : i + 1;
    }
}

static void blocks_find_rules(blocks *b)
{
    for (uint32_t i = 1; i < b->n_line; i++) {
        block_line *l = &b->line[i - 1];
        if (b->line[i].kind != LINE_RULE || l->kind != LINE_TEXT || l->row) continue;
        char last = b->n->text[l->stop - 1];
        if (l->stop - l->body <= HEADING_BYTES && !strchr(".,;!?", last)) l->strong = true;
    }
}

static bool blocks_mostly_capitals(const med_notes *n)
{
    size_t up = 0, low = 0;
    for (size_t i = 0; i < n->len; i++) {
        up += n->text[i] >= 'A' && n->text[i] <= 'Z';
        low += n->text[i] >= 'a' && n->text[i] <= 'z';
    }
    return up > 2 * low;
}

/* ---- what words say -------------------------------------------------------------------------- */

uint16_t blocks_word(const blocks *b, const med_token *t)
{
    char w[MED_WORD_BYTES];
    return med_cues_word(b->cues, w, med_token_text(b->n->text, t, w));
}

/* The first tokens of a stretch. */
uint32_t blocks_look(const blocks *b, uint32_t from, uint32_t to, med_token t[LOOK_TOKENS])
{
    uint32_t next;
    return med_tokenize(NULL, b->n->text, from, to, (med_token_rules){0}, t, LOOK_TOKENS, &next);
}

bool blocks_begins_with(const blocks *b, uint32_t from, uint32_t to, const char *cls)
{
    med_token t[LOOK_TOKENS];
    return blocks_look(b, from, to, t) && med_cues_is(b->cues, cls, blocks_word(b, &t[0]));
}

/* Whether all of it is one word of answer. */
bool blocks_is_answer(const blocks *b, uint32_t from, uint32_t to)
{
    med_token t[LOOK_TOKENS];
    uint32_t n = blocks_look(b, from, to, t);
    while (n && t[n - 1].punct) n--;
    return n == 1 && med_cues_is(b->cues, "answer", blocks_word(b, &t[0]));
}

/* Whether a finding begins with the first word of a stretch, degrees and sides left out, and
 * whether one ends with the last. */
typedef struct {
    bool at_start, at_end;
} names_found;

/* Whether a stretch names a finding. out may be NULL. */
static bool blocks_names(const blocks *b, uint32_t from, uint32_t to, names_found *out)
{
    med_token t[NAMES_TOKENS];
    const med_found *found;
    const bool *own;
    uint32_t next, unread = 0, first = 0;
    uint32_t n =
        med_tokenize(b->lex, b->n->text, from, to, (med_token_rules){0}, t, NAMES_TOKENS, &next);
    uint32_t n_found = med_recognise(b->recogniser, b->n->text, t, n, &found, &own, &unread);
    if (!out) return n_found > 0;
    *out = (names_found){0};
    while (n && t[n - 1].punct) n--;
    while (first < n && t[first].flags & MED_WORD_LIGHT) first++;
    for (uint32_t i = 0; i < n_found; i++) {
        out->at_start |= found[i].first == first;
        out->at_end |= found[i].last + 1 == n;
    }
    return n_found > 0;
}

/* Whether a stretch speaks of a person, denies, answers or names a finding: then it is content
 * and no heading. */
static bool blocks_is_content(const blocks *b, uint32_t from, uint32_t to)
{
    med_token t[LOOK_TOKENS];
    uint32_t n = blocks_look(b, from, to, t);
    for (uint32_t i = 0; i < n; i++)
        if (med_cues_is(b->cues, "rel", blocks_word(b, &t[i]))) return true;
    return blocks_begins_with(b, from, to, "no") || blocks_is_answer(b, from, to) ||
           blocks_names(b, from, to, NULL);
}

/* ---- headings -------------------------------------------------------------------------------- */

/* A known heading in s[from, to), which may have a colon, emphasis or a bracket behind it. */
const med_heading *blocks_known(const blocks *b, uint32_t from, uint32_t to)
{
    const char *s = b->n->text;
    blocks_emphasis(s, &from, &to);
    while (to > from && strchr(" \t:*_", s[to - 1])) to--;
    while (from < to && strchr(" \t*_", s[from])) from++;
    const med_heading *h = med_headings_find(b->headings, s + from, to - from);
    if (h || to == from || s[to - 1] != ')') return h;
    while (to > from && s[to - 1] != '(') to--;
    return to > from + 1 ? med_headings_find(b->headings, s + from, to - 1 - from) : NULL;
}

/* Where a known heading before a colon or a dash at `from` ends, 0 for none. */
static uint32_t blocks_inline(const blocks *b, uint32_t from, uint32_t to, const med_heading **h)
{
    const char *s = b->n->text;
    uint32_t max = to < from + HEADING_BYTES ? to : from + HEADING_BYTES;
    for (uint32_t i = from + 1; i < max; i++) {
        uint32_t n = s[i] == ':' ? 1 : s[i - 1] == ' ' ? dash_sign(s, i, to) : 0;
        if (!n || (s[i] != ':' && !blocks_blank_or_end(s, i + n, to))) continue;
        if ((*h = blocks_known(b, from, i)) != NULL) {
            i += n;
            while (i < to && (s[i] == '*' || s[i] == '_')) i++;
            return i;
        }
        if (s[i] == ':') return 0;
    }
    return 0;
}

/* "Today: ataxia": a key before a colon that names no finding and no person ends a section in
 * which findings are not the patient's. Returns where the key ends, 0 for none. */
static uint32_t blocks_key(const blocks *b, uint32_t from, uint32_t to)
{
    const char *s = b->n->text;
    if (blocks_section(b)->status == MED_PRESENT && !b->unknown) return 0;
    uint32_t max = to < from + HEADING_BYTES ? to : from + HEADING_BYTES, blanks = 0;
    for (uint32_t i = from; i < max; i++) {
        blanks += s[i] == ' ';
        if (s[i] == '.' || s[i] == ',' || s[i] == ';' || s[i] == '?' || blanks > 4) return 0;
        if (s[i] != ':' || !blocks_blank_or_end(s, i + 1, to)) continue;
        return i > from && !blocks_is_content(b, from, i) ? i + 1 : 0;
    }
    return 0;
}

/* A line that looks like a heading without a colon, where it would matter. */
static bool blocks_bare_heading(const blocks *b, const block_line *l, uint32_t i)
{
    const char *s = b->n->text;
    if (blocks_section(b)->status == MED_PRESENT || l->row) return false;
    if (l->stop - l->body > SHORT_LINE || l->number > 5) return false;
    if (s[l->body] < 'A' || s[l->body] > 'Z' || strchr(".,;!?:)", s[l->stop - 1])) return false;
    bool more = i + 1 < b->n_line && b->line[i + 1].kind == LINE_TEXT;
    bool alone = i == 0 || b->line[i - 1].kind != LINE_TEXT;
    bool titled = l->number > 1;
    for (uint32_t k = l->body + 1; k < l->stop; k++)
        titled &= s[k - 1] != ' ' || (s[k] >= 'A' && s[k] <= 'Z') || s[k] == '&';
    return more && (alone || titled) && !blocks_is_content(b, l->body, l->stop);
}

/* Whether the whole line is a heading; *h: its meaning, NULL for none. */
static bool blocks_whole(const blocks *b, const block_line *l, uint32_t i, const med_heading **h)
{
    const char *s = b->n->text;
    *h = NULL;
    if (l->stop <= l->body || l->stop - l->body > HEADING_BYTES || l->row || l->sign) return false;
    bool colon = s[l->stop - 1] == ':' || (l->stop < l->end && s[l->stop] == ':');
    bool listed = l->bullet && l->bullet != '1' && l->bullet != '#';
    *h = blocks_known(b, l->body, l->stop);
    bool over = !l->bullet && i + 1 < b->n_line && b->line[i + 1].bullet; /* "Denies" over a list */
    if (*h) return colon || l->strong || over || !(listed || blocks_is_answer(b, l->body, l->stop));
    if (l->strong) return true;
    if (colon) return l->number <= HEADING_WORDS && s[l->body] != '?';
    if (listed) return false;
    if (l->caps && !b->capitals && l->number <= CAPS_WORDS && s[l->stop - 1] != '.') return true;
    if (l->bullet == '1')
        return b->numbered && l->number <= 6 && s[l->stop - 1] != '.' &&
               !blocks_is_content(b, l->body, l->stop);
    return blocks_bare_heading(b, l, i);
}

static r1_status blocks_heading(blocks *b, const block_line *l, const med_heading *h, r1_err *err)
{
    static const med_heading plain = {MED_SECTION_OTHER, MED_PRESENT, false};
    bool listed = l->bullet && l->bullet != '#' && l->bullet != '1';
    b->numbered |= l->bullet == '1';
    if (h && h->same) return R1_OK;
    R1_TRY(blocks_open(b, l->start, h ? *h : plain, l->stop, err));
    b->heading_indent = listed ? l->indent : MED_NONE;
    b->in_list = false;
    if (h) return R1_OK;
    b->unknown = true;
    return blocks_unit(b, l, l->body, l->end, MED_UNIT_HEADING, false, err);
}

/* ---- sentences ------------------------------------------------------------------------------- */

/* "No." is short for number before a digit alone. */
static bool blocks_abbreviation(const char *text, uint32_t dot, uint32_t from, uint32_t end)
{
    static const char *const known[] = {"dr",  "mr",  "mrs", "ms", "vs", "fig",  "approx",
                                        "e.g", "i.e", "st",  "wk", "al", "prof", "cf"};
    uint32_t a = dot;
    while (a > from && text[a - 1] != ' ' && text[a - 1] != '\n' && text[a - 1] != '(') a--;
    size_t len = dot - a;
    if (len == 2 && strncasecmp(text + a, "no", 2) == 0)
        return dot + 2 < end && blocks_digit(text[dot + 2]);
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (strlen(known[i]) == len && strncasecmp(text + a, known[i], len) == 0) return true;
    return len == 1 && text[a] >= 'A' && text[a] <= 'Z' && text[a] != 'Y' && text[a] != 'N';
}

/* ").Ataxia": a full stop without a blank, between small letters and a capital word. */
static bool blocks_tight_stop(const char *s, uint32_t at, uint32_t from, uint32_t end)
{
    if (at < from + 2 || at + 2 >= end) return false;
    bool word = s[at - 1] == ')' ||
                (s[at - 1] >= 'a' && s[at - 1] <= 'z' && s[at - 2] >= 'a' && s[at - 2] <= 'z');
    return word && s[at + 1] >= 'A' && s[at + 1] <= 'Z' && s[at + 2] >= 'a' && s[at + 2] <= 'z';
}

/* A question whose answer follows is one unit with it. */
static bool blocks_answered(const blocks *b, uint32_t at, uint32_t end)
{
    const char *s = b->n->text;
    uint32_t i = at + 1;
    while (i < end && blocks_blank(s[i])) i++;
    bool a = i + 1 < end && (s[i] | 32) == 'a' && (s[i + 1] == ':' || s[i + 1] == '.');
    if (a) i += 2;
    while (i < end && blocks_blank(s[i])) i++;
    if (a && i < end && blocks_digit(s[i])) return true;
    if (i + 1 < end && s[i] == '[') return true; /* a box */
    if (i < end && strchr("+-", s[i]) && blocks_blank_or_end(s, i + 1, end)) return true;
    uint32_t stop = end < i + 40 ? end : i + 40;
    while (stop < end && ((unsigned char)s[stop] & 0xc0) == 0x80) stop++;
    return i < end && blocks_begins_with(b, i, stop, "answer");
}

/* A sentence ends at . ! ? before a blank, and at the signs that mean the same. */
static bool blocks_ends(const blocks *b, uint32_t at, uint32_t from, uint32_t end)
{
    const char *s = b->n->text;
    unsigned char c = (unsigned char)s[at];
    if (c >= 0xe2 && at + 3 <= end) {
        med_char x = med_char_at(s, at, end);
        return x.kind == MED_CHAR_MARK && x.mark == '.' && c == 0xe3;
    }
    if (c != '.' && c != '!' && c != '?') return false;
    if (at + 1 < end && !blocks_blank(s[at + 1]))
        return c == '.' && blocks_tight_stop(s, at, from, end);
    if (c == '.' && at >= from + 3 && memcmp(s + at - 3, "....", 4) == 0) return false;
    if (c == '?' && (at == from || blocks_blank(s[at - 1]))) return false;
    if (c == '?') return !blocks_answered(b, at, end);
    return c == '!' || !blocks_abbreviation(s, at, from, end);
}

/* The section that a sentence opens by the heading or key that it begins with. within: not at the
 * start of a line, where "Chest: no ..." is a part of what was imaged. */
static r1_status blocks_sentence_heading(blocks *b, uint32_t *from, uint32_t to, bool within,
                                         r1_err *err)
{
    const med_heading *h = NULL;
    uint32_t start = *from;
    while (start < to && blocks_blank(b->n->text[start])) start++;
    uint32_t head = blocks_inline(b, start, to, &h);
    if (head) {
        if (h->same) return R1_OK;
        bool alike = h->status == MED_PRESENT && blocks_section(b)->status == MED_PRESENT;
        if (within && alike && !b->unknown) return R1_OK; /* the unit's own label */
        *from = head;
        return blocks_open(b, start, *h, head, err);
    }
    bool visit = within && blocks_section(b)->status == MED_FAMILY;
    if (visit && blocks_begins_with(b, start, to, "visit")) return blocks_plain(b, start, err);
    return blocks_key(b, start, to) ? blocks_plain(b, start, err) : R1_OK;
}

/* A sentence that is too long is cut behind a comma, or else at a blank; the next part goes on
 * with what it said. */
static uint32_t blocks_cut(const char *s, uint32_t from, uint32_t at)
{
    uint32_t half = from + MED_SENTENCE_BYTES / 2, k = at;
    while (k > half && !(s[k] == ' ' && s[k - 1] == ',')) k--;
    if (k > half) return k;
    for (k = at; k > half && s[k] != ' ';) k--;
    if (k > half) return k;
    while (at > from && ((unsigned char)s[at] & 0xc0) == 0x80) at--;
    return at;
}

/* "FH: none SH: lives alone PE: ataxia": a short heading in capitals within the line ends a family
 * history. */
static bool blocks_caps_heading(const blocks *b, uint32_t i, uint32_t from, uint32_t end)
{
    const char *s = b->n->text;
    if (blocks_section(b)->status != MED_FAMILY || i == from || !blocks_blank(s[i - 1]))
        return false;
    uint32_t k = i;
    while (k < end && k < i + 5 && ((s[k] >= 'A' && s[k] <= 'Z') || s[k] == '/')) k++;
    if (k < i + 2 || k >= end || s[k] != ':') return false;
    const med_heading *h = blocks_known(b, i, k);
    return h && !h->same && h->status != MED_FAMILY;
}

static r1_status blocks_sentences(blocks *b, const block_line *l, uint32_t start, uint32_t end,
                                  med_unit_kind kind, r1_err *err)
{
    uint32_t from = start;
    bool continues = false;
    if (!l->row) R1_TRY(blocks_sentence_heading(b, &from, end, false, err));
    for (uint32_t i = from; i < end; i++) {
        uint32_t stop = 0;
        bool head = blocks_caps_heading(b, i, from, end);
        if (head) {
            stop = i;
        } else if (blocks_ends(b, i, from, end)) {
            stop = i + med_char_at(b->n->text, i, end).len;
        } else if (i - from >= MED_SENTENCE_BYTES) {
            stop = blocks_cut(b->n->text, from, i);
            b->n->n_cut++;
        }
        if (!stop) continue;
        R1_TRY(blocks_unit(b, l, from, stop, kind, continues, err));
        continues = !head && stop <= i;
        from = stop;
        i = stop > i ? stop - 1 : i;
        if (!continues && !l->row) R1_TRY(blocks_sentence_heading(b, &from, end, true, err));
        if (from > i + 1) i = from - 1;
    }
    return blocks_unit(b, l, from, end, kind, continues, err);
}

/* ---- paragraphs ------------------------------------------------------------------------------ */

static bool blocks_open_ended(const char *s, uint32_t from, uint32_t to)
{
    static const char *const words[] = {
        "and",  "or",  "of",  "with", "the", "no",      "a",       "an",   "in", "for", "to",
        "has",  "had", "is",  "was",  "are", "were",    "his",     "her",  "by", "at",  "on",
        "from", "not", "any", "but",  "nor", "without", "neither", "that", "as"};
    char last = s[to - 1];
    if (last == ',' || last == '(' || last == '/' || last == '&') return true;
    uint32_t a = to;
    while (a > from && blocks_letter(s[a - 1])) a--;
    uint32_t before = a;
    while (before > from && s[before - 1] == ' ') before--;
    if (before == from || strchr(":?-=])|", s[before - 1])) return false; /* an answer */
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (strlen(words[i]) == to - a && strncasecmp(s + a, words[i], to - a) == 0) return true;
    return false;
}

static bool blocks_joining(const char *s, uint32_t from, uint32_t to)
{
    static const char *const words[] = {"and", "or", "nor", "but", "with", "without", "of"};
    uint32_t z = from;
    while (z < to && blocks_letter(s[z])) z++;
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (strlen(words[i]) == z - from && strncasecmp(s + from, words[i], z - from) == 0)
            return true;
    return false;
}

/* Two short lines that each are findings are two entries, not one sentence. */
static bool blocks_entries(const blocks *b, const block_line *l, const block_line *next)
{
    names_found a, z;
    if (l->stop - l->body > SHORT_LINE) return false;
    return blocks_names(b, l->body, l->stop, &a) && a.at_end &&
           blocks_names(b, next->body, next->stop, &z) && z.at_start;
}

static bool blocks_is_finding(const blocks *b, const block_line *l)
{
    names_found a;
    return blocks_names(b, l->body, l->stop, &a) && a.at_start && a.at_end;
}

/* The widest of the lines of text around line i, up to a blank one. */
static uint32_t blocks_width(const blocks *b, uint32_t i)
{
    uint32_t widest = 0, from = i, to = i;
    while (from && i - from < WIDTH_LINES && b->line[from - 1].kind == LINE_TEXT) from--;
    while (to + 1 < b->n_line && to - i < WIDTH_LINES && b->line[to + 1].kind == LINE_TEXT) to++;
    for (; from <= to; from++) {
        uint32_t width = b->line[from].stop - b->line[from].start;
        if (width > widest) widest = width;
    }
    return widest;
}

/* Whether the first word of the next line would not have fit into this one. */
static bool blocks_full(const blocks *b, const block_line *l, const block_line *next)
{
    uint32_t z = next->body, width = l->stop - l->start;
    while (z < next->stop && !blocks_blank(b->n->text[z])) z++;
    uint32_t wanted = width + 1 + (z - next->body);
    if (width < WIDE_LINE || wanted <= WIDE_LINE + 12) return false;
    return wanted > blocks_width(b, (uint32_t)(l - b->line));
}

/* Whether a line among several ended long before it was full, as lines of jotted notes do. */
static bool blocks_stops_early(const blocks *b, const block_line *l, const block_line *next)
{
    uint32_t i = (uint32_t)(l - b->line), z = next->body;
    if (!i || i + 2 >= b->n_line || b->line[i - 1].kind != LINE_TEXT ||
        b->line[i + 2].kind != LINE_TEXT)
        return false;
    while (z < next->stop && !blocks_blank(b->n->text[z])) z++;
    return (l->stop - l->start + 1 + z - next->body) * 4 < blocks_width(b, i) * 3;
}

/* "known: hypotonia": a line that begins with a key of its own. */
static bool blocks_keyed(const blocks *b, const block_line *l)
{
    uint32_t words = 1;
    for (uint32_t i = l->body; i < l->stop && words <= 2; i++) {
        char c = b->n->text[i];
        if (c == ':') return i > l->body && blocks_blank_or_end(b->n->text, i + 1, l->stop);
        if (!blocks_letter(c) && c != ' ' && c != '/') return false;
        words += c == ' ';
    }
    return false;
}

/* Whether line i begins with a key and is no rest of a full line, or one of several such lines. */
static bool blocks_key_line(const blocks *b, uint32_t i)
{
    if (!blocks_keyed(b, &b->line[i])) return false;
    if (!blocks_full(b, &b->line[i - 1], &b->line[i])) return true;
    for (uint32_t k = i > WIDTH_LINES ? i - WIDTH_LINES : 0; k < b->n_line && k < i + WIDTH_LINES;
         k++)
        if (k != i && b->line[k].kind == LINE_TEXT && blocks_keyed(b, &b->line[k])) return true;
    return false;
}

/* Whether a line goes on in the next one. first: of the paragraph. */
static bool blocks_goes_on(const blocks *b, const block_line *first, uint32_t i)
{
    const char *s = b->n->text;
    const block_line *l = &b->line[i], *next = &b->line[i + 1];
    const med_heading *h;
    if (next->kind != LINE_TEXT || l->stop <= l->body || next->stop <= next->body) return false;
    char last = s[l->stop - 1], head = s[next->body];
    bool asks = last == '?' || l->bullet == 'Q';
    if (asks && (next->bullet == 'A' || blocks_is_answer(b, next->body, next->stop))) return true;
    if (!next->bullet && s[next->stop - 1] != ':' && blocks_is_answer(b, next->body, next->stop))
        return last == ':' ||
               (l->stop - l->body <= SHORT_LINE && i == first - b->line && blocks_is_finding(b, l));
    if (l->row || next->row || next->bullet || next->strong || l->sign) return false;
    if (blocks_whole(b, next, i + 1, &h) || blocks_inline(b, next->body, next->stop, &h))
        return false;
    if (strchr(".!?;:", last)) return false;
    if (dash_sign(s, l->stop - 1, l->stop) && l->stop > l->body + 1 &&
        blocks_letter(s[l->stop - 2]))
        return true;
    if (blocks_open_ended(s, l->body, l->stop)) return true;
    bool small = head >= 'a' && head <= 'z';
    if (small && blocks_joining(s, next->body, next->stop)) return true;
    if (small && blocks_key_line(b, i + 1)) return false;
    if (!small)
        return (b->capitals || blocks_digit(head) || head == '(') && blocks_full(b, l, next);
    bool began_small = s[first->body] >= 'a' && s[first->body] <= 'z';
    if (began_small && !first->bullet) return blocks_full(b, l, next);
    return !blocks_entries(b, l, next) && !blocks_stops_early(b, l, next);
}

/* A line that is "Seizures:" above "No" is no heading. */
static bool blocks_label_above(const blocks *b, uint32_t i)
{
    return i + 1 < b->n_line && b->line[i + 1].kind == LINE_TEXT && !b->line[i + 1].bullet &&
           !b->line[i].row && b->line[i].stop > b->line[i].body &&
           b->n->text[b->line[i].stop - 1] == ':' &&
           blocks_is_answer(b, b->line[i + 1].body, b->line[i + 1].stop);
}

/* What the first sentence of a paragraph speaks of. */
typedef struct {
    bool subject; /* it begins with the patient, or with who examined */
    bool kin;     /* a relative, or a word of family trees */
    bool dose;    /* a word of prescriptions */
    bool verb, number;
} block_topic;

static block_topic blocks_topic(const blocks *b, const block_line *l)
{
    med_token t[LOOK_TOKENS];
    uint32_t n = blocks_look(b, l->body, l->stop, t);
    block_topic x = {.subject = blocks_begins_with(b, l->body, l->stop, "subject")};
    for (uint32_t i = 0; i < n && t[i].mark != '.'; i++) {
        uint16_t w = blocks_word(b, &t[i]);
        x.kin |= med_cues_is(b->cues, "rel", w) || med_cues_is(b->cues, "kindred", w);
        x.dose |= med_cues_is(b->cues, "dose", w);
        x.verb |= med_cues_is(b->cues, "finite", w) || med_cues_is(b->cues, "be", w);
        x.number |= blocks_digit(b->n->text[t[i].start]);
    }
    return x;
}

/* Whether the paragraph behind a blank line is no longer of the family history, of the drugs or of
 * the results above it: prose or values in which no relative and no dose is named. */
static bool blocks_leaves(const blocks *b, const block_line *l)
{
    const med_section *s = blocks_section(b);
    bool family = s->status == MED_FAMILY, drugs = s->name == MED_SECTION_MEDICATIONS;
    bool results = s->name == MED_SECTION_LABORATORY || s->name == MED_SECTION_IMAGING;
    if (!family && !drugs && !results) return false;
    block_topic x = blocks_topic(b, l);
    if (family) return !x.kin && (x.subject || x.verb || x.number);
    return drugs ? x.subject || !x.dose : x.subject;
}

/* Ends what goes no further than a list, a blank line or an item. */
static r1_status blocks_close(blocks *b, const block_line *l, bool item, r1_err *err)
{
    if (b->heading_indent != MED_NONE && item && l->indent <= b->heading_indent)
        return blocks_plain(b, l->start, err);
    bool content = b->n->n_sentence &&
                   b->n->sentence[b->n->n_sentence - 1].section == b->n->n_section - 1 &&
                   b->n->sentence[b->n->n_sentence - 1].kind != MED_UNIT_HEADING;
    if (b->unknown && content && !item && (b->in_list || b->after_blank))
        return blocks_plain(b, l->start, err);
    if (b->after_blank && content && !item && blocks_leaves(b, l))
        return blocks_plain(b, l->start, err);
    return R1_OK;
}

/* The paragraph that begins at line i, one unit or several. Returns its last line in *last. */
static r1_status blocks_paragraph(blocks *b, uint32_t i, uint32_t *last, r1_err *err)
{
    const block_line *l = &b->line[i];
    bool item = l->bullet != 0;
    R1_TRY(blocks_close(b, l, item || l->row, err));
    uint32_t k = i, section = b->n->n_section - 1, units = b->n->n_sentence;
    while (k + 1 < b->n_line && blocks_goes_on(b, l, k)) k++;
    med_section before = b->n->section[section];
    bool unknown = b->unknown;
    R1_TRY(blocks_sentences(b, l, l->body, b->line[k].end,
                            item     ? MED_UNIT_ITEM
                            : l->row ? MED_UNIT_ROW
                                     : MED_UNIT_SENTENCE,
                            err));
    if (l->row && b->n->n_sentence > units) {
        tables_answer(b, i, &b->n->sentence[b->n->n_sentence - 1]);
    }
    /* a heading within an item holds for that item */
    bool more = k + 1 < b->n_line && b->line[k + 1].bullet;
    if (item && more && b->n->n_section - 1 != section) {
        med_heading was = {(uint8_t)before.name, (uint8_t)before.status, false};
        R1_TRY(blocks_open(b, b->line[k + 1].start, was, b->line[k + 1].start, err));
        blocks_section(b)->head_start = before.head_start;
        blocks_section(b)->head_end = before.head_end;
        b->unknown = unknown;
    }
    b->in_list = item || l->row;
    *last = k;
    return R1_OK;
}

static r1_status blocks_walk(blocks *b, r1_err *err)
{
    R1_TRY(blocks_open(b, 0, (med_heading){MED_SECTION_START, MED_PRESENT, false}, 0, err));
    for (uint32_t i = 0; i < b->n_line; i++) {
        const block_line *l = &b->line[i];
        const med_heading *h;
        if (l->kind == LINE_BLANK) b->after_blank = true;
        if (i == 0 || (l->row && !b->line[i - 1].row && b->line[i - 1].kind != LINE_RULE))
            b->table = i;
        if (l->kind != LINE_TEXT) continue;
        if (!blocks_label_above(b, i) && blocks_whole(b, l, i, &h))
            R1_TRY(blocks_heading(b, l, h, err));
        else
            R1_TRY(blocks_paragraph(b, i, &i, err));
        b->after_blank = false;
    }
    return R1_OK;
}

static bool blocks_has_markup(const med_notes *n)
{
    size_t head = n->len < 64 ? n->len : 64;
    bool rtf = n->len > 5 && n->text[0] == '{' && memmem(n->text, head, "\\rtf", 4) != NULL;
    return rtf || memmem(n->text, n->len, "</", 2) || memmem(n->text, n->len, "<br", 3);
}

r1_status med_blocks_split(med_notes *n, const med_lexicon *lex, med_recogniser *recogniser,
                           r1_err *err)
{
    blocks b = {.n = n,
                .lex = lex,
                .recogniser = recogniser,
                .cues = med_lexicon_cues(lex),
                .headings = med_lexicon_headings(lex),
                .markup = blocks_has_markup(n),
                .capitals = blocks_mostly_capitals(n),
                .heading_indent = MED_NONE};
    r1_status st = blocks_lines(&b, err);
    if (st == R1_OK) {
        tables_find_rows(&b);
        blocks_find_csv(&b);
        blocks_find_signs(&b);
        blocks_find_rules(&b);
        st = blocks_walk(&b, err);
    }
    free(b.line);
    return st;
}
