/* SPDX-License-Identifier: Apache-2.0 */
/* cli_notes.c - annotate, eval annotate: from a record to findings. */
#include "cli_medical.h"
#include "eval/med_eval_annotate.h"
#include "print/med_put.h"
#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static r1_status read_bytes(const char *path, char **text, size_t *len, r1_err *err)
{
    if (strcmp(path, "-") != 0) return r1_file_read(path, MED_RECORD_BYTES_MAX, text, len, err);
    size_t cap = 1u << 16, n = 0;
    char *p = malloc(cap);
    while (p && n <= MED_RECORD_BYTES_MAX) {
        size_t got = fread(p + n, 1, cap - n - 1, stdin);
        n += got;
        if (got == 0) break;
        if (n + 1 < cap) continue;
        char *q = realloc(p, cap * 2);
        if (!q) free(p);
        p = q;
        cap *= 2;
    }
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for the record");
    p[n] = '\0';
    *text = p;
    *len = n;
    return R1_OK;
}

r1_status cli_read_record(const char *path, med_document *d, char **bytes, size_t *len, r1_err *err)
{
    R1_TRY(read_bytes(path, bytes, len, err));
    return med_document_read(d, strcmp(path, "-") == 0 ? "standard input" : path, *bytes, *len,
                             err);
}

r1_status cli_read_document(const char *path, med_document *d, r1_err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    r1_status st = cli_read_record(path, d, &bytes, &len, err);
    free(bytes);
    return st;
}

/* What annotate prints of one finding: a row of the table, or an object. */
typedef struct {
    const med_mention *m;
    const char *id, *name, *status, *section;
} mention_row;

static mention_row mention_of(const med_kb *kb, const med_notes *n, uint32_t i)
{
    const med_mention *m = &n->mention[i];
    R1_ASSERT(m->sentence < n->n_sentence, "mention %u: sentence %u of %u", i, m->sentence,
              n->n_sentence);
    const med_section *section = &n->section[n->sentence[m->sentence].section];
    return (mention_row){m, med_str(kb, kb->term[m->term].id), med_str(kb, kb->term[m->term].name),
                         med_status_name[m->status], med_section_name[section->name]};
}

static void print_mentions(const med_kb *kb, const med_notes *n)
{
    printf("start\tend\tid\tname\tstatus\tsection\ttext\tcue_start\tcue_end\tcue\tother\n");
    for (uint32_t i = 0; i < n->n_mention; i++) {
        mention_row r = mention_of(kb, n, i);
        med_put(stdout, MED_TABLE, "%u\t%u\t%s\t%s\t%s\t%s\t%.*s\t%u\t%u\t%.*s\t%s\n", r.m->start,
                r.m->end, r.id, r.name, r.status, r.section, (int)(r.m->end - r.m->start),
                n->text + r.m->start, r.m->cue_start, r.m->cue_end,
                (int)(r.m->cue_end - r.m->cue_start), n->text + r.m->cue_start,
                r.m->other ? r.m->other : "");
    }
    if (n->sex) printf("# sex: %s\n", n->sex == MED_SEX_FEMALE ? "female" : "male");
    if (!isnan(n->age_years)) printf("# age: %.4g y\n", (double)n->age_years);
    if (n->n_unread)
        printf("# not read: %u possible findings beyond the first %d of their sentence, "
               "abbreviations beyond the first %d that the record introduces, or words of %d "
               "bytes or more\n",
               n->n_unread, MED_HITS_MAX, MED_INTRODUCED_MAX, MED_WORD_BYTES);
    if (n->n_cut)
        printf("# read in parts: %u cuts of sentences longer than %d bytes\n", n->n_cut,
               MED_SENTENCE_BYTES);
}

static json_t *mention_json(const med_notes *n, const mention_row *r)
{
    json_t *o = json_pack("{s:i,s:i,s:o,s:o,s:s,s:s}", "start", (int)r->m->start, "end",
                          (int)r->m->end, "id", med_json_string(r->id), "name",
                          med_json_string(r->name), "status", r->status, "section", r->section);
    if (o && r->m->other && json_object_set_new(o, "other", json_string(r->m->other)) != 0) {
        json_decref(o);
        return NULL;
    }
    if (!o || r->m->cue_end == r->m->cue_start) return o;
    json_t *cue =
        json_pack("{s:i,s:i,s:o}", "start", (int)r->m->cue_start, "end", (int)r->m->cue_end, "text",
                  json_stringn(n->text + r->m->cue_start, r->m->cue_end - r->m->cue_start));
    if (cue && json_object_set_new(o, "cue", cue) == 0) return o;
    json_decref(o);
    return NULL;
}

