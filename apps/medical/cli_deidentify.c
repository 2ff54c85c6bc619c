/* SPDX-License-Identifier: Apache-2.0 */
/* cli_deidentify.c - deidentify: a record's text without what names its patient. */
#include "cli_medical.h"
#include "deidentify/med_deidentify.h"
#include "files/outputs.h"
#include "print/med_put.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    const r1_options *o;
    const char *path;
    med_document document;
    med_kb *kb;
    med_lexicon *lex;
    med_keys *keys;
    med_deidentifier *d;
    med_deidentified out;
} deidentify_job;

static r1_status deidentify_open(deidentify_job *j, const r1_cli_call *call, r1_err *err)
{
    const char *out = r1_options_str(j->o, "out");
    const r1_named_file to = {"--out", out, R1_OUTPUT_REPLACED},
                        from[] = {{"the record", j->path, 0},
                                  {"--kb", r1_options_str(j->o, "kb"), 0},
                                  {"--keys", r1_options_str(j->o, "keys"), 0}};
    cli_private_files();
    if (out) R1_TRY(r1_outputs_check(&to, 1, from, R1_COUNT(from), err));
    if (r1_options_has(j->o, "patient"))
        R1_TRY(cli_open_keys(j->o, "--patient, whose dates are shifted by a keyed number,",
                             &j->keys, err));
    R1_TRY(cli_read_document(j->path, &j->document, err));
    if (j->document.listed)
        R1_FAIL(err, R1_E_INVAL,
                "%s: a %s, expected a text: make one from a text without identifiers, by `report "
                "--format phenopacket`",
                j->path, med_document_name[j->document.kind]);
    R1_TRY(cli_open_kb(call, &j->kb, err));
    R1_TRY(med_lexicon_new(&j->lex, j->kb, err));
    return med_deidentifier_new(&j->d, j->lex, j->kb, err);
}

static r1_status deidentify_json(const med_deidentified *x, char **text, r1_err *err)
{
    json_t *spans = json_array(), *of = json_object();
    for (uint32_t i = 0; i < x->n_span; i++)
        json_array_append_new(spans, json_pack("{s:i, s:i, s:s}", "start", (int)x->span[i].start,
                                               "end", (int)x->span[i].end, "kind",
                                               med_identifier_name[x->span[i].kind]));
    for (int k = 0; k < MED_IDENTIFIER_COUNT; k++)
        if (x->n_of[k]) json_object_set_new(of, med_identifier_name[k], json_integer(x->n_of[k]));
    json_t *o = json_pack("{s:o, s:o, s:{s:i, s:i, s:i}, s:s#}", "identifiers", of, "spans", spans,
                          "findings", "before", (int)x->n_before, "after", (int)x->n_after,
                          "changed", (int)x->n_changed, "text", x->text, x->len);
    *text = o ? json_dumps(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER) : NULL;
    json_decref(o);
    if (!*text) R1_FAIL(err, R1_E_NOMEM, "no memory for a text without identifiers");
    return R1_OK;
}

static void deidentify_say(const deidentify_job *j)
{
    const med_deidentified *x = &j->out;
    fprintf(stderr, "%u identifiers:", x->n_span);
    for (int k = 0; k < MED_IDENTIFIER_COUNT; k++)
        if (x->n_of[k]) fprintf(stderr, " %s %u", med_identifier_name[k], x->n_of[k]);
    fprintf(stderr, "\nfindings: %u before, %u after, %u differ\n", x->n_before, x->n_after,
            x->n_changed);
    fputs("read the text before it is handed on: no pass finds every identifier\n", stderr);
}

static r1_status deidentify_write(const deidentify_job *j, r1_err *err)
{
    const char *out = r1_options_str(j->o, "out");
    char *json = NULL;
    const char *text = j->out.text;
    size_t len = j->out.len;
    if (r1_options_bool(j->o, "json")) {
        R1_TRY(deidentify_json(&j->out, &json, err));
        text = json;
        len = strlen(json);
    }
    r1_status st = R1_OK;
    if (out)
        st = r1_file_write(out, text, len, err);
    else if (fwrite(text, 1, len, stdout) != len || fflush(stdout) != 0)
        st = r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "standard output: not all was written");
    free(json);
    return st;
}

static r1_status deidentify_run(deidentify_job *j, const r1_cli_call *call, r1_err *err)
{
    time_t now = (time_t)(r1_time_us() / 1000000);
    struct tm tm = {0};
    gmtime_r(&now, &tm);
    R1_TRY(deidentify_open(j, call, err));
    const med_deidentify_opts opts = {.keys = j->keys,
                                      .patient = r1_options_str(j->o, "patient"),
                                      .month_first = r1_options_bool(j->o, "month-first"),
                                      .year = tm.tm_year + 1900};
    R1_TRY(med_deidentify(&j->out, j->d, &opts, j->document.text, j->document.len, err));
    R1_TRY(deidentify_write(j, err));
    deidentify_say(j);
    return R1_OK;
}

int cli_deidentify_command(r1_cli_call *call)
{
    deidentify_job j = {.o = call->opts, .path = call->n_rest ? call->rest[0] : "-"};
    r1_status st = deidentify_run(&j, call, &call->err);
    bool changed = j.out.n_changed > 0;
    med_deidentified_free(&j.out);
    med_deidentifier_free(j.d);
    med_keys_free(j.keys);
    med_document_free(&j.document);
    med_lexicon_free(j.lex);
    med_kb_free(j.kb);
    if (st != R1_OK) return r1_cli_exit(st);
    return changed ? R1_EXIT_PARTIAL : R1_EXIT_OK;
}

/* clang-format off */
const r1_option cli_deidentify_rows[] = {
    {.name = "out", .type = R1_OPT_PATH, .help = "file for the text (default: standard output)"},
    CLI_KEYS_OPTION,
    {.name = "patient", .type = R1_OPT_STRING, .secret = true,
     .help = "the patient's id: dates are shifted by a number of days that the key makes of it; "
             "without it each date leaves its year alone"},
    {.name = "month-first", .type = R1_OPT_BOOL, .def = "false",
     .help = "03/04/2019 is in March, where no other date of the text tells"},
    CLI_KB_OPTION,
    CLI_JSON_OPTION,
};
/* clang-format on */
const size_t cli_deidentify_n_row = R1_COUNT(cli_deidentify_rows);
