#include "td_add.h"

#include "td_mve.h"

/* Four elements at once. Contiguous inputs are loaded, one that is repeated all along is a vector of one value. */

/* Four values of an input from element `i` on; those outside `lanes` are not read. */
TD_MVE_INLINE int32x4_t load(const int8_t *values, int32_t step, int32_t i, mve_pred16_t lanes)
{
    return step == 0 ? vdupq_n_s32(*values) : vldrbq_z_s32(values + i, lanes);
}

/* (value - zero_point) * 2^20 * factor, rounded twice; `exponent` is the factor's, 0 or less. */
TD_MVE_INLINE int32x4_t scale(int32x4_t value, int32_t zero_point, int32_t mantissa, int32_t exponent)
{
    const int32x4_t raised = vshlq_n_s32(vsubq_n_s32(value, zero_point), TD_ADD_LEFT_SHIFT);
    const int32x4_t product = vqrdmulhq_n_s32(raised, mantissa);
    /* Of two inputs one at least is scaled by a half, without a shift. */
    return exponent == 0 ? product : td_mve_divide_by_pot(product, vdupq_n_s32(exponent));
}

static void add_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step, const int8_t *second,
                    int32_t second_step, int8_t *output)
{
    const struct td_add add = *(const struct td_add *)kernel;
    const int32x4_t exponent = vdupq_n_s32(add.result.shift);

    for (int32_t i = 0; i < n; i += 4) {
        const mve_pred16_t lanes = td_mve_lanes(n - i);
        const int32x4_t a = scale(load(first, first_step, i, lanes), add.first_zero_point, add.first.mantissa,
                                  add.first.shift);
        const int32x4_t b = scale(load(second, second_step, i, lanes), add.second_zero_point, add.second.mantissa,
                                  add.second.shift);
        const int32x4_t sum = add.sign < 0 ? vsubq_s32(a, b) : vaddq_s32(a, b);
        const int32x4_t scaled = td_mve_divide_by_pot(vqrdmulhq_n_s32(sum, add.result.mantissa), exponent);
        vstrbq_p_s32(output + i, td_mve_output(scaled, add.zero_point, add.min, add.max), lanes);
    }
}

void td_add(const struct td_add *add, const int8_t *first, const int8_t *second, int8_t *output)
{
    td_broadcast(&add->broadcast, add_run, add, first, second, output);
}
