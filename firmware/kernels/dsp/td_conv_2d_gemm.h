/* CONV_2D, int8, as a matrix product for DSP cores: any kernel, stride, dilation and padding. */
#ifndef TD_CONV_2D_GEMM_H
#define TD_CONV_2D_GEMM_H

#include "td_gemm.h"

/* The depth of the product: of every kernel row first the bytes that make whole groups of 4; behind all of them the
 * remaining 0 to 3 bytes of each row, one row after the other. A row is kernel_width * input_channels bytes. */
struct td_conv_2d_gemm {
    struct td_gemm gemm;
    uint16_t input_height, input_width, input_channels;
    uint16_t kernel_height, kernel_width;
    uint16_t stride_height, stride_width;
    uint16_t dilation_height, dilation_width;
    uint16_t pad_top, pad_left;
    int16_t input_zero_point;
};

/* `input` is [height][width][channels]; outside it every value is its zero point. No alignment is needed but that of
 * `scratch`, 16: gemm.pairs.depth * 8 + TD_GEMM_TAIL_BYTES and behind them the bytes of 4 windows, each rounded up to 16.
 * Goes over the output in raster order, and reads all input of 4 pixels before it writes any of their outputs. */
void td_conv_2d_gemm(const struct td_conv_2d_gemm *conv, const int8_t *input, int8_t *output, int8_t *scratch);

#endif
