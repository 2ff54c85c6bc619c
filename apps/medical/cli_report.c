/* SPDX-License-Identifier: Apache-2.0 */
/* cli_report.c - report: records in, for each a report out in the formats that were asked for. Of
 * several records one that is refused costs itself alone: a table says what became of each. */
#include "cli_medical.h"
#include "files/outputs.h"
#include "print/med_put.h"
#include "report/med_interchange.h"
#include "store/store_command.h"
#include "write/med_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

typedef struct {
    r1_cli_call *call;
    med_kb *kb;
    med_lexicon *lex; /* NULL until a record is text */
    med_ranker *ranker;
    cli_r1 r1;
    med_keys *keys; /* NULL: no row is written */
    med_genes genes;
    med_labels *labels; /* NULL: none are given */
    cli_inputs in;
    FILE *table; /* a row for each record; NULL: there is one record alone */
    char *rows;
    size_t n_row_bytes;
    char date[16]; /* the report's day */
    char made[24]; /* the instant where the clock gave it, else the day */
    char program[64];
} report_job;

/* One record on its way. */
typedef struct {
    const cli_input *input;
    char *bytes; /* of the file */
    size_t len;
    med_document document;
    med_notes notes;
    med_report *report;
} report_record;

/* Takes text. */
static r1_status report_write_text(char *text, const char *path, r1_err *err)
{
    r1_status st = r1_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}

