/* SPDX-License-Identifier: Apache-2.0 */
/* med_known_keys.c - see med_known_keys.h. */
#include "privacy/med_known_keys.h"

#include <stdio.h>
#include <string.h>

/* Whether the file has every key that seals something here. */
static r1_status known_opens_all(r1_store *s, const med_keys *keys, r1_err *err)
{
    r1_rows *rows = NULL;
    R1_TRY(r1_store_query(s, "SELECT DISTINCT seal_key FROM r1.med_sealed ORDER BY 1", 0, NULL,
                          &rows, err));
    r1_status st = R1_OK;
    for (size_t i = 0; i < r1_rows_count(rows) && st == R1_OK; i++) {
        const char *name, *sealed = r1_rows_text(rows, i, 0);
        size_t k = 0;
        while ((name = med_keys_name(keys, k)) && strcmp(name, sealed) != 0) k++;
        if (!name)
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "the index key %s is new to this database: expected it beside all keys "
                            "that seal here, and the file lacks %.40s",
                            med_index_name(keys), sealed);
    }
    r1_rows_free(rows);
    return st;
}

/* The key among those that the database knows. */
static r1_status known_among(const r1_rows *rows, const char *const own[2], char *others,
                             size_t size, r1_err *err)
{
    size_t n = 0;
    bool found = r1_rows_count(rows) == 0; /* nothing is stored yet */
    char list[200] = "";
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        const char *name = r1_rows_text(rows, i, 0), *value = r1_rows_text(rows, i, 1);
        if (strcmp(name, own[0]) == 0) {
            found = true;
            if (value && strcmp(value, own[1]) != 0)
                R1_FAIL(err, R1_E_INVAL,
                        "the index key %s of the file is another one than the database's of the "
                        "same name: give the file of keys with which the rows were written",
                        name);
        } else if (n < sizeof list - 40) {
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%.12s (since %s)", n ? ", " : "",
                                  name, r1_rows_text(rows, i, 2));
        }
    }
    if (!found)
        R1_FAIL(err, R1_E_INVAL,
                "expected a file of keys with the index key %s, which this database knows, found "
                "%s: give that file; a fresh index key comes in by `records rotate`",
                list, own[0]);
    if (others) snprintf(others, size, "%s", list);
    return R1_OK;
}

r1_status med_known_keys(r1_store *s, const med_keys *keys, med_known_use use, char *others,
                         size_t size, r1_err *err)
{
    static const char set[] = "UPDATE r1.med_index_key SET check_value = $2 WHERE name = $1 AND "
                              "check_value IS NULL";
    static const char list[] = "SELECT name, check_value, to_char(first_seen AT TIME ZONE 'UTC', "
                               "'YYYY-MM-DD') FROM r1.med_index_key ORDER BY first_seen, name";
    static const char add[] = "INSERT INTO r1.med_index_key (name, check_value) SELECT $1, $2 "
                              "WHERE $3::boolean OR NOT EXISTS (SELECT FROM r1.med_index_key) ON "
                              "CONFLICT DO NOTHING";
    char check[MED_INDEX_BYTES];
    r1_rows *rows = NULL;
    med_index_check(keys, check);
    const char *const param[] = {med_index_name(keys), check, "false"};
    R1_TRY(r1_store_query(s, set, 2, param, NULL, err));
    if (use != MED_KNOWN_READ) R1_TRY(r1_store_query(s, add, 3, param, NULL, err));
    R1_TRY(r1_store_query(s, list, 0, NULL, &rows, err));
    r1_status st = known_among(rows, param, others, size, err);
    r1_rows_free(rows);
    if (st != R1_E_INVAL || use != MED_KNOWN_ROTATE) return st;
    R1_TRY(known_opens_all(s, keys, err));
    const char *const fresh[] = {param[0], check, "true"};
    R1_TRY(r1_store_query(s, add, 3, fresh, NULL, err));
    R1_TRY(r1_store_query(s, list, 0, NULL, &rows, err));
    st = known_among(rows, param, others, size, err);
    r1_rows_free(rows);
    return st;
}

r1_status med_known_forget(r1_store *s, const med_keys *keys, r1_err *err)
{
    const char *param = med_index_name(keys);
    return r1_store_query(
        s,
        "WITH used AS (SELECT split_part(key_index, ':', 1) AS name FROM r1.med_record UNION "
        "SELECT split_part(record_hash, ':', 1) FROM r1.med_record UNION SELECT "
        "split_part(record_hash, ':', 1) FROM r1.med_report) DELETE FROM r1.med_index_key k WHERE "
        "k.name <> $1 AND NOT EXISTS (SELECT FROM used u WHERE u.name = k.name)",
        1, &param, NULL, err);
}
