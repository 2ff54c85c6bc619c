/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_layout.h - the bytes of a knowledge base, shared by its writer (med_kb_finish.c) and its
 * reader (med_kb.c).
 *
 *   0        header (64 bytes)
 *   64       section table: n_section entries of 32 bytes
 *   ...      sections, each on a 64-byte boundary, in the order of the enum */
#ifndef MED_KB_LAYOUT_H
#define MED_KB_LAYOUT_H

#include <stdint.h>

#define MED_KB_MAGIC   "R1MEDKB"
#define MED_KB_VERSION 2u

enum {
    SEC_STRINGS,
    SEC_TERM,
    SEC_PARENT,
    SEC_ANCESTOR,
    SEC_SYNONYM,
    SEC_TERM_ID,
    SEC_DISEASE,
    SEC_LIST,
    SEC_ROW,
    SEC_PROFILE,
    SEC_DISEASE_ID,
    SEC_SOURCE,
    SEC_PMID,
    SEC_OBSOLETE, /* files of before end before this section or behind it */
    SEC_LOSS,
    SEC_FACT,
    SEC_FAMILY,
    SEC_COUNT
};

typedef struct {
    char magic[8];
    uint32_t version, n_section;
    uint64_t bytes, checksum;
    uint32_t n_profiled, root;
    uint32_t reserved[6];
} med_kb_header;

typedef struct {
    uint32_t tag, size; /* size of one element */
    uint64_t offset, count;
    uint64_t reserved;
} med_kb_section;

#endif
