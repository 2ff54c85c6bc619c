/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names.c - packing of ids, the ring of tx_ids and the pool of account names. */
#include "graph/names.h"

#include "r1_assert.h"

#include <string.h>

/* ---- packing --------------------------------------------------------------------------------- */

enum { FORM_RAW, FORM_HEX, FORM_UUID };
enum { UUID_CHARS = 36, UUID_DIGITS = 32, RING_UNIT = 4, RING_HEAD = 6 };

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool uuid_dash(size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

static int id_form(const char *id, size_t len)
{
    bool uuid = len == UUID_CHARS, hex = len && len % 2 == 0;
    for (size_t i = 0; i < len && (uuid || hex); i++) {
        bool digit = digit_of(id[i]) >= 0;
        hex = hex && digit;
        uuid = uuid && (uuid_dash(i) ? id[i] == '-' : digit);
    }
    return uuid ? FORM_UUID : hex ? FORM_HEX : FORM_RAW;
}

void fraud_id_pack(const char *id, fraud_id *out)
{
    size_t len = strlen(id), n = 0;
    R1_ASSERT(len < FRAUD_ID_BYTES, "id of %zu bytes", len);
    out->form = (uint8_t)id_form(id, len);
    if (out->form == FORM_RAW) {
        memcpy(out->data, id, len);
        out->bytes = (uint8_t)len;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (out->form == FORM_UUID && uuid_dash(i)) continue;
        int digit = digit_of(id[i]);
        out->data[n / 2] = (uint8_t)(n % 2 ? out->data[n / 2] | digit : digit << 4);
        n++;
    }
    out->bytes = (uint8_t)(n / 2);
}

void fraud_id_unpack(const fraud_id *id, char out[FRAUD_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    if (id->form == FORM_RAW) {
        memcpy(out, id->data, id->bytes);
        out[id->bytes] = 0;
        return;
    }
    for (size_t i = 0; i < id->bytes; i++) {
        out[n++] = digits[id->data[i] >> 4];
        out[n++] = digits[id->data[i] & 15];
        if (id->form == FORM_UUID && uuid_dash(n)) out[n++] = '-';
    }
    out[n] = 0;
}

/* ---- the ring: [u32 link][u8 form][u8 bytes][bytes], in units of 4 bytes --------------------- */

static uint32_t ring_record_bytes(const fraud_id *id)
{
    return (RING_HEAD + id->bytes + RING_UNIT - 1u) / RING_UNIT * RING_UNIT;
}

static uint32_t chunk_of(uint32_t place) { return place / (FRAUD_NAME_CHUNK / RING_UNIT); }
static uint8_t *ring_record(const fraud_name_ring *r, uint32_t place)
{
    return r->data + (size_t)place * RING_UNIT;
}

bool fraud_name_ring_fits(const fraud_name_ring *r, const fraud_id *id)
{
    return (r->newest && r->at + ring_record_bytes(id) <= FRAUD_NAME_CHUNK) || r->free_head ||
           r->n_fresh < r->n_chunk;
}

static void ring_take_chunk(fraud_name_ring *r)
{
    uint32_t chunk = r->free_head;
    if (chunk)
        r->free_head = r->next[chunk - 1];
    else
        chunk = ++r->n_fresh;
    R1_ASSERT(chunk <= r->n_chunk, "names: chunk %u of %u", chunk, r->n_chunk);
    r->newest = chunk;
    r->n_used++;
    r->at = 0;
}

uint32_t fraud_name_ring_add(fraud_name_ring *r, const fraud_id *id, uint32_t link)
{
    uint32_t bytes = ring_record_bytes(id);
    if (!r->newest || r->at + bytes > FRAUD_NAME_CHUNK) ring_take_chunk(r);
    uint32_t place = (r->newest - 1) * (FRAUD_NAME_CHUNK / RING_UNIT) + r->at / RING_UNIT;
    uint8_t *at = ring_record(r, place);
    memcpy(at, &link, sizeof link);
    at[4] = id->form;
    at[5] = id->bytes;
    memcpy(at + RING_HEAD, id->data, id->bytes);
    r->at += bytes;
    return place;
}

bool fraud_name_ring_equal(const fraud_name_ring *r, uint32_t place, const fraud_id *id)
{
    const uint8_t *at = ring_record(r, place);
    return at[4] == id->form && at[5] == id->bytes && !memcmp(at + RING_HEAD, id->data, id->bytes);
}

uint32_t fraud_name_ring_link(const fraud_name_ring *r, uint32_t place)
{
    uint32_t link;
    memcpy(&link, ring_record(r, place), sizeof link);
    return link;
}

void fraud_name_ring_read(const fraud_name_ring *r, uint32_t place, char out[FRAUD_ID_BYTES])
{
    const uint8_t *at = ring_record(r, place);
    fraud_id id = {.form = at[4], .bytes = at[5]};
    memcpy(id.data, at + RING_HEAD, id.bytes);
    fraud_id_unpack(&id, out);
}

void fraud_name_ring_drop(fraud_name_ring *r, uint32_t place, uint32_t next)
{
    uint32_t chunk = chunk_of(place);
    if (next != UINT32_MAX && chunk_of(next) == chunk) return;
    R1_ASSERT(r->n_used > 0 && (next == UINT32_MAX || chunk + 1 != r->newest),
              "names: chunk %u leaves, %u are used", chunk, r->n_used);
    r->next[chunk] = r->free_head;
    r->free_head = chunk + 1;
    r->n_used--;
    if (next == UINT32_MAX) r->newest = 0;
}

/* ---- the pool -------------------------------------------------------------------------------- */

static uint32_t pool_blocks(uint32_t bytes)
{
    return bytes <= FRAUD_NAME_INLINE
               ? 0
               : (bytes - FRAUD_NAME_INLINE + FRAUD_NAME_BLOCK - 1) / FRAUD_NAME_BLOCK;
}

bool fraud_name_pool_fits(const fraud_name_pool *p, const fraud_id *id)
{
    return p->n_used + pool_blocks(id->bytes) <= p->n_block;
}

static uint32_t pool_take(fraud_name_pool *p)
{
    uint32_t i = p->free_head;
    if (i)
        p->free_head = p->block[i - 1].next;
    else
        i = ++p->n_fresh;
    p->n_used++;
    R1_ASSERT(i <= p->n_block, "names: block %u of %u", i, p->n_block);
    p->block[i - 1].next = 0;
    return i;
}

void fraud_name_pool_add(fraud_name_pool *p, fraud_name *name, const fraud_id *id)
{
    uint32_t at = id->bytes < FRAUD_NAME_INLINE ? id->bytes : FRAUD_NAME_INLINE;
    uint32_t *link = &name->more;
    memset(name, 0, sizeof *name);
    name->form = id->form;
    name->bytes = id->bytes;
    memcpy(name->data, id->data, at);
    while (at < id->bytes) {
        uint32_t n = id->bytes - at < FRAUD_NAME_BLOCK ? id->bytes - at : FRAUD_NAME_BLOCK;
        *link = pool_take(p);
        memcpy(p->block[*link - 1].data, id->data + at, n);
        link = &p->block[*link - 1].next;
        at += n;
    }
}

void fraud_name_pool_drop(fraud_name_pool *p, fraud_name *name)
{
    for (uint32_t i = name->more, next; i; i = next) {
        next = p->block[i - 1].next;
        p->block[i - 1].next = p->free_head;
        p->free_head = i;
        R1_ASSERT(p->n_used > 0, "names: block %u is free already", i);
        p->n_used--;
    }
    memset(name, 0, sizeof *name);
}

static void pool_read(const fraud_name_pool *p, const fraud_name *name, fraud_id *id)
{
    uint32_t at = name->bytes < FRAUD_NAME_INLINE ? name->bytes : FRAUD_NAME_INLINE;
    id->form = name->form;
    id->bytes = name->bytes;
    memcpy(id->data, name->data, at);
    for (uint32_t i = name->more; i; i = p->block[i - 1].next) {
        uint32_t n = name->bytes - at < FRAUD_NAME_BLOCK ? name->bytes - at : FRAUD_NAME_BLOCK;
        memcpy(id->data + at, p->block[i - 1].data, n);
        at += n;
    }
}

bool fraud_name_pool_equal(const fraud_name_pool *p, const fraud_name *name, const fraud_id *id)
{
    fraud_id own;
    if (name->form != id->form || name->bytes != id->bytes) return false;
    pool_read(p, name, &own);
    return !memcmp(own.data, id->data, id->bytes);
}

void fraud_name_pool_read(const fraud_name_pool *p, const fraud_name *name,
                          char out[FRAUD_ID_BYTES])
{
    fraud_id id;
    pool_read(p, name, &id);
    fraud_id_unpack(&id, out);
}

/* ---- names that come from outside ------------------------------------------------------------ */

/* What unpacks into FRAUD_ID_BYTES. */
static bool form_fits(uint8_t form, uint8_t bytes)
{
    return form == FORM_RAW || (form == FORM_UUID && bytes == UUID_DIGITS / 2) ||
           (form == FORM_HEX && bytes < FRAUD_ID_BYTES / 2);
}

bool fraud_name_ring_check(const fraud_name_ring *r, uint32_t place, uint32_t *chunk, uint32_t *end)
{
    uint32_t at = place % (FRAUD_NAME_CHUNK / RING_UNIT) * RING_UNIT;
    *chunk = chunk_of(place);
    if (*chunk >= r->n_fresh || at + RING_HEAD > FRAUD_NAME_CHUNK) return false;
    const uint8_t *record = ring_record(r, place);
    *end = at + (RING_HEAD + record[5] + RING_UNIT - 1u) / RING_UNIT * RING_UNIT;
    return form_fits(record[4], record[5]) && *end <= FRAUD_NAME_CHUNK;
}

bool fraud_name_pool_check(const fraud_name_pool *p, const fraud_name *name, uint8_t *met)
{
    uint32_t i = name->more;
    for (uint32_t n = pool_blocks(name->bytes); n > 0; n--, i = p->block[i - 1].next) {
        if (i < 1 || i > p->n_fresh || met[i - 1]) return false;
        met[i - 1] = 1;
    }
    return i == 0 && form_fits(name->form, name->bytes);
}
