/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_stream.c - see check_stream.h. */
#include "check/check_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

r1_status check_stream_begin(check_stream *s, const char *currency, const char *rates, size_t n,
                             r1_err *err)
{
    *s = (check_stream){.told = currency};
    for (s->n_ids = 16; s->n_ids < 2 * n;) s->n_ids *= 2;
    s->ids = calloc(s->n_ids, sizeof *s->ids);
    if (!s->ids) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu ids", n);
    return fraud_gate_begin(
        &s->gate, &(fraud_gate_opts){.currency = currency, .rates = rates, .ids_max = n ? n : 1},
        err);
}

void check_stream_end(check_stream *s)
{
    fraud_gate_end(&s->gate);
    free(s->ids);
    *s = (check_stream){0};
}

static void stream_share(check_stream *s, const char *currency)
{
    size_t i = 0;
    while (i < s->n_share && strcmp(s->share[i].code, currency) != 0) i++;
    if (i == CHECK_CURRENCIES_MAX) return;
    if (i == s->n_share) memcpy(s->share[s->n_share++].code, currency, sizeof s->share[i].code);
    s->share[i].n++;
}

void check_stream_rank(check_stream *s)
{
    for (size_t i = 1; i < s->n_share; i++)
        for (size_t k = i; k && s->share[k].n > s->share[k - 1].n; k--) {
            check_share x = s->share[k];
            s->share[k] = s->share[k - 1];
            s->share[k - 1] = x;
        }
}

/* The message that had the id first. */
static size_t stream_first(check_stream *s, const char *tx_id, size_t message)
{
    uint64_t id = r1_hash64(tx_id, strlen(tx_id), 0);
    size_t at = id & (s->n_ids - 1);
    while (s->ids[at].used && s->ids[at].id != id) at = (at + 1) & (s->n_ids - 1);
    if (!s->ids[at].used) s->ids[at] = (check_id){id, message, true};
    return s->ids[at].message;
}

static void stream_rate_age(check_stream *s, const fraud_payment *p)
{
    if (!strcmp(p->currency, s->gate.currency)) return;
    int64_t age = fraud_rates_age_ms(s->gate.rates, p->currency, p->ts);
    if (age <= s->rate_age_ms) return;
    s->rate_age_ms = age;
    memcpy(s->rate_code, p->currency, sizeof s->rate_code);
}

r1_status check_stream_next(check_stream *s, const check_next *next, check_verdict *verdict,
                            size_t *earlier, r1_err *why, r1_err *err)
{
    fraud_payment mine = *next->p;
    bool told = *s->gate.currency;
    fraud_gate_verdict v;
    *earlier = stream_first(s, mine.tx_id, next->message);
    R1_TRY(fraud_gate_next(&s->gate, &mine, next->scorable, next->content, &v, why, err));
    *verdict = v == FRAUD_GATE_REPEATED ? CHECK_REPEATED
               : v == FRAUD_GATE_TAKES  ? CHECK_FITS
                                        : CHECK_APART;
    if (v == FRAUD_GATE_REPEATED) return R1_OK;
    if (next->scorable) stream_share(s, next->p->currency);
    if (!told && *s->gate.currency) s->first = next->message;
    s->n_foreign += v == FRAUD_GATE_MONEY;
    if (v == FRAUD_GATE_TAKES) stream_rate_age(s, next->p);
    return R1_OK;
}
