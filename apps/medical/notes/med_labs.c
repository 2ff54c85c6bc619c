/* SPDX-License-Identifier: Apache-2.0 */
/* med_labs.c - laboratory values against adult reference ranges: "CK 5400 U/L" is an elevated
 * creatine kinase.
 *
 * A value counts only with a unit that the table knows for its analyte. A finding that the
 * knowledge base lacks is skipped. The ranges are general ones of adult laboratories, for decision
 * support. A range that stands in the text is not read. */
#include "notes/med_record.h"

#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

/* A range in one unit, each in one place: low and high are still normal. below, above: HPO ids of
 * the findings beyond them, NULL where there is nothing to say. */
typedef struct {
    const char *unit;
    float low, high;
    const char *below, *above;
} lab_range;

typedef enum {
    HEMOGLOBIN_G_DL,
    HEMOGLOBIN_G_L,
    PLATELETS_UL,
    PLATELETS_GIGA_L,
    SODIUM_MMOL_L,
    POTASSIUM_MMOL_L,
    CALCIUM_MMOL_L,
    CALCIUM_MG_DL,
    PHOSPHATE_MMOL_L,
    GLUCOSE_MG_DL,
    GLUCOSE_MMOL_L,
    LACTATE_MMOL_L,
    AMMONIA_UMOL_L,
    CREATINE_KINASE_U_L,
    CREATININE_MG_DL,
    ALT_U_L,
    AST_U_L,
    ALKALINE_PHOSPHATASE_U_L,
    LDL_CHOLESTEROL_MG_DL,
    TRIGLYCERIDES_MG_DL,
    FERRITIN_NG_ML,
    CERULOPLASMIN_MG_DL,
    CERULOPLASMIN_G_L,
    BILIRUBIN_MG_DL,
    URIC_ACID_MG_DL,
    ALBUMIN_G_DL,
    LEUKOCYTES_UL,
    NEUTROPHILS_UL,
    ALPHA_FETOPROTEIN_NG_ML,
    TSH_MU_L,
    LAB_RANGE_COUNT
} lab_range_id;

/* clang-format off */
static const lab_range lab_ranges[LAB_RANGE_COUNT] = {
    [HEMOGLOBIN_G_DL]          = {"g/dl", 11.5f, 17.5f, "HP:0001903", "HP:0001900"},
    [HEMOGLOBIN_G_L]           = {"g/l", 115, 175, "HP:0001903", "HP:0001900"},
    [PLATELETS_UL]             = {"/ul", 150000, 450000, "HP:0001873", "HP:0001894"},
    [PLATELETS_GIGA_L]         = {"x10^9/l", 150, 450, "HP:0001873", "HP:0001894"},
    [SODIUM_MMOL_L]            = {"mmol/l", 134, 146, "HP:0002902", "HP:0003228"},
    [POTASSIUM_MMOL_L]         = {"mmol/l", 3.4f, 5.3f, "HP:0002900", "HP:0002153"},
    [CALCIUM_MMOL_L]           = {"mmol/l", 2.1f, 2.65f, "HP:0002901", "HP:0003072"},
    [CALCIUM_MG_DL]            = {"mg/dl", 8.5f, 10.6f, "HP:0002901", "HP:0003072"},
    [PHOSPHATE_MMOL_L]         = {"mmol/l", 0.8f, 1.6f, "HP:0002148", "HP:0002905"},
    [GLUCOSE_MG_DL]            = {"mg/dl", 65, 180, "HP:0001943", "HP:0003074"},
    [GLUCOSE_MMOL_L]           = {"mmol/l", 3.5f, 10, "HP:0001943", "HP:0003074"},
    [LACTATE_MMOL_L]           = {"mmol/l", 0, 2.2f, NULL, "HP:0002151"},
    [AMMONIA_UMOL_L]           = {"umol/l", 0, 55, NULL, "HP:0001987"},
    [CREATINE_KINASE_U_L]      = {"u/l", 0, 250, NULL, "HP:0003236"},
    [CREATININE_MG_DL]         = {"mg/dl", 0, 1.3f, NULL, "HP:0003259"},
    [ALT_U_L]                  = {"u/l", 0, 55, NULL, "HP:0031964"},
    [AST_U_L]                  = {"u/l", 0, 50, NULL, "HP:0031956"},
    [ALKALINE_PHOSPHATASE_U_L] = {"u/l", 40, 400, "HP:0003282", "HP:0003155"},
    [LDL_CHOLESTEROL_MG_DL]    = {"mg/dl", 0, 160, NULL, "HP:0003141"},
    [TRIGLYCERIDES_MG_DL]      = {"mg/dl", 0, 200, NULL, "HP:0002155"},
    [FERRITIN_NG_ML]           = {"ng/ml", 10, 400, "HP:0012343", "HP:0003281"},
    [CERULOPLASMIN_MG_DL]      = {"mg/dl", 18, 50, "HP:0010837", NULL},
    [CERULOPLASMIN_G_L]        = {"g/l", 0.18f, 0.5f, "HP:0010837", NULL},
    [BILIRUBIN_MG_DL]          = {"mg/dl", 0, 1.3f, NULL, "HP:0002904"},
    [URIC_ACID_MG_DL]          = {"mg/dl", 2, 7.5f, "HP:0003537", "HP:0002149"},
    [ALBUMIN_G_DL]             = {"g/dl", 3.4f, 5.5f, "HP:0003073", NULL},
    [LEUKOCYTES_UL]            = {"/ul", 3800, 12000, "HP:0001882", "HP:0001974"},
    [NEUTROPHILS_UL]           = {"/ul", 1500, 8000, "HP:0001875", "HP:0011897"},
    [ALPHA_FETOPROTEIN_NG_ML]  = {"ng/ml", 0, 15, NULL, "HP:0006254"},
    [TSH_MU_L]                 = {"mu/l", 0.3f, 5, NULL, "HP:0002925"},
};

