/* MUL, int8, with broadcasting. */
#ifndef TD_MUL_H
#define TD_MUL_H

#include "td_broadcast.h"
#include "td_requantize.h"

struct td_mul {
    struct td_broadcast broadcast;
    int16_t first_zero_point, second_zero_point, zero_point;
    int16_t min, max;
    struct td_multiplier result; /* from the product of the inputs' scales to the output's */
};

/* Inputs of any shapes that broadcast to the output's. `output` may be the same memory as an input that has as many
 * elements; otherwise it must not overlap them. No alignment is needed. */
void td_mul(const struct td_mul *mul, const int8_t *first, const int8_t *second, int8_t *output);

#endif
