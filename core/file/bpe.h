/* SPDX-License-Identifier: Apache-2.0 */
/* bpe.h - byte-pair tokens (Sennrich, Haddow, Birch 2016): ids 0..255 are bytes, 256 + i the
 * i-th merge.
 *
 * Merges never cross from one word into the next: a word is a run of letters or digits (bytes
 * above 127 count as letters) with the one space before it, or a single other byte. Threads:
 * encoding is a pure function. */
#ifndef R1_BPE_H
#define R1_BPE_H

#include "r1_base.h"

typedef struct r1_bpe r1_bpe;
/* merges: i32[n][2], each naming ids below 256 + its index; n may be 0. */
r1_status r1_bpe_new(r1_bpe **out, const int32_t *merges, size_t n, r1_err *err);
void r1_bpe_free(r1_bpe *b);
const int32_t *r1_bpe_merges(const r1_bpe *b, size_t *n);
/* Writes at most cap ids of the text's start, returns how many. Looks at no more than 16 bytes
 * per id. */
size_t r1_bpe_encode(const r1_bpe *b, const char *text, size_t len, int32_t *id, size_t cap);
/* Learns up to n_merge merges from texts (callback: text i, false = end); at most bytes_max
 * bytes are read. */
typedef bool (*r1_bpe_text_fn)(void *ctx, size_t i, const char **text, size_t *len);
r1_status r1_bpe_train(r1_bpe **out, r1_bpe_text_fn fn, void *ctx, size_t n_merge, size_t bytes_max,
                       r1_err *err);

#endif
