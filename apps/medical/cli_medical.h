/* SPDX-License-Identifier: Apache-2.0 */
/* cli_medical.h - the commands of r1-medical, one file per group, and what they share: where the
 * shipped ontology, the models and the knowledge base are looked for. */
#ifndef CLI_MEDICAL_H
#define CLI_MEDICAL_H

#include "cli/r1_cli.h"
#include "rank/med_rerank.h"

#include <jansson.h>

extern const r1_command cli_ontology_commands[], cli_rank_commands[], cli_notes_commands[],
    cli_report_commands[], cli_train_commands[];
extern const size_t cli_ontology_n, cli_rank_n, cli_notes_n, cli_report_n, cli_train_n;

/* --kb where given, else our own ontology. Prints the time on request. */
r1_status cli_open_kb(const r1_cli_call *call, med_kb **kb, r1_err *err);
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
/* A record from a file, or from standard input ("-"); malloc'ed. */
r1_status cli_read_text(const char *path, char **text, size_t *len, r1_err *err);

#define CLI_KB_OPTION                                                                              \
    {                                                                                              \
        "kb", "medical", R1_OPT_PATH, NULL, 0, 0, NULL, false, NULL,                               \
            "knowledge base: a file kb.r1kb, a folder of sources, or an ontology in XML "          \
            "(default: the demonstration "                                                         \
            "ontology "                                                                            \
            "that ships)"                                                                          \
    }
#define CLI_R1_OPTIONS                                                                             \
    {"model",     "medical",                                                                       \
     R1_OPT_PATH, NULL,                                                                            \
     0,           0,                                                                               \
     NULL,        false,                                                                           \
     NULL,        "R1 model that has the last word (default: the one that ships)"},                \
        {"r1", "medical", R1_OPT_BOOL, "true", 0,                                                  \
         0,    NULL,      false,       NULL,   "re-rank by R1; --no-r1: likelihood alone"},        \
        {"precision",                                                                              \
         "medical",                                                                                \
         R1_OPT_ENUM,                                                                              \
         "auto",                                                                                   \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         false,                                                                                    \
         R1_CLI_PRECISIONS,                                                                        \
         "of R1's linear layers; auto: 8-bit integers where the backend has them"},                \
    {                                                                                              \
        "anchors", "medical", R1_OPT_BOOL, "true", 0, 0, NULL, false, NULL,                        \
            "pin key findings in working memory; --no-anchors: none is pinned"                     \
    }
#define CLI_JSON_OPTION                                                                            \
    {                                                                                              \
        "json", NULL, R1_OPT_BOOL, "false", 0, 0, NULL, false, NULL, "print one JSON object"       \
    }

#endif
