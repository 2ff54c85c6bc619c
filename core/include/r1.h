/* SPDX-License-Identifier: Apache-2.0 */
/* r1.h - all of libr1, in the order in which one learns it. Read this page, then the headers
 * from the first include down, and stop where you have what you need. core/examples/ holds
 * complete programs.
 *
 *     cc -std=c17 program.c $(pkg-config --cflags --libs libr1) -lm
 *
 * EVERY CALL returns an r1_status, zero for success, and says what went wrong in an r1_err of
 * yours (NULL is fine):
 *
 *     r1_err err;
 *     if (r1_model_open(&model, "fraud.gguf", &err) != R1_OK) fprintf(stderr, "%s\n", err.msg);
 *
 * Options are structs in which zero is the default: (r1_session_opts){.n_sample_max = 256}. What
 * has a _new or _open has a _free or _close, which takes NULL. The library never exits. It
 * aborts only where an invariant of its own is broken (r1_assert.h). Only training starts
 * threads, and only where it is asked to (n_slice). It prints only the progress lines that you
 * ask for.
 *
 * 1. SCORE. A model is a file. Its description names items of evidence in order; a sample brings
 * one r1_item for each, and any may be absent. A session is the working space of one thread over
 * a model that all threads share.
 *
 *     float num[2] = {3.9f, NAN};                                    // NaN: not known
 *     int32_t cat[1] = {-1};                                         // -1: not known
 *     r1_item item[2] = {{.present = true, .num = num, .cat = cat},  // table
 *                        {.present = true, .text = "urgent", .text_bytes = 6}};
 *     r1_sample sample = {.item = item};
 *     r1_batch batch = {.sample = &sample, .n_sample = 1};
 *     r1_result res;
 *     r1_session_new(&session, model, NULL, &err);
 *     r1_session_run(session, &batch, &res, &err);                   // allocates nothing
 *     res.prob[0];                                                   // calibrated
 *     // the trace: the prior, then what each item changed
 *     (float)(res.trace[0] + res.trace[1] + res.trace[2]) == res.logit[0];
 *
 * 2. REMEMBER. Working memory keeps the last entries of each entity; a sample refers to them by
 * handle, and the run that scores it turns its own event into the next entry. An anchor is
 * pinned: it stays.
 *
 *     r1_memory_new(&memory, model, &(r1_memory_opts){.bytes_max = 1 << 30, .quota = 32}, &err);
 *     r1_memory_begin(memory, &ticket, &err);                        // one batch
 *     // item: {.present = n_ref > 0, .n_ref = n_ref, .ref = ref}
 *     n_ref = r1_memory_ring(memory, account, ref, NULL, 32);
 *     r1_memory_append(memory, ticket, &account, 1, 0, &sample.event_handle, &err);
 *     batch.pool = memory, batch.ticket = ticket;
 *     // scores, stores the new entries, ends the ticket
 *     r1_session_run(session, &batch, &res, &err);
 *     // weight 1, no end
 *     r1_memory_pin(memory, account, sample.event_handle, 1, 0, &err);
 *
 * Long-term memory is a file of keys and values, searched by inner product. One thread changes
 * it while others read:
 *
 *     r1_longterm_open(&lt, "knowledge.r1", 1 << 20, &err);
 *     r1_longterm_entry entry = {.key = key, .value = "rash", .value_bytes = 4};
 *     r1_longterm_insert(lt, &entry, &id, &err);
 *     // the values: r1_longterm_get(lt, hit[0].id, ...)
 *     r1_longterm_search(lt, query, 10, hit, &n_hit, &err);
 *
 * 3. TRAIN. Samples with labels go to shards; one call trains, stops early, calibrates and
 * writes the model.
 *
 *     r1_shard_create(&writer, "train.shard", description, &err);
 *     // once for each sample, with sample.label set
 *     r1_shard_add(writer, &sample, &err);
 *     r1_shard_finish(writer, &err);
 *     r1_run_opts data = {.train = &path, .n_train = 1, .valid = &other, .n_valid = 1};
 *     data.out = "m.gguf";
 *     r1_train(&(r1_train_opts){.run = data}, &report, &err);
 *     // loss, AUC, AP, calibration error
 *     r1_evaluate(model, &unseen, 1, NULL, &eval, &err);
 *
 * 4. BRING A MACHINE. A backend is a table of functions, one for each op. Copy the CPU's,
 * replace what yours does better.
 *
 *     static r1_backend mine;
 *     mine = *r1_backend_cpu();
 *     mine.name = "mine";
 *     mine.forward[R1_OP_LINEAR] = my_linear;
 *     r1_backend_register(&mine, &err);
 *     r1_session_new(&session, model, &(r1_session_opts){.backend = "mine"}, &err);
 *
 * 5. SERVE MANY. Requests that come one by one become batches by deadline and class; your
 * threads are the workers.
 *
 *     r1_batcher_opts bounds = {.n_class = 1, .classes = {{.budget_us = 20000}}};
 *     r1_batcher_new(&batcher, &bounds, &err);
 *     // in each worker; `run` ends in r1_session_run
 *     r1_batcher_work(batcher, run, session, &err);
 *     // length: tokens, or what else a request costs
 *     r1_request request = {.length = 24, .user = &sample};
 *     r1_batcher_submit(batcher, &request, &err);                    // from any thread
 *     r1_batcher_wait(batcher, &request);                            // or request.done is called
 *
 * THREADS. Models are immutable and shared; a session, a shard writer and a trainer are called
 * by one thread each; a memory has one owner that appends and any number of sessions that run.
 * The same input gives the same bits in each of them. */
#ifndef R1_H
#define R1_H

/* In reading order. */
/* clang-format off */
#include "r1_base.h"    /* status and error, arenas, log, random numbers, files */
#include "r1_assert.h"  /* invariants that the program checks itself */
#include "r1_sample.h"  /* what a description says and a sample brings */
#include "r1_model.h"   /* a model: open, ask, save */
#include "r1_session.h" /* scoring and the evidence trace */
#include "r1_memory.h"  /* working and long-term memory */
#include "r1_shard.h"   /* training data on disk */
#include "r1_run.h"     /* what every stage of training takes, and all defaults */
#include "r1_train.h"   /* training and evaluation */
#include "r1_pretrain.h" /* learning from shards without labels */
#include "r1_reinforce.h" /* learning what evidence to ask for */
#include "r1_batcher.h" /* from single requests to batches, by deadline and class */
#include "r1_backend.h" /* the table behind which a machine runs the ops */
/* clang-format on */

#endif
