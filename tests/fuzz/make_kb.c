/* SPDX-License-Identifier: Apache-2.0 */
/* make_kb.c ONTOLOGY FILE - writes the small knowledge base that seeds fuzz_kb. */
#include "ontology/med_kb.h"
#include "ontology/med_sources.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    r1_err err;
    med_kb *kb = NULL;
    if (argc != 3 || med_sources_open(&kb, argv[1], &err) != R1_OK ||
        med_kb_save(kb, argv[2], &err) != R1_OK) {
        fprintf(stderr, "make_kb ONTOLOGY FILE: %s\n", argc == 3 ? err.msg : "");
        return 1;
    }
    med_kb_free(kb);
    return 0;
}
