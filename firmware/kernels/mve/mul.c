#include "td_mul.h"

#include "td_mve.h"

/* Four elements at once. */

TD_MVE_INLINE int32x4_t mul_four(const struct td_mul *mul, int32x4_t first, int32x4_t second)
{
    const int32x4_t a = vsubq_n_s32(first, mul->first_zero_point);
    const int32x4_t b = vsubq_n_s32(second, mul->second_zero_point);
    const struct td_mve_factors factors = td_mve_same_factors(mul->result.mantissa, mul->result.shift);
    return td_mve_output(td_mve_multiply(vmulq_s32(a, b), factors), mul->zero_point, mul->min, mul->max);
}

static void mul_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step, const int8_t *second,
                    int32_t second_step, int8_t *output)
{
    const struct td_mul mul = *(const struct td_mul *)kernel;
    /* What is repeated all along is loaded from here again and again. */
    const int8_t repeated[2][4] = {{*first, *first, *first, *first}, {*second, *second, *second, *second}};
    int32_t left = n;

    first = first_step == 0 ? repeated[0] : first;
    second = second_step == 0 ? repeated[1] : second;
    for (; left >= 4; left -= 4, first += 4 * first_step, second += 4 * second_step, output += 4) {
        vstrbq_s32(output, mul_four(&mul, vldrbq_s32(first), vldrbq_s32(second)));
    }
    if (left > 0) {
        const mve_pred16_t lanes = td_mve_lanes(left);
        const int32x4_t product = mul_four(&mul, vldrbq_z_s32(first, lanes), vldrbq_z_s32(second, lanes));
        vstrbq_p_s32(output, product, lanes);
    }
}

void td_mul(const struct td_mul *mul, const int8_t *first, const int8_t *second, int8_t *output)
{
    td_broadcast(&mul->broadcast, mul_run, mul, first, second, output);
}
