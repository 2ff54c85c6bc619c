/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - values over a static table of settings. A value is checked when it is set, so that
 * the message can name its origin. Reading it later cannot fail. */
#include "config/r1_options.h"

#include "r1_assert.h"
#include "text/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    char *key, *text, *origin; /* owned */
    bool from_file;
} many_entry;

typedef struct {
    char *text, *origin; /* owned; text NULL: absent */
    int64_t i;
    double f;
    bool from_file;    /* a secret out of a file of its own, which its owner alone can read */
    many_entry *entry; /* of a row that is `many` */
    size_t n_entry;
} value;

struct r1_options {
    const r1_option *table;
    size_t n;
    value *values;
};

static bool name_equal(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        char x = *a == '_' ? '-' : (char)tolower((unsigned char)*a),
             y = *b == '_' ? '-' : (char)tolower((unsigned char)*b);
        if (x != y) return false;
    }
    return *a == *b;
}

static size_t options_find(const r1_options *o, const char *name)
{
    size_t i = 0;
    while (i < o->n && !name_equal(o->table[i].name, name)) i++;
    return i;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (!strncmp(c, text, len) && (c[len] == '|' || !c[len]))
            return len > 0 && !strchr(text, '|');
    return false;
}

/* A whole number whole, whatever its size: 1048576, not 1.04858e+06. */
static void number_text(double v, char text[32])
{
    bool whole = v > -1e15 && v < 1e15 && v == (double)(int64_t)v;
    snprintf(text, 32, whole ? "%.0f" : "%g", v);
}

void r1_option_range(const r1_option *row, char *text, size_t size)
{
    char min[32], max[32];
    if (size) *text = 0;
    if ((row->min == 0 && row->max == 0) || !size) return;
    number_text(row->min, min);
    number_text(row->max, max);
    snprintf(text, size, "%s..%s", min, max);
}

static r1_status options_number(const r1_option *row, const char *text, const char *origin,
                                value *v, r1_err *err)
{
    char *end;
    errno = 0;
    if (row->type == R1_OPT_INT) {
        v->i = strtoll(text, &end, 10);
        v->f = (double)v->i;
    } else {
        v->f = strtod(text, &end);
    }
    const char *kind = row->type == R1_OPT_INT ? "a whole number" : "a number";
    if (end == text || *end || errno || v->f != v->f)
        R1_FAIL(err, R1_E_INVAL, "%s: %s must be %s%s%s, found \"%s\"", origin, row->name, kind,
                row->unit ? " in " : "", row->unit ? row->unit : "", text);
    char range[64];
    r1_option_range(row, range, sizeof range);
    if (*range && (v->f < row->min || v->f > row->max))
        R1_FAIL(err, R1_E_INVAL, "%s: %s must lie in %s%s%s, found %s", origin, row->name, range,
                row->unit ? " " : "", row->unit ? row->unit : "", text);
    return R1_OK;
}

static r1_status options_check(const r1_option *row, const char *text, const char *origin, value *v,
                               r1_err *err)
{
    switch (row->type) {
    case R1_OPT_INT:
    case R1_OPT_FLOAT: return options_number(row, text, origin, v, err);
    case R1_OPT_BOOL:
        if (is_choice("true|yes|on|1", text))
            v->i = 1;
        else if (is_choice("false|no|off|0", text))
            v->i = 0;
        else
            R1_FAIL(err, R1_E_INVAL, "%s: %s must be true or false, found \"%s\"", origin,
                    row->name, text);
        return R1_OK;
    case R1_OPT_ENUM:
        if (!is_choice(row->choices, text))
            R1_FAIL(err, R1_E_INVAL, "%s: %s must be one of %s, found \"%s\"", origin, row->name,
                    row->choices, text);
        return R1_OK;
    case R1_OPT_STRING:
    case R1_OPT_PATH: return R1_OK;
    }
    return R1_OK;
}

static const char command_line[] = "command line";

