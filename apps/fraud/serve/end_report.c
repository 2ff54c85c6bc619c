/* SPDX-License-Identifier: GPL-3.0-or-later */
/* end_report.c - see end_report.h. */
#include "serve/end_report.h"

enum { NAMES_SHOWN = 8 };

#define LINE "r1-fraud serve: "

/* " 3 x currency, 1 x amount", of n tables. */
static void print_counts(const fraud_counts *const *c, size_t n, FILE *out)
{
    uint64_t more = 0;
    size_t shown = 0;
    for (size_t k = 0; k < n; k++) {
        more += c[k]->other;
        for (size_t i = 0; i < c[k]->n_row; i++)
            if (shown++ < NAMES_SHOWN)
                fprintf(out, "%s %llu x %s", shown > 1 ? "," : "",
                        (unsigned long long)c[k]->row[i].n, c[k]->row[i].name);
            else
                more += c[k]->row[i].n;
    }
    if (more) fprintf(out, "%s %llu x other", shown ? "," : "", (unsigned long long)more);
}

static uint64_t counts_all(const fraud_counts *c)
{
    uint64_t all = c->other;
    for (size_t i = 0; i < c->n_row; i++) all += c->row[i].n;
    return all;
}

static void print_payments(const fraud_end_report *r, FILE *out)
{
    const fraud_writer_stats *w = r->w;
    fprintf(out,
            LINE "%llu payments decided in %llu transactions: %llu allow, %llu review, %llu block; "
                 "p99 %.1f ms from sending to committed\n",
            (unsigned long long)w->payments, (unsigned long long)w->commits,
            (unsigned long long)w->actions[FRAUD_ALLOW],
            (unsigned long long)w->actions[FRAUD_REVIEW],
            (unsigned long long)w->actions[FRAUD_BLOCK],
            (double)r1_histogram_quantile(&w->sent_latency, .99) / 1e3);
}

static void print_apart(const fraud_end_report *r, FILE *out)
{
    const fraud_counts *apart = &r->w->tally.apart;
    uint64_t n = counts_all(apart);
    if (!n) return;
    fprintf(out, LINE "%llu of them have no score (unscorable = %s):", (unsigned long long)n,
            r->unscorable);
    print_counts(&apart, 1, out);
    putc('\n', out);
    if (!r->w->tally.foreign) return;
    fprintf(out, LINE "%llu of these are in another currency than %s, which %s: %s\n",
            (unsigned long long)r->w->tally.foreign, r->currency,
            r->first_told ? "the first payment told" : "the setting currency names",
            r->first_told ? "name the settings currency and rates"
                          : "the setting rates gives the rates of others");
}

static void print_dead(const fraud_end_report *r, FILE *out)
{
    const fraud_counts *dead[FRAUD_N_STAGE];
    for (int s = 0; s < FRAUD_N_STAGE; s++) dead[s] = &r->w->tally.dead[s];
    if (!r->w->dead) return;
    fprintf(out, LINE "%llu messages became dead letters:", (unsigned long long)r->w->dead);
    print_counts(dead, FRAUD_N_STAGE, out);
    fprintf(out, "; r1-fraud dlq list names them\n");
}

void fraud_end_report_print(const fraud_end_report *r, FILE *out)
{
    const fraud_writer_stats *w = r->w;
    print_payments(r, out);
    print_apart(r, out);
    print_dead(r, out);
    if (w->duplicates)
        fprintf(out, LINE "%llu duplicates were dropped; they stand in r1.duplicate\n",
                (unsigned long long)w->duplicates);
    if (w->left_out) {
        const fraud_counts *left_out = &w->tally.left_out;
        fprintf(out, LINE "%llu messages were left out by the mapping file:",
                (unsigned long long)w->left_out);
        print_counts(&left_out, 1, out);
        putc('\n', out);
    }
    if (w->labels) fprintf(out, LINE "%llu labels\n", (unsigned long long)w->labels);
}
