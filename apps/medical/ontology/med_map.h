/* SPDX-License-Identifier: Apache-2.0 */
/* med_map.h - strings to small numbers: an open-addressing table over strings that it copies
 * into one blob. The number of a string's first byte in the blob is its name (offset 0 is the
 * empty string). Grows to a stated maximum. */
#ifndef MED_MAP_H
#define MED_MAP_H

#include "r1_base.h"

typedef struct med_map med_map;
r1_status med_map_new(med_map **out, size_t bytes_max, r1_err *err);
void med_map_free(med_map *m); /* NULL is fine */
/* The offset of s, which is added where it is new. UINT32_MAX when the blob is full. */
uint32_t med_map_intern(med_map *m, const char *s, size_t len);
/* The offset of s, or UINT32_MAX. */
uint32_t med_map_find(const med_map *m, const char *s, size_t len);
/* One number per string, UINT32_MAX until set. */
uint32_t med_map_get(const med_map *m, uint32_t offset);
void med_map_set(med_map *m, uint32_t offset, uint32_t value);
const char *med_map_text(const med_map *m, uint32_t offset);
const char *med_map_blob(const med_map *m, size_t *bytes);

#endif
