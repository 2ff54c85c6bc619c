/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_owl.c - RDF/XML as the HPO publishes it and as editors write it again: owl:Class
 * elements, or rdf:Description elements that say they are one, with labels, synonyms, definitions
 * and named superclasses. Names count without their prefixes. Of a text in several languages the
 * English one is taken, else the one without a language. Anonymous classes (restrictions) inside a
 * class are ignored. */
#include "ontology/med_curie.h"
#include "ontology/med_import.h"
#include "ontology/med_xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How much a text is worth by its language. */
enum { LANG_FOREIGN = 1, LANG_NONE, LANG_ENGLISH };

typedef struct {
    med_builder *b;
    const char *what;
    char id[MED_ID_MAX + 1], name[MED_NAME_MAX + 1], def[MED_DEFINITION_MAX + 1],
        replaced[MED_ID_MAX + 1], version[MED_SOURCE_MAX + 1];
    int64_t line; /* of the class in hand */
    size_t id_len, name_len, def_len, replaced_len;
    int name_lang, def_lang, lang; /* LANG_*; lang: of the element in hand */
    bool obsolete, in_class, is_class;
    uint32_t n_class;
} owl;

static int owl_lang(const med_xml_node *node)
{
    const char *lang = med_xml_attr(node, "lang");
    if (!lang || !*lang) return LANG_NONE;
    return strncasecmp(lang, "en", 2) == 0 && (!lang[2] || lang[2] == '-') ? LANG_ENGLISH
                                                                           : LANG_FOREIGN;
}

/* "about" names a class by its address, "ID" by the part behind #. */
static r1_status owl_begin(owl *o, const med_xml_node *node, r1_err *err)
{
    const char *iri = med_xml_attr(node, "about");
    o->is_class = strcmp(node->name, "Class") == 0;
    o->in_class = false;
    if (!o->is_class && strcmp(node->name, "Description") != 0) return R1_OK;
    if (!iri) iri = med_xml_attr(node, "ID");
    R1_TRY(med_curie(o->b, iri, o->id, &o->id_len, err));
    o->line = node->line;
    o->in_class = o->id_len > 0;
    o->name_len = o->def_len = o->replaced_len = 0;
    o->name_lang = o->def_lang = 0;
    o->obsolete = false;
    return R1_OK;
}

static bool owl_is_class(const char *iri)
{
    const char *p = iri ? strrchr(iri, '#') : NULL;
    return p && strcmp(p, "#Class") == 0;
}

/* What an element of a class says by an address. */
static r1_status owl_resource(owl *o, const med_xml_node *node, const char *iri, r1_err *err)
{
    char other[MED_ID_MAX + 1];
    size_t n;
    med_text id = {o->id, o->id_len};
    if (strcmp(node->name, "type") == 0) o->is_class |= owl_is_class(iri);
    if (strcmp(node->name, "IAO_0100001") == 0)
        return med_curie(o->b, iri, o->replaced, &o->replaced_len, err);
    bool parent = strcmp(node->name, "subClassOf") == 0;
    if (!parent && strcmp(node->name, "consider") != 0) return R1_OK;
    R1_TRY(med_curie(o->b, iri, other, &n, err));
    if (n == 0) return R1_OK;
    return parent ? med_builder_parent(o->b, id, (med_text){other, n}, err)
                  : med_builder_consider(o->b, id, (med_text){other, n}, err);
}

static r1_status import_owl_start(void *ctx, const med_xml_node *node, r1_err *err)
{
    owl *o = ctx;
    med_builder_line(o->b, node->line);
    if (node->depth == 0 && strcmp(node->name, "RDF") != 0)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: not RDF/XML: the document element is <%s>, expected <rdf:RDF>", o->what,
                node->name);
    if (strcmp(node->name, "versionIRI") == 0) {
        const char *v = med_xml_attr(node, "resource");
        if (v) med_builder_copy(o->b, "version", MED_TEXT(v), o->version, sizeof o->version);
    }
    if (node->depth == 1) return owl_begin(o, node, err);
    if (!o->in_class) return R1_OK;
    if (node->depth == 2) {
        o->lang = owl_lang(node);
        return owl_resource(o, node, med_xml_attr(node, "resource"), err);
    }
    if (node->depth == 3 && strcmp(node->path[2], "subClassOf") == 0 &&
        (strcmp(node->name, "Class") == 0 || strcmp(node->name, "Description") == 0)) {
        med_xml_node in = *node;
        in.name = "subClassOf";
        return owl_resource(o, &in, med_xml_attr(node, "about"), err);
    }
    return R1_OK;
}

static r1_status class_end(owl *o, r1_err *err)
{
    med_text id = {o->id, o->id_len}, name = {o->name, o->name_len}, def = {o->def, o->def_len};
    o->in_class = false;
    med_builder_line(o->b, o->line);
    if (o->is_class) {
        o->n_class++;
        R1_TRY(med_builder_term(o->b, id, name, def, o->obsolete, err));
    } else {
        R1_TRY(med_builder_amend(o->b, id, name, def, o->obsolete, err));
    }
    if (o->obsolete && o->replaced_len)
        return med_builder_alias(o->b, (med_text){o->replaced, o->replaced_len}, id, err);
    return R1_OK;
}

/* The better of two texts by language; of equal ones the later. */
static void owl_text(owl *o, const char *field, const char *text, char *to, size_t cap, size_t *len,
                     int *lang)
{
    if (o->lang < *lang) return;
    *lang = o->lang;
    *len = med_builder_copy(o->b, field, MED_TEXT(text), to, cap);
}

/* Ids that stand as text. */
static r1_status owl_id_text(owl *o, const char *name, const char *text, r1_err *err)
{
    char other[MED_ID_MAX + 1];
    size_t n;
    bool replaced = strcmp(name, "IAO_0100001") == 0, consider = strcmp(name, "consider") == 0;
    if (!*text || (!replaced && !consider)) return R1_OK;
    R1_TRY(med_curie(o->b, text, other, &n, err));
    if (n && replaced) memcpy(o->replaced, other, (o->replaced_len = n) + 1);
    if (n && consider)
        return med_builder_consider(o->b, (med_text){o->id, o->id_len}, (med_text){other, n}, err);
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
        if (strcmp(node->name, synonym[i].name) == 0 && o->lang != LANG_FOREIGN)
            return med_builder_synonym(o->b, id, MED_TEXT(text), synonym[i].kind, err);
    if (strcmp(node->name, "label") == 0)
        owl_text(o, "name", text, o->name, sizeof o->name, &o->name_len, &o->name_lang);
    if (strcmp(node->name, "IAO_0000115") == 0)
        owl_text(o, "definition", text, o->def, sizeof o->def, &o->def_len, &o->def_lang);
    if (strcmp(node->name, "deprecated") == 0)
        o->obsolete = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (strcmp(node->name, "hasAlternativeId") == 0)
        return med_builder_alias(o->b, id, MED_TEXT(text), err);
    return owl_id_text(o, node->name, text, err);
}

r1_status med_import_owl(med_builder *b, const char *what, const char *data, size_t len,
                         r1_err *err)
{
    owl o = {.b = b, .what = what, .version = MED_VERSION_NONE};
    const med_xml_handler h = {import_owl_start, import_owl_end, true};
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
