#include "td_add.h"

#include "td_scale.h"

/* To a common scale: ((value - zero_point) << TD_ADD_LEFT_SHIFT) times a factor, in 32 bits. With `fine` the mantissa's
 * low 11 bits and `coarse` the rest, the rounded high product is value * coarse + (value * fine + 2^10 >> 11): the 20
 * bits that the value is raised by cancel against all but 11 of the 31 that the product is lowered by. */
struct rescaling {
    int32_t zero_point, coarse, fine, shift, half, ties;
};

#define LOW_BITS (31 - TD_ADD_LEFT_SHIFT)

static struct rescaling rescaling_of(int32_t zero_point, struct td_multiplier factor)
{
    return (struct rescaling){
        .zero_point = zero_point,
        .coarse = factor.mantissa >> LOW_BITS,
        .fine = factor.mantissa & ((1 << LOW_BITS) - 1),
        .shift = -factor.shift,
        .half = factor.shift < 0 ? (int32_t)(UINT32_C(1) << (-factor.shift - 1)) : 0,
        .ties = factor.shift < 0 ? -1 : 0, /* an integer has none */
    };
}

/* At most 255 * 2^20 / 2 comes in: adding half a step, at most 2^30, cannot overflow. */
static inline int32_t rescale(const struct rescaling *by, int32_t value)
{
    const int32_t centred = value - by->zero_point;
    const int32_t product = centred * by->coarse + ((centred * by->fine + (1 << (LOW_BITS - 1))) >> LOW_BITS);
    return (product + ((product >> 31) & by->ties) + by->half) >> by->shift;
}

static void add_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step, const int8_t *second,
                    int32_t second_step, int8_t *output)
{
    /* Copies: as far as the compiler knows, storing an output could change what `kernel` points to. */
    const struct td_add add = *(const struct td_add *)kernel;
    const struct rescaling one = rescaling_of(add.first_zero_point, add.first);
    const struct rescaling two = rescaling_of(add.second_zero_point, add.second);
    const bool is_bounded = add.min > INT8_MIN || add.max < INT8_MAX;
    int32_t bias = 2 * add.zero_point + 1;

    TD_IN_REGISTER(bias);
    for (const int8_t *const end = output + n; output != end; first += first_step, second += second_step) {
        /* The sign comes last: rounding is not symmetric, so it could not be part of the factor. */
        const int32_t sum = rescale(&one, *first) + add.sign * rescale(&two, *second);
        const int32_t scaled = add.result.shift < 0
                                   ? td_scale_down(sum, add.result.mantissa, add.result.shift, bias)
                                   : td_scale_up(sum, add.result.mantissa, add.result.shift, add.zero_point);
        *output++ = (int8_t)(is_bounded ? td_clamp(scaled, add.min, add.max) : scaled);
    }
}

void td_add(const struct td_add *add, const int8_t *first, const int8_t *second, int8_t *output)
{
    td_broadcast(&add->broadcast, add_run, add, first, second, output);
}
