/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_graph.c - OBO graphs in JSON: hp.json, which the HPO recommends, and mondo.json. Nodes
 * that are classes become findings. Those of Mondo become classes of diseases, of which exact
 * matches with OMIM and Orphanet and the links to their parents are taken. A node or an edge of
 * another shape is refused by itself. */
#include "ontology/med_curie.h"
#include "ontology/med_import.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    med_builder *b;
    char version[MED_SOURCE_MAX + 1];
    uint32_t n_finding, n_mondo;
} graph;

static med_text graph_text(const json_t *o)
{
    const char *s = json_string_value(o);
    return s ? (med_text){s, json_string_length(o)} : (med_text){"", 0};
}

static bool graph_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The last part of an address: "http://...#consider" -> "consider". */
static const char *graph_last(const char *s)
{
    const char *last = s;
    for (; *s; s++)
        if (*s == '/' || *s == '#') last = s + 1;
    return last;
}

static bool graph_is(const json_t *o, const char *key, const char *last)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s && strcmp(graph_last(s), last) == 0;
}

static r1_status graph_synonyms(graph *g, med_text id, const json_t *meta, r1_err *err)
{
    static const struct {
        const char *pred;
        uint32_t kind;
    } known[] = {{"hasExactSynonym", MED_SYN_EXACT},
                 {"hasRelatedSynonym", MED_SYN_RELATED},
                 {"hasNarrowSynonym", MED_SYN_NARROW},
                 {"hasBroadSynonym", MED_SYN_BROAD}};
    size_t i;
    json_t *x;
    json_array_foreach(json_object_get(meta, "synonyms"), i, x)
    {
        med_text text = graph_text(json_object_get(x, "val"));
        if (graph_is(x, "synonymType", "obsolete_synonym")) continue;
        for (size_t k = 0; k < R1_COUNT(known); k++)
            if (text.len && graph_is(x, "pred", known[k].pred))
                R1_TRY(med_builder_synonym(g->b, id, text, known[k].kind, err));
    }
    return R1_OK;
}

/* Other ids: alternative ones, what replaces an obsolete term, and what to consider for it. */
static r1_status graph_other_ids(graph *g, med_text id, const json_t *meta, bool obsolete,
                                 r1_err *err)
{
    char other[MED_ID_MAX + 1];
    size_t i, n;
    json_t *x;
    json_array_foreach(json_object_get(meta, "basicPropertyValues"), i, x)
    {
        R1_TRY(med_curie(g->b, json_string_value(json_object_get(x, "val")), other, &n, err));
        if (n == 0) continue;
        med_text to = {other, n};
        if (graph_is(x, "pred", "hasAlternativeId")) R1_TRY(med_builder_alias(g->b, id, to, err));
        if (graph_is(x, "pred", "consider")) R1_TRY(med_builder_consider(g->b, id, to, err));
        if (obsolete && graph_is(x, "pred", "IAO_0100001"))
            R1_TRY(med_builder_alias(g->b, to, id, err));
    }
    return R1_OK;
}

static r1_status graph_finding(graph *g, med_text id, const json_t *node, r1_err *err)
{
    const json_t *meta = json_object_get(node, "meta");
    bool obsolete = json_is_true(json_object_get(meta, "deprecated"));
    char name[MED_NAME_MAX + 1], def[MED_DEFINITION_MAX + 1];
    size_t n =
        med_builder_copy(g->b, "name", graph_text(json_object_get(node, "lbl")), name, sizeof name);
    size_t m = med_builder_copy(
        g->b, "definition", graph_text(json_object_get(json_object_get(meta, "definition"), "val")),
        def, sizeof def);
    g->n_finding++;
    R1_TRY(med_builder_term(g->b, id, (med_text){name, n}, (med_text){def, m}, obsolete, err));
    R1_TRY(graph_synonyms(g, id, meta, err));
    return graph_other_ids(g, id, meta, obsolete, err);
}

