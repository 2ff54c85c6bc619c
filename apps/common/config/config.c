/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - INI text to settings and back. The parser is inih; what a key means stands in the
 * program's table. */
#include "config/r1_config.h"

#include "text/nearest.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

/* A file of settings. inih would end at a zero byte, and what stands behind it would be lost. */
static r1_status config_text(const char *path, char **text, size_t *len, r1_err *err)
{
    R1_TRY(r1_file_read(path, 1 << 20, text, len, err));
    if (strlen(*text) == *len) return R1_OK;
    int line = 1;
    for (const char *c = *text; *c; c++) line += *c == '\n';
    free(*text);
    R1_FAIL(err, R1_E_INVAL, "%s:%d: expected text, found a zero byte: save the file as UTF-8",
            path, line);
}

typedef struct {
    r1_options *opts;
    const r1_config_table *others;
    size_t n_other;
    const char *path;
    const char *at; /* text that the parser has not read yet */
    int line;       /* that it read last, from 1 */
    int bad;        /* the first line at fault, 0: none yet; st and err tell of it */
    r1_status st;
    r1_err *err;
    r1_err *first; /* with `all`: the first mistake; may be NULL */
    FILE *all;     /* gets each mistake, and nothing stops; NULL: the first one stops */
    size_t n_all;
} load;

static bool key_is_of(const r1_option *row, const char *name)
{
    const char *a = row->name, *b = name;
    while (*a && (*a == *b || (*a == '-' && *b == '_'))) a++, b++;
    if (row->many) return row->section && !*a && b[0] == '.' && b[1];
    return row->section && !*a && (!*b || (row->secret && !strcmp(b, "_file")));
}

static const r1_option *config_row_of(const r1_options *o, const char *name)
{
    for (size_t i = 0; i < r1_options_count(o); i++)
        if (key_is_of(r1_options_row(o, i), name)) return r1_options_row(o, i);
    return NULL;
}

/* Of the tables that read the file too; the row whose section fits goes first. */
static const r1_option *other_row_of(const load *l, const char *section, const char *name)
{
    const r1_option *found = NULL;
    for (size_t t = 0; t < l->n_other; t++)
        for (size_t i = 0; i < l->others[t].n; i++) {
            const r1_option *row = &l->others[t].rows[i];
            if (!key_is_of(row, name)) continue;
            if (!strcmp(row->section, section)) return row;
            found = row;
        }
    return found;
}

/* A key that may stand on several lines is told so. */
static r1_status refuse_long(const load *l, int max)
{
    char name[64];
    const char *at = l->at + strspn(l->at, " \t");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(at, " \t=\n"), at);
    const r1_option *row = config_row_of(l->opts, name);
    R1_FAIL(l->err, R1_E_INVAL, "%s:%d: expected a line of at most %d bytes%s%s%s", l->path,
            l->line, max, row && row->joins ? ": go on in another line that begins with " : "",
            row && row->joins ? name : "", row && row->joins ? " =" : "");
}

static void note_mistake(load *l)
{
    if (!l->n_all && l->first) *l->first = *l->err;
    if (l->n_all++ < R1_CONFIG_MISTAKES_MAX) fprintf(l->all, "  %s\n", l->err->msg);
}

/* Hands inih one line, whose number the handler asks for. Blanks before a key go: inih would take
 * them for a value that goes on. Nothing is read behind the first key at fault. */
static char *read_line(char *out, int size, void *user)
{
    load *l = user;
    if (l->bad || !*l->at) return NULL;
    size_t whole = strcspn(l->at, "\n"), blank = strspn(l->at, " \t"),
           len = blank < whole ? whole - blank : 0;
    l->line++;
    bool comment = len && strchr("#;", l->at[blank]);
    if (len > (size_t)size - 2) {
        if (!comment) l->st = refuse_long(l, size - 2);
        if (!comment && !l->all) {
            l->bad = l->line;
            return NULL;
        }
        if (!comment) note_mistake(l);
        len = 0; /* nothing to read in it */
    }
    memcpy(out, l->at + blank, len);
    memcpy(out + len, "\n", 2);
    l->at += whole + (l->at[whole] == '\n');
    return out;
}

