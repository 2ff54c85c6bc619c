/* SPDX-License-Identifier: Apache-2.0 */
/* maze.c - the maze of evidence: generator, exact values, shards. */
#include "support/maze.h"

#include "r1_shard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- generator ------------------------------------------------------------------------------- */

typedef enum { GUIDE, READS_MODE0, READS_MODE1, WEAK } role;

/* A guide tells the mode, readers the verdict in one mode, a weak room a little in both. */
static void maze_furnish(maze *m, uint32_t room, role r, r1_rng *rng)
{
    static const double strength[MAZE_LEVELS] = {0.46, 0.41, 0.35, 0.28};
    double share = 0.92 + 0.08 * r1_rng_unit(rng);
    m->cost[room] = r == WEAK    ? 0.01 + 0.01 * r1_rng_unit(rng)
                    : r == GUIDE ? 0.01 + 0.01 * r1_rng_unit(rng)
                                 : 0.06 + 0.04 * r1_rng_unit(rng);
    for (uint32_t l = 0; l < MAZE_LEVELS; l++)
        for (int y = 0; y < 2; y++)
            for (int z = 0; z < 2; z++) {
                double s = strength[l] * share, sign = (r == GUIDE ? z : y) ? 1 : -1;
                if ((r == READS_MODE0 && z == 1) || (r == READS_MODE1 && z == 0)) s = 0;
                if (r == WEAK) s *= 0.5;
                m->p[l][room][y][z] = 0.5 + sign * s;
            }
}

static void maze_codes(maze *m)
{
    m->n_code = 1;
    for (uint32_t i = 0; i < m->n_room; i++) {
        m->power[i] = m->n_code;
        m->n_code *= 3;
    }
    for (uint32_t code = 0; code < m->n_code; code++) {
        m->opened[code] = 0;
        for (uint32_t i = 0; i < m->n_room; i++)
            if (code / m->power[i] % 3) m->opened[code] |= 1u << i;
    }
}

void maze_make(maze *m, uint32_t n_room, uint64_t seed)
{
    static const role roles[MAZE_ROOMS_MAX] = {GUIDE,       READS_MODE0, READS_MODE1, WEAK,
                                               READS_MODE0, READS_MODE1, GUIDE};
    uint32_t place[MAZE_ROOMS_MAX];
    r1_rng rng;
    memset(m, 0, sizeof *m);
    r1_rng_seed(&rng, seed);
    m->n_room = n_room;
    m->n_action = n_room + 2;
    for (uint32_t i = 0; i < n_room; i++) {
        uint32_t j = (uint32_t)r1_rng_below(&rng, i + 1);
        place[i] = place[j];
        place[j] = i;
    }
    for (uint32_t i = 0; i < n_room; i++) maze_furnish(m, place[i], roles[i], &rng);
    for (
        uint32_t i = 2; i < n_room;
        i++) /* the first two lie at the entrance, about half of the others behind an earlier one */
        if (r1_rng_unit(&rng) < 0.5) {
            m->door[i] = 1u << r1_rng_below(&rng, i);
            if (r1_rng_unit(&rng) < 0.3) m->door[i] |= 1u << r1_rng_below(&rng, i);
        }
    maze_codes(m);
}

/* ---- exact values ---------------------------------------------------------------------------- */

bool maze_permitted(const maze *m, uint32_t code, uint32_t action)
{
    if (action >= m->n_room) return action < m->n_action;
    return !(m->opened[code] >> action & 1) &&
           (!m->door[action] || (m->door[action] & m->opened[code]));
}

double maze_weight(const maze *m, uint32_t level, uint32_t code, int y, int z)
{
    double w = 0.25;
    for (uint32_t i = 0; i < m->n_room; i++) {
        if (!(m->opened[code] >> i & 1)) continue;
        double p = m->p[level][i][y][z];
        w *= maze_sign(m, code, i) ? p : 1 - p;
    }
    return w;
}

/* Chance of the code with either verdict. */
static void maze_verdicts(const maze *m, uint32_t level, uint32_t code, double w[2])
{
    for (int y = 0; y < 2; y++)
        w[y] = maze_weight(m, level, code, y, 0) + maze_weight(m, level, code, y, 1);
}

/* Value of an action times the chance of the code: no belief needs dividing out, and the root's
 * chance is 1. value: of the codes above, which are all that an entered room leads to. */
static double maze_worth(const maze *m, const double w[2], const double *value, uint32_t code,
                         uint32_t action)
{
    if (action >= m->n_room) return w[action - m->n_room];
    uint32_t next = code + m->power[action];
    return value[next] + value[next + m->power[action]] - m->cost[action] * (w[0] + w[1]);
}

double maze_best(const maze *m, uint32_t level, uint8_t *act)
{
    double value[MAZE_CODES_MAX], w[2];
    for (uint32_t code = m->n_code; code-- > 0;) {
        maze_verdicts(m, level, code, w);
        value[code] = -INFINITY;
        for (uint32_t a = 0; a < m->n_action; a++) {
            double v = maze_permitted(m, code, a) ? maze_worth(m, w, value, code, a) : -INFINITY;
            if (v <= value[code]) continue;
            value[code] = v;
            if (act) act[code] = (uint8_t)a;
        }
    }
    return value[0];
}

