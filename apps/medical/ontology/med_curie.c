/* SPDX-License-Identifier: Apache-2.0 */
/* med_curie.c - see med_curie.h. */
#include "ontology/med_curie.h"

#include <string.h>

r1_status med_curie(const med_builder *b, const char *iri, char *out, size_t *len, r1_err *err)
{
    *len = 0;
    if (!iri) return R1_OK;
    const char *p = iri;
    for (const char *s = iri; *s; s++)
        if (*s == '/' || *s == '#') p = s + 1;
    size_t n = strcspn(p, "_:");
    size_t digits = p[n] ? strspn(p + n + 1, "0123456789") : 0;
    if (n == 0 || digits == 0 || p[n + 1 + digits]) return R1_OK;
    R1_TRY(med_builder_id(b, MED_TEXT(p), out, err));
    out[n] = ':';
    *len = strlen(out);
    return R1_OK;
}
