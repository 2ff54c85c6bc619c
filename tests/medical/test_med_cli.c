/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_cli.c - the program itself: exit codes and the text inside the PDF. Runs r1-medical by fork and exec. */
#include "r1_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *const *argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char program[4096];

static const char *medical(void)
{
    snprintf(program, sizeof program, "%s/r1-medical", getenv("R1_BIN") ? getenv("R1_BIN") : "build/bin");
    return program;
}

static void test_report(void)
{
    char pdf[4200], txt[4200];
    r1_err err;
    const char *report[] = {medical(), "report",         r1_test_source("apps/medical/samples/record.txt"),
                            "--out",   r1_test_tmpdir(), NULL};
    CU_ASSERT_EQUAL(run(report), 0);
    snprintf(pdf, sizeof pdf, "%s/report.pdf", report[4]);
    snprintf(txt, sizeof txt, "%s/out.txt", report[4]);
    const char *extract[] = {"pdftotext", pdf, txt, NULL};
    int rc = run(extract);
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
    free(text);
}

static void test_exit_codes(void)
{
    const char *empty[] = {medical(), "report", "/dev/null", NULL};
    CU_ASSERT_EQUAL(run(empty), 1);
    const char *missing[] = {medical(), "annotate", "/nonexistent", NULL};
    CU_ASSERT_EQUAL(run(missing), 1);
    const char *kb[] = {medical(), "ontology", "info", "/nonexistent.r1kb", NULL};
    CU_ASSERT_EQUAL(run(kb), 1);
    const char *usage[] = {medical(), "eval", "annotate", NULL};
    CU_ASSERT_EQUAL(run(usage), 2);
    const char *check[] = {medical(), "ontology", "check", r1_test_source("ontology/r1med.xml"), NULL};
    CU_ASSERT_EQUAL(run(check), 0);
}

R1_TEST_MAIN("medical program", {"report", test_report}, {"exit codes", test_exit_codes})
