/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream_gate.c - see stream_gate.h. */
#include "serve/stream_gate.h"

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

r1_status fraud_gate_begin(fraud_gate *g, const fraud_gate_opts *o, r1_err *err)
{
    *g = (fraud_gate){.clock_ms = -1, .machine_ms = r1_time_us() / 1000};
    g->guard.band.ahead_ms = default_of("time-ahead") * 1000;
    g->guard.band.behind_ms = o->behind_ms ? o->behind_ms : default_of("time-behind") * 3600000;
    snprintf(g->currency, sizeof g->currency, "%s", o->currency ? o->currency : "");
    R1_TRY(fraud_rates_load(&g->rates, o->rates, o->currency, err));
    return fraud_txset_new(&g->seen, o->ids_max ? o->ids_max : (size_t)default_of("seen-ids"), err);
}

void fraud_gate_end(fraud_gate *g)
{
    fraud_rates_free(g->rates);
    fraud_txset_free(g->seen);
    *g = (fraud_gate){0};
}

/* A payment of its own beside the earlier ones. */
static fraud_gate_verdict gate_judge(fraud_gate *g, fraud_payment *p, r1_err *why)
{
    const fraud_time_case c = {.ts = p->ts, .machine_ms = g->machine_ms, .clock_ms = g->clock_ms};
    fraud_time_verdict v = fraud_time_next(&g->guard, &c);
    if (v != FRAUD_TIME_GOOD) {
        fraud_time_explain(&g->guard.band, &c, v, why->msg, sizeof why->msg);
        return FRAUD_GATE_TIME;
    }
    if (!*g->currency) memcpy(g->currency, p->currency, sizeof g->currency);
    if (!fraud_rates_convert(g->rates, g->currency, p, why)) return FRAUD_GATE_MONEY;
    if (p->ts > g->clock_ms) g->clock_ms = p->ts;
    return FRAUD_GATE_TAKES;
}

r1_status fraud_gate_next(fraud_gate *g, fraud_payment *p, bool scorable, uint64_t content,
                          fraud_gate_verdict *verdict, r1_err *why, r1_err *err)
{
    fraud_seen seen = fraud_txset_look(g->seen, p->tx_id, content);
    *verdict = seen == FRAUD_SEEN_SAME ? FRAUD_GATE_REPEATED : FRAUD_GATE_UNREAD;
    if (seen == FRAUD_SEEN_SAME) return R1_OK;
    if (seen == FRAUD_SEEN_OTHER) {
        *verdict = FRAUD_GATE_REUSED;
        snprintf(
            why->msg, sizeof why->msg,
            "tx_id: expected an id that no earlier payment with other content has, found %.200s",
            p->tx_id);
    } else if (scorable) {
        *verdict = gate_judge(g, p, why);
    }
    return fraud_txset_add(g->seen, p->tx_id, content, *verdict == FRAUD_GATE_TAKES, err);
}
