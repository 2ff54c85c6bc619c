/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_path.c - see message_path.h. */
#include "payment/message_path.h"

#include "payment/message_json.h"

#include <stdlib.h>
#include <string.h>

/* ---- parts ---- */

/* Bytes of [key=value] at the end of a part; 0: it is none, and belongs to a name. */
static size_t path_select(const char *at)
{
    size_t sign = *at == '[' ? strcspn(at, "=].") : 0, end = sign ? strcspn(at, "]") : 0;
    bool good =
        sign > 1 && at[sign] == '=' && at[end] == ']' && (!at[end + 1] || at[end + 1] == '.');
    return good ? end + 1 : 0;
}

/* Bytes of the first part of a path, up to a point outside of such brackets. */
static size_t path_part(const char *path)
{
    size_t n = 0;
    while (path[n] && path[n] != '.') {
        size_t select = path_select(path + n);
        n += select ? select : 1;
    }
    return n;
}

/* The bracket of a part of n bytes; NULL: it is a name. */
static const char *part_select(const char *part, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (path_select(part + i) == n - i) return part + i;
    return NULL;
}

const char *message_path_fault(const char *path)
{
    size_t len = strlen(path), parts = 0;
    if (!strcmp(path, "?")) return "your answer, the path of a field";
    if (!len || *path == '.' || path[len - 1] == '.' || strstr(path, ".."))
        return "a path such as data.amount";
    for (size_t at = 0; at <= len; at += path_part(path + at) + 1) parts++;
    return parts > MESSAGE_PATH_PARTS_MAX ? "a path of at most 12 parts" : NULL;
}

bool message_path_has_list(const char *path)
{
    size_t len = strlen(path);
    for (size_t at = 0, n; at <= len; at += n + 1) {
        n = path_part(path + at);
        if (part_select(path + at, n) || (at && path[at] >= '0' && path[at] <= '9')) return true;
    }
    return false;
}

/* ---- what lies there ---- */

static bool path_place_fits(const json_t *place, const char *key, size_t n, const char *value,
                            size_t len)
{
    const json_t *v = json_object_getn(place, key, n);
    return json_is_string(v) && json_string_length(v) == len &&
           !memcmp(json_string_value(v), value, len);
}

/* The place of a list whose key has this value: parties[role=debtor]. *places: how many have it,
 * where more than one. A list that was written as its only object is one place. */
static const json_t *path_select_place(const json_t *in, const char *part, size_t n,
                                       const char *mark, size_t *places)
{
    const json_t *list = json_object_getn(in, part, (size_t)(mark - part)), *found = NULL;
    size_t key = strcspn(mark, "=") - 1, count = 0,
           size = json_is_array(list) ? json_array_size(list) : 1;
    const char *value = mark + key + 2;
    for (size_t i = 0; i < size; i++) {
        const json_t *place = json_is_array(list) ? json_array_get(list, i) : list;
        if (!path_place_fits(place, mark + 1, key, value, (size_t)(part + n - 1 - value))) continue;
        if (!count++) found = place;
    }
    if (count > 1) *places = count;
    return found;
}

/* The value under the first part of a path, in an object by its key and in a list by its place. */
static const json_t *path_step(const json_t *in, const char *path, size_t n, size_t *places)
{
    char *end;
    const char *mark = part_select(path, n);
    if (json_is_object(in) && mark && !json_object_getn(in, path, n))
        return path_select_place(in, path, n, mark, places);
    if (!json_is_array(in)) return json_object_getn(in, path, n);
    if (*path < '0' || *path > '9') return NULL;
    unsigned long place = strtoul(path, &end, 10);
    return end == path + n ? json_array_get(in, place) : NULL;
}

/* "a.b.0.c" in objects and lists within each other. *places: of a list on the way with more than
 * one. */
const json_t *message_path_find(const json_t *in, const char *path, size_t *places)
{
    const json_t *whole = json_object_get(in, path);
    for (int i = 0; !whole && in && i < MESSAGE_PATH_PARTS_MAX; i++) {
        size_t n = path_part(path);
        if (json_array_size(in) > 1) *places = json_array_size(in);
        in = path_step(in, path, n, places);
        if (!path[n]) return in;
        path += n + 1;
    }
    return whole;
}

const char *message_path_word(const json_t *value, char buf[32])
{
    if (json_is_boolean(value)) return json_is_true(value) ? "true" : "false";
    const char *number = fraud_json_number(value, buf);
    return number ? number : json_string_value(value);
}
