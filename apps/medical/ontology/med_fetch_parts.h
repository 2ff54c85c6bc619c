/* SPDX-License-Identifier: Apache-2.0 */
/* med_fetch_parts.h - what the two ways of fetching share. */
#ifndef MED_FETCH_PARTS_H
#define MED_FETCH_PARTS_H

#include "ontology/med_fetch.h"

#include <stdio.h>

typedef struct {
    const char *file, *address, *licence;
} med_fetch_source;

/* Runs a program with its standard output closed. hint: what to look at where it fails. */
r1_status med_fetch_run(const char *const *argv, const char *hint, r1_err *err);
r1_status med_fetch_sha256(const void *data, size_t len, const char *what, char hex[65],
                           r1_err *err);
/* A manifest in the making. It is written when the fetch has succeeded. */
typedef struct {
    FILE *f;
    char *text;
    size_t len;
} med_manifest;
r1_status med_manifest_open(med_manifest *m, r1_err *err);
/* st: how the fetch ended, which is returned where it failed. */
r1_status med_manifest_close(med_manifest *m, const char *dir, r1_status st, r1_err *err);
/* Puts what lies at `from` into the folder under its name, once an importer knows it, and adds its
 * row to the manifest. */
r1_status med_fetch_place(const char *from, const char *dir, const med_fetch_source *s,
                          FILE *manifest, med_fetched *out, r1_err *err);

#endif
