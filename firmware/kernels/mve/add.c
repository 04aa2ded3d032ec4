#include "td_add.h"

#include "td_mve.h"

/* Four elements at once, 7 to 8 instructions each. */

/* (value - zero_point) * 2^20 * factor, rounded twice; the factor's shift is 0 or less. */
TD_MVE_INLINE int32x4_t scale(int32x4_t value, int32_t zero_point, struct td_multiplier factor)
{
    const int32x4_t raised = vshlq_n_s32(vsubq_n_s32(value, zero_point), TD_ADD_LEFT_SHIFT);
    const int32x4_t product = vqrdmulhq_n_s32(raised, factor.mantissa);
    /* Of two inputs one at least is scaled by a half, without a shift. */
    return factor.shift == 0 ? product : td_mve_divide_by_pot(product, vdupq_n_s32(factor.shift));
}

TD_MVE_INLINE int32x4_t add_four(const struct td_add *add, int32x4_t first, int32x4_t second)
{
    const int32x4_t a = scale(first, add->first_zero_point, add->first);
    const int32x4_t b = scale(second, add->second_zero_point, add->second);
    const int32x4_t sum = add->sign < 0 ? vsubq_s32(a, b) : vaddq_s32(a, b);
    const int32x4_t product = vqrdmulhq_n_s32(sum, add->result.mantissa);
    const int32x4_t scaled = td_mve_divide_by_pot(product, vdupq_n_s32(add->result.shift));
    return td_mve_output(scaled, add->zero_point, add->min, add->max);
}

static void add_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step, const int8_t *second,
                    int32_t second_step, int8_t *output)
{
    const struct td_add add = *(const struct td_add *)kernel;
    /* What is repeated all along is loaded from here again and again. */
    const int8_t repeated[2][4] = {{*first, *first, *first, *first}, {*second, *second, *second, *second}};
    int32_t left = n;

    first = first_step == 0 ? repeated[0] : first;
    second = second_step == 0 ? repeated[1] : second;
    for (; left >= 4; left -= 4, first += 4 * first_step, second += 4 * second_step, output += 4) {
        vstrbq_s32(output, add_four(&add, vldrbq_s32(first), vldrbq_s32(second)));
    }
    if (left > 0) {
        const mve_pred16_t lanes = td_mve_lanes(left);
        const int32x4_t sum = add_four(&add, vldrbq_z_s32(first, lanes), vldrbq_z_s32(second, lanes));
        vstrbq_p_s32(output, sum, lanes);
    }
}

void td_add(const struct td_add *add, const int8_t *first, const int8_t *second, int8_t *output)
{
    td_broadcast(&add->broadcast, add_run, add, first, second, output);
}
