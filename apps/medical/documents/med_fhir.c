/* SPDX-License-Identifier: Apache-2.0 */
/* med_fhir.c - FHIR R4: a Bundle, or one resource. What is coded in HPO is taken: observations with
 * their components, conditions, and the history of family members, also where another resource
 * contains them. Everything else is counted and named. A bundle of several patients is refused. */
#include "documents/med_fhir_value.h"
#include "documents/med_parts.h"
#include "ontology/med_namespace.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FHIR_TYPES = 24, FHIR_TYPE_BYTES = 40, FHIR_REFERENCE_BYTES = 200 };

typedef struct {
    med_document *d;
    const char *what;
    const char *born, *seen;            /* dates: of birth, the last of an observation */
    const json_t *patient;              /* the resource, NULL: none */
    const char *url;                    /* its fullUrl, or NULL */
    char subject[FHIR_REFERENCE_BYTES]; /* without such a resource: whom the first one speaks of */
    struct {
        char name[FHIR_TYPE_BYTES];
        uint32_t n;
    } unread[FHIR_TYPES]; /* resources without a finding, by type */
    uint32_t n_unread, n_void, n_registered, n_other_patient, n_focus, n_component;
} fhir;

/* The coding of HPO, or of our own ontology, within a CodeableConcept, as HP:0001250. */
static const char *fhir_hpo(const json_t *concept, char id[MED_HPO_ID_BYTES])
{
    json_t *c;
    size_t i;
    json_array_foreach(med_member(concept, "coding", NULL), i, c)
    {
        const char *code = med_member_text(c, "code", NULL);
        const char *system = med_member_text(c, "system", NULL);
        bool ours =
            system && med_namespace_of_system(system) && code && strlen(code) < MED_HPO_ID_BYTES;
        if (!code || (!med_hpo_id(code, strlen(code), id) && !ours)) continue;
        if (ours) snprintf(id, MED_HPO_ID_BYTES, "%s", code);
        const char *label = med_member_text(c, "display", NULL);
        return label ? label : med_member_text(concept, "text", NULL);
    }
    *id = '\0';
    return NULL;
}

static bool fhir_has_code(const json_t *concept, const char *code)
{
    return med_fhir_coded(concept, &code, 1);
}

/* Whether the resource was taken back, or has no result yet. */
static bool fhir_is_void(fhir *f, const json_t *r)
{
    const char *status = med_member_text(r, "status", NULL);
    bool wrong = fhir_has_code(med_member(r, "verificationStatus", NULL), "entered-in-error");
    if (status && strcmp(status, "registered") == 0) {
        f->n_registered++;
        return true;
    }
    if (status && (strcmp(status, "entered-in-error") == 0 || strcmp(status, "cancelled") == 0))
        wrong = true;
    f->n_void += wrong;
    return wrong;
}

/* Adds a finding; one whose status is guessed gets a note. An extension that may change what the
 * resource means leaves nothing sure. */
static r1_status fhir_state(fhir *f, const json_t *o, const char *id, const char *label,
                            med_fhir_said said, r1_err *err)
{
    const char *status = med_member_text(o, "status", NULL);
    bool unknown = status && strcmp(status, "unknown") == 0;
    if (said.status != MED_UNCERTAIN && unknown)
        said = (med_fhir_said){MED_UNCERTAIN, "the status of its resource is unknown"};
    if (med_member(o, "modifierExtension", NULL))
        said = (med_fhir_said){MED_UNCERTAIN, "an extension may change its meaning"};
    if (said.why) med_document_note(f->d, "FHIR: %s is uncertain: %s.", id, said.why);
    return med_state(f->d, id, label, said.status, f->what, err);
}

static void fhir_date(fhir *f, const char *date)
{
    if (date && (!f->seen || strcmp(date, f->seen) > 0)) f->seen = date;
}

