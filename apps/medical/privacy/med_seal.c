/* SPDX-License-Identifier: Apache-2.0 */
/* med_seal.c - see med_seal.h. */
#include "privacy/med_seal.h"

#include "privacy/med_keys_internal.h"
#include "r1_assert.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
    VERSION = 1,
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    HEAD = 1 + NONCE,
    BOUND_BYTES = 1200
};
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == MED_KEY_BYTES, "key");
_Static_assert(crypto_generichash_BYTES == 32 && MED_INDEX_BYTES > 8 + 1 + 64, "index");

/* ---- sealing ---- */

/* What the bytes are bound to. Lengths stand before texts, so no two rows give the same bytes. */
static size_t seal_bound(const char *key_name, const med_place *p, const char *kind,
                         char out[BOUND_BYTES])
{
    int n = snprintf(out, BOUND_BYTES, "r1.med_sealed %d %zu:%s %zu:%s %zu:%s %zu:%s %d %lld",
                     VERSION, strlen(key_name), key_name, strlen(kind), kind, strlen(p->cluster),
                     p->cluster, strlen(p->topic), p->topic, p->partition, (long long)p->offset);
    R1_ASSERT(n > 0 && n < BOUND_BYTES, "a row's name of %d bytes", n);
    return (size_t)n;
}

r1_status med_seal(const med_keys *k, const med_place *place, const char *kind, const void *bytes,
                   size_t len, char **hex, r1_err *err)
{
    char bound[BOUND_BYTES];
    size_t n_bound = seal_bound(k->seal[0].name, place, kind, bound), n = HEAD + len + TAG;
    unsigned char *sealed = malloc(n);
    *hex = malloc(2 * n + 1);
    if (!sealed || !*hex) {
        free(sealed);
        free(*hex);
        *hex = NULL;
        R1_FAIL(err, R1_E_NOMEM, "no memory to seal %zu bytes", len);
    }
    sealed[0] = VERSION;
    randombytes_buf(sealed + 1, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + HEAD, NULL, bytes, len,
                                               (const unsigned char *)bound, n_bound, NULL,
                                               sealed + 1, k->seal[0].key);
    sodium_bin2hex(*hex, 2 * n + 1, sealed, n);
    free(sealed);
    return R1_OK;
}

static const med_key *seal_key(const med_keys *k, const char *name)
{
    for (size_t i = 0; i < k->n_seal; i++)
        if (strcmp(k->seal[i].name, name) == 0) return &k->seal[i];
    return NULL;
}

/* plain: room for n bytes. */
static r1_status seal_opened(const med_key *key, const med_place *p, const char *kind,
                             const unsigned char *sealed, size_t n, unsigned char *plain,
                             size_t *len, r1_err *err)
{
    char bound[BOUND_BYTES];
    unsigned long long got = 0;
    if (n < HEAD + TAG || sealed[0] != VERSION)
        R1_FAIL(err, R1_E_FORMAT,
                "%s/%d/%lld, %s: expected at least %d sealed bytes of version %d, found %zu: the "
                "row was cut, or a newer program sealed it",
                p->topic, p->partition, (long long)p->offset, kind, HEAD + TAG, VERSION, n);
    size_t n_bound = seal_bound(key->name, p, kind, bound);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &got, NULL, sealed + HEAD, n - HEAD,
                                                   (const unsigned char *)bound, n_bound,
                                                   sealed + 1, key->key) != 0)
        R1_FAIL(err, R1_E_FORMAT,
                "%s/%d/%lld, %s: expected bytes that the key %s sealed for this row, found others: "
                "the row was changed, cut, or its bytes are another row's",
                p->topic, p->partition, (long long)p->offset, kind, key->name);
    plain[got] = '\0';
    *len = (size_t)got;
    return R1_OK;
}

