/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kafka_settings.c - see kafka_settings.h. */
#include "serve/kafka_settings.h"

_Static_assert((int)R1_OPTION_ENTRIES_MAX <= (int)R1_STREAM_SETTINGS_MAX, "all entries fit");
void fraud_kafka_settings(const r1_options *o, r1_stream_opts *opts)
{
    r1_stream_setting *to = opts->setting;
    for (opts->n_setting = 0; opts->n_setting < R1_OPTION_ENTRIES_MAX; opts->n_setting++, to++)
        if (!r1_options_entry(o, "extra", opts->n_setting, &to->name, &to->value, NULL)) break;
}
