/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account_numbers.c - an open table of hashes, at most half full. */
#include "dataset/account_numbers.h"

#include <stdlib.h>
#include <string.h>

struct account_numbers {
    uint64_t *key;   /* [cap]; 0: free */
    int32_t *number; /* [cap] */
    size_t cap;      /* a power of two */
    int32_t n;
};

static uint64_t name_key(const char *bank, const char *name)
{
    uint64_t hash = r1_hash64(bank, strlen(bank), 1);
    return r1_hash64(name, strlen(name), hash) | 1;
}

static size_t account_place(const account_numbers *a, uint64_t key)
{
    size_t i = (size_t)(key >> 1) & (a->cap - 1);
    while (a->key[i] && a->key[i] != key) i = (i + 1) & (a->cap - 1);
    return i;
}

static bool numbers_make(account_numbers *a, size_t cap)
{
    a->key = calloc(cap, sizeof *a->key);
    a->number = calloc(cap, sizeof *a->number);
    a->cap = cap;
    return a->key && a->number;
}

static void numbers_drop(account_numbers *a)
{
    free(a->key);
    free(a->number);
}

account_numbers *account_numbers_new(void)
{
    account_numbers *a = calloc(1, sizeof *a);
    if (a && numbers_make(a, 1 << 12)) return a;
    account_numbers_free(a);
    return NULL;
}

void account_numbers_free(account_numbers *a)
{
    if (a) numbers_drop(a);
    free(a);
}

static bool numbers_grow(account_numbers *a)
{
    account_numbers larger = {.n = a->n};
    if (!numbers_make(&larger, a->cap * 2)) return numbers_drop(&larger), false;
    for (size_t i = 0; i < a->cap; i++) {
        if (!a->key[i]) continue;
        const size_t at = account_place(&larger, a->key[i]);
        larger.key[at] = a->key[i];
        larger.number[at] = a->number[i];
    }
    numbers_drop(a);
    *a = larger;
    return true;
}

int32_t account_number(account_numbers *a, const char *bank, const char *name)
{
    const uint64_t key = name_key(bank, name);
    size_t at = account_place(a, key);
    if (a->key[at]) return a->number[at];
    if ((size_t)a->n >= a->cap / 2) {
        if (a->n == INT32_MAX || !numbers_grow(a)) return -1;
        at = account_place(a, key);
    }
    a->key[at] = key;
    return a->number[at] = a->n++;
}

int32_t account_number_known(const account_numbers *a, const char *bank, const char *name)
{
    const size_t at = account_place(a, name_key(bank, name));
    return a->key[at] ? a->number[at] : -1;
}
