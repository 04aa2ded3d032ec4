#include "td_average_pool_2d.h"

#include "td_mve.h"
#include "td_window.h"

/* The sums of up to eight channels over `rows` x `columns` positions, in two halves of the even and the odd ones.
 * The values are added in 16 bits, a row's at most 255 at a time: so many cannot overflow. */
static inline void sum_of(int32x4_t sums[2], const int8_t *values, int32_t rows, int32_t columns, int32_t channels,
                          int32_t line, mve_pred16_t lanes)
{
    sums[0] = sums[1] = vdupq_n_s32(0);
    for (; rows > 0; rows--, values += line) {
        const int8_t *value = values;
        for (int32_t left = columns; left > 0; left -= 255) {
            int16x8_t part = vdupq_n_s16(0);
            for (int32_t i = left < 255 ? left : 255; i > 0; i--, value += channels) {
                part = vaddq_s16(part, vldrbq_z_s16(value, lanes));
            }
            sums[0] = vaddq_s32(sums[0], vmovlbq_s16(part));
            sums[1] = vaddq_s32(sums[1], vmovltq_s16(part));
        }
    }
}

/* To nearest, ties away from zero. */
static inline int32_t rounding_divide(int32_t sum, int32_t count)
{
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

/* All channels at one position, whose values start at `values`. */
static void average(const struct td_pool *window, const int8_t *values, int32_t height, int32_t width, int8_t *output)
{
    const int32_t channels = window->channels;

    for (int32_t channel = 0; channel < channels; channel += 8) {
        const mve_pred16_t lanes = vctp16q((uint32_t)(channels - channel));
        int32_t sums[2][4];
        int32x4_t halves[2];
        sum_of(halves, values + channel, height, width, channels, window->input_width * channels, lanes);
        vstrwq_s32(sums[0], halves[0]);
        vstrwq_s32(sums[1], halves[1]);
        for (int32_t i = 0; i < 8 && channel + i < channels; i++) {
            const int32_t value = rounding_divide(sums[i % 2][i / 2], height * width);
            output[channel + i] = (int8_t)td_clamp(value, window->min, window->max);
        }
    }
}

void td_average_pool_2d(const struct td_average_pool_2d *pool, const int8_t *input, int8_t *output)
{
    const struct td_pool *const window = &pool->window;
    const int32_t line = window->input_width * window->channels;

    for (int32_t output_y = 0; output_y < window->output_height; output_y++) {
        const int32_t y = output_y * window->stride_height - window->pad_top;
        const struct td_taps rows = td_taps_inside(y, 1, window->filter_height, window->input_height);
        for (int32_t output_x = 0; output_x < window->output_width; output_x++, output += window->channels) {
            const int32_t x = output_x * window->stride_width - window->pad_left;
            const struct td_taps columns = td_taps_inside(x, 1, window->filter_width, window->input_width);
            const int8_t *values = input + (y + rows.begin) * line + (x + columns.begin) * window->channels;
            average(window, values, rows.end - rows.begin, columns.end - columns.begin, output);
        }
    }
}
