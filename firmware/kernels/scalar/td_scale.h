/* Sums to outputs, in fewer instructions than td_requantize.h and to the same bits. */
#ifndef TD_SCALE_H
#define TD_SCALE_H

#include "td_requantize.h"

/* Armv6-M and Armv8-M Baseline multiply 32 by 32 bits to 32 only: a 64-bit product is a call of the C library. */
#if defined(__thumb__) && !defined(__thumb2__)
#define TD_NARROW_MULTIPLY 1
#else
#define TD_NARROW_MULTIPLY 0
#endif

/* Keeps GCC from computing a loop's constant anew at every turn. */
#define TD_IN_REGISTER(value) __asm__("" : "+r"(value))

#if TD_NARROW_MULTIPLY
/* td_rounding_doubling_high_mul() for b >= 0. The product is high * 2^32 + middle * 2^16 + 16 bits that rounding does
 * not see. No part overflows: |a_high| <= 2^15, b_high < 2^15, all others < 2^16. */
static __attribute__((noinline)) int32_t td_high_mul(int32_t a, int32_t b)
{
    const int32_t a_high = a >> 16;
    const uint32_t a_low = (uint16_t)a;
    const uint32_t b_high = (uint32_t)b >> 16;
    const uint32_t b_low = (uint16_t)b;
    const uint32_t unsigned_part = a_low * b_high + (a_low * b_low >> 16);
    const int32_t signed_part = a_high * (int32_t)b_low;
    const int32_t high = a_high * (int32_t)b_high + (signed_part >> 16) + (int32_t)(unsigned_part >> 16);
    const uint32_t middle = (uint32_t)(uint16_t)signed_part + (uint16_t)unsigned_part;
    return 2 * high + (int32_t)(((middle >> 14) + 1) >> 1);
}
#else
static inline int32_t td_high_mul(int32_t a, int32_t b)
{
    return td_rounding_doubling_high_mul(a, b);
}
#endif

/* The int8 that is nearest to floor(value / 2). */
static inline int32_t td_halve(int32_t value)
{
#if defined(__ARM_FEATURE_SAT)
    int32_t nearest;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(nearest) : "r"(value) : "cc");
    return nearest;
#else
    int32_t nearest = value >> 1;
    if (nearest != (int8_t)nearest) { /* one comparison, nearly always equal */
        nearest = nearest < 0 ? INT8_MIN : INT8_MAX;
    }
    return nearest;
#endif
}

/* The output of a sum whose factor is 1/2 or more, which is rare, or 0. */
static __attribute__((noinline)) int32_t td_scale_up(int32_t sum, int32_t mantissa, int32_t shift, int32_t zero_point)
{
    return td_clamp(td_multiply(sum, mantissa, shift) + zero_point, INT8_MIN, INT8_MAX);
}

/* The output of a sum whose factor is less than 1/2: shift < 0. `bias` is twice the zero point plus 1. */
static inline int32_t td_scale_down(int32_t sum, int32_t mantissa, int32_t shift, int32_t bias)
{
    /* Half a step is added before the last bit goes, where it cannot overflow; one less before makes ties of negative
     * numbers go away from zero. No sum comes within one of INT32_MIN: the headers of the kernels say so. */
    const int32_t scaled = td_high_mul(sum, mantissa);
    return td_halve(((scaled + (scaled >> 31)) >> (-1 - shift)) + bias);
}

/* The outputs of `count` sums of one factor, `step` apart. */
static __attribute__((noinline, unused)) void td_scale_alike(const struct td_output_stage *stage, int32_t channel,
                                                             const int32_t *sums, int32_t count, int8_t *output,
                                                             int32_t step)
{
    const int32_t index = stage->per_channel ? channel : 0;
    const int32_t mantissa = stage->mantissa[index];
    const int32_t shift = stage->shift[index];
    const int32_t *const end = sums + count;
    int32_t bias = 2 * stage->zero_point + 1;

    if (shift >= 0) {
        for (; sums != end; output += step) {
            *output = (int8_t)td_scale_up(*sums++, mantissa, shift, stage->zero_point);
        }
        return;
    }
    TD_IN_REGISTER(bias);
    for (; sums != end; output += step) {
        *output = (int8_t)td_scale_down(*sums++, mantissa, shift, bias);
    }
}

/* The outputs of `count` sums of neighbouring channels. */
static __attribute__((noinline, unused)) void td_scale_channels(const struct td_output_stage *stage, int32_t channel,
                                                                const int32_t *sums, int32_t count, int8_t *output)
{
    const int32_t *mantissa = stage->mantissa + channel;
    const int8_t *shift = stage->shift + channel;
    int32_t bias = 2 * stage->zero_point + 1;

    if (!stage->per_channel) {
        td_scale_alike(stage, channel, sums, count, output, 1);
        return;
    }
    TD_IN_REGISTER(bias);
    for (const int8_t *const end = output + count; output != end; sums++, mantissa++, shift++) {
        *output++ = (int8_t)(*shift < 0 ? td_scale_down(*sums, *mantissa, *shift, bias)
                                        : td_scale_up(*sums, *mantissa, *shift, stage->zero_point));
    }
}

/* Puts bounds on `count` finished outputs. int8's own, which most layers have, cost nothing. */
static inline void td_bound(const struct td_output_stage *stage, int8_t *output, int32_t count)
{
    const int32_t min = stage->min;
    const int32_t max = stage->max;

    if (min <= INT8_MIN && max >= INT8_MAX) {
        return;
    }
    for (const int8_t *const end = output + count; output < end; output++) {
        *output = (int8_t)td_clamp(*output, min, max);
    }
}

#endif
