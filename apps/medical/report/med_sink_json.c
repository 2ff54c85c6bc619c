/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_json.c - the report as JSON. The tables of this file hold every key once, in the order
 * in which it is printed. jansson escapes; med_put.h repairs what is not UTF-8. */
#include "print/med_put.h"
#include "report/med_sink.h"
#include "report/med_words.h"

#include "r1_assert.h"

#include <math.h>
#include <string.h>

typedef enum {
    KEY_STRING, /* const char *; left out where NULL */
    KEY_INLINE, /* a string that lies in the struct itself */
    KEY_FIXED,  /* always the same text */
    KEY_SPAN,   /* med_span; left out where NULL */
    KEY_COUNT,  /* uint32_t; left out where MED_NONE */
    KEY_SOME,   /* uint32_t; left out where 0 */
    KEY_REAL,   /* double; null where not finite */
    KEY_MAYBE,  /* double; left out where NaN */
    KEY_BOOL,   /* bool */
    KEY_TRUE,   /* bool; left out where false */
    KEY_LINKS,  /* the links of a candidate */
    KEY_NAMES,  /* med_report_names */
    KEY_LIST,   /* an empty array, which the walker's rows fill */
    KEY_STRUCT, /* a struct in place, as an object */
    KEY_OBJECT, /* pointer to a struct, as an object; left out where NULL */
    KEY_JOINED  /* pointer to a struct whose keys join these; left out where NULL */
} key_kind;

typedef enum { SHOWN, WORDS } key_use; /* WORDS: the record's own; a caller may leave them out */

typedef struct key_row {
    const char *key;
    key_kind kind;
    key_use use;
    size_t at; /* offset in the struct */
    const struct key_row *sub;
    const char *fixed;
} key_row;

#define KEY_AT(type, member)      offsetof(type, member), NULL, NULL
#define KEY_SUB(type, member, of) offsetof(type, member), of, NULL
#define KEY_END                                                                                    \
    {                                                                                              \
        NULL, KEY_FIXED, SHOWN, 0, NULL, NULL                                                      \
    }

/* clang-format off */
static const key_row lab_keys[] = {
    {"value",             KEY_REAL,   SHOWN, KEY_AT(med_report_lab, value)},
    {"low",               KEY_REAL,   SHOWN, KEY_AT(med_report_lab, low)},
    {"high",              KEY_REAL,   SHOWN, KEY_AT(med_report_lab, high)},
    KEY_END};

static const key_row quote_keys[] = {
    {"start",             KEY_COUNT,  SHOWN, KEY_AT(med_report_quote, start)},
    {"end",               KEY_COUNT,  SHOWN, KEY_AT(med_report_quote, end)},
    {"text",              KEY_SPAN,   WORDS, KEY_AT(med_report_quote, text)},
    {"sentence",          KEY_SPAN,   WORDS, KEY_AT(med_report_quote, sentence)},
    {"sentence_start",    KEY_COUNT,  SHOWN, KEY_AT(med_report_quote, sentence_start)},
    {"section",           KEY_STRING, SHOWN, KEY_AT(med_report_quote, section)},
    {"status",            KEY_STRING, SHOWN, KEY_AT(med_report_quote, status)},
    {"added_by_reviewer", KEY_TRUE,   SHOWN, KEY_AT(med_report_quote, added)},
    {"cue",               KEY_SPAN,   WORDS, KEY_AT(med_report_quote, cue)},
    {"laboratory",        KEY_OBJECT, SHOWN, KEY_SUB(med_report_quote, lab, lab_keys)},
    KEY_END};

static const key_row without_keys[] = {
    {"first_probability", KEY_REAL,   SHOWN, KEY_AT(med_report_without, probability)},
    {"change",            KEY_REAL,   SHOWN, KEY_AT(med_report_without, change)},
    {"first",             KEY_STRING, SHOWN, KEY_AT(med_report_without, first)},
    KEY_END};

static const key_row anchor_keys[] = {
    {"weight",            KEY_REAL,   SHOWN, KEY_AT(med_report_anchor, weight)},
    {"pinned",            KEY_BOOL,   SHOWN, KEY_AT(med_report_anchor, pinned)},
    {"without",           KEY_OBJECT, SHOWN, KEY_SUB(med_report_anchor, without, without_keys)},
    KEY_END};

