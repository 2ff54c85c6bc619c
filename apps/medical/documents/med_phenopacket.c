/* SPDX-License-Identifier: Apache-2.0 */
/* med_phenopacket.c - phenopackets of the GA4GH, versions 1 and 2, with the names of JSON and of
 * protobuf's text. Findings, sex and age are taken. Diagnoses are not: they are what is asked. */
#include "documents/med_parts.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static json_t *packet_features(const json_t *o)
{
    json_t *v = med_member(o, "phenotypicFeatures", "phenotypic_features");
    return v ? v : med_member(o, "phenotypes", NULL);
}

bool med_is_phenopacket(const json_t *tree)
{
    const json_t *proband = med_member(tree, "proband", "phenopacket");
    bool empty = med_member(tree, "metaData", "meta_data") && med_member(tree, "subject", NULL);
    return packet_features(tree) || packet_features(proband) || empty ||
           json_is_array(med_member(tree, "members", NULL));
}

/* {"age": {"iso8601duration": "P1Y"}}, {"age": "P1Y"}, a range with start and end, or a time
 * stamp beside the date of birth. */
static float packet_age_of(const json_t *time, const char *born)
{
    static const char *const range[] = {"start", "end"};
    if (json_is_string(time)) return med_iso_years(json_string_value(time));
    const json_t *age = med_member(time, "age", NULL),
                 *span = med_member(time, "ageRange", "age_range");
    const char *iso = json_is_string(age)
                          ? json_string_value(age)
                          : med_member_text(age ? age : time, "iso8601duration", "age");
    if (iso) return med_iso_years(iso);
    if (span) {
        float sum = 0;
        for (int i = 0; i < 2; i++) sum += packet_age_of(med_member(span, range[i], NULL), born);
        return sum / 2;
    }
    return med_years_between(born, med_member_text(time, "timestamp", NULL));
}

static void packet_person(med_document *d, const json_t *subject)
{
    const char *sex = med_member_text(subject, "sex", NULL);
    const char *born = med_member_text(subject, "dateOfBirth", "date_of_birth");
    const json_t *when = med_member(subject, "timeAtLastEncounter", "time_at_last_encounter");
    if (!when) when = med_member(subject, "ageAtCollection", "age_at_collection");
    if (!when) when = med_member(subject, "age", NULL);
    if (sex && strcasecmp(sex, "FEMALE") == 0) d->sex = MED_SEX_FEMALE;
    if (sex && strcasecmp(sex, "MALE") == 0) d->sex = MED_SEX_MALE;
    med_keep_birth(d, born);
    if (when) d->age_years = packet_age_of(when, born);
    if (when && isnan(d->age_years))
        med_document_note(d, "The age of the subject is in a form that is not read.");
    if (!when && born)
        med_document_note(d, "A date of birth without the date of an examination gives no age.");
}

static r1_status packet_feature(med_document *d, const char *what, size_t i, const json_t *f,
                                r1_err *err)
{
    const json_t *type = med_member(f, "type", NULL);
    const char *id = med_member_text(type, "id", NULL);
    const json_t *no = med_member(f, "excluded", "negated");
    if (!id)
        R1_FAIL(err, R1_E_FORMAT, "%s: feature %zu: expected \"type\" with an \"id\"", what, i + 1);
    if (no && !json_is_boolean(no))
        R1_FAIL(err, R1_E_FORMAT, "%s: feature %zu: \"excluded\" is true or false", what, i + 1);
    bool gone = med_member(f, "resolution", NULL) && !json_is_true(no);
    return med_state(d, id, med_member_text(type, "label", NULL),
                     json_is_true(no) ? MED_ABSENT
                     : gone           ? MED_HISTORICAL
                                      : MED_PRESENT,
                     what, err);
}

static void packet_left_out(med_document *d, const json_t *o)
{
    static const struct {
        const char *name, *other, *note;
    } parts[] = {
        {"diseases", NULL, "diseases stated in the file are not used: they are what is asked"},
        {"interpretations", NULL,
         "interpretations of the file are not used: they are what is asked"},
        {"measurements", NULL, "measurements are not read"},
        {"biosamples", NULL, "samples, and what they show, are not read"},
        {"genes", NULL, "genes are not read"},
        {"variants", NULL, "variants are not read"}};
    for (size_t i = 0; i < R1_COUNT(parts); i++) {
        size_t n = json_array_size(med_member(o, parts[i].name, parts[i].other));
        if (n) med_document_note(d, "Of the phenopacket, %s (%zu).", parts[i].note, n);
    }
}

/* The one person of a cohort of one. */
static r1_status packet_of_cohort(const json_t *tree, const char *what, const json_t **o,
                                  r1_err *err)
{
    const json_t *members = med_member(tree, "members", NULL);
    *o = med_member(tree, "proband", "phenopacket");
    if (!*o) *o = tree;
    if (!json_is_array(members)) return R1_OK;
    if (json_array_size(members) != 1)
        R1_FAIL(err, R1_E_FORMAT, "%s: a cohort of %zu: give each member a file of its own", what,
                json_array_size(members));
    *o = json_array_get(members, 0);
    return R1_OK;
}

/* What is said of the other persons of a family: nothing of it is the proband's. */
static void packet_relatives(med_document *d, const json_t *tree)
{
    size_t n = json_array_size(med_member(tree, "relatives", NULL));
    if (!n && !med_member(tree, "pedigree", NULL)) return;
    med_document_note(d,
                      "Of the family, the proband alone is read: %zu relatives with a packet of "
                      "their own and the pedigree are left out.",
                      n);
}

r1_status med_phenopacket(med_document *d, const char *what, const json_t *tree, r1_err *err)
{
    const json_t *o;
    json_t *f;
    size_t i, n_onset = 0;
    d->kind = MED_DOCUMENT_PHENOPACKET;
    R1_TRY(packet_of_cohort(tree, what, &o, err));
    packet_relatives(d, tree);
    const json_t *features = packet_features(o);
    if (features && !json_is_array(features))
        R1_FAIL(err, R1_E_FORMAT, "%s: \"phenotypicFeatures\" is no list", what);
    packet_person(d, med_member(o, "subject", NULL));
    json_array_foreach(features, i, f)
    {
        R1_TRY(packet_feature(d, what, i, f, err));
        n_onset += med_member(f, "onset", "classOfOnset") != NULL;
    }
    if (n_onset)
        med_document_note(d,
                          "The onset of %zu findings is not used: the ranking asks for the age "
                          "at the examination alone.",
                          n_onset);
    packet_left_out(d, o);
    return R1_OK;
}
