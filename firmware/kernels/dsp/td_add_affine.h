/* ADD and SUB, int8, of two tensors of one shape, where a plane through all pairs of values is TFLM's result. */
#ifndef TD_ADD_AFFINE_H
#define TD_ADD_AFFINE_H

#include <stdint.h>

#define TD_ADD_AFFINE_SHIFT 19

/* output = SSAT(8, ((first * x >> 8) + (second * y >> 8) + start) >> TD_ADD_AFFINE_SHIFT), then bounded.
 * The compiler has made sure that no sum overflows, and compared the result with TFLM's for all 65,536 pairs (x, y). */
struct td_add_affine {
    int32_t count;
    int32_t first, second, start;
    int32_t min, max; /* int8 */
};

/* `output` may be the same memory as an input; otherwise it must not overlap them. No alignment is needed. */
void td_add_affine(const struct td_add_affine *add, const int8_t *first, const int8_t *second, int8_t *output);

#endif
