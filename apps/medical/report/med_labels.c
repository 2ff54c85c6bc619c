/* SPDX-License-Identifier: Apache-2.0 */
/* med_labels.c - see med_labels.h. The file stays in memory; its tabs and line ends become the ends
 * of strings. */
#include "report/med_labels.h"

#include <stdlib.h>
#include <string.h>

enum { LABEL_COLUMNS_MAX = 64 };

struct med_labels {
    char *text;
    const char **label; /* [n_term], NULL: none */
    uint32_t n_term;
};

/* Cuts the line at its tabs. Returns how many columns there are, of which at most max are kept. */
static uint32_t labels_split(char *line, char *column[LABEL_COLUMNS_MAX])
{
    uint32_t n = 0;
    for (char *at = line; at; n++) {
        char *tab = strchr(at, '\t');
        if (n < LABEL_COLUMNS_MAX) column[n] = at;
        if (tab) *tab++ = '\0';
        at = tab;
    }
    return n < LABEL_COLUMNS_MAX ? n : LABEL_COLUMNS_MAX;
}

/* The columns of id and name, by the head; without one the first two. True: the line is a head. */
static bool labels_head(char *const *column, uint32_t n, uint32_t *id, uint32_t *name)
{
    bool head = false;
    *id = 0;
    *name = 1;
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(column[i], "subject_id") == 0) *id = i, head = true;
        if (strcmp(column[i], "translation_value") == 0) *name = i, head = true;
    }
    return head;
}

static r1_status labels_fill(med_labels *l, const med_kb *kb, const char *path, r1_err *err)
{
    char *column[LABEL_COLUMNS_MAX], *next;
    uint32_t id = 0, name = 1, line = 0, used = 0;
    bool begun = false;
    for (char *at = l->text; at; at = next) {
        next = strchr(at, '\n');
        if (next) *next++ = '\0';
        line++;
        at[strcspn(at, "\r")] = '\0';
        if (!*at || *at == '#') continue;
        uint32_t n = labels_split(at, column);
        if (!begun && labels_head(column, n, &id, &name)) {
            begun = true;
            continue;
        }
        begun = true;
        if (id >= n || name >= n)
            R1_FAIL(err, R1_E_FORMAT,
                    "%s:%u: expected a finding's id and its name, a tab between, found %u columns",
                    path, line, n);
        uint32_t term = med_kb_term(kb, column[id], strlen(column[id]));
        if (term == MED_NONE || !*column[name] || l->label[term]) continue;
        l->label[term] = column[name];
        used++;
    }
    if (!used)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: names no finding of the knowledge base; expected ids and names, as in "
                "hp-zh.babelon.tsv",
                path);
    return R1_OK;
}

r1_status med_labels_open(med_labels **out, const med_kb *kb, const char *path, r1_err *err)
{
    size_t len;
    med_labels *l = calloc(1, sizeof *l);
    if (l) l->label = calloc((size_t)kb->n_term + 1, sizeof *l->label);
    if (!l || !l->label) {
        med_labels_free(l);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the names of %s", path);
    }
    l->n_term = kb->n_term;
    r1_status st = r1_file_read(path, MED_LABELS_BYTES_MAX, &l->text, &len, err);
    if (st == R1_OK && memchr(l->text, 0, len))
        st =
            r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s: a NUL byte, expected text", path);
    if (st == R1_OK) st = labels_fill(l, kb, path, err);
    if (st == R1_OK)
        *out = l;
    else
        med_labels_free(l);
    return st;
}

void med_labels_free(med_labels *l)
{
    if (!l) return;
    free(l->label);
    free(l->text);
    free(l);
}

const char *med_labels_of(const med_labels *l, uint32_t term)
{
    return l && term < l->n_term ? l->label[term] : NULL;
}
