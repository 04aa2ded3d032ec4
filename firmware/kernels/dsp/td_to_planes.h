/* A dense tensor (NHWC) to channel planes. */
#ifndef TD_TO_PLANES_H
#define TD_TO_PLANES_H

#include "td_plane_border.h"

struct td_to_planes {
    struct td_planes planes;
};

/* `input` [height][width][channels]; of `output` only the values are written. They must not overlap. No alignment is
 * needed. 2.3 instructions a value, 4 in the last 1 to 3 channels. */
void td_to_planes(const struct td_to_planes *to_planes, const int8_t *input, int8_t *output);

#endif