static const key_row system_keys[] = {
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_system, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_system, name)},
    {"label",             KEY_STRING, SHOWN, KEY_AT(med_report_system, label)},
    {"observed",          KEY_COUNT,  SHOWN, KEY_AT(med_report_system, n_observed)},
    {"excluded",          KEY_COUNT,  SHOWN, KEY_AT(med_report_system, n_excluded)},
    KEY_END};

/* Of a finding: its body system alone. */
static const key_row of_system_keys[] = {
    {"system",            KEY_STRING, SHOWN, KEY_AT(med_report_system, id)},
    KEY_END};

static const key_row finding_keys[] = {
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_finding, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_finding, name)},
    {"information",       KEY_MAYBE,  SHOWN, KEY_AT(med_report_finding, information)},
    {"mentions",          KEY_COUNT,  SHOWN, KEY_AT(med_report_finding, mentions)},
    {"system",            KEY_JOINED, SHOWN, KEY_SUB(med_report_finding, system, of_system_keys)},
    {"unranked",          KEY_TRUE,   SHOWN, KEY_AT(med_report_finding, unranked)},
    {"evidence",          KEY_STRUCT, SHOWN, KEY_SUB(med_report_finding, quote, quote_keys)},
    {"anchor",            KEY_JOINED, SHOWN, KEY_SUB(med_report_finding, anchor, anchor_keys)},
    KEY_END};

static const key_row contribution_keys[] = {
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_contribution, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_contribution, name)},
    {"match",             KEY_STRING, SHOWN, KEY_AT(med_report_contribution, match)},
    {"log_lr",            KEY_REAL,   SHOWN, KEY_AT(med_report_contribution, log_lr)},
    {"frequency",         KEY_MAYBE,  SHOWN, KEY_AT(med_report_contribution, frequency)},
    {"matched",           KEY_STRING, SHOWN, KEY_AT(med_report_contribution, matched)},
    {"n",                 KEY_SOME,   SHOWN, KEY_AT(med_report_contribution, n)},
    {"m",                 KEY_SOME,   SHOWN, KEY_AT(med_report_contribution, m)},
    KEY_END};

static const key_row step_keys[] = {
    {"step",              KEY_STRING, SHOWN, KEY_AT(med_report_step, step)},
    {"logit",             KEY_REAL,   SHOWN, KEY_AT(med_report_step, logit)},
    KEY_END};

static const key_row typical_keys[] = {
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_typical, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_typical, name)},
    {"frequency",         KEY_REAL,   SHOWN, KEY_AT(med_report_typical, frequency)},
    {"n",                 KEY_SOME,   SHOWN, KEY_AT(med_report_typical, n)},
    {"m",                 KEY_SOME,   SHOWN, KEY_AT(med_report_typical, m)},
    {"information_bits",  KEY_REAL,   SHOWN, KEY_AT(med_report_typical, information)},
    {"denied_times",      KEY_REAL,   SHOWN, KEY_AT(med_report_typical, denied)},
    KEY_END};

static const key_row question_keys[] = {
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_question, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_question, name)},
    {"information_bits",  KEY_REAL,   SHOWN, KEY_AT(med_report_question, information)},
    {"disease",           KEY_STRING, SHOWN, KEY_AT(med_report_question, disease_id)},
    {"disease_name",      KEY_STRING, SHOWN, KEY_AT(med_report_question, disease)},
    {"frequency",         KEY_REAL,   SHOWN, KEY_AT(med_report_question, frequency)},
    {"now",               KEY_REAL,   SHOWN, KEY_AT(med_report_question, now)},
    {"if_present",        KEY_REAL,   SHOWN, KEY_AT(med_report_question, present)},
    {"if_denied",         KEY_REAL,   SHOWN, KEY_AT(med_report_question, none)},
    KEY_END};

static const key_row contradiction_keys[] = {
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_contradiction, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_contradiction, name)},
    {"denied_id",         KEY_STRING, SHOWN, KEY_AT(med_report_contradiction, denied_id)},
    {"denied_name",       KEY_STRING, SHOWN, KEY_AT(med_report_contradiction, denied_name)},
    {"observed",          KEY_STRUCT, SHOWN, KEY_SUB(med_report_contradiction, quote, quote_keys)},
    {"denied",            KEY_STRUCT, SHOWN, KEY_SUB(med_report_contradiction, denied, quote_keys)},
    KEY_END};

