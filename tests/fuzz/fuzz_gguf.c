/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_gguf.c - any bytes as a model file: either refused, or a model that can be used. */
#include "fuzz/fuzz.h"
#include "model/model.h"
#include "r1_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1_err err = {0};
    r1_model *m;
    r1_model_info info;
    uint8_t *copy = fuzz_copy(data, size);
    if (r1_model_parse(&m, copy, size, &err) == R1_OK) {
        if (r1_model_get_info(m, &info, &err) != R1_OK || !info.n_op) abort();
        r1_model_free(m);
    } else {
        fuzz_refused(&err);
    }
    free(copy);
    return 0;
}
