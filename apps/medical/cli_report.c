/* SPDX-License-Identifier: Apache-2.0 */
/* cli_report.c - report: one record in, the report out in the formats that were asked for. */
#include "cli_medical.h"
#include "report/med_report.h"
#include "store/store_command.h"
#include "write/med_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    med_kb *kb;
    med_lexicon *lex;
    med_ranker *ranker;
    cli_r1 r1;
    char *text;
    size_t len;
    json_t *report;
} job;

static r1_status report_write_text(char *text, const char *dir, const char *name, r1_err *err)
{
    char path[4200];
    if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for %s", name);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    r1_status st = r1_file_write(path, text, strlen(text), err);
    free(text);
    if (st == R1_OK) printf("%s\n", path);
    return st;
}

static r1_status report_write_all(const json_t *report, const char *formats, const char *dir,
                                  r1_err *err)
{
    char list[64], path[4200];
    snprintf(list, sizeof list, "%s", formats);
    R1_TRY(r1_mkdirs(dir, err));
    for (char *save, *f = strtok_r(list, ",", &save); f; f = strtok_r(NULL, ",", &save)) {
        if (strcmp(f, "json") == 0)
            R1_TRY(report_write_text(json_dumps(report, JSON_INDENT(2) | JSON_PRESERVE_ORDER), dir,
                                     "report.json", err));
        else if (strcmp(f, "text") == 0)
            R1_TRY(report_write_text(med_report_text(report), dir, "report.txt", err));
        else if (strcmp(f, "html") == 0)
            R1_TRY(report_write_text(med_report_html(report), dir, "report.html", err));
        else if (strcmp(f, "pdf") == 0) {
            snprintf(path, sizeof path, "%s/report.pdf", dir);
            R1_TRY(med_report_pdf(report, path, err));
            printf("%s\n", path);
        } else
            R1_FAIL(err, R1_E_INVAL, "format \"%s\", expected html, pdf, json or text", f);
    }
    return R1_OK;
}

static int run_report(r1_cli_call *call)
{
    const r1_options *o = call->opts;
    const char *path = call->n_rest ? call->rest[0] : "-", *base = strrchr(path, '/');
    job j = {0};
    med_report_timing t = {0};
    r1_status st = cli_read_text(path, &j.text, &j.len, &call->err);
    if (st == R1_OK) st = cli_open_kb(call, &j.kb, &call->err);
    if (st == R1_OK) st = med_lexicon_new(&j.lex, j.kb, &call->err);
    if (st == R1_OK) st = med_ranker_new(&j.ranker, j.kb, &call->err);
    if (st == R1_OK) st = cli_open_r1(call, &j.r1, &call->err);
    med_judge judge = {j.ranker, j.r1.reranker, j.r1.judge, r1_options_bool(o, "anchors")};
    if (st == R1_OK)
        st = med_report_make(j.kb, j.lex, &judge, base ? base + 1 : path, j.text, j.len, &j.report,
                             &t, &call->err);
    int64_t t0 = r1_mono_us();
    if (st == R1_OK)
        st = report_write_all(j.report, r1_options_str(o, "format"), r1_options_str(o, "out"),
                              &call->err);
    const char *conninfo = NULL;
    if (st == R1_OK) st = r1_store_conninfo(o, &conninfo, &call->err);
    if (st == R1_OK && conninfo) {
        bool written = false;
        st = med_write_report(conninfo, j.report, j.text, j.len, &written, &call->err);
        if (st == R1_OK) printf("%s\n", written ? "rows written" : "rows were there already");
    }
    if (st == R1_OK && r1_options_bool(o, "timings"))
        printf("read %.1f ms, rank and explain %.1f ms, write %.1f ms\n", t.read_ms, t.rank_ms,
               (double)(r1_mono_us() - t0) / 1e3);
    json_decref(j.report);
    cli_close_r1(&j.r1);
    med_ranker_free(j.ranker);
    med_lexicon_free(j.lex);
    med_kb_free(j.kb);
    free(j.text);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

static const r1_option report_options[] = {
    CLI_KB_OPTION,
    CLI_R1_OPTIONS,
    {"format", "medical", R1_OPT_STRING, "html,pdf,json,text", 0, 0, NULL, false, NULL,
     "any of html, pdf, json, text"},
    {"out", NULL, R1_OPT_PATH, "run/report", 0, 0, NULL, false, NULL,
     "folder for report.html, report.pdf, report.json, report.txt"},
    R1_STORE_POSTGRES_ROW(NULL, "PostgreSQL connection for the report's rows, as libpq takes it"),
    R1_STORE_DB_ROW("medical"),
    {"timings", NULL, R1_OPT_BOOL, "false", 0, 0, NULL, false, NULL, "print what each stage took"},
};

const r1_command cli_report_commands[] = {
    {"report", "read a record and write the report with its evidence",
     "r1-medical report apps/medical/samples/record.txt --out run/report\nr1-medical report - --kb "
     "run/hpo --format "
     "html < record.txt",
     report_options, R1_COUNT(report_options), true, run_report},
};
const size_t cli_report_n = R1_COUNT(cli_report_commands);
