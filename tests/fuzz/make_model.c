/* SPDX-License-Identifier: Apache-2.0 */
/* make_model.c - writes the small model that seeds fuzz_gguf. */
#include "r1_model.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static const char description[] =
        "{\"name\":\"f\",\"d_align\":8,\"d_model\":8,\"n_layer\":1,\"n_head\":2,\"n_head_cross\":2,\"d_ff\":8,"
        "\"items\":[{\"name\":\"t\",\"kind\":\"table\",\"num\":[\"a\"],\"n_bin\":2,\"hidden\":4},"
        "{\"name\":\"w\",\"kind\":\"text\",\"n_vocab\":260,\"n_token_max\":4,\"hidden\":4,\"n_head\":1}],"
        "\"heads\":[{\"name\":\"h\",\"kind\":\"binary\"}]}";
    r1_err err;
    r1_model *m = NULL;
    static const float x[] = {-1, 0.5f, 2}, y[] = {-2, 0, 1};
    if (argc != 2 || r1_model_new(&m, description, 1, &err) != R1_OK ||
        r1_model_set_isotonic(m, 0, (r1_isotonic){3, x, y}, &err) != R1_OK ||
        r1_model_save(m, argv[1], &err) != R1_OK) {
        fprintf(stderr, "make_model FILE: %s\n", argc == 2 ? err.msg : "");
        return 1;
    }
    r1_model_free(m);
    return 0;
}
