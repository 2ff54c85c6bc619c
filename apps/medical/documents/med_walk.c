/* SPDX-License-Identifier: Apache-2.0 */
/* med_walk.c - see med_walk.h. */
#include "documents/med_walk.h"

void med_walk(const xmlNode *root, const med_walker *w, void *ctx)
{
    for (const xmlNode *node = root; node;) {
        if (w->enter(ctx, node) && node->children) {
            node = node->children;
            continue;
        }
        for (;;) {
            if (node->type == XML_ELEMENT_NODE) w->leave(ctx, node);
            if (node == root) return;
            if (node->next) break;
            node = node->parent;
        }
        node = node->next;
    }
}