static const key_row gene_keys[] = {
    {"rank",              KEY_COUNT,  SHOWN, KEY_AT(med_report_gene, rank)},
    {"rank_without_genes", KEY_COUNT, SHOWN, KEY_AT(med_report_gene, before)},
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_gene, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_gene, name)},
    {"gene",              KEY_STRING, SHOWN, KEY_AT(med_report_gene, gene)},
    {"alleles",           KEY_SOME,   SHOWN, KEY_AT(med_report_gene, alleles)},
    {"inheritance",       KEY_STRING, SHOWN, KEY_AT(med_report_gene, inheritance)},
    {"likelihood_ratio",  KEY_REAL,   SHOWN, KEY_AT(med_report_gene, ratio)},
    {"probability",       KEY_REAL,   SHOWN, KEY_AT(med_report_gene, probability)},
    {"probability_without_genes", KEY_MAYBE, SHOWN, KEY_AT(med_report_gene, probability_before)},
    KEY_END};

static const key_row unexplained_keys[] = {
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_unexplained, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_unexplained, name)},
    {"information",       KEY_REAL,   SHOWN, KEY_AT(med_report_unexplained, information)},
    KEY_END};

static const key_row candidate_keys[] = {
    {"rank",              KEY_COUNT,  SHOWN, KEY_AT(med_report_candidate, rank)},
    {"id",                KEY_STRING, SHOWN, KEY_AT(med_report_candidate, id)},
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_candidate, name)},
    {"probability",       KEY_REAL,   SHOWN, KEY_AT(med_report_candidate, probability)},
    {"score",             KEY_REAL,   SHOWN, KEY_AT(med_report_candidate, score)},
    {"ids",               KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, ids)},
    {"counted_together",  KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, together)},
    {"genes",             KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, genes)},
    {"inheritance",       KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, inheritance)},
    {"onset",             KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, onset)},
    {"prevalence",        KEY_MAYBE,  SHOWN, KEY_AT(med_report_candidate, prevalence)},
    {"stated_by",         KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, origin)},
    {"links",             KEY_LINKS,  SHOWN, 0, NULL, NULL},
    {"missing",           KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, missing)},
    {"caution",           KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, caution)},
    {"explained",         KEY_COUNT,  SHOWN, KEY_AT(med_report_candidate, n_explained)},
    {"weighed",           KEY_COUNT,  SHOWN, KEY_AT(med_report_candidate, n_weighed)},
    {"contributions",     KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"evidence_steps",    KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"unexplained",       KEY_NAMES,  SHOWN, KEY_AT(med_report_candidate, unexplained)},
    {"typical_not_reported", KEY_LIST, SHOWN, 0, NULL, NULL},
    {"would_speak_against", KEY_LIST, SHOWN, 0, NULL, NULL},
    KEY_END};

static const key_row source_keys[] = {
    {"name",              KEY_STRING, SHOWN, KEY_AT(med_report_source, name)},
    {"version",           KEY_STRING, SHOWN, KEY_AT(med_report_source, version)},
    {"licence",           KEY_STRING, SHOWN, KEY_AT(med_report_source, licence)},
    {"address",           KEY_STRING, SHOWN, KEY_AT(med_report_source, address)},
    {"rows_not_read",     KEY_SOME,   SHOWN, KEY_AT(med_report_source, n_refused)},
    {"rows_of_unknown_findings", KEY_SOME, SHOWN, KEY_AT(med_report_source, n_unknown)},
    KEY_END};

static const key_row signing_keys[] = {
    {"review",            KEY_COUNT,  SHOWN, KEY_AT(med_report_signing, review)},
    {"hash",              KEY_STRING, SHOWN, KEY_AT(med_report_signing, hash)},
    {"signed",            KEY_NAMES,  SHOWN, KEY_AT(med_report_signing, by)},
    KEY_END};