/* What inih would give back otherwise than it was written: it cuts " ;", and blanks at both ends. A
 * '#' that a blank stands before is refused, because nobody can tell whether it is a comment. */
static bool stands_in_file(const char *text)
{
    size_t len = strlen(text);
    if (!len || strchr("#; \t", *text) || strchr(" \t", text[len - 1])) return false;
    for (const char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r' || (strchr("#;", *c) && strchr(" \t", c[-1]))) return false;
    return true;
}

static r1_status refuse_comment(const load *l, const char *name, const char *value)
{
    const char *at = strchr(value, '#');
    while (at && at > value && !strchr(" \t", at[-1])) at = strchr(at + 1, '#');
    if (!at) return R1_OK;
    R1_FAIL(l->err, R1_E_INVAL,
            "%s:%d: %s: expected a comment on a line of its own or behind \" ;\", found \"%s\"",
            l->path, l->line, name, at);
}

static const char *entry_origin(const r1_options *o, const r1_option *row, const char *name)
{
    const char *key, *text, *origin;
    for (size_t i = 0; r1_options_entry(o, row->name, i, &key, &text, &origin); i++)
        if (!strcmp(key, name + strlen(row->name) + 1)) return origin;
    return NULL;
}

/* The line at which this file has set the row before, as text; NULL: it has not. A row's origin
 * tells it: by its key, or of a secret by KEY_file. */
static const char *set_before(const load *l, const r1_option *row, const char *name)
{
    const char *origin =
        row->many ? entry_origin(l->opts, row, name) : r1_options_origin(l->opts, row->name);
    size_t len = strlen(l->path);
    if (!origin || strncmp(origin, l->path, len) != 0 || origin[len] != ':') return NULL;
    return origin + len + 1;
}

static r1_status set_joined(const load *l, const r1_option *row, const char *name,
                            const char *value, const char *origin)
{
    const char *before = r1_options_str(l->opts, row->name);
    size_t size = strlen(before) + strlen(row->joins) + strlen(value) + 1;
    char *text = malloc(size);
    if (!text) R1_FAIL(l->err, R1_E_NOMEM, "%s: no memory for %s", origin, name);
    snprintf(text, size, "%s%s%s", before, row->joins, value);
    r1_status st = r1_options_set(l->opts, name, text, origin, l->err);
    free(text);
    return st;
}

static void key_name(const char *name, char *out, size_t size);

/* Of the keys that this file may have. */
static r1_status refuse_other_key(const load *l, const char *name)
{
    char best[64] = "", text[96];
    r1_nearest near = {.found = name};
    for (size_t t = 0; t <= l->n_other; t++) {
        size_t n = t ? l->others[t - 1].n : r1_options_count(l->opts);
        for (size_t i = 0; i < n; i++) {
            const r1_option *row = t ? &l->others[t - 1].rows[i] : r1_options_row(l->opts, i);
            char key[64];
            if (!row->section) continue;
            key_name(row->name, key, sizeof key);
            const char *before = near.best;
            r1_nearest_offer(&near, key);
            if (near.best == key) snprintf(best, sizeof best, "%s", key);
            near.best = near.best == key ? best : before;
        }
    }
    R1_FAIL(l->err, R1_E_INVAL, "%s:%d: unknown key \"%s\"%s", l->path, l->line, name,
            r1_nearest_text(&near, text, sizeof text));
}

static r1_status set_key(load *l, const char *section, const char *name, const char *value)
{
    char origin[512];
    snprintf(origin, sizeof origin, "%s:%d", l->path, l->line);
    const r1_option *row = config_row_of(l->opts, name), *other = other_row_of(l, section, name);
    bool ours = row && !strcmp(row->section, section);
    if (!ours && other && !strcmp(other->section, section)) return R1_OK;
    if (!row) row = other;
    if (!row) return refuse_other_key(l, name);
    if (!ours)
        R1_FAIL(l->err, R1_E_INVAL, "%s: key \"%s\" belongs to section [%s], found in [%s]", origin,
                name, row->section, section);
    const char *before = set_before(l, row, name);
    if (before && !row->joins)
        R1_FAIL(l->err, R1_E_INVAL, "%s: %s: expected the key once, found it at line %s too",
                origin, name, before);
    R1_TRY(refuse_comment(l, name, value));
    if (before) return set_joined(l, row, name, value, origin);
    return r1_options_set(l->opts, name, value, origin, l->err);
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
    load *l = user;
    if (l->bad) return 0;
    l->st = set_key(l, section, name, value);
    if (l->st != R1_OK && l->all) note_mistake(l);
    if (l->all) return 1;
    if (l->st != R1_OK) l->bad = l->line;
    return l->st == R1_OK;
}

r1_status r1_config_load_all(r1_options *o, const r1_config_table *others, size_t n,
                             const char *path, FILE *out, size_t *n_mistake, r1_err *err)
{
    char *text;
    size_t len;
    r1_err why = {0};
    *n_mistake = 0;
    R1_TRY(config_text(path, &text, &len, err));
    load l = {.opts = o,
              .others = others,
              .n_other = n,
              .path = path,
              .err = &why,
              .first = err,
              .at = text,
              .all = out};
    int line = ini_parse_stream(read_line, &l, on_key, &l);
    if (line > 0) {
        const char *what = "expected [section] or key = value";
        fprintf(out, "  %s:%d: %s\n", path, line, what);
        if (!l.n_all++)
            (void)r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__, "%s:%d: %s", path, line, what);
    }
    if (l.n_all > R1_CONFIG_MISTAKES_MAX)
        fprintf(out, "  and %zu more\n", l.n_all - R1_CONFIG_MISTAKES_MAX);
    free(text);
    *n_mistake = l.n_all;
    return l.n_all ? R1_E_INVAL : R1_OK;
}

