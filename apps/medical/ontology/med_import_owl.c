/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_owl.c - RDF/XML as the HPO publishes it: owl:Class elements with labels, synonyms,
 * definitions, named superclasses. Anonymous classes (restrictions) inside a class are ignored. */
#include "ontology/med_import.h"
#include "ontology/med_xml.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    med_builder *b;
    char id[MED_ID_MAX + 1], name[MED_NAME_MAX + 1], def[MED_DEFINITION_MAX + 1],
        replaced[MED_ID_MAX + 1], version[MED_SOURCE_MAX + 1];
    int64_t line; /* of the class in hand */
    size_t id_len, name_len, def_len, replaced_len;
    bool obsolete, in_class;
    uint32_t n_class;
} owl;

/* ".../obo/HP_0000002" -> "HP:0000002" in out[MED_ID_MAX + 1]; *len 0 for addresses of another
 * shape. */
static r1_status import_owl_curie(const med_builder *b, const char *iri, char *out, size_t *len,
                                  r1_err *err)
{
    *len = 0;
    const char *p = iri ? strrchr(iri, '/') : NULL;
    if (!p) return R1_OK;
    p++;
    const char *bar = strchr(p, '_');
    if (!bar || strspn(bar + 1, "0123456789") != strlen(bar + 1)) return R1_OK;
    R1_TRY(med_builder_id(b, MED_TEXT(p), out, err));
    out[bar - p] = ':';
    *len = strlen(p);
    return R1_OK;
}

static r1_status import_owl_start(void *ctx, const med_xml_node *node, r1_err *err)
{
    owl *o = ctx;
    char other[MED_ID_MAX + 1];
    size_t n;
    med_builder_line(o->b, node->line);
    if (node->depth == 0 && strcmp(node->name, "RDF") != 0)
        R1_FAIL(err, R1_E_FORMAT, "not RDF/XML: the document element is <%s>, expected <rdf:RDF>",
                node->name);
    if (strcmp(node->name, "versionIRI") == 0) {
        const char *v = med_xml_attr(node, "resource");
        if (v) med_builder_copy(o->b, "version", MED_TEXT(v), o->version, sizeof o->version);
    }
    if (node->depth == 1 && strcmp(node->name, "Class") == 0) {
        R1_TRY(import_owl_curie(o->b, med_xml_attr(node, "about"), o->id, &o->id_len, err));
        o->line = node->line;
        o->in_class = o->id_len > 0;
        o->name_len = o->def_len = o->replaced_len = 0;
        o->obsolete = false;
    }
    if (!o->in_class || node->depth != 2) return R1_OK;
    med_text id = {o->id, o->id_len};
    if (strcmp(node->name, "subClassOf") == 0) {
        R1_TRY(import_owl_curie(o->b, med_xml_attr(node, "resource"), other, &n, err));
        if (n) return med_builder_parent(o->b, id, (med_text){other, n}, err);
    }
    if (strcmp(node->name, "consider") == 0) {
        R1_TRY(import_owl_curie(o->b, med_xml_attr(node, "resource"), other, &n, err));
        if (n) return med_builder_consider(o->b, id, (med_text){other, n}, err);
    }
    if (strcmp(node->name, "IAO_0100001") == 0)
        return import_owl_curie(o->b, med_xml_attr(node, "resource"), o->replaced, &o->replaced_len,
                                err);
    return R1_OK;
}

static r1_status class_end(owl *o, r1_err *err)
{
    o->in_class = false;
    o->n_class++;
    med_builder_line(o->b, o->line);
    med_text id = {o->id, o->id_len};
    R1_TRY(med_builder_term(o->b, id, (med_text){o->name, o->name_len},
                            (med_text){o->def, o->def_len}, o->obsolete, err));
    if (o->obsolete && o->replaced_len)
        return med_builder_alias(o->b, (med_text){o->replaced, o->replaced_len}, id, err);
    return R1_OK;
}

static r1_status import_owl_end(void *ctx, const med_xml_node *node, const char *text, r1_err *err)
{
    owl *o = ctx;
    if (!o->in_class) return R1_OK;
    med_builder_line(o->b, node->line);
    if (node->depth == 1) return class_end(o, err);
    if (node->depth != 2) return R1_OK;
    static const struct {
        const char *name;
        uint32_t kind;
    } synonym[] = {{"hasExactSynonym", MED_SYN_EXACT},
                   {"hasRelatedSynonym", MED_SYN_RELATED},
                   {"hasNarrowSynonym", MED_SYN_NARROW},
                   {"hasBroadSynonym", MED_SYN_BROAD}};
    med_text id = {o->id, o->id_len};
    for (size_t i = 0; i < R1_COUNT(synonym); i++)
        if (strcmp(node->name, synonym[i].name) == 0)
            return med_builder_synonym(o->b, id, MED_TEXT(text), synonym[i].kind, err);
    if (strcmp(node->name, "label") == 0)
        o->name_len = med_builder_copy(o->b, "name", MED_TEXT(text), o->name, sizeof o->name);
    if (strcmp(node->name, "IAO_0000115") == 0)
        o->def_len = med_builder_copy(o->b, "definition", MED_TEXT(text), o->def, sizeof o->def);
    if (strcmp(node->name, "deprecated") == 0) o->obsolete = strcmp(text, "true") == 0;
    if (strcmp(node->name, "consider") == 0 && *text)
        return med_builder_consider(o->b, id, MED_TEXT(text), err);
    if (strcmp(node->name, "hasAlternativeId") == 0)
        return med_builder_alias(o->b, id, MED_TEXT(text), err);
    return R1_OK;
}

r1_status med_import_owl(med_builder *b, const char *what, const char *data, size_t len,
                         r1_err *err)
{
    owl o = {.b = b, .version = "not stated"};
    med_xml_handler h = {import_owl_start, import_owl_end};
    R1_TRY(med_builder_input(b, what, err));
    r1_status st = med_xml_parse(what, data, len, &h, &o, err);
    if (st != R1_OK) return st;
    if (o.n_class == 0) R1_FAIL(err, R1_E_FORMAT, "%s: RDF/XML without a single owl:Class", what);
    uint16_t src;
    return med_builder_source(
        b, "Human Phenotype Ontology (OWL)", o.version,
        "HPO licence: free use with citation and version (https://hpo.jax.org/app/license)",
        "https://hpo.jax.org", &src, err);
}
