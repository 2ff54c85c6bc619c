/* SPDX-License-Identifier: Apache-2.0 */
/* med_zip.c - the text of word processors' packages: DOCX (ECMA-376) and ODT (OpenDocument).
 * libarchive opens the package, libxml2 reads the XML. Paragraphs become lines, items of
 * lists get "- ", cells of tables are parted by tabs. Deleted text of a revision goes, and
 * so does what is crossed out. */
#include "documents/med_parts.h"
#include "documents/med_walk.h"

#include <archive.h>
#include <archive_entry.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

/* What the text's XML may weigh: markup is some ten times the text. */
#define ZIP_XML_BYTES_MAX ((size_t)64 << 20)
enum { ZIP_ENTRIES_MAX = 10000, ZIP_STRUCK_MAX = 64 };

typedef struct {
    char *xml;
    size_t len;
    bool odt;
    uint32_t n_margin; /* headers, footers, footnotes and comments left out */
} zip_part;

static bool zip_is_margin(const char *name)
{
    static const char *const parts[] = {"word/header", "word/footer", "word/footnotes",
                                        "word/endnotes", "word/comments"};
    for (size_t i = 0; i < R1_COUNT(parts); i++)
        if (strncmp(name, parts[i], strlen(parts[i])) == 0) return true;
    return false;
}

static r1_status zip_take(struct archive *a, const char *what, zip_part *p, r1_err *err)
{
    size_t cap = 1u << 16;
    p->xml = malloc(cap);
    while (p->xml) {
        la_ssize_t got = archive_read_data(a, p->xml + p->len, cap - p->len - 1);
        if (got < 0)
            R1_FAIL(err, R1_E_FORMAT, "%s: its package is broken: %s", what,
                    archive_error_string(a));
        p->len += (size_t)got;
        p->xml[p->len] = '\0';
        if (got == 0) return R1_OK;
        if (p->len > ZIP_XML_BYTES_MAX)
            R1_FAIL(err, R1_E_FORMAT, "%s: its text's XML unpacks to more than %zu bytes", what,
                    ZIP_XML_BYTES_MAX);
        if (p->len + 1 < cap) continue;
        char *grown = realloc(p->xml, cap *= 2);
        if (!grown) free(p->xml);
        p->xml = grown;
    }
    R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its XML", what);
}

static r1_status zip_find(struct archive *a, const char *what, zip_part *p, r1_err *err)
{
    struct archive_entry *e;
    for (int i = 0; archive_read_next_header(a, &e) == ARCHIVE_OK; i++) {
        const char *name = archive_entry_pathname(e);
        if (i == ZIP_ENTRIES_MAX)
            R1_FAIL(err, R1_E_FORMAT, "%s: a package of more than %d parts", what, ZIP_ENTRIES_MAX);
        if (!name) continue;
        p->n_margin += zip_is_margin(name);
        if (p->xml) continue;
        p->odt = strcmp(name, "content.xml") == 0;
        if (p->odt || strcmp(name, "word/document.xml") == 0) R1_TRY(zip_take(a, what, p, err));
    }
    if (p->xml) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT,
            "%s: a ZIP file without the text of a DOCX or ODT: expected one record, unpack it",
            what);
}

typedef struct {
    med_prose prose;
    bool odt, item, begun; /* item: this paragraph is one of a list; begun: it has text */
    bool first_cell;
    uint32_t n_table;                      /* open tables */
    const xmlChar *struck[ZIP_STRUCK_MAX]; /* ODT's styles that cross out */
    uint32_t n_struck;
} zip_reader;

/* Names of DOCX and ODT that mean the same. */
typedef enum {
    ZIP_OTHER,
    ZIP_GONE,
    ZIP_PARAGRAPH,
    ZIP_ITEM,
    ZIP_TABLE,
    ZIP_ROW,
    ZIP_CELL,
    ZIP_TAB,
    ZIP_BREAK,
    ZIP_HYPHEN,
    ZIP_BLANKS
} zip_role;