double maze_value(const maze *m, uint32_t level, const double *prob, double *steps)
{
    double value[MAZE_CODES_MAX], entered[MAZE_CODES_MAX], w[2];
    for (uint32_t code = m->n_code; code-- > 0;) {
        maze_verdicts(m, level, code, w);
        value[code] = entered[code] = 0;
        for (uint32_t a = 0; a < m->n_action; a++) {
            if (!maze_permitted(m, code, a)) continue;
            double p = prob[(size_t)code * m->n_action + a];
            value[code] += p * maze_worth(m, w, value, code, a);
            if (a >= m->n_room) continue;
            uint32_t next = code + m->power[a];
            entered[code] += p * (w[0] + w[1] + entered[next] + entered[next + m->power[a]]);
        }
    }
    if (steps) *steps = entered[0];
    return value[0];
}

/* Can be entered one after the other. */
static bool maze_reachable(const maze *m, uint32_t subset)
{
    uint32_t in = 0, before;
    do {
        before = in;
        for (uint32_t i = 0; i < m->n_room; i++)
            if (subset >> i & 1 && (!m->door[i] || (m->door[i] & in))) in |= 1u << i;
    } while (in != before);
    return in == subset;
}

double maze_best_subset(const maze *m, uint32_t level, uint32_t *subset)
{
    double value[1u << MAZE_ROOMS_MAX] = {0}, best = -INFINITY, w[2];
    for (uint32_t code = 0; code < m->n_code; code++) {
        maze_verdicts(m, level, code, w);
        value[m->opened[code]] += fmax(w[0], w[1]);
    }
    for (uint32_t s = 0; s < 1u << m->n_room; s++) {
        for (uint32_t i = 0; i < m->n_room; i++) value[s] -= s >> i & 1 ? m->cost[i] : 0;
        if (!maze_reachable(m, s) || value[s] <= best) continue;
        best = value[s];
        if (subset) *subset = s;
    }
    return best;
}

/* ---- shards ---------------------------------------------------------------------------------- */

size_t maze_description(const maze *m, bool reward, char *to, size_t size)
{
    size_t n = (size_t)snprintf(to, size,
                                "{\"name\":\"maze\",\"d_align\":32,\"d_model\":32,\"n_layer\":1,"
                                "\"n_head\":4,\"n_head_cross\":4,\"d_ff\":64,"
                                "\"items\":["
                                "{\"name\":\"entrance\",\"kind\":\"table\",\"num\":[],\"cat\":[{"
                                "\"name\":\"level\",\"n\":%d}],\"d_cat\":8,"
                                "\"hidden\":16}",
                                MAZE_LEVELS);
    for (uint32_t i = 0; i < m->n_room && n < size; i++)
        n += (size_t)snprintf(to + n, size - n,
                              ",{\"name\":\"room%u\",\"kind\":\"table\",\"num\":[],\"cat\":[{"
                              "\"name\":\"sign\",\"n\":2}],"
                              "\"d_cat\":8,\"hidden\":16}",
                              i);
    if (n < size)
        n += (size_t)snprintf(to + n, size - n,
                              "],\"heads\":[{\"name\":\"verdict\",\"kind\":\"binary\"},"
                              "{\"name\":\"%s\",\"kind\":\"class\",\"n\":%u}]}",
                              reward ? "worth" : "act", reward ? 2 : m->n_room + 3);
    return n;
}

static r1_status maze_add_case(const maze *m, r1_shard_writer *w, size_t id, r1_rng *rng,
                               r1_err *err)
{
    int32_t level = (int32_t)r1_rng_below(rng, MAZE_LEVELS), sign[MAZE_ROOMS_MAX];
    uint32_t y = (uint32_t)r1_rng_below(rng, 2), z = (uint32_t)r1_rng_below(rng, 2);
    float label[2] = {(float)y, NAN};
    r1_item item[1 + MAZE_ROOMS_MAX] = {{.present = true, .cat = &level}};
    for (uint32_t i = 0; i < m->n_room; i++) {
        sign[i] = r1_rng_unit(rng) < m->p[level][i][y][z];
        item[1 + i] = (r1_item){.present = true, .cat = &sign[i]};
    }
    return r1_shard_add(w, &(r1_sample){.item = item, .id = id, .label = label, .weight = 1}, err);
}

r1_status maze_write(const maze *m, const char *path, size_t n, uint64_t seed, r1_err *err)
{
    char description[4096];
    r1_shard_writer *w;
    r1_rng rng;
    if (maze_description(m, false, description, sizeof description) >= sizeof description)
        R1_FAIL(err, R1_E_INVAL, "maze: the description is too long");
    R1_TRY(r1_shard_create(&w, path, description, err));
    r1_rng_seed(&rng, seed);
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < n; i++) st = maze_add_case(m, w, i, &rng, err);
    if (st == R1_OK) return r1_shard_finish(w, err);
    r1_shard_abort(w);
    return st;
}
