/* SPDX-License-Identifier: Apache-2.0 */
/* med_systems.c - see med_systems.h. The tables name terms of the HPO, and of our own ontology
 * where it has no cross-reference. */
#include "report/med_systems.h"

#include "r1_assert.h"

#include <math.h>
#include <string.h>

/* clang-format off */
const med_system_place med_system_places[] = {
    {"HP:0000707", 'L', 240,  20, {"Nervous system", "神经系统"}},
    {"HP:0000478", 'R', 247,  27, {"Eye", "眼"}},
    {"HP:0000598", 'L', 224,  32, {"Ear", "耳"}},
    {"HP:0000152", 'R', 240,  40, {"Head and neck", "头颈部"}},
    {"HP:0001608", 'L', 238,  52, {"Voice", "嗓音"}},
    {"HP:0000818", 'R', 243,  56, {"Hormones and glands", "内分泌系统"}},
    {"HP:0002086", 'L', 228,  84, {"Airways and lungs", "呼吸系统"}},
    {"HP:0001626", 'R', 249,  86, {"Heart and vessels", "心血管系统"}},
    {"HP:0000769", 'R', 258,  92, {"Breast", "乳房"}},
    {"HP:0045027", 'L', 236,  98, {"Chest", "胸腔"}},
    {"HP:0025031", 'L', 238, 118, {"Digestive system", "消化系统"}},
    {"HP:0000119", 'R', 242, 140, {"Kidneys, urinary and genital", "泌尿生殖系统"}},
    {"HP:0040064", 'R', 292, 138, {"Arms and legs", "四肢"}},
    {"HP:0033127", 'L', 228, 180, {"Muscles and bones", "肌肉骨骼系统"}},
    {"HP:0000924", 'L', 228, 196, {"Bones and joints", "骨骼系统"}},
    {"HP:0001574", 'R', 254, 205, {"Skin, hair and nails", "皮肤、毛发和指甲"}},
    {"R1:0009147", 'R', 254, 205, {"Skin and hair", "皮肤和毛发"}},
    {"HP:0001871", '-', 0, 0, {"Blood", "血液"}},
    {"HP:0002715", '-', 0, 0, {"Immune system", "免疫系统"}},
    {"R1:0009209", '-', 0, 0, {"Blood and immunity", "血液与免疫"}},
    {"HP:0001939", '-', 0, 0, {"Metabolism", "代谢"}},
    {"R1:0009225", '-', 0, 0, {"Metabolism", "代谢"}},
    {"HP:0001507", '-', 0, 0, {"Growth", "生长"}},
    {"HP:0001197", '-', 0, 0, {"Pregnancy and birth", "孕期与出生"}},
    {"HP:0002664", '-', 0, 0, {"Tumours", "肿瘤"}},
    {"HP:0025142", '-', 0, 0, {"General symptoms", "全身症状"}},
    {"HP:0025354", '-', 0, 0, {"Cells", "细胞"}},
};
const uint32_t med_system_n_place = R1_COUNT(med_system_places);

/* Findings that only some patients can have or are asked for, with all below them. */
static const struct {
    const char *id;
    med_sex sex;
    float age_max; /* years */
} asked_of[] = {
    {"HP:0000022", MED_SEX_MALE, INFINITY},   /* male internal genitalia */
    {"HP:0000032", MED_SEX_MALE, INFINITY},   /* male external genitalia */
    {"HP:0000035", MED_SEX_MALE, INFINITY},   /* testis */
    {"HP:0000028", MED_SEX_MALE, INFINITY},   /* cryptorchidism */
    {"HP:0000047", MED_SEX_MALE, INFINITY},   /* hypospadias */
    {"HP:0012873", MED_SEX_MALE, INFINITY},   /* absent vas deferens */
    {"HP:0000008", MED_SEX_FEMALE, INFINITY}, /* female internal genitalia */
    {"HP:0000055", MED_SEX_FEMALE, INFINITY}, /* female external genitalia */
    {"HP:0000140", MED_SEX_FEMALE, INFINITY}, /* menstrual cycle */
    {"HP:0001197", MED_SEX_UNKNOWN, 2},       /* pregnancy and birth */
};
/* clang-format on */

static uint32_t systems_term(const med_kb *kb, const char *id)
{
    return med_kb_term(kb, id, strlen(id));
}

void med_systems_open(med_systems *s, const med_kb *kb)
{
    _Static_assert(R1_COUNT(med_system_places) <= MED_SYSTEMS_MAX, "more places");
    _Static_assert(R1_COUNT(asked_of) <= MED_ASKED_MAX, "more rows");
    s->kb = kb;
    for (uint32_t i = 0; i < med_system_n_place; i++)
        s->system[i] = systems_term(kb, med_system_places[i].id);
    for (size_t i = 0; i < R1_COUNT(asked_of); i++) s->asked[i] = systems_term(kb, asked_of[i].id);
}

static bool systems_is_top(const med_kb *kb, uint32_t term)
{
    const med_term *t = &kb->term[term];
    for (uint32_t i = 0; i < t->n_parent; i++)
        if (kb->parent[t->parent_at + i] == kb->root) return true;
    return false;
}

uint32_t med_systems_of(const med_systems *s, uint32_t term)
{
    const med_kb *kb = s->kb;
    R1_ASSERT(term < kb->n_term, "term %u of %u", term, kb->n_term);
    const med_term *t = &kb->term[term];
    uint32_t best = MED_NONE;
    for (uint32_t i = 0; i < t->n_ancestor; i++) {
        uint32_t a = kb->ancestor[t->ancestor_at + i];
        if (!systems_is_top(kb, a)) continue;
        if (best == MED_NONE || kb->term[a].ic > kb->term[best].ic) best = a;
    }
    return best;
}

uint32_t med_systems_place(const med_systems *s, uint32_t system)
{
    for (uint32_t i = 0; i < med_system_n_place; i++)
        if (s->system[i] == system) return i;
    return MED_NONE;
}

bool med_systems_other_sex(const med_systems *s, uint32_t term, med_sex sex)
{
    bool other = false;
    for (size_t i = 0; i < R1_COUNT(asked_of); i++) {
        if (asked_of[i].sex == MED_SEX_UNKNOWN || s->asked[i] == MED_NONE) continue;
        if (!med_kb_is_a(s->kb, term, s->asked[i])) continue;
        if (asked_of[i].sex == sex) return false; /* of both, as a tumour of a gonad */
        other = sex != MED_SEX_UNKNOWN;
    }
    return other;
}

bool med_systems_asked(const med_systems *s, uint32_t term, med_sex sex, float age_years)
{
    if (med_systems_other_sex(s, term, sex)) return false;
    for (size_t i = 0; i < R1_COUNT(asked_of); i++)
        if (s->asked[i] != MED_NONE && age_years > asked_of[i].age_max &&
            med_kb_is_a(s->kb, term, s->asked[i]))
            return false;
    return true;
}
