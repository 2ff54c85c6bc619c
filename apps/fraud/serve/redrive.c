/* SPDX-License-Identifier: GPL-3.0-or-later */
/* redrive.c - see redrive.h. */
#include "serve/redrive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- out of the database ---- */

enum {
    COL_TOPIC,
    COL_PARTITION,
    COL_OFFSET,
    COL_STAGE,
    COL_REASON,
    COL_RECEIVED,
    COL_REPLAYED,
    COL_REPLAYS,
    COL_MENDED,
    COL_KEY,
    COL_PAYLOAD,
    COL_HEADERS
};
static const char *const sql_letter =
    "SELECT topic, partition, kafka_offset, stage, reason, received_at::timestamptz(0), "
    "replayed_at::timestamptz(0), replays, mended, encode(key, 'hex'), encode(payload, 'hex'), "
    "headers FROM r1.dead_letter WHERE app = 'fraud' AND id = $1::bigint";

static bool letter_text(const r1_rows *rows, size_t col, char **out)
{
    const char *text = r1_rows_text(rows, 0, col);
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

static bool letter_hex(const r1_rows *rows, size_t col, char **out, size_t *len)
{
    const char *hex = r1_rows_text(rows, 0, col);
    *len = 0;
    *out = hex ? malloc(strlen(hex) / 2 + 1) : NULL;
    if (!hex) return true;
    if (!*out || !fraud_hex_bytes(hex, *out, len)) return false;
    (*out)[*len] = 0;
    return true;
}

/* The last header of the name: earlier ones are of earlier rounds. */
static int64_t letter_parent(const fraud_headers *h)
{
    for (size_t i = h->n; i-- > 0;) {
        char text[24];
        if (strcmp(h->header[i].name, FRAUD_DLQ_ID_HEADER) != 0 || !h->header[i].value) continue;
        if (h->header[i].len >= 20) return 0;
        snprintf(text, sizeof text, "%.*s", (int)h->header[i].len, h->header[i].value);
        return strspn(text, "0123456789") == strlen(text) ? strtoll(text, NULL, 10) : 0;
    }
    return 0;
}

static r1_status letter_fill(const r1_rows *rows, fraud_dead_letter *l, r1_err *err)
{
    l->partition = (int)r1_rows_int(rows, 0, COL_PARTITION);
    l->offset = r1_rows_int(rows, 0, COL_OFFSET);
    l->replays = r1_rows_int(rows, 0, COL_REPLAYS);
    l->mended = r1_rows_text(rows, 0, COL_MENDED)[0] == 't';
    if (!letter_text(rows, COL_TOPIC, &l->topic) || !letter_text(rows, COL_STAGE, &l->stage) ||
        !letter_text(rows, COL_REASON, &l->reason) ||
        !letter_text(rows, COL_RECEIVED, &l->received) ||
        !letter_text(rows, COL_REPLAYED, &l->replayed) ||
        !letter_hex(rows, COL_KEY, &l->key, &l->key_len) ||
        !letter_hex(rows, COL_PAYLOAD, &l->payload, &l->payload_len))
        R1_FAIL(err, R1_E_NOMEM, "no memory for dead letter %lld", (long long)l->id);
    R1_TRY(fraud_headers_parse(r1_rows_text(rows, 0, COL_HEADERS), &l->headers, err));
    l->parent = letter_parent(&l->headers);
    return R1_OK;
}

r1_status fraud_dead_letter_fetch(r1_store *s, int64_t id, fraud_dead_letter *out, r1_err *err)
{
    char number[24];
    r1_rows *rows;
    const char *param[] = {number};
    snprintf(number, sizeof number, "%lld", (long long)id);
    *out = (fraud_dead_letter){.id = id};
    R1_TRY(r1_store_query(s, sql_letter, 1, param, &rows, err));
    r1_status st = R1_OK;
    if (r1_rows_count(rows) != 1)
        st = r1_err_set(err, R1_E_NOT_FOUND, __FILE__, __LINE__, "no dead letter has the id %s",
                        number);
    else
        st = letter_fill(rows, out, err);
    r1_rows_free(rows);
    if (st != R1_OK) fraud_dead_letter_free(out);
    return st;
}

void fraud_dead_letter_free(fraud_dead_letter *l)
{
    char *const all[] = {l->topic,    l->stage, l->reason, l->received,
                         l->replayed, l->key,   l->payload};
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
    fraud_headers_free(&l->headers);
    memset(l, 0, sizeof *l);
}

/* ---- back ---- */

r1_status fraud_dead_letter_check(const fraud_dead_letter *l, bool mended, r1_err *err)
{
    long long id = (long long)l->id;
    if (!strcmp(l->topic, FRAUD_HTTP_TOPIC_NAME))
        R1_FAIL(err, R1_E_INVAL,
                "letter %lld came by POST /v1/decide: no topic waits for it, its sender was told",
                id);
    if (l->parent && !mended)
        R1_FAIL(err, R1_E_INVAL,
                "letter %lld is letter %lld, which was sent back and died again: mend it, or use "
                "--force",
                id, (long long)l->parent);
    if (l->replays)
        R1_FAIL(err, R1_E_INVAL, "letter %lld was sent back at %s: --force sends it once more", id,
                l->replayed ? l->replayed : "a time not known");
    for (size_t i = 0; !mended && i < l->headers.n; i++)
        if (!strcmp(l->headers.header[i].name, "r1.cut"))
            R1_FAIL(err, R1_E_INVAL,
                    "letter %lld had %.*s headers, of which %zu were kept: --force sends it "
                    "without the others",
                    id, (int)l->headers.header[i].len, l->headers.header[i].value,
                    l->headers.n - 1);
    return R1_OK;
}

/* What holds for the message as it came, and for none that is sent back. */
static bool header_stays(const char *name)
{
    static const char *const gone[] = {FRAUD_DLQ_ID_HEADER, "r1.cut", "sent_us"};
    for (size_t i = 0; i < R1_COUNT(gone); i++)
        if (!strcmp(name, gone[i])) return false;
    return true;
}

/* Its own headers that stay, and the link. */
static size_t redrive_headers(const fraud_dead_letter *l, const char *id, r1_header *out)
{
    size_t n = 0;
    for (size_t i = 0; i < l->headers.n && n < R1_HEADERS_MAX - 1; i++)
        if (header_stays(l->headers.header[i].name)) out[n++] = l->headers.header[i];
    out[n++] = (r1_header){FRAUD_DLQ_ID_HEADER, id, strlen(id)};
    return n;
}

/* A message that failed at once was on its way in a client that has ended: it goes once more. */
static r1_status redrive_post(r1_producer *p, const r1_post *post, r1_err *err)
{
    for (int tries = 0; tries < 2; tries++) {
        R1_TRY(r1_producer_post(p, post, err));
        r1_status st = r1_producer_flush(p, 10000, err);
        if (*post->ack == R1_ACK_WAITS) r1_producer_forget(p);
        R1_TRY(st);
        if (*post->ack != R1_ACK_FAILED) break;
    }
    if (*post->ack == R1_ACK_DONE) return R1_OK;
    R1_FAIL(err, R1_E_STREAM, "topic %s: the broker did not take the letter%s", post->topic,
            *post->ack == R1_ACK_REFUSED ? " and never will: it is too large or no valid record"
                                         : "");
}

r1_status fraud_dead_letter_send(r1_store *s, r1_producer *p, const fraud_dead_letter *l,
                                 const char *payload, size_t len, r1_err *err)
{
    char id[24];
    r1_header header[R1_HEADERS_MAX];
    r1_ack ack = R1_ACK_WAITS;
    snprintf(id, sizeof id, "%lld", (long long)l->id);
    const r1_post post = {.topic = l->topic,
                          .key = l->key,
                          .key_len = l->key_len,
                          .payload = payload ? payload : l->payload,
                          .payload_len = payload ? len : l->payload_len,
                          .header = header,
                          .n_header = redrive_headers(l, id, header),
                          .ack = &ack};
    R1_TRY(redrive_post(p, &post, err));
    const char *param[] = {id, payload ? "t" : "f"};
    return r1_store_query(s,
                          "UPDATE r1.dead_letter SET replayed_at = now(), replays = replays + 1, "
                          "mended = $2::boolean WHERE id = $1::bigint",
                          2, param, NULL, err);
}
