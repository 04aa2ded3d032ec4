/* The DSP instructions of Armv7E-M and Armv8-M as functions. Where a core has none, C that computes the same, so that
 * the kernels also run on a host. Additions wrap around; the saturation flag Q is of no interest here.
 * Halfword 0 is bits 0-15, byte 0 bits 0-7. Little endian. */
#ifndef TD_DSP_H
#define TD_DSP_H

#include <stdint.h>
#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the DSP kernels pack bytes for little endian"
#endif

#define TD_ALWAYS_INLINE static inline __attribute__((always_inline))

/* Four int8 values from any address (Armv7E-M and Armv8-M Mainline load words unaligned). */
TD_ALWAYS_INLINE uint32_t td_load4(const int8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

TD_ALWAYS_INLINE void td_store4(int8_t *to, uint32_t word)
{
    memcpy(to, &word, sizeof word);
}

#ifdef __ARM_FEATURE_DSP

/* result = f(a, b): one instruction of two operands. */
#define TD_DSP_2(name, text)                                     \
    TD_ALWAYS_INLINE uint32_t td_##name(uint32_t a, uint32_t b)  \
    {                                                            \
        uint32_t result;                                         \
        __asm__(text : "=r"(result) : "r"(a), "r"(b));           \
        return result;                                           \
    }

/* result = f(a, b) + c */
#define TD_DSP_3(name, type)                                                     \
    TD_ALWAYS_INLINE int32_t td_##name(type a, type b, int32_t c)                \
    {                                                                            \
        int32_t result;                                                          \
        __asm__(#name " %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c)); \
        return result;                                                           \
    }

TD_DSP_3(smlad, uint32_t)  /* a.half0 * b.half0 + a.half1 * b.half1 + c */
TD_DSP_3(smlabb, uint32_t) /* a.half0 * b.half0 + c */
TD_DSP_3(smlabt, uint32_t) /* a.half0 * b.half1 + c */
TD_DSP_3(smlatb, uint32_t) /* a.half1 * b.half0 + c */
TD_DSP_3(smlatt, uint32_t) /* a.half1 * b.half1 + c */
TD_DSP_3(smlawb, uint32_t) /* (a * b.half0 >> 16) + c, a signed */
TD_DSP_3(smlawt, uint32_t) /* (a * b.half1 >> 16) + c, a signed */
TD_DSP_3(smmla, int32_t)   /* the upper word of a * b + (c << 32) */
TD_DSP_3(smmlar, int32_t)  /* the upper word of a * b + (c << 32) + 2^31 */

TD_DSP_2(pkhbt, "pkhbt %0, %1, %2, lsl #16") /* a.half0, b.half0 */
TD_DSP_2(pkhtb, "pkhtb %0, %1, %2, asr #16") /* halfword 0: b.half1; halfword 1: a.half1 */

TD_DSP_2(sxtab16, "sxtab16 %0, %1, %2")               /* a + bytes 0 and 2 of b as int16, each half wraps around */
TD_DSP_2(sxtab16_ror8, "sxtab16 %0, %1, %2, ror #8") /* a + bytes 1 and 3 of b */

/* The larger of each two bytes, signed. The APSR.GE flags go from one instruction to the next. */
TD_ALWAYS_INLINE uint32_t td_max8(uint32_t a, uint32_t b)
{
    uint32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b));
    return result;
}

TD_ALWAYS_INLINE uint32_t td_min8(uint32_t a, uint32_t b)
{
    uint32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(a), "r"(b));
    return result;
}

/* Bytes 0 and 2 as int16. */
TD_ALWAYS_INLINE uint32_t td_sxtb16(uint32_t a)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(a));
    return result;
}

/* Bytes 1 and 3 as int16. */
TD_ALWAYS_INLINE uint32_t td_sxtb16_ror8(uint32_t a)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(a));
    return result;
}

