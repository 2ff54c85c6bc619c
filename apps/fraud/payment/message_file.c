/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_file.c - see message_file.h. Bytes come one after the other, with each end of line as
 * '\n'. What was taken too far, because a row turned out to be broken, is given back and read
 * again: so one quote that is never closed costs one row, and not all that follow. */
#include "payment/message_file.h"

#include "payment/message_csv.h"
#include "payment/message_iso.h"
#include "payment/message_json.h"
#include "text/r1_utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IN_BYTES = 1 << 16, SNIFF_BYTES = 4, WAIT_MS = 200, NO_BYTE = -1 };

typedef enum {
    FORM_UNKNOWN = 0,
    FORM_NOTHING,
    FORM_LINES,
    FORM_ARRAY,
    FORM_VALUES,
    FORM_CSV,
    FORM_ISO
} form;

struct fraud_messages {
    char *path; /* owned */
    int fd;
    bool (*stopped)(void);
    bool raw; /* each line as it stands */
    char in[IN_BYTES];
    size_t at, n;
    bool end;
    bool cr;    /* the last byte was one, and is not counted yet */
    char *back; /* owned: given back, to be read again before `in` */
    size_t back_at, back_n;
    char *row; /* owned: the row or message in hand, FRAUD_MESSAGE_BYTES_MAX of it, and a NUL */
    size_t len, all; /* all: its bytes with those that are not kept */
    size_t line;     /* of the next byte, from 1 */
    form form;
    size_t n_crlf, n_lf, n_cr;
    message_csv *csv;
    message_iso *iso;
    r1_err iso_err;    /* of the file, while the parser read it */
    bool header;       /* of CSV was read */
    bool begun, ended; /* of an array: its brackets */
    fraud_messages_counts counts;
    char why[MESSAGE_WHY_BYTES];
};

/* ---- bytes ---- */

static r1_status file_fill(fraud_messages *m, r1_err *err)
{
    if (m->at == m->n) m->at = m->n = 0;
    while (!m->end) {
        struct pollfd p = {.fd = m->fd, .events = POLLIN};
        if (m->stopped && m->stopped()) R1_FAIL(err, R1_E_CANCELLED, "%s: stopped", m->path);
        if (m->stopped && poll(&p, 1, WAIT_MS) < 1) continue;
        ssize_t n = read(m->fd, m->in + m->n, IN_BYTES - m->n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) R1_FAIL(err, R1_E_IO, "%s: %s", m->path, strerror(errno));
        m->n += (size_t)n;
        m->end = !n;
        break;
    }
    return R1_OK;
}

static r1_status file_raw(fraud_messages *m, int *c, r1_err *err)
{
    if (m->at == m->n) R1_TRY(file_fill(m, err));
    *c = m->at < m->n ? (unsigned char)m->in[m->at++] : NO_BYTE;
    return R1_OK;
}

/* The next byte into *c, NO_BYTE at the end. CR and CRLF become '\n'. */
static r1_status file_byte(fraud_messages *m, int *c, r1_err *err)
{
    if (m->back_at < m->back_n) {
        *c = (unsigned char)m->back[m->back_at++];
        m->line += *c == '\n';
        return R1_OK;
    }
    R1_TRY(file_raw(m, c, err));
    if (m->cr) { /* what follows tells which end of line it was */
        bool lf = *c == '\n';
        m->cr = false;
        m->n_crlf += lf;
        m->n_cr += !lf;
        if (lf) R1_TRY(file_raw(m, c, err));
    }
    m->cr = *c == '\r' && !m->raw;
    m->n_lf += *c == '\n';
    if (m->cr) *c = '\n';
    m->line += *c == '\n';
    return R1_OK;
}

/* Gives bytes back that were read last. */
static r1_status file_back(fraud_messages *m, const char *text, size_t len, r1_err *err)
{
    size_t left = m->back_n - m->back_at;
    char *back = malloc(left + len + 1);
    if (!back) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read it", m->path);
    memcpy(back, text, len);
    if (left) memcpy(back + len, m->back + m->back_at, left);
    free(m->back);
    m->back = back;
    m->back_at = 0;
    m->back_n = left + len;
    for (size_t i = 0; i < len; i++) m->line -= text[i] == '\n';
    return R1_OK;
}

