/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_input.c - see check_input.h. The first character tells the form: { lines, [ an array,
 * anything else CSV. */
#include "check/check_input.h"

#include "payment/message_json.h"
#include "text/r1_utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static r1_status input_put(check_input *in, char *text, r1_err *err)
{
    if (in->n % 1024 == 0) {
        char **more = text ? r1_realloc_array(in->text, in->n + 1024, sizeof *more) : NULL;
        if (!more) {
            free(text);
            R1_FAIL(err, R1_E_NOMEM, "no memory for %zu messages", in->n);
        }
        in->text = more;
    }
    if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for a message");
    in->text[in->n++] = text;
    return R1_OK;
}

static r1_status input_lines(check_input *in, char *text, r1_err *err)
{
    in->form = "JSON lines";
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        if (line[strspn(line, " \t")]) R1_TRY(input_put(in, strdup(line), err));
    }
    return R1_OK;
}

static r1_status input_array(check_input *in, const char *text, size_t len, r1_err *err)
{
    json_error_t why;
    json_t *a = json_loadb(text, len, JSON_ALLOW_NUL, &why), *v;
    size_t i;
    r1_status st = R1_OK;
    in->form = "a JSON array";
    if (!a) R1_FAIL(err, R1_E_FORMAT, "line %d: expected JSON: %s", why.line, why.text);
    json_array_foreach(a, i, v) if (st == R1_OK) st =
        input_put(in, json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY), err);
    json_decref(a);
    return st;
}

/* ---- CSV: RFC 4180; the separator is the first of these that the header has ---- */

static char csv_separator(const char *text)
{
    size_t line = strcspn(text, "\r\n");
    for (const char *c = ";\t,|"; *c; c++)
        if (memchr(text, *c, line)) return *c;
    return ',';
}

/* The next field, unquoted in its place. Returns what ended it: the separator, '\n' or 0. */
static char csv_field(char **at, char separator, char **field)
{
    char *in = *at, *out = in;
    bool quoted = *in == '"';
    *field = in;
    in += quoted;
    for (; *in; in++) {
        if (quoted && *in == '"') {
            if (in[1] != '"') {
                quoted = false;
                continue;
            }
            in++;
        } else if (!quoted && (*in == separator || *in == '\n')) {
            break;
        }
        *out++ = *in;
    }
    char end = *in;
    *at = end ? in + 1 : in;
    if (out > *field && out[-1] == '\r' && end != separator) out--;
    *out = 0;
    return end;
}

static r1_status input_csv(check_input *in, char *text, r1_err *err)
{
    char *column[CHECK_COLUMNS_MAX], *field, *at = text, end, separator = csv_separator(text);
    size_t n = 0;
    in->form = "CSV";
    do {
        if (n == CHECK_COLUMNS_MAX)
            R1_FAIL(err, R1_E_FORMAT, "line 1: expected at most %d columns", CHECK_COLUMNS_MAX);
        end = csv_field(&at, separator, &column[n++]);
    } while (end == separator);
    while (*at) {
        json_t *o = json_object();
        size_t i = 0;
        do {
            end = csv_field(&at, separator, &field);
            if (i < n && *field) json_object_set_new(o, column[i], json_string(field));
            i++;
        } while (end == separator);
        char *row = json_object_size(o) ? json_dumps(o, JSON_COMPACT) : NULL;
        bool empty = !json_object_size(o);
        json_decref(o);
        if (!empty) R1_TRY(input_put(in, row, err));
    }
    return R1_OK;
}

/* ---- the encoding ---- */

/* Two or four bytes a character: a mark says so, or a zero among the first two bytes. */
static const char *encoding_wide(const char *s, size_t len)
{
    if (len < 2) return NULL;
    bool little = !memcmp(s, "\xff\xfe", 2), big = !memcmp(s, "\xfe\xff", 2);
    if (len >= 4 && little && !s[2] && !s[3]) return "utf-32";
    if (little || big) return "utf-16";
    if (len >= 4 && !s[0] && !s[1] && (!memcmp(s + 2, "\xfe\xff", 2) || !s[2])) return "utf-32";
    if (len >= 4 && s[0] && !s[1] && !s[2] && !s[3]) return "utf-32le";
    return s[0] && !s[1] ? "utf-16le" : !s[0] && s[1] ? "utf-16be" : NULL;
}

/* Latin 1 has controls from 0x80 to 0x9f, where Windows has the euro sign and quotes. */
static const char *encoding_of_bytes(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)s[i] & 0xe0) == 0x80) return "windows-1252";
    return "latin1";
}

static r1_status encoding_check(const char *path, const char *s, size_t len, r1_err *err)
{
    size_t line = 1, begin = 0, at = 0, n;
    while (at < len && (n = r1_utf8_char(s + at, len - at)) > 0) {
        if (s[at] == '\n') line++, begin = at + 1;
        at += n;
    }
    if (at == len) return R1_OK;
    const char *name = encoding_of_bytes(s, len);
    R1_FAIL(err, R1_E_FORMAT,
            "%s: line %zu, byte %zu: expected UTF-8, found byte 0x%02x, as %s has: write iconv -f "
            "%s -t utf8 FILE > NEW, and check NEW",
            path, line, at - begin + 1, (unsigned char)s[at], name, name);
}

/* Of JSON lines each is a message of its own, and one that is not UTF-8 is told as one. */
static r1_status encoding_refuse(const char *path, const char *s, size_t len, r1_err *err)
{
    const char *wide = encoding_wide(s, len);
    if (wide)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: line 1, byte 1: expected UTF-8, found %s: write iconv -f %s -t utf8 FILE > "
                "NEW, and check NEW",
                path, wide, wide);
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\n", s[blank]) && s[blank]) blank++;
    return blank < len && s[blank] == '{' ? R1_OK : encoding_check(path, s, len, err);
}

/* ---- the file ---- */

static r1_status input_bytes(const char *path, char **data, size_t *len, r1_err *err)
{
    if (strcmp(path, "-") != 0) return r1_file_read(path, CHECK_BYTES_MAX, data, len, err);
    return r1_file_read("/dev/stdin", CHECK_BYTES_MAX, data, len, err);
}

r1_status check_input_read(check_input *in, const char *path, r1_err *err)
{
    char *raw, *data;
    size_t len, n;
    memset(in, 0, sizeof *in);
    R1_TRY(input_bytes(path, &raw, &len, err));
    const char *begin = raw;
    if (len >= 3 && !memcmp(raw, "\xef\xbb\xbf", 3)) begin += 3, len -= 3;
    r1_status st = encoding_refuse(path, begin, len, err);
    if (st != R1_OK) {
        free(raw);
        return st;
    }
    for (n = 0; n < len; n++)
        if (!begin[n]) ((char *)raw)[begin - raw + (ptrdiff_t)n] = ' ';
    data = strdup(begin);
    free(raw);
    if (!data) R1_FAIL(err, R1_E_NOMEM, "%s: no memory", path);
    char first = data[strspn(data, " \t\r\n")];
    st = first == '{'   ? input_lines(in, data, err)
         : first == '[' ? input_array(in, data, strlen(data), err)
         : first        ? input_csv(in, data, err)
                        : R1_OK;
    free(data);
    if (st == R1_OK && !in->n)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "%s: expected messages as JSON lines, as an array or as CSV with a header, "
                        "found none",
                        path);
    if (st != R1_OK) check_input_free(in);
    return st;
}

void check_input_free(check_input *in)
{
    for (size_t i = 0; i < in->n; i++) free(in->text[i]);
    free(in->text);
    memset(in, 0, sizeof *in);
}
