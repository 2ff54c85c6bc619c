/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_own.c - our own ontology in XML (schema: ontology/r1med.xsd): findings and diseases
 * in one document. The schema is the authority on form; this reader checks what it needs. */
#include "ontology/med_import.h"
#include "ontology/med_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    med_builder *b;
    const char *what;
    char id[MED_ID_MAX + 1], name[MED_NAME_MAX + 1], def[MED_DEFINITION_MAX + 1];
    int64_t line; /* of the finding in hand */
    bool root_finding, in_finding;
    uint32_t disease;
    uint16_t source;
    char version[MED_SOURCE_MAX + 1], licence[MED_SOURCE_MAX + 1], title[MED_SOURCE_MAX + 1],
        url[MED_SOURCE_MAX + 1];
    uint32_t n_finding;
} own;

static void import_own_attr(own *o, const med_xml_node *node, const char *name, char *to,
                            size_t cap)
{
    const char *v = med_xml_attr(node, name);
    med_builder_copy(o->b, name, MED_TEXT(v ? v : ""), to, cap);
}

static r1_status import_own_id(const own *o, const med_xml_node *node, const char *name, char *to,
                               r1_err *err)
{
    const char *v = med_xml_attr(node, name);
    return med_builder_id(o->b, MED_TEXT(v ? v : ""), to, err);
}

static r1_status import_own_missing(const own *o, const med_xml_node *node, const char *name,
                                    r1_err *err)
{
    R1_FAIL(err, R1_E_FORMAT, "%s:%lld: <%s> without the attribute %s", o->what,
            (long long)node->line, node->name, name);
}

static r1_status on_document(own *o, const med_xml_node *node, r1_err *err)
{
    if (strcmp(node->name, "r1-ontology") != 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: the document element is <%s>, expected <r1-ontology>",
                o->what, node->name);
    import_own_attr(o, node, "version", o->version, sizeof o->version);
    import_own_attr(o, node, "licence", o->licence, sizeof o->licence);
    import_own_attr(o, node, "title", o->title, sizeof o->title);
    import_own_attr(o, node, "url", o->url, sizeof o->url);
    if (!o->version[0]) return import_own_missing(o, node, "version", err);
    return med_builder_source(o->b, o->title, o->version, o->licence, o->url, &o->source, err);
}

static r1_status on_finding(own *o, const med_xml_node *node, r1_err *err)
{
    R1_TRY(import_own_id(o, node, "id", o->id, err));
    import_own_attr(o, node, "name", o->name, sizeof o->name);
    o->def[0] = '\0';
    o->line = node->line;
    o->in_finding = true;
    if (!o->id[0]) return import_own_missing(o, node, "id", err);
    if (!o->name[0]) return import_own_missing(o, node, "name", err);
    const char *root = med_xml_attr(node, "root");
    if (root && strcmp(root, "true") == 0) med_builder_root(o->b, MED_TEXT(o->id));
    return R1_OK;
}

static float prevalence_of(const char *s) { return s ? (float)strtod(s, NULL) : 0; }

static r1_status on_disease(own *o, const med_xml_node *node, r1_err *err)
{
    char onset[128], inheritance[128];
    R1_TRY(import_own_id(o, node, "id", o->id, err));
    import_own_attr(o, node, "name", o->name, sizeof o->name);
    import_own_attr(o, node, "onset", onset, sizeof onset);
    import_own_attr(o, node, "inheritance", inheritance, sizeof inheritance);
    if (!o->id[0]) return import_own_missing(o, node, "id", err);
    R1_TRY(med_builder_define_disease(o->b, MED_TEXT(o->id), MED_TEXT(o->name), &o->disease, err));
    uint32_t onsets = 0, inherits = 0;
    for (char *save, *w = strtok_r(onset, ",", &save); w; w = strtok_r(NULL, ",", &save))
        onsets |= med_onset_mask(w, strlen(w));
    for (char *save, *w = strtok_r(inheritance, ",", &save); w; w = strtok_r(NULL, ",", &save))
        inherits |= med_inheritance_mask(w, strlen(w));
    R1_TRY(med_builder_course(o->b, o->disease, onsets, inherits, o->source, err));
    return med_builder_prevalence(o->b, o->disease, prevalence_of(med_xml_attr(node, "prevalence")),
                                  0, o->source, err);
}

static r1_status on_has(own *o, const med_xml_node *node, r1_err *err)
{
    char id[MED_ID_MAX + 1];
    R1_TRY(import_own_id(o, node, "finding", id, err));
    if (!id[0]) return import_own_missing(o, node, "finding", err);
    const char *f = med_xml_attr(node, "frequency");
    char *end = NULL;
    double freq = f ? strtod(f, &end) : -1;
    if (f && (end == f || *end || !(freq >= 0 && freq <= 1))) {
        med_builder_refuse(o->b, "frequency", MED_TEXT(f), "0 to 1");
        return R1_OK;
    }
    med_annotation a = {
        .term = MED_TEXT(id), .freq = (float)freq, .negated = f && freq == 0, .source = o->source};
    return med_builder_annotate(o->b, o->disease, &a, err);
}

static r1_status import_own_start(void *ctx, const med_xml_node *node, r1_err *err)
{
    own *o = ctx;
    char text[MED_ID_MAX + 1];
    med_builder_line(o->b, node->line);
    if (node->depth == 0) return on_document(o, node, err);
    if (strcmp(node->name, "finding") == 0) return on_finding(o, node, err);
    if (strcmp(node->name, "disease") == 0) return on_disease(o, node, err);
    if (strcmp(node->name, "has") == 0) return on_has(o, node, err);
    if (strcmp(node->name, "is-a") == 0) {
        R1_TRY(import_own_id(o, node, "finding", text, err));
        return med_builder_parent(o->b, MED_TEXT(o->id), MED_TEXT(text), err);
    }
    if (strcmp(node->name, "xref") == 0) {
        R1_TRY(import_own_id(o, node, "id", text, err));
        if (o->in_finding) return med_builder_alias(o->b, MED_TEXT(o->id), MED_TEXT(text), err);
    }
    return R1_OK;
}

static r1_status import_own_end(void *ctx, const med_xml_node *node, const char *text, r1_err *err)
{
    own *o = ctx;
    med_builder_line(o->b, node->line);
    if (strcmp(node->name, "synonym") == 0 && o->in_finding)
        return med_builder_synonym(o->b, MED_TEXT(o->id), MED_TEXT(text), MED_SYN_EXACT, err);
    if (strcmp(node->name, "definition") == 0)
        med_builder_copy(o->b, "definition", MED_TEXT(text), o->def, sizeof o->def);
    if (strcmp(node->name, "gene") == 0)
        return med_builder_gene(o->b, o->disease, MED_TEXT(text), err);
    if (strcmp(node->name, "finding") == 0 && o->in_finding) {
        o->in_finding = false;
        med_builder_line(o->b, o->line);
        o->n_finding++;
        return med_builder_term(o->b, MED_TEXT(o->id), MED_TEXT(o->name), MED_TEXT(o->def), false,
                                err);
    }
    return R1_OK;
}

r1_status med_import_own(med_builder *b, const char *what, const char *data, size_t len,
                         r1_err *err)
{
    own o = {.b = b, .what = what};
    med_xml_handler h = {.start = import_own_start, .end = import_own_end};
    R1_TRY(med_builder_input(b, what, err));
    R1_TRY(med_xml_parse(what, data, len, &h, &o, err));
    if (o.n_finding == 0) R1_FAIL(err, R1_E_FORMAT, "%s: an ontology without a finding", what);
    return R1_OK;
}
