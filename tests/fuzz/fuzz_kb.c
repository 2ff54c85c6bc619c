/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_kb.c - any bytes as a knowledge base: refused with a reason, or one whose every index can
 * be followed. The bytes go in twice: as they are, and with the checksum made right again. */
#include "fuzz/fuzz.h"
#include "notes/med_lexicon.h"
#include "ontology/med_kb_layout.h"

static size_t sum; /* of what was read, so that the reads are not left out */

static void kb_read_all(const med_kb *kb)
{
    for (uint32_t i = 0; i < kb->n_term; i++) {
        const med_term *t = &kb->term[i];
        sum += strlen(med_str(kb, t->id)) + strlen(med_str(kb, t->name)) +
               strlen(med_str(kb, t->definition));
        for (uint32_t k = 0; k < t->n_synonym; k++)
            sum += strlen(med_str(kb, kb->synonym[t->synonym_at + k].text));
        sum += med_kb_is_a(kb, i, 0);
        sum += med_kb_term(kb, med_str(kb, t->id), strlen(med_str(kb, t->id)));
    }
    for (uint32_t i = 0; i < kb->n_disease; i++) {
        const med_disease *d = &kb->disease[i];
        sum += strlen(med_str(kb, d->name));
        for (uint32_t k = 0; k < d->n_alias; k++)
            sum += strlen(med_str(kb, kb->list[d->alias_at + k]));
        for (uint32_t k = 0; k < d->n_gene; k++)
            sum += strlen(med_str(kb, kb->list[d->gene_at + k]));
        for (uint32_t k = 0; k < d->n_profile; k++) sum += kb->profile[d->profile_at + k].term;
        sum += med_kb_disease(kb, med_str(kb, d->id), strlen(med_str(kb, d->id)));
        sum += kb->disease[med_kb_family(kb, i)].id;
    }
    for (uint32_t i = 0; i < kb->n_source; i++) {
        sum += strlen(med_str(kb, kb->source[i].name));
        sum += kb->loss ? kb->loss[i].n_refused : 0;
    }
    for (uint32_t i = 0; i < kb->n_fact; i++)
        sum += kb->disease[kb->fact[i].disease].id + kb->source[kb->fact[i].source].name;
}

static void kb_profiles(const med_kb *kb)
{
    const med_leave_out skip = {.pmid = 7, .sole = true, .flags = MED_ROW_MALE};
    float *work = calloc(kb->n_term + 1, sizeof *work);
    med_profile *out = calloc(kb->n_term + 1, sizeof *out);
    if (!work || !out) abort();
    for (uint32_t i = 0; i < kb->n_disease; i++) {
        const med_disease *d = &kb->disease[i];
        sum += med_profile_make(kb, kb->row + d->row_at, d->n_row, skip, work, out, kb->n_term);
    }
    free(work);
    free(out);
}

static void kb_try_bytes(const uint8_t *data, size_t size)
{
    void *block = fuzz_copy(data, size);
    r1_err err = {0};
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    if (med_kb_from_block(&kb, block, size, "fuzz", &err) != R1_OK) {
        fuzz_refused(&err);
        free(block);
        return;
    }
    kb_read_all(kb);
    kb_profiles(kb);
    if (med_lexicon_new(&lex, kb, &err) != R1_OK) fuzz_refused(&err);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

static void kb_repair(uint8_t *data, size_t size)
{
    med_kb_header h;
    if (size < sizeof h) return;
    memcpy(&h, data, sizeof h);
    h.bytes = size;
    h.checksum = r1_hash64(data + sizeof h, size - sizeof h, MED_KB_VERSION);
    memcpy(data, &h, sizeof h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_twice(data, size, kb_repair, kb_try_bytes);
    return 0;
}
