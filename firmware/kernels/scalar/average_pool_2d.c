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

static __attribute__((noinline)) int32_t sum_one(const struct td_pooled *window, const int8_t *values, int32_t channels,
                                                 int32_t line)
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

/* To nearest, ties away from zero. */
static inline int32_t rounding_divide(int32_t sum, int32_t count)
{
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static void average(const struct td_pool *pool, const struct td_pooled *window, int8_t *output)
{
    const int32_t channels = pool->channels;
    const int32_t line = pool->input_width * channels;
    const int32_t positions = window->height * window->width;

    for (int32_t channel = 0; channel < channels;) {
        const int32_t count = channel + 4 <= channels ? 4 : 1;
        int32_t sums[4];
        if (count == 4) {
            sum_four(window, window->values + channel, channels, line, sums);
        } else {
            sums[0] = sum_one(window, window->values + channel, channels, line);
        }
        for (int32_t i = 0; i < count; i++) {
            *output++ = (int8_t)td_clamp(rounding_divide(sums[i], positions), pool->min, pool->max);
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
