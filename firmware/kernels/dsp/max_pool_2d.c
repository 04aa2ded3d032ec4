#include "td_max_pool_2d.h"

#include "td_dsp.h"
#include "td_requantize.h"
#include "td_window.h"

struct area {
    int32_t rows, columns;
    int32_t channels; /* bytes from one column to the next */
    int32_t line;     /* bytes from one row to the next */
};

static int32_t max_of_1(const struct area *area, const int8_t *values)
{
    int32_t max = INT8_MIN;
    for (int32_t row = area->rows; row > 0; row--, values += area->line) {
        for (int32_t i = 0; i < area->columns; i++) {
            const int32_t value = values[i * area->channels];
            max = value > max ? value : max;
        }
    }
    return max;
}

/* The largest values of 4 channels, a byte each. 3 instructions for 4 values. */
static uint32_t max_of_4(const struct area *area, const int8_t *values)
{
    uint32_t max = UINT32_C(0x80808080);
    for (int32_t row = area->rows; row > 0; row--, values += area->line) {
        const int8_t *value = values;
        for (int32_t i = area->columns; i > 0; i--, value += area->channels) {
            max = td_max8(td_load4(value), max);
        }
    }
    return max;
}

/* All channels of one output position. */
static void maximum(const struct td_pool *window, const struct area *area, const int8_t *values, int8_t *output)
{
    const uint32_t min4 = (uint8_t)window->min * UINT32_C(0x01010101);
    const uint32_t max4 = (uint8_t)window->max * UINT32_C(0x01010101);
    int32_t channel = 0;

    for (; channel + 4 <= area->channels; channel += 4) {
        td_store4(output + channel, td_min8(td_max8(max_of_4(area, values + channel), min4), max4));
    }
    for (; channel < area->channels; channel++) {
        output[channel] = (int8_t)td_clamp(max_of_1(area, values + channel), window->min, window->max);
    }
}

/* As reference/max_pool_2d.c, four channels at a time. */
void td_max_pool_2d(const struct td_max_pool_2d *pool, const int8_t *input, int8_t *output)
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
            maximum(window, &area, input + (y + rows.begin) * area.line + (x + columns.begin) * area.channels, output);
        }
    }
}
