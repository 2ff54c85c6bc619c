/* SPDX-License-Identifier: Apache-2.0 */
#include "train/loop.h"

#include "cpu/cpu_peak.h"

#include <stdio.h>

void r1_pace_note(r1_pace *p, bool progress, uint64_t epoch, double loss, uint64_t done,
                  uint64_t all)
{
    char text[128];
    p->loss = p->loss == 0 ? loss : 0.98 * p->loss + 0.02 * loss;
    if (!progress) return;
    if (!p->line.what) r1_progress_begin(&p->line, p->what, all);
    double spent = r1_pace_seconds(p);
    if (p->peak == 0) p->peak = r1_cpu_peak_gops(0.05) * 1e9;
    snprintf(text, sizeof text,
             "epoch %llu loss %.4f, %.0f samples/s, %.0f %% of the machine's peak",
             (unsigned long long)epoch + 1, p->loss, (double)p->seen / spent,
             100 * p->flop / spent / p->peak);
    r1_progress_update(&p->line, done, text);
}

void r1_pace_end(r1_pace *p, uint64_t done)
{
    if (p->line.what) r1_progress_end(&p->line, done, "");
}

double r1_pace_seconds(const r1_pace *p) { return (double)(r1_mono_us() - p->start_us) * 1e-6; }

r1_status r1_loop_run(const r1_loop *l, void *stage, r1_err *err)
{
    for (bool done = false; !done;) {
        R1_TRY(l->advance(stage, &done, err));
        if (done || !l->stopped || !l->stopped()) continue;
        if (l->checkpoint) R1_TRY(l->save(stage, l->checkpoint, err));
        R1_FAIL(err, R1_E_CANCELLED, "%s: stopped at step %llu", l->what,
                (unsigned long long)*l->step);
    }
    return l->checkpoint ? l->save(stage, l->checkpoint, err) : R1_OK;
}