/* Takes j. */
static r1_status report_write_tree(json_t *j, const char *path, r1_err *err)
{
    char *text = json_dumps(j, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(j);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for %s", path);
    return report_write_text(text, path, err);
}

static r1_status report_write_json(const med_report *r, const char *date, const char *path,
                                   r1_err *err)
{
    json_t *j = NULL;
    (void)date;
    R1_TRY(med_report_json(r, true, &j, err));
    return report_write_tree(j, path, err);
}

static r1_status report_write_packet(const med_report *r, const char *date, const char *path,
                                     r1_err *err)
{
    json_t *j = NULL;
    R1_TRY(med_report_phenopacket(r, date, &j, err));
    return report_write_tree(j, path, err);
}

static r1_status report_write_fhir(const med_report *r, const char *date, const char *path,
                                   r1_err *err)
{
    json_t *j = NULL;
    R1_TRY(med_report_fhir(r, date, &j, err));
    return report_write_tree(j, path, err);
}

static r1_status report_write_table(const med_report *r, const char *date, const char *path,
                                    r1_err *err)
{
    char *text = NULL;
    (void)date;
    R1_TRY(med_report_table(r, &text, err));
    return report_write_text(text, path, err);
}

static r1_status report_write_pdf(const med_report *r, const char *date, const char *path,
                                  r1_err *err)
{
    (void)date;
    return med_report_pdf(r, path, err);
}

static r1_status report_write_html(const med_report *r, const char *date, const char *path,
                                   r1_err *err)
{
    char *text = NULL;
    (void)date;
    R1_TRY(med_report_html(r, &text, err));
    return report_write_text(text, path, err);
}

static r1_status report_write_plain(const med_report *r, const char *date, const char *path,
                                    r1_err *err)
{
    char *text = NULL;
    (void)date;
    R1_TRY(med_report_text(r, &text, err));
    return report_write_text(text, path, err);
}

static const struct {
    const char *name, *ending;
    r1_status (*write)(const med_report *r, const char *date, const char *path, r1_err *err);
} report_formats[] = {
    {"html", "html", report_write_html},
    {"pdf", "pdf", report_write_pdf},
    {"json", "json", report_write_json},
    {"text", "txt", report_write_plain},
    {"phenopacket", "phenopacket.json", report_write_packet},
    {"fhir", "fhir.json", report_write_fhir},
    {"tsv", "tsv", report_write_table},
};

/* DIR/STEM.report.ENDING */
static r1_status report_path(char path[4200], const char *dir, const char *stem, const char *ending,
                             r1_err *err)
{
    int n = snprintf(path, 4200, "%s/%s%s%s", dir, stem, CLI_REPORT_MARK, ending);
    if (n >= 4200) R1_FAIL(err, R1_E_INVAL, "a path longer than 4200 bytes: %.80s...", path);
    return R1_OK;
}

static bool report_wants(const char *formats, const char *name)
{
    size_t n = strlen(name);
    for (const char *f = formats; *f;) {
        size_t len = strcspn(f, ", ");
        if (len == n && memcmp(f, name, n) == 0) return true;
        f += len + (f[len] != '\0');
    }
    return false;
}

static r1_status report_check_formats(const char *formats, r1_err *err)
{
    if (strspn(formats, ", ") == strlen(formats))
        R1_FAIL(err, R1_E_INVAL, "--format: expected at least one format, found \"%.20s\"",
                formats);
    for (const char *f = formats; *f;) {
        size_t len = strcspn(f, ", ");
        bool known = len == 0;
        for (size_t i = 0; i < R1_COUNT(report_formats); i++)
            known = known || (strlen(report_formats[i].name) == len &&
                              memcmp(f, report_formats[i].name, len) == 0);
        if (!known)
            R1_FAIL(err, R1_E_INVAL,
                    "format \"%.*s\", expected html, pdf, json, text, "
                    "phenopacket, fhir or tsv",
                    (int)(len < 60 ? len : 60), f);
        f += len + (f[len] != '\0');
    }
    return R1_OK;
}

static r1_status report_write_all(const report_job *j, const report_record *r, r1_err *err)
{
    const r1_options *o = j->call->opts;
    char path[4200];
    R1_TRY(r1_mkdirs(r1_options_str(o, "out"), err));
    for (size_t i = 0; i < R1_COUNT(report_formats); i++) {
        if (!report_wants(r1_options_str(o, "format"), report_formats[i].name)) continue;
        R1_TRY(report_path(path, r1_options_str(o, "out"), r->input->stem, report_formats[i].ending,
                           err));
        R1_TRY(report_formats[i].write(r->report, j->made, path, err));
        if (!j->table) med_put(stdout, MED_TEXT_LINE, "%s\n", path);
    }
    return R1_OK;
}

/* A report is neither a record, the ontology nor the model. */
static r1_status report_check_files(const r1_options *o, const cli_input *input, const char *record,
                                    r1_err *err)
{
    const r1_named_file in[] = {{"the record", record, 0},
                                {"--kb", r1_options_str(o, "kb"), 0},
                                {"--genes", r1_options_str(o, "genes"), 0},
                                {"--model", r1_options_str(o, "model"), 0}};
    for (size_t i = 0; i < R1_COUNT(report_formats); i++) {
        char path[4200];
        if (!report_wants(r1_options_str(o, "format"), report_formats[i].name)) continue;
        R1_TRY(report_path(path, r1_options_str(o, "out"), input->stem, report_formats[i].ending,
                           err));
        const r1_named_file out = {"--out", path, R1_OUTPUT_BELOW};
        R1_TRY(r1_outputs_check(&out, 1, in, R1_COUNT(in), err));
    }
    return R1_OK;
}

/* Only a record that is named like a report can be the report of another one. */
static r1_status report_check_all(const report_job *j, r1_err *err)
{
    const r1_options *o = j->call->opts;
    for (uint32_t i = 0; i < j->in.n; i++) {
        const char *path = j->in.input[i].path;
        R1_TRY(report_check_files(o, &j->in.input[i], path, err));
        for (uint32_t k = 0; strstr(path, CLI_REPORT_MARK) && k < j->in.n; k++)
            R1_TRY(report_check_files(o, &j->in.input[k], path, err));
    }
    return R1_OK;
}

/* --date, or today in UTC. */
static r1_status report_date(report_job *j, r1_err *err)
{
    const char *given = r1_options_str(j->call->opts, "date");
    time_t now = (time_t)(r1_time_us() / 1000000);
    struct tm tm = {0};
    if (!given) {
        gmtime_r(&now, &tm);
        strftime(j->date, sizeof j->date, "%Y-%m-%d", &tm);
        strftime(j->made, sizeof j->made, "%Y-%m-%dT%H:%M:%SZ", &tm);
        return R1_OK;
    }
    const char *end = strptime(given, "%Y-%m-%d", &tm);
    bool read = strlen(given) == 10 && end && !*end;
    struct tm day = tm; /* timegm makes 3 March of 31 February */
    if (read) timegm(&day);
    if (!read || day.tm_mday != tm.tm_mday || day.tm_mon != tm.tm_mon)
        R1_FAIL(err, R1_E_INVAL, "--date: expected a day as 2026-11-30, found \"%.20s\"", given);
    snprintf(j->date, sizeof j->date, "%s", given);
    snprintf(j->made, sizeof j->made, "%s", given);
    return R1_OK;
}

/* Rows name a record by its blind index. */
static r1_status report_keys(report_job *j, r1_err *err)
{
    const char *conninfo = NULL;
    R1_TRY(r1_store_conninfo(j->call->opts, &conninfo, err));
    return conninfo ? cli_open_keys(j->call->opts, "--postgres", &j->keys, err) : R1_OK;
}

static r1_status report_open(report_job *j, r1_err *err)
{
    const r1_options *o = j->call->opts;
    cli_private_files();
    R1_TRY(report_keys(j, err));
    R1_TRY(report_check_formats(r1_options_str(o, "format"), err));
    R1_TRY(report_date(j, err));
    snprintf(j->program, sizeof j->program, "r1-medical %s", r1_cli_version());
    const char *reviewed = r1_options_str(o, "findings");
    if (reviewed && j->call->n_rest)
        R1_FAIL(err, R1_E_INVAL, "--findings and %s: expected one of them", j->call->rest[0]);
    R1_TRY(cli_inputs_read(&j->in, reviewed ? &reviewed : j->call->rest,
                           reviewed ? 1 : j->call->n_rest, err));
    if (j->in.many &&
        (r1_options_has(o, "sex") || r1_options_has(o, "age") || r1_options_has(o, "genes")))
        R1_FAIL(err, R1_E_INVAL,
                "--sex, --age and --genes state one patient: give one record with them");
    R1_TRY(report_check_all(j, err));
    if (j->in.many && !(j->table = open_memstream(&j->rows, &j->n_row_bytes)))
        R1_FAIL(err, R1_E_NOMEM, "no memory for the table of reports");
    return R1_OK;
}

/* What every record needs, opened when the first one is known to be one; names, when the first
 * one is text. */
static r1_status report_tools(report_job *j, bool text, r1_err *err)
{
    if (!j->kb) R1_TRY(cli_open_kb(j->call, &j->kb, err));
    if (text && !j->lex) R1_TRY(med_lexicon_new(&j->lex, j->kb, err));
    if (j->ranker) return R1_OK;
    R1_TRY(med_ranker_new(&j->ranker, j->kb, err));
    if (r1_options_has(j->call->opts, "genes")) {
        R1_TRY(med_genes_load(&j->genes, r1_options_str(j->call->opts, "genes"), err));
        med_genes_check(&j->genes, j->kb);
    }
    if (r1_options_has(j->call->opts, "labels"))
        R1_TRY(med_labels_open(&j->labels, j->kb, r1_options_str(j->call->opts, "labels"), err));
    return cli_open_r1(j->call, &j->r1, err);
}

static r1_status report_store(const report_job *j, const report_record *r, r1_err *err)
{
    bool written = false;
    const char *conninfo = NULL;
    R1_TRY(r1_store_conninfo(j->call->opts, &conninfo, err));
    if (!conninfo) return R1_OK;
    R1_TRY(med_write_report(conninfo, j->keys, r->report, r->bytes, r->len, &written, err));
    if (!j->table) printf("%s\n", written ? "rows written" : "rows were there already");
    return R1_OK;
}

static r1_status report_make(report_job *j, report_record *r, r1_err *err)
{
    const r1_options *o = j->call->opts;
    const char *path = r->input->path, *base = strrchr(path, '/');
    med_judge judge = {j->ranker, j->r1.reranker, j->r1.judge, r1_options_bool(o, "anchors")};
    int64_t began = r1_mono_us();
    R1_TRY(med_document_notes(&r->document, j->lex, j->kb, path, &r->notes, err));
    cli_state_person(o, &r->document, &r->notes);
    for (uint32_t i = 0; i < j->genes.n_note; i++)
        med_document_note(&r->document, "%s", j->genes.note[i]);
    int64_t read = r1_mono_us();
    const med_report_record record = {
        .title = r->document.title ? r->document.title
                 : base            ? base + 1
                                   : path,
        .notes = &r->notes,
        .reading = {(const char *const *)r->document.note, r->document.n_note},
        .language = strcmp(r1_options_str(o, "language"), "zh") == 0 ? MED_WORDS_ZH : MED_WORDS_EN,
        .date = j->date,
        .program = j->program,
        .labels = j->labels,
        .signing = &r->document.signing,
        .genes = r1_options_has(o, "genes") ? &j->genes : NULL};
    R1_TRY(med_report_make(j->kb, &judge, &record, &r->report, err));
    int64_t ranked = r1_mono_us();
    R1_TRY(report_write_all(j, r, err));
    R1_TRY(report_store(j, r, err));
    if (r1_options_bool(o, "timings"))
        printf("read %.1f ms, rank and explain %.1f ms, write %.1f ms\n",
               (double)(read - began) / 1e3, (double)(ranked - read) / 1e3,
               (double)(r1_mono_us() - ranked) / 1e3);
    return R1_OK;
}

/* ---- several records ---- */

/* Whether all reports are there, each newer than its record. */
static bool report_is_there(const report_job *j, const cli_input *input)
{
    const r1_options *o = j->call->opts;
    char path[4200];
    struct stat record, report;
    if (!r1_options_bool(o, "resume") || stat(input->path, &record) != 0) return false;
    for (size_t i = 0; i < R1_COUNT(report_formats); i++) {
        if (!report_wants(r1_options_str(o, "format"), report_formats[i].name)) continue;
        if (report_path(path, r1_options_str(o, "out"), input->stem, report_formats[i].ending,
                        NULL) != R1_OK ||
            stat(path, &report) != 0 || report.st_mtime < record.st_mtime)
            return false;
    }
    return true;
}

static void report_row(const report_job *j, const report_record *r, r1_status st, const r1_err *err)
{
    const med_report *p = r->report;
    if (!j->table) return;
    med_put(j->table, MED_TABLE, "%s\t", r->input->path);
    if (st != R1_OK) {
        med_put(j->table, MED_TABLE, "refused\t\t\t\t\t\t\t\t%s\n", err->msg);
        return;
    }
    med_put(j->table, MED_TABLE, "%s\t%s\t", p->confident ? "confident" : "not confident", p->sex);
    if (!isnan(p->age_years)) med_put(j->table, MED_TABLE, "%.2f", p->age_years);
    med_put(j->table, MED_TABLE, "\t%u\t%u\t%s\t%s\t%.3f\t%u notes\n", p->observed.n, p->excluded.n,
            p->n_candidate ? p->candidate[0].id : "", p->n_candidate ? p->candidate[0].name : "",
            p->n_candidate ? p->candidate[0].probability : 0, p->reading.n);
}

static r1_status report_one(report_job *j, const cli_input *input, r1_err *err)
{
    report_record r = {.input = input};
    r1_status st = cli_read_record(input->path, &r.document, &r.bytes, &r.len, err);
    if (st == R1_OK) st = cli_one_patient(j->call->opts, &r.document, input->path, err);
    if (st == R1_OK && r1_options_has(j->call->opts, "findings") &&
        r.document.kind != MED_DOCUMENT_REVIEW)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "--findings %s: expected a file that `r1-medical review` makes, found a %s",
                        input->path, med_document_name[r.document.kind]);
    if (st == R1_OK) {
        st = report_tools(j, !r.document.listed, err);
        if (st != R1_OK) j->in.many = false; /* no record can be read: the call fails */
    }
    if (st == R1_OK) st = report_make(j, &r, err);
    report_row(j, &r, st, err);
    med_report_free(r.report);
    med_notes_free(&r.notes);
    med_document_free(&r.document);
    free(r.bytes);
    return st;
}

