/* What the kernels for Helium (MVE) share: four accumulators to outputs, and loops over bytes.
 *
 * The loops are in assembler because GCC 12 makes no tail-predicated ones (DLSTP, LETP) from intrinsics: with a
 * counter, VCTP and VPST in every turn they would take twice as many instructions. */
#ifndef TD_MVE_H
#define TD_MVE_H

#include <arm_mve.h>

#include "td_requantize.h"

/* Into registers of the caller whatever the size: a call would cost as much as a short dot product. */
#define TD_MVE_INLINE static inline __attribute__((always_inline))

/* The lanes of a vector of four that stand for `count` things, or all. */
TD_MVE_INLINE mve_pred16_t td_mve_lanes(int32_t count)
{
    return vctp32q((uint32_t)count);
}

/* value * 2^exponent to the nearest integer, ties away from zero; exponents in [-31, 0]. */
TD_MVE_INLINE int32x4_t td_mve_divide_by_pot(int32x4_t value, int32x4_t exponent)
{
    /* VRSHL rounds ties up: negative values are made smaller by one, but where nothing is shifted. */
    const int32x4_t correction = vshrq_n_s32(vandq_s32(value, exponent), 31);
    return vrshlq_s32(vqaddq_s32(value, correction), exponent);
}

/* The factors of four channels. */
struct td_mve_factors {
    int32x4_t mantissa;
    int32x4_t left;  /* in [0, 30]: value * 2^left * mantissa * 2^(right - 31) */
    int32x4_t right; /* in [-31, 0] */
};

/* td_multiply() of four values. */
TD_MVE_INLINE int32x4_t td_mve_multiply(int32x4_t value, struct td_mve_factors factors)
{
    const int32x4_t shifted = vshlq_s32(value, factors.left);
    return td_mve_divide_by_pot(vqrdmulhq_s32(shifted, factors.mantissa), factors.right);
}

/* The same factor four times. */
TD_MVE_INLINE struct td_mve_factors td_mve_same_factors(int32_t mantissa, int32_t shift)
{
    const struct td_mve_factors factors = {vdupq_n_s32(mantissa), vdupq_n_s32(shift > 0 ? shift : 0),
                                           vdupq_n_s32(shift < 0 ? shift : 0)};
    return factors;
}

/* The factors of the channels from `channel` on; lanes outside `lanes` are not read. */
TD_MVE_INLINE struct td_mve_factors td_mve_load_factors(const struct td_output_stage *stage, int32_t channel,
                                                        mve_pred16_t lanes)
{
    if (!stage->per_channel) {
        return td_mve_same_factors(stage->mantissa[0], stage->shift[0]);
    }
    const int32x4_t shift = vldrbq_z_s32(stage->shift + channel, lanes);
    const struct td_mve_factors factors = {vldrwq_z_s32(stage->mantissa + channel, lanes),
                                           vmaxq_s32(shift, vdupq_n_s32(0)), vminq_s32(shift, vdupq_n_s32(0))};
    return factors;
}

/* Four scaled values to outputs. */
TD_MVE_INLINE int32x4_t td_mve_output(int32x4_t scaled, int32_t zero_point, int32_t min, int32_t max)
{
    const int32x4_t value = vaddq_n_s32(scaled, zero_point);
    return vminq_s32(vmaxq_s32(value, vdupq_n_s32(min)), vdupq_n_s32(max));
}

/* Stores the outputs of four accumulators, those of `lanes`. */
TD_MVE_INLINE void td_mve_requantize(const struct td_output_stage *stage, struct td_mve_factors factors,
                                     int32x4_t accumulators, int8_t *output, mve_pred16_t lanes)
{
    const int32x4_t scaled = td_mve_multiply(accumulators, factors);
    vstrbq_p_s32(output, td_mve_output(scaled, stage->zero_point, stage->min, stage->max), lanes);
}

/* values[0] + ... + values[n - 1]. */
TD_MVE_INLINE int32_t td_mve_sum(const int8_t *values, int32_t n)
{
    register int32_t left __asm__("lr") = n;
    int32_t sum = 0;

    __asm__ volatile("wlstp.8 lr, lr, 2f\n"
                     "1: vldrb.8 q0, [%[values]], #16\n"
                     "vaddva.s8 %[sum], q0\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : [sum] "+Te"(sum), [values] "+r"(values), "+r"(left)
                     :
                     : "q0", "memory");
    return sum;
}

/* Copies `n` bytes. */
TD_MVE_INLINE void td_mve_copy(int8_t *to, const int8_t *from, int32_t n)
{
    register int32_t left __asm__("lr") = n;

    __asm__ volatile("wlstp.8 lr, lr, 2f\n"
                     "1: vldrb.8 q0, [%[from]], #16\n"
                     "vstrb.8 q0, [%[to]], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : [to] "+r"(to), [from] "+r"(from), "+r"(left)
                     :
                     : "q0", "memory");
}

/* Sets `n` bytes. */
TD_MVE_INLINE void td_mve_fill(int8_t *to, int32_t value, int32_t n)
{
    register int32_t left __asm__("lr") = n;

    __asm__ volatile("vdup.8 q0, %[value]\n"
                     "wlstp.8 lr, lr, 2f\n"
                     "1: vstrb.8 q0, [%[to]], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : [to] "+r"(to), "+r"(left)
                     : [value] "r"(value)
                     : "q0", "memory");
}

#endif
