/* SPDX-License-Identifier: Apache-2.0 */
/* med_fhir_value.c - see med_fhir_value.h. */
#include "documents/med_fhir_value.h"

#include "documents/med_parts.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

typedef enum { SAYS_NOTHING, SAYS_NO, SAYS_YES, SAYS_UNSURE, SAYS_HIGH, SAYS_LOW } says;

/* Codes and words by what they say. */
typedef struct {
    const char *word;
    says what;
} fhir_word;

/* SNOMED CT and LOINC answers; what they are called stands in fhir_answers. */
static const fhir_word fhir_codes[] = {
    {"373066001", SAYS_YES},    {"52101004", SAYS_YES},     {"10828004", SAYS_YES},
    {"260373001", SAYS_YES},    {"410515003", SAYS_YES},    {"410605003", SAYS_YES},
    {"263654008", SAYS_YES},    {"LA33-6", SAYS_YES},       {"LA9633-4", SAYS_YES},
    {"LA6576-8", SAYS_YES},     {"LA11882-0", SAYS_YES},    {"373067005", SAYS_NO},
    {"2667000", SAYS_NO},       {"260385009", SAYS_NO},     {"260415000", SAYS_NO},
    {"410516002", SAYS_NO},     {"410594000", SAYS_NO},     {"17621005", SAYS_NO},
    {"LA32-8", SAYS_NO},        {"LA9634-2", SAYS_NO},      {"LA6577-6", SAYS_NO},
    {"LA11883-8", SAYS_NO},     {"LA6626-1", SAYS_NO},      {"261665006", SAYS_UNSURE},
    {"373068000", SAYS_UNSURE}, {"82334004", SAYS_UNSURE},  {"42425007", SAYS_UNSURE},
    {"419984006", SAYS_UNSURE}, {"410590009", SAYS_UNSURE}, {"410592001", SAYS_UNSURE},
    {"410593006", SAYS_UNSURE}, {"LA4489-6", SAYS_UNSURE},  {"LA11884-6", SAYS_UNSURE},
    {"LA9663-1", SAYS_UNSURE},
};
/* HL7's tables of interpretation and of yes and no. */
static const fhir_word fhir_letters[] = {
    {"Y", SAYS_YES},    {"POS", SAYS_YES},   {"DET", SAYS_YES},   {"A", SAYS_YES},
    {"AA", SAYS_YES},   {"RR", SAYS_YES},    {"NEG", SAYS_NO},    {"N", SAYS_NO},
    {"ND", SAYS_NO},    {"NR", SAYS_NO},     {"ABSENT", SAYS_NO}, {"IND", SAYS_UNSURE},
    {"E", SAYS_UNSURE}, {"WR", SAYS_UNSURE}, {"H", SAYS_HIGH},    {"HH", SAYS_HIGH},
    {"HU", SAYS_HIGH},  {"HX", SAYS_HIGH},   {"L", SAYS_LOW},     {"LL", SAYS_LOW},
    {"LU", SAYS_LOW},   {"LX", SAYS_LOW},
};
static const fhir_word fhir_answers[] = {
    {"yes", SAYS_YES},
    {"true", SAYS_YES},
    {"present", SAYS_YES},
    {"positive", SAYS_YES},
    {"detected", SAYS_YES},
    {"observed", SAYS_YES},
    {"confirmed", SAYS_YES},
    {"abnormal", SAYS_YES},
    {"known present", SAYS_YES},
    {"y", SAYS_YES},
    {"+", SAYS_YES},
    {"no", SAYS_NO},
    {"false", SAYS_NO},
    {"absent", SAYS_NO},
    {"none", SAYS_NO},
    {"negative", SAYS_NO},
    {"not present", SAYS_NO},
    {"not detected", SAYS_NO},
    {"not observed", SAYS_NO},
    {"not found", SAYS_NO},
    {"undetected", SAYS_NO},
    {"excluded", SAYS_NO},
    {"ruled out", SAYS_NO},
    {"denied", SAYS_NO},
    {"denies", SAYS_NO},
    {"normal", SAYS_NO},
    {"nil", SAYS_NO},
    {"n", SAYS_NO},
    {"-", SAYS_NO},
    {"known absent", SAYS_NO},
    {"unknown", SAYS_UNSURE},
    {"undetermined", SAYS_UNSURE},
    {"indeterminate", SAYS_UNSURE},
    {"inconclusive", SAYS_UNSURE},
    {"equivocal", SAYS_UNSURE},
    {"possible", SAYS_UNSURE},
    {"possibly", SAYS_UNSURE},
    {"suspected", SAYS_UNSURE},
    {"not examined", SAYS_UNSURE},
    {"not assessed", SAYS_UNSURE},
    {"?", SAYS_UNSURE},
};

