/* SPDX-License-Identifier: Apache-2.0 */
/* figures.c - the flat map of named numbers that every eval and bench command prints, as a table
 * or as one JSON object. */
#include "cli/r1_cli.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

struct r1_figures {
    json_t *root, *figures; /* figures is borrowed from root */
};

r1_figures *r1_figures_new(const char *command)
{
    r1_figures *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->root = json_object();
    f->figures = json_object();
    json_object_set_new(f->root, "command", json_string(command));
    json_object_set_new(f->root, "figures", f->figures);
    return f;
}

void r1_figures_free(r1_figures *f)
{
    if (!f) return;
    json_decref(f->root);
    free(f);
}

void r1_figures_add(r1_figures *f, const char *name, double value)
{
    json_object_set_new(f->figures, name, isfinite(value) ? json_real(value) : json_null());
}

void r1_figures_note(r1_figures *f, const char *key, const char *value)
{
    json_object_set_new(f->root, key, json_string(value));
}

/* "AMD EPYC 7763, 2 cores" out of /proc/cpuinfo; "unknown" elsewhere. */
static void figures_machine(char *out, size_t size)
{
    snprintf(out, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[512];
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        colon[strcspn(colon, "\n")] = 0;
        snprintf(out, size, "%.200s, %ld cores", colon + 2, sysconf(_SC_NPROCESSORS_ONLN));
        break;
    }
    if (f) fclose(f);
}

void r1_figures_print(const r1_figures *f, bool json, FILE *out)
{
    if (json) {
        char text[256];
        figures_machine(text, sizeof text);
        json_object_set_new(f->root, "machine", json_string(text));
        r1_cli_commit(R1_SOURCE_DIR, text, sizeof text);
        json_object_set_new(f->root, "commit", json_string(text));
        json_dumpf(f->root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        fputc('\n', out);
        return;
    }
    const char *key;
    json_t *v;
    json_object_foreach(f->root, key, v) if (json_is_string(v))
        fprintf(out, "%-28s %s\n", key, json_string_value(v));
    json_object_foreach(f->figures, key, v)
    {
        if (json_is_null(v))
            fprintf(out, "%-28s -\n", key);
        else
            fprintf(out, "%-28s %.6g\n", key, json_number_value(v));
    }
}