static zip_role zip_role_of(const zip_reader *z, const xmlNode *node)
{
    static const struct {
        const char *docx, *odt;
        zip_role role;
    } roles[] = {{"del", "tracked-changes", ZIP_GONE}, {"moveFrom", "annotation", ZIP_GONE},
                 {"instrText", "note", ZIP_GONE},      {"p", "p", ZIP_PARAGRAPH},
                 {NULL, "h", ZIP_PARAGRAPH},           {"numPr", "list-item", ZIP_ITEM},
                 {"tbl", "table", ZIP_TABLE},          {"tr", "table-row", ZIP_ROW},
                 {"tc", "table-cell", ZIP_CELL},       {"tab", "tab", ZIP_TAB},
                 {"br", "line-break", ZIP_BREAK},      {"cr", NULL, ZIP_BREAK},
                 {"noBreakHyphen", NULL, ZIP_HYPHEN},  {NULL, "s", ZIP_BLANKS}};
    for (size_t i = 0; i < R1_COUNT(roles); i++) {
        const char *name = z->odt ? roles[i].odt : roles[i].docx;
        if (name && strcmp((const char *)node->name, name) == 0) return roles[i].role;
    }
    return ZIP_OTHER;
}

static void zip_put(zip_reader *z, const char *s)
{
    if (!*s) return;
    if (z->item && !z->begun) med_prose_add(&z->prose, "- ", 2);
    z->begun = true;
    med_prose_add(&z->prose, s, strlen(s));
}

/* DOCX has text in w:t alone, ODT in every element of its paragraphs. */
static bool zip_is_text(const zip_reader *z, const xmlNode *node)
{
    if (node->type != XML_TEXT_NODE && node->type != XML_CDATA_SECTION_NODE) return false;
    const xmlNode *p = node->parent;
    if (!z->odt) return p && strcmp((const char *)p->name, "t") == 0;
    for (; p; p = p->parent)
        if (p->type == XML_ELEMENT_NODE && zip_role_of(z, p) == ZIP_PARAGRAPH) return true;
    return false;
}

static const xmlChar *zip_attribute(const xmlNode *node, const char *name)
{
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (strcmp((const char *)a->name, name) == 0 && a->children) return a->children->content;
    return NULL;
}

