/* SPDX-License-Identifier: Apache-2.0 */
/* med_struck.c - text that is crossed out, in a record without a format that says so: tags of HTML
 * within plain text, "~~" of Markdown, and strokes that stand over each letter. It becomes blanks,
 * so that places stay what they were. */
#include "documents/med_parts.h"

#include <string.h>
#include <strings.h>

enum { STRUCK_MARKDOWN_MAX = 400, STROKE_BYTES = 2 };

static void struck_blank(char *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (s[i] != '\n' && s[i] != '\r') s[i] = ' ';
}

/* The bytes of "<s>" or "</del>" at s; *name: which, SIZE_MAX for none. */
static size_t struck_tag(const char *s, size_t len, bool shuts, size_t *name)
{
    static const char *const names[] = {"s", "strike", "del"};
    size_t at = 1 + shuts;
    *name = SIZE_MAX;
    if (len < 3 || s[0] != '<' || (s[1] == '/') != shuts) return 0;
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        size_t n = strlen(names[i]);
        if (len <= at + n || strncasecmp(s + at, names[i], n) != 0) continue;
        if (!strchr("> \t", s[at + n])) continue;
        const char *end = memchr(s + at + n, '>', len - at - n);
        if (!end || memchr(s + at, '<', (size_t)(end - s) - at)) continue;
        *name = i;
        return (size_t)(end - s) + 1;
    }
    return 0;
}

/* Where a stretch that a tag opens at `at` ends; 0: nothing shuts it. */
static size_t struck_tagged(const char *s, size_t at, size_t len)
{
    size_t name, other, n = struck_tag(s + at, len - at, false, &name);
    for (size_t i = at + n; n && i < len; i++) {
        size_t shut = s[i] == '<' ? struck_tag(s + i, len - i, true, &other) : 0;
        if (shut && other == name) return i + shut;
    }
    return 0;
}

static size_t struck_markdown(const char *s, size_t at, size_t len)
{
    if (len - at < 5 || memcmp(s + at, "~~", 2) != 0 || strchr(" ~\n", s[at + 2])) return 0;
    for (size_t i = at + 3; i + 1 < len && i < at + STRUCK_MARKDOWN_MAX; i++) {
        if (s[i] == '\n' && s[i + 1] == '\n') return 0;
        if (s[i] == '~' && s[i + 1] == '~' && s[i - 1] != ' ') return i + 2;
    }
    return 0;
}

/* U+0335 and U+0336 stand behind the letter that they cross out. */
static bool struck_stroke(const char *s, size_t at, size_t len)
{
    return len - at >= STROKE_BYTES && (unsigned char)s[at] == 0xcc &&
           ((unsigned char)s[at + 1] == 0xb5 || (unsigned char)s[at + 1] == 0xb6);
}

static size_t struck_letters(const char *s, size_t at, size_t len)
{
    size_t i = at, n = 0;
    while (i < len && s[i] != '\n') {
        size_t k = i + 1;
        while (k < len && ((unsigned char)s[k] & 0xc0) == 0x80) k++;
        if (k >= len || !struck_stroke(s, k, len)) break;
        i = k + STROKE_BYTES;
        n++;
    }
    return n ? i : 0;
}

uint32_t med_struck_blank(char *s, size_t len)
{
    uint32_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t end = s[i] == '<'   ? struck_tagged(s, i, len)
                     : s[i] == '~' ? struck_markdown(s, i, len)
                                   : struck_letters(s, i, len);
        if (end) struck_blank(s, i, end);
        n += end > i;
        i = end > i ? end : i + 1;
    }
    return n;
}

void med_struck_note(med_document *d, uint32_t n)
{
    if (n)
        med_document_note(d, "%u stretches of text are crossed out or deleted, and were not read.",
                          n);
}