size_t r1_config_mistakes(const r1_option *table, size_t n_row, const r1_config_table *others,
                          size_t n, const char *path, FILE *out)
{
    r1_options *o;
    size_t found;
    if (r1_options_new(&o, table, n_row, NULL) != R1_OK) return 0;
    (void)r1_config_load_all(o, others, n, path, out, &found, NULL);
    r1_options_free(o);
    return found;
}

/* A line that inih could not read may stand above the key at fault: the first one is reported. */
r1_status r1_config_load(r1_options *o, const r1_config_table *others, size_t n, const char *path,
                         r1_err *err)
{
    char *text;
    size_t len;
    R1_TRY(config_text(path, &text, &len, err));
    load l = {.opts = o, .others = others, .n_other = n, .path = path, .err = err, .at = text};
    int line = ini_parse_stream(read_line, &l, on_key, &l);
    free(text);
    if (line < 0) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read it", path);
    if (line > 0 && (!l.bad || line < l.bad))
        R1_FAIL(err, R1_E_INVAL, "%s:%d: expected [section] or key = value", path, line);
    return l.st;
}

static void key_name(const char *name, char *out, size_t size)
{
    size_t i = 0;
    for (; name[i] && i + 1 < size; i++) out[i] = name[i] == '-' ? '_' : name[i];
    out[i] = 0;
}

