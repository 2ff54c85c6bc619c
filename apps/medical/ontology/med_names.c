/* SPDX-License-Identifier: Apache-2.0 */
/* med_names.c - see med_names.h. The names are folded once, sorted, and walked whole by a search:
 * a few megabytes. */
#include "ontology/med_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

typedef struct {
    const char *folded;
    const char *text; /* of the knowledge base */
    uint32_t term, len;
    bool label;
} name_row;

struct med_names {
    const med_kb *kb;
    name_row *row; /* sorted by folded text, labels first, then by term */
    uint32_t n_row;
    char *blob; /* the folded texts */
};

/* Folds in place: letters and digits, one blank between words. Returns the length. */
static size_t names_squeeze(char *s)
{
    size_t n = 0;
    bool gap = false;
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        bool word = *p >= 0x80 || isalnum(*p);
        if (word && gap && n) s[n++] = ' ';
        if (word) s[n++] = (char)*p;
        gap = !word;
    }
    s[n] = '\0';
    return n;
}

/* malloc'ed, NULL: no memory. What is not UTF-8 is folded byte by byte. */
static char *names_fold(const char *s, size_t len)
{
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, &out,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK);
    char *folded = (char *)out;
    if (n < 0) {
        folded = strndup(s, len);
        for (char *p = folded; p && *p; p++) *p = (char)tolower((unsigned char)*p);
    }
    if (folded) names_squeeze(folded);
    return folded;
}

static int names_order(const void *a, const void *b)
{
    const name_row *x = a, *y = b;
    int c = strcmp(x->folded, y->folded);
    if (c) return c;
    if (x->label != y->label) return x->label ? -1 : 1;
    return (x->term > y->term) - (x->term < y->term);
}

/* The blob grows while rows are added, so rows hold offsets until it is whole. */
static r1_status names_add(med_names *n, size_t *used, size_t *cap, uint32_t text, uint32_t term,
                           bool label, r1_err *err)
{
    const char *s = med_str(n->kb, text);
    char *folded = names_fold(s, strlen(s));
    size_t len = folded ? strlen(folded) : 0;
    if (folded && *used + len + 1 > *cap) {
        size_t more = (*cap + len + 1) * 2 + 4096;
        char *grown = realloc(n->blob, more);
        if (grown) n->blob = grown, *cap = more;
    }
    if (!folded || *used + len + 1 > *cap) {
        free(folded);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the names of findings");
    }
    memcpy(n->blob + *used, folded, len + 1);
    free(folded);
    if (len) n->row[n->n_row++] = (name_row){NULL, s, term, (uint32_t)len, label};
    *used += len ? len + 1 : 0;
    return R1_OK;
}

static r1_status names_fill(med_names *n, r1_err *err)
{
    const med_kb *kb = n->kb;
    size_t used = 0, cap = 0;
    n->row = calloc((size_t)kb->n_term + kb->n_synonym + 1, sizeof *n->row);
    if (!n->row) R1_FAIL(err, R1_E_NOMEM, "no memory for the names of findings");
    for (uint32_t t = 0; t < kb->n_term; t++) {
        const med_term *term = &kb->term[t];
        if (!(term->flags & MED_TERM_PHENOTYPE)) continue;
        R1_TRY(names_add(n, &used, &cap, term->name, t, true, err));
        for (uint32_t i = 0; i < term->n_synonym; i++)
            if (kb->synonym[term->synonym_at + i].text != term->name)
                R1_TRY(names_add(n, &used, &cap, kb->synonym[term->synonym_at + i].text, t, false,
                                 err));
    }
    size_t at = 0;
    for (uint32_t i = 0; i < n->n_row; i++) {
        n->row[i].folded = n->blob + at;
        at += n->row[i].len + 1;
    }
    if (n->n_row) qsort(n->row, n->n_row, sizeof *n->row, names_order);
    return R1_OK;
}

r1_status med_names_new(med_names **out, const med_kb *kb, r1_err *err)
{
    med_names *n = calloc(1, sizeof *n);
    if (!n) R1_FAIL(err, R1_E_NOMEM, "no memory for the names of findings");
    n->kb = kb;
    r1_status st = names_fill(n, err);
    if (st != R1_OK)
        med_names_free(n);
    else
        *out = n;
    return st;
}

