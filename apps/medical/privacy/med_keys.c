/* SPDX-License-Identifier: Apache-2.0 */
/* med_keys.c - see med_keys.h. */
#include "privacy/med_keys_internal.h"

#include "config/r1_options.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 64 * 1024, HEX_BYTES = 2 * MED_KEY_BYTES + 1, LABEL_BYTES_MAX = 24 };

r1_status med_sodium(r1_err *err)
{
    if (sodium_init() < 0) R1_FAIL(err, R1_E_NOMEM, "libsodium finds no source of random numbers");
    return R1_OK;
}

/* Four bytes of a hash of the key: they tell keys apart and say nothing of one. */
static void key_fingerprint(const unsigned char key[MED_KEY_BYTES],
                            char text[MED_FINGERPRINT_BYTES])
{
    unsigned char hash[crypto_generichash_BYTES];
    static const unsigned char purpose[] = "r1 fingerprint";
    crypto_generichash(hash, sizeof hash, purpose, sizeof purpose, key, MED_KEY_BYTES);
    sodium_bin2hex(text, MED_FINGERPRINT_BYTES, hash, MED_FINGERPRINT_BYTES / 2);
}

/* ---- reading ---- */

static bool keys_have(const med_keys *k, const char *name)
{
    for (size_t i = 0; i < k->n_seal; i++)
        if (strcmp(k->seal[i].name, name) == 0) return true;
    return false;
}

/* The line's two words behind its kind. */
static r1_status key_read(const char *where, const char *name, const char *hex, med_key *key,
                          r1_err *err)
{
    char found[MED_FINGERPRINT_BYTES];
    size_t n = 0, len = strlen(name);
    if (len >= sizeof key->name || len < MED_FINGERPRINT_BYTES - 1)
        R1_FAIL(err, R1_E_INVAL, "%s: expected a name of 8 to %d characters, found %zu", where,
                MED_KEY_NAME_BYTES - 1, len);
    if (strlen(hex) != HEX_BYTES - 1 ||
        sodium_hex2bin(key->key, MED_KEY_BYTES, hex, HEX_BYTES - 1, NULL, &n, NULL) != 0 ||
        n != MED_KEY_BYTES)
        R1_FAIL(err, R1_E_INVAL, "%s: expected a key of %d hexadecimal digits behind its name",
                where, HEX_BYTES - 1);
    key_fingerprint(key->key, found);
    if (strcmp(name + len - strlen(found), found) != 0)
        R1_FAIL(err, R1_E_INVAL,
                "%s: expected a key with the fingerprint %s, as its name ends, found %s: a digit "
                "was mistyped, or it is another key",
                where, name + len - strlen(found), found);
    snprintf(key->name, sizeof key->name, "%s", name);
    return R1_OK;
}

static r1_status keys_line(med_keys *k, const char *where, char *line, r1_err *err)
{
    char *rest = NULL, *kind = strtok_r(line, " \t", &rest), *name = strtok_r(NULL, " \t", &rest),
         *hex = strtok_r(NULL, " \t", &rest);
    if (!kind || *kind == '#') return R1_OK;
    bool index = strcmp(kind, "index") == 0;
    if ((!index && strcmp(kind, "seal") != 0) || !name || !hex || strtok_r(NULL, " \t", &rest))
        R1_FAIL(err, R1_E_INVAL, "%s: expected \"index NAME KEY\" or \"seal NAME KEY\"", where);
    if (index && k->index.name[0])
        R1_FAIL(err, R1_E_INVAL, "%s: expected one line \"index\", found a second one", where);
    if (!index && (k->n_seal == MED_KEYS_MAX || keys_have(k, name)))
        R1_FAIL(err, R1_E_INVAL, "%s: expected at most %d keys, each once", where, MED_KEYS_MAX);
    R1_TRY(key_read(where, name, hex, index ? &k->index : &k->seal[k->n_seal], err));
    k->n_seal += !index;
    return R1_OK;
}

static r1_status keys_parse(med_keys *k, const char *path, char *text, r1_err *err)
{
    char *rest = NULL, where[300];
    size_t n = 0;
    for (char *line = text; line; line = rest) {
        rest = strchr(line, '\n');
        if (rest) *rest++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        snprintf(where, sizeof where, "%.260s:%zu", path, ++n);
        R1_TRY(keys_line(k, where, line, err));
    }
    if (k->index.name[0] && k->n_seal) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "%s: expected a line \"index\" and a line \"seal\": `r1-medical records key` makes "
            "such a file",
            path);
}

