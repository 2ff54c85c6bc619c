/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_names.c - ids packed and unpacked, whatever they hold; the ring of tx_ids and the pool of
 * account names against lists of plain strings; a state whose ids are as long as ids may be. */
#include "graph/state.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static void random_id(r1_rng *rng, char out[FRAUD_ID_BYTES])
{
    static const char alphabets[][64] = {"0123456789abcdef", "0123456789ABCDEF", "0123456789",
                                         "abcdefghijklmnopqrstuvwxyz-_/ \xc3\xa9"};
    const char *letters = alphabets[r1_rng_below(rng, 4)];
    size_t n = r1_rng_below(rng, 4) ? r1_rng_below(rng, 40) : r1_rng_below(rng, FRAUD_ID_BYTES);
    for (size_t i = 0; i < n; i++) out[i] = letters[r1_rng_below(rng, strlen(letters))];
    out[n] = 0;
    if (n == 36 && r1_rng_below(rng, 4)) out[8] = out[13] = out[18] = out[23] = '-';
}

static void ids_come_back_as_they_were(void)
{
    static const struct {
        const char *id;
        int bytes;
    } cases[] = {{"", 0},
                 {"a", 1},
                 {"ab", 1},
                 {"abc", 3},
                 {"AB", 2},
                 {"123e4567-e89b-12d3-a456-426614174000", 16},
                 {"123E4567-e89b-12d3-a456-426614174000", 36},
                 {"123e4567ae89b-12d3-a456-426614174000", 36},
                 {"-23e4567-e89b-12d3-a456-426614174000", 36},
                 {"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 32},
                 {"DE89370400440532013000", 22}};
    char back[FRAUD_ID_BYTES], id[FRAUD_ID_BYTES];
    fraud_id packed;
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_id_pack(cases[i].id, &packed);
        fraud_id_unpack(&packed, back);
        CU_ASSERT_STRING_EQUAL(back, cases[i].id);
        CU_ASSERT_EQUAL(packed.bytes, cases[i].bytes);
    }
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 20000; i++) {
        random_id(&rng, id);
        fraud_id_pack(id, &packed);
        fraud_id_unpack(&packed, back);
        CU_ASSERT_STRING_EQUAL(back, id);
    }
}

enum { CHUNKS = 8, HELD = 4096 };

/* A queue of plain strings beside the ring; the oldest leaves when the next does not fit. */
static void the_ring_holds_what_a_list_holds(void)
{
    static char held[HELD][FRAUD_ID_BYTES];
    static uint32_t place[HELD];
    fraud_name_ring ring = {.data = calloc(CHUNKS, FRAUD_NAME_CHUNK),
                            .next = calloc(CHUNKS, sizeof *ring.next),
                            .n_chunk = CHUNKS};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    uint32_t first = 0, n = 0;
    for (int i = 0; i < 30000; i++) {
        char id[FRAUD_ID_BYTES], back[FRAUD_ID_BYTES];
        fraud_id packed;
        random_id(&rng, id);
        fraud_id_pack(id, &packed);
        while (n && (n == HELD || !fraud_name_ring_fits(&ring, &packed) ||
                     !r1_rng_below(&rng, i % 5000 < 100 ? 1 : 3))) {
            uint32_t at = first++ % HELD;
            fraud_name_ring_read(&ring, place[at], back);
            CU_ASSERT_STRING_EQUAL(back, held[at]);
            CU_ASSERT_EQUAL(fraud_name_ring_link(&ring, place[at]), at);
            fraud_name_ring_drop(&ring, place[at], --n ? place[first % HELD] : UINT32_MAX);
        }
        CU_ASSERT_FATAL(fraud_name_ring_fits(&ring, &packed));
        uint32_t at = (first + n++) % HELD;
        memcpy(held[at], id, sizeof id);
        place[at] = fraud_name_ring_add(&ring, &packed, at);
        CU_ASSERT(fraud_name_ring_equal(&ring, place[at], &packed));
        CU_ASSERT(ring.n_used <= CHUNKS);
    }
    free(ring.data);
    free(ring.next);
}

