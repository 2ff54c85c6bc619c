/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_report.c - the sample record through everything: the right disease first, every
 * finding with its own words, views that hold what the JSON holds. Then what holds for any report:
 * hostile bytes come out harmless, long strings are bounded and say so, rows of a database hold no
 * words of the record, and a sink that breaks its nesting is caught. check_markup.py does the same
 * with whole files through the program. */
#include "ontology/med_sources.h"
#include "ontology/med_xml.h"
#include "print/med_put.h"
#include "report/med_report.h"
#include "report/med_sink.h"
#include "report/med_words.h"
#include "support/r1_test.h"
#include "text/r1_utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;

static r1_status report_of_text(const med_kb *kb, const med_lexicon *lex, const med_judge *judge,
                                const char *title, const char *text, size_t len, med_report **out)
{
    static const char *const reading[] = {"<converted>"};
    med_notes notes;
    R1_TRY(med_notes_read(&notes, lex, kb, title, text, len, &err));
    const med_report_record record = {
        .title = title, .notes = &notes, .reading = {reading, 1}, .date = "2026-11-30"};
    r1_status st = med_report_make(kb, judge, &record, out, &err);
    med_notes_free(&notes);
    return st;
}

/* At most a quarter of the ring is pinned, each with what would change without it; steps add up
 * to a candidate's logit. */
static void check_anchors(const json_t *rep, bool with_r1)
{
    size_t i, pinned = 0;
    json_t *o;
    json_array_foreach(json_object_get(rep, "observed"), i, o)
    {
        bool is = json_is_true(json_object_get(o, "pinned"));
        pinned += is;
        CU_ASSERT_EQUAL(is, json_object_get(o, "without") != NULL);
    }
    CU_ASSERT(pinned > 0 && pinned <= MED_PINNED_MAX);
    json_t *first = json_array_get(json_object_get(rep, "candidates"), 0);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(first, "evidence_steps")),
                    with_r1 ? MED_N_TRACE : 0);
}

static double real_of(const json_t *o, const char *key)
{
    return json_real_value(json_object_get(o, key));
}

static bool is_excluded(const json_t *rep, const char *name)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(rep, "excluded"), i, o)
    {
        if (strcmp(json_string_value(json_object_get(o, "name")), name) == 0) return true;
    }
    return false;
}

/* What stands beside the excluded findings is what the denials took, and is never positive. A
 * denied finding is not asked for. Returns how many excluded findings spoke. */
static size_t check_denials(const json_t *rep, bool with_r1)
{
    size_t i, k, n = 0;
    json_t *c, *o;
    json_array_foreach(json_object_get(rep, "candidates"), i, c)
    {
        double took = 0, step = 0;
        json_array_foreach(json_object_get(c, "contributions"), k, o)
        {
            if (strcmp(json_string_value(json_object_get(o, "match")), "excluded") != 0) continue;
            CU_ASSERT(real_of(o, "log_lr") < 0);
            took += real_of(o, "log_lr");
            n++;
        }
        json_array_foreach(json_object_get(c, "evidence_steps"), k, o)
        {
            if (k == MED_TRACE_DENIED) step = real_of(o, "logit");
            CU_ASSERT_EQUAL(strcmp(json_string_value(json_object_get(o, "step")), "denied") == 0,
                            k == MED_TRACE_DENIED);
        }
        CU_ASSERT(!with_r1 || fabs(took - step) < 1e-5);
        json_array_foreach(json_object_get(c, "typical_not_reported"), k, o)
        {
            CU_ASSERT(!is_excluded(rep, json_string_value(json_object_get(o, "name"))));
        }
    }
    return n;
}

