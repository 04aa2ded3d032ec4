/* DEQUANTIZE to float32, at a model's output. */
#ifndef TD_DEQUANTIZE_H
#define TD_DEQUANTIZE_H

#include "td_element.h"

struct td_dequantize {
    int32_t count;
    enum td_element input_type;
    float scale;
    int32_t zero_point;
};

/* `count` values; no alignment is needed; `input` and `output` must not overlap. */
void td_dequantize(const struct td_dequantize *dequantize, const void *input, void *output);

#endif
