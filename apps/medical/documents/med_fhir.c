/* SPDX-License-Identifier: Apache-2.0 */
/* med_fhir.c - FHIR R4: a Bundle, or one Observation or Condition. What is coded in HPO is taken:
 * observations, conditions and the history of family members. Everything else is counted and
 * named. */
#include "documents/med_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FHIR_TYPES = 24, FHIR_TYPE_BYTES = 40 };

typedef struct {
    med_document *d;
    const char *what;
    const char *born, *seen; /* dates: of birth, the last of an observation */
    uint32_t n_patient;
    char patient[80];
    struct {
        char name[FHIR_TYPE_BYTES];
        uint32_t n;
    } unread[FHIR_TYPES]; /* resources without a finding, by type */
    uint32_t n_unread, n_void, n_other_patient;
} fhir;

/* The coding of HPO within a CodeableConcept, as HP:0001250. */
static const char *fhir_hpo(const json_t *concept, char id[MED_HPO_ID_BYTES])
{
    json_t *c;
    size_t i;
    json_array_foreach(med_member(concept, "coding", NULL), i, c)
    {
        const char *code = med_member_text(c, "code", NULL);
        const char *system = med_member_text(c, "system", NULL);
        bool ours = system && strcmp(system, "http://human-phenotype-ontology.org") == 0 && code &&
                    strlen(code) < MED_HPO_ID_BYTES;
        if (!code || (!med_hpo_id(code, strlen(code), id) && !ours)) continue;
        if (ours) snprintf(id, MED_HPO_ID_BYTES, "%s", code);
        const char *label = med_member_text(c, "display", NULL);
        return label ? label : med_member_text(concept, "text", NULL);
    }
    *id = '\0';
    return NULL;
}

static bool fhir_coded(const json_t *concept, const char *const *codes, size_t n)
{
    json_t *c;
    size_t i;
    json_array_foreach(med_member(concept, "coding", NULL), i, c)
    {
        const char *code = med_member_text(c, "code", NULL);
        for (size_t k = 0; code && k < n; k++)
            if (strcmp(code, codes[k]) == 0) return true;
    }
    return false;
}

static bool fhir_any_coded(const json_t *concepts, const char *const *codes, size_t n)
{
    json_t *c;
    size_t i;
    json_array_foreach(concepts, i, c) if (fhir_coded(c, codes, n)) return true;
    return false;
}

/* Present or not: the value, the interpretation, the reason why there is no value. */
static med_status fhir_observed(const json_t *o, bool value_is_finding, bool *said)
{
    static const char *const yes[] = {"373066001", "52101004", "LA33-6", "LA9633-4", "Y", "POS"};
    static const char *const no[] = {"373067005", "2667000", "260385009", "LA32-8", "LA9634-2",
                                     "N",         "NEG",     "ABSENT",    "ND"};
    static const char *const unsure[] = {"IND",           "261665006", "373068000",
                                         "asked-unknown", "unknown",   "not-performed"};
    const json_t *b = med_member(o, "valueBoolean", NULL);
    const json_t *value = value_is_finding ? NULL : med_member(o, "valueCodeableConcept", NULL);
    const json_t *interpretation = med_member(o, "interpretation", NULL);
    const json_t *lacks = med_member(o, "dataAbsentReason", NULL);
    *said = true;
    if (json_is_boolean(b)) return json_is_true(b) ? MED_PRESENT : MED_ABSENT;
    if (fhir_coded(value, no, R1_COUNT(no)) || fhir_any_coded(interpretation, no, R1_COUNT(no)))
        return MED_ABSENT;
    if (fhir_coded(value, yes, R1_COUNT(yes)) || fhir_any_coded(interpretation, yes, R1_COUNT(yes)))
        return MED_PRESENT;
    if (fhir_coded(value, unsure, R1_COUNT(unsure)) || lacks ||
        fhir_any_coded(interpretation, unsure, R1_COUNT(unsure)))
        return MED_UNCERTAIN;
    *said = !value && !interpretation;
    return *said ? MED_PRESENT : MED_UNCERTAIN;
}