/* What a laboratory calls the analyte, in lower case. Where a sentence names one finding twice,
 * the first row here wins. */
static const struct {
    const char *name;
    lab_range_id range;
} lab_names[] = {
    {"hemoglobin", HEMOGLOBIN_G_DL},
    {"haemoglobin", HEMOGLOBIN_G_DL},
    {"hemoglobin", HEMOGLOBIN_G_L},
    {"hb", HEMOGLOBIN_G_DL},
    {"platelets", PLATELETS_UL},
    {"platelet count", PLATELETS_UL},
    {"platelets", PLATELETS_GIGA_L},
    {"sodium", SODIUM_MMOL_L},
    {"potassium", POTASSIUM_MMOL_L},
    {"calcium", CALCIUM_MMOL_L},
    {"calcium", CALCIUM_MG_DL},
    {"phosphate", PHOSPHATE_MMOL_L},
    {"glucose", GLUCOSE_MG_DL},
    {"glucose", GLUCOSE_MMOL_L},
    {"lactate", LACTATE_MMOL_L},
    {"ammonia", AMMONIA_UMOL_L},
    {"creatine kinase", CREATINE_KINASE_U_L},
    {"ck", CREATINE_KINASE_U_L},
    {"creatinine", CREATININE_MG_DL},
    {"alt", ALT_U_L},
    {"ast", AST_U_L},
    {"alkaline phosphatase", ALKALINE_PHOSPHATASE_U_L},
    {"ldl cholesterol", LDL_CHOLESTEROL_MG_DL},
    {"triglycerides", TRIGLYCERIDES_MG_DL},
    {"ferritin", FERRITIN_NG_ML},
    {"ceruloplasmin", CERULOPLASMIN_MG_DL},
    {"ceruloplasmin", CERULOPLASMIN_G_L},
    {"bilirubin", BILIRUBIN_MG_DL},
    {"uric acid", URIC_ACID_MG_DL},
    {"albumin", ALBUMIN_G_DL},
    {"leukocytes", LEUKOCYTES_UL},
    {"wbc", LEUKOCYTES_UL},
    {"neutrophils", NEUTROPHILS_UL},
    {"afp", ALPHA_FETOPROTEIN_NG_ML},
    {"alpha-fetoprotein", ALPHA_FETOPROTEIN_NG_ML},
    {"tsh", TSH_MU_L},
};
/* clang-format on */

