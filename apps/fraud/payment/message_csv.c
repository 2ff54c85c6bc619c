/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_csv.c - see message_csv.h. A row is fed byte by byte until it ends, and then split in its
 * place: so a row is known to be whole before anything of it is read. */
#include "payment/message_csv.h"

#include "text/r1_utf8.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NOTES_BYTES = 2048, FOUND_MAX = 40 };

typedef enum { AT_START = 0, AT_PLAIN, AT_QUOTED, AT_CLOSED } csv_state;

struct message_csv {
    char separator; /* 0: not known yet */
    csv_state state;
    size_t field, lines; /* of the row that is fed */
    char *header;        /* owned; holds the names */
    const char *name[MESSAGE_COLUMNS_MAX];
    char *made[MESSAGE_COLUMNS_MAX]; /* owned: ours, where a column has no name of its own */
    size_t n;
    char *text; /* owned: the message given out last */
    char notes[NOTES_BYTES];
    size_t n_null, null_line, n_trailing, trailing_line;
    /* rows by their number of fields, and the first of them */
    size_t n_of[MESSAGE_COLUMNS_MAX + 1], first_of[MESSAGE_COLUMNS_MAX + 1];
};

message_csv *message_csv_new(void) { return calloc(1, sizeof(message_csv)); }

void message_csv_free(message_csv *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n; i++) free(c->made[i]);
    free(c->header);
    free(c->text);
    free(c);
}

static void csv_note(message_csv *c, const char *fmt, ...) R1_PRINTF(2, 3);
static void csv_note(message_csv *c, const char *fmt, ...)
{
    char raw[300], text[300];
    size_t at = strlen(c->notes);
    va_list args;
    va_start(args, fmt);
    vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    r1_utf8_clean(text, sizeof text, raw);
    if (at + strlen(text) + 4 < NOTES_BYTES)
        snprintf(c->notes + at, NOTES_BYTES - at, "  %s\n", text);
}

/* ---- where a row ends ---- */

void message_csv_begin(message_csv *c)
{
    c->state = AT_START;
    c->field = c->lines = 0;
}

message_row message_csv_feed(message_csv *c, char byte)
{
    bool end = byte == '\n', next = byte == c->separator && c->separator;
    c->lines += end;
    switch (c->state) {
    case AT_QUOTED:
        if (byte == '"') c->state = AT_CLOSED;
        return ROW_GOES_ON;
    case AT_CLOSED:
        if (byte == '"') {
            c->state = AT_QUOTED;
            return ROW_GOES_ON;
        }
        if (!end && !next) return byte == ' ' ? ROW_GOES_ON : ROW_BROKEN;
        break;
    case AT_START:
        if (byte == '"') {
            c->state = AT_QUOTED;
            return ROW_GOES_ON;
        }
        if (byte == ' ') return ROW_GOES_ON;
        break;
    case AT_PLAIN: break;
    }
    c->state = next ? AT_START : AT_PLAIN;
    c->field += next;
    return end ? ROW_ENDS : ROW_GOES_ON;
}

bool message_csv_is_open(const message_csv *c) { return c->state == AT_QUOTED; }

void message_csv_broken(const message_csv *c, size_t line, char byte, bool end,
                        char why[MESSAGE_WHY_BYTES])
{
    char where[64] = "", shown[8] = {byte, 0};
    if (c->lines && !end)
        snprintf(where, sizeof where, ", which is that of line %zu", line + c->lines);
    if ((unsigned char)byte < 0x20 || (unsigned char)byte > 0x7e)
        snprintf(shown, sizeof shown, "0x%02x", (unsigned char)byte);
    if (end)
        snprintf(why, MESSAGE_WHY_BYTES,
                 "field %zu: expected a closing quote, found none up to the end of the file: close "
                 "it, or take the quote away",
                 c->field + 1);
    else
        snprintf(why, MESSAGE_WHY_BYTES,
                 "field %zu: expected %s or the end of the line behind the closing quote%s, found "
                 "\"%s\": close the quote that opens the field, and write quotes within it twice",
                 c->field + 1, c->separator == '\t' ? "a tab" : (char[]){c->separator, 0}, where,
                 shown);
}

/* ---- fields ---- */

