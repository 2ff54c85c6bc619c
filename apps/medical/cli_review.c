/* SPDX-License-Identifier: Apache-2.0 */
/* cli_review.c - review: what was read of a record, as a file that a person goes through before
 * `report --findings` ranks from it. */
#include "cli_medical.h"
#include "documents/med_review.h"
#include "files/outputs.h"
#include "print/med_put.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REVIEW_BYTES_MAX = 1 << 28 };

typedef struct {
    const char *path;
    med_kb *kb;
    med_lexicon *lex;
    med_document document;
    med_notes notes;
    med_review review;
} review_job;

/* A file that is there and holds something else may be one that a person has gone through. */
static r1_status review_spare(const char *out, const char *text, r1_err *err)
{
    struct stat info;
    char *old = NULL;
    size_t len = 0;
    if (stat(out, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) return R1_OK;
    R1_TRY(r1_file_read(out, REVIEW_BYTES_MAX, &old, &len, err));
    bool same = len == strlen(text) && memcmp(old, text, len) == 0;
    free(old);
    if (same) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "--out %s: the file is there and holds something else, perhaps a person's review: "
            "expected a new name, or move it away first",
            out);
}

static r1_status review_run(const r1_cli_call *call, review_job *j, r1_err *err)
{
    const char *out = r1_options_str(call->opts, "out"), *slash = strrchr(j->path, '/');
    cli_private_files();
    const r1_named_file to = {"--out", out, R1_OUTPUT_REPLACED},
                        from[] = {{"the record", j->path, 0},
                                  {"--kb", r1_options_str(call->opts, "kb"), 0}};
    if (out) R1_TRY(r1_outputs_check(&to, 1, from, R1_COUNT(from), err));
    R1_TRY(cli_read_document(j->path, &j->document, err));
    R1_TRY(cli_one_patient(call->opts, &j->document, j->path, err));
    R1_TRY(cli_open_kb(call, &j->kb, err));
    R1_TRY(med_lexicon_new(&j->lex, j->kb, err));
    R1_TRY(med_document_notes(&j->document, j->lex, j->kb, j->path, &j->notes, err));
    cli_state_person(call->opts, &j->document, &j->notes);
    const char *title = j->document.title ? j->document.title : slash ? slash + 1 : j->path;
    R1_TRY(med_review_make(&j->review, j->kb, &j->notes, &j->document, title, err));
    char *text = NULL;
    R1_TRY(med_review_write(&j->review, &text, err));
    r1_status st = out ? review_spare(out, text, err) : R1_OK;
    if (out && st == R1_OK)
        st = r1_file_write(out, text, strlen(text), err);
    else if (!out)
        puts(text);
    free(text);
    return st;
}

int cli_review_command(r1_cli_call *call)
{
    review_job j = {.path = call->n_rest ? call->rest[0] : "-"};
    r1_status st = review_run(call, &j, &call->err);
    for (uint32_t i = 0; i < j.document.n_note; i++)
        med_put(stderr, MED_TEXT_LINE, "note: %s\n", j.document.note[i]);
    med_review_free(&j.review);
    med_notes_free(&j.notes);
    med_document_free(&j.document);
    med_lexicon_free(j.lex);
    med_kb_free(j.kb);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

const r1_option cli_review_rows[] = {
    {.name = "out", .type = R1_OPT_PATH, .help = "file of findings (default: standard output)"},
    CLI_PERSON_OPTIONS,
    CLI_ONE_PATIENT_OPTION,
    CLI_KB_OPTION,
};
const size_t cli_review_n_row = R1_COUNT(cli_review_rows);