static void med_report_sample(bool with_r1)
{
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    med_ranker *r = NULL;
    r1_model *model = NULL;
    med_reranker *x = NULL;
    char *text;
    size_t len, i;
    med_report *report = NULL;
    json_t *rep = NULL, *o;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&r, kb, &err), &err);
    R1_ASSERT_OK(r1_file_read(r1_test_source("apps/medical/samples/record.txt"), 1u << 20, &text,
                              &len, &err),
                 &err);
    R1_ASSERT_OK(r1_model_open(&model, r1_test_source("models/medical-b.gguf"), &err), &err);
    R1_ASSERT_OK(med_reranker_new(&x, model, R1_PRECISION_F32, &err), &err);
    med_judge judge = {r, with_r1 ? x : NULL, "medical-b", true};
    R1_ASSERT_OK(report_of_text(kb, lex, &judge, "<sample>", text, len, &report), &err);
    R1_ASSERT_OK(med_report_json(report, true, &rep, &err), &err);
    check_anchors(rep, with_r1);
    CU_ASSERT(check_denials(rep, with_r1) >= 3);
    CU_ASSERT_PTR_NULL(json_object_get(rep, "unranked"));
    json_t *first = json_array_get(json_object_get(rep, "candidates"), 0);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "id")), "OMIM:154700");
    CU_ASSERT(json_is_true(json_object_get(rep, "confident")));
    CU_ASSERT(json_array_size(json_object_get(rep, "excluded")) >= 10);
    char *html = NULL, *plain = NULL;
    R1_ASSERT_OK(med_report_html(report, &html, &err), &err);
    R1_ASSERT_OK(med_report_text(report, &plain, &err), &err);
    CU_ASSERT_PTR_NOT_NULL(strstr(html, "&lt;sample&gt;"));
    CU_ASSERT_PTR_NULL(strstr(html, "<sample>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(html, "&lt;converted&gt;"));
    CU_ASSERT_PTR_NOT_NULL(strstr(plain, "<converted>\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(plain, "Patient: male, 17 years\n"));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(rep, "reading"), 0)),
                           "<converted>");
    CU_ASSERT_PTR_NOT_NULL(strstr(html, med_english_BANNER));
    CU_ASSERT_PTR_NOT_NULL(strstr(plain, med_english_DENIED_NOTE));
    json_array_foreach(json_object_get(rep, "observed"), i, o)
    {
        const char *name = json_string_value(json_object_get(o, "name"));
        json_t *e = json_object_get(o, "evidence");
        size_t at = (size_t)json_integer_value(json_object_get(e, "start"));
        const char *words = json_string_value(json_object_get(e, "text"));
        CU_ASSERT_EQUAL(memcmp(text + at, words, strlen(words)), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(html, name));
        CU_ASSERT_PTR_NOT_NULL(strstr(plain, name));
    }
    char pdf[4200];
    snprintf(pdf, sizeof pdf, "%s/r.pdf", r1_test_tmpdir());
    R1_ASSERT_OK(med_report_pdf(report, pdf, &err), &err);
    char *bytes;
    size_t n;
    R1_ASSERT_OK(r1_file_read(pdf, 1u << 24, &bytes, &n, &err), &err);
    CU_ASSERT(n > 1000 && memcmp(bytes, "%PDF", 4) == 0);
    free(bytes);
    free(html);
    free(plain);
    free(text);
    json_decref(rep);
    med_report_free(report);
    med_reranker_free(x);
    r1_model_free(model);
    med_ranker_free(r);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

static void test_sample(void) { med_report_sample(true); }
static void test_without_r1(void) { med_report_sample(false); }

/* ---- strings of outside sources -------------------------------------------------------------- */

static char *put_of(med_medium m, const char *s, size_t len)
{
    char *out = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&out, &n);
    med_put(f, m, "<i>%.*s</i>%d%%", (int)len, s, -7);
    fclose(f);
    return out;
}

/* Each row: bytes, what each medium makes of them. */
static void test_put(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text, *table, *html;
    } rows[] = {
        {"a<b>\"&'", 7, "a<b>\"&'", "a<b>\"&'", "a&lt;b&gt;&quot;&amp;'"},
        {"\x1b[31mred\x07", 9, "[U+001B][31mred[U+0007]", "[U+001B][31mred[U+0007]",
         "[U+001B][31mred[U+0007]"},
        {"a\0b", 3, "a[U+0000]b", "a[U+0000]b", "a[U+0000]b"},
        {"a\r\nb\tc", 6, "a  b\tc", "a  b c", "a  b\tc"},
        {"\xc2\x9b"
         "31m\x7f",
         6, "[U+009B]31m[U+007F]", "[U+009B]31m[U+007F]", "[U+009B]31m[U+007F]"},
        {"\xe2\x80\xae"
         "cod\xe2\x81\xa6",
         9, "[U+202E]cod[U+2066]", "[U+202E]cod[U+2066]", "[U+202E]cod[U+2066]"},
        {"\xff\xc0\xaf\xed\xa0\x80z", 7,
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"},
        {"Gr\xc3\xb6\xc3\x9f"
         "e \xf0\x9f\xa7\xac",
         12,
         "Gr\xc3\xb6\xc3\x9f"
         "e \xf0\x9f\xa7\xac",
         "Gr\xc3\xb6\xc3\x9f"
         "e \xf0\x9f\xa7\xac",
         "Gr\xc3\xb6\xc3\x9f"
         "e \xf0\x9f\xa7\xac"},
        {"cut \xc3", 5, "cut \xef\xbf\xbd", "cut \xef\xbf\xbd", "cut \xef\xbf\xbd"},
    };
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        const char *const want[] = {rows[i].text, rows[i].table, rows[i].html};
        for (int m = MED_TEXT_LINE; m <= MED_HTML; m++) {
            char full[256], *got = put_of((med_medium)m, rows[i].bytes, rows[i].len);
            snprintf(full, sizeof full, "<i>%s</i>-7%%", want[m]);
            if (strcmp(got, full) != 0)
                printf("row %zu, medium %d: \"%s\", expected \"%s\"\n", i, m, got, full);
            CU_ASSERT_STRING_EQUAL(got, full);
            free(got);
        }
    }
}

static void test_long_strings(void)
{
    size_t n = 100000, len = 0;
    char *s = malloc(n + 1), *out = NULL;
    memset(s, 'x', n);
    s[n] = '\0';
    memcpy(s + MED_STRING_MAX - 1, "\xc3\xa9", 2); /* the limit falls into a character */
    FILE *f = open_memstream(&out, &len);
    med_put(f, MED_HTML, "%s", s);
    fclose(f);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "x\xc3\xa9 [97999 bytes left out]"));
    CU_ASSERT(len < MED_STRING_MAX + 64);
    free(out);
    json_t *j = med_json_string(s);
    CU_ASSERT_PTR_NOT_NULL(strstr(json_string_value(j), "x\xc3\xa9 [97999 bytes left out]"));
    json_decref(j);
    memset(s, 1, n); /* eight characters on the page for each byte */
    f = open_memstream(&out, &len);
    med_put(f, MED_TEXT_LINE, "%s", s);
    fclose(f);
    CU_ASSERT(len < MED_STRING_MAX + 64 && strstr(out, "bytes left out"));
    free(out);
    free(s);
    j = med_json_span("a\xff\0b", 4);
    CU_ASSERT_EQUAL(json_string_length(j), 6);
    CU_ASSERT_EQUAL(memcmp(json_string_value(j), "a\xef\xbf\xbd\0b", 6), 0);
    json_decref(j);
}