static r1_status print_mentions_json(const med_kb *kb, const med_notes *n, r1_err *err)
{
    json_t *list = json_array(), *all = json_pack("{s:o,s:i,s:i}", "findings", list, "not_read",
                                                  (int)n->n_unread, "cut", (int)n->n_cut);
    bool good = list && all;
    if (good && n->sex)
        good = json_object_set_new(all, "sex",
                                   json_string(n->sex == MED_SEX_FEMALE ? "female" : "male")) == 0;
    if (good && !isnan(n->age_years))
        good = json_object_set_new(all, "age_years", json_real((double)n->age_years)) == 0;
    for (uint32_t i = 0; i < n->n_mention && good; i++) {
        mention_row r = mention_of(kb, n, i);
        json_t *o = mention_json(n, &r);
        good = o && json_array_append_new(list, o) == 0;
    }
    if (good) good = json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) == 0;
    json_decref(all);
    if (!good) R1_FAIL(err, R1_E_NOMEM, "no memory for the findings' JSON, or no place to write");
    putchar('\n');
    return R1_OK;
}

/* What recognition needs. Zero is empty; notes_close may follow a failed notes_open. */
typedef struct {
    med_kb *kb;
    med_lexicon *lex;
    med_document document;
} notes_job;

static r1_status notes_open(const r1_cli_call *call, notes_job *j, r1_err *err)
{
    R1_TRY(cli_open_kb(call, &j->kb, err));
    return med_lexicon_new(&j->lex, j->kb, err);
}

static int notes_close(notes_job *j, r1_status st)
{
    med_lexicon_free(j->lex);
    med_kb_free(j->kb);
    med_document_free(&j->document);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

static r1_status annotate(r1_cli_call *call, notes_job *j, r1_err *err)
{
    const char *path = call->n_rest ? call->rest[0] : "-";
    med_notes notes;
    r1_status st = R1_OK;
    R1_TRY(cli_read_document(path, &j->document, err));
    R1_TRY(notes_open(call, j, err));
    st = med_document_notes(&j->document, j->lex, j->kb, path, &notes, err);
    if (st != R1_OK) {
        med_notes_free(&notes);
        return st;
    }
    if (r1_options_bool(call->opts, "json"))
        st = print_mentions_json(j->kb, &notes, err);
    else
        print_mentions(j->kb, &notes);
    for (uint32_t i = 0; i < j->document.n_note; i++)
        med_put(stderr, MED_TEXT_LINE, "note: %s\n", j->document.note[i]);
    med_notes_free(&notes);
    return st;
}

int cli_annotate_command(r1_cli_call *call)
{
    notes_job j = {0};
    return notes_close(&j, annotate(call, &j, &call->err));
}

static r1_status print_figures(const r1_options *o, const med_eval_annotate_result *r, r1_err *err)
{
    r1_figures *f = r1_figures_new("r1-medical eval annotate");
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for the figures");
    r1_figures_note(f, "data", r1_options_str(o, "corpus"));
    r1_figures_note(f, "criterion",
                    "overlap and same id, one to one; negated gold and measured values left out");
    r1_figures_add(f, "docs", r->docs);
    r1_figures_add(f, "gold", r->gold);
    r1_figures_add(f, "gold_not_in_kb", r->unknown_gold);
    r1_figures_add(f, "precision", r->precision);
    r1_figures_add(f, "recall", r->recall);
    r1_figures_add(f, "f1", r->f1);
    r1_figures_add(f, "doc_f1", r->doc_f1);
    r1_figures_add(f, "negation_f1", r->negation_f1);
    r1_figures_add(f, "words_per_s", r->words_per_s);
    r1_figures_print(f, r1_options_bool(o, "json"), stdout);
    r1_figures_free(f);
    return R1_OK;
}

static r1_status eval_annotate(r1_cli_call *call, notes_job *j, r1_err *err)
{
    const r1_options *o = call->opts;
    med_eval_annotate_result r;
    if (!r1_options_has(o, "corpus") || !r1_options_has(o, "format"))
        R1_FAIL(err, R1_E_INVAL, "--format and --corpus are needed");
    R1_TRY(notes_open(call, j, err));
    R1_TRY(med_eval_annotate(r1_options_str(o, "format"), r1_options_str(o, "corpus"), j->kb,
                             j->lex, r1_options_bool(o, "show-errors"), &r, err));
    return print_figures(o, &r, err);
}

int cli_eval_annotate_command(r1_cli_call *call)
{
    notes_job j = {0};
    return notes_close(&j, eval_annotate(call, &j, &call->err));
}

const r1_option cli_annotate_rows[] = {CLI_KB_OPTION, CLI_JSON_OPTION};
const size_t cli_annotate_n_row = R1_COUNT(cli_annotate_rows);
/* clang-format off */
const r1_option cli_eval_annotate_rows[] = {
    {.name = "format", .type = R1_OPT_ENUM, .choices = "gsc|id68|bc8t3|brat",
     .help = "layout of the corpus"},
    {.name = "corpus", .type = R1_OPT_PATH,
     .help = "folder with ann/ and corpus/, or one table (bc8t3)"},
    {.name = "show-errors", .type = R1_OPT_BOOL, .def = "false",
     .help = "print what was missed and what was wrong"},
    CLI_KB_OPTION,
    CLI_JSON_OPTION,
};
/* clang-format on */
const size_t cli_eval_annotate_n_row = R1_COUNT(cli_eval_annotate_rows);