/* The next field, unquoted in its place. *end is what ended it: the separator, or 0. */
static char *csv_take(const message_csv *c, char **at, char *end, bool *quoted)
{
    char *in = *at + strspn(*at, " "), *out = *at, *field = out;
    *quoted = *in == '"';
    if (*quoted) {
        for (in++; *in && (*in != '"' || in[1] == '"'); *out++ = *in++)
            if (*in == '"') in++;
        in += *in == '"';
        while (*in && *in != c->separator) in++;
    } else {
        while (*in && *in != c->separator) *out++ = *in++;
        while (out > field && out[-1] == ' ') out--;
    }
    *end = *in;
    *at = *in ? in + 1 : in;
    *out = 0;
    return field;
}

/* The fields of a row; returns how many there are, of which MESSAGE_COLUMNS_MAX + 1 are kept. */
static size_t csv_split(const message_csv *c, char *row, char **field, bool *quoted)
{
    size_t n = 0;
    char end;
    do {
        bool mark;
        char *text = csv_take(c, &row, &end, &mark);
        if (n <= MESSAGE_COLUMNS_MAX) field[n] = text, quoted[n] = mark;
        n++;
    } while (end);
    return n;
}

/* What a message quotes of a field, on one line. */
static const char *field_found(const char *field, char out[FOUND_MAX + 1])
{
    snprintf(out, FOUND_MAX + 1, "%s", field);
    for (char *s = out; *s; s++)
        if (*s == '\n') *s = ' ';
    return out;
}

static const char *separator_words(char separator)
{
    return separator == ';'    ? ";"
           : separator == '\t' ? "a tab"
           : separator == ','  ? ","
           : separator == '|'  ? "|"
                               : "?";
}

bool message_csv_sep(message_csv *c, const char *row, size_t line)
{
    if (strncasecmp(row, "sep=", 4) != 0 || !row[4] || !strchr(";\t,|", row[4]) || row[5])
        return false;
    c->separator = row[4];
    csv_note(c, "line %zu: \"sep=\" names the separator, %s", line, separator_words(c->separator));
    return true;
}

/* Outside of quotes. */
static size_t csv_count(const char *row, char separator)
{
    size_t n = 0;
    bool quoted = false;
    for (; *row; row++) {
        quoted = quoted != (*row == '"');
        n += !quoted && *row == separator;
    }
    return n;
}

void message_csv_separate(message_csv *c, const char *row)
{
    size_t most = 0;
    for (const char *s = ";\t,|"; *s && !c->separator; s++)
        if (csv_count(row, *s) > most) most = csv_count(row, *s);
    for (const char *s = ";\t,|"; *s && !c->separator; s++)
        if (csv_count(row, *s) == most && most) c->separator = *s;
}

/* ---- the header ---- */

/* A number of three digits, a date, a time or an IBAN: nobody calls a column so. */
static bool looks_like_value(const char *text)
{
    size_t digits = 0, len = strlen(text), letters = 0;
    for (const char *s = text; *s; s++) {
        digits += *s >= '0' && *s <= '9';
        letters += (*s < '0' || *s > '9') && !strchr(".,:-/+ TZ$'", *s);
    }
    if (!letters) return digits >= 3;
    bool iban = len >= 15 && len <= 34 && isupper((unsigned char)text[0]) &&
                isupper((unsigned char)text[1]) && isdigit((unsigned char)text[2]) &&
                isdigit((unsigned char)text[3]);
    for (const char *s = text; iban && *s; s++) iban = isalnum((unsigned char)*s);
    return iban;
}

static bool name_is_taken(const message_csv *c, size_t i, const char *name)
{
    size_t k = 0;
    while (k < i && strcmp(c->name[k], name) != 0) k++;
    return k < i;
}

/* A name of its own for a column without one, or with that of an earlier one. */
static r1_status header_name(message_csv *c, size_t i, size_t line, r1_err *err)
{
    char name[256];
    const char *own = c->name[i];
    if (*own && !name_is_taken(c, i, own)) return R1_OK;
    snprintf(name, sizeof name, "column %zu", i + 1);
    for (int k = 2; *own && (k == 2 || name_is_taken(c, i, name)); k++)
        snprintf(name, sizeof name, "%.200s (%d)", own, k);
    while (name_is_taken(c, i, name)) {
        size_t len = strlen(name);
        snprintf(name + len, sizeof name - len, "'");
    }
    if (*own)
        csv_note(c,
                 "line %zu: column %zu has the name of an earlier one, \"%.100s\": read as "
                 "\"%.100s\"",
                 line, i + 1, own, name);
    else
        csv_note(c, "line %zu: column %zu has no name: read as \"%s\"", line, i + 1, name);
    c->made[i] = strdup(name);
    if (!c->made[i]) R1_FAIL(err, R1_E_NOMEM, "no memory for a header");
    c->name[i] = c->made[i];
    return R1_OK;
}

