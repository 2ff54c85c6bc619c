/* SPDX-License-Identifier: Apache-2.0 */
/* nearest.c - see nearest.h. */
#include "text/nearest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 60, FAR = 99 };

size_t r1_edit_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), row[WORD_MAX + 1];
    if (la > WORD_MAX || lb > WORD_MAX) return FAR;
    for (size_t j = 0; j <= lb; j++) row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diag = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t up = row[j], best = diag + (a[i - 1] != b[j - 1]);
            if (up + 1 < best) best = up + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diag = up;
            row[j] = best;
        }
    }
    return row[lb];
}

static bool same_but_case(const char *a, const char *b)
{
    while (*a && tolower((unsigned char)*a) == tolower((unsigned char)*b)) a++, b++;
    return *a == *b;
}

void r1_nearest_offer(r1_nearest *n, const char *word)
{
    size_t d = same_but_case(n->found, word) ? 0 : r1_edit_distance(n->found, word),
           longer = strlen(word) > strlen(n->found) ? strlen(word) : strlen(n->found),
           most = longer < 3 ? 0 : (longer + 2) / 3;
    if (d > most || (n->best && d >= n->distance)) return;
    n->best = word;
    n->distance = d;
}

const char *r1_nearest_text(const r1_nearest *n, char *text, size_t size)
{
    *text = 0;
    if (n->best) snprintf(text, size, "; did you mean \"%.60s\"?", n->best);
    return text;
}
