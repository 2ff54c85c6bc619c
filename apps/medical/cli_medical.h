/* SPDX-License-Identifier: Apache-2.0 */
/* cli_medical.h - the commands of r1-medical, one file per group, and what they share: where the
 * shipped ontology, the models and the knowledge base are looked for. */
#ifndef CLI_MEDICAL_H
#define CLI_MEDICAL_H

#include "cli/r1_cli.h"
#include "documents/med_document.h"
#include "privacy/med_keys.h"
#include "rank/med_rerank.h"

#include <jansson.h>

/* Each command with its rows of options; main.c has the table of all. */
extern const r1_option cli_fetch_rows[], cli_build_rows[], cli_info_rows[], cli_shards_rows[],
    cli_annotate_rows[], cli_eval_annotate_rows[], cli_report_rows[], cli_rank_rows[],
    cli_review_rows[], cli_eval_rank_rows[], cli_eval_probes_rows[], cli_serve_rows[],
    cli_train_rows[], cli_key_rows[], cli_find_rows[], cli_show_rows[], cli_retain_rows[],
    cli_erase_rows[], cli_rotate_rows[], cli_deidentify_rows[];
extern const size_t cli_fetch_n_row, cli_build_n_row, cli_info_n_row, cli_shards_n_row,
    cli_annotate_n_row, cli_eval_annotate_n_row, cli_report_n_row, cli_rank_n_row, cli_review_n_row,
    cli_eval_rank_n_row, cli_eval_probes_n_row, cli_serve_n_row, cli_train_n_row, cli_key_n_row,
    cli_find_n_row, cli_show_n_row, cli_retain_n_row, cli_erase_n_row, cli_rotate_n_row,
    cli_deidentify_n_row;
int cli_fetch_command(r1_cli_call *call);
int cli_build_command(r1_cli_call *call);
int cli_info_command(r1_cli_call *call);
int cli_shards_command(r1_cli_call *call);
int cli_check_command(r1_cli_call *call);
int cli_annotate_command(r1_cli_call *call);
int cli_eval_annotate_command(r1_cli_call *call);
int cli_report_command(r1_cli_call *call);
int cli_rank_command(r1_cli_call *call);
int cli_review_command(r1_cli_call *call);
int cli_eval_rank_command(r1_cli_call *call);
int cli_eval_probes_command(r1_cli_call *call);
int cli_train_command(r1_cli_call *call);
int cli_serve_command(r1_cli_call *call);
int cli_key_command(r1_cli_call *call);
int cli_find_command(r1_cli_call *call);
int cli_show_command(r1_cli_call *call);
int cli_retain_command(r1_cli_call *call);
int cli_erase_command(r1_cli_call *call);
int cli_rotate_command(r1_cli_call *call);
int cli_deidentify_command(r1_cli_call *call);

/* --kb where given, else our own ontology. Prints the time on request. */
r1_status cli_open_kb(const r1_cli_call *call, med_kb **kb, r1_err *err);
/* The file of keys; R1_E_INVAL with the remedy where none is given. why: what needs them. */
r1_status cli_open_keys(const r1_options *o, const char *why, med_keys **keys, r1_err *err);
/* What this command writes from now on holds patients' words: its owner's alone. */
void cli_private_files(void);
/* R1: --model where given, else the shipped one; both stay NULL with --no-r1. */
typedef struct {
    r1_model *model;
    med_reranker *reranker;
    char judge[128]; /* name and precision, for the report */
} cli_r1;
r1_status cli_open_r1(const r1_cli_call *call, cli_r1 *r1, r1_err *err);
/* What --precision says, R1_PRECISION_F32 or R1_PRECISION_INT8. */
r1_precision cli_precision(const r1_cli_call *call);
void cli_close_r1(cli_r1 *r1);
/* The records of a call. A folder stands for its files in the order of their names, without hidden
 * ones, folders and reports of an earlier call. Free it after a failure too. */
enum { CLI_INPUTS_MAX = 100000 };
#define CLI_REPORT_MARK  ".report."
#define CLI_SUMMARY_NAME "summary.tsv"
typedef struct {
    char *path; /* "-": standard input */
    char *stem; /* its name without what follows the last dot; each stands once */
} cli_input;
typedef struct {
    cli_input *input;
    uint32_t n, cap, n_skipped; /* skipped: no files */
    bool many;                  /* a folder, or several files */
} cli_inputs;
r1_status cli_inputs_read(cli_inputs *in, const char *const *path, size_t n, r1_err *err);
void cli_inputs_free(cli_inputs *in);
/* What the options --sex and --age state of the patient, in the place of what was read; a note says
 * so. */
void cli_state_person(const r1_options *o, med_document *d, med_notes *n);
/* R1_E_FORMAT where the text seems to be of several patients and --one-patient is not given. */
r1_status cli_one_patient(const r1_options *o, const med_document *d, const char *path,
                          r1_err *err);
/* A record from a file, or from standard input ("-"). Free it. */
r1_status cli_read_document(const char *path, med_document *d, r1_err *err);
/* The same, with the bytes that were read, which the caller frees. */
r1_status cli_read_record(const char *path, med_document *d, char **bytes, size_t *len,
                          r1_err *err);

/* clang-format off */
#define CLI_KB_OPTION                                                                              \
    {.name = "kb", .section = "medical", .type = R1_OPT_PATH,                                      \
     .help = "knowledge base: a file kb.r1kb, a folder of sources, or an ontology in XML "         \
             "(default: the demonstration ontology that ships)"}
#define CLI_R1_OPTIONS                                                                             \
    {.name = "model", .section = "medical", .type = R1_OPT_PATH,                                   \
     .help = "R1 model that has the last word (default: the one that ships)"},                     \
    {.name = "r1", .section = "medical", .type = R1_OPT_BOOL, .def = "true",                       \
     .help = "re-rank by R1; off: likelihood alone"},                                              \
    {.name = "precision", .section = "medical", .type = R1_OPT_ENUM, .def = "auto",                \
     .choices = R1_CLI_PRECISIONS,                                                                 \
     .help = "of R1's linear layers; auto: 8-bit integers where the backend has them"},            \
    R1_CLI_DEVICE("medical"),                                                                      \
    {.name = "anchors", .section = "medical", .type = R1_OPT_BOOL, .def = "true",                  \
     .help = "pin key findings in working memory; off: none is pinned"}
#define CLI_PERSON_OPTIONS                                                                         \
    {.name = "sex", .type = R1_OPT_ENUM, .choices = "female|male",                                 \
     .help = "of the patient, in the place of what the record says"},                              \
    {.name = "age", .type = R1_OPT_FLOAT, .max = 120, .unit = "years",                             \
     .help = "of the patient, in the place of what the record says"}
#define CLI_ONE_PATIENT_OPTION                                                                     \
    {.name = "one-patient", .type = R1_OPT_BOOL, .def = "false",                                   \
     .help = "the record is of one patient, although it names several birth dates, numbers or "    \
             "names"}
#define CLI_GENES_OPTION                                                                           \
    {.name = "genes", .type = R1_OPT_PATH,                                                         \
     .help = "genes in which the patient has variants: a file of symbols, or a VCF with ANN or "   \
             "CSQ; they are weighed apart from the ranking"}
#define CLI_KEYS_OPTION                                                                            \
    {.name = "keys", .section = "medical", .type = R1_OPT_PATH,                                    \
     .help = "file of keys, which its owner alone can read; `r1-medical records key` makes it"}
#define CLI_JSON_OPTION                                                                            \
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"}
/* clang-format on */

#endif