/* A file has a key once, and so has the command line: the second one would win in silence. */
static r1_status refuse_twice(const char *before, const char *origin, const char *name,
                              const char *key, r1_err *err)
{
    if (!before || strcmp(before, command_line) != 0 || strcmp(origin, command_line) != 0)
        return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "%s: expected --%s%s%.60s once, found it twice", origin, name,
            *key ? "." : "", key);
}

static r1_status options_store(const r1_option *row, value *v, const char *text, const char *origin,
                               r1_err *err)
{
    value fresh = {0};
    R1_TRY(refuse_twice(v->origin, origin, row->name, "", err));
    R1_TRY(options_check(row, text, origin, &fresh, err));
    fresh.text = strdup(text);
    fresh.origin = strdup(origin);
    if (!fresh.text || !fresh.origin) {
        free(fresh.text);
        free(fresh.origin);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the setting %s", row->name);
    }
    free(v->text);
    free(v->origin);
    fresh.entry = v->entry;
    fresh.n_entry = v->n_entry;
    *v = fresh;
    return R1_OK;
}

r1_status r1_options_new(r1_options **out, const r1_option *table, size_t n, r1_err *err)
{
    r1_options *o = calloc(1, sizeof *o);
    value *values = calloc(n ? n : 1, sizeof *values);
    if (!o || !values) {
        free(o);
        free(values);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %zu settings", n);
    }
    *o = (r1_options){.table = table, .n = n, .values = values};
    for (size_t i = 0; i < n; i++) {
        if (!table[i].def) continue;
        r1_status st = options_store(&table[i], &values[i], table[i].def, "default", err);
        if (st != R1_OK) {
            r1_options_free(o);
            return st;
        }
    }
    *out = o;
    return R1_OK;
}

static void free_entry(many_entry *e)
{
    free(e->key);
    free(e->text);
    free(e->origin);
}

void r1_options_free(r1_options *o)
{
    if (!o) return;
    for (size_t i = 0; i < o->n; i++) {
        for (size_t k = 0; k < o->values[i].n_entry; k++) free_entry(&o->values[i].entry[k]);
        free(o->values[i].entry);
        free(o->values[i].text);
        free(o->values[i].origin);
    }
    free(o->values);
    free(o);
}

/* Whoever may read a file that holds a secret has the secret. */
r1_status r1_file_private(const char *path, r1_err *err)
{
    struct stat is;
    if (stat(path, &is) != 0 || !S_ISREG(is.st_mode) || !(is.st_mode & 077)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "%s: expected a file that its owner alone can read, because it holds a secret, found "
            "mode %03o: chmod 600",
            path, (unsigned)(is.st_mode & 0777));
}

/* The first line of a file that holds a secret; the caller clears and frees it. */
static r1_status read_secret(const char *path, char **data, size_t *len, r1_err *err)
{
    R1_TRY(r1_file_private(path, err));
    R1_TRY(r1_file_read(path, 64 * 1024, data, len, err));
    (*data)[strcspn(*data, "\r\n")] = 0;
    return R1_OK;
}

/* NAME-file of a secret row: the value is the first line of that file. */
static r1_status set_secret_file(r1_options *o, size_t i, const char *path, const char *origin,
                                 r1_err *err)
{
    char *data;
    size_t len;
    r1_status st = read_secret(path, &data, &len, err);
    if (st != R1_OK) return r1_err_prefix(err, "%s: %s-file: ", origin, o->table[i].name), st;
    st = options_store(&o->table[i], &o->values[i], data, origin, err);
    o->values[i].from_file = st == R1_OK;
    memset(data, 0, len);
    free(data);
    return st;
}

static size_t find_secret(const r1_options *o, const char *name)
{
    size_t len = strlen(name);
    if (len < 6 || !name_equal(name + len - 5, "-file")) return o->n;
    char base[128];
    if (len - 5 >= sizeof base) return o->n;
    memcpy(base, name, len - 5);
    base[len - 5] = 0;
    size_t i = options_find(o, base);
    return i < o->n && o->table[i].secret ? i : o->n;
}