/* The sum of the four |a.byte - b.byte|, bytes unsigned, + c. */
TD_ALWAYS_INLINE uint32_t td_usada8(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t result;
    __asm__("usada8 %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c));
    return result;
}

/* `value` >> `shift`, saturated to int8. `shift`: a constant expression in [1, 31], hence a macro. */
#define td_ssat8(value, shift)                                                          \
    (__extension__({                                                                    \
        int32_t td_saturated;                                                           \
        __asm__("ssat %0, #8, %1, asr %2" : "=r"(td_saturated) : "r"(value), "i"(shift)); \
        td_saturated;                                                                   \
    }))

#undef TD_DSP_2
#undef TD_DSP_3

#else /* the same in C */

TD_ALWAYS_INLINE int32_t td_half0(uint32_t word)
{
    return (int16_t)(word & 0xffffu);
}

TD_ALWAYS_INLINE int32_t td_half1(uint32_t word)
{
    return (int16_t)(word >> 16);
}

TD_ALWAYS_INLINE int32_t td_wrapping_sum(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

TD_ALWAYS_INLINE int32_t td_smlabb(uint32_t a, uint32_t b, int32_t c)
{
    return td_wrapping_sum(td_half0(a) * td_half0(b), c);
}

TD_ALWAYS_INLINE int32_t td_smlabt(uint32_t a, uint32_t b, int32_t c)
{
    return td_wrapping_sum(td_half0(a) * td_half1(b), c);
}

TD_ALWAYS_INLINE int32_t td_smlatb(uint32_t a, uint32_t b, int32_t c)
{
    return td_wrapping_sum(td_half1(a) * td_half0(b), c);
}

TD_ALWAYS_INLINE int32_t td_smlatt(uint32_t a, uint32_t b, int32_t c)
{
    return td_wrapping_sum(td_half1(a) * td_half1(b), c);
}

TD_ALWAYS_INLINE int32_t td_smlad(uint32_t a, uint32_t b, int32_t c)
{
    return td_smlatt(a, b, td_smlabb(a, b, c));
}

TD_ALWAYS_INLINE int32_t td_smlawb(uint32_t a, uint32_t b, int32_t c)
{
    return td_wrapping_sum((int32_t)((int64_t)(int32_t)a * td_half0(b) >> 16), c);
}

TD_ALWAYS_INLINE int32_t td_smlawt(uint32_t a, uint32_t b, int32_t c)
{
    return td_wrapping_sum((int32_t)((int64_t)(int32_t)a * td_half1(b) >> 16), c);
}

TD_ALWAYS_INLINE int32_t td_smmla(int32_t a, int32_t b, int32_t c)
{
    return td_wrapping_sum((int32_t)(((int64_t)a * b) >> 32), c);
}

TD_ALWAYS_INLINE int32_t td_smmlar(int32_t a, int32_t b, int32_t c)
{
    return td_wrapping_sum((int32_t)(((int64_t)a * b + (INT64_C(1) << 31)) >> 32), c);
}

TD_ALWAYS_INLINE uint32_t td_pkhbt(uint32_t a, uint32_t b)
{
    return (a & 0xffffu) | (b << 16);
}

TD_ALWAYS_INLINE uint32_t td_pkhtb(uint32_t a, uint32_t b)
{
    return (a & 0xffff0000u) | (b >> 16);
}

TD_ALWAYS_INLINE uint32_t td_sxtb16(uint32_t a)
{
    const int32_t low = (int8_t)(a & 0xffu);
    const int32_t high = (int8_t)(a >> 16 & 0xffu);
    return td_pkhbt((uint32_t)low, (uint32_t)high);
}

TD_ALWAYS_INLINE uint32_t td_sxtb16_ror8(uint32_t a)
{
    return td_sxtb16(a >> 8);
}

TD_ALWAYS_INLINE uint32_t td_max8(uint32_t a, uint32_t b)
{
    uint32_t result = 0;
    for (int32_t bit = 0; bit < 32; bit += 8) {
        const int32_t x = (int8_t)(a >> bit & 0xffu);
        const int32_t y = (int8_t)(b >> bit & 0xffu);
        result |= ((uint32_t)(x > y ? x : y) & 0xffu) << bit;
    }
    return result;
}

TD_ALWAYS_INLINE uint32_t td_min8(uint32_t a, uint32_t b)
{
    return ~td_max8(~a, ~b);
}

TD_ALWAYS_INLINE uint32_t td_sxtab16(uint32_t a, uint32_t b)
{
    b = td_sxtb16(b);
    return ((a + b) & 0xffffu) | ((a >> 16) + (b >> 16)) << 16;
}

TD_ALWAYS_INLINE uint32_t td_sxtab16_ror8(uint32_t a, uint32_t b)
{
    return td_sxtab16(a, b >> 8);
}

TD_ALWAYS_INLINE uint32_t td_usada8(uint32_t a, uint32_t b, uint32_t c)
{
    for (int32_t bit = 0; bit < 32; bit += 8) {
        const uint32_t x = a >> bit & 0xffu;
        const uint32_t y = b >> bit & 0xffu;
        c += x > y ? x - y : y - x;
    }
    return c;
}

TD_ALWAYS_INLINE int32_t td_saturate8(int32_t value)
{
    return value < -128 ? -128 : value > 127 ? 127 : value;
}

#define td_ssat8(value, shift) td_saturate8((int32_t)(value) >> (shift))

#endif

#endif
