/* SPDX-License-Identifier: Apache-2.0 */
/* dash_pool.h - connections to PostgreSQL that requests share.
 *
 * Owns:    the connections; conninfo is borrowed.
 * Threads: any. dash_pool_free after the last request.
 * Errors:  R1_E_TIMEOUT: all are at work for longer than DASH_POOL_WAIT_MS. Else as
 *          r1_store_open. */
#ifndef DASH_POOL_H
#define DASH_POOL_H

#include "store/store.h"

enum { DASH_POOL_MAX = 32, DASH_POOL_WAIT_MS = 3000, DASH_STATEMENT_S = 15 };

typedef struct dash_pool dash_pool;
r1_status dash_pool_new(dash_pool **out, const char *conninfo, size_t n, r1_err *err);
void dash_pool_free(dash_pool *p); /* NULL is fine */
/* One that lives; it is opened where it has to be. */
r1_status dash_pool_take(dash_pool *p, r1_store **out, r1_err *err);
void dash_pool_give(dash_pool *p, r1_store *s);
size_t dash_pool_busy(dash_pool *p);

#endif