/* Text of 40,000 bytes without a full stop: what is quoted is bounded, is UTF-8, lies in the
 * record and holds the finding's words. */
static void test_long_sentence(void)
{
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    med_ranker *r = NULL;
    med_report *report = NULL;
    char *text = NULL, *html = NULL;
    size_t len = 0;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&r, kb, &err), &err);
    FILE *f = open_memstream(&text, &len);
    for (int i = 0; i < 2500; i++)
        fputs("gr\xc3\xb6\xc3\x9f"
              "er ",
              f);
    fputs("with ectopia lentis and ", f);
    for (int i = 0; i < 2500; i++)
        fputs("gr\xc3\xb6\xc3\x9f"
              "er ",
              f);
    fclose(f);
    med_judge judge = {r, NULL, NULL, true};
    R1_ASSERT_OK(report_of_text(kb, lex, &judge, "long", text, len, &report), &err);
    CU_ASSERT_EQUAL_FATAL(report->observed.n, 1);
    const med_report_quote *q = &report->observed.row[0].quote;
    CU_ASSERT(q->sentence.len <= MED_SENTENCE_BYTES + 8);
    CU_ASSERT(q->sentence.s == text + q->sentence_start && q->text.s == text + q->start);
    json_t *whole = json_stringn(q->sentence.s, q->sentence.len); /* NULL where it is not UTF-8 */
    CU_ASSERT_PTR_NOT_NULL(whole);
    json_decref(whole);
    R1_ASSERT_OK(med_report_html(report, &html, &err), &err);
    CU_ASSERT_PTR_NOT_NULL(strstr(html, "<mark>ectopia lentis</mark>"));
    free(html);
    med_report_free(report);
    free(text);
    med_ranker_free(r);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

