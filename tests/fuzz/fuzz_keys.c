/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_keys.c - any bytes as a file of keys: refused with a reason, or keys with which bytes are
 * sealed and opened again. */
#include "fuzz/fuzz.h"
#include "privacy/med_seal.h"

#include <sys/stat.h>

static void keys_check(const med_keys *k)
{
    static const med_place place = {"cluster", "topic", 1, 2};
    char index[MED_INDEX_BYTES], *hex = NULL, *back = NULL;
    size_t len = 0;
    r1_err err = {0};
    med_index_check(k, index);
    if (strncmp(index, med_index_name(k), strlen(med_index_name(k))) != 0) abort();
    if (med_seal(k, &place, MED_SEALED_ID, "id", 2, &hex, &err) != R1_OK ||
        med_unseal(k, med_keys_name(k, 0), &place, MED_SEALED_ID, hex, &back, &len, &err) !=
            R1_OK ||
        len != 2 || memcmp(back, "id", 2) != 0)
        abort();
    med_seal_forget(back, len);
    free(hex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    med_keys *k = NULL;
    r1_err err = {0};
    int fd = fuzz_file(data, size, path);
    if (fchmod(fd, 0600) != 0) abort();
    if (med_keys_open(&k, path, &err) != R1_OK) {
        fuzz_refused(&err);
    } else {
        keys_check(k);
        med_keys_free(k);
    }
    close(fd);
    return 0;
}
