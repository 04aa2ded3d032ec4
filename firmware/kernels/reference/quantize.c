#include "td_quantize.h"

void td_quantize(const struct td_quantize *quantize, const void *input, void *output)
{
    for (int32_t i = 0; i < quantize->count; i++) {
        const int32_t value = td_load(input, quantize->input_type, i) - quantize->input_zero_point;
        const int32_t scaled = td_multiply(value, quantize->multiplier.mantissa, quantize->multiplier.shift);
        const int32_t bounded = td_clamp(scaled + quantize->zero_point, quantize->min, quantize->max);
        td_store(output, quantize->output_type, i, bounded);
    }
}