static bool zip_named(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* ODT keeps in styles what DOCX has beside the text. */
static void zip_find_struck(zip_reader *z, const xmlNode *root)
{
    for (const xmlNode *part = root ? root->children : NULL; part; part = part->next)
        for (const xmlNode *s = zip_named(part, "automatic-styles") ? part->children : NULL; s;
             s = s->next)
            for (const xmlNode *x = s->children; x; x = x->next) {
                if (x->type != XML_ELEMENT_NODE) continue;
                const xmlChar *how = zip_attribute(x, "text-line-through-style"),
                              *name = zip_attribute(s, "name");
                if (how && name && strcmp((const char *)how, "none") != 0 &&
                    z->n_struck < ZIP_STRUCK_MAX)
                    z->struck[z->n_struck++] = name;
            }
}

/* Whether a run of DOCX or an element of ODT is crossed out. */
static bool zip_is_struck(const zip_reader *z, const xmlNode *node)
{
    const xmlChar *style = z->odt ? zip_attribute(node, "style-name") : NULL;
    for (uint32_t i = 0; style && i < z->n_struck; i++)
        if (xmlStrEqual(style, z->struck[i])) return true;
    if (z->odt || !zip_named(node, "r")) return false;
    for (const xmlNode *p = node->children; p; p = p->next)
        for (const xmlNode *x = zip_named(p, "rPr") ? p->children : NULL; x; x = x->next) {
            if (!zip_named(x, "strike") && !zip_named(x, "dstrike")) continue;
            const char *val = (const char *)zip_attribute(x, "val");
            if (!val ||
                (strcmp(val, "0") != 0 && strcmp(val, "false") != 0 && strcmp(val, "off") != 0))
                return true;
        }
    return false;
}

static bool zip_enter(void *ctx, const xmlNode *node)
{
    zip_reader *z = ctx;
    if (zip_is_text(z, node)) zip_put(z, (const char *)node->content);
    if (node->type != XML_ELEMENT_NODE) return false;
    if (zip_is_struck(z, node)) {
        z->prose.struck++;
        return false;
    }
    switch (zip_role_of(z, node)) {
    case ZIP_GONE:
        z->prose.struck +=
            node->children && (zip_named(node, "del") || zip_named(node, "moveFrom"));
        return false;
    case ZIP_PARAGRAPH: z->begun = false; break;
    case ZIP_ITEM: z->item = true; break;
    case ZIP_TABLE: z->n_table++; break;
    case ZIP_ROW: z->first_cell = true; break;
    case ZIP_CELL:
        if (!z->first_cell) med_prose_add(&z->prose, "\t", 1);
        z->first_cell = false;
        break;
    case ZIP_TAB: /* not the list of a paragraph's tab stops */
        if (strcmp((const char *)node->parent->name, "tabs") != 0) zip_put(z, "\t");
        break;
    case ZIP_BREAK: zip_put(z, "\n"); break;
    case ZIP_HYPHEN: zip_put(z, "-"); break;
    case ZIP_BLANKS: zip_put(z, " "); break;
    default: break;
    }
    return true;
}

static void zip_leave(void *ctx, const xmlNode *node)
{
    zip_reader *z = ctx;
    switch (zip_role_of(z, node)) {
    case ZIP_PARAGRAPH:
        if (z->n_table)
            med_prose_add(&z->prose, " ", 1);
        else
            med_prose_line(&z->prose);
        if (!z->odt) z->item = false;
        break;
    case ZIP_ITEM: z->item = z->item && !z->odt; break;
    case ZIP_ROW: med_prose_line(&z->prose); break;
    case ZIP_TABLE: z->n_table -= z->n_table > 0; break;
    default: break;
    }
}

static r1_status zip_read(med_document *d, const char *what, const zip_part *part, r1_err *err)
{
    static const med_walker walker = {zip_enter, zip_leave};
    zip_reader z = {.odt = part->odt};
    xmlDocPtr doc = xmlReadMemory(part->xml, (int)part->len, NULL, NULL,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                      XML_PARSE_COMPACT);
    bool entities = doc && doc->intSubset;
    if (doc && !entities && z.odt) zip_find_struck(&z, xmlDocGetRootElement(doc));
    if (doc && !entities) med_walk(xmlDocGetRootElement(doc), &walker, &z);
    xmlFreeDoc(doc);
    if (!doc || entities)
        R1_FAIL(err, R1_E_FORMAT, "%s: the XML of its text %s", what,
                entities ? "has a DOCTYPE, which is not accepted" : "is broken; save it again");
    return med_prose_finish(&z.prose, d, what, err);
}

static r1_status zip_open(struct archive *a, med_document *d, const char *what, const char *s,
                          size_t len, zip_part *part, r1_err *err)
{
    archive_read_support_format_zip(a);
    if (archive_read_open_memory(a, s, len) != ARCHIVE_OK)
        R1_FAIL(err, R1_E_FORMAT, "%s: no ZIP package: %s", what, archive_error_string(a));
    R1_TRY(zip_find(a, what, part, err));
    d->kind = part->odt ? MED_DOCUMENT_ODT : MED_DOCUMENT_DOCX;
    return zip_read(d, what, part, err);
}

r1_status med_zip_text(med_document *d, const char *what, const char *s, size_t len, r1_err *err)
{
    zip_part part = {0};
    struct archive *a = archive_read_new();
    if (!a) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to open its package", what);
    r1_status st = zip_open(a, d, what, s, len, &part, err);
    archive_read_free(a);
    free(part.xml);
    if (st == R1_OK && part.n_margin)
        med_document_note(d, "Headers, footers, footnotes and comments were left out (%u parts).",
                          part.n_margin);
    return st;
}
