/* SPDX-License-Identifier: Apache-2.0 */
/* med_fhir_value.h - what the value of a FHIR R4 Observation, or of one of its components, says of
 * the finding that its code names: yes, no, or not to be told.
 *
 * An interpretation and a reason why there is no value count like a value. Codes of SNOMED CT,
 * LOINC and HL7 are known, and their usual English words, in a coding's display, a concept's text
 * or a valueString. A number counts by its interpretation or its reference range: within the range
 * the finding is absent. Outside of it the finding is present where its label names the same
 * direction ("Elevated ...", "Hypo..."), absent where it names the other one.
 *
 * Owns:    nothing.
 * Threads: any. */
#ifndef MED_FHIR_VALUE_H
#define MED_FHIR_VALUE_H

#include "notes/med_record.h"

#include <jansson.h>

typedef struct {
    med_status status;
    const char *why; /* the status is a guess: words for a note; NULL: the value says it */
} med_fhir_said;

/* o: an Observation or a component. label: of the finding, NULL where the file has none.
 * value_is_finding: the valueCodeableConcept names the finding itself. */
med_fhir_said med_fhir_value(const json_t *o, const char *label, bool value_is_finding);
/* Whether a CodeableConcept has one of the codes; also as the plain text of FHIR's older
 * releases. */
bool med_fhir_coded(const json_t *concept, const char *const *codes, size_t n);

#endif
