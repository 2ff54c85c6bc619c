/* SPDX-License-Identifier: Apache-2.0 */
/* prometheus.c - see prometheus.h. */
#include "metrics/prometheus.h"

#include <math.h>
#include <string.h>

void r1_prom_family(r1_prom *p, const char *name, const char *type, const char *help)
{
    if (p->family && !strcmp(p->family, name)) return;
    p->family = name;
    fprintf(p->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_number(FILE *out, double x)
{
    if (isnan(x))
        fputs("NaN", out);
    else if (isinf(x))
        fputs(x > 0 ? "+Inf" : "-Inf", out);
    else if (fabs(x) < 9e15 && floor(x) == x)
        fprintf(out, "%.0f", x);
    else
        fprintf(out, "%.15g", x); /* a time of day to the microsecond */
}

void r1_prom_sample(r1_prom *p, const char *suffix, const char *labels, double value)
{
    fprintf(p->out, "%s%s", p->family, suffix);
    if (labels && *labels) fprintf(p->out, "{%s}", labels);
    fputc(' ', p->out);
    print_number(p->out, value);
    fputc('\n', p->out);
}

static void bucket_sample(r1_prom *p, const char *labels, const char *edge, uint64_t n)
{
    const char *more = labels && *labels ? "," : "";
    fprintf(p->out, "%s_bucket{%s%sle=\"%s\"} %llu\n", p->family, labels ? labels : "", more, edge,
            (unsigned long long)n);
}

void r1_prom_histogram(r1_prom *p, const char *labels, const r1_histogram *h, const int64_t *edge,
                       size_t n_edge, double unit)
{
    for (size_t i = 0; i < n_edge; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.9g", (double)edge[i] * unit);
        bucket_sample(p, labels, text, r1_histogram_up_to(h, edge[i]));
    }
    bucket_sample(p, labels, "+Inf", h->n);
    r1_prom_sample(p, "_sum", labels, h->sum * unit);
    r1_prom_sample(p, "_count", labels, (double)h->n);
}

bool r1_prom_label(char labels[R1_PROM_LABELS_BYTES], const char *name, const char *value)
{
    char escaped[R1_PROM_LABELS_BYTES];
    size_t n = 0, at = strlen(labels);
    for (; *value && n < sizeof escaped - 3; value++) {
        char c = *value;
        if (c == '"' || c == '\\' || c == '\n') escaped[n++] = '\\';
        escaped[n++] = c == '\n' ? 'n' : c;
    }
    escaped[n] = 0;
    size_t room = R1_PROM_LABELS_BYTES - at;
    int len = snprintf(labels + at, room, "%s%s=\"%s\"", at ? "," : "", name, escaped);
    if (!*value && len > 0 && (size_t)len < room) return true;
    labels[at] = 0;
    return false;
}
