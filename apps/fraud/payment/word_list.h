/* SPDX-License-Identifier: GPL-3.0-or-later */
/* word_list.h - words of the mapping file, with commas between them, and what each means.
 *
 * Owns:    nothing; words are borrowed from the text they were added from.
 * Threads: read-only after the last one was added.
 * Errors:  false where there is no room. */
#ifndef FRAUD_WORD_LIST_H
#define FRAUD_WORD_LIST_H

#include "r1_base.h"

enum { FRAUD_WORD_LIST_MAX = 256 };

typedef struct {
    struct {
        const char *text;
        size_t len;
        int value;
    } word[FRAUD_WORD_LIST_MAX];
    size_t n;
} fraud_word_list;

/* The words of a text of len bytes. */
bool fraud_words_add(fraud_word_list *w, const char *text, size_t len, int value);
/* Without regard to case, and to blanks around the text. missing: it is none of them. */
int fraud_words_find(const fraud_word_list *w, const char *text, int missing);

#endif
