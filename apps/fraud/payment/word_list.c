/* SPDX-License-Identifier: GPL-3.0-or-later */
/* word_list.c - see word_list.h. */
#include "payment/word_list.h"

#include <string.h>
#include <strings.h>

bool fraud_words_add(fraud_word_list *w, const char *text, size_t len, int value)
{
    for (size_t at = 0, n; at < len; at += n + 1) {
        const char *comma = memchr(text + at, ',', len - at);
        n = comma ? (size_t)(comma - text) - at : len - at;
        const char *word = text + at;
        size_t bytes = n;
        while (bytes && *word == ' ') word++, bytes--;
        while (bytes && word[bytes - 1] == ' ') bytes--;
        if (!bytes) continue;
        if (w->n == FRAUD_WORD_LIST_MAX) return false;
        w->word[w->n].text = word;
        w->word[w->n].len = bytes;
        w->word[w->n++].value = value;
    }
    return true;
}

int fraud_words_find(const fraud_word_list *w, const char *text, int missing)
{
    text += strspn(text, " ");
    size_t len = strlen(text);
    while (len && text[len - 1] == ' ') len--;
    for (size_t i = 0; i < w->n; i++)
        if (len == w->word[i].len && !strncasecmp(text, w->word[i].text, len))
            return w->word[i].value;
    return missing;
}
