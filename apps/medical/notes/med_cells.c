/* SPDX-License-Identifier: Apache-2.0 */
/* med_cells.c - see med_cells.h. Finds the wide blanks of a line and asks of each whether it may
 * part two cells. */
#include "notes/med_cells.h"

#include "notes/med_chars.h"

#include <string.h>
#include <strings.h>

enum {
    GAPS_MAX = 64,
    LABEL_BYTES = 70, /* a cell that is longer is no label */
    GAP_SURE = 3,     /* blanks that part cells whatever follows */
    GAP_BESIDE_TABS = 4,
    GAP_CLEAR = 5,   /* beside such a border a blank of two is none */
    ANSWER_WORDS = 2 /* words behind a blank of two that make it a border */
};

/* A blank of two characters or more, or one with a tab. */
typedef struct {
    uint32_t start, end, wide; /* bytes; wide: characters */
    bool tab;
} cell_gap;

typedef struct {
    const char *s;
    uint32_t from, to, n;
    cell_gap gap[GAPS_MAX];
} cell_line;

static bool cells_blank(char c) { return c == ' ' || c == '\t'; }

static bool cells_in(const char *words, const char *s, size_t len)
{
    char key[16] = " ";
    if (len == 0 || len > sizeof key - 3) return false;
    for (size_t i = 0; i < len; i++)
        key[i + 1] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 32 : s[i]);
    key[len + 1] = ' ';
    key[len + 2] = '\0';
    return strstr(words, key) != NULL;
}

static void cells_find(cell_line *l)
{
    for (uint32_t i = l->from; i < l->to && l->n < GAPS_MAX;) {
        med_gap g = med_gap_at(l->s, i, l->to);
        if (i > l->from && i + g.len < l->to && (g.tab || g.wide > 1))
            l->gap[l->n++] = (cell_gap){i, i + g.len, g.wide, g.tab};
        i += g.len ? g.len : 1;
    }
}

/* The word that ends at `at`, and the one that begins there. */
static uint32_t cells_word_before(const cell_line *l, uint32_t at)
{
    uint32_t a = at;
    while (a > l->from && !cells_blank(l->s[a - 1])) a--;
    return a;
}

static uint32_t cells_word_behind(const cell_line *l, uint32_t at)
{
    uint32_t z = at;
    while (z < l->to && !cells_blank(l->s[z])) z++;
    return z;
}

/* A word in small letters, or one that begins the line. */
static bool cells_running(const cell_line *l, uint32_t at)
{
    return at == l->from || (l->s[at] >= 'a' && l->s[at] <= 'z');
}

/* Whether a border here would tear a phrase. */
static bool cells_torn(const cell_line *l, const cell_gap *g)
{
    static const char open[] = " the a an of with not and or has had have is was are were be been "
                               "to by for from his her their this that any but nor without neither "
                               "as who which she he they there ";
    static const char goes_on[] = " of and or nor but has had have is was are were been be out ";
    char before = l->s[g->start - 1], behind = l->s[g->end];
    bool dots = g->end + 1 < l->to && l->s[g->end + 1] == '.';
    if (strchr(",;(", before) || strchr(",;)", behind) || (behind == '.' && !dots)) return true;
    uint32_t a = cells_word_before(l, g->start), z = cells_word_behind(l, g->end);
    bool alone = a == l->from || cells_blank(l->s[a - 1]);
    /* "no" is an answer where it is the whole cell */
    bool answer =
        (a == l->from || (a > l->from + 1 && cells_blank(l->s[a - 2]))) && l->s[l->to - 1] != '.';
    if (alone && !answer && cells_in(" no any ", l->s + a, g->start - a)) return true;
    if (cells_running(l, a) && cells_in(open, l->s + a, g->start - a)) return true;
    return cells_running(l, g->end) && cells_in(goes_on, l->s + g->end, z - g->end);
}

/* A sentence: a full stop ends it, and it begins as one, or its first cell has a verb. */
static bool cells_sentence(const cell_line *l)
{
    static const char begins[] = " the a an he she they there this his her their it we i ";
    static const char verbs[] = " is was are were has had have shows showed denies denied ";
    uint32_t z = cells_word_behind(l, l->from);
    if (l->s[l->to - 1] != '.') return false;
    if (cells_in(begins, l->s + l->from, z - l->from)) return true;
    for (uint32_t i = z; i < l->gap[0].start; i = z) {
        while (i < l->gap[0].start && cells_blank(l->s[i])) i++;
        z = cells_word_behind(l, i);
        if (cells_in(verbs, l->s + i, z - i)) return true;
    }
    return false;
}

/* Whether a wide blank parts a label from what is said of it. */
static bool cells_border(const cell_line *l, const cell_gap *g)
{
    uint32_t words = 0;
    if (g->tab) return true;
    if (g->start - l->from > LABEL_BYTES || strchr(".!?:;,", l->s[g->start - 1])) return false;
    if (g->wide >= GAP_SURE) return true;
    for (uint32_t i = g->end; i < l->to; i++)
        words += !cells_blank(l->s[i]) && (i == g->end || cells_blank(l->s[i - 1]));
    return words <= ANSWER_WORDS;
}

med_cells med_cells_of(const char *s, uint32_t from, uint32_t to)
{
    cell_line l = {.s = s, .from = from, .to = to};
    bool bars =
        to > from && (memchr(s + from, '|', to - from) || memmem(s + from, to - from, "....", 4));
    bool border = false, tab = false, wide = false;
    uint32_t widest = 0;
    cells_find(&l);
    if (!l.n) return (med_cells){bars, 0};
    for (uint32_t i = 0; i < l.n && !bars; i++)
        if (cells_torn(&l, &l.gap[i])) return (med_cells){false, 0};
    if (!bars && cells_sentence(&l)) return (med_cells){false, 0};
    for (uint32_t i = 0; i < l.n; i++) {
        border |= cells_border(&l, &l.gap[i]);
        tab |= l.gap[i].tab;
        if (l.gap[i].wide > widest) widest = l.gap[i].wide;
        wide |= l.gap[i].wide >= GAP_BESIDE_TABS;
    }
    if (!border && !bars) return (med_cells){false, 0};
    return (med_cells){true, tab || bars           ? (wide ? GAP_BESIDE_TABS : 0)
                             : widest >= GAP_CLEAR ? GAP_SURE
                                                   : 2};
}

uint32_t med_cells_split(const char *s, uint32_t from, uint32_t to, uint8_t wide, med_cell *cell,
                         uint32_t max)
{
    uint32_t n = 0, start = from;
    for (uint32_t i = from; i < to && n < max;) {
        med_gap g = med_gap_at(s, i, to);
        if (g.tab || (wide && g.wide >= wide)) {
            if (i > start) cell[n++] = (med_cell){start, i};
            start = i + g.len;
        }
        i += g.len ? g.len : 1;
    }
    if (start < to && n < max) cell[n++] = (med_cell){start, to};
    return n;
}
