/* SPDX-License-Identifier: Apache-2.0 */
/* med_tree.c - JSON and YAML as one kind of tree, jansson's, and what a tree is. YAML's anchors and
 * aliases are refused: nine of them make a file of a billion nodes. */
#include "documents/med_parts.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { TREE_NODES_MAX = 2000000 };

/* The length of jansson's reason without the words of the record that it quotes: errors end in
 * logs. */
static int json_reason(const char *text)
{
    const char *quoted = strstr(text, " near '");
    return (int)(quoted ? (size_t)(quoted - text) : strlen(text));
}

r1_status med_json_tree(const char *what, const char *s, size_t len, json_t **out, r1_err *err)
{
    json_error_t e;
    *out = json_loadb(s, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    if (!*out)
        R1_FAIL(err, R1_E_FORMAT, "%s:%d:%d: JSON that cannot be read: %.*s", what, e.line,
                e.column, json_reason(e.text), e.text);
    return R1_OK;
}

typedef struct {
    const char *what;
    yaml_parser_t parser;
    uint32_t n_node;
    json_t *open[MED_DOCUMENT_DEPTH_MAX]; /* borrowed: each hangs on the one before */
    char *key[MED_DOCUMENT_DEPTH_MAX];    /* of a mapping: a key that waits for its value */
    uint32_t depth;
    json_t *root;
} yaml_tree;

static r1_status yaml_hang(yaml_tree *y, json_t *value, bool opens, r1_err *err)
{
    unsigned long line = y->parser.mark.line + 1;
    json_t *parent = y->depth ? y->open[y->depth - 1] : NULL;
    int bad = 0;
    if (!value) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its YAML", y->what);
    if (!parent) {
        y->root = value;
    } else if (json_is_array(parent)) {
        bad = json_array_append_new(parent, value);
    } else {
        char **key = &y->key[y->depth - 1];
        bool twice = json_object_get(parent, *key) != NULL;
        bad = json_object_set_new(parent, *key, value);
        if (twice) R1_FAIL(err, R1_E_FORMAT, "%s:%lu: a key that stands twice", y->what, line);
        free(*key);
        *key = NULL;
    }
    if (bad) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its YAML", y->what);
    if (!opens) return R1_OK;
    if (y->depth == MED_DOCUMENT_DEPTH_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%lu: YAML nested deeper than %d", y->what, line,
                MED_DOCUMENT_DEPTH_MAX);
    y->open[y->depth++] = value;
    return R1_OK;
}

/* Plain true, false, null are those; numbers stay text, which no reader here minds. */
static json_t *yaml_value(const yaml_event_t *e)
{
    const char *s = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return json_stringn(s, n);
    if (strcmp(s, "true") == 0 || strcmp(s, "True") == 0) return json_true();
    if (strcmp(s, "false") == 0 || strcmp(s, "False") == 0) return json_false();
    if (n == 0 || strcmp(s, "null") == 0 || strcmp(s, "~") == 0) return json_null();
    return json_stringn(s, n);
}

static r1_status yaml_event(yaml_tree *y, const yaml_event_t *e, r1_err *err)
{
    unsigned long line = e->start_mark.line + 1;
    bool keyed = y->depth && json_is_object(y->open[y->depth - 1]) && !y->key[y->depth - 1];
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        R1_FAIL(err, R1_E_FORMAT, "%s:%lu: YAML with aliases (*), which are not accepted", y->what,
                line);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: y->depth--; return R1_OK;
    case YAML_SCALAR_EVENT:
        if (!keyed) return yaml_hang(y, yaml_value(e), false, err);
        y->key[y->depth - 1] = strdup((const char *)e->data.scalar.value);
        if (!y->key[y->depth - 1]) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for YAML", y->what);
        return R1_OK;
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        if (keyed) R1_FAIL(err, R1_E_FORMAT, "%s:%lu: a key that is no text", y->what, line);
        return yaml_hang(y, e->type == YAML_MAPPING_START_EVENT ? json_object() : json_array(),
                         true, err);
    case YAML_DOCUMENT_START_EVENT:
        if (y->root)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lu: a second document in one file: give each its own",
                    y->what, line);
        return R1_OK;
    default: return R1_OK;
    }
}

