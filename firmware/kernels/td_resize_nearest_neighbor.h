/* RESIZE_NEAREST_NEIGHBOR, int8. */
#ifndef TD_RESIZE_NEAREST_NEIGHBOR_H
#define TD_RESIZE_NEAREST_NEIGHBOR_H

#include <stdint.h>

struct td_resize_nearest_neighbor {
    uint16_t input_width, channels;
    uint16_t output_height, output_width;
    const uint16_t *rows;    /* [output_height], the input row of each */
    const uint16_t *columns; /* [output_width], the input column of each */
};

/* `input` [height][width][channels], `output` likewise; they must not overlap. No alignment is needed. */
void td_resize_nearest_neighbor(const struct td_resize_nearest_neighbor *resize, const int8_t *input, int8_t *output);

#endif
