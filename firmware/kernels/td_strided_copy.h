/* Copies elements of one byte between arrays in which they stand at different distances. */
#ifndef TD_STRIDED_COPY_H
#define TD_STRIDED_COPY_H

#include <stdint.h>

/* Nested loops, outermost first, each with how far a turn moves in the input and in the output; steps may be negative.
 * The innermost turn copies `run` elements, contiguous on both sides. */
struct td_strided_copy {
    int32_t count[4];
    int32_t input_step[4];
    int32_t output_step[4];
    int32_t run;
};

/* `input` and `output` are the first elements copied; the arrays must not overlap. No alignment is needed. */
void td_strided_copy(const struct td_strided_copy *copy, const int8_t *input, int8_t *output);

#endif
