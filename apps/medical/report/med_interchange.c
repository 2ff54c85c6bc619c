/* SPDX-License-Identifier: Apache-2.0 */
/* med_interchange.c - see med_interchange.h. */
#include "report/med_interchange.h"

#include "ontology/med_namespace.h"
#include "print/med_put.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char maker[] = "r1-medical";

/* Adds to an array or an object; a NULL value is no memory, which jansson passes on. */
static void append(json_t *array, json_t *value, bool *good)
{
    *good = json_array_append_new(array, value) == 0 && *good;
}

static void set(json_t *o, const char *key, json_t *value, bool *good)
{
    *good = json_object_set_new(o, key, value) == 0 && *good;
}

static json_t *named(const char *id, const char *label)
{
    return json_pack("{s:o, s:o}", "id", med_json_string(id), "label", med_json_string(label));
}

static r1_status finished(json_t *o, bool good, json_t **out, r1_err *err)
{
    if (o && good) {
        *out = o;
        return R1_OK;
    }
    json_decref(o);
    R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
}

/* ---- phenopacket ----------------------------------------------------------------------------- */

/* P12Y6M */
static json_t *packet_age(double years)
{
    char iso[32];
    long months = lround(years * 12);
    if (months >= 24 || months == 0)
        snprintf(iso, sizeof iso, "P%ldY%ldM", months / 12, months % 12);
    else
        snprintf(iso, sizeof iso, "P%ldM", months);
    if (months == 0) snprintf(iso, sizeof iso, "P%ldD", lround(years * 365.25));
    return json_pack("{s:{s:s}}", "age", "iso8601duration", iso);
}

static json_t *packet_subject(const med_report *r, bool *good)
{
    const char *sex = strcmp(r->sex, "female") == 0 ? "FEMALE"
                      : strcmp(r->sex, "male") == 0 ? "MALE"
                                                    : "UNKNOWN_SEX";
    json_t *o = json_pack("{s:o, s:s}", "id", med_json_string(r->title), "sex", sex);
    if (r->born && strlen(r->born) == 10) { /* a point in time: a year alone is none */
        char born[40];
        snprintf(born, sizeof born, "%.10sT00:00:00Z", r->born);
        set(o, "dateOfBirth", json_string(born), good);
    }
    if (!isnan(r->age_years)) set(o, "timeAtLastEncounter", packet_age(r->age_years), good);
    return o;
}

static json_t *packet_finding(const med_report_finding *f, bool excluded, bool *good)
{
    const med_report_quote *q = &f->quote;
    json_t *o = json_pack("{s:o}", "type", named(f->id, f->name));
    if (excluded) set(o, "excluded", json_true(), good);
    set(o, "description",
        q->added ? json_string(med_english_ADDED_BY_REVIEWER)
                 : med_json_span(q->sentence.s, q->sentence.len),
        good);
    /* Of an added one a person is sure, and nothing says from what: a term of an author's statement
     * or of a curator's inference would say more than is known. */
    set(o, "evidence",
        json_pack("[{s:{s:s, s:s}}]", "evidenceCode", "id",
                  q->added ? "ECO:0000352" : "ECO:0000501", "label",
                  q->added ? "evidence used in manual assertion"
                           : "evidence used in automatic assertion"),
        good);
    return o;
}

/* The version of its source, where the knowledge base has one. */
static const char *packet_version(const med_report *r, const med_namespace *x)
{
    for (uint32_t i = 0; x->source && i < r->n_source; i++)
        if (strncmp(r->source[i].name, x->source, strlen(x->source)) == 0)
            return r->source[i].version;
    return NULL;
}

static json_t *packet_resource(const med_report *r, const med_namespace *x, bool *good)
{
    const char *version = packet_version(r, x);
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", x->resource, "name", x->name, "url",
                          x->url, "namespacePrefix", x->prefix, "iriPrefix", x->iri);
    if (version) set(o, "version", med_json_string(version), good);
    return o;
}

static bool packet_uses(const med_report_findings *list, const med_namespace *x)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (med_namespace_of(list->row[i].id) == x) return true;
    return false;
}

