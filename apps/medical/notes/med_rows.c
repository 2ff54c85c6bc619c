/* SPDX-License-Identifier: Apache-2.0 */
/* med_rows.c - see med_rows.h. */
#include "notes/med_rows.h"

#include <string.h>

r1_status med_rows_read(const char *name, const char *text, size_t len, med_row_fn *fn,
                        void *reader, r1_err *err)
{
    uint32_t line = 0;
    for (size_t at = 0; at < len;) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t n = nl ? (size_t)(nl - text) - at : len - at;
        line++;
        if (memchr(text + at, '\r', n))
            R1_FAIL(err, R1_E_FORMAT,
                    "%s:%u: expected a line that ends with a line feed alone, "
                    "found a carriage return",
                    name, line);
        if (n && text[at] != '#') R1_TRY(fn(reader, line, text + at, n, err));
        at += n + 1;
    }
    return R1_OK;
}
