/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_record.c - any bytes as a clinical record: refused with a reason, or spans that lie
 * within the text. */
#include "fuzz/fuzz.h"
#include "notes/med_notes.h"
#include "ontology/med_sources.h"

static void record_check(const med_notes *n)
{
    for (uint32_t i = 0; i < n->n_section; i++)
        if (n->section[i].start > n->section[i].end || n->section[i].end > n->len) abort();
    for (uint32_t i = 0; i < n->n_sentence; i++)
        if (n->sentence[i].start > n->sentence[i].end || n->sentence[i].end > n->len) abort();
    for (uint32_t i = 0; i < n->n_mention; i++) {
        const med_mention *m = &n->mention[i];
        if (m->start >= m->end || m->end > n->len || m->cue_start > m->cue_end ||
            m->cue_end > n->len || m->sentence >= n->n_sentence || m->status >= MED_STATUS_COUNT)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static med_kb *kb;
    static med_lexicon *lex;
    med_notes n;
    r1_err err = {0};
    if (!lex && (med_sources_open(&kb, FUZZ_ONTOLOGY, &err) != R1_OK ||
                 med_lexicon_new(&lex, kb, &err) != R1_OK))
        abort();
    char *copy = fuzz_copy(data, size);
    if (med_notes_read(&n, lex, kb, "fuzz", copy, size, &err) == R1_OK) {
        record_check(&n);
        med_notes_free(&n);
    } else {
        fuzz_refused(&err);
    }
    free(copy);
    return 0;
}
