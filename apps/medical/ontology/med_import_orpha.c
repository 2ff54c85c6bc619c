/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_orpha.c - Orphadata's XML: product 1 (names), 4 (findings with frequency), 6
 * (genes), 9 (prevalence; age of onset and inheritance). One reader serves all: elements that a
 * product lacks do not occur. Only exact facts are taken; equivalences with OMIM come from
 * Mondo, whose exact matches are stricter. */
#include "ontology/med_import.h"
#include "ontology/med_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    med_builder *b;
    const char *what;
    char code[32], hpo[MED_ID_MAX + 1], freq[96], version[MED_SOURCE_MAX + 1];
    bool have; /* `disease` stands for the Disorder in hand */
    uint32_t disease, n_disorder;
    uint16_t source;
} orpha;

float med_frequency(const char *s, size_t len)
{
    static const struct {
        const char *word;
        float freq;
    } known[] = {{"HP:0040280", 1.0f},  {"HP:0040281", 0.9f},    {"HP:0040282", 0.55f},
                 {"HP:0040283", 0.17f}, {"HP:0040284", 0.025f},  {"HP:0040285", 0},
                 {"Obligate", 1.0f},    {"Very frequent", 0.9f}, {"Frequent", 0.55f},
                 {"Occasional", 0.17f}, {"Very rare", 0.025f},   {"Excluded", 0}};
    for (size_t i = 0; i < R1_COUNT(known); i++) {
        size_t n = strlen(known[i].word);
        if (len >= n && memcmp(s, known[i].word, n) == 0) return known[i].freq;
    }
    return -1;
}

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
        med_builder_copy(o->b, "version", MED_TEXT(date ? date : "not stated"), o->version,
                         sizeof o->version);
        return med_builder_source(o->b, "Orphanet (Orphadata)", o->version,
                                  "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)",
                                  "https://www.orphadata.com", &o->source, err);
    }
    if (strcmp(node->name, "Disorder") == 0) o->have = false;
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
        med_builder_course(o->b, o->disease, med_onset_mask(text, n), 0, 0);
    if (import_orpha_under(node, "TypeOfInheritance"))
        med_builder_course(o->b, o->disease, 0, med_inheritance_mask(text, n), 0);
    if (import_orpha_under(node, "PrevalenceClass"))
        med_builder_course(o->b, o->disease, 0, 0, prevalence_class(text));
    return R1_OK;
}

static r1_status import_orpha_end(void *ctx, const med_xml_node *node, const char *text,
                                  r1_err *err)
{
    orpha *o = ctx;
    med_builder_line(o->b, node->line);
    if (strcmp(node->name, "OrphaCode") == 0 && import_orpha_under(node, "Disorder")) {
        if (strlen(text) > 12 || strspn(text, "0123456789") != strlen(text))
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: ORPHA code \"%.20s\", expected digits", o->what,
                    (long long)node->line, text);
        snprintf(o->code, sizeof o->code, "%s", text);
    }
    if (strcmp(node->name, "Name") == 0) return name_end(o, node, text, err);
    if (strcmp(node->name, "HPOId") == 0) return med_builder_id(o->b, MED_TEXT(text), o->hpo, err);
    if (strcmp(node->name, "Symbol") == 0 && o->have)
        return med_builder_gene(o->b, o->disease, MED_TEXT(text), err);
    if (strcmp(node->name, "HPODisorderAssociation") == 0 && o->have && o->hpo[0]) {
        float f = med_frequency(o->freq, strlen(o->freq));
        med_annotation a = {
            .term = MED_TEXT(o->hpo), .freq = f, .negated = f == 0, .source = o->source};
        return med_builder_annotate(o->b, o->disease, &a, err);
    }
    return R1_OK;
}

r1_status med_import_orpha(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err)
{
    orpha o = {.b = b, .what = what};
    med_xml_handler h = {import_orpha_start, import_orpha_end};
    med_builder_input(b, what);
    R1_TRY(med_xml_parse(what, data, len, &h, &o, err));
    if (o.n_disorder == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: Orphadata without a single disorder", what);
    return R1_OK;
}
