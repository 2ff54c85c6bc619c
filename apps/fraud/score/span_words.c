/* SPDX-License-Identifier: GPL-3.0-or-later */
/* span_words.c - see span_words.h. */
#include "score/span_words.h"

#include <stdio.h>

const char *fraud_span_words(double ms, char out[24])
{
    const double s = ms / 1000;
    if (s < 1)
        snprintf(out, 24, "less than a second");
    else if (s < 120)
        snprintf(out, 24, "%.0f s", s);
    else if (s < 3600)
        snprintf(out, 24, "%.0f min", s / 60);
    else
        snprintf(out, 24, s < 172800 ? "%.1f hours" : "%.1f days",
                 s < 172800 ? s / 3600 : s / 86400);
    return out;
}

const char *fraud_ratio_words(double ratio, char out[16])
{
    if (ratio < 0.01)
        snprintf(out, 16, "less than 0.01");
    else
        snprintf(out, 16, ratio < 0.1 ? "%.2f" : ratio < 1e6 ? "%.1f" : "%.2g", ratio);
    return out;
}
