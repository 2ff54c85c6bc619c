/* SPDX-License-Identifier: GPL-3.0-or-later */
/* member.h - the processes that share a stream know each other's settings: r1.member has a row for
 * each that lives, which it renews every second.
 *
 *     state     settings that shape the state: equal for all, or the process is refused
 *     decides   settings that shape decisions alone: told where they differ
 *
 * A file stands here by its content, so two processes may have it under different names.
 *
 * Owns:    nothing; plain data. Threads: any for the settings, one at a time per store.
 * Errors:  R1_E_INVAL where the state of another process has other settings; else as
 *          r1_store_query. */
#ifndef FRAUD_MEMBER_H
#define FRAUD_MEMBER_H

#include "store/store.h"

enum {
    FRAUD_SHARED_SETTINGS_MAX = 24,
    FRAUD_SHARED_NAME_BYTES = 24,
    FRAUD_SHARED_VALUE_BYTES = 104,
    FRAUD_MEMBER_TEXT_BYTES = 512,
    FRAUD_MEMBER_LIVE_MS = 10000 /* a process that was not heard of for so long is gone */
};

typedef struct {
    struct {
        char name[FRAUD_SHARED_NAME_BYTES], value[FRAUD_SHARED_VALUE_BYTES];
    } row[FRAUD_SHARED_SETTINGS_MAX];
    size_t n;
} fraud_shared_settings;

/* A value that is too long ends in its hash, so that two of them differ. */
R1_PRINTF(3, 4)
void fraud_shared_add(fraud_shared_settings *s, const char *name, const char *format, ...);
/* "name: MINE here, THEIRS there; ..." for each setting in which the JSON object of another process
 * differs; a setting that one of the two lacks differs. Returns how many; 0 leaves text empty. */
size_t fraud_shared_differ(const fraud_shared_settings *mine, const char *theirs,
                           char text[FRAUD_MEMBER_TEXT_BYTES]);

typedef struct {
    char owner[96];
    fraud_shared_settings state, decides;
    int owned;       /* partitions of payments that the consumer group gave it */
    char waits[256]; /* settings that have changed and need a restart; "": none */
} fraud_member;

/* Of the others that live. */
typedef struct {
    int n;         /* how many */
    int owned;     /* partitions of payments that the consumer group gave them, all in all */
    size_t differ; /* settings of decisions in which some differ, over all */
    char text[FRAUD_MEMBER_TEXT_BYTES]; /* which, and from whom */
} fraud_members;

/* Says that the process lives, and what the others are. */
r1_status fraud_member_beat(const fraud_member *m, r1_store *s, fraud_members *out, r1_err *err);
/* At an orderly end. */
r1_status fraud_member_leave(const fraud_member *m, r1_store *s, r1_err *err);

#endif
