/* SPDX-License-Identifier: Apache-2.0 */
/* maze.h - a maze of evidence whose best policy is known: what the reinforce stage is proven on.
 *
 * A case has a verdict y (0 or 1) and a mode z (0 or 1), both hidden and fair coins, and a level
 * of noise that is seen. Behind each door is a room with a sign, 0 or 1, drawn from
 * p[level][room][y][z]; to enter costs. Some rooms say which mode it is, others tell the verdict
 * in one mode and toss a coin in the other, so what is worth asking next depends on what was
 * seen. One may say a verdict at any time: the reward is 1 when it is right, less the costs.
 * What is known of a case is one of 3^n_room codes (digit of a room: 0 not entered, 1 + sign),
 * the belief over (y, z) follows by Bayes, and dynamic programming over the codes gives the best
 * policy exactly.
 *
 * Actions: i < n_room enters room i, n_room + y says verdict y. */
#ifndef R1_MAZE_H
#define R1_MAZE_H

#include "r1_base.h"

enum {
    MAZE_ROOMS_MAX = 7,
    MAZE_CODES_MAX = 2187,
    MAZE_LEVELS = 4,
    MAZE_ACTIONS_MAX = MAZE_ROOMS_MAX + 2
};

typedef struct {
    uint32_t n_room, n_code, n_action;
    double cost[MAZE_ROOMS_MAX];
    uint32_t door[MAZE_ROOMS_MAX]; /* rooms from one of which it is entered; 0: from the entrance */
    double p[MAZE_LEVELS][MAZE_ROOMS_MAX][2][2]; /* chance of sign 1 given y, z */
    uint32_t opened[MAZE_CODES_MAX];             /* rooms entered, by code */
    uint32_t power[MAZE_ROOMS_MAX];              /* 3^room */
} maze;

void maze_make(maze *m, uint32_t n_room, uint64_t seed);
/* Sign of an entered room. */
static inline uint32_t maze_sign(const maze *m, uint32_t code, uint32_t room)
{
    return code / m->power[room] % 3 - 1;
}
bool maze_permitted(const maze *m, uint32_t code, uint32_t action);
/* Chance that the code's signs are seen together with (y, z). */
double maze_weight(const maze *m, uint32_t level, uint32_t code, int y, int z);
/* The best policy's value; act (NULL, or n_code) gets an optimal action of each code. */
double maze_best(const maze *m, uint32_t level, uint8_t *act);
/* Value of the policy prob[code][action]; permitted actions sum to 1. steps (NULL): mean number
 * of rooms entered. */
double maze_value(const maze *m, uint32_t level, const double *prob, double *steps);
/* The best set of rooms that is entered whatever is seen: all subsets tried. */
double maze_best_subset(const maze *m, uint32_t level, uint32_t *subset);

/* n cases as a shard: item "entrance" with the level, an item per room with its sign; head
 * "verdict" is y. The description also has the policy's head "act"; the reward model's has
 * "worth" in its place. */
r1_status maze_write(const maze *m, const char *path, size_t n, uint64_t seed, r1_err *err);
size_t maze_description(const maze *m, bool reward, char *to, size_t size);

#endif