static const key_row report_keys[] = {
    {"format",            KEY_FIXED,  SHOWN, 0, NULL, MED_WORDS_FORMAT},
    {"scope",             KEY_STRING, SHOWN, KEY_AT(med_report, scope)},
    {"signing",           KEY_OBJECT, SHOWN, KEY_SUB(med_report, signing, signing_keys)},
    {"title",             KEY_STRING, WORDS, KEY_AT(med_report, title)},
    {"date",              KEY_STRING, SHOWN, KEY_AT(med_report, date)},
    {"program",           KEY_STRING, SHOWN, KEY_AT(med_report, program)},
    {"banner",            KEY_FIXED,  SHOWN, 0, NULL, med_english_BANNER},
    {"notices",           KEY_NAMES,  SHOWN, KEY_AT(med_report, notice)},
    {"summary",           KEY_NAMES,  SHOWN, KEY_AT(med_report, summary)},
    {"sex",               KEY_STRING, SHOWN, KEY_AT(med_report, sex)},
    {"words",             KEY_COUNT,  SHOWN, KEY_AT(med_report, words)},
    {"sentences",         KEY_COUNT,  SHOWN, KEY_AT(med_report, sentences)},
    {"listed",            KEY_TRUE,   SHOWN, KEY_AT(med_report, listed)},
    {"not_read",          KEY_SOME,   SHOWN, KEY_AT(med_report, not_read)},
    {"cut",               KEY_SOME,   SHOWN, KEY_AT(med_report, cut)},
    {"reading",           KEY_NAMES,  WORDS, KEY_AT(med_report, reading)},
    {"unranked",          KEY_SOME,   SHOWN, KEY_AT(med_report, unranked)},
    {"confident",         KEY_BOOL,   SHOWN, KEY_AT(med_report, confident)},
    {"none_of_these",     KEY_REAL,   SHOWN, KEY_AT(med_report, none_of_these)},
    {"none_of_these_with_genes", KEY_MAYBE, SHOWN, KEY_AT(med_report, none_with_genes)},
    {"knowledge_base",    KEY_INLINE, SHOWN, KEY_AT(med_report, knowledge_base)},
    {"age_years",         KEY_MAYBE,  SHOWN, KEY_AT(med_report, age_years)},
    {"ranked_by",         KEY_STRING, SHOWN, KEY_AT(med_report, ranked_by)},
    {"born",              KEY_STRING, WORDS, KEY_AT(med_report, born)},
    {"diseases",          KEY_COUNT,  SHOWN, KEY_AT(med_report, diseases)},
    {"systems",           KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"next_questions",    KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"contradictions",    KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"unexplained",       KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"observed",          KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"excluded",          KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"other_mentions",    KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"candidates",        KEY_LIST,   SHOWN, 0, NULL, NULL},
    {"sources",           KEY_LIST,   SHOWN, 0, NULL, NULL},
    KEY_END};

/* The walker's lists: the key of each in the object it belongs to, the keys of its rows. NULL: it
 * stands elsewhere, as names of the report or as a part of another list. */
static const struct {
    const char *key;
    const key_row *row;
} lists[MED_LIST_COUNT] = {
    [MED_LIST_SYSTEMS]       = {"systems", system_keys},
    [MED_LIST_QUESTIONS]     = {"next_questions", question_keys},
    [MED_LIST_CONTRADICTIONS] = {"contradictions", contradiction_keys},
    [MED_LIST_UNEXPLAINED]   = {"unexplained", unexplained_keys},
    [MED_LIST_AGAINST]       = {"would_speak_against", typical_keys},
    [MED_LIST_CANDIDATES]    = {"candidates", candidate_keys},
    [MED_LIST_CONTRIBUTIONS] = {"contributions", contribution_keys},
    [MED_LIST_STEPS]         = {"evidence_steps", step_keys},
    [MED_LIST_TYPICAL]       = {"typical_not_reported", typical_keys},
    [MED_LIST_OBSERVED]      = {"observed", finding_keys},
    [MED_LIST_EXCLUDED]      = {"excluded", finding_keys},
    [MED_LIST_OTHERS]        = {"other_mentions", finding_keys},
    [MED_LIST_GENES]         = {"with_genes", gene_keys},
    [MED_LIST_SOURCES]       = {"sources", source_keys},
};
/* clang-format on */

typedef struct {
    med_sink sink;
    bool words, failed;                 /* failed: no memory */
    json_t *root;                       /* owned */
    json_t *object[1 + MED_SINK_DEPTH]; /* the report and the rows that are open; borrowed */
    json_t *array[MED_SINK_DEPTH];      /* the lists that are open; borrowed */
} json_sink;

static void json_fill(json_sink *s, json_t *to, const key_row *keys, const void *from);

static json_t *json_names(json_sink *s, const med_report_names *names)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < names->n; i++)
        s->failed |= json_array_append_new(all, med_json_string(names->s[i])) != 0;
    return all;
}

static json_t *json_links(json_sink *s, const med_report_candidate *c)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < c->n_link; i++)
        s->failed |= json_array_append_new(all, json_pack("{s:s, s:s}", "name", c->link[i].label,
                                                          "address", c->link[i].address)) != 0;
    return all;
}

static json_t *json_object_of(json_sink *s, const key_row *keys, const void *from)
{
    json_t *o = json_object();
    if (o) json_fill(s, o, keys, from);
    return o;
}

