#include "td_mean.h"

static int32_t sum_of(const struct td_mean *mean, const int8_t *input)
{
    const int32_t *const step = mean->averaged_step;
    int32_t sum = mean->start;
    for (int32_t i = 0; i < mean->averaged_count[0]; i++) {
        for (int32_t j = 0; j < mean->averaged_count[1]; j++) {
            const int8_t *value = input + i * step[0] + j * step[1];
            for (int32_t k = mean->averaged_count[2]; k > 0; k--, value += step[2]) {
                sum += *value;
            }
        }
    }
    return sum;
}

void td_mean(const struct td_mean *mean, const int8_t *input, int8_t *output)
{
    const int32_t *const step = mean->kept_step;
    for (int32_t i = 0; i < mean->kept_count[0]; i++) {
        for (int32_t j = 0; j < mean->kept_count[1]; j++) {
            for (int32_t k = 0; k < mean->kept_count[2]; k++) {
                const int32_t sum = sum_of(mean, input + i * step[0] + j * step[1] + k * step[2]);
                const int32_t scaled = td_multiply(sum, mean->multiplier.mantissa, mean->multiplier.shift);
                *output++ = (int8_t)td_clamp(scaled + mean->zero_point, INT8_MIN, INT8_MAX);
            }
        }
    }
}
