/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - any bytes as a file of settings: refused with a reason, or values within their
 * rows' limits. */
#include "config/r1_config.h"
#include "fuzz/fuzz.h"

static const r1_option rows[] = {
    {.name = "brokers", .section = "kafka", .type = R1_OPT_STRING, .def = "a:1", .help = "text"},
    {.name = "batch-rows",
     .section = "limits",
     .type = R1_OPT_INT,
     .def = "8",
     .min = 1,
     .max = 512,
     .help = "whole number"},
    {.name = "share",
     .section = "limits",
     .type = R1_OPT_FLOAT,
     .def = "0",
     .min = 0,
     .max = 1,
     .help = "number"},
    {.name = "mode",
     .section = "limits",
     .type = R1_OPT_ENUM,
     .def = "allow",
     .choices = "allow|review|block",
     .help = "word"},
    {.name = "quiet", .section = "limits", .type = R1_OPT_BOOL, .help = "flag"},
    {.name = "extra",
     .section = "store",
     .type = R1_OPT_STRING,
     .many = true,
     .secret_keys = "password",
     .help = "any"},
    {.name = "secret",
     .section = "store",
     .type = R1_OPT_STRING,
     .secret = true,
     .help = "from a file"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    r1_err err = {0};
    r1_options *o;
    int fd = fuzz_file(data, size, path);
    if (r1_options_new(&o, rows, R1_COUNT(rows), &err) != R1_OK) abort();
    if (r1_config_load(o, NULL, 0, path, &err) != R1_OK) fuzz_refused(&err);
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere) abort();
    r1_config_dump(o, nowhere);
    fclose(nowhere);
    int64_t n = r1_options_int(o, "batch-rows");
    double share = r1_options_float(o, "share");
    if (n < 1 || n > 512 || !(share >= 0 && share <= 1)) abort();
    r1_options_free(o);
    close(fd);
    return 0;
}
