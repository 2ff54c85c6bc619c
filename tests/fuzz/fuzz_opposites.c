/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_opposites.c - any bytes as a table of opposite findings: refused with a reason, or pairs
 * that are so both ways round, of which neither is above the other. */
#include "fuzz/fuzz.h"
#include "ontology/med_sources.h"
#include "rank/med_opposites.h"

static void opposites_check(med_opposites *o, const med_kb *kb)
{
    for (uint32_t t = 0; t < kb->n_term; t++) {
        med_opposite_walk walk = {0};
        uint32_t n;
        for (uint32_t other; (other = med_opposites_next(o, t, &walk)) != MED_NONE;)
            if (other >= kb->n_term || med_kb_is_a(kb, t, other) || med_kb_is_a(kb, other, t))
                abort();
        const med_opposed *x = med_opposites_diseases(o, t, &n);
        for (uint32_t i = 0; i < n; i++)
            if (x[i].disease >= kb->n_disease || (i && x[i].disease <= x[i - 1].disease)) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static med_kb *kb;
    med_opposites *o;
    r1_err err = {0};
    if (!kb && med_sources_open(&kb, FUZZ_ONTOLOGY, &err) != R1_OK) abort();
    char *copy = fuzz_copy(data, size);
    if (med_opposites_read(&o, kb, NULL, 0, "fuzz", copy, size, &err) != R1_OK)
        fuzz_refused(&err);
    else
        opposites_check(o, kb);
    med_opposites_free(o);
    free(copy);
    return 0;
}
