/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_input.c - see check_input.h. */
#include "check/check_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static r1_status input_put(check_input *in, const fraud_messages_item *item, r1_err *err)
{
    if (in->n % 1024 == 0) {
        check_text *more = r1_realloc_array(in->message, in->n + 1024, sizeof *more);
        if (!more) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu messages", in->n);
        in->message = more;
    }
    in->bytes += item->len;
    if (in->bytes > CHECK_BYTES_MAX)
        R1_FAIL(err, R1_E_FORMAT,
                "line %zu: expected at most %d MiB of messages, found more: check a part of them, "
                "as head -n 100000 FILE gives it",
                item->line, CHECK_BYTES_MAX >> 20);
    char *text = malloc(item->len + 1);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for a message");
    memcpy(text, item->text, item->len);
    text[item->len] = 0;
    in->message[in->n++] = (check_text){text, item->len, item->line};
    return R1_OK;
}

static void input_fault(check_input *in, const fraud_messages_item *item, size_t n)
{
    if (n >= CHECK_FAULTS_MAX) return;
    in->fault[n].line = item->line;
    snprintf(in->fault[n].why, sizeof in->fault[n].why, "%s", item->why);
}

static r1_status input_all(check_input *in, fraud_messages *m, r1_err *err)
{
    fraud_messages_item item;
    size_t n_fault = 0;
    for (;;) {
        R1_TRY(fraud_messages_next(m, &item, err));
        if (item.what == FRAUD_MESSAGES_END) return R1_OK;
        if (item.what == FRAUD_MESSAGES_FAULT)
            input_fault(in, &item, n_fault++);
        else
            R1_TRY(input_put(in, &item, err));
    }
}

/* Why there is no message in the file, or its header is another line. */
static r1_status input_none(const check_input *in, const char *path, r1_err *err)
{
    const fraud_messages_counts *n = &in->counts;
    if (n->n_fault)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: expected messages, found %zu rows at fault; line %zu: %s%s%s", path,
                n->n_fault, in->fault[0].line, in->fault[0].why, *in->hint ? ". " : "", in->hint);
    R1_FAIL(err, R1_E_FORMAT,
            "%s: expected messages as JSON lines, as an array or as CSV with a header, found %s",
            path,
            n->rows                        ? "a header without rows"
            : !strcmp(in->form, "nothing") ? "an empty file"
                                           : "none");
}

r1_status check_input_read(check_input *in, const char *path, r1_err *err)
{
    fraud_messages *m;
    size_t len;
    memset(in, 0, sizeof *in);
    R1_TRY(fraud_messages_open(&m, path, false, NULL, err));
    r1_status st = input_all(in, m, err);
    in->form = fraud_messages_form(m);
    in->counts = fraud_messages_count(m);
    fraud_messages_hint(m, in->hint, sizeof in->hint);
    FILE *f = st == R1_OK ? open_memstream(&in->notes, &len) : NULL;
    if (f) {
        fraud_messages_notes(m, f);
        fclose(f);
    }
    fraud_messages_close(m);
    if (st == R1_OK && (!in->n || *in->hint)) st = input_none(in, path, err);
    if (st != R1_OK) check_input_free(in);
    return st;
}

void check_input_free(check_input *in)
{
    for (size_t i = 0; i < in->n; i++) free(in->message[i].text);
    free(in->message);
    free(in->notes);
    memset(in, 0, sizeof *in);
}

const char *check_input_place(const check_input *in, size_t i, char *text, size_t size)
{
    if (!strcmp(in->form, "a JSON array"))
        snprintf(text, size, "message %zu (line %zu)", i + 1, in->message[i].line);
    else
        snprintf(text, size, "line %zu", in->message[i].line);
    return text;
}
