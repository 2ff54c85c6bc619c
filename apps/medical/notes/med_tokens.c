/* SPDX-License-Identifier: Apache-2.0 */
/* med_tokens.c - see med_tokens.h. */
#include "notes/med_tokens.h"

#include "r1_assert.h"

#include <string.h>

/* ---- markup ---------------------------------------------------------------------------------- */

static bool tokens_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }

static uint32_t tag_len(const char *text, uint32_t at, uint32_t end, bool *breaks)
{
    static const char *const within[] = {"b",  "i",   "em", "strong", "u",    "a", "sup",
                                         "td", "sub", "th", "small",  "span", "q", "mark"};
    uint32_t name = at + 1 + (at + 1 < end && text[at + 1] == '/'), i = name;
    while (i < end && (tokens_letter(text[i]) || (text[i] >= '0' && text[i] <= '9'))) i++;
    uint32_t n = i - name;
    if (n == 0 || !tokens_letter(text[name])) return 0;
    while (i < end && text[i] != '>' && text[i] != '<' && i < at + 300) i++;
    if (i >= end || text[i] != '>') return 0;
    *breaks = true;
    for (size_t k = 0; k < R1_COUNT(within); k++)
        if (strlen(within[k]) == n && strncasecmp(text + name, within[k], n) == 0) *breaks = false;
    return i + 1 - at;
}

static uint32_t control_word_len(const char *text, uint32_t at, uint32_t end, bool *breaks)
{
    uint32_t name = at;
    while (name < end && text[name] == '\\') name++;
    uint32_t i = name;
    while (i < end && text[i] >= 'a' && text[i] <= 'z') i++;
    if (i == name) return 0;
    *breaks = (i - name == 3 && memcmp(text + name, "par", 3) == 0) ||
              (i - name == 4 && memcmp(text + name, "line", 4) == 0);
    if (i < end && text[i] == '-') i++;
    while (i < end && text[i] >= '0' && text[i] <= '9') i++;
    return i + (i < end && text[i] == ' ') - at;
}

uint32_t med_markup_len(const char *text, uint32_t at, uint32_t end, bool *breaks)
{
    *breaks = false;
    if (text[at] == '<') return tag_len(text, at, end, breaks);
    if (text[at] == '\\') return control_word_len(text, at, end, breaks);
    return 0;
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool tokens_say(const char *s, size_t len, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(words[i]) == len && strncasecmp(s, words[i], len) == 0) return true;
    return false;
}

static bool normal_word(const char *s, size_t len)
{
    static const char *const words[] = {"normal", "intact", "unremarkable", "healthy", "normally"};
    return len > 5 && tokens_say(s, len, words, R1_COUNT(words));
}

static bool joining_word(const char *s, size_t len)
{
    static const char *const words[] = {"and", "or", "nor"};
    return len <= 3 && tokens_say(s, len, words, R1_COUNT(words));
}

/* The end of the word that begins at i; *plain: of ASCII alone. */
static uint32_t word_end(const char *text, uint32_t i, uint32_t end, bool *plain)
{
    uint32_t stop = i;
    *plain = true;
    while (i < end) {
        unsigned char c = (unsigned char)text[i];
        if (c < 128) {
            if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))) break;
            stop = ++i;
            continue;
        }
        med_char x = med_char_at(text, i, end);
        if (x.kind != MED_CHAR_WORD && x.kind != MED_CHAR_NOTHING) break;
        i += x.len;
        if (x.kind == MED_CHAR_WORD) stop = i;
        *plain = false;
    }
    return stop;
}

/* Behind a word that ends at i: a hyphen, the end of a line, a small letter. Returns where the
 * word goes on, 0 where it does not. */
static uint32_t divided_at(const char *text, uint32_t i, uint32_t end)
{
    if (i >= end) return 0;
    med_char x = med_char_at(text, i, end);
    if (!(x.kind == MED_CHAR_MARK && x.mark == '-') && x.kind != MED_CHAR_NOTHING) return 0;
    uint32_t k = i + x.len;
    bool line = false;
    for (; k < end && strchr(" \t\r\n", text[k]); k++) line |= text[k] == '\n';
    return line && k < end && text[k] >= 'a' && text[k] <= 'z' ? k : 0;
}

/* The letters of text[from, to) without hyphens, blanks and what has no width. */
static size_t word_letters(const char *text, uint32_t from, uint32_t to, char *out, size_t max)
{
    size_t n = 0;
    for (uint32_t i = from; i < to;) {
        med_char x = med_char_at(text, i, to);
        if (x.kind == MED_CHAR_WORD) {
            if (n + x.len >= max) return 0;
            memcpy(out + n, text + i, x.len);
            n += x.len;
        }
        i += x.len;
    }
    return n;
}