r1_status med_unseal(const med_keys *k, const char *key_name, const med_place *place,
                     const char *kind, const char *hex, char **bytes, size_t *len, r1_err *err)
{
    const med_key *key = seal_key(k, key_name);
    if (!key)
        R1_FAIL(err, R1_E_NOT_FOUND,
                "%s/%d/%lld, %s: sealed by the key %s, which the file of keys lacks: add its line",
                place->topic, place->partition, (long long)place->offset, kind, key_name);
    size_t digits = strlen(hex), n = 0;
    unsigned char *sealed = malloc(digits / 2 + 1), *plain = malloc(digits / 2 + 1);
    r1_status st = R1_OK;
    if (!sealed || !plain)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory to open a row");
    if (st == R1_OK && sodium_hex2bin(sealed, digits / 2 + 1, hex, digits, NULL, &n, NULL) != 0)
        n = 0; /* as one that was cut */
    if (st == R1_OK) st = seal_opened(key, place, kind, sealed, n, plain, len, err);
    free(sealed);
    if (st == R1_OK)
        *bytes = (char *)plain;
    else
        free(plain);
    return st;
}

void med_seal_forget(char *bytes, size_t len)
{
    if (bytes) sodium_memzero(bytes, len);
    free(bytes);
}

/* ---- the blind index ---- */

static void index_hash(const med_keys *k, const char *what, const void *bytes, size_t len,
                       unsigned char hash[crypto_generichash_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, k->index.key, MED_KEY_BYTES, crypto_generichash_BYTES);
    crypto_generichash_update(&state, (const unsigned char *)what, strlen(what) + 1);
    crypto_generichash_update(&state, bytes, len);
    crypto_generichash_final(&state, hash, crypto_generichash_BYTES);
    sodium_memzero(&state, sizeof state);
}

static void index_text(const med_keys *k, const char *what, const void *bytes, size_t len,
                       char out[MED_INDEX_BYTES])
{
    unsigned char hash[crypto_generichash_BYTES];
    char hex[2 * crypto_generichash_BYTES + 1];
    index_hash(k, what, bytes, len, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(out, MED_INDEX_BYTES, "%s:%s", med_index_name(k), hex);
}

/* malloc'ed: the id in one form; NULL: it is no UTF-8. */
static char *index_form(const char *id, size_t len)
{
    utf8proc_uint8_t *form = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)id, (utf8proc_ssize_t)len, &form,
                                      UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD |
                                          UTF8PROC_IGNORE | UTF8PROC_STABLE);
    if (n < 0) return NULL;
    char *to = (char *)form;
    for (const char *s = to; *s; s++)
        if (!strchr(" \t\r\n", *s)) *to++ = *s;
    *to = '\0';
    return (char *)form;
}

void med_index_of_id(const med_keys *k, const char *id, size_t len, char out[MED_INDEX_BYTES])
{
    char *form = memchr(id, '\0', len) ? NULL : index_form(id, len);
    index_text(k, "id", form ? form : id, form ? strlen(form) : len, out);
    if (form) sodium_memzero(form, strlen(form));
    free(form);
}

bool med_index_id_is_blank(const char *id, size_t len)
{
    char *form = memchr(id, '\0', len) ? NULL : index_form(id, len);
    bool blank = form && form[strspn(form, "\v\f")] == '\0';
    if (form) sodium_memzero(form, strlen(form));
    free(form);
    return blank;
}

void med_index_check(const med_keys *k, char out[MED_INDEX_BYTES])
{
    static const char word[] = "r1.med_index_key";
    index_text(k, "check", word, sizeof word - 1, out);
}

void med_index_of_record(const med_keys *k, const void *bytes, size_t len,
                         char out[MED_INDEX_BYTES])
{
    index_text(k, "record", bytes, len, out);
}

void med_index_of_hash(const med_keys *k, const char *hash, char out[MED_INDEX_BYTES])
{
    index_text(k, "hash", hash, strlen(hash), out);
}

const char *med_index_name(const med_keys *k)
{
    return k->index.name + strlen(k->index.name) - (MED_FINGERPRINT_BYTES - 1);
}

uint64_t med_index_number(const med_keys *k, const char *what, const char *id, size_t len,
                          uint64_t n)
{
    unsigned char hash[crypto_generichash_BYTES];
    char index[MED_INDEX_BYTES];
    uint64_t number = 0;
    med_index_of_id(k, id, len, index);
    index_hash(k, what, index, strlen(index), hash);
    for (int i = 0; i < 8; i++) number = number << 8 | hash[i];
    R1_ASSERT(n > 0, "a number below %d", 0);
    return number % n;
}
