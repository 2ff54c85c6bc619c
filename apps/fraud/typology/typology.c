/* SPDX-License-Identifier: GPL-3.0-or-later */
/* typology.c - the names, as they stand in rules, rows and reports. */
#include "typology/typology.h"

#include <string.h>

#define TYPOLOGY_NAME(id, name) [FRAUD_TYPOLOGY_##id] = name,
const char *const FRAUD_TYPOLOGY_NAME[FRAUD_N_TYPOLOGY] = {FRAUD_TYPOLOGIES(TYPOLOGY_NAME)};

const char *fraud_typology_name(unsigned typology)
{
    return typology < FRAUD_N_TYPOLOGY ? FRAUD_TYPOLOGY_NAME[typology] : "unknown";
}

fraud_typology fraud_typology_find(const char *name)
{
    unsigned t = 0;
    while (t < FRAUD_N_TYPOLOGY && strcmp(name, FRAUD_TYPOLOGY_NAME[t]) != 0) t++;
    return (fraud_typology)t;
}
