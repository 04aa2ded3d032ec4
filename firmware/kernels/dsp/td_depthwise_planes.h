/* DEPTHWISE_CONV_2D, int8, 3x3, stride 1 or 2 both ways, on channel planes that have their padding around them. */
#ifndef TD_DEPTHWISE_PLANES_H
#define TD_DEPTHWISE_PLANES_H

#include <stdint.h>

#include "td_shifts.h" /* generated: TD_DEPTHWISE_SHIFTS(X), X(shift) for each shift that the model uses */

#ifndef TD_DEPTHWISE_SHIFTS
#define TD_DEPTHWISE_SHIFTS(X)
#endif

struct td_depthwise_planes;

/* Computes all channels: a function for each stride and form of requantisation. */
typedef void td_depthwise_planes_form(const struct td_depthwise_planes *conv, const int8_t *input, int8_t *output);

/* Plane c of the input starts at input + c * input_plane_bytes, at the first value under the kernel of output (0, 0): a
 * border value where there is padding. Its rows are input_pitch bytes apart: at least columns + 2, for stride 2 at least
 * 2 * columns + 1. The output likewise, without a border. depthwise_strips.S knows the offsets of the fields. */
struct td_depthwise_planes {
    td_depthwise_planes_form *form; /* td_depthwise_planes_<stride>_shift_<shift> or ..._<stride>_general */
    const uint32_t *constants;      /* constant_words for each channel, see below */
    int32_t constant_words;         /* 6, for a general form 7 */
    int32_t channels;
    int32_t rows, columns;          /* of the output, 1 or more */
    int32_t input_pitch, input_plane_bytes;
    int32_t output_pitch, output_plane_bytes;
};

/* The constants of a channel, w[row][column] its weights, each a byte, the first in the lowest:
 *   w00 w01 w02 w11 | w10 w21 w12 0 | w20 0 w22 0 | bias | multiplier | offset | right shift, for a general form only
 * The bias contains what the input's zero point takes from the sum.
 *
 * _shift_<shift>:  output = SSAT(8, SMMLA(sum, multiplier, offset) >> shift)
 * _general:        output = SSAT(8, SMMLAR(2 * sum, multiplier, offset + (sum >> 31)) >> right shift), |sum| < 2^30
 * Both are TFLM's double rounding where the compiler has proven it. */
#define TD_DEPTHWISE_PLANES_DECLARE(shift)                               \
    extern td_depthwise_planes_form td_depthwise_planes_1_shift_##shift; \
    extern td_depthwise_planes_form td_depthwise_planes_2_shift_##shift;
TD_DEPTHWISE_SHIFTS(TD_DEPTHWISE_PLANES_DECLARE)
#undef TD_DEPTHWISE_PLANES_DECLARE
extern td_depthwise_planes_form td_depthwise_planes_1_general;
extern td_depthwise_planes_form td_depthwise_planes_2_general;

/* Nothing is written but outputs, and with stride 1, out of place, what lies between them. One byte behind the last
 * value under the kernel is read and does not matter. No alignment is needed.
 *
 * Stride 1: output_pitch == input_pitch and output_plane_bytes == input_plane_bytes. Meant to run in place, output ==
 * input; else the planes are copied first, and the byte behind the output is read, too.
 * Stride 2: output_pitch == columns and output_plane_bytes == rows * columns; `output` overlaps `input` nowhere, or
 * starts at the same address. */
void td_depthwise_planes(const struct td_depthwise_planes *conv, const int8_t *input, int8_t *output);

#endif
