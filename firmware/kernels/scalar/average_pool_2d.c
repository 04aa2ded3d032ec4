#include "td_average_pool_2d.h"

#include "td_pooling.h"
#include "td_requantize.h"

/* The sums of four neighbouring channels: the loop's own instructions are shared by four additions. */
static __attribute__((noinline)) void sum_four(const struct td_pooled *window, const int8_t *values, int32_t channels,
                                               int32_t line, int32_t sums[4])
{
    int32_t a = 0, b = 0, c = 0, d = 0;

    for (int32_t rows = window->height; rows > 0; rows--, values += line) {
        const int8_t *value = values;
        for (int32_t columns = window->width; columns > 0; columns--, value += channels) {
            a += value[0];
            b += value[1];
            c += value[2];
            d += value[3];
        }
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

static __attribute__((noinline)) int32_t sum_one(const struct td_pooled *window, const int8_t *values,
                                                 int32_t channels, int32_t line)
{
    int32_t sum = 0;
    for (int32_t rows = window->height; rows > 0; rows--, values += line) {
        const int8_t *value = values;
        for (int32_t columns = window->width; columns > 0; columns--, value += channels) {
            sum += *value;
        }
    }
    return sum;
}

/* Division by the number of values of a window, to nearest, ties away from zero. */
struct divisor {
    int32_t count;
    uint32_t reciprocal; /* 2^24 / count, rounded up; 0 where the quotients could be wrong */
};

/* A quotient of n by its product with the reciprocal is exact if n * count < 2^24. A sum of `count` values, half a
 * count added, is at most 128.5 * count, and its product with the reciprocal less than 2^32. */
static struct divisor divisor_of(int32_t count)
{
#if defined(__ARM_FEATURE_IDIV)
    return (struct divisor){count, 0};
#else
    return (struct divisor){count, count <= 361 ? (uint32_t)((1 << 24) / count) + 1 : 0};
#endif
}

static inline int32_t rounding_divide(int32_t sum, struct divisor by)
{
    const uint32_t rounded = (uint32_t)((sum < 0 ? -sum : sum) + by.count / 2);
    const uint32_t quotient = by.reciprocal != 0 ? rounded * by.reciprocal >> 24 : rounded / (uint32_t)by.count;
    return sum < 0 ? -(int32_t)quotient : (int32_t)quotient;
}

static void average(const struct td_pool *pool, const struct td_pooled *window, int8_t *output)
{
    const int32_t channels = pool->channels;
    const int32_t line = pool->input_width * channels;
    const struct divisor divisor = divisor_of(window->height * window->width);

    for (int32_t channel = 0; channel < channels;) {
        const int32_t count = channel + 4 <= channels ? 4 : 1;
        int32_t sums[4];
        if (count == 4) {
            sum_four(window, window->values + channel, channels, line, sums);
        } else {
            sums[0] = sum_one(window, window->values + channel, channels, line);
        }
        for (int32_t i = 0; i < count; i++) {
            *output++ = (int8_t)td_clamp(rounding_divide(sums[i], divisor), pool->min, pool->max);
        }
        channel += count;
    }
}

void td_average_pool_2d(const struct td_average_pool_2d *pool, const int8_t *input, int8_t *output)
{
    const struct td_pool *const window = &pool->window;

    for (int32_t row = 0; row < window->output_height; row++) {
        for (int32_t column = 0; column < window->output_width; column++, output += window->channels) {
            const struct td_pooled pooled = td_pooled_at(window, input, row, column);
            average(window, &pooled, output);
        }
    }
}
