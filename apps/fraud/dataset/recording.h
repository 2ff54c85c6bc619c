/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recording.h - our own layout: a folder with payments.jsonl and labels.jsonl as `r1-fraud
 * generate` and the topics hold them, and, where rings are known, truth.jsonl.
 *
 * Every member of a payment is kept, so that a recording scores here as it does live. */
#ifndef FRAUD_RECORDING_H
#define FRAUD_RECORDING_H

#include "dataset/cases.h"

/* Fills an empty data set. Errors: R1_E_NOT_FOUND, or R1_E_FORMAT with file and line. */
r1_status fraud_recording_load(fraud_dataset *d, const char *folder, r1_err *err);

#endif
