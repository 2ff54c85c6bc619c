/* SPDX-License-Identifier: Apache-2.0 */
/* example_backend.c - a backend of one's own: the CPU's table with its functions wrapped, so
 * that every call is counted and the rows of every linear product are added up. A real one
 * replaces functions one by one in the same way.
 *
 *     example_backend        exits 1 where the scores are not those of the CPU, bit for bit */
#include "example_payment.h"

#include <stdatomic.h>
#include <stdio.h>

static atomic_ulong calls[R1_OP_COUNT],
    rows; /* atomic: sessions of many threads may share one backend */

/* An op's function gets no context, so each op has one of its own. The operands' slots are
 * documented in r1_backend.h. */
#define COUNTED(OP)                                                                                \
    static r1_status counted_##OP(r1_stream *stream, const r1_op_args *args, r1_err *err)          \
    {                                                                                              \
        atomic_fetch_add(&calls[R1_OP_##OP], 1);                                                   \
        if (R1_OP_##OP == R1_OP_LINEAR)                                                            \
            atomic_fetch_add(&rows, (unsigned long)args->v[R1_LINEAR_X].rows);                     \
        return r1_backend_cpu()->forward[R1_OP_##OP](stream, args, err);                           \
    }
/* clang-format off */
#define FOR_EACH_OP(DO)                                                                \
    DO(LINEAR) DO(ADD) DO(ACT) DO(RMSNORM) DO(PLE) DO(EMBED) DO(STANDARD)              \
    DO(EDGE_MESSAGE) DO(MARK_POOL) DO(PLACE) DO(SEG_MEAN) DO(CAUSAL_MEAN)              \
    DO(CAWA_SCALE) DO(ATTEND) DO(TAIL_NORM)
/* clang-format on */
FOR_EACH_OP(COUNTED)

/* Buffers, copies, streams and the packed form of weights stay the CPU's. */
static const r1_backend *counting_backend(void)
{
    static r1_backend table;
    table = *r1_backend_cpu();
    table.name = "counting";
#define PLACE_IN_TABLE(OP) table.forward[R1_OP_##OP] = counted_##OP;
    FOR_EACH_OP(PLACE_IN_TABLE)
    return &table;
}

/* One payment scored on a backend by its name. */
static r1_status example_backend_score(const r1_model *model, const char *backend, float *logit,
                                       r1_err *err)
{
    r1_session *session;
    r1_session_opts opts = {.backend = backend};
    r1_result res;
    payment p;
    r1_sample sample = payment_sample(&p, 120, 9, CHANNEL_CARD, "books");
    r1_batch batch = {.sample = &sample, .n_sample = 1};
    R1_TRY(r1_session_new(&session, model, &opts, err));
    r1_status st = r1_session_run(session, &batch, &res, err);
    if (st == R1_OK) *logit = res.logit[0];
    r1_session_free(session);
    return st;
}

int main(void)
{
    r1_err err;
    r1_model *model = NULL;
    float cpu = 0, counting = 1;
    r1_status st = r1_backend_register(counting_backend(), &err);
    if (st == R1_OK) st = r1_model_new(&model, payment_description, 1, &err);
    if (st == R1_OK) st = example_backend_score(model, "cpu", &cpu, &err);
    if (st == R1_OK) st = example_backend_score(model, "counting", &counting, &err);
    r1_model_free(model);
    if (st != R1_OK) {
        fprintf(stderr, "example_backend: %s\n", err.msg);
        return 1;
    }
    for (int op = 0; op < R1_OP_COUNT; op++)
        if (calls[op]) printf("%-14s %lu\n", r1_op_name((r1_op)op), atomic_load(&calls[op]));
    printf("rows of linear %lu\ncpu %.9g\ncounting %.9g\n", atomic_load(&rows), (double)cpu,
           (double)counting);
    return memcmp(&cpu, &counting, sizeof cpu) == 0 ? 0 : 1;
}
