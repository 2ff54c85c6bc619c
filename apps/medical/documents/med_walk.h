/* SPDX-License-Identifier: Apache-2.0 */
/* med_walk.h - over a tree of libxml2 in the order of the document, without recursion. Private to
 * this room. */
#ifndef MED_WALK_H
#define MED_WALK_H

#include <libxml/tree.h>
#include <stdbool.h>

typedef struct {
    /* Whether the children are to be visited. */
    bool (*enter)(void *ctx, const xmlNode *node);
    void (*leave)(void *ctx, const xmlNode *node); /* elements alone, after their children */
} med_walker;

void med_walk(const xmlNode *root, const med_walker *w, void *ctx);

#endif
