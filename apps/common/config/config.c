/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - INI text to settings and back. The parser is inih; what a key means stands in the
 * program's table. */
#include "config/r1_config.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    r1_options *opts;
    const char *path;
    r1_err *err;
    r1_status st;
    const char *text; /* whole file, to find the line of a key */
} load;

static const r1_option *config_row_of(const r1_options *o, const char *name)
{
    for (size_t i = 0; i < r1_options_count(o); i++) {
        const char *a = r1_options_row(o, i)->name, *b = name;
        while (*a && (*a == *b || (*a == '-' && *b == '_'))) a++, b++;
        if (!*a && (!*b || !strcmp(b, "_file"))) return r1_options_row(o, i);
    }
    return NULL;
}

/* inih's default build tells no line numbers to the handler: count the lines up to "key" after
 * "[section]". */
static int line_of(const char *text, const char *section, const char *key)
{
    int line = 0;
    bool inside = false;
    size_t sl = strlen(section), kl = strlen(key);
    for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        line++;
        const char *s = p + strspn(p, " \t");
        if (*s == '[') inside = !strncmp(s + 1, section, sl) && s[1 + sl] == ']';
        if (inside && !strncmp(s, key, kl) && strchr(" \t=:", s[kl])) return line;
    }
    return line;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
    load *l = user;
    char origin[512];
    snprintf(origin, sizeof origin, "%s:%d", l->path, line_of(l->text, section, name));
    const r1_option *row = config_row_of(l->opts, name);
    if (!row || !row->section)
        l->st = r1_err_set(l->err, R1_E_INVAL, __FILE__, __LINE__, "%s: unknown key \"%s\"", origin,
                           name);
    else if (strcmp(row->section, section) != 0)
        l->st = r1_err_set(l->err, R1_E_INVAL, __FILE__, __LINE__,
                           "%s: key \"%s\" belongs to section [%s], found in [%s]", origin, name,
                           row->section, section);
    else
        l->st = r1_options_set(l->opts, name, value, origin, l->err);
    return l->st == R1_OK;
}

r1_status r1_config_load(r1_options *o, const char *path, r1_err *err)
{
    char *text;
    size_t len;
    R1_TRY(r1_file_read(path, 1 << 20, &text, &len, err));
    load l = {.opts = o, .path = path, .err = err, .text = text};
    int line = ini_parse_string(text, on_key, &l);
    free(text);
    if (l.st != R1_OK) return l.st;
    if (line > 0) R1_FAIL(err, R1_E_INVAL, "%s:%d: expected [section] or key = value", path, line);
    if (line < 0) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read it", path);
    return R1_OK;
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
        char key[128];
        if (!row->section) continue;
        if (strcmp(section, row->section) != 0)
            fprintf(out, "%s[%s]\n", *section ? "\n" : "", row->section);
        section = row->section;
        key_name(row->name, key, sizeof key);
        fprintf(out, "# %s%s%s%s", row->help, row->unit ? " [" : "", row->unit ? row->unit : "",
                row->unit ? "]" : "");
        if (row->choices) fprintf(out, "; one of %s", row->choices);
        if (row->min != 0 || row->max != 0) fprintf(out, "; %g..%g", row->min, row->max);
        if (row->secret)
            fprintf(out, "\n#%s_file = /path/to/a/file/that/holds/it\n", key);
        else if (row->def)
            fprintf(out, "\n%s = %s\n", key, row->def);
        else
            fprintf(out, "\n#%s =\n", key);
    }
}

void r1_config_dump(const r1_options *o, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < r1_options_count(o); i++) {
        const r1_option *row = r1_options_row(o, i);
        char key[128];
        if (!row->section) continue;
        if (strcmp(section, row->section) != 0) fprintf(out, "[%s]\n", row->section);
        section = row->section;
        key_name(row->name, key, sizeof key);
        const char *text = r1_options_str(o, row->name), *origin = r1_options_origin(o, row->name);
        fprintf(out, "%s%s = %s  # %s\n", text ? "" : "#", key,
                row->secret && text ? "***"
                : text              ? text
                                    : "",
                origin ? origin : "not set");
    }
}
