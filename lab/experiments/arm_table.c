/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/arm_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool arm_seeds(const char *text, uint64_t *first, uint64_t *last)
{
    unsigned long long a, b;
    int given = sscanf(text, "%llu-%llu", &a, &b);
    if (given < 1) return false;
    *first = a;
    *last = given == 1 ? a : b;
    return true;
}

bool arm_named(const char *list, const char *name)
{
    size_t n = strlen(name);
    if (!list) return true;
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, n) == 0 && (at[n] == 0 || at[n] == ',')) return true;
    return false;
}

bool arm_finished(const char *table, const char *arm, uint64_t seed, const double *third)
{
    char line[512], name[64];
    unsigned long long s;
    double x;
    bool found = false;
    FILE *f = fopen(table, "re");
    while (f && fgets(line, sizeof line, f)) {
        int n = sscanf(line, "%63[^,],%llu,%lf,", name, &s, &x);
        found |= n >= 2 && !strcmp(name, arm) && s == seed &&
                 (!third || (n == 3 && fabs(x - *third) < 1e-9));
    }
    if (f) fclose(f);
    return found;
}
