#include "td_max_pool_2d.h"

#include <string.h>

#include "td_pooling.h"
#include "td_requantize.h"

/* Raises the outputs of all channels to the values of one position, which are contiguous like them. */
static __attribute__((noinline)) void raise_to(int8_t *output, const int8_t *values, int32_t channels)
{
    for (const int8_t *const end = values + channels; values != end; output++) {
        const int8_t value = *values++;
        if (value > *output) {
            *output = value;
        }
    }
}

/* All channels at one position of the output. */
static void maximum(const struct td_pool *pool, const struct td_pooled *window, int8_t *output)
{
    const int32_t channels = pool->channels;
    const int8_t *line = window->values;

    memcpy(output, line, (size_t)channels);
    for (int32_t row = 0; row < window->height; row++, line += pool->input_width * channels) {
        for (int32_t column = row == 0; column < window->width; column++) {
            raise_to(output, line + column * channels, channels);
        }
    }
    for (int32_t i = 0; i < channels && (pool->min > INT8_MIN || pool->max < INT8_MAX); i++) {
        output[i] = (int8_t)td_clamp(output[i], pool->min, pool->max);
    }
}

void td_max_pool_2d(const struct td_max_pool_2d *pool, const int8_t *input, int8_t *output)
{
    const struct td_pool *const window = &pool->window;

    for (int32_t row = 0; row < window->output_height; row++) {
        for (int32_t column = 0; column < window->output_width; column++, output += window->channels) {
            const struct td_pooled pooled = td_pooled_at(window, input, row, column);
            maximum(window, &pooled, output);
        }
    }
}
