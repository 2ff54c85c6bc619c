/* SPDX-License-Identifier: Apache-2.0 */
/* cli_r1.h - the groups of commands that main.c joins into one table, and what the commands of
 * models share. */
#ifndef CLI_R1_H
#define CLI_R1_H

#include "cli/r1_cli.h"
#include "r1_model.h"
#include "r1_pretrain.h"

extern const r1_command cli_machine_commands[]; /* devices, doctor */
extern const size_t cli_machine_n;

extern const r1_command cli_embed_commands[]; /* embed */
extern const size_t cli_embed_n;

extern const r1_command cli_model_commands[]; /* train, eval, info */
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

/* --beta as r1_train_opts.beta takes it. */
double cli_beta(const r1_options *o);
/* A pair's figure by the name recall1WHAT_A_B. */
void cli_retrieval(r1_figures *f, const r1_model *m, const char *what, const r1_retrieval *p,
                   double value);

/* r1 train --stage pretrain, reinforce and reward: cli_stage.c. description NULL: the shards'
 * own with the stage's head. */
int cli_pretrain(r1_cli_call *call, const cli_list *valid, const char *description,
                 uint32_t items_off);
int cli_reinforce(r1_cli_call *call, const cli_list *valid, const char *description);
int cli_reward(r1_cli_call *call, const cli_list *valid, const char *description);
/* r1 eval --policy: what the policy earns on the shards. */
r1_status cli_judge(r1_cli_call *call, const r1_model *m, r1_figures *f);

/* The curves of a metrics file (JSON lines with "step") as an SVG picture. */
r1_status cli_plot(const char *metrics, const char *svg, r1_err *err);

#endif