/* "list.mules": the row `list`, where it is `many`; *key begins behind the first point. */
static size_t find_many(const r1_options *o, const char *name, const char **key)
{
    const char *point = strchr(name, '.');
    char base[128];
    if (!point || !point[1] || (size_t)(point - name) >= sizeof base) return o->n;
    memcpy(base, name, (size_t)(point - name));
    base[point - name] = 0;
    *key = point + 1;
    size_t i = options_find(o, base);
    return i < o->n && o->table[i].many ? i : o->n;
}

static bool names_file(const r1_option *row, const char *key)
{
    size_t len = strlen(key);
    return len > 5 && name_equal(key + len - 5, "-file") && r1_option_hides(row, key);
}

static r1_status set_many(r1_options *o, size_t i, const char *key, const char *text,
                          const char *origin, r1_err *err)
{
    value *v = &o->values[i];
    size_t k = 0;
    while (k < v->n_entry && strcmp(v->entry[k].key, key) != 0) k++;
    if (k < v->n_entry)
        R1_TRY(refuse_twice(v->entry[k].origin, origin, o->table[i].name, key, err));
    many_entry fresh = {strdup(key), strdup(text), strdup(origin), false};
    if (!v->entry) v->entry = calloc(R1_OPTION_ENTRIES_MAX, sizeof *v->entry);
    bool full = k == R1_OPTION_ENTRIES_MAX, made = fresh.key && fresh.text && fresh.origin;
    if (full || !made || !v->entry) {
        free_entry(&fresh);
        if (!full) R1_FAIL(err, R1_E_NOMEM, "no memory for the setting %s", o->table[i].name);
        R1_FAIL(err, R1_E_INVAL, "%s: expected at most %d settings %s.NAME, found more", origin,
                R1_OPTION_ENTRIES_MAX, o->table[i].name);
    }
    if (k < v->n_entry)
        free_entry(&v->entry[k]);
    else
        v->n_entry++;
    v->entry[k] = fresh;
    return R1_OK;
}

/* KEY_file of a secret KEY: the value is the first line of that file. */
static r1_status set_many_file(r1_options *o, size_t i, const char *key, const char *path,
                               const char *origin, r1_err *err)
{
    char base[128], *data;
    size_t len = strlen(key) - 5, bytes;
    if (len >= sizeof base) R1_FAIL(err, R1_E_INVAL, "%s: unknown setting \"%.40s\"", origin, key);
    memcpy(base, key, len);
    base[len] = 0;
    r1_status st = read_secret(path, &data, &bytes, err);
    if (st != R1_OK) return r1_err_prefix(err, "%s: %s.%s: ", origin, o->table[i].name, key), st;
    st = set_many(o, i, base, data, origin, err);
    many_entry *e = o->values[i].entry;
    for (size_t k = 0; st == R1_OK && k < o->values[i].n_entry; k++)
        if (!strcmp(e[k].key, base)) e[k].from_file = true;
    memset(data, 0, bytes);
    free(data);
    return st;
}

r1_status r1_options_set(r1_options *o, const char *name, const char *text, const char *origin,
                         r1_err *err)
{
    const char *key;
    size_t i = options_find(o, name), many = find_many(o, name, &key);
    if (many < o->n && names_file(&o->table[many], key))
        return set_many_file(o, many, key, text, origin, err);
    if (many < o->n) return set_many(o, many, key, text, origin, err);
    if (i < o->n && o->table[i].many)
        R1_FAIL(err, R1_E_INVAL, "%s: expected a setting %s.NAME, found %s alone", origin, name,
                name);
    if (i == o->n) {
        i = find_secret(o, name);
        if (i < o->n) return set_secret_file(o, i, text, origin, err);
        R1_FAIL(err, R1_E_INVAL, "%s: unknown setting \"%s\"", origin, name);
    }
    return options_store(&o->table[i], &o->values[i], text, origin, err);
}