/* Those whose ids the packet has; each finding has evidence. */
static json_t *packet_resources(const med_report *r, bool *good)
{
    json_t *list = json_array();
    const med_namespace *x, *evidence = med_namespace_of("ECO:");
    for (size_t i = 0; (x = med_namespace_at(i)); i++)
        if (packet_uses(&r->observed, x) || packet_uses(&r->excluded, x) ||
            (x == evidence && r->observed.n + r->excluded.n))
            append(list, packet_resource(r, x, good), good);
    return list;
}

/* A packet's time is an instant: of a day alone its beginning in UTC stands there. */
static void packet_time(const char *date, char out[40])
{
    snprintf(out, 40, "%.20s%s", date, strlen(date) == 10 ? "T00:00:00Z" : "");
}

/* Who signed the review, and when. */
static void packet_sign(json_t *meta, const med_report *r, bool *good)
{
    const med_signing *x = r->signing ? r->signing->stated : NULL;
    char names[MED_SIGNERS_MAX * (MED_SIGNER_BYTES + 2)] = "", comment[120];
    json_t *updates = x && x->n ? json_array() : NULL;
    size_t n = 0;
    if (!updates) return;
    snprintf(comment, sizeof comment, "signed review %u, SHA-256 %s", x->review, x->hash);
    for (uint32_t i = 0; i < x->n; i++) {
        const med_signature *by = &x->signature[i];
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", by->by);
        append(updates,
               json_pack("{s:s, s:o, s:s}", "timestamp", by->at, "updatedBy",
                         med_json_string(by->by), "comment", comment),
               good);
    }
    set(meta, "submittedBy", med_json_string(names), good);
    set(meta, "updates", updates, good);
}

r1_status med_report_phenopacket(const med_report *r, const char *date, json_t **out, r1_err *err)
{
    bool good = true;
    char created[40];
    json_t *features = json_array(), *resources = packet_resources(r, &good);
    packet_time(date, created);
    for (uint32_t i = 0; i < r->observed.n; i++)
        append(features, packet_finding(&r->observed.row[i], false, &good), &good);
    for (uint32_t i = 0; i < r->excluded.n; i++)
        append(features, packet_finding(&r->excluded.row[i], true, &good), &good);
    json_t *o = json_pack(
        "{s:o, s:o, s:o, s:{s:s, s:s, s:o, s:s}}", "id", med_json_string(r->title), "subject",
        packet_subject(r, &good), "phenotypicFeatures", features, "metaData", "created", created,
        "createdBy", maker, "resources", resources, "phenopacketSchemaVersion", "2.0");
    if (o) packet_sign(json_object_get(o, "metaData"), r, &good);
    return finished(o, good, out, err);
}

/* ---- FHIR ------------------------------------------------------------------------------------ */

typedef struct {
    const med_report *r;
    json_t *entry; /* of the bundle */
    uint64_t seed; /* of the ids */
    char patient[64];
    const char *date; /* a day or an instant */
    bool good;
} fhir_maker;

/* An id that follows from the report and the resource's number, in the form of a UUID. */
static void fhir_urn(const fhir_maker *m, size_t i, char urn[64])
{
    uint64_t key[2] = {m->seed, i};
    uint64_t a = r1_hash64(key, sizeof key, 1), b = r1_hash64(key, sizeof key, 2);
    snprintf(urn, 64, "urn:uuid:%08x-%04x-8%03x-8%03x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(b >> 52),
             (unsigned long long)(b & 0xffffffffffffu));
}

static void fhir_add(fhir_maker *m, json_t *resource, char urn[64])
{
    fhir_urn(m, json_array_size(m->entry), urn);
    append(m->entry, json_pack("{s:s, s:o}", "fullUrl", urn, "resource", resource), &m->good);
}

static json_t *fhir_reference(const char *urn) { return json_pack("{s:s}", "reference", urn); }

/* system NULL: the code is of none that has a name. */
static json_t *fhir_concept(const char *system, const char *code, const char *display)
{
    return json_pack("{s:[{s:s*, s:o, s:o}], s:o}", "coding", "system", system, "code",
                     med_json_string(code), "display", med_json_string(display), "text",
                     med_json_string(display));
}

static json_t *fhir_finding(const med_report_finding *f)
{
    const med_namespace *x = med_namespace_of(f->id);
    return fhir_concept(x ? x->system : NULL, f->id, f->name);
}

