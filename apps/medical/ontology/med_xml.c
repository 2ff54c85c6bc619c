/* SPDX-License-Identifier: Apache-2.0 */
/* med_xml.c - libxml2 behind med_xml.h. Owns the reader and its limits. libxml2 2.9.14 has no
 * XML_PARSE_NO_XXE: the flag that would load is never given, an external loader that refuses is
 * installed for the whole process, and a document type node ends the parse. The flag that expands
 * entities is given only where doctype_read has found that they are plain text. */
#include "ontology/med_xml.h"

#include <libxml/xmlreader.h>
#include <libxml/xmlschemas.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { XML_LINE_MAX = UINT16_MAX };

typedef struct {
    char msg[256];
    int line;
} xml_fault;

static xmlParserInputPtr xml_refuse(const char *url, const char *id, xmlParserCtxtPtr ctxt)
{
    (void)url;
    (void)id;
    (void)ctxt;
    return NULL;
}

static void start_library(void)
{
    xmlInitParser();
    xmlSetExternalEntityLoader(xml_refuse);
}

static void ensure_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_library);
}

/* Keeps the first fault: later ones are its consequences. */
static void on_fault(void *ctx, xmlErrorPtr e)
{
    xml_fault *f = ctx;
    if (f->msg[0] || e->level < XML_ERR_ERROR) return;
    f->line = e->line;
    snprintf(f->msg, sizeof f->msg, "%s", e->message ? e->message : "not well-formed");
    f->msg[strcspn(f->msg, "\n")] = '\0';
}

const char *med_xml_attr(const med_xml_node *node, const char *name)
{
    xmlTextReaderPtr r = node->reader;
    const char *found = NULL;
    while (xmlTextReaderMoveToNextAttribute(r) == 1)
        if (strcmp((const char *)xmlTextReaderConstLocalName(r), name) == 0) {
            found = (const char *)xmlTextReaderConstValue(r);
            break;
        }
    xmlTextReaderMoveToElement(r);
    return found;
}

/* ---- the document type ----------------------------------------------------------------------- */

/* A place in a document type declaration. */
typedef struct {
    const char *at, *end;
} doctype;

static bool doctype_word(doctype *d, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(d->end - d->at) < n || memcmp(d->at, word, n) != 0) return false;
    d->at += n;
    return true;
}

/* Blanks and comments. */
static void doctype_skip(doctype *d)
{
    for (;;) {
        while (d->at < d->end && *d->at && strchr(" \t\r\n", *d->at)) d->at++;
        doctype in = *d;
        if (!doctype_word(&in, "<!--")) return;
        const char *stop = memmem(in.at, (size_t)(in.end - in.at), "-->", 3);
        if (!stop) return;
        d->at = stop + 3;
    }
}

static bool doctype_name(doctype *d)
{
    const char *from = d->at;
    while (d->at < d->end && *d->at && !strchr(" \t\r\n<>[]&%\"'", *d->at)) d->at++;
    return d->at > from;
}

/* <!ENTITY name "value">, whose value names no other entity. */
static bool doctype_entity(doctype *d)
{
    if (!doctype_word(d, "<!ENTITY")) return false;
    doctype_skip(d);
    if (!doctype_name(d)) return false;
    doctype_skip(d);
    char quote = d->at < d->end ? *d->at : 0;
    const char *from = d->at + 1;
    if (quote != '"' && quote != '\'') return false;
    const char *stop = memchr(from, quote, (size_t)(d->end - from));
    if (!stop || stop - from > MED_XML_ENTITY_BYTES_MAX) return false;
    for (const char *p = from; p < stop; p++)
        if (*p == '&' || *p == '%' || *p == '<' || !*p) return false;
    d->at = stop + 1;
    doctype_skip(d);
    return doctype_word(d, ">");
}

/* Whether a document begins with a DOCTYPE that declares entities of plain text and nothing else.
 * An encoding that hides it from here leaves the reader's own refusal. */
