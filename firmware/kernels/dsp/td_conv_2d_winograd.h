/* CONV_2D, int8, 3x3 with stride 1, by Winograd's F(2x2, 3x3) in exact integers: 16 instead of 36 multiplications for 4
 * outputs. From NHWC to NHWC; input channels a multiple of 4, at least 2 output channels.
 *
 * A tile is 2x2 outputs Y = A' [(G w G') * (B' d B)] A of a 4x4 patch d of the input and the weights w, with
 *     B' = 1  0 -1  0     G = 1/2 *  2  0  0     A' = 1  1  1  0
 *          0  1  1  0                1  1  1          0  1 -1 -1
 *          0 -1  1  0                1 -1  1
 *          0  1  0 -1                0  0  2
 * and * element by element, summed over the input channels (Lavin and Gray, Fast Algorithms for Convolutional Neural
 * Networks, 2015). The compiler transforms the weights with 2 * G, so that all are integers, at most 9 * 128, and the
 * sums 4 times the accumulators. Transformed inputs are at most 4 * 128. What comes before an accumulator may leave
 * int32: it is added up modulo 2^32. Of 4 times the accumulators the compiler proves that they do not, so that every
 * result is exact.
 *
 * Values, as the tile functions read them, for every 4 input channels k..k+3, [position 16][2][tile 4] words: the
 * transformed inputs of channels (k, k + 2), then (k + 1, k + 3), the first in the lower half. Positions (row, column)
 * of the 4x4 patch come in the order (1,1) (2,1) (3,1) (0,1), (3,2) (2,2) (1,2) (0,2), (3,0) (2,0) (1,0) (0,0),
 * (3,3) (2,3) (1,3) (0,3). Behind the values of all channels stand 4 output offsets in bytes, one for each tile.
 *
 * Stream of constants, for every pair of output channels a and b:
 *     start: 4 * bias_a, 4 * bias_b
 *     for every position and 4 input channels 4 words: the weights of (k, k + 2) to a, to b, of (k + 1, k + 3) to a,
 *         to b; those of the patch's rows 2 and 3 are negative, since the tile functions add up what A' subtracts
 *     by fitted instances: multiplier, 4 * offset, place of a, then of b
 *     by general ones:     multiplier, offset, shift, place of a, then of b
 * A place is the channel's offset from the pixel, in bytes. With an odd number of channels the last pair has the last
 * channel of the pair before once more. Biases and the rest are those of td_gemm.h, and so are the outputs: bit for bit
 * what td_requantize gives. */
#ifndef TD_CONV_2D_WINOGRAD_H
#define TD_CONV_2D_WINOGRAD_H

#include "td_dsp.h"
#include "td_shifts.h" /* generated: TD_WINOGRAD_SHIFTS(X), X(shift) for each shift that the model uses */

#ifndef TD_WINOGRAD_SHIFTS
#define TD_WINOGRAD_SHIFTS(X)
#endif

#define TD_WINOGRAD_TILES 4
#define TD_WINOGRAD_POSITIONS 16
#define TD_WINOGRAD_GROUP_WORDS (TD_WINOGRAD_POSITIONS * 2 * TD_WINOGRAD_TILES) /* values of 4 input channels */

/* Constants, and where the outputs of a tile go. */
struct td_winograd_channels {
    const uint32_t *stream;
    uint32_t words;      /* in it */
    int32_t groups;      /* of 4 input channels */
    int32_t column_step; /* from an output to the one to the right, bytes; 0 where there is one column */
    int32_t row_step;    /* to the one below; 0 where there is one row */
};

/* Computes all channels of 4 tiles, each at `output` + its offset. Of a tile the upper left output is stored last, so
 * that with a step of 0 what is outside the image is overwritten. */
typedef void td_winograd_tile(const struct td_winograd_channels *channels, const uint32_t *values, int8_t *output);

#define TD_WINOGRAD_DECLARE(shift) extern td_winograd_tile td_winograd_tile_shift_##shift;
TD_WINOGRAD_SHIFTS(TD_WINOGRAD_DECLARE)
#undef TD_WINOGRAD_DECLARE
extern td_winograd_tile td_winograd_tile_general;

struct td_conv_2d_winograd {
    td_winograd_tile *tile;
    struct td_winograd_channels channels;
    uint16_t input_height, input_width, input_channels;
    uint16_t output_height, output_width, output_channels;
    uint16_t pad_top, pad_left;
    int16_t input_zero_point;
};

/* `input` is [height][width][channels]; outside it every value is its zero point. No alignment is needed but that of
 * `scratch`, 16: input_channels * 161 + 16 bytes.
 * Goes over the tiles in raster order and reads all input of 4 of them before it writes any of their outputs; the last
 * row or column of tiles overlaps the one before where the image's size is odd. */
void td_conv_2d_winograd(const struct td_conv_2d_winograd *conv, const int8_t *input, int8_t *output, int8_t *scratch);

#endif
