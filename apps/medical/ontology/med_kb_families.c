/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_families.c - families by name, where no map of Mondo says which entries are one disease:
 * "Kabuki syndrome 1" of OMIM belongs to "Kabuki syndrome" of Orphanet where both have a gene in
 * common. Without genes the whole name must be the same. */
#include "ontology/med_kb_gather.h"

#include <stdlib.h>
#include <string.h>

enum { FAMILY_NAME_BYTES = 256 };

/* Small letters and digits in words with one blank between them; 0: empty, or too long. */
static size_t family_plain(const char *s, char out[FAMILY_NAME_BYTES])
{
    size_t n = 0;
    for (; *s; s++) {
        char c = *s >= 'A' && *s <= 'Z' ? (char)(*s + ('a' - 'A')) : *s;
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80);
        if (!word && (n == 0 || out[n - 1] == ' ')) continue;
        if (n + 2 >= FAMILY_NAME_BYTES) return 0;
        out[n++] = word ? c : ' ';
    }
    while (n && out[n - 1] == ' ') n--;
    out[n] = '\0';
    return n;
}

static bool family_is_number(const char *word)
{
    static const char *const roman[] = {"i",  "ii",  "iii",  "iv", "v",
                                        "vi", "vii", "viii", "ix", "x"};
    size_t digits = strspn(word, "0123456789");
    if (digits && (!word[digits] || !word[digits + 1])) return true; /* "2", "2a" */
    for (size_t i = 0; i < R1_COUNT(roman); i++)
        if (strcmp(word, roman[i]) == 0) return true;
    return false;
}

/* Without "1", "type 2a", "type II" at its end. Returns the length. */
static size_t family_base(char *name, size_t n)
{
    char *last = strrchr(name, ' ');
    if (!last || !family_is_number(last + 1)) return n;
    *last = '\0';
    char *type = strrchr(name, ' ');
    if (type && strcmp(type + 1, "type") == 0) *type = '\0';
    return strlen(name);
}

static bool family_shares_gene(const med_kb_final *f, const med_disease *a, const med_disease *b)
{
    for (uint32_t i = 0; i < a->n_gene; i++)
        for (uint32_t k = 0; k < b->n_gene; k++)
            if (f->list[a->gene_at + i] == f->list[b->gene_at + k]) return true;
    return false;
}

static bool family_is_orpha(const med_kb_final *f, uint32_t d)
{
    return strncmp(med_map_text(f->b->text, f->disease[d].id), "ORPHA:", 6) == 0;
}

/* The Orphanet entry of a name, or MED_NONE. */
static uint32_t family_named(const med_map *names, const char *name, size_t n)
{
    uint32_t at = n ? med_map_find(names, name, n) : MED_NONE;
    return at == MED_NONE ? MED_NONE : med_map_get(names, at);
}

static void family_join(med_kb_final *f, const med_map *names, uint32_t d)
{
    char name[FAMILY_NAME_BYTES];
    const med_disease *x = &f->disease[d];
    size_t n = family_plain(med_map_text(f->b->text, x->name), name);
    uint32_t same = family_named(names, name, n);
    uint32_t head = same != MED_NONE ? same : family_named(names, name, family_base(name, n));
    if (head == MED_NONE) return;
    bool genes = x->n_gene && f->disease[head].n_gene;
    if (genes ? family_shares_gene(f, x, &f->disease[head]) : same != MED_NONE)
        f->family[d] = f->family[head] = head;
}

r1_status med_kb_families(med_kb_final *f, r1_err *err)
{
    char name[FAMILY_NAME_BYTES];
    med_map *names = NULL;
    R1_TRY(med_map_new(&names, (size_t)64 << 20, err));
    for (uint32_t d = 0; d < f->n_disease; d++) {
        if (!family_is_orpha(f, d) || f->b->disease[f->group[d]].mondo != MED_NONE) continue;
        size_t n = family_plain(med_map_text(f->b->text, f->disease[d].name), name);
        uint32_t at = n ? med_map_intern(names, name, n) : MED_NONE;
        if (at != MED_NONE) med_map_set(names, at, d);
    }
    for (uint32_t d = 0; d < f->n_disease; d++)
        if (!family_is_orpha(f, d) && f->b->disease[f->group[d]].mondo == MED_NONE)
            family_join(f, names, d);
    med_map_free(names);
    return R1_OK;
}
