/* SPDX-License-Identifier: Apache-2.0 */
/* med_map.c - see med_map.h. A slot holds the offset and the value; the text is compared in the
 * blob. */
#include "ontology/med_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t offset, value, hash;
} slot; /* offset UINT32_MAX: free */

struct med_map {
    slot *slots;
    size_t n_slot, n_used; /* n_slot: a power of two */
    char *blob;
    size_t len, cap, max;
};

static uint32_t map_hash_of(const char *s, size_t len) { return (uint32_t)r1_hash64(s, len, 7); }

static slot *find_slot(const med_map *m, const char *s, size_t len, uint32_t hash)
{
    size_t mask = m->n_slot - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        slot *x = &m->slots[i];
        if (x->offset == UINT32_MAX) return x;
        if (x->hash == hash && strncmp(m->blob + x->offset, s, len) == 0 &&
            m->blob[x->offset + len] == '\0')
            return x;
    }
}

static bool map_rehash(med_map *m, size_t n)
{
    slot *fresh = malloc(n * sizeof *fresh);
    if (!fresh) return false;
    for (size_t i = 0; i < n; i++) fresh[i] = (slot){UINT32_MAX, UINT32_MAX, 0};
    for (size_t i = 0; i < m->n_slot; i++) {
        if (m->slots[i].offset == UINT32_MAX) continue;
        size_t at = m->slots[i].hash & (n - 1);
        while (fresh[at].offset != UINT32_MAX) at = (at + 1) & (n - 1);
        fresh[at] = m->slots[i];
    }
    free(m->slots);
    m->slots = fresh;
    m->n_slot = n;
    return true;
}

r1_status med_map_new(med_map **out, size_t bytes_max, r1_err *err)
{
    med_map *m = calloc(1, sizeof *m);
    if (m) m->max = bytes_max < UINT32_MAX ? bytes_max : UINT32_MAX - 1;
    if (!m || !map_rehash(m, 1024) || med_map_intern(m, "", 0) != 0) {
        med_map_free(m);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a table of names");
    }
    *out = m;
    return R1_OK;
}

void med_map_free(med_map *m)
{
    if (!m) return;
    free(m->slots);
    free(m->blob);
    free(m);
}

static bool blob_room(med_map *m, size_t len)
{
    if (m->len + len + 1 > m->max) return false;
    if (m->len + len + 1 <= m->cap) return true;
    size_t cap = (m->len + len + 1) * 2 + 4096;
    char *p = realloc(m->blob, cap);
    if (!p) return false;
    m->blob = p;
    m->cap = cap;
    return true;
}

uint32_t med_map_intern(med_map *m, const char *s, size_t len)
{
    const char *nul = len ? memchr(s, '\0', len) : NULL;
    if (nul) len = (size_t)(nul - s);
    uint32_t hash = map_hash_of(s, len);
    slot *x = find_slot(m, s, len, hash);
    if (x->offset != UINT32_MAX) return x->offset;
    if (!blob_room(m, len)) return UINT32_MAX;
    uint32_t offset = (uint32_t)m->len;
    if (len) memcpy(m->blob + offset, s, len);
    m->blob[offset + len] = '\0';
    m->len += len + 1;
    *x = (slot){offset, UINT32_MAX, hash};
    if (++m->n_used * 2 > m->n_slot && !map_rehash(m, m->n_slot * 2)) return UINT32_MAX;
    return offset;
}

uint32_t med_map_find(const med_map *m, const char *s, size_t len)
{
    if (len && memchr(s, '\0', len)) return UINT32_MAX;
    return find_slot(m, s, len, map_hash_of(s, len))->offset;
}

static slot *by_offset(const med_map *m, uint32_t offset)
{
    const char *s = m->blob + offset;
    size_t len = strlen(s);
    return find_slot(m, s, len, map_hash_of(s, len));
}

uint32_t med_map_get(const med_map *m, uint32_t offset) { return by_offset(m, offset)->value; }
void med_map_set(med_map *m, uint32_t offset, uint32_t value)
{
    by_offset(m, offset)->value = value;
}
const char *med_map_text(const med_map *m, uint32_t offset) { return m->blob + offset; }
const char *med_map_blob(const med_map *m, size_t *bytes)
{
    *bytes = m->len;
    return m->blob;
}
