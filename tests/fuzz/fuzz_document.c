/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_document.c - any bytes as the file of a record: refused with a reason, or text in UTF-8 and
 * findings that lie in it. A PDF is passed over: a program of its own reads it. */
#include "documents/med_document.h"
#include "fuzz/fuzz.h"
#include "ontology/med_sources.h"
#include "text/r1_utf8.h"

static void document_check(med_document *d, const med_lexicon *lex, const med_kb *kb)
{
    med_notes n;
    r1_err err = {0};
    if (!d->listed && !r1_utf8_valid(d->text, d->len)) abort();
    if (d->n_note > MED_DOCUMENT_NOTES_MAX + 1) abort();
    if (med_document_notes(d, lex, kb, "fuzz", &n, &err) != R1_OK) fuzz_refused(&err);
    for (uint32_t i = 0; i < n.n_mention; i++)
        if (n.mention[i].start >= n.mention[i].end || n.mention[i].end > n.len) abort();
    med_notes_free(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static med_kb *kb;
    static med_lexicon *lex;
    med_document d;
    r1_err err = {0};
    if (!lex && (med_sources_open(&kb, FUZZ_ONTOLOGY, &err) != R1_OK ||
                 med_lexicon_new(&lex, kb, &err) != R1_OK))
        abort();
    if (memmem(data, size < 1024 ? size : 1024, "%PDF-", 5)) return 0;
    char *copy = fuzz_copy(data, size);
    if (med_document_read(&d, "fuzz", copy, size, &err) == R1_OK) {
        document_check(&d, lex, kb);
        /* A list of names makes an index of all names: every eighth input. */
        if (size % 8 == 0 && med_document_as_list(&d, "fuzz", &err) == R1_OK)
            document_check(&d, lex, kb);
    } else
        fuzz_refused(&err);
    med_document_free(&d);
    free(copy);
    return 0;
}
