/* SPDX-License-Identifier: Apache-2.0 */
/* example_infer.c - opens a model, scores three payments, and says what each piece of evidence
 * added to the verdict.
 *
 *     example_infer MODEL.gguf        a model that example_train wrote */
#include "example_payment.h"

#include <stdio.h>

enum { N = 3 };

/* The trace adds up to the logit exactly: trace[0] is the prior, trace[1 + i] what item i
 * changed. */
static void print_result(const r1_model *model, const r1_result *res, size_t i)
{
    const double *trace = res->trace + i * (res->n_step + 1) * res->n_output;
    printf("%s %.4f\n  prior    %+.9f\n", r1_model_head_name(model, 0),
           res->prob[i * res->n_output], trace[0]);
    for (size_t k = 0; k < res->n_step; k++)
        printf("  %-8s %+.9f\n", r1_model_item_name(model, k), trace[(k + 1) * res->n_output]);
    printf("  logit    %+.9f\n", res->logit[i * res->n_output]);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: example_infer MODEL.gguf\n");
        return 2;
    }
    r1_err err;
    r1_model *model = NULL;
    r1_session *session = NULL;
    r1_result res = {0};
    payment p[N];
    const r1_sample sample[N] = {
        payment_sample(&p[0], 23.50, 13, CHANNEL_CARD, "lunch for two"),
        payment_sample(&p[1], 9000, 3, CHANNEL_TRANSFER, "urgent, as discussed"),
        payment_sample(&p[2], 9000, NAN, CHANNEL_TRANSFER,
                       NULL), /* what is missing is simply not there */
    };
    const r1_batch batch = {.sample = sample, .n_sample = N};

    r1_status st = r1_model_open(&model, argv[1], &err);
    if (st == R1_OK)
        st = r1_model_check_schema(model, payment_description,
                                   &err); /* trained on the columns that we fill? */
    if (st == R1_OK) st = r1_session_new(&session, model, NULL, &err);
    if (st == R1_OK) st = r1_session_run(session, &batch, &res, &err);
    if (st != R1_OK) fprintf(stderr, "example_infer: %s\n", err.msg);
    for (size_t i = 0; i < res.n_sample; i++) print_result(model, &res, i);

    r1_session_free(session); /* before its model; NULL is fine */
    r1_model_free(model);
    return st == R1_OK ? 0 : 1;
}
