/* SPDX-License-Identifier: Apache-2.0 */
/* med_sources.h - from files to a knowledge base: which importer reads what.
 *
 * Errors name the file. Threads: any. */
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
 * malloc'ed. Of the HPO in several formats the first of hp.json, hp.obo and hp.owl stands, since
 * they may be of several dates. */
size_t med_sources_list(const char *dir, char **path, size_t max);

/* R1_OK where an importer knows the content of a file; what names it in messages. */
r1_status med_sources_known(const char *path, const char *what, r1_err *err);

#endif
