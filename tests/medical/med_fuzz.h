/* SPDX-License-Identifier: Apache-2.0 */
/* med_fuzz.h - one input through every importer and the record reader; and a driver that damages a seed at random. */
#ifndef MED_FUZZ_H
#define MED_FUZZ_H

#include "med_import.h"
#include "med_notes.h"
#include "r1_test.h"

#include <stdlib.h>
#include <string.h>

static inline int med_fuzz_one(const uint8_t *data, size_t size)
{
    static r1_status (*const all[])(med_builder *, const char *, const char *, size_t,
                                    r1_err *) = {med_import_own,  med_import_obo,   med_import_owl,  med_import_orpha,
                                                 med_import_hpoa, med_import_sssom, med_import_edges};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        med_builder *b = NULL;
        med_kb *kb = NULL;
        if (med_builder_new(&b, NULL) != R1_OK) return 0;
        if (all[i](b, "fuzz", (const char *)data, size, NULL) == R1_OK &&
            med_builder_finish(b, "fuzz", &kb, NULL, NULL) == R1_OK) {
            med_lexicon *lex = NULL;
            med_notes n;
            if (med_lexicon_new(&lex, kb, NULL) == R1_OK &&
                med_notes_read(&n, lex, kb, "fuzz", (const char *)data, size, NULL) == R1_OK)
                med_notes_free(&n);
            med_lexicon_free(lex);
            med_kb_free(kb);
        }
        med_builder_free(b);
    }
    return 0;
}

static inline void med_fuzz_seeds(const char *seed, size_t len, int rounds)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    uint8_t *buf = malloc(len + 8);
    for (int i = 0; i < rounds; i++) {
        memcpy(buf, seed, len);
        size_t n = len;
        for (uint64_t k = r1_rng_below(&rng, 6); k > 0; k--) buf[r1_rng_below(&rng, n)] = (uint8_t)r1_rng_u64(&rng);
        if (r1_rng_below(&rng, 4) == 0) n = (size_t)r1_rng_below(&rng, len + 1);
        med_fuzz_one(buf, n);
    }
    free(buf);
}

#endif
