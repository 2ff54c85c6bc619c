/* SPDX-License-Identifier: Apache-2.0 */
/* med_sources.c - the table of sources: which importer reads which file. A knowledge base is built
 * of any of them. */
#include "ontology/med_sources.h"

#include "ontology/med_fetch.h"
#include "ontology/med_import.h"
#include "ontology/med_slurp.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef r1_status (*importer)(med_builder *b, const char *what, const char *data, size_t len,
                              r1_err *err);

/* One row per source: the first sign of such files (0: any) and the mark by which they are told,
 * the importer that reads it, and how the names of such files begin in a folder of sources (NULL:
 * named alone). */
static const struct {
    const char *what;
    char first;
    const char *mark, *prefix;
    importer import;
} sources[] = {
    /* clang-format off */
    {"R1 ontology XML", '<', "<r1-ontology",             "r1med",             med_import_own},
    {"Orphadata XML",   '<', "<JDBOR",                   "en_product",        med_import_orpha},
    {"OBO graphs",      '{', "\"graphs\"",               "hp.json",           med_import_graph},
    {"Mondo's graphs",  '{', "\"graphs\"",               "mondo.",            med_import_graph},
    {"OWL in RDF/XML",  '<', "1999/02/22-rdf-syntax-ns#", "hp.owl",           med_import_owl},
    {"OBO",             0,   "format-version:",          "hp.obo",            med_import_obo},
    {"HPOA",            0,   "database_id",              "phenotype.hpoa",    med_import_hpoa},
    {"HPOA before 2023", 0,  "DatabaseID",               NULL,                med_import_hpoa},
    {"SSSOM",           0,   "predicate_id",             "mondo_exactmatch_", med_import_sssom},
    {"KGX edges",       0,   "predicate\t",              "mondo-rare_edges",  med_import_edges},
    {"HPO genes",       0,   "gene_symbol",              "genes_to_",         med_import_genes},
    {"HPO genes before 2023", 0, "entrez-gene-id",       NULL,                med_import_genes},
    /* clang-format on */
};
/* Marks are looked for in the first bytes alone. */
enum { MARK_BYTES = 4096 };

static importer importer_by_mark(const char *data, size_t len)
{
    size_t n = len < MARK_BYTES ? len : MARK_BYTES, blank = 0;
    while (blank < n && strchr(" \t\r\n", data[blank])) blank++;
    char first = blank < n ? data[blank] : 0;
    for (size_t i = 0; i < R1_COUNT(sources); i++)
        if ((!sources[i].first || sources[i].first == first) &&
            memmem(data, n, sources[i].mark, strlen(sources[i].mark)))
            return sources[i].import;
    return NULL;
}

/* A table may have a long comment before the names of its columns. */
static importer importer_of(const char *data, size_t len)
{
    med_lines l = {data, data + len, 0};
    const char *line = data;
    size_t n;
    importer found = importer_by_mark(data, len);
    while (!found && med_lines_next(&l, &line, &n) && n && *line == '#') continue;
    return found ? found : importer_by_mark(line, len - (size_t)(line - data));
}

/* "R1 ontology XML, Orphadata XML, ..." */
static const char *sources_known(char *text, size_t cap)
{
    size_t at = 0;
    *text = 0;
    for (size_t i = 0; i < R1_COUNT(sources) && at < cap; i++)
        at += (size_t)snprintf(text + at, cap - at, "%s%s", i ? ", " : "", sources[i].what);
    return text;
}

r1_status med_sources_known(const char *path, const char *what, r1_err *err)
{
    char *data = NULL, known[400];
    size_t len = 0;
    R1_TRY(med_slurp(path, MED_INPUT_BYTES_MAX, &data, &len, err));
    bool is = importer_of(data, len) != NULL;
    free(data);
    if (!is)
        R1_FAIL(err, R1_E_FORMAT, "%s: what came is none of %s", what,
                sources_known(known, sizeof known));
    return R1_OK;
}

static r1_status import_file(med_builder *b, const char *path, r1_err *err)
{
    char *data = NULL;
    size_t len = 0;
    R1_TRY(med_slurp(path, MED_INPUT_BYTES_MAX, &data, &len, err));
    char known[400], when[32];
    size_t mark = len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    importer import = importer_of(data + mark, len - mark);
    r1_status st =
        import ? import(b, path, data + mark, len - mark, err)
               : r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s: the file is none of %s",
                            path, sources_known(known, sizeof known));
    if (st == R1_OK && med_manifest_date(path, when, sizeof when))
        st = med_builder_dated(b, when, err);
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

static bool has_tail(const char *name, const char *tail)
{
    size_t n = strlen(name), m = strlen(tail);
    return n > m && strcmp(name + n - m, tail) == 0;
}

static bool known_name(const char *name)
{
    static const char *const tail[] = {".obo", ".owl", ".json", ".hpoa", ".xml",
                                       ".tsv", ".txt", ".gz",   ".zst"};
    bool begins = false, ends = false;
    for (size_t i = 0; i < R1_COUNT(sources) && !begins; i++)
        begins =
            sources[i].prefix && strncmp(name, sources[i].prefix, strlen(sources[i].prefix)) == 0;
    for (size_t i = 0; i < R1_COUNT(tail) && !ends; i++) ends = has_tail(name, tail[i]);
    return begins && ends;
}

static int sources_by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Whether a folder has the HPO in a format that goes before that of this file. */
static bool sources_outdone(const char *dir, const char *name)
{
    static const char *const form[] = {"hp.json", "hp.obo", "hp.owl"};
    static const char *const packed[] = {"", ".gz", ".zst"};
    char path[4400];
    struct stat sb;
    for (size_t i = 0; i < R1_COUNT(form) && strncmp(name, form[i], strlen(form[i])) != 0; i++)
        for (size_t k = 0; strncmp(name, "hp.", 3) == 0 && k < R1_COUNT(packed); k++) {
            snprintf(path, sizeof path, "%s/%s%s", dir, form[i], packed[k]);
            if (stat(path, &sb) == 0) return true;
        }
    return false;
}

static size_t list_one(const char *dir, char **path, size_t n, size_t max)
{
    DIR *d = opendir(dir);
    if (!d) return n;
    for (struct dirent *e; n < max && (e = readdir(d)) != NULL;) {
        if (!known_name(e->d_name) || sources_outdone(dir, e->d_name)) continue;
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
    r1_status st = n ? med_sources_build(list, n, out, NULL, err)
                     : r1_err_set(err, R1_E_NOT_FOUND, __FILE__, __LINE__,
                                  "%s: neither kb.r1kb nor sources (hp.json, hp.obo, "
                                  "phenotype.hpoa, en_product*.xml, "
                                  "mondo.obo); `r1-medical ontology fetch --out DIR` gets them",
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
