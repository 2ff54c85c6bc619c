/* SPDX-License-Identifier: Apache-2.0 */
/* med_sources.c - chooses the importer for each file by its first bytes and builds the knowledge
 * base. */
#include "ontology/med_sources.h"

#include "ontology/med_import.h"
#include "ontology/med_slurp.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef r1_status (*importer)(med_builder *b, const char *what, const char *data, size_t len,
                              r1_err *err);

/* Looks at the first 4 KiB only. */
static importer importer_of(const char *data, size_t len)
{
    static const struct {
        const char *mark;
        importer fn;
    } known[] = {{"<r1-ontology", med_import_own},
                 {"<JDBOR", med_import_orpha},
                 {"<rdf:RDF", med_import_owl},
                 {"format-version:", med_import_obo},
                 {"DatabaseID\tDiseaseName", med_import_hpoa},
                 {"database_id\tdisease_name", med_import_hpoa},
                 {"subject_id\tsubject_label", med_import_sssom},
                 {"subject\tpredicate\tobject", med_import_edges}};
    size_t n = len < 4096 ? len : 4096;
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (memmem(data, n, known[i].mark, strlen(known[i].mark))) return known[i].fn;
    return NULL;
}

static r1_status import_file(med_builder *b, const char *path, r1_err *err)
{
    char *data = NULL;
    size_t len = 0;
    R1_TRY(med_slurp(path, MED_INPUT_BYTES_MAX, &data, &len, err));
    importer fn = importer_of(data, len);
    r1_status st = fn ? fn(b, path, data, len, err)
                      : r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                                   "%s: none of OBO, OWL in RDF/XML, R1 ontology XML, Orphadata "
                                   "XML, HPOA, SSSOM, KGX edges",
                                   path);
    free(data);
    return st;
}

r1_status med_sources_build(const char *const *path, size_t n, med_kb **out, med_build_stats *stats,
                            r1_err *err)
{
    med_builder *b = NULL;
    if (n == 0)
        R1_FAIL(err, R1_E_INVAL, "no sources given (for instance hp.obo and phenotype.hpoa)");
    R1_TRY(med_builder_new(&b, err));
    r1_status st = R1_OK;
    for (size_t i = 0; i < n && st == R1_OK; i++) st = import_file(b, path[i], err);
    if (st == R1_OK) st = med_builder_finish(b, path[0], out, stats, err);
    med_builder_free(b);
    return st;
}

static bool known_name(const char *name)
{
    static const char *base[] = {
        "hp.obo",           "hp.owl", "phenotype.hpoa", "en_product", "mondo_exactmatch_",
        "mondo-rare_edges", "r1med"};
    static const char *tail[] = {".obo", ".owl", ".hpoa", ".xml", ".tsv", ".gz", ".zst"};
    for (size_t i = 0; i < R1_COUNT(base); i++)
        for (size_t j = 0; j < R1_COUNT(tail); j++) {
            size_t n = strlen(name), m = strlen(tail[j]);
            if (strncmp(name, base[i], strlen(base[i])) == 0 && n > m &&
                strcmp(name + n - m, tail[j]) == 0)
                return true;
        }
    return false;
}

static int sources_by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static size_t list_one(const char *dir, char **path, size_t n, size_t max)
{
    DIR *d = opendir(dir);
    if (!d) return n;
    for (struct dirent *e; n < max && (e = readdir(d)) != NULL;) {
        if (!known_name(e->d_name)) continue;
        size_t len = strlen(dir) + strlen(e->d_name) + 2;
        char *p = malloc(len);
        if (!p) break;
        snprintf(p, len, "%s/%s", dir, e->d_name);
        path[n++] = p;
    }
    closedir(d);
    return n;
}

size_t med_sources_list(const char *dir, char **path, size_t max)
{
    static const char *sub[] = {"", "/orphadata", "/mondo"};
    size_t n = 0;
    for (size_t i = 0; i < R1_COUNT(sub); i++) {
        char one[4096];
        if (snprintf(one, sizeof one, "%s%s", dir, sub[i]) < (int)sizeof one)
            n = list_one(one, path, n, max);
    }
    if (n) qsort(path, n, sizeof *path, sources_by_name);
    return n;
}

static r1_status sources_open_dir(med_kb **out, const char *dir, r1_err *err)
{
    char kb[4096];
    struct stat sb;
    snprintf(kb, sizeof kb, "%s/kb.r1kb", dir);
    if (stat(kb, &sb) == 0) return med_kb_open_file(out, kb, err);
    char *path[32];
    size_t n = med_sources_list(dir, path, R1_COUNT(path));
    const char *list[32];
    for (size_t i = 0; i < n; i++) list[i] = path[i];
    r1_status st =
        n ? med_sources_build(list, n, out, NULL, err)
          : r1_err_set(
                err, R1_E_NOT_FOUND, __FILE__, __LINE__,
                "%s: neither kb.r1kb nor sources (hp.obo, hp.owl, phenotype.hpoa, en_product*.xml, "
                "mondo_exactmatch_*.tsv); `r1-medical ontology fetch --out DIR` gets them",
                dir);
    for (size_t i = 0; i < n; i++) free(path[i]);
    return st;
}

r1_status med_sources_open(med_kb **out, const char *path, r1_err *err)
{
    struct stat sb;
    size_t n = strlen(path);
    if (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode)) return sources_open_dir(out, path, err);
    if (n > 4 && strcmp(path + n - 4, ".xml") == 0)
        return med_sources_build(&path, 1, out, NULL, err);
    return med_kb_open_file(out, path, err);
}
