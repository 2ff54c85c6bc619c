/* SPDX-License-Identifier: Apache-2.0 */
/* make_shard.c FILE - writes the small file of samples that seeds fuzz_shard: every kind of
 * item. */
#include "core/toy.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    r1_err err;
    toy t;
    toy_make(&t, 6, 1);
    r1_status st = argc == 2 ? toy_write(&t, argv[1], &err) : R1_E_INVAL;
    toy_free(&t);
    if (st != R1_OK) fprintf(stderr, "make_shard FILE: %s\n", argc == 2 ? err.msg : "");
    return st != R1_OK;
}