/* "--graph false": the word behind a switch would be an operand, and the switch on. */
static r1_status refuse_word(const char *name, const char *next, r1_err *err)
{
    if (!next || !is_choice("true|yes|on|1|false|no|off|0", next)) return R1_OK;
    bool off = is_choice("false|no|off|0", next), negative = !strncmp(name, "no-", 3);
    char plain[160] = "";
    if (!off || !negative) snprintf(plain, sizeof plain, "--%s%s or ", off ? "no-" : "", name);
    R1_FAIL(err, R1_E_INVAL, "command line: expected %s--%s=%s, found --%s %s", plain, name, next,
            name, next);
}

static r1_status parse_switch(r1_options *o, const char *name, const char *eq, const char *next,
                              r1_err *err)
{
    if (!eq) R1_TRY(refuse_word(name, next, err));
    return r1_options_set(o, name, eq ? eq + 1 : "true", command_line, err);
}

/* --no-NAME of a switch NAME: it has no value of its own. */
static r1_status parse_off(r1_options *o, const char *name, const char *eq, const char *next,
                           r1_err *err)
{
    bool word = !eq && next && is_choice("true|yes|on|1|false|no|off|0", next);
    if (eq || word)
        R1_FAIL(err, R1_E_INVAL, "command line: expected --no-%s or --%s=true, found --no-%s%s%s",
                name, name, name, eq ? "=" : " ", eq ? eq + 1 : next);
    return r1_options_set(o, name, "false", command_line, err);
}

static bool is_switch(const r1_options *o, const char *name)
{
    size_t i = options_find(o, name);
    return i < o->n && o->table[i].type == R1_OPT_BOOL;
}

static r1_status unknown_option(const r1_options *o, const char *name, r1_err *err)
{
    char meant[160] = "", off[128];
    bool negative = !strncmp(name, "no-", 3);
    r1_nearest near = {.found = name}, near_off = {.found = name + 3 * negative};
    for (size_t i = 0; i < o->n; i++) {
        r1_nearest_offer(&near, o->table[i].name);
        if (negative && o->table[i].type == R1_OPT_BOOL)
            r1_nearest_offer(&near_off, o->table[i].name);
    }
    if (near_off.best && (!near.best || near_off.distance < near.distance)) {
        snprintf(off, sizeof off, "no-%s", near_off.best);
        near.best = off;
    }
    if (near.best) snprintf(meant, sizeof meant, "; did you mean --%s?", near.best);
    R1_FAIL(err, R1_E_INVAL, "command line: option --%s is not known%s%s", name, meant,
            *meant ? " --help lists all" : "; --help lists them");
}

/* One argument that starts with "--"; *used tells whether it took the next one as its value. */
static r1_status parse_one(r1_options *o, const char *arg, const char *next, bool *used,
                           r1_err *err)
{
    char name[128];
    const char *eq = strchr(arg, '=');
    size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
    *used = false;
    if (len >= sizeof name)
        R1_FAIL(err, R1_E_INVAL, "command line: option --%.40s... is not known", arg);
    memcpy(name, arg, len);
    name[len] = 0;
    size_t i = options_find(o, name);
    if (is_switch(o, name)) return parse_switch(o, name, eq, next, err);
    if (i == o->n && !strncmp(name, "no-", 3) && is_switch(o, name + 3))
        return parse_off(o, name + 3, eq, next, err);
    const char *key;
    if (i == o->n && find_secret(o, name) == o->n && find_many(o, name, &key) == o->n)
        return unknown_option(o, name, err);
    if (!eq && !next) R1_FAIL(err, R1_E_INVAL, "command line: option --%s needs a value", name);
    *used = !eq;
    return r1_options_set(o, name, eq ? eq + 1 : next, command_line, err);
}

r1_status r1_options_parse(r1_options *o, int argc, char **argv, const char **rest, size_t *n_rest,
                           r1_err *err)
{
    *n_rest = 0;
    bool plain = false;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (!plain && !strcmp(arg, "--")) {
            plain = true;
        } else if (!plain && arg[0] == '-' && arg[1] == '-') {
            bool used;
            R1_TRY(parse_one(o, arg + 2, i + 1 < argc ? argv[i + 1] : NULL, &used, err));
            i += used;
        } else if (!plain && arg[0] == '-' && arg[1]) {
            R1_FAIL(err, R1_E_INVAL, "command line: option %s is not known; --help lists them",
                    arg);
        } else {
            rest[(*n_rest)++] = arg;
        }
    }
    return R1_OK;
}

