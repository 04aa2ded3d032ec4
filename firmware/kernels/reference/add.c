#include "td_add.h"

static inline int32_t scale_down(int32_t value, struct td_multiplier factor)
{
    return td_rounding_divide_by_pot(td_rounding_doubling_high_mul(value, factor.mantissa), -factor.shift);
}

static void add_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step, const int8_t *second,
                    int32_t second_step, int8_t *output)
{
    /* A copy: as far as the compiler knows, storing an output could change what `kernel` points to. */
    const struct td_add add = *(const struct td_add *)kernel;

    for (const int8_t *const end = output + n; output < end; first += first_step, second += second_step) {
        const int32_t a = scale_down((*first - add.first_zero_point) * (1 << TD_ADD_LEFT_SHIFT), add.first);
        const int32_t b = scale_down((*second - add.second_zero_point) * (1 << TD_ADD_LEFT_SHIFT), add.second);
        /* The sign comes last: rounding is not symmetric, so it could not be part of the factor. */
        const int32_t sum = scale_down(a + add.sign * b, add.result);
        *output++ = (int8_t)td_clamp(sum + add.zero_point, add.min, add.max);
    }
}

void td_add(const struct td_add *add, const int8_t *first, const int8_t *second, int8_t *output)
{
    td_broadcast(&add->broadcast, add_run, add, first, second, output);
}
