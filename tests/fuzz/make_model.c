/* SPDX-License-Identifier: Apache-2.0 */
/* make_model.c - writes the small models that seed fuzz_gguf: FILE, and FILE.int8 with learned
 * steps. */
#include "model/model.h"

#include <stdio.h>

static r1_status make_model_make(int width, bool learned, const char *path, r1_err *err)
{
    char description[512];
    r1_model *m;
    snprintf(
        description, sizeof description,
        "{\"name\":\"f\",\"d_align\":%d,\"d_model\":%d,\"n_layer\":1,\"n_head\":2,\"n_head_cross\":"
        "2,\"d_ff\":%d,"
        "\"items\":[{\"name\":\"t\",\"kind\":\"table\",\"num\":[\"a\"],\"n_bin\":2,\"hidden\":4},"
        "{\"name\":\"w\",\"kind\":\"text\",\"n_vocab\":260,\"n_token_max\":4,\"hidden\":4,\"n_"
        "head\":1}],"
        "\"heads\":[{\"name\":\"h\",\"kind\":\"binary\"}]}",
        width, width, width);
    static const float x[] = {-1, 0.5f, 2}, y[] = {-2, 0, 1};
    R1_TRY(r1_model_new(&m, description, 1, err));
    r1_status st = learned ? r1_model_add_steps(m, err) : R1_OK;
    if (st == R1_OK) st = r1_model_set_isotonic(m, 0, (r1_isotonic){3, x, y}, err);
    if (st == R1_OK) st = r1_model_save(m, path, err);
    r1_model_free(m);
    return st;
}

int main(int argc, char **argv)
{
    char int8[4096];
    r1_err err = {0};
    if (argc == 2) snprintf(int8, sizeof int8, "%s.int8", argv[1]);
    if (argc != 2 || make_model_make(8, false, argv[1], &err) != R1_OK ||
        make_model_make(16, true, int8, &err) != R1_OK) {
        fprintf(stderr, "make_model FILE: %s\n", err.msg);
        return 1;
    }
    return 0;
}
