/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_address.c - any bytes as the address of an HTTP port: refused with a reason, or taken, and
 * then taken again in the same way. */
#include "fuzz/fuzz.h"
#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1_err err = {0};
    char *copy = fuzz_copy(data, size), *text = malloc(size + 1);
    bool loopback = false, again = true;
    memcpy(text, copy, size);
    text[size] = 0;
    if (r1_http_check(text, &loopback, &err) != R1_OK)
        fuzz_refused(&err);
    else if (r1_http_check(text, &again, &err) != R1_OK || again != loopback)
        abort();
    free(text);
    free(copy);
    return 0;
}
