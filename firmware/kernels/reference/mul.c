#include "td_mul.h"

static void mul_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step, const int8_t *second,
                    int32_t second_step, int8_t *output)
{
    /* A copy: as far as the compiler knows, storing an output could change what `kernel` points to. */
    const struct td_mul mul = *(const struct td_mul *)kernel;

    for (const int8_t *const end = output + n; output < end; first += first_step, second += second_step) {
        const int32_t product = (*first - mul.first_zero_point) * (*second - mul.second_zero_point);
        const int32_t scaled = td_multiply(product, mul.result.mantissa, mul.result.shift);
        *output++ = (int8_t)td_clamp(scaled + mul.zero_point, mul.min, mul.max);
    }
}

void td_mul(const struct td_mul *mul, const int8_t *first, const int8_t *second, int8_t *output)
{
    td_broadcast(&mul->broadcast, mul_run, mul, first, second, output);
}
