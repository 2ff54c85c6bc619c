/* SPDX-License-Identifier: Apache-2.0 */
/* cli_inputs.c - the records that a command is given: files, standard input, and what lies in
 * folders. Each gets a name for its reports. */
#include "cli_medical.h"
#include "print/med_put.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static r1_status inputs_add(cli_inputs *in, const char *path, r1_err *err)
{
    if (in->n == CLI_INPUTS_MAX)
        R1_FAIL(err, R1_E_INVAL, "more than %d records: give them in several calls",
                CLI_INPUTS_MAX);
    if (in->n == in->cap) {
        uint32_t cap = in->cap ? in->cap * 2 : 16;
        cli_input *grown = r1_realloc_array(in->input, cap, sizeof *grown);
        if (!grown) R1_FAIL(err, R1_E_NOMEM, "no memory for the list of records");
        in->input = grown;
        in->cap = cap;
    }
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (strcmp(path, "-") == 0) name = "record";
    const char *dot = strrchr(name, '.');
    size_t len = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    cli_input *i = &in->input[in->n];
    *i = (cli_input){strdup(path), strndup(name, len)};
    if (!i->path || !i->stem) {
        free(i->path);
        free(i->stem);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the list of records");
    }
    in->n++;
    return R1_OK;
}

/* What a folder of records holds beside them: hidden files, and reports of an earlier call. */
static int inputs_wanted(const struct dirent *e)
{
    const char *name = e->d_name;
    return *name != '.' && !strstr(name, CLI_REPORT_MARK) && strcmp(name, CLI_SUMMARY_NAME) != 0;
}

static r1_status inputs_add_folder(cli_inputs *in, const char *folder, r1_err *err)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, inputs_wanted, alphasort);
    r1_status st = R1_OK;
    if (n < 0) R1_FAIL(err, R1_E_IO, "%s: %s", folder, strerror(errno));
    uint32_t before = in->n;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat info;
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        bool file =
            len > 0 && (size_t)len < sizeof path && stat(path, &info) == 0 && S_ISREG(info.st_mode);
        if (st == R1_OK && file) st = inputs_add(in, path, err);
        in->n_skipped += !file;
        if (!file) med_put(stderr, MED_TEXT_LINE, "passed over: %s, no file\n", path);
        free(entry[i]);
    }
    free(entry);
    if (st == R1_OK && in->n == before)
        st =
            r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__, "%s: a folder without records", folder);
    return st;
}

static int inputs_by_stem(const void *a, const void *b)
{
    const cli_input *const *x = a, *const *y = b;
    return strcmp((*x)->stem, (*y)->stem);
}

/* Records of one name keep their endings: a.txt.report.html beside a.html.report.html. order is
 * sorted by stem. */
static r1_status inputs_keep_endings(cli_input **order, uint32_t n, r1_err *err)
{
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && strcmp(order[i]->stem, order[end]->stem) == 0;) end++;
        for (uint32_t k = i; k < end && end > i + 1; k++) {
            const char *slash = strrchr(order[k]->path, '/');
            char *name = strdup(slash ? slash + 1 : order[k]->path);
            if (!name) R1_FAIL(err, R1_E_NOMEM, "no memory for the list of records");
            if (strcmp(order[k]->path, "-") != 0) {
                free(order[k]->stem);
                order[k]->stem = name;
            } else {
                free(name);
            }
        }
    }
    return R1_OK;
}

/* Two records of one name would write over each other's reports. */
static r1_status inputs_check_names(cli_inputs *in, r1_err *err)
{
    cli_input **order = malloc((in->n + 1) * sizeof *order);
    if (!order) R1_FAIL(err, R1_E_NOMEM, "no memory for the list of records");
    for (uint32_t i = 0; i < in->n; i++) order[i] = &in->input[i];
    qsort(order, in->n, sizeof *order, inputs_by_stem);
    r1_status st = inputs_keep_endings(order, in->n, err);
    qsort(order, in->n, sizeof *order, inputs_by_stem);
    for (uint32_t i = 1; i < in->n && st == R1_OK; i++) {
        const cli_input *a = order[i - 1], *b = order[i];
        if (strcmp(a->stem, b->stem) == 0)
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "%s and %s would have the same report, %s%s*: give one of them another "
                            "name, or another --out",
                            a->path, b->path, a->stem, CLI_REPORT_MARK);
    }
    free(order);
    return st;
}

r1_status cli_inputs_read(cli_inputs *in, const char *const *path, size_t n, r1_err *err)
{
    static const char *const standard_input[] = {"-"};
    *in = (cli_inputs){0};
    if (n == 0) path = standard_input, n = 1;
    for (size_t i = 0; i < n; i++) {
        struct stat info;
        bool folder = stat(path[i], &info) == 0 && S_ISDIR(info.st_mode);
        in->many = in->many || folder || i > 0;
        R1_TRY(folder ? inputs_add_folder(in, path[i], err) : inputs_add(in, path[i], err));
    }
    return inputs_check_names(in, err);
}

void cli_inputs_free(cli_inputs *in)
{
    for (uint32_t i = 0; i < in->n; i++) {
        free(in->input[i].path);
        free(in->input[i].stem);
    }
    free(in->input);
    *in = (cli_inputs){0};
}

r1_status cli_one_patient(const r1_options *o, const med_document *d, const char *path, r1_err *err)
{
    if (r1_options_bool(o, "one-patient")) return R1_OK;
    return med_document_one_patient(d, path, ", or --one-patient where it is of one", err);
}

/* What the caller knows of the patient stands above what was read. */
void cli_state_person(const r1_options *o, med_document *d, med_notes *n)
{
    const char *sex = r1_options_str(o, "sex");
    bool age = r1_options_has(o, "age");
    if (sex) n->sex = strcmp(sex, "female") == 0 ? MED_SEX_FEMALE : MED_SEX_MALE;
    if (age) n->age_years = (float)r1_options_float(o, "age");
    if (sex || age)
        med_document_note(d, "%s stated with the call, not read in the record.",
                          !sex  ? "The age was"
                          : age ? "Sex and age were"
                                : "The sex was");
}
