#include "td_resize_nearest_neighbor.h"

#include <string.h>

void td_resize_nearest_neighbor(const struct td_resize_nearest_neighbor *resize, const int8_t *input, int8_t *output)
{
    const int32_t channels = resize->channels;

    for (int32_t y = 0; y < resize->output_height; y++) {
        const int8_t *const row = input + (int32_t)resize->rows[y] * resize->input_width * channels;
        for (int32_t x = 0; x < resize->output_width; x++) {
            memcpy(output, row + resize->columns[x] * channels, resize->channels);
            output += channels;
        }
    }
}
