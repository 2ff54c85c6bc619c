/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - recursive descent over a bounded text. Owns nothing: nodes and strings lie in the
 * caller's arena. */
#include "file/json.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, TEXT_MAX = 1 << 20, NUMBER_MAX = 64 };

typedef struct {
    r1_arena *arena;
    const char *text;
    size_t len, at;
    r1_err *err;
} reader;

static r1_status json_fail(reader *r, const char *what)
{
    R1_FAIL(r->err, R1_E_FORMAT, "JSON: %s at byte %zu of %zu", what, r->at, r->len);
}

static void skip_space(reader *r)
{
    while (r->at < r->len && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at]) r->at++;
}

static bool json_take(reader *r, char c)
{
    skip_space(r);
    if (r->at >= r->len || r->text[r->at] != c) return false;
    r->at++;
    return true;
}

static int json_hex4(const char *s)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = tolower((unsigned char)s[i]);
        if (!isxdigit(c)) return -1;
        v = v * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return v;
}

static size_t put_utf8(char *out, int c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 63));
    out[2] = (char)(0x80 | (c & 63));
    return 3;
}

static r1_status json_read_escape(reader *r, char *out, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->at >= r->len) return json_fail(r, "unfinished escape");
    char c = r->text[r->at++];
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) {
        out[(*n)++] = to[hit - from];
        return R1_OK;
    }
    if (c != 'u' || r->len - r->at < 4) return json_fail(r, "unknown escape");
    int code = json_hex4(r->text + r->at);
    if (code <= 0 || (code >= 0xd800 && code < 0xe000))
        return json_fail(r, "escape outside the basic plane");
    r->at += 4;
    *n += put_utf8(out + *n, code);
    return R1_OK;
}

static r1_status json_string(reader *r, const char **out)
{
    if (!json_take(r, '"')) return json_fail(r, "expected a string");
    size_t end = r->at;
    while (end < r->len && r->text[end] != '"') end += r->text[end] == '\\' ? 2 : 1;
    if (end >= r->len) return json_fail(r, "unfinished string");
    char *s = r1_arena_alloc(r->arena, end - r->at + 1, 1);
    if (!s)
        return r1_err_set(r->err, R1_E_NOMEM, __FILE__, __LINE__, "JSON: out of memory at byte %zu",
                          r->at);
    size_t n = 0;
    while (r->text[r->at] != '"') {
        char c = r->text[r->at++];
        if ((unsigned char)c < 0x20) return json_fail(r, "control character in a string");
        if (c != '\\')
            s[n++] = c;
        else
            R1_TRY(json_read_escape(r, s, &n));
    }
    r->at++;
    *out = s;
    return R1_OK;
}

static r1_status json_number(reader *r, double *out)
{
    char buf[NUMBER_MAX];
    size_t n = 0;
    while (r->at < r->len && n < NUMBER_MAX - 1 && strchr("+-.eE0123456789", r->text[r->at]) &&
           r->text[r->at])
        buf[n++] = r->text[r->at++];
    buf[n] = 0;
    char *end;
    *out = strtod(buf, &end);
    return n && !*end && isfinite(*out) ? R1_OK : json_fail(r, "expected a value");
}

static bool json_word(reader *r, const char *w)
{
    size_t n = strlen(w);
    if (r->len - r->at < n || memcmp(r->text + r->at, w, n) != 0) return false;
    r->at += n;
    return true;
}

static r1_status json_value(reader *r, int depth, r1_json *v);

/* Members of an object or elements of an array, up to the closing bracket. */
static r1_status json_children(reader *r, int depth, r1_json *v, char close)
{
    r1_json **tail = &v->child;
    if (json_take(r, close)) return R1_OK;
    do {
        r1_json *kid = r1_arena_alloc(r->arena, 1, sizeof *kid);
        if (!kid)
            return r1_err_set(r->err, R1_E_NOMEM, __FILE__, __LINE__,
                              "JSON: out of memory at byte %zu", r->at);
        if (close == '}') {
            R1_TRY(json_string(r, &kid->name));
            for (r1_json *k = v->child; k; k = k->next)
                if (strcmp(k->name, kid->name) == 0) return json_fail(r, "a member twice");
            if (!json_take(r, ':')) return json_fail(r, "expected ':'");
        }
        R1_TRY(json_value(r, depth + 1, kid));
        *tail = kid;
        tail = &kid->next;
        v->count++;
    } while (json_take(r, ','));
    return json_take(r, close) ? R1_OK : json_fail(r, "expected ',' or a closing bracket");
}

static r1_status json_value(reader *r, int depth, r1_json *v)
{
    if (depth > DEPTH_MAX) return json_fail(r, "nested deeper than 16");
    skip_space(r);
    char c = r->at < r->len ? r->text[r->at] : 0;
    if (c == '{' || c == '[') {
        r->at++;
        v->type = c == '{' ? R1_JSON_OBJECT : R1_JSON_ARRAY;
        return json_children(r, depth, v, c == '{' ? '}' : ']');
    }
    if (c == '"') {
        v->type = R1_JSON_STRING;
        return json_string(r, &v->str);
    }
    if (json_word(r, "true") || json_word(r, "false")) {
        v->type = R1_JSON_BOOL;
        v->num = c == 't';
        return R1_OK;
    }
    if (json_word(r, "null")) return R1_OK;
    v->type = R1_JSON_NUMBER;
    return json_number(r, &v->num);
}

r1_status r1_json_parse(r1_arena *arena, const char *text, size_t len, r1_json **root, r1_err *err)
{
    reader r = {arena, text, len, 0, err};
    if (len > TEXT_MAX) return json_fail(&r, "longer than 1 MiB");
    r1_json *v = r1_arena_alloc(arena, 1, sizeof *v);
    if (!v) R1_FAIL(err, R1_E_NOMEM, "JSON: out of memory");
    R1_TRY(json_value(&r, 0, v));
    skip_space(&r);
    if (r.at != len) return json_fail(&r, "text after the value");
    *root = v;
    return R1_OK;
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
