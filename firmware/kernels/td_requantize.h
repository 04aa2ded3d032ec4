/* From a 32-bit accumulator to the 8-bit output: TFLM's arithmetic (double rounding), bit for bit. */
#ifndef TD_REQUANTIZE_H
#define TD_REQUANTIZE_H

#include <stdbool.h>
#include <stdint.h>

/* A real factor: mantissa * 2^(shift - 31), mantissa 0 or in [2^30, 2^31), shift in [-31, 30]. */
struct td_multiplier {
    int32_t mantissa;
    int32_t shift;
};

/* How accumulators become outputs: one multiplier for all channels, or one for each. */
struct td_output_stage {
    const int32_t *mantissa;
    const int8_t *shift;
    bool per_channel;
    int16_t zero_point;
    int16_t min;
    int16_t max;
};

/* value * 2^-exponent to the nearest integer, ties away from zero; exponent in [0, 31]. */
static inline int32_t td_rounding_divide_by_pot(int32_t value, int32_t exponent)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (value < 0);
    return (value >> exponent) + ((value & mask) > threshold);
}

/* a * b * 2^-31 to the nearest integer, ties towards plus infinity. Not for a == b == INT32_MIN. */
static inline int32_t td_rounding_doubling_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

static inline int32_t td_multiply(int32_t value, int32_t mantissa, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    return td_rounding_divide_by_pot(td_rounding_doubling_high_mul(shifted, mantissa), left - shift);
}

static inline int32_t td_clamp(int32_t value, int32_t min, int32_t max)
{
    if (value < min) {
        value = min;
    }
    return value > max ? max : value;
}

/* The output of one accumulator of the given channel. */
static inline int8_t td_requantize(const struct td_output_stage *stage, int32_t channel, int32_t accumulator)
{
    const int32_t index = stage->per_channel ? channel : 0;
    const int32_t scaled = td_multiply(accumulator, stage->mantissa[index], stage->shift[index]);
    return (int8_t)td_clamp(scaled + stage->zero_point, stage->min, stage->max);
}

#endif