static r1_status header_check(const message_csv *c, const char *path, size_t line, r1_err *err)
{
    const char *first = NULL, *second = NULL;
    for (size_t i = 0; i < c->n; i++) {
        if (!looks_like_value(c->name[i])) continue;
        if (!first)
            first = c->name[i];
        else if (!second)
            second = c->name[i];
    }
    if (!first) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT,
            "%s: line %zu: expected the names of the columns, found values as \"%.40s\"%s%.40s%s: "
            "write a line with %zu names before the first row, as id%ctime%cpayer...",
            path, line, first, second ? " and \"" : "", second ? second : "", second ? "\"" : "",
            c->n, c->separator, c->separator);
}

r1_status message_csv_header(message_csv *c, char *row, const char *path, size_t line, r1_err *err)
{
    char *field[MESSAGE_COLUMNS_MAX + 1];
    bool quoted[MESSAGE_COLUMNS_MAX + 1];
    if (!c->separator)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: line %zu: expected JSON, or the names of columns with ; , | or tabs between "
                "them, found \"%.60s%s\"",
                path, line, row, strlen(row) > 60 ? "..." : "");
    c->header = strdup(row);
    if (!c->header) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for a header", path);
    size_t n = csv_split(c, c->header, field, quoted);
    if (n > MESSAGE_COLUMNS_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s: line %zu: expected at most %d columns, found %zu", path,
                line, MESSAGE_COLUMNS_MAX, n);
    while (n > 1 && !*field[n - 1]) n--; /* separators at the end */
    for (; c->n < n; c->n++) c->name[c->n] = field[c->n];
    R1_TRY(header_check(c, path, line, err));
    for (size_t i = 0; i < n; i++) R1_TRY(header_name(c, i, line, err));
    return R1_OK;
}

/* ---- rows ---- */

/* What databases and spreadsheets write where there is nothing. */
static bool means_nothing(const char *text)
{
    static const char *const words[] = {"NULL", "\\N",    "N/A",    "#N/A",
                                        "NaN",  "(null)", "<null>", "None"};
    size_t i = 0;
    while (i < R1_COUNT(words) && strcasecmp(words[i], text) != 0) i++;
    return i < R1_COUNT(words);
}

static bool row_is_header(const message_csv *c, char *const *field, size_t n)
{
    size_t i = 0;
    while (i < n && i < c->n && !c->made[i] && !strcmp(field[i], c->name[i])) i++;
    return i == c->n && n >= c->n;
}

/* Whether the number of fields is that of the header; fields without anything behind the last
 * column are none. */
static bool row_fits(message_csv *c, char *const *field, size_t n, size_t line, size_t lines,
                     char why[MESSAGE_WHY_BYTES])
{
    size_t kept = n <= MESSAGE_COLUMNS_MAX ? n : MESSAGE_COLUMNS_MAX + 1, full = n, run = line;
    char over[48] = "", last[FOUND_MAX + 1];
    if (n <= MESSAGE_COLUMNS_MAX)
        while (full > c->n && !*field[full - 1]) full--;
    if (full == c->n && n > full && !c->n_trailing++) c->trailing_line = line;
    if (full == c->n) return true;
    if (lines > 1) snprintf(over, sizeof over, " in lines %zu to %zu", run, line + lines - 1);
    if (full < c->n)
        snprintf(why, MESSAGE_WHY_BYTES,
                 "expected %zu fields, as the header has, found %zu%s, the last one \"%s\": write "
                 "all separators, also of empty fields",
                 c->n, full, over, field_found(field[full - 1], last));
    else
        snprintf(why, MESSAGE_WHY_BYTES,
                 "expected %zu fields, as the header has, found %zu%s, the last one \"%s\": put "
                 "quotes around a value that holds the separator",
                 c->n, full, over, field_found(field[kept - 1], last));
    return false;
}

/* The object of a row; NULL: no memory. */
static json_t *row_object(message_csv *c, char *const *field, const bool *quoted, size_t line)
{
    json_t *o = json_object();
    bool good = o != NULL;
    for (size_t i = 0; good && i < c->n; i++) {
        if (!*field[i]) continue;
        if (!quoted[i] && means_nothing(field[i])) {
            if (!c->n_null++) c->null_line = line;
            continue;
        }
        good = !json_object_set_new(o, c->name[i], json_string(field[i]));
    }
    if (good) return o;
    json_decref(o);
    return NULL;
}

