/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.c - a table to and from GGUF. */
#include "train/checkpoint.h"

#include "file/gguf.h"
#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = INT32_MAX, KEY_BYTES = 80 };

void r1_checkpoint_must(r1_checkpoint *c, const char *name, uint64_t value, uint64_t unsaid)
{
    int i = 0;
    while (i < R1_CHECKPOINT_ROWS && c->must[i].name) i++;
    R1_ASSERT(i < R1_CHECKPOINT_ROWS, "checkpoint: no row for %s", name);
    c->must[i].name = name;
    c->must[i].value = value;
    c->must[i].unsaid = unsaid;
}

void r1_checkpoint_counter(r1_checkpoint *c, const char *name, uint64_t *value)
{
    int i = 0;
    while (i < R1_CHECKPOINT_ROWS && c->counter[i].name) i++;
    R1_ASSERT(i < R1_CHECKPOINT_ROWS && value, "checkpoint: no row for %s", name);
    c->counter[i].name = name;
    c->counter[i].value = value;
}

void r1_checkpoint_block(r1_checkpoint *c, const char *name, float *data)
{
    int i = 0;
    while (i < R1_CHECKPOINT_ROWS && c->block[i].name) i++;
    R1_ASSERT(i < R1_CHECKPOINT_ROWS && data, "checkpoint: no row for %s", name);
    c->block[i].name = name;
    c->block[i].data = data;
}

static const char *checkpoint_key_of(const char *name, char key[KEY_BYTES])
{
    snprintf(key, KEY_BYTES, "r1.train.%s", name);
    return key;
}

r1_status r1_checkpoint_save(const r1_checkpoint *c, const char *path, r1_err *err)
{
    r1_gguf_writer *w;
    R1_TRY(r1_gguf_writer_new(&w, err));
    r1_gguf_put_str(w, "general.architecture", "r1-checkpoint");
    char key[KEY_BYTES];
    if (c->stage) r1_gguf_put_str(w, "r1.stage", c->stage);
    r1_gguf_put_str(w, "r1.description", c->description);
    for (int i = 0; i < R1_CHECKPOINT_ROWS && c->must[i].name; i++)
        if (!c->must[i].unsaid || c->must[i].value != c->must[i].unsaid)
            r1_gguf_put_u64(w, checkpoint_key_of(c->must[i].name, key), c->must[i].value);
    for (int i = 0; i < R1_CHECKPOINT_ROWS && c->counter[i].name; i++)
        r1_gguf_put_u64(w, checkpoint_key_of(c->counter[i].name, key), *c->counter[i].value);
    for (int i = 0; i < R1_CHECKPOINT_ROWS && c->block[i].name; i++)
        r1_gguf_put_tensor(w, c->block[i].name, 0, 1, c->block_bytes / sizeof(float),
                           c->block[i].data, c->block_bytes);
    r1_status st = r1_gguf_save(w, path, err);
    r1_gguf_writer_free(w);
    return st;
}

static r1_status same_text(const r1_gguf *g, const char *key, const char *text, r1_err *err)
{
    const char *s;
    size_t len;
    R1_TRY(r1_gguf_str(g, key, &s, &len, err));
    if (len == strlen(text) && memcmp(s, text, len) == 0) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "it belongs to another run (%s differs): remove it or name another",
            key);
}

static r1_status read_table(const r1_checkpoint *c, const r1_gguf *g, r1_err *err)
{
    char key[KEY_BYTES];
    if (c->stage) R1_TRY(same_text(g, "r1.stage", c->stage, err));
    R1_TRY(same_text(g, "r1.description", c->description, err));
    for (int i = 0; i < R1_CHECKPOINT_ROWS && c->must[i].name; i++) {
        uint64_t v = c->must[i].unsaid;
        if (!v || r1_gguf_find(g, checkpoint_key_of(c->must[i].name, key)))
            R1_TRY(r1_gguf_u64(g, checkpoint_key_of(c->must[i].name, key), &v, err));
        if (v != c->must[i].value)
            R1_FAIL(err, R1_E_INVAL,
                    "it belongs to another run (seed, data or settings differ: %s): remove it or "
                    "name another",
                    key);
    }
    for (int i = 0; i < R1_CHECKPOINT_ROWS && c->counter[i].name; i++)
        R1_TRY(
            r1_gguf_u64(g, checkpoint_key_of(c->counter[i].name, key), c->counter[i].value, err));
    for (int i = 0; i < R1_CHECKPOINT_ROWS && c->block[i].name; i++) {
        const r1_gguf_tensor *t = r1_gguf_find_tensor(g, c->block[i].name);
        if (!t || t->ggml_type != 0 || t->bytes != c->block_bytes)
            R1_FAIL(err, R1_E_FORMAT, "tensor \"%s\" has %zu bytes, expected f32 in %zu",
                    c->block[i].name, t ? t->bytes : 0, c->block_bytes);
        memcpy(c->block[i].data, t->data, t->bytes);
    }
    return R1_OK;
}

r1_status r1_checkpoint_load(const r1_checkpoint *c, const char *path, r1_err *err)
{
    char *data;
    size_t len;
    r1_gguf g;
    R1_TRY(r1_file_read(path, FILE_BYTES_MAX, &data, &len, err));
    r1_status st = r1_gguf_parse(&g, data, len, err);
    if (st == R1_OK) {
        st = read_table(c, &g, err);
        r1_gguf_free(&g);
    }
    free(data);
    if (st != R1_OK) r1_err_prefix(err, "checkpoint %s: ", path);
    return st;
}
