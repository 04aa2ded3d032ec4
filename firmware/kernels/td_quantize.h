/* QUANTIZE from one integer type to another, where one of them has 16 bits. */
#ifndef TD_QUANTIZE_H
#define TD_QUANTIZE_H

#include "td_element.h"
#include "td_requantize.h"

struct td_quantize {
    int32_t count;
    enum td_element input_type, output_type;
    int32_t input_zero_point;
    struct td_multiplier multiplier; /* from the input's scale to the output's */
    int32_t zero_point;
    int32_t min, max;
};

/* `count` values; no alignment is needed; `input` and `output` must not overlap. */
void td_quantize(const struct td_quantize *quantize, const void *input, void *output);

#endif
