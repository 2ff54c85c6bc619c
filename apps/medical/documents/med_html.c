/* SPDX-License-Identifier: Apache-2.0 */
/* med_html.c - the text of an HTML page by libxml2's parser. Block elements become lines, items of
 * lists get "- ", cells of a table are parted by tabs. Scripts, styles and forms' values go. */
#include "documents/med_parts.h"
#include "documents/med_walk.h"

#include <libxml/HTMLparser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef enum { INLINE, BLOCK, HEADING, ITEM, ROW, CELL, BREAK, SKIPPED, STRUCK } html_role;

static html_role html_role_of(const char *name)
{
    static const struct {
        const char *name;
        html_role role;
    } roles[] = {
        {"p", BLOCK},          {"div", BLOCK},        {"section", BLOCK},  {"article", BLOCK},
        {"ul", BLOCK},         {"ol", BLOCK},         {"dl", BLOCK},       {"dt", BLOCK},
        {"dd", BLOCK},         {"table", BLOCK},      {"pre", BLOCK},      {"header", BLOCK},
        {"footer", BLOCK},     {"address", BLOCK},    {"center", BLOCK},   {"form", BLOCK},
        {"blockquote", BLOCK}, {"caption", BLOCK},    {"h1", HEADING},     {"h2", HEADING},
        {"h3", HEADING},       {"h4", HEADING},       {"h5", HEADING},     {"h6", HEADING},
        {"li", ITEM},          {"tr", ROW},           {"td", CELL},        {"th", CELL},
        {"br", BREAK},         {"hr", BREAK},         {"script", SKIPPED}, {"style", SKIPPED},
        {"head", SKIPPED},     {"template", SKIPPED}, {"select", SKIPPED}, {"textarea", SKIPPED},
        {"iframe", SKIPPED},   {"object", SKIPPED},   {"s", STRUCK},       {"strike", STRUCK},
        {"del", STRUCK}};
    for (size_t i = 0; i < R1_COUNT(roles); i++)
        if (strcasecmp(name, roles[i].name) == 0) return roles[i].role;
    return INLINE;
}

static bool html_at_line_start(const med_prose *p) { return p->n == 0 || p->s[p->n - 1] == '\n'; }

/* White space is one blank, and none at the start of a line. */
static void html_add_text(med_prose *p, const char *s)
{
    while (*s) {
        size_t blank = strspn(s, " \t\r\n\f"), word;
        if (blank && !html_at_line_start(p) && p->s[p->n - 1] != ' ' && p->s[p->n - 1] != '\t')
            med_prose_add(p, " ", 1);
        s += blank;
        word = strcspn(s, " \t\r\n\f");
        med_prose_add(p, s, word);
        s += word;
    }
}

static bool html_hidden(const xmlNode *node)
{
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (strcasecmp((const char *)a->name, "hidden") == 0) return true;
    return false;
}

static bool html_styled(const xmlNode *node, const char *style)
{
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (strcasecmp((const char *)a->name, "style") == 0 && a->children &&
            a->children->content && strcasestr((const char *)a->children->content, style))
            return true;
    return false;
}

static bool html_in_cell(const xmlNode *node)
{
    const xmlNode *p = node->parent;
    return p && p->type == XML_ELEMENT_NODE && html_role_of((const char *)p->name) == CELL;
}

static bool html_enter(void *ctx, const xmlNode *node)
{
    med_prose *p = ctx;
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
        html_add_text(p, (const char *)node->content);
        return false;
    }
    if (node->type != XML_ELEMENT_NODE) return false;
    html_role role = html_role_of((const char *)node->name);
    if (role == SKIPPED || html_hidden(node)) return false;
    if (role == STRUCK || html_styled(node, "line-through")) {
        p->struck++;
        return false;
    }
    bool in_cell = html_in_cell(node);
    if (role == CELL) {
        if (!html_at_line_start(p)) med_prose_add(p, "\t", 1);
        return true;
    }
    if (role == INLINE || (in_cell && role == BLOCK)) return true;
    if (!html_at_line_start(p)) med_prose_line(p);
    if (role == HEADING) med_prose_line(p);
    if (role == ITEM) med_prose_add(p, "- ", 2);
    return true;
}

static void html_leave(void *ctx, const xmlNode *node)
{
    med_prose *p = ctx;
    html_role role = html_role_of((const char *)node->name);
    bool in_cell = html_in_cell(node);
    if (role == INLINE || role == CELL || role == BREAK || role == SKIPPED || role == STRUCK)
        return;
    if (in_cell && role == BLOCK) return;
    if (role == HEADING && p->n && !strchr(":.?!\n", p->s[p->n - 1])) med_prose_add(p, ":", 1);
    if (!html_at_line_start(p)) med_prose_line(p);
    if (role == BLOCK) med_prose_line(p);
}

bool med_html_looks(const char *s, size_t len)
{
    static const char *const tags[] = {
        "!doctype html", "html", "head",  "body",    "p",   "div", "br", "table", "ul", "ol",
        "span",          "h1",   "h2",    "h3",      "h4",  "b",   "i",  "u",     "em", "strong",
        "font",          "meta", "style", "section", "pre", "a"};
    while (len && strchr(" \t\r\n", *s)) s++, len--;
    if (len >= 4 && memcmp(s, "<!--", 4) == 0) return true;
    for (size_t i = 0; len && *s == '<' && i < R1_COUNT(tags); i++) {
        size_t n = strlen(tags[i]);
        if (len > n + 1 && strncasecmp(s + 1, tags[i], n) == 0 && strchr(" \t\r\n/>", s[n + 1]))
            return true;
    }
    return false;
}

r1_status med_html_text(med_document *d, const char *what, const char *s, size_t len, r1_err *err)
{
    med_prose p = {0};
    htmlDocPtr doc = htmlReadMemory(s, (int)len, NULL, "UTF-8",
                                    HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                        HTML_PARSE_NONET | HTML_PARSE_COMPACT);
    if (!doc) R1_FAIL(err, R1_E_FORMAT, "%s: HTML in which no text was found", what);
    static const med_walker walker = {html_enter, html_leave};
    for (const xmlNode *node = doc->children; node; node = node->next) med_walk(node, &walker, &p);
    xmlFreeDoc(doc);
    return med_prose_finish(&p, d, what, err);
}
