/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_stream.c - see check_stream.h. The order of the questions is that of serve/intake.c. */
#include "check/check_stream.h"

#include "r1_assert.h"
#include "serve/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a setting of serve is where nobody sets it. */
static int64_t default_of(const char *setting)
{
    size_t i = 0;
    while (i < fraud_serve_n_row && strcmp(fraud_serve_rows[i].name, setting) != 0) i++;
    R1_ASSERT(i < fraud_serve_n_row && fraud_serve_rows[i].def, "no setting %s", setting);
    return strtoll(fraud_serve_rows[i].def, NULL, 10);
}

r1_status check_stream_begin(check_stream *s, const char *currency, const char *rates, size_t n,
                             r1_err *err)
{
    *s = (check_stream){.clock_ms = -1, .machine_ms = r1_time_us() / 1000};
    s->guard.band = (fraud_time_band){.ahead_ms = default_of("time-ahead") * 1000,
                                      .behind_ms = default_of("time-behind") * 3600000};
    snprintf(s->currency, sizeof s->currency, "%s", currency ? currency : "");
    s->told = currency;
    R1_TRY(fraud_rates_load(&s->rates, rates, currency, err));
    for (s->n_ids = 16; s->n_ids < 2 * n;) s->n_ids *= 2;
    s->ids = calloc(s->n_ids, sizeof *s->ids);
    if (!s->ids) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu ids", n);
    return fraud_txset_new(&s->seen, n ? n : 1, err);
}

void check_stream_end(check_stream *s)
{
    fraud_rates_free(s->rates);
    fraud_txset_free(s->seen);
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

/* Whether a payment of its own can be scored beside the earlier ones. */
static bool stream_takes(check_stream *s, const check_next *next, r1_err *why)
{
    const fraud_payment *p = next->p;
    fraud_payment mine = *p;
    const fraud_time_case c = {.ts = p->ts, .machine_ms = s->machine_ms, .clock_ms = s->clock_ms};
    fraud_time_verdict v = fraud_time_next(&s->guard, &c);
    if (v != FRAUD_TIME_GOOD) {
        fraud_time_explain(&s->guard.band, &c, v, why->msg, sizeof why->msg);
        return false;
    }
    if (*s->currency && strcmp(s->currency, p->currency) != 0 &&
        !fraud_rates_convert(s->rates, s->currency, &mine, why)) {
        s->n_foreign += strcmp(mine.currency, s->currency) != 0;
        return false;
    }
    if (!*s->currency) {
        memcpy(s->currency, p->currency, sizeof s->currency);
        s->first = next->message;
    }
    if (p->ts > s->clock_ms) s->clock_ms = p->ts;
    return true;
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

r1_status check_stream_next(check_stream *s, const check_next *next, check_verdict *verdict,
                            size_t *earlier, r1_err *why, r1_err *err)
{
    const fraud_payment *p = next->p;
    fraud_seen seen = fraud_txset_look(s->seen, p->tx_id, next->content);
    *earlier = stream_first(s, p->tx_id, next->message);
    *verdict = seen == FRAUD_SEEN_SAME ? CHECK_REPEATED : CHECK_APART;
    if (seen == FRAUD_SEEN_SAME) return R1_OK;
    if (next->scorable) stream_share(s, p->currency);
    bool applied = false;
    if (seen == FRAUD_SEEN_OTHER)
        snprintf(
            why->msg, sizeof why->msg,
            "tx_id: expected an id that no earlier payment with other content has, found %.200s",
            p->tx_id);
    else if (next->scorable)
        applied = stream_takes(s, next, why);
    if (applied) *verdict = CHECK_FITS;
    return fraud_txset_add(s->seen, p->tx_id, next->content, applied, err);
}
