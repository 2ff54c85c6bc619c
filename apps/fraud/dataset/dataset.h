/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset.h - loads a data set of labelled payments in any of the layouts.
 *
 * Layouts: handbook (Fraud-Detection-Handbook), amlgentex (aidotse/AMLGentex), amlsim
 * (IBM/AMLSim samples), sffsd (AI4Risk/antifraud), sparkov (Sparkov_Data_Generation), ibm, paysim,
 * samld, ulb and elliptic (dataset_aml.h), r1 (our
 * own: recording.h). A file may be plain or end in .zst. Unpacked, it has at most
 * FRAUD_DATASET_BYTES_MAX bytes.
 *
 * AMLGentex lists normal transfers first and laundering last inside each step. Position alone
 * has an AUC of .96. Rows of one step are therefore shuffled with a fixed seed, here and in
 * lab/peers.
 * Owns: what it loads is the caller's (fraud_dataset_free). Threads: any. */
#ifndef FRAUD_DATASET_H
#define FRAUD_DATASET_H

#include "dataset/cases.h"

/* path: the layout's file, or the folder that holds it. accounts: the file of accounts where the
 * layout has one; NULL: beside. number: fraud_dataset.number. */
r1_status fraud_dataset_load(fraud_dataset **out, fraud_layout layout, const char *path,
                             const char *accounts, uint32_t number, r1_err *err);

#endif