static int32_t tokens_number(const med_lexicon *lex, const char *s, size_t n, uint8_t *flags)
{
    *flags = 0;
    return lex ? med_lexicon_word(lex, s, n, flags) : MED_WORD_UNKNOWN;
}

static med_token token_word(const med_lexicon *lex, const char *text, uint32_t i, uint32_t stop,
                            uint32_t end, bool plain)
{
    char buf[MED_WORD_BYTES];
    med_token t = {.start = i, .end = stop, .plain = plain};
    uint32_t on = divided_at(text, stop, end);
    if (on && lex) {
        bool more;
        uint8_t flags;
        uint32_t stop2 = word_end(text, on, end, &more);
        size_t n = word_letters(text, i, stop2, buf, sizeof buf);
        int32_t word = n ? tokens_number(lex, buf, n, &flags) : MED_WORD_UNKNOWN;
        if (word >= 0 && !(flags & MED_WORD_GUESSED)) {
            t = (med_token){.start = i, .end = stop2, .word = word, .flags = flags};
            return t;
        }
    }
    size_t n = plain ? 0 : word_letters(text, i, stop, buf, sizeof buf);
    const char *s = n ? buf : text + i;
    if (!n) n = stop - i;
    t.word = tokens_number(lex, s, n, &t.flags);
    t.normal = normal_word(s, n);
    t.conj = joining_word(s, n);
    return t;
}

size_t med_token_text(const char *text, const med_token *t, char out[MED_WORD_BYTES])
{
    if (t->punct) {
        out[0] = t->mark;
        return 1;
    }
    size_t n = t->end - t->start;
    if (t->plain) {
        if (n >= MED_WORD_BYTES) return 0;
        for (size_t i = 0; i < n; i++) {
            char c = text[t->start + i];
            out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
        }
        return n;
    }
    char letters[MED_WORD_BYTES];
    n = word_letters(text, t->start, t->end, letters, sizeof letters);
    return med_lexicon_fold(letters, n, out, MED_WORD_BYTES);
}

/* ---- marks ----------------------------------------------------------------------------------- */

static bool tokens_blank_at(const char *text, uint32_t i, uint32_t end)
{
    return i >= end || med_char_at(text, i, end).kind == MED_CHAR_BLANK;
}

/* A box in brackets: "[x]", "[ ]", "( )". Returns its bytes and which, 0 for none. */
static uint32_t box_len(const char *text, uint32_t i, uint32_t end, char *mark)
{
    char shut = text[i] == '[' ? ']' : ')';
    uint32_t k = i + 1;
    bool on = false;
    if (k < end) k += med_gap_at(text, k, end < i + 8 ? end : i + 8).len;
    if (k < end && (text[k] == 'x' || text[k] == 'X')) {
        on = true;
        k++;
    } else if (k < end && (unsigned char)text[k] >= 128) {
        med_char x = med_char_at(text, k, end);
        if (x.mark != MED_MARK_ON) return 0;
        on = true;
        k += x.len;
    }
    if (k == i + 1) {
        if (!(text[i] == '[' && k < end && text[k] == ']')) return 0;
    }
    if (k < end) k += med_gap_at(text, k, end < i + 12 ? end : i + 12).len;
    if (k >= end || text[k] != shut) return 0;
    *mark = on ? MED_MARK_ON : MED_MARK_OFF;
    return k + 1 - i;
}

/* A dash is a mark where it stands alone: "seizures -", "ataxia - none", "(-)", "-ve". */
static bool dash_alone(const char *text, uint32_t i, uint32_t len, uint32_t from, uint32_t end)
{
    uint32_t k = i + len;
    if (k >= end || strchr(",;)|", text[k])) return true; /* "dystonia-" */
    bool before = i == from || strchr(" \t\n\r(|[", text[i - 1]) != NULL ||
                  (i > from + 1 && tokens_blank_at(text, i - 2, end) && text[i - 1] != ' ' &&
                   (unsigned char)text[i - 1] >= 128);
    if (!before) return false;
    if (k + 1 < end && (text[k] | 32) == 'v' && (text[k + 1] | 32) == 'e' &&
        (k + 2 >= end || !tokens_letter(text[k + 2])))
        return true;
    return tokens_blank_at(text, k, end) || strchr(").,;|]/", text[k]) != NULL;
}

/* "?cardiomyopathy", "? cardiomyopathy": the mark stands before what it asks. */
static bool query_before(const char *text, uint32_t i, uint32_t from, uint32_t end)
{
    uint32_t k = i + 1;
    bool blank = i > from && (unsigned char)text[i - 1] >= 128;
    if (i > from && !blank && !strchr(" \t\n\r(/,", text[i - 1])) return false;
    k += med_gap_at(text, k, end).len;
    return k < end && med_char_at(text, k, end).kind == MED_CHAR_WORD;
}

