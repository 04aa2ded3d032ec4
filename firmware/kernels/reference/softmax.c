#include "td_softmax.h"

#include "td_requantize.h"

/* value * 2^exponent, bounded to 32 bits. */
static int32_t saturating_left_shift(int32_t value, int32_t exponent)
{
    const int32_t limit = INT32_MAX >> exponent;
    if (value > limit) {
        return INT32_MAX;
    }
    return value < -limit ? INT32_MIN : value * (1 << exponent);
}

/* 1 / (1 + x) with x and the result in units of 2^-31, x in [0, 2^31): Newton-Raphson from 48/17 - 32/17 d, where d is
 * half of 1 + x, in units of 2^-29. */
static int32_t one_over_one_plus(int32_t x)
{
    const int32_t one = 1 << 29;
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t inverse = 1515870810 + td_rounding_doubling_high_mul(half, -1010580540);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t error = one - td_rounding_doubling_high_mul(half, inverse);
        inverse += saturating_left_shift(td_rounding_doubling_high_mul(inverse, error), 2);
    }
    return saturating_left_shift(inverse, 1);
}

static int32_t leading_zeros(uint32_t value)
{
    int32_t zeros = 0;
    for (; (value & UINT32_C(0x80000000)) == 0; value <<= 1) {
        zeros++;
    }
    return zeros;
}

static int32_t max_of(const int8_t *values, int32_t n)
{
    int32_t max = INT8_MIN;
    for (int32_t i = 0; i < n; i++) {
        max = values[i] > max ? values[i] : max;
    }
    return max;
}

static void softmax_row(const struct td_softmax *softmax, const int8_t *input, int8_t *output)
{
    const int32_t max = max_of(input, softmax->depth);

    /* In units of 2^-19; at least 1, since the maximum contributes that much. */
    int32_t sum = 0;
    for (int32_t i = 0; i < softmax->depth; i++) {
        const int32_t difference = max - input[i];
        if (difference < softmax->entries) {
            sum += td_rounding_divide_by_pot(softmax->exponentials[difference], 12);
        }
    }

    /* The sum as (1 + x) * 2^(12 - zeros) with x in [0, 1). */
    const int32_t zeros = leading_zeros((uint32_t)sum);
    const int32_t reciprocal = one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000)));
    const int32_t exponent = 12 - zeros + 23;

    for (int32_t i = 0; i < softmax->depth; i++) {
        const int32_t difference = max - input[i];
        int32_t probability = 0;
        /* Beyond an exponent of 31 no probability reaches half a step (TFLM aborts there). */
        if (difference < softmax->entries && exponent <= 31) {
            const int32_t product = td_rounding_doubling_high_mul(reciprocal, softmax->exponentials[difference]);
            probability = td_rounding_divide_by_pot(product, exponent);
        }
        output[i] = (int8_t)td_clamp(probability + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void td_softmax(const struct td_softmax *softmax, const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < softmax->rows; row++) {
        softmax_row(softmax, input, output);
        input += softmax->depth;
        output += softmax->depth;
    }
}
