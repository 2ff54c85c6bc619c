/* SPDX-License-Identifier: Apache-2.0 */
/* cli_r1.h - the groups of commands that main.c joins into one table, and what the commands of
 * models share. */
#ifndef CLI_R1_H
#define CLI_R1_H

#include "cli/r1_cli.h"
#include "r1_model.h"
#include "r1_pretrain.h"
#include "r1_reinforce.h"
#include "r1_train.h"

extern const r1_command cli_machine_commands[]; /* devices */
extern const size_t cli_machine_n;

extern const r1_command cli_doctor_commands[]; /* doctor */
extern const size_t cli_doctor_n;

extern const r1_command cli_embed_commands[]; /* embed */
extern const size_t cli_embed_n;

extern const r1_command cli_train_commands[]; /* train */
extern const size_t cli_train_n;

extern const r1_command cli_model_commands[]; /* eval, info */
extern const size_t cli_model_n;

enum { CLI_PATHS_MAX = 256 };

/* "a,b" in pieces; free(copy) after use. */
typedef struct {
    char *copy;
    const char *item[CLI_PATHS_MAX];
    size_t n;
} cli_list;
r1_status cli_split(cli_list *l, const char *text, r1_err *err);
/* Bits of the items that a list names; option is for the message. */
r1_status cli_items(const r1_model *m, const char *option, const char *names, uint32_t *mask,
                    r1_err *err);

/* The rules of asking for evidence, one entry an item (r1_reinforce.h). */
typedef struct {
    double cost[R1_ITEMS_MAX];
    uint32_t door[R1_ITEMS_MAX], given;
} cli_rules;
/* --cost, --needs and --given, by the names of m's items. */
r1_status cli_read_rules(cli_rules *s, const r1_model *m, const r1_options *o, r1_err *err);

/* --beta as r1_train_opts.beta takes it. */
double cli_beta(const r1_options *o);
/* --no-length, --no-context as R1_RUN_* bits. */
uint32_t cli_run_flags(const r1_options *o);
/* Figures of a judged head and of a policy. */
void cli_add_eval(r1_figures *f, const r1_eval *v);
void cli_add_policy(r1_figures *f, const r1_policy_eval *e);
/* A pair's figure by the name recall1WHAT_A_B. */
void cli_retrieval(r1_figures *f, const r1_model *m, const char *what, const r1_retrieval *p,
                   double value);

/* The curves of a metrics file (JSON lines with "step") as an SVG picture. */
r1_status cli_plot(const char *metrics, const char *svg, r1_err *err);

#endif