static r1_status graph_mondo(graph *g, med_text id, const json_t *node, r1_err *err)
{
    const json_t *meta = json_object_get(node, "meta");
    size_t i;
    json_t *x;
    g->n_mondo++;
    if (json_is_true(json_object_get(meta, "deprecated"))) return R1_OK;
    json_array_foreach(json_object_get(meta, "basicPropertyValues"), i, x)
    {
        if (!graph_is(x, "pred", "exactMatch")) continue;
        R1_TRY(med_import_match(g->b, graph_text(json_object_get(x, "val")),
                                graph_text(json_object_get(node, "lbl")), id, err));
    }
    return R1_OK;
}

static r1_status graph_node(graph *g, const json_t *node, r1_err *err)
{
    char id[MED_ID_MAX + 1];
    size_t n;
    const char *iri = json_string_value(json_object_get(node, "id")),
               *type = json_string_value(json_object_get(node, "type"));
    if (!iri) {
        med_builder_refuse(g->b, "id", MED_TEXT(""), "the address of a node");
        return R1_OK;
    }
    if (type && strcmp(type, "CLASS") != 0) return R1_OK;
    R1_TRY(med_curie(g->b, iri, id, &n, err));
    if (n == 0) return R1_OK;
    return graph_starts(id, "MONDO:") ? graph_mondo(g, (med_text){id, n}, node, err)
                                      : graph_finding(g, (med_text){id, n}, node, err);
}

static r1_status graph_edge(graph *g, const json_t *edge, r1_err *err)
{
    char sub[MED_ID_MAX + 1], obj[MED_ID_MAX + 1];
    size_t n, m;
    const char *pred = json_string_value(json_object_get(edge, "pred"));
    if (!pred || (strcmp(pred, "is_a") != 0 && strcmp(graph_last(pred), "subClassOf") != 0))
        return R1_OK;
    R1_TRY(med_curie(g->b, json_string_value(json_object_get(edge, "sub")), sub, &n, err));
    R1_TRY(med_curie(g->b, json_string_value(json_object_get(edge, "obj")), obj, &m, err));
    if (n == 0 || m == 0) return R1_OK;
    if (graph_starts(sub, "MONDO:"))
        return med_builder_subclass(g->b, (med_text){sub, n}, (med_text){obj, m}, err);
    return med_builder_parent(g->b, (med_text){sub, n}, (med_text){obj, m}, err);
}

static r1_status graph_read(graph *g, const json_t *one, r1_err *err)
{
    size_t i;
    json_t *x;
    med_text version = graph_text(json_object_get(json_object_get(one, "meta"), "version"));
    if (version.len) med_builder_copy(g->b, "version", version, g->version, sizeof g->version);
    json_array_foreach(json_object_get(one, "nodes"), i, x) R1_TRY(graph_node(g, x, err));
    json_array_foreach(json_object_get(one, "edges"), i, x) R1_TRY(graph_edge(g, x, err));
    return R1_OK;
}

static r1_status graph_all(graph *g, const char *what, const json_t *root, r1_err *err)
{
    size_t i;
    json_t *x;
    uint16_t source;
    const json_t *list = json_object_get(root, "graphs");
    if (!json_is_array(list))
        R1_FAIL(err, R1_E_FORMAT, "%s: not OBO graphs: the list `graphs` is missing", what);
    json_array_foreach(list, i, x) R1_TRY(graph_read(g, x, err));
    if (!g->n_finding && !g->n_mondo)
        R1_FAIL(err, R1_E_FORMAT, "%s: OBO graphs without a single class", what);
    if (g->n_finding)
        R1_TRY(med_builder_source(
            g->b, "Human Phenotype Ontology (JSON)", g->version,
            "HPO licence: free use with citation and version (https://hpo.jax.org/app/license)",
            "https://hpo.jax.org", &source, err));
    if (g->n_mondo)
        R1_TRY(med_builder_source(g->b, "Mondo Disease Ontology", g->version, "CC BY 4.0",
                                  "https://mondo.monarchinitiative.org", &source, err));
    return R1_OK;
}

r1_status med_import_graph(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err)
{
    json_error_t e;
    graph g = {.b = b, .version = MED_VERSION_NONE};
    R1_TRY(med_builder_input(b, what, err));
    json_t *root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &e);
    if (!root) R1_FAIL(err, R1_E_FORMAT, "%s:%d: not JSON: %s", what, e.line, e.text);
    r1_status st = graph_all(&g, what, root, err);
    json_decref(root);
    return st;
}
