/* SPDX-License-Identifier: Apache-2.0 */
/* med_labs.c - laboratory values against adult reference ranges: "CK 5400 U/L" is an elevated
 * creatine kinase. A value counts only with a unit that the table knows for its analyte;
 * findings that the knowledge base lacks are skipped. Ranges are general ones of adult
 * laboratories, for decision support; a range that stands in the text is not read. */
#include "notes/med_notes.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name, *unit;
    float low, high;
    const char *below, *above; /* HPO ids, NULL: nothing to say */
} analyte;

static const analyte analytes[] = {
    {"hemoglobin", "g/dl", 11.5f, 17.5f, "HP:0001903", "HP:0001900"},
    {"haemoglobin", "g/dl", 11.5f, 17.5f, "HP:0001903", "HP:0001900"},
    {"hemoglobin", "g/l", 115, 175, "HP:0001903", "HP:0001900"},
    {"hb", "g/dl", 11.5f, 17.5f, "HP:0001903", "HP:0001900"},
    {"platelets", "/ul", 150000, 450000, "HP:0001873", "HP:0001894"},
    {"platelet count", "/ul", 150000, 450000, "HP:0001873", "HP:0001894"},
    {"platelets", "x10^9/l", 150, 450, "HP:0001873", "HP:0001894"},
    {"sodium", "mmol/l", 134, 146, "HP:0002902", "HP:0003228"},
    {"potassium", "mmol/l", 3.4f, 5.3f, "HP:0002900", "HP:0002153"},
    {"calcium", "mmol/l", 2.1f, 2.65f, "HP:0002901", "HP:0003072"},
    {"calcium", "mg/dl", 8.5f, 10.6f, "HP:0002901", "HP:0003072"},
    {"phosphate", "mmol/l", 0.8f, 1.6f, "HP:0002148", "HP:0002905"},
    {"glucose", "mg/dl", 65, 180, "HP:0001943", "HP:0003074"},
    {"glucose", "mmol/l", 3.5f, 10, "HP:0001943", "HP:0003074"},
    {"lactate", "mmol/l", 0, 2.2f, NULL, "HP:0002151"},
    {"ammonia", "umol/l", 0, 55, NULL, "HP:0001987"},
    {"creatine kinase", "u/l", 0, 250, NULL, "HP:0003236"},
    {"ck", "u/l", 0, 250, NULL, "HP:0003236"},
    {"creatinine", "mg/dl", 0, 1.3f, NULL, "HP:0003259"},
    {"alt", "u/l", 0, 55, NULL, "HP:0031964"},
    {"ast", "u/l", 0, 50, NULL, "HP:0031956"},
    {"alkaline phosphatase", "u/l", 40, 400, "HP:0003282", "HP:0003155"},
    {"ldl cholesterol", "mg/dl", 0, 160, NULL, "HP:0003141"},
    {"triglycerides", "mg/dl", 0, 200, NULL, "HP:0002155"},
    {"ferritin", "ng/ml", 10, 400, "HP:0012343", "HP:0003281"},
    {"ceruloplasmin", "mg/dl", 18, 50, "HP:0010837", NULL},
    {"ceruloplasmin", "g/l", 0.18f, 0.5f, "HP:0010837", NULL},
    {"bilirubin", "mg/dl", 0, 1.3f, NULL, "HP:0002904"},
    {"uric acid", "mg/dl", 2, 7.5f, "HP:0003537", "HP:0002149"},
    {"albumin", "g/dl", 3.4f, 5.5f, "HP:0003073", NULL},
    {"leukocytes", "/ul", 3800, 12000, "HP:0001882", "HP:0001974"},
    {"wbc", "/ul", 3800, 12000, "HP:0001882", "HP:0001974"},
    {"neutrophils", "/ul", 1500, 8000, "HP:0001875", "HP:0011897"},
    {"afp", "ng/ml", 0, 15, NULL, "HP:0006254"},
    {"alpha-fetoprotein", "ng/ml", 0, 15, NULL, "HP:0006254"},
    {"tsh", "mu/l", 0.3f, 5, NULL, "HP:0002925"}};

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
static size_t value_after(const char *s, size_t len, const analyte *a, float *value)
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

static void add_lab(med_notes *n, const med_kb *kb, uint32_t sentence, const analyte *a,
                    size_t start, size_t end, float v)
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
        r1_log(R1_LOG_WARN, "lab_dropped", "analyte=%s", a->name);
}

void med_find_labs(med_notes *n, const med_kb *kb, uint32_t sentence)
{
    const med_sentence *s = &n->sentence[sentence];
    bool digit = false;
    for (uint32_t i = s->start; i < s->end && !digit; i++)
        digit = n->text[i] >= '0' && n->text[i] <= '9';
    if (!digit) return;
    for (size_t k = 0; k < R1_COUNT(analytes); k++) {
        const analyte *a = &analytes[k];
        size_t len = strlen(a->name);
        for (size_t i = s->start; i + len < s->end; i++) {
            if ((n->text[i] | 32) != a->name[0] || strncasecmp(n->text + i, a->name, len) != 0)
                continue;
            if (!labs_boundary(n->text, i, s->start)) continue;
            float v = 0;
            size_t used = value_after(n->text + i + len, s->end - i - len, a, &v);
            if (used) add_lab(n, kb, sentence, a, i, i + len + used, v);
        }
    }
}
