/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_dataset.c - any bytes as the table of each public layout: refused with a reason, or
 * payments with times and amounts in range. */
#include "dataset/dataset.h"
#include "fuzz/fuzz.h"

static void dataset_use(const fraud_dataset *d)
{
    fraud_payment p;
    for (size_t i = 0; i < d->n; i++) {
        fraud_dataset_payment(d, i, &p);
        if (p.ts < FRAUD_TS_MIN || p.ts > FRAUD_TS_MAX || p.amount_minor < 1 ||
            p.amount_minor > FRAUD_AMOUNT_MAX)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = fuzz_file(data, size, path);
    for (int layout = 0; layout < FRAUD_LAYOUT_R1;
         layout++) { /* R1: lines that fuzz_payment covers */
        r1_err err = {0};
        fraud_dataset *d = NULL;
        if (fraud_dataset_load(&d, (fraud_layout)layout, path, FUZZ_CORPUS "/amlsim_nodes.csv", 1,
                               &err) == R1_OK)
            dataset_use(d);
        else
            fuzz_refused(&err);
        fraud_dataset_free(d);
    }
    close(fd);
    return 0;
}
