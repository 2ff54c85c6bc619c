/* SPDX-License-Identifier: Apache-2.0 */
/* example_train.c - from data to a model: writes shards of generated payments, trains and
 * calibrates a model on two of them, and judges it on a third that it has not seen.
 *
 *     example_train DIR        writes DIR/{train,valid,test}.shard and DIR/payments.gguf */
#include "example_payment.h"

#include <stdio.h>

/* Fraud where two of three signs meet: a large amount, a small hour, an urgent note; and in 3 %
 * of the rest. */
static r1_sample example_train_generate(payment *p, float *label, r1_rng *rng)
{
    static const char *const notes[] = {"lunch for two", "rent", "invoice 17",
                                        "urgent, as discussed", "urgent: new account"};
    double amount = pow(10, 1 + 3 * r1_rng_unit(rng)), hour = floor(24 * r1_rng_unit(rng));
    size_t note = (size_t)r1_rng_below(rng, R1_COUNT(notes));
    int signs = (amount > 1000) + (hour < 6) + (note >= 3);
    *label = signs >= 2 || r1_rng_unit(rng) < 0.03;
    r1_sample s = payment_sample(p, amount, hour, (int32_t)r1_rng_below(rng, 3), notes[note]);
    s.label = label;
    return s;
}

static r1_status write_shard(const char *path, size_t n, uint64_t seed, r1_err *err)
{
    r1_shard_writer *w;
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    R1_TRY(r1_shard_create(&w, path, payment_description, err));
    for (size_t i = 0; i < n; i++) {
        payment p;
        float label;
        r1_sample s = example_train_generate(&p, &label, &rng);
        s.id = i;
        r1_status st = r1_shard_add(w, &s, err);
        if (st != R1_OK) {
            r1_shard_abort(w);
            return st;
        }
    }
    return r1_shard_finish(w, err);
}

int main(int argc, char **argv)
{
    char path[4][512];
    static const char *const file[] = {"train.shard", "valid.shard", "test.shard", "payments.gguf"};
    if (argc != 2 || strlen(argv[1]) > 400) {
        fprintf(stderr, "usage: example_train DIR\n");
        return 2;
    }
    for (size_t i = 0; i < 4; i++) snprintf(path[i], sizeof path[i], "%s/%s", argv[1], file[i]);
    const char *train = path[0], *valid = path[1], *test = path[2];
    r1_train_opts opts = {.run = {.train = &train,
                                  .n_train = 1,
                                  .valid = &valid,
                                  .n_valid = 1,
                                  .out = path[3],
                                  .seed = 1}};
    r1_train_report report;
    r1_eval eval;
    r1_err err;
    r1_model *model = NULL;

    r1_status st = r1_mkdirs(argv[1], &err);
    for (size_t i = 0; i < 3 && st == R1_OK; i++)
        st = write_shard(path[i], i == 0 ? 8000 : 2000, i + 1, &err);
    if (st == R1_OK) st = r1_train(&opts, &report, &err);
    if (st == R1_OK) st = r1_model_open(&model, opts.run.out, &err);
    if (st == R1_OK) st = r1_evaluate(model, &test, 1, NULL, &eval, &err);
    if (st == R1_OK)
        printf("trained on %llu samples in %llu steps\nunseen samples %llu\nloss %.4f\nauc "
               "%.4f\nece %.4f\n",
               (unsigned long long)report.n_sample, (unsigned long long)report.n_step,
               (unsigned long long)eval.n, eval.loss, eval.auc, eval.ece);
    else
        fprintf(stderr, "example_train: %s\n", err.msg);
    r1_model_free(model);
    return st == R1_OK ? 0 : 1;
}
