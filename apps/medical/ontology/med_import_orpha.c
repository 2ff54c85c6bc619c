/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_orpha.c - Orphadata's XML: product 1 (names), 4 (findings with frequency), 6
 * (genes), 9 (prevalence; age of onset and inheritance). One reader serves all: elements that a
 * product lacks do not occur. Only exact facts are taken; equivalences with OMIM come from
 * Mondo, whose exact matches are stricter. */
#include "ontology/med_frequency.h"
#include "ontology/med_import.h"
#include "ontology/med_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    med_builder *b;
    const char *what;
    char code[32], hpo[MED_ID_MAX + 1], freq[96], version[MED_SOURCE_MAX + 1];
    char type[40], place[40]; /* of the Prevalence in hand */
    float prevalence;
    bool have; /* `disease` stands for the Disorder in hand */
    uint32_t disease, n_disorder;
    uint16_t source;
} orpha;

static bool import_orpha_under(const med_xml_node *node, const char *name)
{
    return node->depth > 0 && strcmp(node->path[node->depth - 1], name) == 0;
}

static r1_status import_orpha_start(void *ctx, const med_xml_node *node, r1_err *err)
{
    orpha *o = ctx;
    med_builder_line(o->b, node->line);
    if (node->depth == 0) {
        if (strcmp(node->name, "JDBOR") != 0)
            R1_FAIL(err, R1_E_FORMAT,
                    "%s: the document element is <%s>, expected Orphadata's <JDBOR>", o->what,
                    node->name);
        const char *date = med_xml_attr(node, "date");
        med_builder_copy(o->b, "version", MED_TEXT(date ? date : MED_VERSION_NONE), o->version,
                         sizeof o->version);
        return med_builder_source(o->b, "Orphanet (Orphadata)", o->version,
                                  "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)",
                                  "https://www.orphadata.com", &o->source, err);
    }
    if (strcmp(node->name, "Disorder") == 0) o->have = false, o->code[0] = '\0';
    if (strcmp(node->name, "Prevalence") == 0) {
        o->type[0] = o->place[0] = '\0';
        o->prevalence = 0;
    }
    if (strcmp(node->name, "HPODisorderAssociation") == 0) o->hpo[0] = o->freq[0] = '\0';
    return R1_OK;
}

static float prevalence_class(const char *s)
{
    static const struct {
        const char *word;
        float value;
    } known[] = {{">1 / 1000", 1e-3f},     {"6-9 / 10 000", 7.5e-4f},  {"1-5 / 10 000", 3e-4f},
                 {"1-9 / 100 000", 5e-5f}, {"1-9 / 1 000 000", 5e-6f}, {"<1 / 1 000 000", 5e-7f}};
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (strcmp(s, known[i].word) == 0) return known[i].value;
    return 0;
}

/* How well one figure of several says what a reader takes a prevalence for: point prevalence before
 * prevalence at birth, the whole world before a region. 0: it is none, as an incidence. */
static uint32_t prevalence_rank(const char *type, const char *place)
{
    static const char *const types[] = {"Lifetime Prevalence", "Prevalence at birth",
                                        "Point prevalence"};
    uint32_t rank = 0;
    for (uint32_t i = 0; i < R1_COUNT(types); i++)
        if (strcmp(type, types[i]) == 0) rank = 3 * i + 1;
    if (!rank) return 0;
    return rank + (strcmp(place, "Worldwide") == 0 ? 2u : strcmp(place, "Europe") == 0);
}

static r1_status prevalence_end(const orpha *o, r1_err *err)
{
    uint32_t rank = prevalence_rank(o->type, o->place);
    if (!o->have || !rank) return R1_OK;
    return med_builder_prevalence(o->b, o->disease, o->prevalence, rank, o->source, err);
}

/* A finding of a disorder, with how often it occurs. */
static r1_status association_end(const orpha *o, r1_err *err)
{
    med_frequency said;
    const char *expected = med_frequency_read(o->freq, strlen(o->freq), &said);
    if (!o->have || !o->hpo[0]) return R1_OK;
    if (expected) {
        med_builder_refuse(o->b, "HPOFrequency", MED_TEXT(o->freq), expected);
        return R1_OK;
    }
    med_annotation a = {.term = MED_TEXT(o->hpo),
                        .freq = said.freq,
                        .n = said.n,
                        .m = said.m,
                        .negated = said.freq == 0,
                        .source = o->source};
    return med_builder_annotate(o->b, o->disease, &a, err);
}

static r1_status name_end(orpha *o, const med_xml_node *node, const char *text, r1_err *err)
{
    if (import_orpha_under(node, "Disorder") && o->code[0]) {
        char id[48];
        snprintf(id, sizeof id, "ORPHA:%s", o->code);
        o->have = true;
        o->n_disorder++;
        return med_builder_define_disease(o->b, MED_TEXT(id), MED_TEXT(text), &o->disease, err);
    }
    if (import_orpha_under(node, "HPOFrequency")) snprintf(o->freq, sizeof o->freq, "%s", text);
    if (!o->have) return R1_OK;
    size_t n = strlen(text);
    if (import_orpha_under(node, "AverageAgeOfOnset"))
        return med_builder_course(o->b, o->disease, med_onset_mask(text, n), 0, o->source, err);
    if (import_orpha_under(node, "TypeOfInheritance"))
        return med_builder_course(o->b, o->disease, 0, med_inheritance_mask(text, n), o->source,
                                  err);
    if (import_orpha_under(node, "PrevalenceClass")) o->prevalence = prevalence_class(text);
    if (import_orpha_under(node, "PrevalenceType")) snprintf(o->type, sizeof o->type, "%s", text);
    if (import_orpha_under(node, "PrevalenceGeographic"))
        snprintf(o->place, sizeof o->place, "%s", text);
    return R1_OK;
}

static r1_status import_orpha_end(void *ctx, const med_xml_node *node, const char *text,
                                  r1_err *err)
{
    orpha *o = ctx;
    med_builder_line(o->b, node->line);
    if (strcmp(node->name, "OrphaCode") == 0 && import_orpha_under(node, "Disorder")) {
        bool code = *text && strlen(text) <= 12 && strspn(text, "0123456789") == strlen(text);
        if (!code) med_builder_refuse(o->b, "OrphaCode", MED_TEXT(text), "digits");
        snprintf(o->code, sizeof o->code, "%s", code ? text : "");
    }
    if (strcmp(node->name, "Name") == 0) return name_end(o, node, text, err);
    if (strcmp(node->name, "HPOId") == 0) return med_builder_id(o->b, MED_TEXT(text), o->hpo, err);
    if (strcmp(node->name, "Symbol") == 0 && o->have)
        return med_builder_gene(o->b, o->disease, MED_TEXT(text), err);
    if (strcmp(node->name, "HPODisorderAssociation") == 0) return association_end(o, err);
    if (strcmp(node->name, "Prevalence") == 0) return prevalence_end(o, err);
    return R1_OK;
}

r1_status med_import_orpha(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err)
{
    orpha o = {.b = b, .what = what};
    med_xml_handler h = {.start = import_orpha_start, .end = import_orpha_end};
    R1_TRY(med_builder_input(b, what, err));
    R1_TRY(med_xml_parse(what, data, len, &h, &o, err));
    if (o.n_disorder == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: Orphadata without a single disorder", what);
    return R1_OK;
}
