/* SPDX-License-Identifier: GPL-3.0-or-later */
/* capacity.c - see capacity.h. */
#include "serve/capacity.h"

/* Where memory alone is given: rows of a kind for one account. */
enum {
    EDGES_AN_ACCOUNT = 10,
    PAIRS_AN_ACCOUNT = 4,
    ACCOUNTS_LEAST = 16,
    ROWS_MOST = (1 << 28) - 1
};

static void capacity_sizes(uint64_t accounts, fraud_engine_opts *out)
{
    uint64_t edges = accounts * EDGES_AN_ACCOUNT, pairs = accounts * PAIRS_AN_ACCOUNT;
    out->entities_max = (uint32_t)accounts;
    out->edges_max = (uint32_t)(edges < ROWS_MOST ? edges : ROWS_MOST);
    out->pairs_max = (uint32_t)(pairs < ROWS_MOST ? pairs : ROWS_MOST);
}

/* The most accounts whose state costs no more. */
static r1_status sizes_of_memory(int64_t megabytes, fraud_engine_opts *out, r1_err *err)
{
    const uint64_t bytes = (uint64_t)megabytes * 1000000;
    uint64_t low = ACCOUNTS_LEAST, high = ROWS_MOST;
    while (low < high) {
        uint64_t mid = (low + high + 1) / 2;
        capacity_sizes(mid, out);
        if (fraud_engine_state_bytes(out) <= bytes)
            low = mid;
        else
            high = mid - 1;
    }
    capacity_sizes(low, out);
    if (fraud_engine_state_bytes(out) <= bytes) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "state-memory: expected room for %d accounts, found %lld MB",
            ACCOUNTS_LEAST, (long long)megabytes);
}

r1_status fraud_capacity_read(const r1_options *o, fraud_engine_opts *out, r1_err *err)
{
    int64_t remembered = r1_options_int(o, "memory-accounts");
    if (r1_options_has(o, "state-memory")) {
        R1_TRY(sizes_of_memory(r1_options_int(o, "state-memory"), out, err));
    } else {
        out->entities_max = (uint32_t)r1_options_int(o, "accounts");
        out->edges_max = (uint32_t)r1_options_int(o, "edges");
        out->pairs_max = (uint32_t)r1_options_int(o, "pairs");
    }
    if (remembered > out->entities_max)
        R1_FAIL(err, R1_E_INVAL,
                "memory-accounts: expected at most the %u accounts that the state knows, found "
                "%lld",
                out->entities_max, (long long)remembered);
    out->rings_max = 2 * (uint32_t)remembered;
    return R1_OK;
}

/* ---- words ---- */

void fraud_print_count(FILE *out, uint64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < len; i++) {
        fputc(digits[i], out);
        if (i + 1 < len && (len - i - 1) % 3 == 0) fputc(',', out);
    }
}

void fraud_print_bytes(FILE *out, uint64_t bytes)
{
    static const struct {
        double size;
        const char *unit;
    } units[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}};
    for (size_t i = 0; i < R1_COUNT(units); i++)
        if ((double)bytes >= units[i].size || i + 1 == R1_COUNT(units)) {
            fprintf(out, "%.1f %s", (double)bytes / units[i].size, units[i].unit);
            return;
        }
}

static void print_time(FILE *out, double seconds)
{
    if (seconds >= 2 * 86400)
        fprintf(out, "%.1f days", seconds / 86400);
    else if (seconds >= 2 * 3600)
        fprintf(out, "%.1f hours", seconds / 3600);
    else
        fprintf(out, "%.1f minutes", seconds / 60);
}

static void print_part(FILE *out, const char *before, const char *what, uint64_t n, uint64_t bytes)
{
    fprintf(out, "%s", before);
    fraud_print_count(out, n);
    fprintf(out, " %s: ", what);
    fraud_print_bytes(out, bytes);
    fputc('\n', out);
}

static void print_rates(FILE *out, const char *before, uint64_t edges)
{
    static const int rates[] = {10, 100, 1000, 2000};
    fprintf(out, "%sexact windows reach back", before);
    for (size_t i = 0; i < R1_COUNT(rates); i++) {
        fprintf(out, "%s ", i ? "," : "");
        print_time(out, (double)edges / rates[i]);
        fputs(" at ", out);
        fraud_print_count(out, (uint64_t)rates[i]);
        fputs(" payments/s", out);
    }
    fprintf(out, "\n%solder payments count in aged windows, up to 28 days at any rate\n", before);
}

void fraud_capacity_print(const fraud_engine *e, const char *before, FILE *out)
{
    fraud_capacity c;
    fraud_engine_capacity(e, &c);
    print_part(out, before, "accounts, with aged windows", c.accounts_max, c.accounts_bytes);
    print_part(out, before, "edges, with their ids", c.edges_max, c.edges_bytes);
    print_part(out, before, "pairs, with aged windows", c.pairs_max, c.pairs_bytes);
    if (c.memory_bytes)
        print_part(out, before, "accounts of working memory, at most", c.rings_max / 2,
                   c.memory_bytes);
    fprintf(out, "%sin all, when everything is in use: ", before);
    fraud_print_bytes(out, c.state_bytes + c.memory_bytes);
    fputc('\n', out);
    print_rates(out, before, c.edges_max);
}