/* ---- a report of hostile strings alone ------------------------------------------------------- */

#define HOSTILE(tag) "<script src=x>" tag "</script>\"'&\x1b[2J\xe2\x80\xae\xff\n</style>"

static const char hostile_sentence[] = "before " HOSTILE("sentence") " after";
static const char *const hostile_names[] = {HOSTILE("name1"), HOSTILE("name2")};
static const med_report_without hostile_without = {.first = HOSTILE("first")};
static const med_report_anchor hostile_anchor = {
    .weight = 1, .pinned = true, .without = &hostile_without};
static const med_report_contribution hostile_contribution = {.id = HOSTILE("id"),
                                                             .name = HOSTILE("name"),
                                                             .match = HOSTILE("match"),
                                                             .matched = HOSTILE("matched")};
static const med_report_step hostile_step = {HOSTILE("step"), 0};
static const med_report_typical hostile_typical = {.id = HOSTILE("id"), .name = HOSTILE("name")};
static const med_report_system hostile_system = {
    HOSTILE("id"), HOSTILE("name"), HOSTILE("label"), MED_NONE, 1, 1};
static const med_report_question hostile_question = {.id = HOSTILE("id"),
                                                     .name = HOSTILE("name"),
                                                     .disease = HOSTILE("disease"),
                                                     .disease_id = HOSTILE("disease_id")};
static const med_report_unexplained hostile_unexplained = {HOSTILE("id"), HOSTILE("name"), 0};
static const med_report_candidate hostile_candidate = {.rank = 1,
                                                       .id = HOSTILE("id"),
                                                       .name = HOSTILE("name"),
                                                       .ids = {hostile_names, 2},
                                                       .genes = {hostile_names, 2},
                                                       .together = {hostile_names, 2},
                                                       .together_first = {hostile_names, 2},
                                                       .origin = {hostile_names, 2},
                                                       .unexplained = {hostile_names, 2},
                                                       .contribution = &hostile_contribution,
                                                       .step = &hostile_step,
                                                       .typical = &hostile_typical,
                                                       .against = &hostile_typical,
                                                       .caution = {hostile_names, 2},
                                                       .missing = {hostile_names, 2},
                                                       .prevalence = NAN,
                                                       .n_against = 1,
                                                       .n_contribution = 1,
                                                       .n_step = 1,
                                                       .n_typical = 1};
static const med_report_source hostile_source = {HOSTILE("name"),
                                                 HOSTILE("version"),
                                                 HOSTILE("licence"),
                                                 HOSTILE("address"),
                                                 HOSTILE("loss"),
                                                 1,
                                                 1};