void r1_config_sample(const r1_option *table, size_t n, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < n; i++) {
        const r1_option *row = &table[i];
        char key[128], range[64];
        if (!row->section) continue;
        if (strcmp(section, row->section) != 0)
            fprintf(out, "%s[%s]\n", *section ? "\n" : "", row->section);
        section = row->section;
        key_name(row->name, key, sizeof key);
        fprintf(out, "# %s%s%s%s", row->help, row->unit ? " [" : "", row->unit ? row->unit : "",
                row->unit ? "]" : "");
        if (row->choices) fprintf(out, "; one of %s", row->choices);
        r1_option_range(row, range, sizeof range);
        fprintf(out, "%s%s", *range ? "; " : "", range);
        if (row->secret)
            fprintf(out,
                    "; secret: better in a file of its own\n#%s =\n"
                    "#%s_file = /path/to/a/file/that/holds/it\n",
                    key, key);
        else if (row->many)
            fprintf(out, "\n#%s.NAME =\n", key);
        else if (row->def)
            fprintf(out, "\n%s = %s\n", key, row->def);
        else
            fprintf(out, "\n#%s =\n", key);
    }
}

/* A text of KEY=value words, with the values of secret keys as ***; NULL: it has none. */
static char *hidden_words(const r1_option *row, const char *text)
{
    char *out = row->secret_keys && text ? calloc(1, 4 * strlen(text) + 1) : NULL, *to = out;
    bool hides = false;
    for (const char *at = text; out && *at;) {
        size_t blank = strspn(at, " \t"), len = strcspn(at + blank, " \t"),
               name = strcspn(at + blank, "= \t");
        char key[128] = "";
        if (name < sizeof key) memcpy(key, at + blank, name);
        bool secret = name < len && r1_option_hides(row, key);
        size_t keep = blank + (secret ? name + 1 : len);
        memcpy(to, at, keep);
        to += keep;
        if (secret) memcpy(to, "***", 3), to += 3;
        hides |= secret;
        at += blank + len;
    }
    if (hides) return out;
    free(out);
    return NULL;
}

static void dump_entries(const r1_options *o, const r1_option *row, FILE *out)
{
    char name[128];
    const char *key, *text, *origin;
    key_name(row->name, name, sizeof name);
    size_t i = 0;
    for (; r1_options_entry(o, row->name, i, &key, &text, &origin); i++) {
        bool secret = row->secret || r1_option_hides(row, key),
             held = !secret && stands_in_file(text);
        fprintf(out, "# %s%s\n%s%s.%s = %.*s\n", origin,
                held || secret ? "" : "; a file cannot hold this value", held ? "" : "#", name, key,
                secret ? 3 : (int)strcspn(text, "\r\n"), secret ? "***" : text);
    }
    if (!i) fprintf(out, "# not set\n#%s.NAME =\n", name);
}

/* A secret, and what a file cannot hold, stand behind '#': no reader takes them for values. */
static void dump_setting(const r1_option *row, const char *text, const char *origin, FILE *out)
{
    char key[128];
    key_name(row->name, key, sizeof key);
    bool held = text && !row->secret && stands_in_file(text);
    const char *shown = !text ? "" : row->secret ? "***" : text;
    fprintf(out, "# %s%s\n%s%s = %.*s\n", origin ? origin : "not set",
            text && !held && !row->secret ? "; a file cannot hold this value" : "", held ? "" : "#",
            key, (int)strcspn(shown, "\r\n"), shown);
}

void r1_config_dump(const r1_options *o, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < r1_options_count(o); i++) {
        const r1_option *row = r1_options_row(o, i);
        if (!row->section) continue;
        if (strcmp(section, row->section) != 0)
            fprintf(out, "%s[%s]\n", *section ? "\n" : "", row->section);
        section = row->section;
        if (row->many) {
            dump_entries(o, row, out);
            continue;
        }
        const char *text = r1_options_str(o, row->name);
        char *hidden = hidden_words(row, text);
        r1_option shown = *row;
        shown.secret |= hidden != NULL;
        dump_setting(&shown, text, r1_options_origin(o, row->name), out);
        if (hidden) fprintf(out, "# %s\n", hidden);
        free(hidden);
    }
}