/* An observation, or one of its components; *read: it names a finding. */
static r1_status fhir_coded_value(fhir *f, const json_t *o, const json_t *whole, bool *read,
                                  r1_err *err)
{
    char id[MED_HPO_ID_BYTES], in_value[MED_HPO_ID_BYTES];
    const char *label = fhir_hpo(med_member(o, "code", NULL), id);
    const char *value_label = fhir_hpo(med_member(o, "valueCodeableConcept", NULL), in_value);
    if (!*id && !*in_value) return R1_OK;
    *read = true;
    med_fhir_said said = med_fhir_value(o, label, *in_value);
    if (*id && strcmp(id, in_value) != 0) R1_TRY(fhir_state(f, whole, id, label, said, err));
    if (*in_value) R1_TRY(fhir_state(f, whole, in_value, value_label, said, err));
    return R1_OK;
}

static r1_status fhir_observation(fhir *f, const json_t *o, bool *read, r1_err *err)
{
    json_t *part;
    size_t i;
    fhir_date(f, med_member_text(o, "effectiveDateTime", "issued"));
    R1_TRY(fhir_coded_value(f, o, o, read, err));
    json_array_foreach(med_member(o, "component", NULL), i, part)
    {
        bool taken = false;
        R1_TRY(fhir_coded_value(f, part, o, &taken, err));
        f->n_component += !taken;
        *read = *read || taken;
    }
    return R1_OK;
}

static bool fhir_has_ended(const json_t *o)
{
    static const char *const past[] = {"resolved", "remission", "inactive"};
    const json_t *end = med_member(o, "abatementBoolean", NULL);
    return med_fhir_coded(med_member(o, "clinicalStatus", NULL), past, R1_COUNT(past)) ||
           json_is_true(end) || med_member(o, "abatementDateTime", "abatementAge") ||
           med_member(o, "abatementPeriod", "abatementRange") ||
           med_member(o, "abatementString", NULL);
}

static r1_status fhir_condition(fhir *f, const json_t *o, bool *read, r1_err *err)
{
    static const char *const doubtful[] = {"unconfirmed", "provisional", "differential"};
    static const char *const ours[] = {"unconfirmed", "provisional", "differential", "refuted",
                                       "confirmed"};
    char id[MED_HPO_ID_BYTES];
    const json_t *sure = med_member(o, "verificationStatus", NULL);
    const char *label = fhir_hpo(med_member(o, "code", NULL), id);
    med_fhir_said said = {fhir_has_ended(o) ? MED_HISTORICAL : MED_PRESENT, NULL};
    fhir_date(f, med_member_text(o, "recordedDate", NULL));
    if (!*id) return R1_OK;
    *read = true;
    if (med_fhir_coded(sure, doubtful, R1_COUNT(doubtful))) said.status = MED_UNCERTAIN;
    if (fhir_has_code(sure, "refuted")) said.status = MED_ABSENT;
    if (sure && !med_fhir_coded(sure, ours, R1_COUNT(ours)))
        said = (med_fhir_said){MED_UNCERTAIN, "its verificationStatus is none of FHIR R4"};
    return fhir_state(f, o, id, label, said, err);
}

/* The conditions of a relative; of a history of the patient's own they are the patient's. */
static r1_status fhir_family(fhir *f, const json_t *o, bool *read, r1_err *err)
{
    json_t *c;
    size_t i;
    bool own = fhir_has_code(med_member(o, "relationship", NULL), "ONESELF");
    json_array_foreach(med_member(o, "condition", NULL), i, c)
    {
        char id[MED_HPO_ID_BYTES];
        const char *label = fhir_hpo(med_member(c, "code", NULL), id);
        if (!*id) continue;
        *read = true;
        const med_fhir_said said = {own ? MED_HISTORICAL : MED_FAMILY, NULL};
        R1_TRY(fhir_state(f, o, id, label, said, err));
    }
    return R1_OK;
}

/* ---- whom a resource speaks of --------------------------------------------------------------- */

