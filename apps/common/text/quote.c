/* SPDX-License-Identifier: Apache-2.0 */
/* quote.c - see quote.h. */
#include "text/quote.h"

#include <stddef.h>

r1_log_quoted r1_log_quote(const char *text)
{
    r1_log_quoted q;
    size_t n = 0;
    for (; *text && n + 2 < sizeof q.text; text++) {
        if (*text == '"' || *text == '\\') q.text[n++] = '\\';
        q.text[n++] = *text;
    }
    q.text[n] = 0;
    return q;
}
