/* SPDX-License-Identifier: Apache-2.0 */
/* med_retrieve.c - see med_retrieve.h. Where a term goes in the sketch follows from its number
 * alone. */
#include "rank/med_retrieve.h"

#include "r1_memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 8, HITS_MAX = 256 };

/* The number of a place and, above it, the sign. */
enum { PLACE_SIGN = 0x8000 };

struct med_retrieval {
    const med_kb *kb;
    r1_longterm *memory;
};

static void sketch_places(uint32_t term, uint16_t place[PLACES])
{
    uint64_t h = (uint64_t)term * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;
    for (int i = 0; i < PLACES; i++) {
        h ^= h >> 29;
        h *= 0xbf58476d1ce4e5b9u;
        h ^= h >> 32;
        place[i] = (uint16_t)(h % MED_KEY | ((h >> 60) & 1 ? PLACE_SIGN : 0));
    }
}

static void sketch_put(float *key, const uint16_t place[PLACES], float weight)
{
    for (int i = 0; i < PLACES; i++)
        key[place[i] & (PLACE_SIGN - 1)] += place[i] & PLACE_SIGN ? weight : -weight;
}

static void sketch_add(float *key, uint32_t term, float weight)
{
    uint16_t place[PLACES];
    sketch_places(term, place);
    sketch_put(key, place, weight);
}

static void unit_length(float *key)
{
    double sum = 0;
    for (int i = 0; i < MED_KEY; i++) sum += (double)key[i] * key[i];
    float scale = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
    for (int i = 0; i < MED_KEY; i++) key[i] *= scale;
}

/* places: u16[n_term][PLACES], NULL where they are not at hand. */
static void key_of_profile(const med_kb *kb, const med_profile *profile, uint32_t n,
                           const uint16_t *places, float *key)
{
    memset(key, 0, MED_KEY * sizeof *key);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t t = MED_PROFILE_TERM(profile[i]);
        float weight = kb->term[t].ic * sqrtf(profile[i].freq);
        if (places)
            sketch_put(key, places + (size_t)t * PLACES, weight);
        else
            sketch_add(key, t, weight);
    }
    unit_length(key);
}

void med_retrieval_key(const med_kb *kb, const med_profile *profile, uint32_t n, float *key)
{
    key_of_profile(kb, profile, n, NULL, key);
}

r1_status med_retrieval_new(med_retrieval **out, const med_kb *kb, r1_err *err)
{
    med_retrieval *m = calloc(1, sizeof *m);
    if (!m) R1_FAIL(err, R1_E_NOMEM, "no memory for retrieval");
    m->kb = kb;
    uint16_t *places = r1_realloc_array(NULL, kb->n_term, PLACES * sizeof *places);
    if (!places) {
        free(m);
        R1_FAIL(err, R1_E_NOMEM, "no memory for retrieval");
    }
    for (uint32_t t = 0; t < kb->n_term; t++) sketch_places(t, places + (size_t)t * PLACES);
    r1_status st = r1_longterm_new(&m->memory, MED_KEY, kb->n_disease + 1u, err);
    for (uint32_t d = 0; d < kb->n_disease && st == R1_OK; d++) {
        const med_disease *x = &kb->disease[d];
        float key[MED_KEY];
        if (x->n_profile == 0) continue;
        key_of_profile(kb, kb->profile + x->profile_at, x->n_profile, places, key);
        r1_longterm_entry e = {
            .key = key, .value = &d, .value_bytes = sizeof d, .entity = d, .version = 1};
        st = r1_longterm_insert(m->memory, &e, NULL, err);
    }
    free(places);
    if (st != R1_OK) {
        med_retrieval_free(m);
        return st;
    }
    *out = m;
    return R1_OK;
}

void med_retrieval_free(med_retrieval *m)
{
    if (!m) return;
    r1_longterm_free(m->memory);
    free(m);
}

void med_retrieval_query(const med_retrieval *m, const uint32_t *term, uint32_t n_term, float *key)
{
    memset(key, 0, MED_KEY * sizeof *key);
    for (uint32_t q = 0; q < n_term; q++) {
        const med_term *t = &m->kb->term[term[q]];
        for (uint32_t a = 0; a < t->n_ancestor; a++) {
            uint32_t at = m->kb->ancestor[t->ancestor_at + a];
            bool seen = false;
            for (uint32_t p = 0; p < q && !seen; p++) seen = med_kb_is_a(m->kb, term[p], at);
            if (!seen) sketch_add(key, at, m->kb->term[at].ic);
        }
    }
    unit_length(key);
}

float med_retrieval_dot(const float *a, const float *b)
{
    float sum = 0;
    for (int i = 0; i < MED_KEY; i++) sum += a[i] * b[i];
    return sum;
}

r1_status med_retrieve(med_retrieval *m, const float *key, uint32_t k, float *similarity,
                       r1_err *err)
{
    static _Thread_local r1_longterm_hit hit[HITS_MAX];
    size_t n = 0;
    R1_TRY(r1_longterm_search(m->memory, key, k < HITS_MAX ? k : HITS_MAX, hit, &n, err));
    for (size_t i = 0; i < n; i++) {
        r1_longterm_entry e;
        R1_TRY(r1_longterm_get(m->memory, hit[i].id, &e, err));
        if (e.entity < m->kb->n_disease) similarity[e.entity] = hit[i].score > 0 ? hit[i].score : 0;
    }
    return R1_OK;
}