static void row_begin(fraud_messages *m) { m->len = m->all = 0; }

static void row_put(fraud_messages *m, char c)
{
    m->all++;
    if (m->len == FRAUD_MESSAGE_BYTES_MAX) return;
    m->row[m->len++] = c;
    m->row[m->len] = 0;
}

/* A line into the row, without its end. *none: the file is at its end. */
static r1_status row_line(fraud_messages *m, bool *none, r1_err *err)
{
    int c;
    row_begin(m);
    m->row[0] = 0;
    *none = true;
    for (;;) {
        R1_TRY(file_byte(m, &c, err));
        if (c == NO_BYTE || c == '\n') break;
        row_put(m, (char)c);
    }
    *none = c == NO_BYTE && !m->all;
    return R1_OK;
}

static bool file_blank(int c) { return c == ' ' || c == '\t' || c == '\n'; }

static bool row_is_blank(const fraud_messages *m)
{
    size_t i = 0;
    while (i < m->len && file_blank(m->row[i])) i++;
    return i == m->len && m->len == m->all;
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

/* Of JSON lines each is a message of its own, and one that is not UTF-8 is told as one. */
static r1_status encoding_check(const fraud_messages *m, size_t line, r1_err *err)
{
    size_t begin = 0, at = 0, n;
    while (at < m->len && (n = r1_utf8_char(m->row + at, m->len - at)) > 0) {
        if (m->row[at] == '\n') line++, begin = at + 1;
        at += n;
    }
    if (at == m->len || m->len < m->all) return R1_OK; /* a row that was cut is a fault anyway */
    const char *name = encoding_of_bytes(m->in, m->n);
    R1_FAIL(
        err, R1_E_FORMAT,
        "%s: line %zu, byte %zu%s: expected UTF-8, found byte 0x%02x, as %s has: write iconv -f "
        "%s -t utf8 FILE > NEW, and check NEW",
        m->path, line, at - begin + 1, m->form == FORM_CSV ? "" : " of the message",
        (unsigned char)m->row[at], name, name);
}

/* ---- which form ---- */

static const struct {
    const char *begin, *found, *remedy;
} others[] = {
    {"PK\x03\x04", "a ZIP archive, as .xlsx and .ods are",
     "save the sheet as CSV in UTF-8, or unzip the file"},
    {"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls)", "save the sheet as CSV in UTF-8"},
    {"\x1f\x8b", "gzip", "write gunzip -c FILE > NEW, and check NEW"},
    {"\x28\xb5\x2f\xfd", "zstd", "write zstd -dc FILE > NEW, and check NEW"},
    {"\xfd"
     "7zXZ",
     "xz", "write xz -dc FILE > NEW, and check NEW"},
    {"BZh", "bzip2", "write bzip2 -dc FILE > NEW, and check NEW"},
    {"%PDF", "a PDF document", "ask for the payments as CSV or JSON"},
    {"PAR1", "Parquet", "export the table as CSV or JSON lines"},
    {"Obj\x01", "Avro", "export the records as JSON lines"},
    {"SQLite format 3", "a SQLite database", "export the table as CSV with a header"},
    {"{1:", "a SWIFT message (FIN)", "export its payments as CSV or JSON"},
    {":20:", "a SWIFT statement (MT940 or MT942)", "export its payments as CSV or JSON"},
};

/* The name of the root element, and what declares its names. */
static r1_status refuse_xml(const fraud_messages *m, r1_err *err)
{
    char text[2048], root[48] = "", space[96] = "";
    size_t len = m->n - m->at < sizeof text - 1 ? m->n - m->at : sizeof text - 1;
    memcpy(text, m->in + m->at, len);
    text[len] = 0;
    const char *at = text;
    while ((at = strchr(at, '<')) && (at[1] == '?' || at[1] == '!')) at++;
    if (at) snprintf(root, sizeof root, "%.*s", (int)(strcspn(at + 1, " \t\r\n/>")), at + 1);
    const char *names = strstr(text, "urn:iso:std:iso:20022:");
    if (names) snprintf(space, sizeof space, ", %.*s", (int)strcspn(names, "\"'> "), names);
    bool html = !strncasecmp(root, "html", 4) || strstr(text, "<!DOCTYPE html");
    R1_FAIL(err, R1_E_FORMAT,
            "%s: line 1: expected JSON, CSV or pacs.008, pain.001, camt.052 to camt.054 of ISO "
            "20022, found %s (root element %.40s%.80s): %s",
            m->path, html ? "HTML" : "XML", root, space,
            html ? "a server's page, maybe, in the place of the file"
                 : "turn it into JSON first, as xq -c . FILE > NEW does, and check NEW");
}

static r1_status form_refuse(const fraud_messages *m, r1_err *err)
{
    const char *s = m->in + m->at;
    size_t len = m->n - m->at;
    const char *wide = encoding_wide(s, len);
    if (wide)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: line 1, byte 1: expected UTF-8, found %s: write iconv -f %s -t utf8 FILE > "
                "NEW, and check NEW",
                m->path, wide, wide);
    for (size_t i = 0; i < R1_COUNT(others); i++) {
        size_t n = strlen(others[i].begin);
        if (len >= n && !memcmp(s, others[i].begin, n))
            R1_FAIL(err, R1_E_FORMAT, "%s: expected JSON or CSV, found %s: %s", m->path,
                    others[i].found, others[i].remedy);
    }
    size_t blank = 0;
    while (blank < len && (file_blank(s[blank]) || s[blank] == '\r')) blank++;
    return blank < len && s[blank] == '<' ? refuse_xml(m, err) : R1_OK;
}