static void fhir_add_patient(fhir_maker *m)
{
    json_t *o = json_pack("{s:s, s:s}", "resourceType", "Patient", "gender", m->r->sex);
    if (m->r->born) set(o, "birthDate", med_json_string(m->r->born), &m->good);
    fhir_add(m, o, m->patient);
}

/* "final" where the review is signed. */
static const char *fhir_status(const med_report *r)
{
    return r->signing && r->signing->by.n ? "final" : "preliminary";
}

static void fhir_add_finding(fhir_maker *m, const med_report_finding *f, bool excluded,
                             json_t *results)
{
    char urn[64];
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:o, s:b, s:[o], s:[{s:o}]}", "resourceType", "Observation",
                  "status", fhir_status(m->r), "code", fhir_finding(f), "subject",
                  fhir_reference(m->patient), "valueBoolean", !excluded, "interpretation",
                  fhir_concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
                               excluded ? "NEG" : "POS", excluded ? "Negative" : "Positive"),
                  "note", "text",
                  f->quote.added ? json_string(med_english_ADDED_BY_REVIEWER)
                                 : med_json_span(f->quote.sentence.s, f->quote.sentence.len));
    fhir_add(m, o, urn);
    append(results, fhir_reference(urn), &m->good);
}

/* A disease by its prefix: OMIM's and Orphanet's codes are the number alone. */
static json_t *fhir_disease(const char *id, const char *name)
{
    if (strncmp(id, "OMIM:", 5) == 0) return fhir_concept("https://omim.org", id + 5, name);
    if (strncmp(id, "ORPHA:", 6) == 0) return fhir_concept("http://www.orpha.net", id + 6, name);
    return fhir_concept("http://purl.obolibrary.org/obo/mondo.owl", id, name);
}

static void fhir_add_candidate(fhir_maker *m, const med_report_candidate *c)
{
    char urn[64], note[120];
    snprintf(note, sizeof note, "Candidate %u of a ranking by findings: probability %.3f.", c->rank,
             c->probability);
    json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:[{s:s}]}", "resourceType", "Condition",
                          "verificationStatus",
                          fhir_concept("http://terminology.hl7.org/CodeSystem/condition-ver-status",
                                       "differential", "Differential"),
                          "code", fhir_disease(c->id, c->name), "subject",
                          fhir_reference(m->patient), "note", "text", note);
    fhir_add(m, o, urn);
}

/* FHIR records an instant. Of a day alone the resource says the day, and that the instant is not
 * known. */
static void fhir_set_recorded(fhir_maker *m, json_t *provenance)
{
    bool day = strlen(m->date) == 10;
    if (day)
        set(provenance, "_recorded",
            json_pack("{s:[{s:s, s:s}]}", "extension", "url",
                      "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode",
                      "unknown"),
            &m->good);
    set(provenance, day ? "occurredDateTime" : "recorded", json_string(m->date), &m->good);
}

/* Each signer as an agent with a signature, and the review as an entity. */
static void fhir_sign(fhir_maker *m, json_t *provenance)
{
    const med_signing *x = m->r->signing ? m->r->signing->stated : NULL;
    char review[120], number[16];
    if (!x) return;
    snprintf(review, sizeof review, "review %u, SHA-256 %s", x->review, x->hash);
    snprintf(number, sizeof number, "%u", x->review);
    append(json_object_get(provenance, "entity"),
           json_pack("{s:s, s:{s:{s:s}, s:s}}", "role", "source", "what", "identifier", "value",
                     number, "display", review),
           &m->good);
    json_t *signature = x->n ? json_array() : NULL; /* FHIR has no empty lists */
    for (uint32_t i = 0; i < x->n; i++) {
        const med_signature *by = &x->signature[i];
        append(json_object_get(provenance, "agent"),
               json_pack(
                   "{s:o, s:{s:o}}", "type",
                   fhir_concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                                "attester", "Attester"),
                   "who", "display", med_json_string(by->by)),
               &m->good);
        append(signature,
               json_pack("{s:[{s:s, s:s, s:s}], s:s, s:{s:o}}", "type", "system",
                         "urn:iso-astm:E1762-95:2013", "code", "1.2.840.10065.1.12.1.5", "display",
                         "Verification Signature", "when", by->at, "who", "display",
                         med_json_string(by->by)),
               &m->good);
    }
    if (signature) set(provenance, "signature", signature, &m->good);
}

