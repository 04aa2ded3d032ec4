#include "td_mul.h"

#include "td_mve.h"

/* Four elements at once. Contiguous inputs are loaded, one that is repeated all along is a vector of one value. */

/* Four values of an input from element `i` on, less its zero point; those outside `lanes` are not read. */
TD_MVE_INLINE int32x4_t load(const int8_t *values, int32_t step, int32_t i, int32_t zero_point, mve_pred16_t lanes)
{
    return vsubq_n_s32(step == 0 ? vdupq_n_s32(*values) : vldrbq_z_s32(values + i, lanes), zero_point);
}

static void mul_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step, const int8_t *second,
                    int32_t second_step, int8_t *output)
{
    const struct td_mul mul = *(const struct td_mul *)kernel;
    const struct td_mve_factors factors = td_mve_same_factors(mul.result.mantissa, mul.result.shift);

    for (int32_t i = 0; i < n; i += 4) {
        const mve_pred16_t lanes = td_mve_lanes(n - i);
        const int32x4_t a = load(first, first_step, i, mul.first_zero_point, lanes);
        const int32x4_t b = load(second, second_step, i, mul.second_zero_point, lanes);
        const int32x4_t scaled = td_mve_multiply(vmulq_s32(a, b), factors);
        vstrbq_p_s32(output + i, td_mve_output(scaled, mul.zero_point, mul.min, mul.max), lanes);
    }
}

void td_mul(const struct td_mul *mul, const int8_t *first, const int8_t *second, int8_t *output)
{
    td_broadcast(&mul->broadcast, mul_run, mul, first, second, output);
}
