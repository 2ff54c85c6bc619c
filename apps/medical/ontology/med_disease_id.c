/* SPDX-License-Identifier: Apache-2.0 */
/* med_disease_id.c - see med_disease_id.h. */
#include "ontology/med_disease_id.h"

#include <string.h>
#include <strings.h>

static bool id_has_digits(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && s[n] >= '0' && s[n] <= '9') n++;
    return len > 0 && n == len;
}

/* What stands before the number, in any case of letters, and the prefix that is written for it. */
static const struct {
    const char *before, *prefix;
} id_forms[] = {
    {"OMIM:", "OMIM:"},
    {"MIM:", "OMIM:"},
    {"OMIM#", "OMIM:"},
    {"MIM#", "OMIM:"},
    {"OMIM ", "OMIM:"},
    {"MIM ", "OMIM:"},
    {"OMIM_", "OMIM:"},
    {"https://omim.org/entry/", "OMIM:"},
    {"http://omim.org/entry/", "OMIM:"},
    {"https://www.omim.org/entry/", "OMIM:"},
    {"http://identifiers.org/omim/", "OMIM:"},
    {"ORPHA:", "ORPHA:"},
    {"Orphanet:", "ORPHA:"},
    {"ORPHA", "ORPHA:"},
    {"ORPHA ", "ORPHA:"},
    {"Orphanet_", "ORPHA:"},
    {"Orphanet ", "ORPHA:"},
    {"ORDO:", "ORPHA:"},
    {"ORDO:Orphanet_", "ORPHA:"},
    {"http://www.orpha.net/ORDO/Orphanet_", "ORPHA:"},
    {"https://www.orpha.net/ORDO/Orphanet_", "ORPHA:"},
    {"http://identifiers.org/orphanet/", "ORPHA:"},
    {"MONDO_", "MONDO:"},
    {"http://purl.obolibrary.org/obo/MONDO_", "MONDO:"},
};

size_t med_disease_id(const char *s, size_t len, char *out, size_t cap)
{
    const char *prefix = "";
    while (len && strchr(" \t\r", *s)) s++, len--;
    while (len && strchr(" \t\r", s[len - 1])) len--;
    for (size_t i = 0; i < R1_COUNT(id_forms); i++) {
        size_t n = strlen(id_forms[i].before);
        if (len <= n || strncasecmp(s, id_forms[i].before, n) != 0) continue;
        if (!id_has_digits(s + n, len - n)) continue;
        prefix = id_forms[i].prefix;
        s += n;
        len -= n;
        break;
    }
    size_t n = strlen(prefix);
    *out = '\0';
    if (len == 0 || n + len >= cap) return 0;
    memcpy(out, prefix, n);
    memcpy(out + n, s, len);
    out[n + len] = '\0';
    return n + len;
}