static bool fhir_is_void(const json_t *r)
{
    const char *status = med_member_text(r, "status", NULL);
    static const char *const error[] = {"entered-in-error"};
    return (status &&
            (strcmp(status, "entered-in-error") == 0 || strcmp(status, "cancelled") == 0)) ||
           fhir_coded(med_member(r, "verificationStatus", NULL), error, 1);
}

static void fhir_date(fhir *f, const char *date)
{
    if (date && (!f->seen || strcmp(date, f->seen) > 0)) f->seen = date;
}

static r1_status fhir_observation(fhir *f, const json_t *o, bool *read, r1_err *err)
{
    char id[MED_HPO_ID_BYTES], in_value[MED_HPO_ID_BYTES];
    const json_t *value = med_member(o, "valueCodeableConcept", NULL);
    const char *label = fhir_hpo(med_member(o, "code", NULL), id);
    const char *value_label = fhir_hpo(value, in_value);
    bool said;
    fhir_date(f, med_member_text(o, "effectiveDateTime", "issued"));
    if (!*id && !*in_value) return R1_OK;
    *read = true;
    med_status status = fhir_observed(o, !*id || *in_value, &said);
    if (!said)
        med_document_note(
            f->d, "%s: its value is none of yes, no, present or absent, so that it is uncertain.",
            *id ? id : in_value);
    return med_state(f->d, *in_value ? in_value : id, *in_value ? value_label : label, status,
                     f->what, err);
}

static r1_status fhir_condition(fhir *f, const json_t *o, bool *read, r1_err *err)
{
    static const char *const refuted[] = {"refuted"};
    static const char *const doubtful[] = {"unconfirmed", "provisional", "differential"};
    static const char *const past[] = {"resolved", "remission", "inactive"};
    char id[MED_HPO_ID_BYTES];
    const json_t *sure = med_member(o, "verificationStatus", NULL);
    const char *label = fhir_hpo(med_member(o, "code", NULL), id);
    fhir_date(f, med_member_text(o, "recordedDate", NULL));
    if (!*id) return R1_OK;
    *read = true;
    med_status status = MED_PRESENT;
    if (fhir_coded(med_member(o, "clinicalStatus", NULL), past, R1_COUNT(past)))
        status = MED_HISTORICAL;
    if (fhir_coded(sure, doubtful, R1_COUNT(doubtful))) status = MED_UNCERTAIN;
    if (fhir_coded(sure, refuted, R1_COUNT(refuted))) status = MED_ABSENT;
    return med_state(f->d, id, label, status, f->what, err);
}

static r1_status fhir_family(fhir *f, const json_t *o, bool *read, r1_err *err)
{
    json_t *c;
    size_t i;
    json_array_foreach(med_member(o, "condition", NULL), i, c)
    {
        char id[MED_HPO_ID_BYTES];
        const char *label = fhir_hpo(med_member(c, "code", NULL), id);
        if (!*id) continue;
        *read = true;
        R1_TRY(med_state(f->d, id, label, MED_FAMILY, f->what, err));
    }
    return R1_OK;
}

static r1_status fhir_patient(fhir *f, const json_t *o, r1_err *err)
{
    const char *sex = med_member_text(o, "gender", NULL), *id = med_member_text(o, "id", NULL);
    if (f->n_patient++)
        R1_FAIL(err, R1_E_FORMAT, "%s: a bundle of several patients: give each a file of its own",
                f->what);
    f->born = med_member_text(o, "birthDate", NULL);
    if (id) snprintf(f->patient, sizeof f->patient, "%s", id);
    if (sex && strcmp(sex, "female") == 0) f->d->sex = MED_SEX_FEMALE;
    if (sex && strcmp(sex, "male") == 0) f->d->sex = MED_SEX_MALE;
    return R1_OK;
}

