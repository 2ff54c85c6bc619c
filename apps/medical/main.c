/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - r1-medical: one table of its commands and their options, and what the commands share:
 * how the knowledge base, the model and a record are opened. */
#include "cli_medical.h"
#include "ontology/med_sources.h"
#include "r1_backend.h"
#include "store/store_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

r1_status cli_open_kb(const r1_cli_call *call, med_kb **kb, r1_err *err)
{
    char path[4096];
    const char *given = r1_options_str(call->opts, "kb");
    if (!given) {
        R1_TRY(r1_cli_shipped("ontology/r1med.xml", path, err));
        given = path;
    }
    return med_sources_open(kb, given, err);
}

r1_status cli_open_keys(const r1_options *o, const char *why, med_keys **keys, r1_err *err)
{
    const char *path = r1_options_str(o, "keys");
    if (path) return med_keys_open(keys, path, err);
    R1_FAIL(err, R1_E_INVAL,
            "%s needs --keys FILE: what names a patient is stored sealed or not at all; "
            "`r1-medical records key --keys FILE` makes the file",
            why);
}

void cli_private_files(void) { umask(077); }

r1_precision cli_precision(const r1_cli_call *call)
{
    r1_precision choice = r1_cli_precision(r1_options_str(call->opts, "precision"));
    const r1_backend *be = r1_backend_find(NULL, NULL); /* none: the session says so */
    if (choice != R1_PRECISION_AUTO) return choice;
    return be && be->pack_int8 ? R1_PRECISION_INT8 : R1_PRECISION_F32;
}

r1_status cli_open_r1(const r1_cli_call *call, cli_r1 *r1, r1_err *err)
{
    char path[4096];
    const char *given = r1_options_str(call->opts, "model");
    memset(r1, 0, sizeof *r1);
    if (!r1_options_bool(call->opts, "r1")) return R1_OK;
    if (!given) {
        R1_TRY(r1_cli_shipped("models/medical-b.gguf", path, err));
        given = path;
    }
    R1_TRY(r1_model_open(&r1->model, given, err));
    r1_precision precision = cli_precision(call);
    med_reranker_name(r1->model, precision, r1->judge, sizeof r1->judge);
    r1_status st = med_reranker_new(&r1->reranker, r1->model, precision, err);
    if (st != R1_OK) {
        r1_err_prefix(err, "%s: ", given);
        cli_close_r1(r1);
    }
    return st;
}

void cli_close_r1(cli_r1 *r1)
{
    med_reranker_free(r1->reranker);
    r1_model_free(r1->model);
    memset(r1, 0, sizeof *r1);
}

