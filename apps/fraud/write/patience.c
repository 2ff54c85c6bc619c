/* SPDX-License-Identifier: GPL-3.0-or-later */
/* patience.c - see patience.h. */
#include "write/patience.h"
#include "text/quote.h"

#include <time.h>

enum { FIRST_MS = 5, LONGEST_MS = 1000, SAY_EVERY_US = 1000000 };

void fraud_patience_reset(fraud_patience *p)
{
    if (p->event)
        r1_log(R1_LOG_WARN, "works_again", "after=%s tries=%llu waited_s=%.1f", p->event,
               (unsigned long long)p->tries, (double)(r1_mono_us() - p->since_us) / 1e6);
    p->event = NULL;
    p->tries = 0;
    p->next_ms = 0;
}

int fraud_patience_next(fraud_patience *p)
{
    int ms = p->next_ms ? p->next_ms : FIRST_MS;
    p->next_ms = ms * 2 < LONGEST_MS ? ms * 2 : LONGEST_MS;
    p->n++;
    return ms;
}

void fraud_patience_say(fraud_patience *p, const char *event, const char *what, const r1_err *err)
{
    int64_t now = r1_mono_us();
    if (!p->event) p->since_us = now;
    p->event = event;
    p->tries++;
    if (p->said_us && now - p->said_us < SAY_EVERY_US) {
        p->unsaid++;
        return;
    }
    r1_log(R1_LOG_WARN, event, "%s unsaid=%llu error=\"%s\"", what, (unsigned long long)p->unsaid,
           r1_log_quote(err->msg).text);
    p->said_us = now;
    p->unsaid = 0;
}

void fraud_patience_wait(fraud_patience *p, const char *event, const char *what, const r1_err *err)
{
    int ms = fraud_patience_next(p);
    fraud_patience_say(p, event, what, err);
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}