static bool doctype_read(const char *data, size_t len)
{
    doctype d = {data, data + len};
    doctype_word(&d, "\xef\xbb\xbf");
    doctype_skip(&d);
    while (doctype_word(&d, "<?")) {
        const char *stop = memmem(d.at, (size_t)(d.end - d.at), "?>", 2);
        if (!stop) return false;
        d.at = stop + 2;
        doctype_skip(&d);
    }
    if (!doctype_word(&d, "<!DOCTYPE")) return false;
    doctype_skip(&d);
    if (!doctype_name(&d)) return false;
    doctype_skip(&d);
    if (!doctype_word(&d, "[")) return false;
    int n = 0;
    doctype_skip(&d);
    for (; !doctype_word(&d, "]"); doctype_skip(&d))
        if (++n > MED_XML_ENTITIES_MAX || !doctype_entity(&d)) return false;
    doctype_skip(&d);
    return doctype_word(&d, ">");
}

/* ---- parsing --------------------------------------------------------------------------------- */

typedef struct {
    const char *what;
    xmlTextReaderPtr reader;
    bool entities; /* its DOCTYPE was found to be harmless */
    const med_xml_handler *h;
    void *ctx;
    const char *path[MED_XML_DEPTH_MAX];
    char *text;
    size_t text_len, text_cap;
} parse;

static r1_status text_add(parse *p, const char *s, r1_err *err)
{
    size_t n = strlen(s);
    if (p->text_len + n >= MED_XML_TEXT_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%d: a text of more than %zu bytes", p->what,
                xmlTextReaderGetParserLineNumber(p->reader), MED_XML_TEXT_MAX);
    if (p->text_len + n + 1 > p->text_cap) {
        size_t cap = (p->text_len + n + 1) * 2;
        char *t = realloc(p->text, cap);
        if (!t) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for a text", p->what);
        p->text = t;
        p->text_cap = cap;
    }
    memcpy(p->text + p->text_len, s, n + 1);
    p->text_len += n;
    return R1_OK;
}

static const char *xml_trimmed(parse *p)
{
    if (!p->text) return "";
    char *s = p->text;
    s[p->text_len] = '\0';
    while (p->text_len && strchr(" \t\r\n", s[p->text_len - 1])) s[--p->text_len] = '\0';
    return s + strspn(s, " \t\r\n");
}

/* The line of the element in hand. The parser itself reads ahead of it. An element knows its line
 * below XML_LINE_MAX alone; beyond, the parser's line is near. */
static int xml_line(xmlTextReaderPtr reader)
{
    xmlNodePtr node = xmlTextReaderCurrentNode(reader);
    long line = node ? xmlGetLineNo(node) : 0;
    return line > 0 && line < XML_LINE_MAX ? (int)line : xmlTextReaderGetParserLineNumber(reader);
}

static r1_status on_start(parse *p, int depth, r1_err *err)
{
    int line = xml_line(p->reader);
    if (depth >= MED_XML_DEPTH_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%d: elements nested more than %d deep", p->what, line,
                MED_XML_DEPTH_MAX);
    p->path[depth] = (const char *)xmlTextReaderConstLocalName(p->reader);
    p->text_len = 0;
    med_xml_node node = {p->path[depth], depth, p->path, line, p->reader};
    bool empty = xmlTextReaderIsEmptyElement(p->reader) == 1;
    if (p->h->start) R1_TRY(p->h->start(p->ctx, &node, err));
    if (empty && p->h->end) R1_TRY(p->h->end(p->ctx, &node, "", err));
    return R1_OK;
}

