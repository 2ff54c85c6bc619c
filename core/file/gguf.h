/* SPDX-License-Identifier: Apache-2.0 */
/* gguf.h - GGUF version 3, read from memory and written to a file. Little-endian hosts only.
 *
 * The reader trusts nothing: every count and length is checked against the bytes that are left
 * before anything is allocated from it; tensors must lie inside the file, aligned, and may not
 * have more than 4 dimensions. Strings and tensor data point into the caller's bytes, which must
 * outlive the reader. Limits: R1_GGUF_KEYS_MAX keys, R1_GGUF_TENSORS_MAX tensors, names of
 * R1_GGUF_TENSOR_NAME_MAX bytes (tensors) or R1_GGUF_KEY_NAME_MAX bytes (keys), arrays of plain
 * numbers or strings, no nested arrays. */
#ifndef R1_GGUF_H
#define R1_GGUF_H

#include "r1_backend.h"

enum {
    R1_GGUF_ALIGN = 32,
    R1_GGUF_KEYS_MAX = 65536,
    R1_GGUF_TENSORS_MAX = 65536,
    R1_GGUF_KEY_NAME_MAX = 255,
    R1_GGUF_TENSOR_NAME_MAX = 128
};
typedef enum {
    R1_GGUF_U8 = 0,
    R1_GGUF_I8,
    R1_GGUF_U16,
    R1_GGUF_I16,
    R1_GGUF_U32,
    R1_GGUF_I32,
    R1_GGUF_F32,
    R1_GGUF_BOOL,
    R1_GGUF_STRING,
    R1_GGUF_ARRAY,
    R1_GGUF_U64,
    R1_GGUF_I64,
    R1_GGUF_F64
} r1_gguf_type;

typedef struct {
    const char *name; /* not terminated: name_len bytes */
    size_t name_len;
    r1_gguf_type type, item_type; /* item_type of ARRAY */
    const uint8_t *data;          /* scalar or first array item; of STRING: its bytes */
    uint64_t count;               /* items; of STRING: bytes */
} r1_gguf_key;

typedef struct {
    const char *name;
    size_t name_len;
    uint32_t n_dim;
    uint64_t dim[4];    /* dim[0] varies fastest */
    uint32_t ggml_type; /* 0 f32, 1 f16, 24 i8, 26 i32, 30 bf16 */
    const void *data;
    size_t bytes;
} r1_gguf_tensor;

typedef struct {
    r1_gguf_key *key;
    r1_gguf_tensor *tensor;
    size_t n_key, n_tensor;
} r1_gguf;

r1_status r1_gguf_parse(r1_gguf *g, const void *data, size_t len, r1_err *err);
void r1_gguf_free(r1_gguf *g);
/* What a parsed file promises to those who read it: keys and tensors lie inside of data[len].
 * Aborts where that is broken; r1_gguf_parse ends with it. */
void r1_gguf_check(const r1_gguf *g, const void *data, size_t len);
const r1_gguf_key *r1_gguf_find(const r1_gguf *g, const char *name);
const r1_gguf_tensor *r1_gguf_find_tensor(const r1_gguf *g, const char *name);
/* Typed reads; R1_E_FORMAT names the key and what was expected. */
r1_status r1_gguf_u64(const r1_gguf *g, const char *name, uint64_t *v,
                      r1_err *err); /* stored as U64 */
r1_status r1_gguf_f32(const r1_gguf *g, const char *name, float *v,
                      r1_err *err); /* stored as F32, finite */
r1_status r1_gguf_str(const r1_gguf *g, const char *name, const char **s, size_t *len, r1_err *err);
r1_status r1_gguf_array(const r1_gguf *g, const char *name, r1_gguf_type item, const uint8_t **data,
                        uint64_t *count, r1_err *err);

/* Writer: keys and tensors are collected (tensor data is borrowed until save), then written at
 * once. */
typedef struct r1_gguf_writer r1_gguf_writer;
r1_status r1_gguf_writer_new(r1_gguf_writer **out, r1_err *err);
void r1_gguf_writer_free(r1_gguf_writer *w);
void r1_gguf_put_u64(r1_gguf_writer *w, const char *name, uint64_t v);
void r1_gguf_put_f32(r1_gguf_writer *w, const char *name, float v);
void r1_gguf_put_str(r1_gguf_writer *w, const char *name, const char *s);
void r1_gguf_put_array(r1_gguf_writer *w, const char *name, r1_gguf_type item, const void *data,
                       uint64_t count);
void r1_gguf_put_tensor(r1_gguf_writer *w, const char *name, uint32_t ggml_type, uint64_t rows,
                        uint64_t cols, const void *data, size_t bytes);
/* Any failure of the puts is reported here. *data is malloc'ed; path is for messages alone. */
r1_status r1_gguf_image(r1_gguf_writer *w, const char *path, uint8_t **data, size_t *len,
                        r1_err *err);
r1_status r1_gguf_save(r1_gguf_writer *w, const char *path, r1_err *err);

#endif
