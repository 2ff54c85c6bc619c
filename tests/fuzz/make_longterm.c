/* SPDX-License-Identifier: Apache-2.0 */
/* make_longterm.c - writes the small memories that seed fuzz_longterm: FILE.1 with transform
 * codes, FILE.2 with sparse ones, both with fresh entries and a deletion behind the part. */
#include "r1_memory.h"

#include <stdio.h>

static r1_status make_longterm_make(const char *path, r1_code_kind kind, r1_err *err)
{
    enum { D = 8, N = 90 };
    r1_longterm *lt;
    r1_rng rng;
    r1_longterm_opts o = {.d_key = D,
                          .d_vector = 4,
                          .code = kind,
                          .key_bytes = 8,
                          .vector_bytes = 6,
                          .n_atom = 16,
                          .n_list = 2,
                          .n_round = 1};
    r1_rng_seed(&rng, 1);
    R1_TRY(r1_longterm_new_with(&lt, &o, err));
    r1_status st = R1_OK;
    for (int i = 0; i < N + 4 && st == R1_OK; i++) {
        float key[D];
        if (i == N) st = r1_longterm_consolidate(lt, true, err);
        for (int c = 0; c < D; c++) key[c] = (float)(r1_rng_normal(&rng) * 4 / (1 + c));
        r1_longterm_entry e = {.key = key,
                               .vector = key,
                               .value = "value",
                               .value_bytes = (uint32_t)i % 6,
                               .entity = 3};
        if (st == R1_OK) st = r1_longterm_insert(lt, &e, NULL, err);
    }
    if (st == R1_OK) st = r1_longterm_delete(lt, 7, err);
    if (st == R1_OK) st = r1_longterm_save(lt, path, err);
    r1_longterm_free(lt);
    return st;
}

int main(int argc, char **argv)
{
    for (int kind = 1; kind <= 2; kind++) {
        char path[4096];
        r1_err err = {0};
        if (argc == 2) snprintf(path, sizeof path, "%s.%d", argv[1], kind);
        if (argc != 2 || make_longterm_make(path, kind == 1 ? R1_CODE_TRANSFORM : R1_CODE_SPARSE,
                                            &err) != R1_OK) {
            fprintf(stderr, "make_longterm FILE: %s\n", err.msg);
            return 1;
        }
    }
    return 0;
}
