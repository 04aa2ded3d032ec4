/* ADD and SUB, int8, with broadcasting. */
#ifndef TD_ADD_H
#define TD_ADD_H

#include "td_broadcast.h"
#include "td_requantize.h"

/* By how many bits the inputs are raised before they are scaled, for precision. */
#define TD_ADD_LEFT_SHIFT 20

struct td_add {
    struct td_broadcast broadcast;
    int16_t first_zero_point, second_zero_point, zero_point;
    int16_t min, max;
    struct td_multiplier first, second; /* to half the larger input scale; no shift to the left */
    struct td_multiplier result;        /* from there to the output's scale, less the left shift; likewise */
    int32_t sign;                       /* of the second input: -1 for SUB */
};

/* Inputs of any shapes that broadcast to the output's. `output` may be the same memory as an input that has as many
 * elements; otherwise it must not overlap them. No alignment is needed. */
void td_add(const struct td_add *add, const int8_t *first, const int8_t *second, int8_t *output);

#endif
