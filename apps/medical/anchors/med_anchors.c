/* SPDX-License-Identifier: Apache-2.0 */
/* med_anchors.c - see med_anchors.h. Owns the rule by which findings become anchors. */
#include "anchors/med_anchors.h"

#include <math.h>
#include <string.h>

const char *const MED_EVENT_NUM[MED_N_EVENT_NUM] = {"information", "diseases", "ancestors",
                                                    "certainty"};

/* The branches of HPO under "Phenotypic abnormality", in the order of their ids. */
static const char system_id[MED_N_SYSTEM][11] = {
    "HP:0000119", "HP:0000152", "HP:0000478", "HP:0000598", "HP:0000707", "HP:0000769",
    "HP:0000818", "HP:0001197", "HP:0001507", "HP:0001574", "HP:0001608", "HP:0001626",
    "HP:0001871", "HP:0001939", "HP:0002086", "HP:0002664", "HP:0002715", "HP:0025031",
    "HP:0025142", "HP:0025354", "HP:0033127", "HP:0040064", "HP:0045027"};

static int32_t system_of(const med_kb *kb, uint32_t term)
{
    for (int32_t i = 0; i < MED_N_SYSTEM; i++) {
        uint32_t top = med_kb_term(kb, system_id[i], 10);
        if (top != MED_NONE && med_kb_is_a(kb, term, top)) return i;
    }
    return MED_N_SYSTEM;
}

static void make_event(const med_kb *kb, med_anchor *a)
{
    const med_term *t = &kb->term[a->term];
    a->num[MED_EVENT_IC] = t->ic;
    a->num[MED_EVENT_DISEASES] = log1pf((float)t->n_disease);
    a->num[MED_EVENT_ANCESTORS] = log1pf((float)t->n_ancestor);
    a->num[MED_EVENT_CERTAINTY] = a->certainty;
    a->system = system_of(kb, a->term);
}

/* The heaviest; of equal weight the earlier. */
static void pin_heaviest(med_anchor *a, uint32_t n)
{
    for (uint32_t k = 0; k < MED_PINNED_MAX; k++) {
        uint32_t best = MED_NONE;
        for (uint32_t i = 0; i < n; i++)
            if (!a[i].pinned && a[i].weight > (best == MED_NONE ? 0 : a[best].weight)) best = i;
        if (best == MED_NONE) return;
        a[best].pinned = true;
    }
}

void med_anchors_plan(const med_kb *kb, med_anchor *a, uint32_t n, bool pin)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (a[i].num[MED_EVENT_ANCESTORS] <= 0)
            make_event(kb, &a[i]); /* a finding has an ancestor: itself */
        a[i].weight = a[i].num[MED_EVENT_IC] * a[i].certainty;
        a[i].pinned = a[i].held = false;
        sum += (double)a[i].weight;
    }
    for (uint32_t i = 0; i < n && sum > 0; i++)
        a[i].weight = (float)((double)a[i].weight * n / sum);
    if (pin) pin_heaviest(a, n);
    uint32_t room = MED_RING;
    for (uint32_t i = 0; i < n; i++)
        if (a[i].pinned) a[i].held = true, room--;
    for (uint32_t i = n; i-- > 0 && room > 0;)
        if (!a[i].held) a[i].held = true, room--;
}

r1_status med_anchors_append(r1_memory *mem, uint64_t ticket, uint64_t entity, const med_anchor *a,
                             uint32_t n, uint64_t *handle, r1_err *err)
{
    uint64_t ring[MED_RING], meta[MED_RING];
    memset(handle, 0, n * sizeof *handle);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t h;
        R1_TRY(r1_memory_append(mem, ticket, &entity, 1, i, &h, err));
        if (a[i].pinned) R1_TRY(r1_memory_pin(mem, entity, h, a[i].weight, 0, err));
    }
    size_t held = r1_memory_ring(mem, entity, ring, meta, MED_RING);
    for (size_t k = 0; k < held; k++) handle[meta[k]] = ring[k];
    return R1_OK;
}

float med_anchor_log_weight(const med_anchor *a)
{
    return a->pinned && a->weight > 1 ? logf(a->weight) : 0;
}
