/* SPDX-License-Identifier: GPL-3.0-or-later */
/* row_filter.c - see row_filter.h. The words " or ", " is not " and " is " part the text; so a
 * path or a word that holds one of them with its blanks cannot be written. */
#include "payment/row_filter.h"

#include "payment/message_path.h"
#include "payment/word_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *path; /* in the text */
    bool other;       /* "is not" */
    fraud_word_list words;
} row_condition;

struct fraud_row_filter {
    char *text; /* owned; a NUL ends each path */
    row_condition condition[FRAUD_ROW_CONDITIONS_MAX];
    size_t n;
};

/* One condition, whose text ends with a NUL. */
static r1_status row_condition_read(row_condition *c, char *text, r1_err *err)
{
    char *is = strstr(text, " is ");
    c->other = is && !strncmp(is, " is not ", 8);
    const char *words = is ? is + (c->other ? 8 : 4) : NULL;
    if (!words || !fraud_words_add(&c->words, words, strlen(words), 1) || !c->words.n)
        R1_FAIL(err, R1_E_INVAL, "FIELD is WORD, WORD or FIELD is not WORD, found \"%.100s\"",
                text);
    while (is > text && is[-1] == ' ') is--;
    *is = 0;
    c->path = text + strspn(text, " ");
    const char *fault = message_path_fault(c->path);
    if (fault) R1_FAIL(err, R1_E_INVAL, "%s, found \"%.100s\"", fault, c->path);
    return R1_OK;
}

static r1_status row_filter_read(fraud_row_filter *f, r1_err *err)
{
    for (char *at = f->text, *next; at; at = next) {
        next = strstr(at, " or ");
        if (next) {
            *next = 0;
            next += 4;
        }
        if (f->n == FRAUD_ROW_CONDITIONS_MAX)
            R1_FAIL(err, R1_E_INVAL, "at most %d conditions, found more", FRAUD_ROW_CONDITIONS_MAX);
        R1_TRY(row_condition_read(&f->condition[f->n++], at, err));
    }
    return R1_OK;
}

r1_status fraud_row_filter_new(fraud_row_filter **out, const char *text, r1_err *err)
{
    fraud_row_filter *f = calloc(1, sizeof *f);
    *out = NULL;
    if (f) f->text = strdup(text);
    r1_status st = f && f->text ? row_filter_read(f, err) : R1_E_NOMEM;
    if (st == R1_OK)
        *out = f;
    else
        fraud_row_filter_free(f);
    if (st == R1_E_NOMEM) R1_FAIL(err, st, "memory for conditions, found none");
    return st;
}

void fraud_row_filter_free(fraud_row_filter *f)
{
    if (!f) return;
    free(f->text);
    free(f);
}

const char *fraud_row_filter_hit(const fraud_row_filter *f, const json_t *message, char word[64])
{
    char buf[32];
    for (size_t i = 0; f && i < f->n; i++) {
        size_t places = 1;
        const row_condition *c = &f->condition[i];
        const char *found = message_path_word(message_path_find(message, c->path, &places), buf);
        if (!found || !*found || fraud_words_find(&c->words, found, 0) == c->other) continue;
        snprintf(word, 64, "%s", found);
        return c->path;
    }
    return NULL;
}

const char *fraud_row_filter_path(const fraud_row_filter *f, size_t i)
{
    return f && i < f->n ? f->condition[i].path : NULL;
}