/* The quote that is open at the end of the row's first line; *column: of its field, from 0. */
static const char *row_opened(const message_csv *c, const char *row, size_t *column)
{
    const char *opened = row;
    size_t n = 0;
    bool quoted = false;
    for (*column = 0; *row != '\n'; row++) {
        if (*row == '"' && (quoted = !quoted)) opened = row, *column = n;
        n += !quoted && *row == c->separator;
    }
    return opened;
}

/* Where the quote that opens at s is closed, or the end. */
static const char *quote_end(const char *s)
{
    for (s++; *s && (*s != '"' || s[1] == '"'); s++)
        if (*s == '"') s++;
    return s;
}

/* Whether a quote that is closed lines below holds what looks like rows of their own: a line with
 * all separators, where the quote does not open the last field. */
static bool row_swallows(const message_csv *c, const char *row, char why[MESSAGE_WHY_BYTES])
{
    size_t column, found = 0;
    const char *at = row_opened(c, row, &column), *closed = quote_end(at), *end;
    for (size_t n = column + 1; (end = strchr(at, '\n')) && end < closed; at = end + 1, n = 1) {
        for (const char *s = at; s < end; s++) n += *s == c->separator;
        found += n == c->n;
    }
    found = column + 1 < c->n ? found : 0;
    if (found)
        snprintf(
            why, MESSAGE_WHY_BYTES,
            "field %zu: expected a closing quote, found one only lines below, behind what looks "
            "like rows: close it, or take the quote away",
            column + 1);
    return found > 0;
}

message_row_what message_csv_row(message_csv *c, char *row, size_t line, size_t lines,
                                 const char **text, size_t *len, char why[MESSAGE_WHY_BYTES])
{
    char *field[MESSAGE_COLUMNS_MAX + 1];
    bool quoted[MESSAGE_COLUMNS_MAX + 1];
    if (lines > 1 && row_swallows(c, row, why)) return ROW_FAULT;
    size_t n = csv_split(c, row, field, quoted), i = 0;
    while (i < n && i <= MESSAGE_COLUMNS_MAX && !*field[i]) i++;
    if (i == n) return ROW_BLANK;
    size_t *of = &c->n_of[n > MESSAGE_COLUMNS_MAX ? MESSAGE_COLUMNS_MAX : n - 1];
    if (!(*of)++) c->first_of[of - c->n_of] = line;
    if (!row_fits(c, field, n, line, lines, why)) return ROW_FAULT;
    if (row_is_header(c, field, n)) {
        snprintf(why, MESSAGE_WHY_BYTES,
                 "expected a row, found the names of the columns again: take the line away");
        return ROW_FAULT;
    }
    json_t *o = row_object(c, field, quoted, line);
    free(c->text);
    c->text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    bool nothing = o && !json_object_size(o);
    json_decref(o);
    if (!c->text) return ROW_NO_MEMORY;
    *text = c->text;
    *len = strlen(c->text);
    return nothing ? ROW_BLANK : ROW_MESSAGE;
}

/* ---- telling ---- */

void message_csv_notes(const message_csv *c, FILE *out)
{
    r1_utf8_print(out, c->notes);
    if (c->n_null)
        fprintf(out,
                "  %zu fields hold NULL, \\N, N/A or the like without quotes, first in line %zu: "
                "read as empty\n",
                c->n_null, c->null_line);
    if (c->n_trailing)
        fprintf(out,
                "  %zu rows end in separators with nothing behind, first in line %zu: passed "
                "over\n",
                c->n_trailing, c->trailing_line);
}

const char *message_csv_hint(const message_csv *c, size_t n_message, size_t n_fault, char *text,
                             size_t size)
{
    size_t most = 0;
    if (size) *text = 0;
    for (size_t i = 0; i < MESSAGE_COLUMNS_MAX; i++)
        if (c->n_of[i] > c->n_of[most]) most = i;
    if (n_fault > n_message && most + 1 > c->n && most && c->n_of[most])
        snprintf(text, size,
                 "Most rows have %zu fields, first in line %zu, and the header has %zu: where the "
                 "names stand in that line, write tail -n +%zu FILE > NEW, and check NEW.",
                 most + 1, c->first_of[most], c->n, c->first_of[most]);
    return text;
}
