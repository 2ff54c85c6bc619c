/* SPDX-License-Identifier: Apache-2.0 */
/* log_limit.c - one place per event, under one mutex. */
#include "cli/log_limit.h"

#include "text/r1_utf8.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS_MAX = 64, EVENT_BYTES = 48, APART_US = 1000000 };

static struct {
    pthread_mutex_t lock;
    size_t n;
    struct {
        char event[EVENT_BYTES], text[R1_LOG_KEPT_BYTES];
        r1_log_level level;
        int64_t last_us;
        uint64_t left_out;
    } of[EVENTS_MAX];
} limit = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t place_of(const char *event)
{
    for (size_t i = 0; i < limit.n; i++)
        if (!strncmp(limit.of[i].event, event, EVENT_BYTES - 1)) return i;
    if (limit.n == EVENTS_MAX) return EVENTS_MAX - 1;
    snprintf(limit.of[limit.n].event, EVENT_BYTES, "%s", event);
    limit.of[limit.n].last_us = INT64_MIN / 2;
    return limit.n++;
}

bool r1_log_admit(const char *event, r1_log_level level, const char *text, int64_t now_us,
                  uint64_t *left_out)
{
    pthread_mutex_lock(&limit.lock);
    size_t i = place_of(event);
    bool passes = now_us - limit.of[i].last_us >= APART_US;
    if (passes) {
        *left_out = limit.of[i].left_out;
        limit.of[i].left_out = 0;
        limit.of[i].last_us = now_us;
    } else {
        limit.of[i].left_out++;
        limit.of[i].level = level;
        r1_utf8_clean(limit.of[i].text, R1_LOG_KEPT_BYTES, text);
    }
    pthread_mutex_unlock(&limit.lock);
    return passes;
}

bool r1_log_left_out(int64_t now_us, r1_log_rest *out)
{
    bool found = false;
    pthread_mutex_lock(&limit.lock);
    for (size_t i = 0; i < limit.n && !found; i++) {
        if (!limit.of[i].left_out || now_us - limit.of[i].last_us < APART_US) continue;
        found = true;
        out->event = limit.of[i].event;
        out->level = limit.of[i].level;
        out->n = limit.of[i].left_out;
        memcpy(out->text, limit.of[i].text, sizeof out->text);
        limit.of[i].left_out = 0;
        limit.of[i].last_us = now_us;
    }
    pthread_mutex_unlock(&limit.lock);
    return found;
}