r1_status med_keys_open(med_keys **out, const char *path, r1_err *err)
{
    char *text = NULL;
    size_t len = 0;
    R1_TRY(med_sodium(err));
    R1_TRY(r1_file_private(path, err));
    R1_TRY(r1_file_read(path, FILE_BYTES_MAX, &text, &len, err));
    med_keys *k = sodium_malloc(sizeof *k);
    r1_status st = R1_OK;
    if (!k) st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no locked memory for the keys");
    if (k) memset(k, 0, sizeof *k);
    if (k) st = keys_parse(k, path, text, err);
    sodium_memzero(text, len);
    free(text);
    if (st == R1_OK)
        *out = k;
    else
        med_keys_free(k);
    return st;
}

void med_keys_free(med_keys *k)
{
    if (k) sodium_free(k); /* cleared by it */
}

const char *med_keys_name(const med_keys *k, size_t i)
{
    return i < k->n_seal ? k->seal[i].name : NULL;
}

/* ---- a fresh key ---- */

/* "KIND NAME HEX\n"; label "": the fingerprint alone is the name. */
static void key_make(FILE *f, const char *kind, const char *label, char name[MED_KEY_NAME_BYTES])
{
    unsigned char key[MED_KEY_BYTES];
    char hex[HEX_BYTES], print[MED_FINGERPRINT_BYTES];
    randombytes_buf(key, sizeof key);
    key_fingerprint(key, print);
    sodium_bin2hex(hex, sizeof hex, key, sizeof key);
    snprintf(name, MED_KEY_NAME_BYTES, "%.24s%s%s", label, *label ? "-" : "", print);
    fprintf(f, "%s %s %s\n", kind, name, hex);
    sodium_memzero(key, sizeof key);
    sodium_memzero(hex, sizeof hex);
}

static r1_status keys_label(const char *label, r1_err *err)
{
    static const char may[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(label);
    if (len == 0 || len > LABEL_BYTES_MAX || strspn(label, may) != len)
        R1_FAIL(err, R1_E_INVAL, "expected a label of 1 to %d letters, digits, \".\", \"_\", \"-\"",
                LABEL_BYTES_MAX);
    return R1_OK;
}

/* The old lines, whose keys keep their order, behind the fresh key. */
static r1_status keys_grown(const char *path, const char *label, char name[MED_KEY_NAME_BYTES],
                            char **text, size_t *len, r1_err *err)
{
    char *old = NULL, index[MED_KEY_NAME_BYTES];
    size_t old_len = 0;
    struct stat is;
    bool there = stat(path, &is) == 0;
    med_keys *k = NULL;
    if (there) {
        R1_TRY(med_keys_open(&k, path, err));
        bool full = k->n_seal == MED_KEYS_MAX;
        med_keys_free(k);
        if (full)
            R1_FAIL(err, R1_E_INVAL,
                    "%s: %d keys are there: take out those that seal nothing any more", path,
                    MED_KEYS_MAX);
        R1_TRY(r1_file_read(path, FILE_BYTES_MAX, &old, &old_len, err));
    }
    FILE *f = open_memstream(text, len);
    if (f && !there)
        fputs("# Keys of r1-medical. Who has this file reads what is sealed of patients. Without\n"
              "# it that is lost: keep a copy elsewhere than the database's.\n",
              f);
    if (f && !there) key_make(f, "index", "", index);
    if (f) key_make(f, "seal", label, name);
    if (f && there) fwrite(old, 1, old_len, f);
    if (old) sodium_memzero(old, old_len);
    free(old);
    if (f && fclose(f) == 0) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "no memory for a file of keys");
}

r1_status med_keys_add(const char *path, const char *label, char name[MED_KEY_NAME_BYTES],
                       r1_err *err)
{
    char *text = NULL;
    size_t len = 0;
    R1_TRY(med_sodium(err));
    R1_TRY(keys_label(label, err));
    R1_TRY(keys_grown(path, label, name, &text, &len, err));
    mode_t mask = umask(077); /* the file must be its owner's from its first byte on */
    r1_status st = r1_file_write(path, text, len, err);
    umask(mask);
    sodium_memzero(text, len);
    free(text);
    return st;
}
