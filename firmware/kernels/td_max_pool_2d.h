/* MAX_POOL_2D, int8; input and output are quantised alike. */
#ifndef TD_MAX_POOL_2D_H
#define TD_MAX_POOL_2D_H

#include "td_pool.h"

struct td_max_pool_2d {
    struct td_pool window;
};

/* `input` [height][width][channels], `output` likewise; they must not overlap. No alignment is needed.
 * Padding does not count. Every window has at least one value in the input. */
void td_max_pool_2d(const struct td_max_pool_2d *pool, const int8_t *input, int8_t *output);

#endif
