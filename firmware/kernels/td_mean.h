/* MEAN over any dimensions, int8. */
#ifndef TD_MEAN_H
#define TD_MEAN_H

#include "td_requantize.h"

/* Nested loops over the input's dimensions, outermost first, with the distance in the input of one turn. */
struct td_mean {
    int32_t kept_count[3];
    int32_t kept_step[3];
    int32_t averaged_count[3];
    int32_t averaged_step[3];
    int32_t start;                   /* of every sum: what the input's zero point takes from it */
    struct td_multiplier multiplier; /* from a sum to the output; contains the division */
    int16_t zero_point;
};

/* `output` is contiguous over the kept dimensions and must not overlap `input`. No alignment is needed.
 * The compiler has made sure that no sum overflows. */
void td_mean(const struct td_mean *mean, const int8_t *input, int8_t *output);

#endif