static void fhir_unread(fhir *f, const char *type)
{
    for (uint32_t i = 0; i < f->n_unread; i++)
        if (strcmp(f->unread[i].name, type) == 0) {
            f->unread[i].n++;
            return;
        }
    uint32_t i = f->n_unread < FHIR_TYPES - 1 ? f->n_unread++ : FHIR_TYPES - 1;
    if (i == FHIR_TYPES - 1) f->n_unread = FHIR_TYPES;
    snprintf(f->unread[i].name, FHIR_TYPE_BYTES, "%s", i == FHIR_TYPES - 1 ? "others" : type);
    f->unread[i].n++;
}

/* A resource of another patient than the bundle's is not this one's finding. */
static bool fhir_foreign(const fhir *f, const json_t *o)
{
    const char *ref = med_member_text(med_member(o, "subject", "patient"), "reference", NULL);
    const char *id = ref ? strrchr(ref, '/') : NULL;
    return id && *f->patient && strncmp(ref, "Patient/", 8) == 0 && strcmp(id + 1, f->patient) != 0;
}

static r1_status fhir_resource(fhir *f, const json_t *o, r1_err *err)
{
    const char *type = med_member_text(o, "resourceType", NULL);
    bool read = false;
    if (!type)
        R1_FAIL(err, R1_E_FORMAT, "%s: a resource of the bundle without \"resourceType\"", f->what);
    if (strcmp(type, "Patient") == 0) return R1_OK;
    if (fhir_is_void(o)) {
        f->n_void++;
        return R1_OK;
    }
    if (fhir_foreign(f, o)) {
        f->n_other_patient++;
        return R1_OK;
    }
    if (strcmp(type, "Observation") == 0) R1_TRY(fhir_observation(f, o, &read, err));
    if (strcmp(type, "Condition") == 0) R1_TRY(fhir_condition(f, o, &read, err));
    if (strcmp(type, "FamilyMemberHistory") == 0) R1_TRY(fhir_family(f, o, &read, err));
    if (!read) fhir_unread(f, type);
    return R1_OK;
}

static void fhir_notes(fhir *f)
{
    for (uint32_t i = 0; i < f->n_unread; i++)
        med_document_note(f->d, "FHIR: %u %s without a code of HPO were not read.", f->unread[i].n,
                          f->unread[i].name);
    if (f->n_void)
        med_document_note(f->d, "FHIR: %u resources entered in error or cancelled were left out.",
                          f->n_void);
    if (f->n_other_patient)
        med_document_note(f->d, "FHIR: %u resources of another patient were left out.",
                          f->n_other_patient);
}

/* Each resource of a bundle; of anything else, itself. */
static r1_status fhir_each(fhir *f, const json_t *tree, bool patients, r1_err *err)
{
    json_t *entry;
    size_t i;
    const char *type = med_member_text(tree, "resourceType", NULL);
    if (strcmp(type, "Bundle") != 0) return patients ? R1_OK : fhir_resource(f, tree, err);
    json_array_foreach(med_member(tree, "entry", NULL), i, entry)
    {
        const json_t *o = med_member(entry, "resource", NULL);
        const char *kind = med_member_text(o, "resourceType", NULL);
        if (!o) continue;
        if (patients && kind && strcmp(kind, "Patient") == 0) R1_TRY(fhir_patient(f, o, err));
        if (!patients) R1_TRY(fhir_resource(f, o, err));
    }
    return R1_OK;
}

r1_status med_fhir(med_document *d, const char *what, const json_t *tree, r1_err *err)
{
    fhir f = {.d = d, .what = what};
    d->kind = MED_DOCUMENT_FHIR;
    R1_TRY(fhir_each(&f, tree, true, err));
    R1_TRY(fhir_each(&f, tree, false, err));
    med_keep_birth(d, f.born);
    d->age_years = med_years_between(f.born, f.seen);
    if (f.born && isnan(d->age_years))
        med_document_note(d, "FHIR: a date of birth, but no dated observation: no age.");
    fhir_notes(&f);
    return R1_OK;
}