static r1_status on_node(parse *p, r1_err *err)
{
    int depth = xmlTextReaderDepth(p->reader);
    switch (xmlTextReaderNodeType(p->reader)) {
    case XML_READER_TYPE_ELEMENT: return on_start(p, depth, err);
    case XML_READER_TYPE_END_ELEMENT: {
        med_xml_node node = {p->path[depth], depth, p->path, xml_line(p->reader), p->reader};
        r1_status st = p->h->end ? p->h->end(p->ctx, &node, xml_trimmed(p), err) : R1_OK;
        p->text_len = 0;
        return st;
    }
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
    case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
        return text_add(p, (const char *)xmlTextReaderConstValue(p->reader), err);
    case XML_READER_TYPE_DOCUMENT_TYPE:
        if (p->entities) return R1_OK;
        R1_FAIL(err, R1_E_FORMAT, "%s:%d: a DOCTYPE is not accepted%s; remove it and try again",
                p->what, xmlTextReaderGetParserLineNumber(p->reader),
                p->h->entities ? " unless it holds entities of plain text alone" : "");
    case XML_READER_TYPE_ENTITY_REFERENCE:
        R1_FAIL(err, R1_E_FORMAT, "%s:%d: the entity &%s; is not accepted", p->what,
                xmlTextReaderGetParserLineNumber(p->reader),
                (const char *)xmlTextReaderConstName(p->reader));
    default: return R1_OK;
    }
}

r1_status med_xml_parse(const char *what, const char *data, size_t len, const med_xml_handler *h,
                        void *ctx, r1_err *err)
{
    ensure_library();
    if (len == 0) R1_FAIL(err, R1_E_FORMAT, "%s: empty, expected an XML document", what);
    if (len > INT32_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s: %zu bytes, at most %d are accepted", what, len, INT32_MAX);
    xml_fault fault = {.line = 0};
    parse p = {
        .what = what, .h = h, .ctx = ctx, .entities = h->entities && doctype_read(data, len)};
    p.reader = xmlReaderForMemory(data, (int)len, NULL, NULL,
                                  XML_PARSE_NONET | XML_PARSE_COMPACT |
                                      (p.entities ? XML_PARSE_NOENT : 0));
    if (!p.reader) R1_FAIL(err, R1_E_NOMEM, "%s: cannot make an XML reader", what);
    xmlTextReaderSetStructuredErrorHandler(p.reader, on_fault, &fault);
    r1_status st = R1_OK;
    int rc = 1;
    while (st == R1_OK && (rc = xmlTextReaderRead(p.reader)) == 1) st = on_node(&p, err);
    if (st == R1_OK && rc != 0)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s:%d: %s", what, fault.line,
                        fault.msg[0] ? fault.msg : "not well-formed XML");
    xmlFreeTextReader(p.reader);
    free(p.text);
    return st;
}

r1_status med_xml_validate(const char *what, const char *data, size_t len, const char *xsd,
                           size_t xsd_len, r1_err *err)
{
    ensure_library();
    if (len > INT32_MAX || xsd_len > INT32_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s: too large to validate", what);
    xml_fault fault = {.line = 0};
    xmlSchemaParserCtxtPtr pc = xmlSchemaNewMemParserCtxt(xsd, (int)xsd_len);
    xmlSchemaSetParserStructuredErrors(pc, on_fault, &fault);
    xmlSchemaPtr schema = pc ? xmlSchemaParse(pc) : NULL;
    xmlSchemaFreeParserCtxt(pc);
    if (!schema)
        R1_FAIL(err, R1_E_FORMAT, "the schema for %s: line %d: %s", what, fault.line, fault.msg);
    /* Over the whole document: the reader's own validation leaks in libxml2 2.9.14 where a
     * document does not fit. */
    xmlDocPtr doc = xmlReadMemory(data, (int)len, NULL, NULL,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlSchemaValidCtxtPtr vc = doc && !doc->intSubset ? xmlSchemaNewValidCtxt(schema) : NULL;
    if (vc) xmlSchemaSetValidStructuredErrors(vc, on_fault, &fault);
    bool valid = vc && xmlSchemaValidateDoc(vc, doc) == 0;
    xmlSchemaFreeValidCtxt(vc);
    xmlFreeDoc(doc);
    xmlSchemaFree(schema);
    if (!valid)
        R1_FAIL(err, R1_E_FORMAT, "%s:%d: %s", what, fault.line,
                fault.msg[0] ? fault.msg : "does not fit its schema");
    return R1_OK;
}
