#include "td_max_pool_2d.h"

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

void td_max_pool_2d(const struct td_max_pool_2d *pool, const int8_t *input, int8_t *output)
{
    const struct td_pool *const window = &pool->window;
    const int32_t channels = window->channels;

    for (int32_t row = 0; row < window->output_height; row++) {
        for (int32_t column = 0; column < window->output_width; column++, output += channels) {
            const struct td_pooled pooled = td_pooled_at(window, input, row, column);
            const int8_t *values = pooled.values;
            for (int32_t i = 0; i < channels; i++) {
                output[i] = INT8_MIN;
            }
            for (int32_t y = 0; y < pooled.height; y++, values += window->input_width * channels) {
                for (int32_t x = 0; x < pooled.width; x++) {
                    raise_to(output, values + x * channels, channels);
                }
            }
            for (int32_t i = 0; i < channels; i++) {
                output[i] = (int8_t)td_clamp(output[i], window->min, window->max);
            }
        }
    }
}
