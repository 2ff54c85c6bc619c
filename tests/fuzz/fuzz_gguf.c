/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_gguf.c - any bytes as a model file: either refused, or a model that can be used. The bytes are copied to a block of
 * exactly their size, so that a read past the end is seen. */
#include "model/model.h"
#include "r1_session.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1_err err;
    r1_model *m;
    r1_model_info info;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return 0;
    memcpy(copy, data, size);
    if (r1_model_parse(&m, copy, size, &err) == R1_OK) {
        if (r1_model_get_info(m, &info, &err) != R1_OK || !info.n_op) abort();
        r1_model_free(m);
    } else if (err.code == R1_OK || !err.msg[0]) {
        abort(); /* refused without a reason */
    }
    free(copy);
    return 0;
}
