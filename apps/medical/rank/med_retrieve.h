/* SPDX-License-Identifier: Apache-2.0 */
/* med_retrieve.h - long-term memory of the diseases: one entry per profile, found again by what
 * the findings have in common with it. A key is the disease's closure, weighted by information
 * and frequency, in a sign sketch of 512 numbers (count sketch: Charikar, Chen, Farach-Colton
 * 2002; eight places per term), of unit length; exact search.
 *
 * Owns: the r1_longterm. Threads: one. */
#ifndef MED_RETRIEVE_H
#define MED_RETRIEVE_H

#include "ontology/med_kb.h"

enum { MED_KEY = 512 };
typedef struct med_retrieval med_retrieval;
r1_status med_retrieval_new(med_retrieval **out, const med_kb *kb, r1_err *err);
void med_retrieval_free(med_retrieval *m); /* NULL is fine */
/* The key of a set of findings, and that of a profile; f32[MED_KEY], unit length. */
void med_retrieval_query(const med_retrieval *m, const uint32_t *term, uint32_t n_term, float *key);
void med_retrieval_key(const med_kb *kb, const med_profile *profile, uint32_t n, float *key);
float med_retrieval_dot(const float *a, const float *b);
/* similarity[d] is set for the k nearest diseases; the others are left alone. */
r1_status med_retrieve(med_retrieval *m, const float *key, uint32_t k, float *similarity,
                       r1_err *err);

#endif
