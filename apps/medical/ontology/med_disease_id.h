/* SPDX-License-Identifier: Apache-2.0 */
/* med_disease_id.h - one writing for the id of a disease. OMIM, MIM and their addresses become
 * "OMIM:147920"; Orphanet, ORPHA and their addresses become "ORPHA:2322"; addresses of Mondo become
 * "MONDO:0016512". The id of any other source stays as it is.
 *
 * Threads: any. */
#ifndef MED_DISEASE_ID_H
#define MED_DISEASE_ID_H

#include "r1_base.h"

/* Room for the longest id that a knowledge base takes. */
#define MED_DISEASE_ID_BYTES 128

/* Into out, with a NUL, without blanks around it. Returns its length; 0 where the id is empty or
 * does not fit into cap. */
size_t med_disease_id(const char *s, size_t len, char *out, size_t cap);

#endif