/* "http://server/fhir/Patient/7/_history/2" is "Patient/7". */
static void fhir_short_reference(const char *ref, char out[FHIR_REFERENCE_BYTES])
{
    const char *at = NULL;
    for (const char *s = ref; (s = strstr(s, "Patient/")); s++)
        if (s == ref || s[-1] == '/') at = s;
    if (!at) at = ref;
    const char *end = strstr(at, "/_history");
    int n = (int)(end ? end - at : (long)strlen(at));
    snprintf(out, FHIR_REFERENCE_BYTES, "%.*s", n, at);
}

static bool fhir_is_patient(const fhir *f, const char *ref)
{
    char shorter[FHIR_REFERENCE_BYTES];
    const char *id = med_member_text(f->patient, "id", NULL);
    fhir_short_reference(ref, shorter);
    if (!f->patient) return strcmp(shorter, f->subject) == 0;
    if (f->url && strcmp(ref, f->url) == 0) return true;
    if (!id) return !f->url && (strstr(shorter, "Patient/") == shorter || strchr(ref, ':'));
    const char *behind = strncmp(shorter, "Patient/", 8) == 0    ? shorter + 8
                         : strncmp(shorter, "urn:uuid:", 9) == 0 ? shorter + 9
                         : *shorter == '#'                       ? shorter + 1
                                                                 : "";
    return strcmp(behind, id) == 0;
}

static const char *fhir_subject(const json_t *o)
{
    return med_member_text(med_member(o, "subject", "patient"), "reference", NULL);
}

/* A resource of another patient, or about somebody or something else, is not this one's. */
static bool fhir_foreign(fhir *f, const json_t *o)
{
    const char *ref = fhir_subject(o);
    json_t *focus;
    size_t i;
    if (ref && !fhir_is_patient(f, ref)) {
        f->n_other_patient++;
        return true;
    }
    json_array_foreach(med_member(o, "focus", NULL), i, focus)
    {
        const char *at = med_member_text(focus, "reference", NULL);
        if (at && fhir_is_patient(f, at)) continue;
        f->n_focus++;
        return true;
    }
    return false;
}

/* The patient of a bundle; the same one again is no other. url: its fullUrl, "": none, NULL: it is
 * contained in a resource, and its id is of that resource alone. */
static r1_status fhir_patient(fhir *f, const json_t *o, const char *url, r1_err *err)
{
    const char *sex = med_member_text(o, "gender", NULL), *id = med_member_text(o, "id", NULL);
    const char *first = med_member_text(f->patient, "id", NULL);
    bool again = id && first && strcmp(id, first) == 0 && (url || json_equal(o, f->patient));
    if (f->patient && !again)
        R1_FAIL(err, R1_E_FORMAT, "%s: a bundle of several patients: give each a file of its own",
                f->what);
    f->patient = o;
    if (url && *url) f->url = url;
    f->born = med_member_text(o, "birthDate", NULL);
    if (sex && strcmp(sex, "female") == 0) f->d->sex = MED_SEX_FEMALE;
    if (sex && strcmp(sex, "male") == 0) f->d->sex = MED_SEX_MALE;
    return R1_OK;
}

/* The patient of a resource without one of its own in the bundle: whom all others speak of too. */
static r1_status fhir_one_subject(fhir *f, const json_t *o, r1_err *err)
{
    char shorter[FHIR_REFERENCE_BYTES];
    const char *ref = fhir_subject(o);
    if (!ref) return R1_OK;
    fhir_short_reference(ref, shorter);
    if (!*f->subject) memcpy(f->subject, shorter, sizeof shorter);
    if (strcmp(f->subject, shorter) != 0)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: its resources speak of several patients: give each a file of its own",
                f->what);
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

static r1_status fhir_resource(fhir *f, const json_t *o, r1_err *err)
{
    const char *type = med_member_text(o, "resourceType", NULL);
    bool read = false;
    json_t *inner;
    size_t i;
    if (!type)
        R1_FAIL(err, R1_E_FORMAT, "%s: a resource of the bundle without \"resourceType\"", f->what);
    if (strcmp(type, "Patient") == 0) return R1_OK;
    if (fhir_is_void(f, o) || fhir_foreign(f, o)) return R1_OK;
    if (strcmp(type, "Observation") == 0) R1_TRY(fhir_observation(f, o, &read, err));
    if (strcmp(type, "Condition") == 0) R1_TRY(fhir_condition(f, o, &read, err));
    if (strcmp(type, "FamilyMemberHistory") == 0) R1_TRY(fhir_family(f, o, &read, err));
    if (!read) fhir_unread(f, type);
    /* FHIR allows no resource within a contained one, and the reader's depth is bounded. */
    json_array_foreach(med_member(o, "contained", NULL), i, inner)
        R1_TRY(fhir_resource(f, inner, err));
    return R1_OK;
}

