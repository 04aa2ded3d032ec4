/* AVERAGE_POOL_2D over a whole image, or MEAN over height and width, of channel planes: one value for each channel. */
#ifndef TD_AVERAGE_PLANES_H
#define TD_AVERAGE_PLANES_H

#include "td_plane_border.h"
#include "td_requantize.h"

struct td_average_planes {
    struct td_planes planes;      /* where rows touch, best as one row; height * width < 2^23 */
    int32_t divisor;              /* AVERAGE_POOL_2D: the number of values. MEAN: 0 */
    int32_t start;                /* of every sum; MEAN: what the input's zero point takes from it */
    struct td_multiplier multiplier; /* MEAN: from a sum to the output; contains the division */
    int16_t zero_point;           /* MEAN */
    int16_t min, max;
};

/* `output` [channels]; it may start at the same address as `input`, but not overlap it otherwise. Up to 3 bytes behind
 * the last value are read and do not matter. No alignment is needed. */
void td_average_planes(const struct td_average_planes *average, const int8_t *input, int8_t *output);

#endif