static r1_status report_table(report_job *j, r1_err *err)
{
    static const char columns[] = "record\tresult\tsex\tage_years\tobserved\texcluded\tdisease"
                                  "\tname\tprobability\tmessage\n";
    char path[4200], *whole = NULL;
    size_t len = 0;
    fclose(j->table);
    j->table = NULL;
    FILE *f = open_memstream(&whole, &len);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for the table of reports");
    fputs(columns, f);
    fwrite(j->rows, 1, j->n_row_bytes, f);
    fclose(f);
    snprintf(path, sizeof path, "%s/%s", r1_options_str(j->call->opts, "out"), CLI_SUMMARY_NAME);
    r1_status st = r1_mkdirs(r1_options_str(j->call->opts, "out"), err);
    if (st == R1_OK) st = r1_file_write(path, whole, len, err);
    free(whole);
    if (st == R1_OK) med_put(stdout, MED_TEXT_LINE, "%s\n", path);
    return st;
}

/* Returns how many records were refused through *refused. */
static r1_status report_run(report_job *j, uint32_t *refused, r1_err *err)
{
    uint32_t kept = 0, i = 0;
    r1_progress progress;
    R1_TRY(report_open(j, err));
    if (!j->in.many) return report_one(j, &j->in.input[0], err);
    r1_progress_begin(&progress, "records", j->in.n);
    for (; i < j->in.n && !r1_cli_stopped(); i++) {
        const cli_input *input = &j->in.input[i];
        r1_err why = {0};
        if (report_is_there(j, input)) {
            med_put(j->table, MED_TABLE, "%s\tkept\t\t\t\t\t\t\t\tits reports are newer than it\n",
                    input->path);
            kept++;
        } else if (report_one(j, input, &why) != R1_OK) {
            if (!j->in.many) {
                *err = why;
                return why.code;
            }
            med_put(stderr, MED_TEXT_LINE, "refused: %s\n", why.msg);
            ++*refused;
        }
        r1_progress_update(&progress, i + 1, "");
    }
    r1_progress_end(&progress, i, i < j->in.n ? "stopped" : "");
    R1_TRY(report_table(j, err));
    printf("%u records: %u reports, %u kept, %u refused", j->in.n, i - kept - *refused, kept,
           *refused);
    if (i < j->in.n) printf(", %u not begun: --resume goes on", j->in.n - i);
    if (j->in.n_skipped) printf("; %u folders and other things were passed over", j->in.n_skipped);
    putchar('\n');
    return R1_OK;
}