static med_report_finding hostile_finding(void)
{
    size_t n = sizeof hostile_sentence - 1;
    med_span inner = {hostile_sentence + 7, n - 13};
    return (med_report_finding){.id = HOSTILE("id"),
                                .name = HOSTILE("name"),
                                .anchor = &hostile_anchor,
                                .system = &hostile_system,
                                .quote = {.start = 7,
                                          .end = (uint32_t)(n - 6),
                                          .text = inner,
                                          .sentence = {hostile_sentence, n},
                                          .cue = inner,
                                          .section = HOSTILE("section"),
                                          .status = HOSTILE("status")}};
}

static med_report hostile_report(const med_report_finding *f)
{
    return (med_report){.title = HOSTILE("title"),
                        .sex = HOSTILE("sex"),
                        .ranked_by = HOSTILE("model"),
                        .program = HOSTILE("program"),
                        .date = HOSTILE("date"),
                        .born = HOSTILE("born"),
                        .scope = HOSTILE("scope"),
                        .notice = {hostile_names, 2},
                        .summary = {hostile_names, 2},
                        .reading = {hostile_names, 2},
                        .system = &hostile_system,
                        .question = &hostile_question,
                        .unexplained = &hostile_unexplained,
                        .n_system = 1,
                        .n_question = 1,
                        .n_unexplained = 1,
                        .knowledge_base = "<b>&\x1b",
                        .observed = {f, 1},
                        .excluded = {f, 1},
                        .others = {f, 1},
                        .candidate = &hostile_candidate,
                        .source = &hostile_source,
                        .n_candidate = 1,
                        .n_source = 1};
}

static size_t count_of(const char *in, const char *what)
{
    size_t n = 0;
    for (; (in = strstr(in, what)) != NULL; in += strlen(what)) n++;
    return n;
}

static void test_hostile(void)
{
    med_report_finding f = hostile_finding();
    med_report r = hostile_report(&f);
    char *html = NULL, *plain = NULL, *json;
    json_t *j = NULL;
    R1_ASSERT_OK(med_report_html(&r, &html, &err), &err);
    CU_ASSERT_EQUAL(count_of(html, "<script"), 0);
    CU_ASSERT_EQUAL(count_of(html, "</script"), 0);
    CU_ASSERT_EQUAL(count_of(html, "</style>"), 1);
    CU_ASSERT_EQUAL(count_of(html, "<mark>"), 3);
    CU_ASSERT_PTR_NULL(strchr(html, '\x1b'));
    R1_ASSERT_OK(med_report_text(&r, &plain, &err), &err);
    CU_ASSERT_PTR_NULL(strchr(plain, '\x1b'));
    CU_ASSERT_PTR_NULL(strstr(plain, "\xe2\x80\xae"));
    CU_ASSERT_PTR_NULL(strchr(plain, '\xff'));
    R1_ASSERT_OK(med_report_json(&r, true, &j, &err), &err);
    json = json_dumps(j, JSON_COMPACT);
    CU_ASSERT(count_of(json, "<script src=x>sentence") == 9);
    free(json);
    json_decref(j);
    R1_ASSERT_OK(med_report_json(&r, false, &j, &err), &err);
    json = json_dumps(j, JSON_COMPACT);
    CU_ASSERT_EQUAL(count_of(json, "<script src=x>sentence"), 0);
    CU_ASSERT_EQUAL(count_of(json, "<script src=x>title"), 0);
    CU_ASSERT(count_of(json, "<script src=x>name") > 0);
    free(json);
    json_decref(j);
    R1_ASSERT_OK(med_report_pdf(&r, r1_test_in_tmp("hostile.pdf"), &err), &err);
    free(html);
    free(plain);
}

/* ---- broken invariants ----------------------------------------------------------------------- */