static void the_pool_gives_back_what_it_took(void)
{
    enum { ROWS = 40, BLOCKS = 100 };
    static char held[ROWS][FRAUD_ID_BYTES];
    fraud_name name[ROWS] = {{0}};
    fraud_name_pool pool = {.block = calloc(BLOCKS, sizeof *pool.block), .n_block = BLOCKS};
    bool used[ROWS] = {false};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 20000; i++) {
        size_t k = r1_rng_below(&rng, ROWS);
        char id[FRAUD_ID_BYTES], back[FRAUD_ID_BYTES];
        fraud_id packed;
        random_id(&rng, id);
        fraud_id_pack(id, &packed);
        if (used[k]) {
            fraud_name_pool_read(&pool, &name[k], back);
            CU_ASSERT_STRING_EQUAL(back, held[k]);
            CU_ASSERT_EQUAL(fraud_name_pool_equal(&pool, &name[k], &packed), !strcmp(id, held[k]));
            fraud_name_pool_drop(&pool, &name[k]);
            used[k] = false;
        }
        if (!fraud_name_pool_fits(&pool, &packed)) continue;
        fraud_name_pool_add(&pool, &name[k], &packed);
        memcpy(held[k], id, sizeof id);
        used[k] = true;
    }
    for (int k = 0; k < ROWS; k++)
        if (used[k]) fraud_name_pool_drop(&pool, &name[k]);
    CU_ASSERT_EQUAL(pool.n_used, 0);
    free(pool.block);
}

/* Accounts and payments whose ids are as long as a payment holds, and some short ones: all are
 * found by them, and where the pool is full the account idle longest makes room. */
static void ids_of_the_largest_size(void)
{
    enum { ROWS = 64, PAYMENTS = 3000 };
    fraud_state *s = NULL;
    r1_err err;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    R1_ASSERT_OK(fraud_state_new(&s, 256, ROWS, 256, &err), &err);
    for (int i = 0; i < PAYMENTS; i++) {
        fraud_payment p = {.ts = 1000 * i, .amount_minor = 100, .minor_digits = 2};
        char back[FRAUD_ID_BYTES];
        int from = (int)r1_rng_below(&rng, 2 * ROWS), to = (int)r1_rng_below(&rng, 2 * ROWS);
        snprintf(p.tx_id, sizeof p.tx_id, "%0*dx", FRAUD_TX_ID_BYTES - 2, i);
        snprintf(p.from, sizeof p.from, "%0*dx", from % 2 ? FRAUD_ACCOUNT_BYTES - 2 : 5, from);
        snprintf(p.to, sizeof p.to, "%0*dx", to % 2 ? FRAUD_ACCOUNT_BYTES - 2 : 5, to);
        fraud_state_advance(s, p.ts);
        uint32_t a = fraud_state_entity(s, p.from, 0), b = fraud_state_entity(s, p.to, 0);
        uint64_t seq = fraud_state_insert(s, &p, a, b);
        CU_ASSERT(fraud_state_find(s, p.from) == a && fraud_state_find(s, p.to) == b);
        fraud_state_name(s, a, back);
        CU_ASSERT_STRING_EQUAL(back, p.from);
        fraud_edge_tx_id(s, fraud_state_edge(s, seq), back);
        CU_ASSERT_STRING_EQUAL(back, p.tx_id);
        CU_ASSERT_EQUAL(fraud_state_label(s, p.tx_id, i % 7 == 0, &err), R1_OK);
        CU_ASSERT(s->names.n_used <= s->names.n_block);
        if (i % 50 == 0) CU_ASSERT_PTR_NULL(fraud_state_fault(s));
    }
    CU_ASSERT(s->entities.evicted > 100);
    CU_ASSERT_EQUAL(fraud_state_find(s, "nobody"), FRAUD_NONE);
    char longer[2 * FRAUD_ID_BYTES];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = 0;
    CU_ASSERT_EQUAL(fraud_state_find(s, longer), FRAUD_NONE);
    CU_ASSERT_EQUAL(fraud_state_label(s, longer, true, &err), R1_E_NOT_FOUND);
    fraud_state_free(s);
}

int main(void)
{
    static const r1_test_case cases[] = {
        {"ids come back as they were", ids_come_back_as_they_were},
        {"the ring holds what a list holds", the_ring_holds_what_a_list_holds},
        {"the pool gives back what it took", the_pool_gives_back_what_it_took},
        {"ids of the largest size", ids_of_the_largest_size},
    };
    return r1_test_run("fraud names", cases, R1_COUNT(cases));
}