static bool labs_boundary(const char *text, size_t at, size_t from)
{
    return at == from ||
           !(((text[at - 1] | 32) >= 'a' && (text[at - 1] | 32) <= 'z') || text[at - 1] == '-');
}

/* "12,300" and "0.4"; returns the characters used. */
static size_t number_at(const char *s, size_t len, float *out)
{
    char buf[32];
    size_t n = 0, i = 0;
    while (i < len && n + 1 < sizeof buf &&
           ((s[i] >= '0' && s[i] <= '9') || s[i] == '.' || s[i] == ',')) {
        bool group = s[i] == ',' && i + 3 < len && s[i + 1] >= '0' && s[i + 1] <= '9';
        if (s[i] == ',' && !group) break;
        if (s[i] == '.' && !(i + 1 < len && s[i + 1] >= '0' && s[i + 1] <= '9')) break;
        if (s[i] != ',') buf[n++] = s[i];
        i++;
    }
    buf[n] = '\0';
    char *end;
    *out = (float)strtod(buf, &end);
    return n && *end == '\0' ? i : 0;
}

/* After the name: at most a few linking words, the number, the unit. */
static size_t value_after(const char *s, size_t len, const lab_range *a, float *value)
{
    size_t i = 0, unit = strlen(a->unit);
    while (i < len && i < 28 && !(s[i] >= '0' && s[i] <= '9')) {
        if (s[i] == '.' || s[i] == ';' || s[i] == '\n') return 0;
        i++;
    }
    size_t used = i < len ? number_at(s + i, len - i, value) : 0;
    if (!used) return 0;
    i += used;
    while (i < len && s[i] == ' ') i++;
    if (i + unit > len || strncasecmp(s + i, a->unit, unit) != 0) return 0;
    return i + unit;
}

static void add_lab(med_notes *n, const med_kb *kb, uint32_t sentence, const char *name,
                    const lab_range *a, size_t start, size_t end, float v)
{
    const char *id = v < a->low ? a->below : v > a->high ? a->above : NULL;
    uint32_t term = id ? med_kb_term(kb, id, strlen(id)) : MED_NONE;
    if (term == MED_NONE) return;
    for (uint32_t i = 0; i < n->n_mention; i++)
        if (n->mention[i].sentence == sentence && n->mention[i].term == term) return;
    med_mention m = {.term = term,
                     .start = (uint32_t)start,
                     .end = (uint32_t)end,
                     .sentence = sentence,
                     .status = MED_PRESENT,
                     .lab = true,
                     .value = v,
                     .low = a->low,
                     .high = a->high};
    m.cue_start = m.cue_end = m.start;
    if (med_mention_add(n, &m, NULL) != R1_OK)
        r1_log(R1_LOG_WARN, "lab_dropped", "analyte=%s", name);
}

void med_find_labs(med_notes *n, const med_kb *kb, uint32_t sentence)
{
    const med_sentence *s = &n->sentence[sentence];
    bool digit = false;
    for (uint32_t i = s->start; i < s->end && !digit; i++)
        digit = n->text[i] >= '0' && n->text[i] <= '9';
    if (!digit) return;
    for (size_t k = 0; k < R1_COUNT(lab_names); k++) {
        const char *name = lab_names[k].name;
        const lab_range *a = &lab_ranges[lab_names[k].range];
        size_t len = strlen(name);
        R1_ASSERT(a->unit && a->low < a->high, "%s: no range", name);
        for (size_t i = s->start; i + len < s->end; i++) {
            if ((n->text[i] | 32) != name[0] || strncasecmp(n->text + i, name, len) != 0) continue;
            if (!labs_boundary(n->text, i, s->start)) continue;
            float v = 0;
            size_t used = value_after(n->text + i + len, s->end - i - len, a, &v);
            if (used) add_lab(n, kb, sentence, name, a, i, i + len + used, v);
        }
    }
}
