/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_letter.c - any bytes as the text of a dead letter's headers: refused with a reason, or
 * headers whose names end and whose values lie in their own bytes. */
#include "fuzz/fuzz.h"
#include "write/letter.h"

#include <string.h>

static void require(bool holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1_err err = {0};
    fraud_headers h;
    char *text = malloc(size + 1), *hex = malloc(size / 2 + 1);
    if (!text || !hex) abort();
    memcpy(text, data, size);
    text[size] = 0;
    r1_status st = fraud_headers_parse(text, &h, &err);
    if (st != R1_OK) fuzz_refused(&err);
    for (size_t i = 0; st == R1_OK && i < h.n; i++) {
        require(h.header[i].name && strlen(h.header[i].name) <= size);
        require(h.header[i].value || h.header[i].len == 0);
        require(h.header[i].len <= size);
        if (h.header[i].value) require(h.header[i].value[h.header[i].len] == 0);
    }
    if (st == R1_OK) fraud_headers_free(&h);
    size_t len;
    if (fraud_hex_bytes(text, hex, &len)) require(len * 2 == strlen(text));
    free(hex);
    free(text);
    return 0;
}