/* Whether brackets or a text are open at the end of the row. */
static bool row_is_open(const fraud_messages *m)
{
    int depth = 0;
    bool text = false;
    for (size_t i = 0; i < m->len; i++) {
        char c = m->row[i];
        if (text && c == '\\')
            i++;
        else if (c == '"')
            text = !text;
        else if (!text)
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
    return text || depth > 0;
}

/* What an object of several lines goes on with: last ended its first line, c begins the next one. A
 * first line of JSON lines may be cut off too, but then another object begins below. */
static bool object_goes_on(char last, int c)
{
    return last == '[' || last == ':' || (c > 0 && strchr("\"}]", c));
}

/* The first line of a file that begins with an object tells whether each line is one. */
static r1_status form_of_objects(fraud_messages *m, r1_err *err)
{
    int c;
    row_begin(m);
    do {
        R1_TRY(file_byte(m, &c, err));
        if (c != NO_BYTE) row_put(m, (char)c);
    } while (c != NO_BYTE && c != '\n' && m->len < FRAUD_MESSAGE_BYTES_MAX);
    bool open = c == '\n' && row_is_open(m);
    size_t end = m->len;
    while (end && file_blank(m->row[end - 1])) end--;
    while (open && file_blank(c) && m->len < FRAUD_MESSAGE_BYTES_MAX) {
        R1_TRY(file_byte(m, &c, err));
        if (c != NO_BYTE) row_put(m, (char)c);
    }
    m->form = open && object_goes_on(m->row[end - 1], c) ? FORM_VALUES : FORM_LINES;
    return file_back(m, m->row, m->len, err);
}

/* Bytes as they stand, for the parser of XML. */
static int iso_bytes(void *ctx, char *to, int cap)
{
    fraud_messages *m = ctx;
    if (m->at == m->n && file_fill(m, &m->iso_err) != R1_OK) return -1;
    size_t n = m->n - m->at < (size_t)cap ? m->n - m->at : (size_t)cap;
    memcpy(to, m->in + m->at, n);
    m->at += n;
    return (int)n;
}

/* Whether the file is XML that names a message that is read. */
static r1_status form_iso(fraud_messages *m, bool *found, r1_err *err)
{
    char text[2048];
    size_t blank = m->at;
    while (blank < m->n && file_blank(m->in[blank])) blank++;
    *found = false;
    if (blank == m->n || m->in[blank] != '<') return R1_OK;
    while (m->n - m->at < sizeof text - 1 && !m->end) R1_TRY(file_fill(m, err));
    size_t len = m->n - blank < sizeof text - 1 ? m->n - blank : sizeof text - 1;
    memcpy(text, m->in + blank, len);
    text[len] = 0;
    if (!message_iso_kind(text)) return R1_OK;
    *found = true;
    m->at = blank;
    m->form = FORM_ISO;
    return message_iso_new(&m->iso, iso_bytes, m, err);
}

static r1_status form_find(fraud_messages *m, r1_err *err)
{
    int c;
    bool iso;
    while (m->n < SNIFF_BYTES && !m->end) R1_TRY(file_fill(m, err)); /* a slow pipe */
    if (m->n >= 3 && !memcmp(m->in, "\xef\xbb\xbf", 3)) m->at = 3;
    R1_TRY(form_iso(m, &iso, err));
    if (iso) return R1_OK;
    R1_TRY(form_refuse(m, err));
    do {
        R1_TRY(file_byte(m, &c, err));
    } while (file_blank(c));
    m->form = c == NO_BYTE ? FORM_NOTHING : c == '[' ? FORM_ARRAY : FORM_CSV;
    if (c == NO_BYTE) return R1_OK;
    R1_TRY(file_back(m, &(char){(char)c}, 1, err));
    return c == '{' ? form_of_objects(m, err) : R1_OK;
}

/* ---- JSON ---- */

static r1_status give_fault(fraud_messages *m, size_t line, fraud_messages_item *item)
{
    m->counts.n_fault++;
    *item = (fraud_messages_item){.what = FRAUD_MESSAGES_FAULT, .line = line, .why = m->why};
    return R1_OK;
}

static r1_status give_message(fraud_messages *m, size_t line, const char *text, size_t len,
                              fraud_messages_item *item)
{
    m->counts.n++;
    *item = (fraud_messages_item){FRAUD_MESSAGES_ONE, text, len, line, NULL};
    return R1_OK;
}

static void why_long(fraud_messages *m)
{
    snprintf(m->why, sizeof m->why,
             "expected at most %d bytes, found %zu%s: a quote or a line that does not end, maybe",
             FRAUD_MESSAGE_BYTES_MAX, m->all, m->form == FORM_CSV ? " or more" : "");
}

static r1_status lines_next(fraud_messages *m, fraud_messages_item *item, r1_err *err)
{
    bool none;
    for (;;) {
        size_t line = m->line;
        R1_TRY(row_line(m, &none, err));
        if (none) return R1_OK;
        if (row_is_blank(m)) {
            m->counts.n_blank++;
            continue;
        }
        if (m->len == m->all) return give_message(m, line, m->row, m->len, item);
        why_long(m);
        return give_fault(m, line, item);
    }
}

static r1_status values_refuse(const fraud_messages *m, size_t line, const char *expected, int c,
                               r1_err *err)
{
    char found[64] = "the end of the file, which is cut off, maybe";
    if (c != NO_BYTE)
        snprintf(found, sizeof found, c < 0x20 || c > 0x7e ? "byte 0x%02x" : "\"%c\"", c);
    R1_FAIL(err, R1_E_FORMAT, "%s: line %zu: expected %s, found %s; what follows is not read",
            m->path, line, expected, found);
}

/* The value that begins with c, into the row; ends of line and blanks between its parts become one
 * blank. */
static r1_status values_read(fraud_messages *m, int c, size_t line, r1_err *err)
{
    int depth = 0;
    bool text = false, escaped = false;
    row_begin(m);
    for (;;) {
        if (text) {
            text = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
        } else {
            text = c == '"';
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        }
        bool again = !text && file_blank(c) && m->len && m->row[m->len - 1] == ' ';
        if (!again) row_put(m, file_blank(c) ? ' ' : (char)c);
        if (!text && depth <= 0 && (c == '}' || c == ']' || c == '"')) return R1_OK;
        R1_TRY(file_byte(m, &c, err));
        if (c == NO_BYTE)
            return values_refuse(m, line, "the end of the message that begins here", c, err);
        if (!text && !depth && (file_blank(c) || c == ',' || c == ']' || c == '}'))
            return file_back(m, &(char){(char)c}, 1, err);
        if (m->len == FRAUD_MESSAGE_BYTES_MAX)
            return values_refuse(m, line, "a message of at most 1048576 bytes", c, err);
    }
}

static r1_status values_byte(fraud_messages *m, int *c, r1_err *err)
{
    do {
        R1_TRY(file_byte(m, c, err));
    } while (file_blank(*c));
    return R1_OK;
}

/* Takes bracket or comma before a message, whose first byte is *c then; NO_BYTE: there is none. */
static r1_status array_between(fraud_messages *m, int *c, r1_err *err)
{
    bool first = !m->begun;
    R1_TRY(values_byte(m, c, err));
    if (!first && *c != ',' && *c != ']')
        return values_refuse(m, m->line, "a comma or ] behind a message of the array", *c, err);
    m->begun = true;
    bool comma = *c == ',';
    if (first || comma)
        R1_TRY(values_byte(m, c, err)); /* the bracket, or the comma, is behind us */
    if (*c == NO_BYTE || (*c == ']' && comma) || *c == ',')
        return values_refuse(m, m->line, "a message or ]", *c, err);
    if (*c != ']') return R1_OK;
    R1_TRY(values_byte(m, c, err));
    m->ended = true;
    return *c == NO_BYTE ? R1_OK
                         : values_refuse(m, m->line, "nothing behind the array's ]", *c, err);
}

static r1_status values_next(fraud_messages *m, fraud_messages_item *item, r1_err *err)
{
    int c = NO_BYTE;
    bool array = m->form == FORM_ARRAY;
    if (array && m->ended) return R1_OK;
    R1_TRY(array ? array_between(m, &c, err) : values_byte(m, &c, err));
    if (c == NO_BYTE) return R1_OK;
    size_t line = m->line;
    if (!array && c != '{') return values_refuse(m, line, "{ of the next message", c, err);
    R1_TRY(values_read(m, c, line, err));
    R1_TRY(encoding_check(m, line, err));
    return give_message(m, line, m->row, m->len, item);
}

/* ---- CSV ---- */

/* The bytes of one row. *broken: m->why tells, and the lines below its first one are given back. */
static r1_status csv_raw(fraud_messages *m, size_t line, bool *none, bool *broken, r1_err *err)
{
    int c;
    row_begin(m);
    m->row[0] = 0;
    message_csv_begin(m->csv);
    *broken = false;
    for (;;) {
        R1_TRY(file_byte(m, &c, err));
        if (c == NO_BYTE) break;
        message_row what = message_csv_feed(m->csv, (char)c);
        if (what == ROW_ENDS) break;
        row_put(m, (char)c);
        *broken = what == ROW_BROKEN || m->len == FRAUD_MESSAGE_BYTES_MAX;
        if (*broken) break;
    }
    *none = c == NO_BYTE && !m->all;
    bool open = c == NO_BYTE && message_csv_is_open(m->csv);
    if (!*broken && !open) return R1_OK;
    if (*broken && m->len == FRAUD_MESSAGE_BYTES_MAX)
        why_long(m);
    else
        message_csv_broken(m->csv, line, (char)c, open, m->why);
    *broken = true;
    const char *below = memchr(m->row, '\n', m->len);
    if (below) return file_back(m, below + 1, m->len - (size_t)(below + 1 - m->row), err);
    while (c != NO_BYTE && c != '\n') R1_TRY(file_byte(m, &c, err));
    return R1_OK;
}

static r1_status csv_no_nul(fraud_messages *m, bool *found)
{
    const char *nul = memchr(m->row, 0, m->len);
    *found = nul != NULL;
    if (nul)
        snprintf(m->why, sizeof m->why,
                 "byte %zu: expected text, found a byte of zero: write tr -d '\\000' < FILE > NEW, "
                 "and check NEW",
                 (size_t)(nul - m->row) + 1);
    return R1_OK;
}

/* The header: the first line that is not blank, behind one that names the separator. */
static r1_status csv_header(fraud_messages *m, r1_err *err)
{
    bool none, broken, nul;
    size_t line;
    m->header = true;
    do {
        line = m->line;
        R1_TRY(row_line(m, &none, err));
    } while (!none && (row_is_blank(m) || message_csv_sep(m->csv, m->row, line)));
    if (none) return R1_OK;
    message_csv_separate(m->csv, m->row);
    bool ends = m->line > line;
    if (m->len == m->all && m->len < FRAUD_MESSAGE_BYTES_MAX) {
        if (ends) row_put(m, '\n');
        R1_TRY(file_back(m, m->row, m->len, err));
        R1_TRY(csv_raw(m, line, &none, &broken, err));
    } else {
        why_long(m);
        broken = true;
    }
    if (!broken) R1_TRY(csv_no_nul(m, &nul));
    if (broken || nul) R1_FAIL(err, R1_E_FORMAT, "%s: line %zu: %s", m->path, line, m->why);
    R1_TRY(encoding_check(m, line, err));
    return message_csv_header(m->csv, m->row, m->path, line, err);
}

/* A row of several lines that is at fault: its quotes held them together, maybe, so each line below
 * the first one is read by itself. copy: the row as it was. */
static r1_status csv_part(fraud_messages *m, char *copy, size_t len, bool ends, r1_err *err)
{
    char *below = memchr(copy, '\n', len);
    if (ends) copy[len++] = '\n';
    return file_back(m, below + 1, len - (size_t)(below + 1 - copy), err);
}

static r1_status csv_one(fraud_messages *m, size_t line, fraud_messages_item *item, r1_err *err)
{
    const char *text;
    size_t len, before = m->len, lines = 1;
    for (size_t i = 0; i < m->len; i++) lines += m->row[i] == '\n';
    bool ends = m->line >= line + lines;
    char *copy = lines > 1 ? malloc(m->len + 2) : NULL;
    if (lines > 1 && !copy) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for a row", m->path);
    if (copy) memcpy(copy, m->row, m->len + 1);
    message_row_what what = message_csv_row(m->csv, m->row, line, lines, &text, &len, m->why);
    r1_status st = R1_OK;
    if (what == ROW_FAULT && copy) st = csv_part(m, copy, before, ends, err);
    free(copy);
    R1_TRY(st);
    if (what == ROW_NO_MEMORY) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for a row", m->path);
    if (what == ROW_FAULT) return give_fault(m, line, item);
    if (what == ROW_MESSAGE) return give_message(m, line, text, len, item);
    m->counts.n_blank++;
    return R1_OK;
}

static r1_status csv_next(fraud_messages *m, fraud_messages_item *item, r1_err *err)
{
    bool none, broken, nul = false;
    if (!m->header) R1_TRY(csv_header(m, err));
    while (item->what == FRAUD_MESSAGES_END) {
        size_t line = m->line;
        R1_TRY(csv_raw(m, line, &none, &broken, err));
        if (none && !broken) return R1_OK;
        if (!broken) R1_TRY(csv_no_nul(m, &nul));
        if (broken || nul) return give_fault(m, line, item);
        R1_TRY(encoding_check(m, line, err));
        R1_TRY(csv_one(m, line, item, err));
    }
    return R1_OK;
}

/* ---- the reader ---- */

static r1_status file_make(fraud_messages *m, const char *path, r1_err *err)
{
    bool standard = !strcmp(path, "-");
    m->path = strdup(standard ? "standard input" : path);
    m->row = malloc(FRAUD_MESSAGE_BYTES_MAX + 2);
    m->csv = message_csv_new();
    m->line = 1;
    m->counts.rows = false;
    if (!m->path || !m->row || !m->csv) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read it", path);
    do {
        m->fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    } while (m->fd < 0 && errno == EINTR && !(m->stopped && m->stopped()));
    if (m->fd >= 0) return R1_OK;
    return r1_file_refuse(path, errno == ENOENT ? R1_E_NOT_FOUND : R1_E_IO, errno, err);
}

r1_status fraud_messages_open(fraud_messages **out, const char *path, bool as_lines,
                              bool (*stopped)(void), r1_err *err)
{
    *out = NULL;
    fraud_messages *m = calloc(1, sizeof *m);
    if (!m) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read it", path);
    m->fd = -1;
    m->stopped = stopped;
    m->raw = as_lines;
    m->form = as_lines ? FORM_LINES : FORM_UNKNOWN;
    r1_status st = file_make(m, path, err);
    if (st == R1_OK)
        *out = m;
    else
        fraud_messages_close(m);
    return st;
}

void fraud_messages_close(fraud_messages *m)
{
    if (!m) return;
    if (m->fd >= 0) close(m->fd);
    message_csv_free(m->csv);
    message_iso_free(m->iso);
    free(m->path);
    free(m->back);
    free(m->row);
    free(m);
}

/* A fault of the file comes before what the parser makes of it. */
static r1_status iso_next(fraud_messages *m, fraud_messages_item *item, r1_err *err)
{
    r1_status st = message_iso_next(m->iso, item, err);
    if (st != R1_OK && m->iso_err.code != R1_OK) return *err = m->iso_err, m->iso_err.code;
    if (st != R1_OK) return r1_err_prefix(err, "%s: ", m->path), st;
    m->counts.n += item->what == FRAUD_MESSAGES_ONE;
    m->counts.n_fault += item->what == FRAUD_MESSAGES_FAULT;
    return R1_OK;
}

r1_status fraud_messages_next(fraud_messages *m, fraud_messages_item *item, r1_err *err)
{
    *item = (fraud_messages_item){.what = FRAUD_MESSAGES_END};
    if (m->form == FORM_UNKNOWN) R1_TRY(form_find(m, err));
    switch (m->form) {
    case FORM_LINES: return lines_next(m, item, err);
    case FORM_ARRAY:
    case FORM_VALUES: return values_next(m, item, err);
    case FORM_CSV: return csv_next(m, item, err);
    case FORM_ISO: return iso_next(m, item, err);
    case FORM_UNKNOWN:
    case FORM_NOTHING: break;
    }
    return R1_OK;
}

const char *fraud_messages_form(const fraud_messages *m)
{
    static const char *const names[] = {"nothing",
                                        "nothing",
                                        "JSON lines",
                                        "a JSON array",
                                        "JSON objects over several lines",
                                        "CSV",
                                        "ISO 20022 (XML)"};
    return names[m->form];
}

fraud_messages_counts fraud_messages_count(const fraud_messages *m)
{
    fraud_messages_counts counts = m->counts;
    counts.rows = m->form == FORM_CSV;
    return counts;
}

void fraud_messages_notes(const fraud_messages *m, FILE *out)
{
    bool lines = m->form == FORM_CSV || m->form == FORM_LINES;
    if (m->form == FORM_CSV) message_csv_notes(m->csv, out);
    if (m->iso) message_iso_notes(m->iso, out);
    if (lines && !m->raw && (m->n_crlf > 0) + (m->n_lf > 0) + (m->n_cr > 0) > 1)
        fprintf(out,
                "  ends of line are of several kinds: %zu LF, %zu CRLF, %zu CR; each ends a "
                "line\n",
                m->n_lf, m->n_crlf, m->n_cr);
}

const char *fraud_messages_hint(const fraud_messages *m, char *text, size_t size)
{
    return message_csv_hint(m->csv, m->counts.n, m->counts.n_fault, text, size);
}
