/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_booking.c - see check_booking.h. */
#include "check/check_booking.h"

#include "payment/message_path.h"
#include "r1_base.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SIGNS_MAX = 12, SIGN_BYTES = 24, UNKNOWN_SIGNS_MAX = 3 };

/* Words that stand beside each other in one column. alone: where both of them stand in a column,
 * they mean nothing else, whatever its name is. */
static const struct {
    const char *debit, *credit;
    bool alone;
} pairs[] = {{"S", "H", true},
             {"Soll", "Haben", true},
             {"D", "H", true},
             {"Debe", "Haber", true},
             {"D", "C", false},
             {"Debit", "Credit", false},
             {"DBIT", "CRDT", true},
             {"DR", "CR", true},
             {"-", "+", true},
             {"Af", "Bij", true},
             {"Dare", "Avere", true},
             {"D", "A", false},
             {"Cargo", "Abono", true},
             {"D\xc3\xa9"
              "bit",
              "Cr\xc3\xa9"
              "dit",
              false},
             {"D\xc3\xa9"
              "bito",
              "Cr\xc3\xa9"
              "dito",
              false},
             {"Debito", "Credito", false},
             {"Lastschrift", "Gutschrift", false},
             {"Belastung", "Gutschrift", false},
             {"outgoing", "incoming", false},
             {"outbound", "inbound", false},
             {"out", "in", false}};

/* The few words of a column, and how often each stands there. */
typedef struct {
    struct {
        char text[SIGN_BYTES];
        size_t n;
    } sign[SIGNS_MAX];
    size_t n;
} column_signs;

/* false: there are none, or too many or too long ones for a sign. */
static bool signs_of(const check_values *v, column_signs *s)
{
    char buf[32];
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < v->n; i++) {
        const char *text = v->value[i] ? message_path_word(v->value[i], buf) : NULL;
        size_t k = 0;
        if (!text || !*text) continue;
        if (strlen(text) >= SIGN_BYTES || strchr(text, ',')) return false;
        for (const char *c = text; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == ';' || *c == '#') return false;
        while (k < s->n && strcasecmp(s->sign[k].text, text) != 0) k++;
        if (k == SIGNS_MAX) return false;
        if (k == s->n) snprintf(s->sign[s->n++].text, SIGN_BYTES, "%s", text);
        s->sign[k].n++;
    }
    return s->n > 0;
}

static void signs_tell(const column_signs *s, char found[CHECK_WORDS_BYTES])
{
    size_t n = 0, size = CHECK_WORDS_BYTES;
    for (size_t i = 0; i < s->n && n < size; i++)
        n += (size_t)snprintf(found + n, size - n, "%s%zu x %s", i ? ", " : "", s->sign[i].n,
                              s->sign[i].text);
}

bool check_few_words(const check_values *v, char found[CHECK_WORDS_BYTES])
{
    column_signs s;
    if (!signs_of(v, &s) || s.n < 2) return false;
    signs_tell(&s, found);
    return true;
}

/* Beginnings of words for rows that move no money from a payer to a payee, in any case. */
static const char *const odd_words[] = {
    "refund", "chargeback", "revers",  "storno", "fee",    "payout", "declin",    "reject",  "fail",
    "void",   "cancel",     "pending", "pdng",   "expire", "denied", "abgelehnt", "gebuehr", NULL};

bool check_odd_words(const check_values *v, char found[CHECK_WORDS_BYTES])
{
    column_signs s;
    if (!signs_of(v, &s) || s.n < 2) return false;
    signs_tell(&s, found);
    for (size_t i = 0; i < s.n; i++)
        for (const char *const *word = odd_words; *word; word++)
            if (!strncasecmp(s.sign[i].text, *word, strlen(*word))) return true;
    return false;
}

/* Whether all signs are words of the pair; *out counts them. */
static bool signs_fit(const column_signs *s, size_t pair, check_booking *out)
{
    out->n_debit = out->n_credit = 0;
    for (size_t i = 0; i < s->n; i++) {
        bool debit = !strcasecmp(s->sign[i].text, pairs[pair].debit),
             credit = !strcasecmp(s->sign[i].text, pairs[pair].credit);
        if (!debit && !credit) return false;
        *(debit ? &out->n_debit : &out->n_credit) += s->sign[i].n;
    }
    return true;
}

bool check_booking_of(const check_values *v, check_booking_name name, check_booking *out)
{
    column_signs s;
    memset(out, 0, sizeof *out);
    if (!signs_of(v, &s)) return false;
    signs_tell(&s, out->found);
    for (size_t i = 0; i < R1_COUNT(pairs); i++) {
        if (!signs_fit(&s, i, out)) continue;
        bool both = out->n_debit && out->n_credit;
        if (name == CHECK_BOOKING_UNNAMED && !(both && pairs[i].alone)) continue;
        snprintf(out->debit, sizeof out->debit, "%s", pairs[i].debit);
        snprintf(out->credit, sizeof out->credit, "%s", pairs[i].credit);
        return true;
    }
    out->n_debit = out->n_credit = 0;
    return name == CHECK_BOOKING_NAMED && s.n > 1 && s.n <= UNKNOWN_SIGNS_MAX;
}