int main(int argc, char **argv)
{
    /* clang-format off */
    const r1_command commands[] = {
        {.name = "ontology fetch",
         .summary = "get the public sources and build their knowledge base",
         .examples = "r1-medical ontology fetch --version 2025-01-16 --out run/hpo\n"
                     "r1-medical ontology fetch --from official --out run/knowledge",
         .options = cli_fetch_rows, .n_options = cli_fetch_n_row, .run = cli_fetch_command},
        {.name = "ontology build",
         .summary = "make one knowledge base file from ontologies, annotations and maps",
         .examples = "r1-medical ontology build hp.obo phenotype.hpoa "
                     "mondo_exactmatch_omim.sssom.tsv --out kb.r1kb\n"
                     "r1-medical ontology build FOLDER --out kb.r1kb",
         .operands = "SOURCE...", .operands_min = 1, .operands_max = R1_OPERANDS_ANY,
         .options = cli_build_rows, .n_options = cli_build_n_row, .run = cli_build_command},
        {.name = "ontology info",
         .summary = "show what a knowledge base holds: counts, versions, licences",
         .examples = "r1-medical ontology info kb.r1kb", .config = true,
         .operands = "[KNOWLEDGE_BASE]", .operands_max = 1,
         .options = cli_info_rows, .n_options = cli_info_n_row, .run = cli_info_command},
        {.name = "ontology shards",
         .summary = "write names, synonyms, definitions and parents of all findings as shards, for "
                    "r1 train --stage pretrain and r1 embed",
         .examples = "r1-medical ontology shards kb.r1kb --out run/terms\n"
                     "r1 train --stage pretrain --valid run/terms/valid.r1s --out terms.gguf "
                     "run/terms/train.r1s",
         .config = true, .operands = "[KNOWLEDGE_BASE]", .operands_max = 1,
         .options = cli_shards_rows, .n_options = cli_shards_n_row, .run = cli_shards_command},
        {.name = "ontology check",
         .summary = "read sources and say what does not fit together (exit code 3)",
         .examples = "r1-medical ontology check ontology/r1med.xml",
         .operands = "SOURCE...", .operands_min = 1, .operands_max = R1_OPERANDS_ANY,
         .run = cli_check_command},
        {.name = "annotate",
         .summary = "the findings of a record, with span and status",
         .examples = "r1-medical annotate record.txt --kb run/hpo --json", .config = true,
         .operands = "[FILE]", .operands_max = 1,
         .options = cli_annotate_rows, .n_options = cli_annotate_n_row,
         .run = cli_annotate_command},
        {.name = "eval annotate",
         .summary = "recognition against an annotated corpus",
         .examples = "r1-medical eval annotate --format id68 --corpus corpora/ID-68 --kb run/hpo",
         .config = true,
         .options = cli_eval_annotate_rows, .n_options = cli_eval_annotate_n_row,
         .run = cli_eval_annotate_command},
        {.name = "report",
         .summary = "read records and write for each the report with its evidence",
         .examples = "r1-medical report apps/medical/samples/record.txt --out run/report\n"
                     "r1-medical report - --kb run/hpo --format html < record.txt\n"
                     "r1-medical report letters --kb run/hpo --out run/reports --resume\n"
                     "r1-medical report --findings letter.findings.json --kb run/hpo",
         .config = true,
         .operands = "[FILE|FOLDER]...", .operands_max = R1_OPERANDS_ANY,
         .options = cli_report_rows, .n_options = cli_report_n_row, .run = cli_report_command},
        {.name = "review",
         .summary = "the findings of a record as a file to go through before the ranking",
         .examples = "r1-medical review letter.txt --kb run/hpo --out letter.findings.json\n"
                     "r1-medical report --findings letter.findings.json --kb run/hpo",
         .config = true, .operands = "[FILE]", .operands_max = 1,
         .options = cli_review_rows, .n_options = cli_review_n_row, .run = cli_review_command},
        {.name = "rank",
         .summary = "diseases for a list of findings",
         .examples = "r1-medical rank --observed HP:0001166,HP:0001083 --excluded HP:0000175\n"
                     "r1-medical rank --observed \"Ectopia lentis; Tall stature\" --sex female\n"
                     "r1-medical rank findings.txt --kb run/hpo --age 12",
         .config = true, .operands = "[FILE]", .operands_max = 1,
         .options = cli_rank_rows, .n_options = cli_rank_n_row, .run = cli_rank_command},
        {.name = "serve",
         .summary = "records by HTTP and by a topic: findings, ranking and report",
         .examples = "r1-medical serve --token-file token --kb run/hpo\n"
                     "r1-medical serve --token-file token --kb run/hpo --topic records --brokers "
                     "127.0.0.1:19092 --postgres 'dbname=r1'",
         .config = true,
         .options = cli_serve_rows, .n_options = cli_serve_n_row, .run = cli_serve_command},
        {.name = "deidentify",
         .summary = "a record's text without what names its patient (exit code 4: other findings "
                    "are read in it than before)",
         .examples = "r1-medical deidentify letter.txt --kb run/hpo --out letter.plain.txt\n"
                     "r1-medical deidentify letter.txt --keys keys --patient MRN-0042",
         .config = true, .operands = "[FILE]", .operands_max = 1,
         .options = cli_deidentify_rows, .n_options = cli_deidentify_n_row,
         .run = cli_deidentify_command},
        {.name = "records key",
         .summary = "make the file of keys that seal what is kept of patients, or put a fresh key "
                    "at its front",
         .examples = "r1-medical records key --keys keys", .config = true,
         .options = cli_key_rows, .n_options = cli_key_n_row, .run = cli_key_command},
        {.name = "records find",
         .summary = "the stored records of an id or of a file, or those that wait for a person",
         .examples = "r1-medical records find --id MRN-0042 --keys keys --postgres 'dbname=r1'\n"
                     "r1-medical records find --waiting --keys keys --postgres 'dbname=r1'",
         .config = true,
         .options = cli_find_rows, .n_options = cli_find_n_row, .run = cli_find_command},
        {.name = "records show",
         .summary = "open what is sealed of one record",
         .examples = "r1-medical records show records/0/17 --keys keys --postgres 'dbname=r1'",
         .config = true, .operands = "PLACE", .operands_min = 1, .operands_max = 1,
         .options = cli_show_rows, .n_options = cli_show_n_row, .run = cli_show_command},
        {.name = "records rotate",
         .summary = "seal anew, by the first key, what older keys sealed and earlier versions left "
                    "open (exit code 4: some could not be opened)",
         .examples = "r1-medical records key --keys keys\n"
                     "r1-medical records rotate --keys keys --postgres 'dbname=r1'",
         .config = true,
         .options = cli_rotate_rows, .n_options = cli_rotate_n_row, .run = cli_rotate_command},
        {.name = "records retain",
         .summary = "delete what is older than the days that are kept",
         .examples = "r1-medical records retain --older-than 400d --postgres 'dbname=r1'",
         .config = true,
         .options = cli_retain_rows, .n_options = cli_retain_n_row, .run = cli_retain_command},
        {.name = "records erase",
         .summary = "delete what is stored under an id, or of a file",
         .examples = "r1-medical records erase --id MRN-0042 --keys keys --postgres 'dbname=r1'",
         .config = true,
         .options = cli_erase_rows, .n_options = cli_erase_n_row, .run = cli_erase_command},
        {.name = "eval rank",
         .summary = "how often the right disease comes first",
         .examples = "r1-medical eval rank --cases cases.tsv --kb run/hpo --leave-publication-out",
         .config = true,
         .options = cli_eval_rank_rows, .n_options = cli_eval_rank_n_row,
         .run = cli_eval_rank_command},
        {.name = "eval probes",
         .summary = "whether a denied finding can raise a disease, asked of generated patients "
                    "(exit code 3: it can)",
         .examples = "r1-medical eval probes --kb run/hpo --probes 10000", .config = true,
         .options = cli_eval_probes_rows, .n_options = cli_eval_probes_n_row,
         .run = cli_eval_probes_command},
        {.name = "train",
         .summary = "fit R1 as a re-ranker of diseases on published cases, with five models out of "
                    "fold by disease",
         .examples = "r1-medical train --cases cases.tsv --kb run/hpo-2025,run/hpo-2023 --out "
                     "models/medical-b.gguf",
         .options = cli_train_rows, .n_options = cli_train_n_row, .run = cli_train_command},
        {R1_STORE_COMMAND("r1-medical")},
    };
    /* clang-format on */
    const r1_program program = {
        .name = "r1-medical",
        .summary = "finds, weighs and reports what a clinical record says about rare diseases",
        .commands = commands,
        .n_commands = R1_COUNT(commands)};
    return r1_cli_main(&program, argc, argv);
}
