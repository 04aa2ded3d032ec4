/* FULLY_CONNECTED, int8. */
#ifndef TD_FULLY_CONNECTED_H
#define TD_FULLY_CONNECTED_H

#include "td_requantize.h"

struct td_fully_connected {
    int32_t rows; /* how many vectors are multiplied with the weights */
    uint16_t input_depth, output_depth;
    const int8_t *weights; /* [output_depth][input_depth] */
    const int32_t *bias;   /* [output_depth], minus the input's zero point times the sum of the channel's weights */
    struct td_output_stage output_stage;
};

/* `input` [rows][input_depth], `output` [rows][output_depth]; they must not overlap. No alignment is needed.
 * The compiler has made sure that no accumulator overflows. */
void td_fully_connected(const struct td_fully_connected *layer, const int8_t *input, int8_t *output);

#endif
