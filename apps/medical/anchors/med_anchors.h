/* SPDX-License-Identifier: Apache-2.0 */
/* med_anchors.h - the findings of one record in working memory. Each finding is one entry, made
 * from itself alone. The key findings are anchors: they stay when the ring overflows and weigh more
 * in attention.
 *
 *   plan:   which findings the ring will hold, which of them are pinned, with what weight; this
 *           needs no engine
 *   append: the same by r1_memory's own rules; a test holds the two together
 *
 * Owns: nothing; a plan borrows the caller's terms. Threads: any. */
#ifndef MED_ANCHORS_H
#define MED_ANCHORS_H

#include "ontology/med_kb.h"
#include "r1_memory.h"

/* Findings that the ring holds, those of them that can be pinned, body systems of HPO. */
enum { MED_RING = 32, MED_PINNED_MAX = MED_RING / 4, MED_N_SYSTEM = 23 };

enum {
    MED_EVENT_IC,
    MED_EVENT_DISEASES,
    MED_EVENT_ANCESTORS,
    MED_EVENT_CERTAINTY,
    MED_N_EVENT_NUM
};
extern const char *const MED_EVENT_NUM[MED_N_EVENT_NUM];

/* The certainty of a finding of the past, and of one of an uncertain writer. */
#define MED_CERTAINTY_HISTORICAL 0.7f

/* One finding of the record: what makes its entry, and its place in the memory. */
typedef struct {
    uint32_t term;
    uint32_t source;            /* the caller's number of where it comes from: its mention */
    float certainty;            /* 1 stated, less where history or the writer doubts */
    float weight;               /* information times certainty, over the mean of the record */
    bool pinned, held;          /* held: still in the ring once all have come */
    float num[MED_N_EVENT_NUM]; /* the entry's event */
    int32_t system;             /* body system, 0..MED_N_SYSTEM-1; MED_N_SYSTEM: none of them */
} med_anchor;

/* Fills weight, pinned, held and the events; term, source and certainty are the caller's, the
 * rest zero or from an earlier plan. In order of the record.
 * pin false: nothing is pinned, and the newest MED_RING stay. */
void med_anchors_plan(const med_kb *kb, med_anchor *a, uint32_t n, bool pin);
/* Appends every finding under the ticket and pins as planned; handle[i] is 0 where the ring
 * dropped it again. */
r1_status med_anchors_append(r1_memory *mem, uint64_t ticket, uint64_t entity, const med_anchor *a,
                             uint32_t n, uint64_t *handle, r1_err *err);
/* What a pinned finding adds to the attention scores: log of its weight, never negative; 0 for
 * the others. */
float med_anchor_log_weight(const med_anchor *a);

#endif
