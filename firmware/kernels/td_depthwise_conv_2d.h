/* DEPTHWISE_CONV_2D, int8, any depth multiplier. */
#ifndef TD_DEPTHWISE_CONV_2D_H
#define TD_DEPTHWISE_CONV_2D_H

#include "td_requantize.h"

struct td_depthwise_conv_2d {
    uint16_t input_height, input_width, input_channels;
    uint16_t output_height, output_width, output_channels;
    uint16_t kernel_height, kernel_width;
    uint16_t stride_height, stride_width;
    uint16_t dilation_height, dilation_width;
    uint16_t pad_top, pad_left;
    uint16_t depth_multiplier; /* output channel c reads input channel c / depth_multiplier */
    int16_t input_zero_point;
    const int8_t *weights;     /* [output_channels][kernel_height][kernel_width] */
    const int32_t *bias;       /* [output_channels], minus input_zero_point times the sum of the channel's weights */
    struct td_output_stage output_stage;
};

/* `input` [height][width][channels], `output` likewise; they must not overlap. No alignment is needed.
 * Outside the input every value is its zero point. The compiler has made sure that no accumulator overflows. */
void td_depthwise_conv_2d(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output);

#endif
