/* SPDX-License-Identifier: Apache-2.0 */
/* med_xml.h - the only door through which XML enters: libxml2's streaming reader behind
 * callbacks, with everything dangerous shut. A DOCTYPE is refused, or accepted where a handler says
 * so and it declares nothing but a few entities of plain text. Nothing is fetched, nesting is at
 * most 64 deep, a text at most 1 MiB. libxml2 types stay in med_xml.c.
 *
 * Threads: any, one document per call. Errors: R1_E_FORMAT with the line; whatever a callback
 * returns ends the parse. */
#ifndef MED_XML_H
#define MED_XML_H

#include "r1_base.h"

#define MED_XML_DEPTH_MAX 64
#define MED_XML_TEXT_MAX  ((size_t)1 << 20)
/* Of a DOCTYPE: how many entities, and their bytes. None may name another one. */
enum { MED_XML_ENTITIES_MAX = 64, MED_XML_ENTITY_BYTES_MAX = 256 };

typedef struct med_xml_node {
    const char *name;  /* local name, without the prefix */
    int depth;         /* 0: the document element */
    const char **path; /* path[i]: local name at depth i, i <= depth */
    int64_t line;      /* of its start tag */
    void *reader;      /* private */
} med_xml_node;

/* The value of an attribute by local name, or NULL; valid until the next call. Only inside
 * start. */
const char *med_xml_attr(const med_xml_node *node, const char *name);

typedef struct {
    r1_status (*start)(void *ctx, const med_xml_node *node, r1_err *err);
    /* text: the characters directly inside the element since its last child, trimmed,
     * NUL-terminated. */
    r1_status (*end)(void *ctx, const med_xml_node *node, const char *text, r1_err *err);
    bool entities; /* accepts a DOCTYPE of entities, as ontology editors write */
} med_xml_handler;

r1_status med_xml_parse(const char *what, const char *data, size_t len, const med_xml_handler *h,
                        void *ctx, r1_err *err);
/* Checks a document against an XML Schema; both are read from memory, no import is followed. */
r1_status med_xml_validate(const char *what, const char *data, size_t len, const char *xsd,
                           size_t xsd_len, r1_err *err);

#endif