static void null_head(med_sink *s) { (void)s; }
static void null_open(med_sink *s, med_list list, size_t n) { (void)s, (void)list, (void)n; }
static void null_row(med_sink *s, med_list list, const void *row)
{
    (void)s, (void)list, (void)row;
}
static void null_close(med_sink *s, med_list list) { (void)s, (void)list; }
static const med_sink_ops null_ops = {
    .name = "null", .head = null_head, .open = null_open, .row = null_row, .close = null_close};

typedef enum {
    BREAK_NOTHING,
    BREAK_NO_HEAD,
    BREAK_PLACE,
    BREAK_BETWEEN,
    BREAK_ROW,
    BREAK_OTHER_ROW,
    BREAK_COUNT,
    BREAK_OPEN_ROW,
    BREAK_END,
    BREAK_TWO_ENDS
} nesting;

static void break_nesting(void *ctx)
{
    const nesting kind = *(const nesting *)ctx;
    med_sink s = {.ops = &null_ops};
    if (kind != BREAK_NO_HEAD) med_sink_head(&s);
    if (kind == BREAK_PLACE) med_sink_open(&s, MED_LIST_STEPS, 0);
    med_sink_open(&s, MED_LIST_CANDIDATES, 1);
    if (kind == BREAK_BETWEEN) med_sink_open(&s, MED_LIST_STEPS, 0);
    if (kind == BREAK_OTHER_ROW) med_sink_row(&s, MED_LIST_SOURCES, NULL);
    if (kind == BREAK_COUNT) med_sink_close(&s, MED_LIST_CANDIDATES);
    med_sink_row(&s, MED_LIST_CANDIDATES, NULL);
    if (kind == BREAK_ROW) med_sink_row(&s, MED_LIST_CANDIDATES, NULL);
    if (kind == BREAK_OPEN_ROW) med_sink_close(&s, MED_LIST_CANDIDATES);
    if (kind == BREAK_END) med_sink_end(&s);
    med_sink_row_end(&s, MED_LIST_CANDIDATES, NULL);
    med_sink_close(&s, MED_LIST_CANDIDATES);
    med_sink_end(&s);
    if (kind == BREAK_TWO_ENDS) med_sink_end(&s);
}

static void test_nesting_is_held(void)
{
    static const struct {
        nesting kind;
        const char *expected;
    } broken[] = {{BREAK_NO_HEAD, "outside of the report"}, {BREAK_PLACE, "opened in list"},
                  {BREAK_BETWEEN, "between two rows"},      {BREAK_ROW, "a row in a row"},
                  {BREAK_OTHER_ROW, "a row of list"},       {BREAK_COUNT, "0 rows of 1"},
                  {BREAK_OPEN_ROW, "closed in list"},       {BREAK_END, "open at the end"},
                  {BREAK_TWO_ENDS, "an end without a head"}};
    nesting kind = BREAK_NOTHING;
    break_nesting(&kind);
    for (size_t i = 0; i < R1_COUNT(broken); i++) {
        kind = broken[i].kind;
        CU_ASSERT(r1_test_breaks(break_nesting, &kind, broken[i].expected));
    }
}

/* A mark outside of its sentence. */
static void break_mark(void *ctx)
{
    char *html = NULL;
    (void)ctx;
    med_report_finding f = hostile_finding();
    f.quote.text.len = 10000;
    med_report r = hostile_report(&f);
    med_report_html(&r, &html, NULL);
}

static void break_template(void *ctx)
{
    (void)ctx;
    char *out = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&out, &n);
    med_put(f, MED_HTML, "%.3s", "a string that is cut in silence");
    fclose(f);
    free(out);
}

static void break_length(void *ctx)
{
    uint32_t code;
    (void)ctx;
    r1_utf8_next("", 0, &code);
}

