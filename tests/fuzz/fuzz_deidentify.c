/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_deidentify.c - any bytes as a text whose identifiers are taken out: refused with a reason,
 * or spans in rising order that do not overlap, with all that lies between them kept. */
#include "deidentify/med_deidentify.h"
#include "fuzz/fuzz.h"
#include "ontology/med_sources.h"

/* What lies before, between and behind the spans stands in the result, in that order. */
static void deidentify_check(const med_deidentified *out, const char *text, size_t len)
{
    uint32_t at = 0;
    const char *rest = out->text;
    size_t left = out->len;
    for (uint32_t i = 0; i <= out->n_span; i++) {
        uint32_t start = i < out->n_span ? out->span[i].start : (uint32_t)len;
        if (start < at || start > len) abort();
        const char *found = start > at ? memmem(rest, left, text + at, start - at) : rest;
        if (!found) abort();
        left -= (size_t)(found - rest) + start - at;
        rest = found + (start - at);
        if (i == out->n_span) break;
        if (out->span[i].end <= start || out->span[i].end > len) abort();
        at = out->span[i].end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static med_kb *kb;
    static med_lexicon *lex;
    static med_deidentifier *d;
    const med_deidentify_opts o = {.year = 2026};
    med_deidentified out;
    r1_err err = {0};
    if (!d && (med_sources_open(&kb, FUZZ_ONTOLOGY, &err) != R1_OK ||
               med_lexicon_new(&lex, kb, &err) != R1_OK ||
               med_deidentifier_new(&d, lex, kb, &err) != R1_OK))
        abort();
    char *copy = fuzz_copy(data, size);
    if (med_deidentify(&out, d, &o, copy, size, &err) != R1_OK)
        fuzz_refused(&err);
    else
        deidentify_check(&out, copy, size);
    med_deidentified_free(&out);
    free(copy);
    return 0;
}
