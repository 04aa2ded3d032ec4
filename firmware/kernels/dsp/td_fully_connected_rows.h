/* FULLY_CONNECTED of few rows, int8, for DSP cores: one row after the other, 4 output channels at a time. */
#ifndef TD_FULLY_CONNECTED_ROWS_H
#define TD_FULLY_CONNECTED_ROWS_H

#include <stdint.h>

/* The stream of constants, for every 4 output channels a to d (behind the last channel, channels of zeros):
 *     start: 256 * bias_a + bias_b, bias_b, 256 * bias_c + bias_d, bias_d
 *     for every 4 input values k..k+3 (weights of 0 behind the last):
 *         the weights 256 * a + b, then 256 * c + d, of values (k, k + 2), then both of values (k + 1, k + 3);
 *         each word has the first value's in the lower half
 *     with a shift of 0: multiplier, offset, shift of a to d
 * The bias has the input's zero point in it. The sum over 256 * a + b, less that over b, is 256 times that over a: the
 * compiler has proven that it lies within +-2^31 for all inputs.
 *
 * An output is saturate((t + offset - (sum < 0)) >> shift) with t = (2 * sum * multiplier + 2^31) >> 32: bit for bit
 * what td_requantize gives, as long as saturation is all that bounds it. */
struct td_fully_connected_rows {
    int32_t rows;
    uint16_t input_depth, output_depth; /* at least 1 */
    int32_t multiplier, offset, shift;  /* of all channels; a shift of 0: each channel's are in the stream */
    const uint32_t *stream;
};

/* `input` [rows][input_depth], `output` [rows][output_depth]; they must not overlap. No alignment is needed.
 * `scratch` is 4-aligned: 2 bytes for each of a row's values, which are rounded up to a multiple of 4. */
void td_fully_connected_rows(const struct td_fully_connected_rows *layer, const int8_t *input, int8_t *output,
                             int8_t *scratch);

#endif
