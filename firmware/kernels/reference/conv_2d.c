#include "td_conv_2d.h"

#include "td_window.h"

/* Two neighbouring output channels are computed at once, so that each input value is loaded for two multiplications. */

/* Adds input . weights over `rows` runs of `n` contiguous values to two sums. The runs are `row_step` apart in the input
 * and follow each other in the weights; the second channel's weights stand `next` behind the first's.
 * Not inlined: among the loops around it GCC 12 keeps its pointers in memory, which costs half as much again. */
static __attribute__((noinline)) void accumulate(int32_t sums[2], const int8_t *input, int32_t row_step, int32_t rows,
                                                 int32_t n, const int8_t *weights, int32_t next)
{
    const int8_t *second_weights = weights + next;
    int32_t first = sums[0];
    int32_t second = sums[1];

    for (int32_t row = 0; row < rows; row++) {
        const int8_t *values = input + row * row_step;
        for (const int8_t *const end = values + n; values < end;) {
            const int32_t value = *values++;
            first += value * *weights++;
            second += value * *second_weights++;
        }
    }
    sums[0] = first;
    sums[1] = second;
}

/* The same for one run where every input value is the zero point. */
static void accumulate_padding(int32_t sums[2], int32_t zero_point, int32_t n, const int8_t *weights, int32_t next)
{
    for (const int8_t *const end = weights + n; weights < end; weights++) {
        sums[0] += zero_point * weights[0];
        sums[1] += zero_point * weights[next];
    }
}

/* Where the kernel lies for one output position: its first tap's place, and the taps that fall into the input. */
struct window {
    int32_t y, x;
    struct td_taps rows, columns;
};

/* Adds what the taps of one window give to the sums of two channels, padding and dilation included. */
static void accumulate_window(int32_t sums[2], const struct td_conv_2d *conv, const int8_t *input,
                              const struct window *window, const int8_t *weights, int32_t next)
{
    const int32_t channels = conv->input_channels;
    const int32_t columns = window->columns.end - window->columns.begin;
    const int32_t before = window->columns.begin * channels;
    const int32_t behind = (conv->kernel_width - window->columns.end) * channels;
    /* Undilated, the taps of a row are one run; else each tap is a run of its own. */
    const int32_t runs = conv->dilation_width == 1 ? 1 : columns;
    const int32_t run = conv->dilation_width == 1 ? columns * channels : channels;
    const int32_t first_column = window->x + window->columns.begin * conv->dilation_width;

    for (int32_t row = 0; row < conv->kernel_height; row++) {
        if (row < window->rows.begin || row >= window->rows.end) {
            accumulate_padding(sums, conv->input_zero_point, conv->kernel_width * channels, weights, next);
        } else {
            const int32_t y = window->y + row * conv->dilation_height;
            const int8_t *values = input + (y * conv->input_width + first_column) * channels;
            accumulate_padding(sums, conv->input_zero_point, before, weights, next);
            accumulate(sums, values, conv->dilation_width * channels, runs, run, weights + before, next);
            accumulate_padding(sums, conv->input_zero_point, behind, weights + (before + runs * run), next);
        }
        weights += conv->kernel_width * channels;
    }
}

/* All output channels at one position. */
static void convolve(const struct td_conv_2d *conv, const int8_t *input, const struct window *window, int8_t *output)
{
    const int32_t row_taps = conv->kernel_width * conv->input_channels;
    const int32_t taps = conv->kernel_height * row_taps;
    const int32_t row_step = conv->dilation_height * conv->input_width * conv->input_channels;
    const int32_t start = (window->y * conv->input_width + window->x) * conv->input_channels;
    /* Wholly inside the input and not dilated, a row of the window is one run. */
    const bool has_runs = conv->dilation_width == 1 && window->rows.end - window->rows.begin == conv->kernel_height &&
                          window->columns.end - window->columns.begin == conv->kernel_width;
    const int8_t *weights = conv->weights;

    for (int32_t channel = 0; channel < conv->output_channels; channel += 2, weights += 2 * taps) {
        /* The last of an odd number of channels is computed twice and stored once. */
        const bool is_alone = channel + 1 == conv->output_channels;
        const int32_t next = is_alone ? 0 : taps;
        int32_t sums[2] = {conv->bias[channel], conv->bias[is_alone ? channel : channel + 1]};
        if (has_runs) {
            accumulate(sums, input + start, row_step, conv->kernel_height, row_taps, weights, next);
        } else {
            accumulate_window(sums, conv, input, window, weights, next);
        }
        output[channel] = td_requantize(&conv->output_stage, channel, sums[0]);
        if (!is_alone) {
            output[channel + 1] = td_requantize(&conv->output_stage, channel + 1, sums[1]);
        }
    }
}

void td_conv_2d(const struct td_conv_2d *conv, const int8_t *input, int8_t *output)
{
    struct window window;

    for (int32_t output_y = 0; output_y < conv->output_height; output_y++) {
        window.y = output_y * conv->stride_height - conv->pad_top;
        window.rows = td_taps_inside(window.y, conv->dilation_height, conv->kernel_height, conv->input_height);
        for (int32_t output_x = 0; output_x < conv->output_width; output_x++, output += conv->output_channels) {
            window.x = output_x * conv->stride_width - conv->pad_left;
            window.columns = td_taps_inside(window.x, conv->dilation_width, conv->kernel_width, conv->input_width);
            convolve(conv, input, &window, output);
        }
    }
}
