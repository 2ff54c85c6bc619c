/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lines.c - see lines.h. */
#include "decide/lines.h"
#include "text/r1_utf8.h"

#include <stdlib.h>
#include <string.h>

/* What a reader of the file would not see, and what belongs to no text; NULL: neither. */
static const char *lines_unseen(uint32_t code)
{
    return code == R1_UTF8_BAD    ? "a byte that is not UTF-8: save the file as UTF-8"
           : code == 0            ? "a zero byte: save the file as UTF-8"
           : code == 0xfeff       ? "a byte order mark: save the file as UTF-8 without it"
           : r1_utf8_hidden(code) ? "a character that is not seen: write it without"
                                  : NULL;
}

static bool lines_is_utf16(const char *text, size_t len)
{
    if (len < 2) return false;
    bool mark = !memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2);
    return mark || (!text[0] != !text[1] && (len < 4 || !text[2] != !text[3]));
}

static r1_status lines_is_text(const char *path, const char *text, size_t len, r1_err *err)
{
    int line = 1;
    if (lines_is_utf16(text, len))
        R1_FAIL(err, R1_E_INVAL, "%s:1: expected text, found UTF-16: save the file as UTF-8", path);
    for (size_t i = 0; i < len;) {
        uint32_t code;
        i += r1_utf8_next(text + i, len - i, &code);
        const char *unseen = lines_unseen(code);
        if (code == '\r' && i < len && text[i] != '\n') /* a whole list would be one account */
            unseen = "a carriage return without a line feed: save the file with ends of line LF";
        if (unseen) R1_FAIL(err, R1_E_INVAL, "%s:%d: expected text, found %s", path, line, unseen);
        line += code == '\n';
    }
    return R1_OK;
}

/* Takes text, which ends in NUL. */
static r1_status lines_take(fraud_lines *s, const char *path, char *text, size_t len, r1_err *err)
{
    r1_status st = lines_is_text(path, text, len, err);
    if (st != R1_OK) {
        free(text);
        return st;
    }
    *s = (fraud_lines){.path = path, .text = text, .next = text, .err = err};
    return R1_OK;
}

r1_status fraud_lines_open(fraud_lines *s, const char *path, size_t bytes_max, uint64_t *hash,
                           r1_err *err)
{
    char *text;
    size_t len;
    *s = (fraud_lines){0};
    R1_TRY(r1_file_read(path, bytes_max, &text, &len, err));
    *hash = r1_hash64(text, len, *hash);
    return lines_take(s, path, text, len, err);
}

r1_status fraud_lines_of(fraud_lines *s, const char *path, const char *data, size_t len,
                         r1_err *err)
{
    *s = (fraud_lines){0};
    char *text = malloc(len + 1);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read it", path);
    if (len) memcpy(text, data, len);
    text[len] = 0;
    return lines_take(s, path, text, len, err);
}

void fraud_lines_close(fraud_lines *s)
{
    free(s->text);
    *s = (fraud_lines){0};
}

bool fraud_lines_next(fraud_lines *s)
{
    if (!(s->line = s->next)) return false;
    s->n++;
    s->next = strchr(s->line, '\n');
    if (s->next) *s->next++ = 0;
    size_t len = strlen(s->line);
    if (len && s->line[len - 1] == '\r') s->line[len - 1] = 0;
    return true;
}

int fraud_lines_column(const fraud_lines *s, const char *at)
{
    int column = 1;
    for (const char *c = s->line; c < at; c++) column += ((unsigned char)*c & 0xc0) != 0x80;
    return column;
}
