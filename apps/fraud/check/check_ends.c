/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_ends.c - see check_ends.h. */
#include "check/check_ends.h"

#include <ctype.h>
#include <string.h>

/* Parts of names, letters alone. */
static const char *const payer[] = {"dbtr",     "debtor",    "payer",        "sender",
                                    "absender", "ordenante", "auftraggeber", "originator",
                                    "remitter", "pagador",   "emetteur",     NULL},
                         *const payee[] = {
                             "cdtr",          "creditor",  "payee",      "receiver",  "recebedor",
                             "empfaenger",    "empfnger",  "beneficiar", "bnficiair", "begnstigter",
                             "beguenstigter", "recipient", NULL};

static bool name_has(const char *name, const char *const *parts)
{
    char plain[256];
    size_t n = 0;
    for (; *name && n + 1 < sizeof plain; name++)
        if (isalpha((unsigned char)*name)) plain[n++] = (char)tolower((unsigned char)*name);
    plain[n] = 0;
    while (*parts && !strstr(plain, *parts)) parts++;
    return *parts;
}

bool check_ends_tell(const char *from, const char *to)
{
    return from && to && name_has(from, payer) && !name_has(from, payee) && name_has(to, payee) &&
           !name_has(to, payer);
}
