#include "td_max_pool_2d.h"

#include "td_requantize.h"
#include "td_window.h"

/* The largest value of one channel at `rows` x `columns` positions. */
static inline int32_t max_of(const int8_t *values, int32_t rows, int32_t columns, int32_t channels, int32_t line)
{
    int32_t max = INT8_MIN;
    for (; rows > 0; rows--, values += line) {
        for (int32_t i = 0; i < columns; i++) {
            const int32_t value = values[i * channels];
            max = value > max ? value : max;
        }
    }
    return max;
}

void td_max_pool_2d(const struct td_max_pool_2d *pool, const int8_t *input, int8_t *output)
{
    const struct td_pool *const window = &pool->window;
    const int32_t channels = window->channels;
    const int32_t line = window->input_width * channels;

    for (int32_t output_y = 0; output_y < window->output_height; output_y++) {
        const int32_t y = output_y * window->stride_height - window->pad_top;
        const struct td_taps rows = td_taps_inside(y, 1, window->filter_height, window->input_height);
        for (int32_t output_x = 0; output_x < window->output_width; output_x++) {
            const int32_t x = output_x * window->stride_width - window->pad_left;
            const struct td_taps columns = td_taps_inside(x, 1, window->filter_width, window->input_width);
            const int32_t height = rows.end - rows.begin;
            const int32_t width = columns.end - columns.begin;
            const int8_t *values = input + (y + rows.begin) * line + (x + columns.begin) * channels;
            for (int32_t channel = 0; channel < channels; channel++) {
                const int32_t max = max_of(values++, height, width, channels, line);
                *output++ = (int8_t)td_clamp(max, window->min, window->max);
            }
        }
    }
}