static void fhir_add_provenance(fhir_maker *m, const char *report)
{
    char by[64];
    json_t *p =
        json_pack("{s:s, s:[o], s:[{s:{s:s}}], s:[{s:s, s:{s:o}}]}", "resourceType", "Provenance",
                  "target", fhir_reference(report), "agent", "who", "display", maker, "entity",
                  "role", "source", "what", "display", med_json_string(m->r->title));
    fhir_set_recorded(m, p);
    fhir_sign(m, p);
    fhir_add(m, p, by);
}

static void fhir_add_report(fhir_maker *m, json_t *results)
{
    const med_report *r = m->r;
    char urn[64], conclusion[900] = "No candidate.";
    if (r->n_candidate)
        snprintf(conclusion, sizeof conclusion, "%.300s%s%s %.200s (%.40s), probability %.3f. %s",
                 r->scope ? r->scope : "", r->scope ? " " : "",
                 r->confident ? "First candidate:" : "No confident candidate; the nearest is",
                 r->candidate[0].name, r->candidate[0].id, r->candidate[0].probability,
                 MED_SAY(MED_WORDS_EN, BANNER));
    json_t *o = json_pack("{s:s, s:s, s:{s:s}, s:o, s:s, s:o}", "resourceType", "DiagnosticReport",
                          "status", fhir_status(r), "code", "text",
                          "Rare diseases ranked by clinical findings", "subject",
                          fhir_reference(m->patient), "effectiveDateTime", m->date, "conclusion",
                          med_json_string(conclusion));
    if (json_array_size(results)) /* FHIR has no empty lists */
        set(o, "result", results, &m->good);
    else
        json_decref(results);
    fhir_add(m, o, urn);
    fhir_add_provenance(m, urn);
}

r1_status med_report_fhir(const med_report *r, const char *date, json_t **out, r1_err *err)
{
    fhir_maker m = {.r = r, .entry = json_array(), .date = date, .good = true};
    json_t *results = json_array();
    m.seed = r1_hash64(r->title, strlen(r->title), 7) ^ r1_hash64(r->knowledge_base, 16, 7);
    for (uint32_t i = 0; i < r->observed.n; i++)
        m.seed = r1_hash64(r->observed.row[i].id, strlen(r->observed.row[i].id), m.seed);
    fhir_add_patient(&m);
    for (uint32_t i = 0; i < r->observed.n; i++)
        fhir_add_finding(&m, &r->observed.row[i], false, results);
    for (uint32_t i = 0; i < r->excluded.n; i++)
        fhir_add_finding(&m, &r->excluded.row[i], true, results);
    for (uint32_t i = 0; i < r->n_candidate; i++) fhir_add_candidate(&m, &r->candidate[i]);
    fhir_add_report(&m, results);
    json_t *o = json_pack("{s:s, s:s, s:o}", "resourceType", "Bundle", "type", "collection",
                          "entry", m.entry);
    return finished(o, m.good, out, err);
}

/* ---- table ----------------------------------------------------------------------------------- */

static void table_findings(FILE *f, const med_report_findings *list)
{
    for (uint32_t i = 0; i < list->n; i++) {
        const med_report_finding *x = &list->row[i];
        med_put(f, MED_TABLE, "%s\t%s\t%s\t%s\t%.*s\n", x->id, x->name, x->quote.status,
                x->quote.added ? med_english_ADDED_BY_REVIEWER : x->quote.section,
                (int)x->quote.sentence.len, x->quote.sentence.s ? x->quote.sentence.s : "");
    }
}

r1_status med_report_table(const med_report *r, char **out, r1_err *err)
{
    size_t len = 0;
    FILE *f = open_memstream(out, &len);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    fputs("id\tname\tstatus\tsection\tsentence\n", f);
    table_findings(f, &r->observed);
    table_findings(f, &r->excluded);
    table_findings(f, &r->others);
    bool failed = ferror(f);
    if (fclose(f) == 0 && !failed) return R1_OK;
    free(*out);
    R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
}