/* One value; NULL and *leave true: the key does not stand here. */
static json_t *json_value(json_sink *s, const key_row *k, const void *at, bool *leave)
{
    switch (k->kind) {
    case KEY_FIXED: return json_string(k->fixed);
    case KEY_INLINE: return json_string(at);
    case KEY_LIST: return json_array();
    case KEY_NAMES: return json_names(s, at);
    case KEY_LINKS: return json_links(s, at);
    case KEY_BOOL: return json_boolean(*(const bool *)at);
    case KEY_TRUE: *leave = !*(const bool *)at; return *leave ? NULL : json_true();
    case KEY_COUNT:
    case KEY_SOME: {
        uint32_t v = *(const uint32_t *)at;
        *leave = v == (k->kind == KEY_SOME ? 0 : MED_NONE);
        return *leave ? NULL : json_integer(v);
    }
    case KEY_REAL:
    case KEY_MAYBE: {
        double v = *(const double *)at;
        *leave = k->kind == KEY_MAYBE && isnan(v);
        return *leave ? NULL : isfinite(v) ? json_real(v) : json_null();
    }
    case KEY_SPAN: {
        const med_span *v = at;
        *leave = v->s == NULL;
        return *leave ? NULL : med_json_span(v->s, v->len);
    }
    case KEY_STRUCT: return json_object_of(s, k->sub, at);
    case KEY_STRING: {
        const char *v = *(const char *const *)at;
        *leave = v == NULL;
        return *leave ? NULL : med_json_string(v);
    }
    case KEY_OBJECT: {
        const void *v = *(const void *const *)at;
        *leave = v == NULL;
        return *leave ? NULL : json_object_of(s, k->sub, v);
    }
    case KEY_JOINED: break;
    }
    *leave = true;
    return NULL;
}

static void json_fill(json_sink *s, json_t *to, const key_row *keys, const void *from)
{
    for (const key_row *k = keys; k->key; k++) {
        const void *at = (const char *)from + k->at;
        if (k->use == WORDS && !s->words) continue;
        if (k->kind == KEY_JOINED) {
            const void *v = *(const void *const *)at;
            if (v) json_fill(s, to, k->sub, v);
            continue;
        }
        bool leave = false;
        json_t *v = json_value(s, k, at, &leave);
        if (!leave) s->failed |= json_object_set_new(to, k->key, v) != 0;
    }
}

static void json_head(med_sink *base)
{
    json_sink *s = (json_sink *)base;
    s->root = s->object[0] = json_object_of(s, report_keys, base->report);
    s->failed |= s->root == NULL;
}

static void json_open(med_sink *base, med_list list, size_t n)
{
    json_sink *s = (json_sink *)base;
    (void)n;
    if (!lists[list].key) return;
    if (list == MED_LIST_GENES) /* stands only where it was asked for */
        s->failed |= json_object_set_new(s->root, lists[list].key, json_array()) != 0;
    json_t *array = json_object_get(s->object[base->depth - 1], lists[list].key);
    R1_ASSERT(array || s->failed, "no array \"%s\" in its object", lists[list].key);
    s->array[base->depth - 1] = array;
}

static void json_row(med_sink *base, med_list list, const void *row)
{
    json_sink *s = (json_sink *)base;
    if (!lists[list].key) return;
    json_t *o = json_object_of(s, lists[list].row, row);
    s->object[base->depth] = o;
    s->failed |= json_array_append_new(s->array[base->depth - 1], o) != 0;
    if (s->failed) s->object[base->depth] = NULL;
}

static void json_close(med_sink *base, med_list list)
{
    const json_sink *s = (const json_sink *)base;
    if (!lists[list].key) return;
    size_t n = json_array_size(s->array[base->depth - 1]), told = base->open[base->depth - 1].n;
    R1_ASSERT(n == told || s->failed, "\"%s\": %zu rows of %zu", lists[list].key, n, told);
}

r1_status med_report_json(const med_report *r, bool words, json_t **out, r1_err *err)
{
    static const med_sink_ops ops = {
        .name = "json", .head = json_head, .open = json_open, .row = json_row, .close = json_close};
    json_sink s = {.sink = {.ops = &ops, .report = r}, .words = words};
    med_sink_walk(&s.sink);
    if (s.failed) {
        json_decref(s.root);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the report's JSON");
    }
    *out = s.root;
    return R1_OK;
}