static r1_status yaml_read(yaml_tree *y, r1_err *err)
{
    for (bool more = true; more;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&y->parser, &e))
            R1_FAIL(err, R1_E_FORMAT, "%s:%zu: YAML that cannot be read: %s", y->what,
                    y->parser.problem_mark.line + 1,
                    y->parser.problem ? y->parser.problem : "unknown");
        more = e.type != YAML_STREAM_END_EVENT;
        r1_status st = R1_OK;
        if (++y->n_node > TREE_NODES_MAX)
            st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s: YAML of more than %d parts",
                            y->what, TREE_NODES_MAX);
        else
            st = yaml_event(y, &e, err);
        yaml_event_delete(&e);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

r1_status med_yaml_tree(const char *what, const char *s, size_t len, json_t **out, r1_err *err)
{
    yaml_tree y = {.what = what};
    if (!yaml_parser_initialize(&y.parser)) R1_FAIL(err, R1_E_NOMEM, "%s: no memory", what);
    yaml_parser_set_input_string(&y.parser, (const unsigned char *)s, len);
    r1_status st = yaml_read(&y, err);
    yaml_parser_delete(&y.parser);
    for (size_t i = 0; i < R1_COUNT(y.key); i++) free(y.key[i]);
    if (st != R1_OK) json_decref(y.root);
    *out = st == R1_OK ? y.root : NULL;
    return st;
}

json_t *med_member(const json_t *o, const char *name, const char *other)
{
    json_t *v = name ? json_object_get(o, name) : NULL;
    if (!v || json_is_null(v)) v = other ? json_object_get(o, other) : NULL;
    return v && !json_is_null(v) ? v : NULL;
}

const char *med_member_text(const json_t *o, const char *name, const char *other)
{
    return json_string_value(med_member(o, name, other));
}

/* The first names of an object, for an error. */
static void tree_names(json_t *tree, char *out, size_t size)
{
    size_t n = 0;
    const char *key;
    json_t *value, *o = json_is_array(tree) ? json_array_get(tree, 0) : tree;
    *out = '\0';
    json_object_foreach(o, key, value)
    {
        int k = snprintf(out + n, size - n, "%s\"%.30s\"", n ? ", " : "", key);
        if (k < 0 || n + (size_t)k >= size) break;
        n += (size_t)k;
    }
}

r1_status med_tree_read(med_document *d, const char *what, json_t *tree, r1_err *err)
{
    char names[120];
    const json_t *first = json_is_array(tree) ? json_array_get(tree, 0) : tree;
    d->listed = true;
    if (json_object_get(tree, "format") && json_object_get(tree, "findings"))
        return med_review_tree(d, what, tree, err);
    if (json_is_string(json_object_get(tree, "resourceType"))) return med_fhir(d, what, tree, err);
    if (med_is_phenopacket(tree)) return med_phenopacket(d, what, tree, err);
    if (json_object_get(first, "id") && json_object_get(first, "status"))
        return med_findings_tree(d, what, tree, err);
    if (json_is_array(json_object_get(tree, "findings")) && json_object_get(tree, "not_read"))
        return med_annotated_tree(d, what, tree, err);
    if (json_is_array(tree) && json_array_size(tree) == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: an empty list: expected findings", what);
    if (json_is_array(tree) &&
        (med_is_phenopacket(first) || json_object_get(first, "resourceType")))
        R1_FAIL(err, R1_E_FORMAT, "%s: a list of %zu %s: give each patient a file of its own", what,
                json_array_size(tree),
                med_is_phenopacket(first) ? "phenopackets" : "resources of FHIR");
    tree_names(tree, names, sizeof names);
    R1_FAIL(err, R1_E_FORMAT,
            "%s: JSON or YAML that holds no findings that are known here: expected a phenopacket "
            "(\"phenotypicFeatures\"), a FHIR R4 bundle (\"resourceType\") or what annotate --json "
            "prints, found %s",
            what, *names ? names : "no object");
}
