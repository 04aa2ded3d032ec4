#include "td_quantize_float.h"

/* To nearest, ties away from zero; `value` is within +-2^23, so that its fraction is exact. */
static int32_t round_half_away(float value)
{
    const int32_t whole = (int32_t)value;
    const float fraction = value - (float)whole;
    return whole + (fraction >= 0.5f) - (fraction <= -0.5f);
}

void td_quantize_float(const struct td_quantize_float *quantize, const void *input, void *output)
{
    const float limit = 131072.0f; /* beyond any 16-bit value plus a zero point */

    for (int32_t i = 0; i < quantize->count; i++) {
        float real;
        memcpy(&real, (const uint8_t *)input + 4 * i, sizeof real);
        const float scaled = real / quantize->scale;
        int32_t value = quantize->zero_point;
        if (scaled >= limit) {
            value = quantize->max;
        } else if (scaled <= -limit) {
            value = quantize->min;
        } else if (scaled == scaled) {
            value += round_half_away(scaled);
        }
        if (value < quantize->min) {
            value = quantize->min;
        }
        td_store(output, quantize->output_type, i, value > quantize->max ? quantize->max : value);
    }
}