void med_names_free(med_names *n)
{
    if (!n) return;
    free(n->row);
    free(n->blob);
    free(n);
}

/* The first row whose folded text is not before the given one. */
static uint32_t names_lower(const med_names *n, const char *folded)
{
    uint32_t lo = 0, hi = n->n_row;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (strcmp(n->row[mid].folded, folded) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t med_names_find(const med_names *n, const char *name, size_t len, bool *several)
{
    char *folded = names_fold(name, len);
    uint32_t term = MED_NONE;
    bool more = false;
    if (folded && *folded) {
        uint32_t i = names_lower(n, folded), k = i;
        for (; k < n->n_row && strcmp(n->row[k].folded, folded) == 0; k++)
            more = more || (n->row[k].label == n->row[i].label && n->row[k].term != n->row[i].term);
        if (k > i && !more) term = n->row[i].term;
    }
    free(folded);
    if (several) *several = more;
    return term;
}

/* ---- search ---- */

typedef struct {
    const char *word[MED_QUERY_WORDS_MAX];
    size_t len[MED_QUERY_WORDS_MAX], n;
    char *folded;
} name_query;

typedef struct {
    const name_row *row;
    int level; /* 0: the query itself, 1: begins with it, 2: its words */
} name_found;

static bool names_have_word(const char *folded, const char *word, size_t len)
{
    for (const char *p = folded; p; p = strchr(p, ' ')) {
        p += *p == ' ';
        if (strncmp(p, word, len) == 0) return true;
    }
    return false;
}

static int names_level(const name_row *r, const name_query *q)
{
    size_t len = strlen(q->folded);
    if (strncmp(r->folded, q->folded, len) == 0) return r->folded[len] ? 1 : 0;
    for (size_t i = 0; i < q->n; i++)
        if (!names_have_word(r->folded, q->word[i], q->len[i])) return -1;
    return 2;
}

static bool names_before(const name_found *a, const name_found *b)
{
    if (a->level != b->level) return a->level < b->level;
    if (a->row->label != b->row->label) return a->row->label;
    if (a->row->len != b->row->len) return a->row->len < b->row->len;
    return names_order(a->row, b->row) < 0;
}

/* Keeps the best max, one of each term. */
static uint32_t names_keep(name_found *best, uint32_t n, uint32_t max, name_found f)
{
    for (uint32_t i = 0; i < n; i++) {
        if (best[i].row->term != f.row->term) continue;
        if (!names_before(&f, &best[i])) return n;
        memmove(best + i, best + i + 1, (n - i - 1) * sizeof *best);
        n--;
        break;
    }
    uint32_t at = n;
    while (at > 0 && names_before(&f, &best[at - 1])) at--;
    if (at >= max) return n;
    n += n < max;
    memmove(best + at + 1, best + at, (n - at - 1) * sizeof *best);
    best[at] = f;
    return n;
}

uint32_t med_names_search(const med_names *n, const char *query, size_t len, med_name_hit *out,
                          uint32_t max)
{
    name_query q = {0};
    name_found best[MED_HITS_SHOWN_MAX];
    uint32_t found = 0, id;
    if (max > MED_HITS_SHOWN_MAX) max = MED_HITS_SHOWN_MAX;
    if (len > MED_QUERY_BYTES_MAX) len = MED_QUERY_BYTES_MAX;
    if (max && (id = med_kb_term(n->kb, query, len)) != MED_NONE) {
        out[0] = (med_name_hit){id, med_str(n->kb, n->kb->term[id].name), true};
        return 1;
    }
    q.folded = names_fold(query, len);
    for (const char *p = q.folded; p && *p && q.n < MED_QUERY_WORDS_MAX; q.n++) {
        q.word[q.n] = p;
        q.len[q.n] = strcspn(p, " ");
        p += q.len[q.n] + (p[q.len[q.n]] == ' ');
    }
    for (uint32_t i = 0; q.n && i < n->n_row; i++) {
        int level = names_level(&n->row[i], &q);
        if (level >= 0) found = names_keep(best, found, max, (name_found){&n->row[i], level});
    }
    for (uint32_t i = 0; i < found; i++)
        out[i] = (med_name_hit){best[i].row->term, best[i].row->text, best[i].row->label};
    free(q.folded);
    return found;
}