static void fhir_notes(fhir *f)
{
    const struct {
        uint32_t n;
        const char *words;
    } left[] = {{f->n_void, "resources entered in error or cancelled"},
                {f->n_registered, "resources that are registered and have no result yet"},
                {f->n_other_patient, "resources of another patient"},
                {f->n_focus, "observations about somebody or something else (focus)"},
                {f->n_component, "components of observations without a code of HPO"}};
    for (uint32_t i = 0; i < f->n_unread; i++)
        med_document_note(f->d, "FHIR: %u %s without a code of HPO were not read.", f->unread[i].n,
                          f->unread[i].name);
    for (size_t i = 0; i < R1_COUNT(left); i++)
        if (left[i].n)
            med_document_note(f->d, "FHIR: %u %s were left out.", left[i].n, left[i].words);
}

typedef enum { FHIR_PATIENTS, FHIR_SUBJECTS, FHIR_FINDINGS } fhir_pass;

static r1_status fhir_visit(fhir *f, const json_t *o, const char *url, fhir_pass pass, r1_err *err)
{
    const char *type = med_member_text(o, "resourceType", NULL);
    json_t *inner;
    size_t i;
    if (pass == FHIR_FINDINGS) return fhir_resource(f, o, err);
    if (pass == FHIR_SUBJECTS) return f->patient ? R1_OK : fhir_one_subject(f, o, err);
    if (type && strcmp(type, "Patient") == 0) R1_TRY(fhir_patient(f, o, url, err));
    json_array_foreach(med_member(o, "contained", NULL), i, inner)
        R1_TRY(fhir_visit(f, inner, NULL, pass, err));
    return R1_OK;
}

/* Each resource of a bundle; of anything else, itself. */
static r1_status fhir_each(fhir *f, const json_t *tree, fhir_pass pass, r1_err *err)
{
    json_t *entry;
    size_t i;
    const char *type = med_member_text(tree, "resourceType", NULL);
    if (strcmp(type, "Bundle") != 0) return fhir_visit(f, tree, "", pass, err);
    json_array_foreach(med_member(tree, "entry", NULL), i, entry)
    {
        const json_t *o = med_member(entry, "resource", NULL);
        const char *url = med_member_text(entry, "fullUrl", NULL);
        if (o) R1_TRY(fhir_visit(f, o, url ? url : "", pass, err));
    }
    return R1_OK;
}

r1_status med_fhir(med_document *d, const char *what, const json_t *tree, r1_err *err)
{
    fhir f = {.d = d, .what = what};
    d->kind = MED_DOCUMENT_FHIR;
    for (fhir_pass pass = FHIR_PATIENTS; pass <= FHIR_FINDINGS; pass++)
        R1_TRY(fhir_each(&f, tree, pass, err));
    med_keep_birth(d, f.born);
    d->age_years = med_years_between(f.born, f.seen);
    if (f.born && isnan(d->age_years))
        med_document_note(d, "FHIR: a date of birth, but no dated observation: no age.");
    fhir_notes(&f);
    uint32_t n = f.n_component;
    for (uint32_t i = 0; i < f.n_unread; i++) n += f.unread[i].n;
    if (d->n_stated == 0)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: a %s without findings that can be taken: %u resources or components without a "
                "code of HPO, %u taken back, %u without a result yet, %u of other patients, %u "
                "about somebody else",
                what, med_document_name[d->kind], n, f.n_void, f.n_registered, f.n_other_patient,
                f.n_focus);
    return R1_OK;
}
