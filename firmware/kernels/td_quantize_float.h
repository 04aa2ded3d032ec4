/* QUANTIZE from float32, at a model's input. */
#ifndef TD_QUANTIZE_FLOAT_H
#define TD_QUANTIZE_FLOAT_H

#include "td_element.h"

struct td_quantize_float {
    int32_t count;
    enum td_element output_type;
    float scale;
    int32_t zero_point;
    int32_t min, max;
};

/* `count` values; no alignment is needed; `input` and `output` must not overlap. Rounds to nearest, ties away
 * from zero. What is beyond the output's range becomes its nearest bound, not-a-number the zero point. */
void td_quantize_float(const struct td_quantize_float *quantize, const void *input, void *output);

#endif
