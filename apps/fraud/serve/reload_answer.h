/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reload_answer.h - what a running service made of a reload, for the command that asked: a file
 * beside the pid-file, replaced as a whole at each end of a reload.
 *
 * An answer counts for a question where the process is the one that was asked, and where it began
 * to read its files no sooner than that. Both sides run on one machine, so its monotonic clock
 * tells.
 *
 * Owns:    nothing. Threads: any. */
#ifndef FRAUD_RELOAD_ANSWER_H
#define FRAUD_RELOAD_ANSWER_H

#include "r1_base.h"

typedef struct {
    bool taken;
    int64_t pid, began_us; /* monotonic */
    char version[64];      /* that is in force now */
    char text[512];        /* taken: what has changed and needs a restart; else the fault */
} fraud_reload_answer;

/* pid_file NULL: nobody can ask, and nothing is written. Errors: as r1_file_write. */
r1_status fraud_reload_tell(const char *pid_file, const fraud_reload_answer *a, r1_err *err);
/* Removes what an earlier process left. */
void fraud_reload_forget(const char *pid_file);
/* Waits for the answer of process pid to a question of asked_us. R1_E_TIMEOUT: none came within
 * wait_s; R1_E_NOT_FOUND: the process has ended; R1_E_CANCELLED: the user ended the command. */
r1_status fraud_reload_await(const char *pid_file, int64_t pid, int64_t asked_us, int64_t wait_s,
                             fraud_reload_answer *out, r1_err *err);

#endif
