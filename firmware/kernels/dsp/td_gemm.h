/* Matrix products for DSP cores: 4 output pixels x 2 output channels at a time.
 *
 * What every convolution here does for each tile of 4 pixels: it writes the 4 windows into a buffer of int16 pairs, their
 * output offsets behind them, and calls a tile function, which walks the constants of all channels and stores the results.
 * Fewer than 4 pixels left: the last one is repeated.
 *
 * The buffer, `depth` * 8 + TD_GEMM_TAIL_BYTES bytes, for every 4 values k..k+3 of each pixel's window:
 *     word 0..3   values (k, k + 2) of pixel 0..3, the first in the lower half
 *     word 4..7   values (k + 1, k + 3) of pixel 0..3
 * and behind them one word that is the tile function's own, and 4 output offsets in bytes.
 *
 * The stream of constants, for every pair of output channels a and b:
 *     start: 256 * bias_a + bias_b, bias_b
 *     depth / 2 words: the weights 256 * a + b of values (k, k + 2), then of (k + 1, k + 3), as the buffer has them
 *     by fitted instances: multiplier_a, 256 * offset_a, multiplier_b, offset_b
 *     by general ones:     multiplier, offset, shift of a, then of b
 * Both channels are thus summed by single multiplications: the sum over 256 * a + b, less that over b, is 256 times that
 * over a, which must lie within +-2^31 for all inputs; the compiler proves it. In the wide form, which costs twice the
 * flash and about 0.05 instructions per multiplication less, a and b have words of their own, and nothing has a factor
 * of 256: bias_a, bias_b; depth words: the weights a, then b, of values (k, k + 2), then those of (k + 1, k + 3).
 *
 * Outputs, bit for bit what td_requantize gives where the compiler has proven it:
 *     fitted to a shift:  y = saturate((((sum * multiplier) >> 32) + offset) >> shift)
 *     general:            t = (2 * sum * multiplier + 2^31) >> 32
 *                         y = saturate((t + offset - (sum < 0)) >> shift), shift at least 1
 */
#ifndef TD_GEMM_H
#define TD_GEMM_H

#include <stdbool.h>

#include "td_dsp.h"
#include "td_shifts.h" /* generated: TD_GEMM_SHIFTS(X), X(shift) for each shift that the model uses */

#ifndef TD_GEMM_SHIFTS
#define TD_GEMM_SHIFTS(X)
#endif
#ifndef TD_GEMM_WIDE_SHIFTS
#define TD_GEMM_WIDE_SHIFTS(X)
#endif

#define TD_GEMM_PIXELS 4
#define TD_GEMM_TAIL_BYTES 32

/* Constants of some output channels. */
struct td_gemm_channels {
    int32_t channel_step; /* from an output channel to the next, in bytes */
    uint32_t words;       /* in the stream, at least one pair's */
    int32_t depth;        /* of the windows, with zeros up to a multiple of 4, at least 8 */
    const uint32_t *stream;
};

/* Computes all channels of 4 pixels: stores at output + offset of the pixel + channel * channel_step. */
typedef void td_gemm_tile(const struct td_gemm_channels *channels, int32_t *buffer, int8_t *output);

#define TD_GEMM_DECLARE(shift) extern td_gemm_tile td_gemm_4x2_shift_##shift;
#define TD_GEMM_DECLARE_WIDE(shift) extern td_gemm_tile td_gemm_4x2_wide_shift_##shift;
TD_GEMM_SHIFTS(TD_GEMM_DECLARE)
TD_GEMM_WIDE_SHIFTS(TD_GEMM_DECLARE_WIDE)
#undef TD_GEMM_DECLARE
#undef TD_GEMM_DECLARE_WIDE
extern td_gemm_tile td_gemm_4x2_general;
extern td_gemm_tile td_gemm_4x2_wide_general;

/* A product's constants, and where its results go: pixel (row, column) to row * row_step + column * pixel_step. */
struct td_gemm {
    td_gemm_tile *tile;
    struct td_gemm_channels pairs;
    struct td_gemm_channels last; /* an odd channel, paired with itself at a channel_step of 0; without stream: none */
    int32_t last_offset;          /* of the odd channel's outputs, bytes */
    int32_t rows, columns;
    int32_t row_step, pixel_step; /* bytes */
    int32_t origin;               /* of pixel (0, 0), bytes behind `output` */
};

/* Windows to be expanded: pixel i's starts at from[i], and skip[i] bytes lie between its rows. */
struct td_gemm_windows {
    const int8_t *from[TD_GEMM_PIXELS];
    int32_t skip[TD_GEMM_PIXELS];
};

/* Writes `rows` rows of `groups` * 4 values (both at least 1) of 4 windows to the buffer, as int16 pairs. */
void td_gemm_expand(int32_t *buffer, const struct td_gemm_windows *windows, int32_t rows, int32_t groups);

/* Of an output pixel. */
struct td_gemm_position {
    int32_t row, column;
};

static inline int32_t td_gemm_offset(const struct td_gemm *gemm, struct td_gemm_position position)
{
    return gemm->origin + position.row * gemm->row_step + position.column * gemm->pixel_step;
}

/* Steps over `pixels`, which may be negative. */
TD_ALWAYS_INLINE void td_gemm_move(const struct td_gemm *gemm, struct td_gemm_position *position, int32_t pixels)
{
    position->column += pixels;
    while (position->column >= gemm->columns) {
        position->column -= gemm->columns;
        position->row++;
    }
    while (position->column < 0) {
        position->column += gemm->columns;
        position->row--;
    }
}

/* The next pixel; the last one is followed by itself. */
TD_ALWAYS_INLINE void td_gemm_next(const struct td_gemm *gemm, struct td_gemm_position *position)
{
    if (position->column + 1 < gemm->columns) {
        position->column++;
    } else if (position->row + 1 < gemm->rows) {
        position->row++;
        position->column = 0;
    }
}

/* Where the buffer has the offsets of the 4 pixels. */
static inline int32_t *td_gemm_offsets(const struct td_gemm *gemm, int32_t *buffer)
{
    return buffer + gemm->pairs.depth * 2 + 1;
}

/* Offsets of 4 pixels of a row from the first of them. */
static inline void td_gemm_offsets_in_row(const struct td_gemm *gemm, int32_t offsets[TD_GEMM_PIXELS])
{
    for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
        offsets[i] = i * gemm->pixel_step;
    }
}

/* Computes all channels of the 4 pixels in the buffer. */
TD_ALWAYS_INLINE void td_gemm_multiply(const struct td_gemm *gemm, int32_t *buffer, int8_t *output)
{
    gemm->tile(&gemm->pairs, buffer, output);
    if (gemm->last.stream) {
        gemm->tile(&gemm->last, buffer, output + gemm->last_offset);
    }
}

#endif
