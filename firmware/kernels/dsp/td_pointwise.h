/* CONV_2D with a 1x1 kernel and stride 1, and FULLY_CONNECTED over several rows, int8, for DSP cores. */
#ifndef TD_POINTWISE_H
#define TD_POINTWISE_H

#include "td_gemm.h"

/* Input value (channel, row, column) stands `input_origin` + row * `input_row_step` + column * `input_pixel_step` +
 * channel * `plane_bytes` bytes behind `input`; `plane_bytes` is 1 where the channels of a pixel are contiguous.
 * `backwards`: from the last 4 pixels to the first. */
struct td_pointwise {
    struct td_gemm gemm;
    int32_t input_channels;
    int32_t plane_bytes;
    int32_t input_row_step, input_pixel_step;
    int32_t input_origin;
    bool backwards;
};

/* `scratch` is 16-aligned: gemm.pairs.depth * 8 + TD_GEMM_TAIL_BYTES. No other alignment is needed.
 * All channels of 4 pixels are read before any is written, so the output may overlap the input where no pixel is
 * written over one that comes later. */
void td_pointwise(const struct td_pointwise *pointwise, const int8_t *input, int8_t *output, int8_t *scratch);

#endif
