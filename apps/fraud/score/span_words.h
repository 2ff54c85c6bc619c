/* SPDX-License-Identifier: GPL-3.0-or-later */
/* span_words.h - spans of time and ratios as an analyst reads them, never as 0.0.
 *
 * Owns: nothing. Threads: any, both are pure. Return out. */
#ifndef FRAUD_SPAN_WORDS_H
#define FRAUD_SPAN_WORDS_H

/* "less than a second", "40 s", "12 min", "5.2 hours", "3.1 days" */
const char *fraud_span_words(double ms, char out[24]);
/* "8.6", "0.6", "less than 0.01" */
const char *fraud_ratio_words(double ratio, char out[16]);

#endif
