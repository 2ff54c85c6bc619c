/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_path.h - a path of the mapping file, such as data.payer.iban, and what lies there in a
 * message. payment_map.h describes paths.
 *
 * Owns: nothing. Threads: pure functions. Errors: NULL where there is nothing. */
#ifndef FRAUD_MESSAGE_PATH_H
#define FRAUD_MESSAGE_PATH_H

#include "r1_base.h"

#include <jansson.h>

enum { MESSAGE_PATH_PARTS_MAX = 12 };

/* What is expected in the place of a text that is no path; NULL: it is one. */
const char *message_path_fault(const char *path);
/* Whether it may lead through a list. */
bool message_path_has_list(const char *path);
/* The value, NULL where there is none. *places: of a list on the way with more than one; else as it
 * was. */
const json_t *message_path_find(const json_t *message, const char *path, size_t *places);
/* A text, a number as it was written, or true and false: what words are compared with. NULL: the
 * value is none of these. buf holds whole numbers. */
const char *message_path_word(const json_t *value, char buf[32]);

#endif
