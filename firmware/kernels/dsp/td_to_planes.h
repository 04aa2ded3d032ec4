/* A dense tensor (NHWC) to channel planes. */
#ifndef TD_TO_PLANES_H
#define TD_TO_PLANES_H

#include "td_plane_border.h"

struct td_to_planes {
    struct td_plane_border border;
};

/* `input` [height][width][channels]; `output` the planes, with what lies around their values. They must not overlap. No
 * alignment is needed. */
void td_to_planes(const struct td_to_planes *to_planes, const int8_t *input, int8_t *output);

#endif