static bool tokens_digit(const char *text, uint32_t i, uint32_t end)
{
    return i < end && text[i] >= '0' && text[i] <= '9';
}

/* The point within "38.0" and "E11.0"; a comma only before a zero, as "2,3" are two toes. */
static bool decimal_point(const char *text, uint32_t i, uint32_t from, uint32_t end)
{
    if (i == from || !tokens_digit(text, i - 1, end) || !tokens_digit(text, i + 1, end))
        return false;
    return text[i] == '.' ||
           (text[i] == ',' && text[i + 1] == '0' && !tokens_digit(text, i + 2, end));
}

/* "</td>" and "</th>" end a cell. */
static bool markup_cell(const char *text, uint32_t i, uint32_t len)
{
    return len == 5 && text[i + 1] == '/' && (text[i + 2] | 32) == 't' &&
           ((text[i + 3] | 32) == 'd' || (text[i + 3] | 32) == 'h');
}

static uint32_t cell_len(const char *text, uint32_t i, uint32_t end, uint8_t wide)
{
    med_gap g = med_gap_at(text, i, end);
    return g.tab || (wide && g.wide >= wide) ? g.len : 0;
}

/* Leaders lead to a cell: "tremor ..... no". */
static uint32_t leader_len(const char *text, uint32_t i, uint32_t end)
{
    uint32_t k = i;
    while (k < end && text[k] == text[i]) k++;
    return k - i > 3 ? k - i : 0;
}

/* The mark at i, 0 for none; *len: its bytes. */
static char mark_at(const char *text, uint32_t i, uint32_t from, uint32_t end, med_char x,
                    med_token_rules rules, uint32_t *len)
{
    char mark = x.mark;
    *len = x.len;
    if (rules.separator && mark == rules.separator) return '|';
    if (rules.separator && mark == '"') return 0;
    if (decimal_point(text, i, from, end)) return 0;
    if (mark == '[' || mark == '(') {
        uint32_t box = box_len(text, i, end, &mark);
        if (box) *len = box;
        return mark;
    }
    if (rules.sign && i == from && (mark == '+' || mark == '-'))
        return mark == '+' ? MED_MARK_ON : MED_MARK_OFF;
    if (mark == '-' && i + 1 < end && (text[i + 1] == '>' || text[i + 1] == '-')) {
        bool arrow = text[i + 1] == '>' || (i + 2 < end && text[i + 2] == '>');
        *len = text[i + 1] == '>' ? 2 : 3;
        if (arrow) return '>';
        *len = 1;
    }
    uint32_t leader = mark == '.' && x.len == 1 ? leader_len(text, i, end) : 0;
    if (leader) {
        *len = leader;
        return '|';
    }
    if (mark == '-') return dash_alone(text, i, x.len, from, end) ? mark : 0;
    if (mark == '?' && query_before(text, i, from, end)) return MED_MARK_QUERY;
    return mark;
}

static bool mark_joins(char mark) { return mark == ',' || mark == '/' || mark == '&'; }

uint32_t med_tokenize(const med_lexicon *lex, const char *text, uint32_t start, uint32_t end,
                      med_token_rules rules, med_token *t, uint32_t max, uint32_t *next)
{
    uint32_t n = 0, i = start;
    while (i < end && n < max) {
        bool plain, breaks;
        uint32_t len = 1;
        med_char x = med_char_at(text, i, end);
        if (x.kind == MED_CHAR_WORD) {
            uint32_t stop = word_end(text, i, end, &plain);
            t[n] = token_word(lex, text, i, stop, end, plain);
            i = t[n++].end;
            continue;
        }
        uint32_t markup = rules.markup ? med_markup_len(text, i, end, &breaks) : 0;
        uint32_t cell =
            rules.row && x.kind == MED_CHAR_BLANK ? cell_len(text, i, end, rules.wide) : 0;
        char mark = 0;
        if (markup) {
            len = markup;
            mark = markup_cell(text, i, len) ? '|' : 0;
        } else if (cell)
            mark = '|', len = cell;
        else if (x.kind == MED_CHAR_MARK)
            mark = mark_at(text, i, start, end, x, rules, &len);
        else
            len = x.len;
        if (mark && !(mark == '|' && n && t[n - 1].mark == '|'))
            t[n++] = (med_token){.start = i,
                                 .end = i + len,
                                 .word = MED_WORD_STOP,
                                 .punct = true,
                                 .conj = mark_joins(mark),
                                 .mark = mark};
        i += len;
    }
    *next = i;
    return n;
}
