#include "td_max_pool_2d.h"

#include <arm_mve.h>

#include "td_window.h"

/* The largest values of up to sixteen channels at `rows` x `columns` positions. */
static inline int8x16_t max_of(const int8_t *values, int32_t rows, int32_t columns, int32_t channels, int32_t line,
                               mve_pred16_t lanes)
{
    int8x16_t max = vdupq_n_s8(INT8_MIN);
    for (; rows > 0; rows--, values += line) {
        const int8_t *value = values;
        for (int32_t i = columns; i > 0; i--, value += channels) {
            max = vmaxq_s8(max, vldrbq_z_s8(value, lanes));
        }
    }
    return max;
}

void td_max_pool_2d(const struct td_max_pool_2d *pool, const int8_t *input, int8_t *output)
{
    const struct td_pool *const window = &pool->window;
    const int32_t channels = window->channels;
    const int32_t line = window->input_width * channels;
    const int8x16_t lowest = vdupq_n_s8((int8_t)window->min);
    const int8x16_t highest = vdupq_n_s8((int8_t)window->max);

    for (int32_t output_y = 0; output_y < window->output_height; output_y++) {
        const int32_t y = output_y * window->stride_height - window->pad_top;
        const struct td_taps rows = td_taps_inside(y, 1, window->filter_height, window->input_height);
        for (int32_t output_x = 0; output_x < window->output_width; output_x++, output += channels) {
            const int32_t x = output_x * window->stride_width - window->pad_left;
            const struct td_taps columns = td_taps_inside(x, 1, window->filter_width, window->input_width);
            const int32_t height = rows.end - rows.begin;
            const int32_t width = columns.end - columns.begin;
            const int8_t *values = input + (y + rows.begin) * line + (x + columns.begin) * channels;
            for (int32_t channel = 0; channel < channels; channel += 16) {
                const mve_pred16_t lanes = vctp8q((uint32_t)(channels - channel));
                const int8x16_t max = max_of(values + channel, height, width, channels, line, lanes);
                vstrbq_p_s8(output + channel, vminq_s8(vmaxq_s8(max, lowest), highest), lanes);
            }
        }
    }
}