static says fhir_look(const fhir_word *list, size_t n, const char *s, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i].word) == len && strncasecmp(list[i].word, s, len) == 0)
            return list[i].what;
    return SAYS_NOTHING;
}

/* Words as a person writes them: blanks and a full stop around them do not count, nor the tag of
 * SNOMED CT behind them, "Absent (qualifier value)". */
static says fhir_words(const char *s)
{
    if (!s) return SAYS_NOTHING;
    while (isspace((unsigned char)*s)) s++;
    size_t len = strlen(s);
    const char *tag = strstr(s, " (");
    if (tag && len && s[len - 1] == ')') len = (size_t)(tag - s);
    while (len && (isspace((unsigned char)s[len - 1]) || s[len - 1] == '.')) len--;
    return fhir_look(fhir_answers, R1_COUNT(fhir_answers), s, len);
}

static says fhir_answer(const json_t *concept, bool letters)
{
    json_t *c;
    size_t i;
    says what = SAYS_NOTHING;
    json_array_foreach(med_member(concept, "coding", NULL), i, c)
    {
        const char *code = med_member_text(c, "code", NULL);
        if (code && letters)
            what = fhir_look(fhir_letters, R1_COUNT(fhir_letters), code, strlen(code));
        if (code && !what) what = fhir_look(fhir_codes, R1_COUNT(fhir_codes), code, strlen(code));
        if (code && !what) what = fhir_words(code);
        if (!what) what = fhir_words(med_member_text(c, "display", NULL));
        if (what) return what;
    }
    return fhir_words(med_member_text(concept, "text", NULL));
}

/* All interpretations; two that differ say nothing sure. */
static says fhir_interpretation(const json_t *o)
{
    json_t *v = med_member(o, "interpretation", NULL), *c;
    size_t i;
    says all = json_is_object(v) ? fhir_answer(v, true) : SAYS_NOTHING;
    json_array_foreach(v, i, c)
    {
        says one = fhir_answer(c, true);
        if (one && all && one != all) return SAYS_UNSURE;
        if (one) all = one;
    }
    return all;
}

/* Whether two quantities may be compared: the same unit, or one without. */
static bool fhir_same_unit(const json_t *a, const json_t *b)
{
    static const char *const names[] = {"code", "unit"};
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        const char *x = med_member_text(a, names[i], NULL), *y = med_member_text(b, names[i], NULL);
        if (x && y) return strcmp(x, y) == 0;
    }
    return true;
}

/* A number against one reference range. "< 5" is below a bound of 5 or more, and above none. */
static says fhir_against(const json_t *q, double v, const json_t *range)
{
    const json_t *low = med_member(range, "low", NULL), *high = med_member(range, "high", NULL);
    const json_t *l = med_member(low, "value", NULL), *h = med_member(high, "value", NULL);
    const char *than = med_member_text(q, "comparator", NULL);
    bool less = than && *than == '<', more = than && *than == '>';
    if ((!l && !h) || !fhir_same_unit(q, low) || !fhir_same_unit(q, high)) return SAYS_UNSURE;
    if (l && v < json_number_value(l) && !more) return SAYS_LOW;
    if (h && v > json_number_value(h) && !less) return SAYS_HIGH;
    if (h && more && v >= json_number_value(h)) return SAYS_HIGH;
    if (l && less && v <= json_number_value(l)) return SAYS_LOW;
    bool open = (less && l) || (more && h) || (less && h && v > json_number_value(h)) ||
                (more && l && v < json_number_value(l));
    return open ? SAYS_UNSURE : SAYS_NO;
}

/* A number, by all ranges that are not those of a therapy or a stage. */
static says fhir_number(const json_t *o, const json_t *number)
{
    static const char *const normal[] = {"normal", "recommended"};
    const json_t *v = json_is_number(number) ? number : med_member(number, "value", NULL);
    json_t *range;
    size_t i;
    says all = SAYS_NOTHING;
    if (!json_is_number(v)) return SAYS_UNSURE;
    json_array_foreach(med_member(o, "referenceRange", NULL), i, range)
    {
        const json_t *type = med_member(range, "type", NULL);
        if (type && !med_fhir_coded(type, normal, R1_COUNT(normal))) continue;
        says one = fhir_against(number, json_number_value(v), range);
        if (all && one != all) return SAYS_UNSURE;
        all = one;
    }
    return all ? all : SAYS_UNSURE;
}

