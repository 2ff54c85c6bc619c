/* SPDX-License-Identifier: GPL-3.0-or-later */
/* make_snapshot.c - the engine of small_engine.h as a snapshot's file (PATH) and as plain bytes
 * (PATH.image). */
#include "snapshot/snap_file.h"
#include "support/small_engine.h"

#include <fcntl.h>
#include <unistd.h>

static r1_status make_file(fraud_engine *e, const char *path, r1_err *err)
{
    fraud_snap_writer *w;
    R1_TRY(fraud_snap_writer_new(&w, err));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    r1_status st = fd < 0 ? R1_E_IO : fraud_engine_save(e, fraud_snap_writer_begin(w, fd, 1), err);
    if (st == R1_OK) st = fraud_snap_writer_end(w);
    if (fd >= 0) close(fd);
    fraud_snap_writer_free(w);
    return st;
}

static r1_status make_image(fraud_engine *e, const char *path, r1_err *err)
{
    char name[4096];
    small_image_out o = {.out = {.section = small_put_section, .put = small_put},
                         .data = malloc(SMALL_IMAGE_MAX)};
    if (!o.data) R1_FAIL(err, R1_E_NOMEM, "no memory for an image");
    snprintf(name, sizeof name, "%s.image", path);
    r1_status st = fraud_engine_save(e, &o.out, err);
    if (st == R1_OK) st = r1_file_write(name, o.data, o.n, err);
    free(o.data);
    return st;
}

int main(int argc, char **argv)
{
    r1_err err = {0};
    if (argc != 2) return 2;
    fraud_engine *e = small_engine_new();
    small_engine_feed(e, 0, SMALL_PAYMENTS);
    r1_status st = fraud_engine_settle(e, &err);
    if (st == R1_OK) st = make_file(e, argv[1], &err);
    if (st == R1_OK) st = make_image(e, argv[1], &err);
    fraud_engine_free(e);
    if (st != R1_OK) fprintf(stderr, "make_snapshot: %s\n", err.msg);
    return st == R1_OK ? 0 : 1;
}