/* A record with more findings than the ranking takes says how many are left out of it. */
static void test_unranked(void)
{
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    med_ranker *r = NULL;
    med_report *report = NULL;
    json_t *rep = NULL;
    char *text = NULL, *html = NULL, *plain = NULL, line[200], pdf[4200];
    size_t len = 0;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&r, kb, &err), &err);
    FILE *f = open_memstream(&text, &len);
    for (uint32_t i = 0; i < kb->n_term; i++)
        fprintf(f, "The patient has %s.\n", med_str(kb, kb->term[i].name));
    fclose(f);
    med_judge judge = {r, NULL, NULL, true};
    R1_ASSERT_OK(report_of_text(kb, lex, &judge, "many", text, len, &report), &err);
    CU_ASSERT(report->unranked > 0 && report->unranked <= report->observed.n - MED_QUERY_MAX);
    snprintf(line, sizeof line, MED_SAY(MED_WORDS_EN, UNRANKED_F), report->unranked, MED_QUERY_MAX);
    R1_ASSERT_OK(med_report_json(report, true, &rep, &err), &err);
    R1_ASSERT_OK(med_report_html(report, &html, &err), &err);
    R1_ASSERT_OK(med_report_text(report, &plain, &err), &err);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(rep, "unranked")), report->unranked);
    CU_ASSERT_PTR_NOT_NULL(strstr(html, line));
    CU_ASSERT_PTR_NOT_NULL(strstr(plain, line));
    snprintf(pdf, sizeof pdf, "%s/many.pdf", r1_test_tmpdir());
    R1_ASSERT_OK(med_report_pdf(report, pdf, &err), &err);
    json_decref(rep);
    free(html);
    free(plain);
    med_report_free(report);
    free(text);
    med_ranker_free(r);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

static void test_spans_are_held(void)
{
    CU_ASSERT(r1_test_breaks(break_mark, NULL, "marked in a sentence"));
    CU_ASSERT(r1_test_breaks(break_template, NULL, "template"));
    CU_ASSERT(r1_test_breaks(break_length, NULL, "empty string"));
}

/* A measure that is both too low and too high is told; one of them alone is not. */
static void test_opposites(void)
{
    static const char xml[] =
        "<r1-ontology version=\"1\"><findings><finding id=\"R1:0\" name=\"root\" root=\"true\"/>"
        "<finding id=\"HP:0004322\" name=\"Short stature\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000098\" name=\"Tall stature\"><is-a finding=\"R1:0\"/></finding>"
        "</findings><diseases><disease id=\"OMIM:1\" name=\"d\"><has finding=\"HP:0000098\"/>"
        "</disease></diseases></r1-ontology>";
    static const char *const text[] = {"Tall stature. Short stature.", "Tall stature."};
    const char *path = r1_test_in_tmp("opposites.xml");
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    med_ranker *r = NULL;
    R1_ASSERT_OK(r1_file_write(path, xml, sizeof xml - 1, &err), &err);
    R1_ASSERT_OK(med_sources_open(&kb, path, &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&r, kb, &err), &err);
    const med_judge judge = {.ranker = r};
    for (int i = 0; i < 2; i++) {
        med_report *report = NULL;
        bool told = false;
        R1_ASSERT_OK(report_of_text(kb, lex, &judge, "o", text[i], strlen(text[i]), &report), &err);
        for (uint32_t k = 0; k < report->notice.n; k++)
            told |= strstr(report->notice.s[k], "exclude each other: Short stature, Tall") != NULL;
        CU_ASSERT_EQUAL(told, i == 0);
        med_report_free(report);
    }
    med_ranker_free(r);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

R1_TEST_MAIN("medical report", {"sample record", test_sample}, {"without R1", test_without_r1},
             {"outside strings", test_put}, {"long strings", test_long_strings},
             {"long sentence", test_long_sentence}, {"hostile report", test_hostile},
             {"unranked findings", test_unranked}, {"nesting is held", test_nesting_is_held},
             {"spans are held", test_spans_are_held}, {"opposites", test_opposites})
