/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - jansson reads the text; what it made is copied into nodes of the caller's arena.
 *
 * Two bounds come before jansson sees the text: its length, and how deep it is nested. Owns
 * nothing once it returns. */
#include "file/json.h"

#include "r1_assert.h"

#include <jansson.h>

#include <string.h>

static r1_status out_of_memory(r1_err *err) { R1_FAIL(err, R1_E_NOMEM, "JSON: out of memory"); }

/* Brackets outside of strings. What is no JSON at all is left to jansson. */
static r1_status check_depth(const char *text, size_t len, r1_err *err)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t at = 0; at < len; at++) {
        char c = text[at];
        if (in_string) {
            at += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (depth++ == R1_JSON_DEPTH_MAX)
                R1_FAIL(err, R1_E_FORMAT, "JSON: nested deeper than %d at byte %zu of %zu",
                        R1_JSON_DEPTH_MAX, at, len);
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return R1_OK;
}

static r1_status copy_value(r1_arena *arena, json_t *from, r1_json *to, int depth, r1_err *err);

/* A further child behind *tail. */
static r1_status copy_child(r1_arena *arena, const char *name, json_t *from, r1_json *to,
                            r1_json ***tail, int depth, r1_err *err)
{
    r1_json *kid = r1_arena_alloc(arena, 1, sizeof *kid);
    if (!kid) return out_of_memory(err);
    if (name && !(kid->name = r1_arena_strdup(arena, name, strlen(name))))
        return out_of_memory(err);
    **tail = kid;
    *tail = &kid->next;
    to->count++;
    return copy_value(arena, from, kid, depth, err);
}

static r1_status copy_children(r1_arena *arena, json_t *from, r1_json *to, int depth, r1_err *err)
{
    r1_json **tail = &to->child;
    const char *name;
    json_t *value;
    size_t i;
    if (json_is_object(from))
        json_object_foreach(from, name, value)
            R1_TRY(copy_child(arena, name, value, to, &tail, depth + 1, err));
    else
        json_array_foreach(from, i, value)
            R1_TRY(copy_child(arena, NULL, value, to, &tail, depth + 1, err));
    R1_ASSERT(to->count == (json_is_object(from) ? json_object_size(from) : json_array_size(from)),
              "JSON: %u children copied", to->count);
    return R1_OK;
}

static r1_status copy_value(r1_arena *arena, json_t *from, r1_json *to, int depth, r1_err *err)
{
    R1_ASSERT(depth <= R1_JSON_DEPTH_MAX, "JSON: depth %d", depth);
    switch (json_typeof(from)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        to->type = json_is_object(from) ? R1_JSON_OBJECT : R1_JSON_ARRAY;
        return copy_children(arena, from, to, depth, err);
    case JSON_STRING:
        to->type = R1_JSON_STRING;
        to->str = r1_arena_strdup(arena, json_string_value(from), json_string_length(from));
        return to->str ? R1_OK : out_of_memory(err);
    case JSON_INTEGER:
    case JSON_REAL:
        to->type = R1_JSON_NUMBER;
        to->num = json_number_value(from);
        return R1_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        to->type = R1_JSON_BOOL;
        to->num = json_is_true(from);
        return R1_OK;
    case JSON_NULL: return R1_OK;
    }
    return R1_OK;
}

r1_status r1_json_parse(r1_arena *arena, const char *text, size_t len, r1_json **root, r1_err *err)
{
    if (len > R1_JSON_BYTES_MAX)
        R1_FAIL(err, R1_E_FORMAT, "JSON: expected at most %d bytes, found %zu", R1_JSON_BYTES_MAX,
                len);
    R1_TRY(check_depth(text, len, err));
    r1_json *v = r1_arena_alloc(arena, 1, sizeof *v);
    if (!v) return out_of_memory(err);
    json_error_t why;
    json_t *read = json_loadb(
        text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &why);
    if (!read && json_error_code(&why) == json_error_out_of_memory) return out_of_memory(err);
    if (!read)
        R1_FAIL(err, R1_E_FORMAT, "JSON: %s%s at byte %d of %zu",
                json_error_code(&why) == json_error_duplicate_key ? "a member twice: " : "",
                why.text, why.position, len);
    r1_status st = copy_value(arena, read, v, 0, err);
    json_decref(read);
    if (st == R1_OK) *root = v;
    return st;
}

r1_json *r1_json_member(const r1_json *object, const char *name)
{
    if (!object || object->type != R1_JSON_OBJECT) return NULL;
    for (r1_json *k = object->child; k; k = k->next)
        if (strcmp(k->name, name) == 0) {
            k->seen = true;
            return k;
        }
    return NULL;
}

const char *r1_json_unseen(const r1_json *node)
{
    for (const r1_json *k = node->child; k; k = k->next) {
        if (node->type == R1_JSON_OBJECT && !k->seen) return k->name;
        const char *below = r1_json_unseen(k);
        if (below) return below;
    }
    return NULL;
}
