/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ontology.c - any bytes through every importer, and the tables of cases: refused with a
 * reason, or what was read makes a knowledge base with a lexicon, or says why it does not. */
#include "eval/med_cases.h"
#include "fuzz/fuzz.h"
#include "notes/med_lexicon.h"
#include "ontology/med_import.h"
#include "ontology/med_sources.h"

static void ontology_finish(med_builder *b)
{
    r1_err err = {0};
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    if (med_builder_finish(b, "fuzz", &kb, NULL, &err) != R1_OK) {
        fuzz_refused(&err);
        return;
    }
    if (med_lexicon_new(&lex, kb, &err) != R1_OK) fuzz_refused(&err);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

static const med_kb *ontology_small(void)
{
    static med_kb *kb;
    r1_err err;
    if (!kb && med_sources_open(&kb, FUZZ_CORPUS "/own.xml", &err) != R1_OK) abort();
    return kb;
}

static void as_cases(const uint8_t *data, size_t size)
{
    char path[64];
    r1_err err = {0};
    med_cases cases;
    int fd = fuzz_file(data, size, path);
    if (med_cases_load(&cases, path, ontology_small(), 0, &err) == R1_OK)
        med_cases_free(&cases);
    else
        fuzz_refused(&err);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static r1_status (*const all[])(med_builder *, const char *, const char *, size_t, r1_err *) = {
        med_import_own,  med_import_obo,   med_import_owl,   med_import_graph, med_import_orpha,
        med_import_hpoa, med_import_sssom, med_import_edges, med_import_genes};
    char *copy = fuzz_copy(data, size);
    for (size_t i = 0; i < R1_COUNT(all); i++) {
        med_builder *b = NULL;
        r1_err err = {0};
        if (med_builder_new(&b, &err) != R1_OK) abort();
        if (all[i](b, "fuzz", copy, size, &err) == R1_OK)
            ontology_finish(b);
        else
            fuzz_refused(&err);
        med_builder_free(b);
    }
    as_cases(data, size);
    free(copy);
    return 0;
}
