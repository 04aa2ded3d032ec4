#include "td_add.h"

#include "td_mve.h"

/* Four elements at once. Of two inputs one at least is scaled by a half, without a shift, and needs no second rounding:
 * 5.75 instructions an element. An input that is repeated along the innermost dimension: about twice as many. */

/* The second rounding of a vector, td_mve_divide_by_pot(); `t` is free. */
#define DIVIDE(vector, exponent)                                                                                       \
    "vand %q[t], " vector ", " exponent "\n"                                                                           \
    "vshr.s32 %q[t], %q[t], #31\n"                                                                                     \
    "vqadd.s32 " vector ", " vector ", %q[t]\n"                                                                        \
    "vrshl.s32 " vector ", " vector ", " exponent "\n"

/* A loop over `left` elements, with the second rounding of the first input and of the second. In assembler because the
 * loop is tail-predicated, and because GCC 12 keeps the scalars in memory: 10.5 instructions an element. */
#define ADD_ALL(divide_first, divide_second)                                                                           \
    __asm__ volatile("dlstp.32 lr, lr\n"                                                                               \
                     "1: vldrb.s32 %q[a], [%[first]], #4\n"                                                            \
                     "vsub.i32 %q[a], %q[a], %[first_zero_point]\n"                                                    \
                     "vldrb.s32 %q[b], [%[second]], #4\n"                                                              \
                     "vsub.i32 %q[b], %q[b], %[second_zero_point]\n"                                                   \
                     "vshl.i32 %q[a], %q[a], #20\n" /* TD_ADD_LEFT_SHIFT */                                            \
                     "vshl.i32 %q[b], %q[b], #20\n"                                                                    \
                     "vqrdmulh.s32 %q[a], %q[a], %[first_mantissa]\n"                                                  \
                     "vqrdmulh.s32 %q[b], %q[b], %[second_mantissa]\n" divide_first divide_second                      \
                     "vmla.s32 %q[a], %q[b], %[sign]\n"                                                                \
                     "vqrdmulh.s32 %q[a], %q[a], %[mantissa]\n" DIVIDE("%q[a]", "%q[exponent]")                        \
                     "vadd.i32 %q[a], %q[a], %[zero_point]\n"                                                          \
                     "vmax.s32 %q[a], %q[a], %q[min]\n"                                                                \
                     "vmin.s32 %q[a], %q[a], %q[max]\n"                                                                \
                     "vstrb.32 %q[a], [%[output]], #4\n"                                                               \
                     "letp lr, 1b\n"                                                                                   \
                     : [a] "=&w"(a), [b] "=&w"(b), [t] "=&w"(t), [first] "+r"(first), [second] "+r"(second),           \
                       [output] "+r"(output), "+r"(left)                                                               \
                     : [first_zero_point] "r"(first_zero_point), [second_zero_point] "r"(second_zero_point),           \
                       [first_mantissa] "r"(add->first.mantissa), [second_mantissa] "r"(add->second.mantissa),         \
                       [sign] "r"(add->sign), [mantissa] "r"(add->result.mantissa), [zero_point] "r"(zero_point),      \
                       [first_exponent] "w"(first_exponent), [second_exponent] "w"(second_exponent),                   \
                       [exponent] "w"(exponent), [min] "w"(min), [max] "w"(max)                                        \
                     : "memory")

/* Both inputs are contiguous. Not inlined: with the loops around it GCC 12 finds no registers. */
static __attribute__((noinline)) void add_contiguous(const struct td_add *add, int32_t n, const int8_t *first_input,
                                                     const int8_t *second_input, int8_t *outputs)
{
    /* Loads that widen and stores that narrow take r0 to r7 only. */
    register const int8_t *first __asm__("r0") = first_input;
    register const int8_t *second __asm__("r1") = second_input;
    register int8_t *output __asm__("r2") = outputs;
    const int32_t first_zero_point = add->first_zero_point;
    const int32_t second_zero_point = add->second_zero_point;
    const int32_t zero_point = add->zero_point;
    const int32x4_t first_exponent = vdupq_n_s32(add->first.shift);
    const int32x4_t second_exponent = vdupq_n_s32(add->second.shift);
    const int32x4_t exponent = vdupq_n_s32(add->result.shift);
    const int32x4_t min = vdupq_n_s32(add->min), max = vdupq_n_s32(add->max);
    register int32_t left __asm__("lr") = n;
    int32x4_t a, b, t;

    if (add->first.shift == 0) {
        ADD_ALL("", DIVIDE("%q[b]", "%q[second_exponent]"));
    } else if (add->second.shift == 0) {
        ADD_ALL(DIVIDE("%q[a]", "%q[first_exponent]"), "");
    } else {
        ADD_ALL(DIVIDE("%q[a]", "%q[first_exponent]"), DIVIDE("%q[b]", "%q[second_exponent]"));
    }
}

static int32x4_t scale(int32x4_t value, int32_t zero_point, struct td_multiplier factor)
{
    const int32x4_t raised = vshlq_n_s32(vsubq_n_s32(value, zero_point), TD_ADD_LEFT_SHIFT);
    return td_mve_divide_by_pot(vqrdmulhq_n_s32(raised, factor.mantissa), vdupq_n_s32(factor.shift));
}

static void add_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step, const int8_t *second,
                    int32_t second_step, int8_t *output)
{
    const struct td_add *const add = kernel;
    const int32x4_t exponent = vdupq_n_s32(add->result.shift);

    if (first_step == 1 && second_step == 1) {
        add_contiguous(add, n, first, second, output);
        return;
    }
    for (int32_t i = 0; i < n; i += 4) {
        const mve_pred16_t lanes = td_mve_lanes(n - i);
        const int32x4_t a = first_step == 0 ? vdupq_n_s32(*first) : vldrbq_z_s32(first + i, lanes);
        const int32x4_t b = second_step == 0 ? vdupq_n_s32(*second) : vldrbq_z_s32(second + i, lanes);
        const int32x4_t sum = vmlaq_n_s32(scale(a, add->first_zero_point, add->first),
                                          scale(b, add->second_zero_point, add->second), add->sign);
        const int32x4_t scaled = td_mve_divide_by_pot(vqrdmulhq_n_s32(sum, add->result.mantissa), exponent);
        vstrbq_p_s32(output + i, td_mve_output(scaled, add->zero_point, add->min, add->max), lanes);
    }
}

void td_add(const struct td_add *add, const int8_t *first, const int8_t *second, int8_t *output)
{
    td_broadcast(&add->broadcast, add_run, add, first, second, output);
}