/* The option that a row's `only` asks about. */
static const char *only_name(const r1_option *row, char name[64])
{
    const char *text = row->only + (*row->only == '!');
    snprintf(name, 64, "%.*s", (int)strcspn(text, "="), text);
    return name;
}

static bool only_holds(const r1_options *o, const r1_option *row)
{
    char name[64];
    const char *found = r1_options_str(o, only_name(row, name)), *eq = strchr(row->only, '=');
    if (eq) return found && is_choice(eq + 1, found);
    return (found != NULL) != (*row->only == '!');
}

void r1_option_only(const r1_option *row, char *text, size_t size)
{
    char name[64];
    if (size) *text = 0;
    if (!row->only || !size) return;
    const char *eq = strchr(row->only, '=');
    int n = snprintf(text, size, "only with%s --%s", *row->only == '!' ? "out" : "",
                     only_name(row, name));
    for (const char *c = eq ? eq + 1 : ""; *c && n >= 0 && (size_t)n < size;) {
        int len = (int)strcspn(c, "|");
        n += snprintf(text + n, size - (size_t)n, "%s%.*s", c == eq + 1 ? " " : ", ", len, c);
        c += len + (c[len] == '|');
    }
}

static const value *options_get(const r1_options *o, const char *name)
{
    size_t i = options_find(o, name);
    R1_ASSERT(i < o->n, "no row of the table of %zu settings is \"%s\"", o->n, name);
    return &o->values[i];
}

/* A secret comes from a file that its owner alone can read: others see a command line, and an
 * environment is handed on. */
static r1_status origin_is_private(const char *name, const char *origin, r1_err *err)
{
    const char *colon = strrchr(origin, ':');
    char path[4096];
    if (!strcmp(origin, "default")) return R1_OK;
    if (!colon || (size_t)(colon - origin) >= sizeof path)
        R1_FAIL(
            err, R1_E_INVAL,
            "%s: expected its secret in a file of mode 600, which %s_file names or which is the "
            "settings file, found it in the %s",
            name, name, origin);
    memcpy(path, origin, (size_t)(colon - origin));
    path[colon - origin] = 0;
    return r1_file_private(path, err);
}

r1_status r1_options_private(const r1_options *o, const char *name, r1_err *err)
{
    const value *v = options_get(o, name);
    return v->from_file || !v->text ? R1_OK : origin_is_private(name, v->origin, err);
}

/* Whether a text of KEY=value words has a secret KEY. */
static bool has_secret_word(const r1_option *row, const char *text)
{
    for (const char *at = text; *at;) {
        at += strspn(at, " \t");
        size_t len = strcspn(at, " \t"), name = strcspn(at, "= \t");
        char key[128] = "";
        if (name < sizeof key) memcpy(key, at, name);
        if (name < len && r1_option_hides(row, key)) return true;
        at += len;
    }
    return false;
}

static r1_status check_secrets(const r1_options *o, size_t i, r1_err *err)
{
    const r1_option *row = &o->table[i];
    const value *v = &o->values[i];
    char name[192];
    if (!row->secret_keys) return R1_OK;
    for (size_t k = 0; k < v->n_entry; k++) {
        snprintf(name, sizeof name, "%s.%s", row->name, v->entry[k].key);
        if (!v->entry[k].from_file && r1_option_hides(row, v->entry[k].key))
            R1_TRY(origin_is_private(name, v->entry[k].origin, err));
    }
    return v->text && has_secret_word(row, v->text) ? r1_options_private(o, row->name, err) : R1_OK;
}

