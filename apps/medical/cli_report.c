/* SPDX-License-Identifier: Apache-2.0 */
/* cli_report.c - report: one record in, the report out in the formats that were asked for. */
#include "cli_medical.h"
#include "files/outputs.h"
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
    med_document document;
    med_notes notes;
    med_report *report;
} report_job;

/* Takes text. */
static r1_status report_write_text(char *text, const char *path, r1_err *err)
{
    r1_status st = r1_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}

static r1_status report_write_json(const med_report *r, const char *path, r1_err *err)
{
    json_t *j = NULL;
    R1_TRY(med_report_json(r, true, &j, err));
    char *text = json_dumps(j, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(j);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for %s", path);
    return report_write_text(text, path, err);
}

static r1_status report_write_html(const med_report *r, const char *path, r1_err *err)
{
    char *text = NULL;
    R1_TRY(med_report_html(r, &text, err));
    return report_write_text(text, path, err);
}

static r1_status report_write_plain(const med_report *r, const char *path, r1_err *err)
{
    char *text = NULL;
    R1_TRY(med_report_text(r, &text, err));
    return report_write_text(text, path, err);
}

static const struct {
    const char *name, *file;
    r1_status (*write)(const med_report *r, const char *path, r1_err *err);
} report_formats[] = {
    {"html", "report.html", report_write_html},
    {"pdf", "report.pdf", med_report_pdf},
    {"json", "report.json", report_write_json},
    {"text", "report.txt", report_write_plain},
};

static r1_status report_write(const med_report *r, const char *format, size_t len, const char *dir,
                              r1_err *err)
{
    char path[4200];
    for (size_t i = 0; i < R1_COUNT(report_formats); i++) {
        const char *name = report_formats[i].name;
        if (strlen(name) != len || memcmp(format, name, len) != 0) continue;
        snprintf(path, sizeof path, "%s/%s", dir, report_formats[i].file);
        R1_TRY(report_formats[i].write(r, path, err));
        printf("%s\n", path);
        return R1_OK;
    }
    R1_FAIL(err, R1_E_INVAL, "format \"%.*s\", expected html, pdf, json or text",
            (int)(len < 60 ? len : 60), format);
}

static r1_status report_write_all(const med_report *r, const char *formats, const char *dir,
                                  r1_err *err)
{
    R1_TRY(r1_mkdirs(dir, err));
    for (const char *f = formats; *f;) {
        size_t len = strcspn(f, ",");
        if (len) R1_TRY(report_write(r, f, len, dir, err));
        f += len + (f[len] == ',');
    }
    return R1_OK;
}

/* A report is neither the record, the ontology nor the model. */
static r1_status report_check_files(const r1_options *o, const char *record, r1_err *err)
{
    const r1_named_file in[] = {{"the record", record, 0},
                                {"--kb", r1_options_str(o, "kb"), 0},
                                {"--model", r1_options_str(o, "model"), 0}};
    for (size_t i = 0; i < R1_COUNT(report_formats); i++) {
        char path[4200];
        if (!strstr(r1_options_str(o, "format"), report_formats[i].name)) continue;
        snprintf(path, sizeof path, "%s/%s", r1_options_str(o, "out"), report_formats[i].file);
        const r1_named_file out = {"--out", path, R1_OUTPUT_BELOW};
        R1_TRY(r1_outputs_check(&out, 1, in, R1_COUNT(in), err));
    }
    return R1_OK;
}

static r1_status report_open(r1_cli_call *call, report_job *j, const char *path, r1_err *err)
{
    R1_TRY(cli_read_document(path, &j->document, err));
    R1_TRY(cli_open_kb(call, &j->kb, err));
    R1_TRY(med_lexicon_new(&j->lex, j->kb, err));
    R1_TRY(med_ranker_new(&j->ranker, j->kb, err));
    return cli_open_r1(call, &j->r1, err);
}

static r1_status report_store(const r1_cli_call *call, const report_job *j, r1_err *err)
{
    bool written = false;
    const char *conninfo = NULL;
    R1_TRY(r1_store_conninfo(call->opts, &conninfo, err));
    if (!conninfo) return R1_OK;
    R1_TRY(med_write_report(conninfo, j->report, j->document.text, j->document.len, &written, err));
    printf("%s\n", written ? "rows written" : "rows were there already");
    return R1_OK;
}

static r1_status report_run(r1_cli_call *call, report_job *j, r1_err *err)
{
    const r1_options *o = call->opts;
    const char *path = call->n_rest ? call->rest[0] : "-", *base = strrchr(path, '/');
    R1_TRY(report_check_files(o, path, err));
    R1_TRY(report_open(call, j, path, err));
    med_judge judge = {j->ranker, j->r1.reranker, j->r1.judge, r1_options_bool(o, "anchors")};
    int64_t began = r1_mono_us();
    R1_TRY(med_document_notes(&j->document, j->lex, j->kb, path, &j->notes, err));
    int64_t read = r1_mono_us();
    const med_report_record record = {base ? base + 1 : path,
                                      &j->notes,
                                      {(const char *const *)j->document.note, j->document.n_note}};
    R1_TRY(med_report_make(j->kb, &judge, &record, &j->report, err));
    int64_t ranked = r1_mono_us();
    R1_TRY(report_write_all(j->report, r1_options_str(o, "format"), r1_options_str(o, "out"), err));
    R1_TRY(report_store(call, j, err));
    if (r1_options_bool(o, "timings"))
        printf("read %.1f ms, rank and explain %.1f ms, write %.1f ms\n",
               (double)(read - began) / 1e3, (double)(ranked - read) / 1e3,
               (double)(r1_mono_us() - ranked) / 1e3);
    return R1_OK;
}

int cli_report_command(r1_cli_call *call)
{
    report_job j = {0};
    r1_status st = report_run(call, &j, &call->err);
    med_report_free(j.report);
    cli_close_r1(&j.r1);
    med_ranker_free(j.ranker);
    med_lexicon_free(j.lex);
    med_kb_free(j.kb);
    med_notes_free(&j.notes);
    med_document_free(&j.document);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* clang-format off */
const r1_option cli_report_rows[] = {
    CLI_KB_OPTION,
    CLI_R1_OPTIONS,
    {.name = "format", .section = "medical", .type = R1_OPT_STRING, .def = "html,pdf,json,text",
     .help = "any of html, pdf, json, text"},
    {.name = "out", .type = R1_OPT_PATH, .def = "run/report",
     .help = "folder for report.html, report.pdf, report.json, report.txt"},
    R1_STORE_POSTGRES_ROW(NULL, "PostgreSQL connection for the report's rows, as libpq takes it"),
    R1_STORE_DB_ROW("medical"),
    {.name = "timings", .type = R1_OPT_BOOL, .def = "false", .help = "print what each stage took"},
};
/* clang-format on */
const size_t cli_report_n_row = R1_COUNT(cli_report_rows);