/* The direction that a finding's label names. */
static says fhir_direction(const char *label)
{
    static const fhir_word words[] = {
        {"elevated", SAYS_HIGH}, {"increased", SAYS_HIGH}, {"raised", SAYS_HIGH},
        {"high", SAYS_HIGH},     {"hyper", SAYS_HIGH},     {"prolonged", SAYS_HIGH},
        {"decreased", SAYS_LOW}, {"reduced", SAYS_LOW},    {"low", SAYS_LOW},
        {"hypo", SAYS_LOW},      {"diminished", SAYS_LOW}};
    says all = SAYS_NOTHING;
    for (const char *s = label; s && *s; s++)
        for (size_t i = 0; i < R1_COUNT(words); i++) {
            bool begins = s == label || !isalpha((unsigned char)s[-1]);
            if (!begins || strncasecmp(s, words[i].word, strlen(words[i].word)) != 0) continue;
            if (all && all != words[i].what) return SAYS_NOTHING;
            all = words[i].what;
        }
    return all;
}

bool med_fhir_coded(const json_t *concept, const char *const *codes, size_t n)
{
    json_t *c;
    size_t i;
    const char *plain = json_string_value(concept);
    for (size_t k = 0; plain && k < n; k++)
        if (strcmp(plain, codes[k]) == 0) return true;
    json_array_foreach(med_member(concept, "coding", NULL), i, c)
    {
        const char *code = med_member_text(c, "code", NULL);
        for (size_t k = 0; code && k < n; k++)
            if (strcmp(code, codes[k]) == 0) return true;
    }
    return false;
}

static med_fhir_said fhir_of(says what, const char *label)
{
    static const char *const not_told = "its value says neither yes nor no";
    says way = fhir_direction(label);
    switch (what) {
    case SAYS_YES: return (med_fhir_said){MED_PRESENT, NULL};
    case SAYS_NO: return (med_fhir_said){MED_ABSENT, NULL};
    case SAYS_UNSURE: return (med_fhir_said){MED_UNCERTAIN, NULL};
    case SAYS_HIGH:
    case SAYS_LOW:
        if (!way)
            return (med_fhir_said){MED_UNCERTAIN, "its label does not say whether it means a "
                                                  "value above or below the range"};
        return (med_fhir_said){way == what ? MED_PRESENT : MED_ABSENT, NULL};
    default: return (med_fhir_said){MED_UNCERTAIN, not_told};
    }
}

/* What a value of any type says; *is: there is one. */
static says fhir_any_value(const json_t *o, bool *is, const char **why)
{
    static const char *const others[] = {"valueDateTime", "valueTime",  "valuePeriod",
                                         "valueRange",    "valueRatio", "valueSampledData"};
    const json_t *b = med_member(o, "valueBoolean", NULL);
    const json_t *concept = med_member(o, "valueCodeableConcept", NULL);
    const json_t *text = med_member(o, "valueString", "valueCode");
    const json_t *number = med_member(o, "valueQuantity", "valueInteger");
    *is = b || concept || text || number;
    for (size_t i = 0; i < R1_COUNT(others); i++) *is = *is || med_member(o, others[i], NULL);
    if (json_is_boolean(b)) return json_is_true(b) ? SAYS_YES : SAYS_NO;
    if (concept) return fhir_answer(concept, true);
    if (text) return fhir_words(json_string_value(text));
    says what = number ? fhir_number(o, number) : SAYS_NOTHING;
    if (what == SAYS_UNSURE) *why = "its number has no reference range that tells";
    return what;
}

med_fhir_said med_fhir_value(const json_t *o, const char *label, bool value_is_finding)
{
    bool is = false;
    const char *why = NULL;
    says meant = fhir_interpretation(o);
    says value = value_is_finding ? SAYS_NOTHING : fhir_any_value(o, &is, &why);
    if (meant && value && value != SAYS_UNSURE && meant != value) {
        /* "A" of a value out of its range agrees with it, and so do "yes" and "high". */
        bool out = value == SAYS_HIGH || value == SAYS_LOW;
        bool agree = (meant == SAYS_YES && out) ||
                     (value == SAYS_YES && meant != SAYS_NO && meant != SAYS_UNSURE);
        if (!agree)
            return (med_fhir_said){MED_UNCERTAIN, "its value and its interpretation differ"};
        return fhir_of(value, label);
    }
    if (meant) return fhir_of(meant, label);
    if (is) {
        med_fhir_said said = fhir_of(value, label);
        if (why) said.why = why;
        return said;
    }
    if (med_member(o, "dataAbsentReason", NULL))
        return (med_fhir_said){MED_UNCERTAIN, "it has a reason why there is no value"};
    if (med_member(o, "interpretation", NULL)) return fhir_of(SAYS_NOTHING, label);
    return (med_fhir_said){MED_PRESENT, NULL};
}