r1_status r1_options_check(const r1_options *o, r1_err *err)
{
    for (size_t i = 0; i < o->n; i++) R1_TRY(check_secrets(o, i, err));
    for (size_t i = 0; i < o->n; i++) {
        const r1_option *row = &o->table[i];
        const value *v = &o->values[i];
        char name[64], only[160], found[96] = "";
        if (!row->only || !v->text || !strcmp(v->origin, "default") || only_holds(o, row)) continue;
        if (strchr(row->only, '=')) {
            const char *mode = r1_options_str(o, only_name(row, name));
            snprintf(found, sizeof found, ", found --%s %s", name, mode ? mode : "(none)");
        }
        r1_option_only(row, only, sizeof only);
        R1_FAIL(err, R1_E_INVAL, "%s: --%s is used %s%s", v->origin, row->name, only, found);
    }
    return R1_OK;
}

bool r1_option_env_name(const r1_option *row, char *name, size_t size)
{
    size_t k = (size_t)snprintf(name, size, "R1_");
    if (!row->section || row->many) return false;
    for (const char *s = row->name; *s && k < size - 1; s++)
        name[k++] = *s == '-' ? '_' : (char)toupper((unsigned char)*s);
    name[k] = 0;
    return true;
}

r1_status r1_options_env(r1_options *o, r1_err *err)
{
    for (size_t i = 0; i < o->n; i++) {
        char key[128];
        if (!r1_option_env_name(&o->table[i], key, sizeof key)) continue;
        const char *text = getenv(key);
        if (text) R1_TRY(r1_options_set(o, o->table[i].name, text, "environment", err));
    }
    return R1_OK;
}

bool r1_options_has(const r1_options *o, const char *name)
{
    return options_get(o, name)->text != NULL;
}
bool r1_options_bool(const r1_options *o, const char *name) { return options_get(o, name)->i != 0; }
int64_t r1_options_int(const r1_options *o, const char *name) { return options_get(o, name)->i; }
double r1_options_float(const r1_options *o, const char *name) { return options_get(o, name)->f; }
const char *r1_options_str(const r1_options *o, const char *name)
{
    return options_get(o, name)->text;
}
const char *r1_options_origin(const r1_options *o, const char *name)
{
    return options_get(o, name)->origin;
}
bool r1_options_entry(const r1_options *o, const char *name, size_t i, const char **key,
                      const char **text, const char **origin)
{
    const value *v = options_get(o, name);
    if (i >= v->n_entry) return false;
    *key = v->entry[i].key;
    *text = v->entry[i].text;
    if (origin) *origin = v->entry[i].origin;
    return true;
}

bool r1_option_hides(const r1_option *row, const char *key)
{
    for (const char *c = row->secret_keys; c && *c;) {
        size_t len = strcspn(c, "|");
        for (const char *at = key; *at; at++)
            if (!strncmp(at, c, len)) return true;
        c += len + (c[len] == '|');
    }
    return false;
}

size_t r1_options_count(const r1_options *o) { return o->n; }
const r1_option *r1_options_row(const r1_options *o, size_t index) { return &o->table[index]; }

void r1_options_help(const r1_option *table, size_t n, FILE *out)
{
    static const char *const metavar[] = {"", " N", " X", " TEXT", " PATH", ""};
    for (size_t i = 0; i < n; i++) {
        const r1_option *row = &table[i];
        char left[160];
        snprintf(left, sizeof left, "--%s%s%s%s", row->name, row->many ? ".NAME" : "",
                 row->type == R1_OPT_ENUM ? " " : metavar[row->type],
                 row->type == R1_OPT_ENUM ? row->choices : "");
        fprintf(out, "  %-34s %s", left, row->help);
        if (row->unit) fprintf(out, " [%s]", row->unit);
        if (row->def && !row->secret && row->type != R1_OPT_BOOL)
            fprintf(out, " (default %s)", row->def);
        if (row->type == R1_OPT_BOOL && row->def && is_choice("true|yes|on|1", row->def))
            fprintf(out, " (default %s; --no-%s turns it off)", row->def, row->name);
        r1_option_only(row, left, sizeof left);
        if (*left) fprintf(out, " (%s)", left);
        fputc('\n', out);
        if (!row->secret) continue;
        snprintf(left, sizeof left, "--%s-file PATH", row->name);
        fprintf(out, "  %-34s the same, read from a file\n", left);
    }
}