int cli_report_command(r1_cli_call *call)
{
    report_job j = {.call = call};
    uint32_t refused = 0;
    r1_status st = report_run(&j, &refused, &call->err);
    bool none = refused && refused == j.in.n;
    if (j.table) fclose(j.table);
    free(j.rows);
    cli_inputs_free(&j.in);
    cli_close_r1(&j.r1);
    med_genes_free(&j.genes);
    med_labels_free(j.labels);
    med_keys_free(j.keys);
    med_ranker_free(j.ranker);
    med_lexicon_free(j.lex);
    med_kb_free(j.kb);
    if (st != R1_OK) return r1_cli_exit(st);
    return none ? R1_EXIT_FAILED : refused ? R1_EXIT_PARTIAL : R1_EXIT_OK;
}

/* clang-format off */
const r1_option cli_report_rows[] = {
    CLI_KB_OPTION,
    CLI_R1_OPTIONS,
    {.name = "format", .section = "medical", .type = R1_OPT_STRING, .def = "html,pdf,json,text",
     .help = "any of html, pdf, json, text, phenopacket, fhir, tsv"},
    {.name = "date", .type = R1_OPT_STRING,
     .help = "the report's day, as 2026-11-30 (default: today)"},
    {.name = "language", .section = "medical", .type = R1_OPT_ENUM, .def = "en",
     .choices = "en|zh", .help = "of the report's own words; a PDF in Chinese needs a font for it"},
    {.name = "labels", .section = "medical", .type = R1_OPT_PATH,
     .help = "names of findings in that language: a translation of the HPO (hp-zh.babelon.tsv) or "
             "a table of ids and names"},
    {.name = "out", .type = R1_OPT_PATH, .def = "run/report",
     .help = "folder for NAME.report.html, .pdf, .json and .txt, after the name of each record; "
             "several records get summary.tsv beside them"},
    {.name = "findings", .type = R1_OPT_PATH,
     .help = "a file that `review` made, in the place of a record: ranks from its findings"},
    CLI_PERSON_OPTIONS,
    CLI_ONE_PATIENT_OPTION,
    CLI_GENES_OPTION,
    {.name = "resume", .type = R1_OPT_BOOL, .def = "false",
     .help = "of several records, those whose reports are newer than they are stay as they are"},
    R1_STORE_POSTGRES_ROW(NULL, "PostgreSQL connection for the report's rows, as libpq takes it"),
    R1_STORE_DB_ROW("medical"),
    CLI_KEYS_OPTION,
    {.name = "timings", .type = R1_OPT_BOOL, .def = "false", .help = "print what each stage took"},
};
/* clang-format on */
const size_t cli_report_n_row = R1_COUNT(cli_report_rows);
