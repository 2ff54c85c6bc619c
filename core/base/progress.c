/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - what a long piece of work says while it runs. On a terminal the line is redrawn four
 * times a second; elsewhere there is one line per tenth. */
#include "r1_base.h"

#include <stdio.h>
#include <unistd.h>

void r1_progress_begin(r1_progress *p, const char *what, uint64_t total)
{
    *p = (r1_progress){
        .what = what, .total = total, .start_us = r1_mono_us(), .tty = isatty(STDERR_FILENO) == 1};
    p->last_us = p->start_us;
}

static void progress_draw(r1_progress *p, uint64_t done, const char *note, int64_t now)
{
    double spent = (double)(now - p->start_us) * 1e-6;
    const char *start = p->tty ? "\r\033[K" : "", *end = p->tty ? "" : "\n";
    if (!note) note = "";
    if (p->total && done) {
        double left =
            spent / (double)done * (double)(p->total - (done < p->total ? done : p->total));
        fprintf(stderr, "%s%s: %3.0f %%, %.0f s left  %s%s", start, p->what,
                100.0 * (double)done / (double)p->total, left, note, end);
    } else {
        fprintf(stderr, "%s%s: %llu, %.0f s  %s%s", start, p->what, (unsigned long long)done, spent,
                note, end);
    }
    fflush(stderr);
}

void r1_progress_update(r1_progress *p, uint64_t done, const char *note)
{
    int64_t now = r1_mono_us();
    int decile = p->total ? (int)(done * 10 / p->total) : 0;
    bool due = p->tty ? now - p->last_us > 250000
                      : now - p->last_us > 1000000 && (decile > p->last_decile || !p->total);
    if (!due) return;
    p->last_us = now;
    p->last_decile = decile;
    progress_draw(p, done, note, now);
}

void r1_progress_end(r1_progress *p, uint64_t done, const char *note)
{
    double spent = (double)(r1_mono_us() - p->start_us) * 1e-6;
    fprintf(stderr, "%s%s: %llu in %.1f s  %s\n", p->tty ? "\r\033[K" : "", p->what,
            (unsigned long long)done, spent, note ? note : "");
}
