#include "td_average_pool_2d.h"

#include "td_dsp.h"
#include "td_requantize.h"
#include "td_window.h"

/* Values whose sum fits into int16. */
#define MOST_TAPS 256

struct area {
    int32_t rows, columns;
    int32_t channels; /* bytes from one column to the next */
    int32_t line;     /* bytes from one row to the next */
};

/* To nearest, ties away from zero. */
static inline int8_t average_of(const struct td_pool *window, int32_t sum, int32_t count)
{
    const int32_t average = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
    return (int8_t)td_clamp(average, window->min, window->max);
}

static int32_t sum_of_1(const struct area *area, const int8_t *values)
{
    int32_t sum = 0;
    for (int32_t row = area->rows; row > 0; row--, values += area->line) {
        for (int32_t i = 0; i < area->columns; i++) {
            sum += values[i * area->channels];
        }
    }
    return sum;
}

/* The sums of 4 channels, as pairs of int16: channels 0 and 2, 1 and 3. At most MOST_TAPS positions. */
struct sums {
    uint32_t even, odd;
};

static inline struct sums sums_of_4(const struct area *area, const int8_t *values, int32_t rows)
{
    struct sums sums = {0, 0};
    for (; rows > 0; rows--, values += area->line) {
        const int8_t *value = values;
        for (int32_t i = area->columns; i > 0; i--, value += area->channels) {
            const uint32_t four = td_load4(value);
            sums.even = td_sxtab16(sums.even, four);
            sums.odd = td_sxtab16_ror8(sums.odd, four);
        }
    }
    return sums;
}

static inline int32_t lower_half(uint32_t pair)
{
    return (int16_t)(pair & 0xffffu);
}

static inline int32_t upper_half(uint32_t pair)
{
    return (int16_t)(pair >> 16);
}

/* The same of any number of rows, some at a time. */
static __attribute__((noinline)) void average_4_of_many(const struct td_pool *window, const struct area *area,
                                                        const int8_t *values, int8_t *output)
{
    const int32_t at_once = MOST_TAPS / area->columns;
    const int32_t count = area->rows * area->columns;
    int32_t sum[4] = {0};

    for (int32_t rows = area->rows; rows > 0; rows -= at_once, values += at_once * area->line) {
        const struct sums sums = sums_of_4(area, values, rows < at_once ? rows : at_once);
        sum[0] += lower_half(sums.even);
        sum[1] += lower_half(sums.odd);
        sum[2] += upper_half(sums.even);
        sum[3] += upper_half(sums.odd);
    }
    for (int32_t i = 0; i < 4; i++) {
        output[i] = average_of(window, sum[i], count);
    }
}

/* All channels of one output position. */
static void average(const struct td_pool *window, const struct area *area, const int8_t *values, int8_t *output)
{
    const int32_t count = area->rows * area->columns;
    const int32_t fours = area->columns > MOST_TAPS ? 0 : area->channels & ~3;
    int32_t channel = 0;

    for (; channel < fours; channel += 4) {
        if (count > MOST_TAPS) {
            average_4_of_many(window, area, values + channel, output + channel);
            continue;
        }
        const struct sums sums = sums_of_4(area, values + channel, area->rows);
        output[channel] = average_of(window, lower_half(sums.even), count);
        output[channel + 1] = average_of(window, lower_half(sums.odd), count);
        output[channel + 2] = average_of(window, upper_half(sums.even), count);
        output[channel + 3] = average_of(window, upper_half(sums.odd), count);
    }
    for (; channel < area->channels; channel++) {
        output[channel] = average_of(window, sum_of_1(area, values + channel), count);
    }
}

/* As reference/average_pool_2d.c, four channels at a time. */
void td_average_pool_2d(const struct td_average_pool_2d *pool, const int8_t *input, int8_t *output)
{
    const struct td_pool *const window = &pool->window;
    struct area area = {.channels = window->channels, .line = window->input_width * window->channels};

    for (int32_t output_y = 0; output_y < window->output_height; output_y++) {
        const int32_t y = output_y * window->stride_height - window->pad_top;
        const struct td_taps rows = td_taps_inside(y, 1, window->filter_height, window->input_height);
        area.rows = rows.end - rows.begin;
        for (int32_t output_x = 0; output_x < window->output_width; output_x++, output += area.channels) {
            const int32_t x = output_x * window->stride_width - window->pad_left;
            const struct td_taps columns = td_taps_inside(x, 1, window->filter_width, window->input_width);
            area.columns = columns.end - columns.begin;
            average(window, &area, input + (y + rows.begin) * area.line + (x + columns.begin) * area.channels, output);
        }
    }
}
