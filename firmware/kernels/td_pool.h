/* What AVERAGE_POOL_2D and MAX_POOL_2D have in common: a window that slides over height and width. */
#ifndef TD_POOL_H
#define TD_POOL_H

#include <stdint.h>

struct td_pool {
    uint16_t input_height, input_width, channels;
    uint16_t output_height, output_width;
    uint16_t filter_height, filter_width;
    uint16_t stride_height, stride_width;
    uint16_t pad_top, pad_left;
    int16_t min, max;
};

#endif
