/* SPDX-License-Identifier: Apache-2.0 */
/* med_chars.c - see med_chars.h. */
#include "notes/med_chars.h"

#include "r1_assert.h"

#include <string.h>
#include <utf8proc.h>

static bool chars_between(utf8proc_int32_t c, utf8proc_int32_t low, utf8proc_int32_t high)
{
    return c >= low && c <= high;
}

static bool char_is_blank(utf8proc_int32_t c)
{
    return c == 0xa0 || c == 0x85 || c == 0x1680 || chars_between(c, 0x2000, 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool char_is_nothing(utf8proc_int32_t c)
{
    return c == 0xad || chars_between(c, 0x200b, 0x200f) || chars_between(c, 0x202a, 0x202e) ||
           chars_between(c, 0x2060, 0x2069) || c == 0xfeff || chars_between(c, 0xfe00, 0xfe0f);
}

/* The mark of ASCII that a sign stands for; 0: none. */
static char char_mark_of(utf8proc_int32_t c)
{
    static const struct {
        utf8proc_int32_t from, to;
        char mark;
    } marks[] = {{0x2010, 0x2015, '-'},
                 {0x2212, 0x2212, '-'},
                 {0xff0d, 0xff0d, '-'},
                 {0x2026, 0x2026, '.'},
                 {0x3002, 0x3002, '.'},
                 {0xff0e, 0xff0e, '.'},
                 {0xb7, 0xb7, ','},
                 {0x3001, 0x3001, ','},
                 {0x30fb, 0x30fb, ','},
                 {0xff0c, 0xff0c, ','},
                 {0xff1b, 0xff1b, ';'},
                 {0xff1a, 0xff1a, ':'},
                 {0xff08, 0xff08, '('},
                 {0xff09, 0xff09, ')'},
                 {0xff1f, 0xff1f, '?'},
                 {0xff01, 0xff01, '!'},
                 {0xff0b, 0xff0b, '+'},
                 {0xff0f, 0xff0f, '/'},
                 {0x2022, 0x2023, ';'},
                 {0x25e6, 0x25e6, ';'},
                 {0x25aa, 0x25ab, ';'},
                 {0x25cf, 0x25cf, ';'},
                 {0x201c, 0x201f, '"'},
                 {0xab, 0xab, '"'},
                 {0xbb, 0xbb, '"'},
                 {0xff5c, 0xff5c, '|'},
                 {0x2502, 0x2503, '|'},
                 {0x2611, 0x2612, MED_MARK_ON},
                 {0x2713, 0x2714, MED_MARK_ON},
                 {0x2717, 0x2718, MED_MARK_ON},
                 {0x2610, 0x2610, MED_MARK_OFF},
                 {0x25a1, 0x25a1, MED_MARK_OFF},
                 {0x25fb, 0x25fb, MED_MARK_OFF},
                 {0x25fc, 0x25fc, MED_MARK_ON}};
    for (size_t i = 0; i < R1_COUNT(marks); i++)
        if (chars_between(c, marks[i].from, marks[i].to)) return marks[i].mark;
    return 0;
}

static med_char char_beyond_ascii(const char *text, uint32_t at, uint32_t end)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(end - at), &c);
    if (n <= 0) return (med_char){1, MED_CHAR_OTHER, 0};
    uint8_t len = (uint8_t)n;
    if (char_is_nothing(c)) return (med_char){len, MED_CHAR_NOTHING, 0};
    if (char_is_blank(c)) return (med_char){len, MED_CHAR_BLANK, 0};
    char mark = char_mark_of(c);
    if (mark) return (med_char){len, MED_CHAR_MARK, mark};
    utf8proc_category_t kind = utf8proc_category(c);
    bool word = (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_ME) ||
                kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL;
    return (med_char){len, word ? MED_CHAR_WORD : MED_CHAR_OTHER, 0};
}

med_char med_char_at(const char *text, uint32_t at, uint32_t end)
{
    R1_ASSERT(at < end, "character at %u of %u", at, end);
    unsigned char c = (unsigned char)text[at];
    if (c >= 128) return char_beyond_ascii(text, at, end);
    if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))
        return (med_char){1, MED_CHAR_WORD, 0};
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v')
        return (med_char){1, MED_CHAR_BLANK, 0};
    if (strchr(".,;:!?()/[]\"+&|-=", c)) return (med_char){1, MED_CHAR_MARK, (char)c};
    return (med_char){1, MED_CHAR_OTHER, 0};
}

med_gap med_gap_at(const char *text, uint32_t at, uint32_t end)
{
    med_gap g = {0};
    while (at + g.len < end) {
        char c = text[at + g.len];
        med_char x = {1, MED_CHAR_BLANK, 0};
        if (c != ' ' && c != '\t') {
            if ((unsigned char)c < 128) break;
            x = med_char_at(text, at + g.len, end);
        }
        if (x.kind != MED_CHAR_BLANK) break;
        g.tab |= c == '\t';
        g.wide++;
        g.len += x.len;
    }
    return g;
}
