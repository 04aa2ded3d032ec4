#include "td_conv_2d.h"

#include "td_window.h"

/* Two neighbouring output channels are computed at once, so that each input value is loaded for two multiplications. */

/* Adds input . weights over `n` contiguous values to two sums; the second channel's weights stand `next` behind the
 * first's. Not inlined: among the loops around it GCC 12 keeps its pointers in memory, which costs half as much again. */
static __attribute__((noinline)) void accumulate(int32_t sums[2], const int8_t *input, const int8_t *weights,
                                                 int32_t next, int32_t n)
{
    const int8_t *second_weights = weights + next;
    int32_t first = sums[0];
    int32_t second = sums[1];

    for (const int8_t *const end = input + n; input < end;) {
        const int32_t value = *input++;
        first += value * *weights++;
        second += value * *second_weights++;
    }
    sums[0] = first;
    sums[1] = second;
}

/* The same where every input value is the zero point. */
static void accumulate_padding(int32_t sums[2], int32_t zero_point, const int8_t *weights, int32_t next, int32_t n)
{
    for (const int8_t *const end = weights + n; weights < end; weights++) {
        sums[0] += zero_point * weights[0];
        sums[1] += zero_point * weights[next];
    }
}

/* Adds what the kernel's taps at one output position give to the sums of two channels. */
static void convolve(const struct td_conv_2d *conv, const int8_t *input, int32_t y, int32_t x, struct td_taps rows,
                     struct td_taps columns, const int8_t *weights, int32_t next, int32_t sums[2])
{
    const int32_t channels = conv->input_channels;
    const int32_t row_taps = conv->kernel_width * channels;
    const int32_t before = columns.begin * channels;
    const int32_t behind = (conv->kernel_width - columns.end) * channels;
    /* Undilated, the taps of a row are contiguous in the input. */
    const int32_t run = conv->dilation_width == 1 ? (columns.end - columns.begin) * channels : channels;

    for (int32_t row = 0; row < conv->kernel_height; row++) {
        if (row < rows.begin || row >= rows.end) {
            accumulate_padding(sums, conv->input_zero_point, weights, next, row_taps);
            weights += row_taps;
            continue;
        }
        accumulate_padding(sums, conv->input_zero_point, weights, next, before);
        weights += before;
        const int32_t line = (y + row * conv->dilation_height) * conv->input_width;
        const int8_t *values = input + (line + x + columns.begin * conv->dilation_width) * channels;
        for (const int8_t *const end = weights + (row_taps - before - behind); weights < end; weights += run) {
            accumulate(sums, values, weights, next, run);
            values += conv->dilation_width * channels;
        }
        accumulate_padding(sums, conv->input_zero_point, weights, next, behind);
        weights += behind;
    }
}

void td_conv_2d(const struct td_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const int32_t taps = conv->kernel_height * conv->kernel_width * conv->input_channels;

    for (int32_t output_y = 0; output_y < conv->output_height; output_y++) {
        const int32_t y = output_y * conv->stride_height - conv->pad_top;
        const struct td_taps rows = td_taps_inside(y, conv->dilation_height, conv->kernel_height, conv->input_height);
        for (int32_t output_x = 0; output_x < conv->output_width; output_x++) {
            const int32_t x = output_x * conv->stride_width - conv->pad_left;
            const struct td_taps columns =
                td_taps_inside(x, conv->dilation_width, conv->kernel_width, conv->input_width);
            const int8_t *weights = conv->weights;
            for (int32_t channel = 0; channel < conv->output_channels; channel += 2) {
                /* The last of an odd number of channels is computed twice and stored once. */
                const bool alone = channel + 1 == conv->output_channels;
                int32_t sums[2] = {conv->bias[channel], conv->bias[alone ? channel : channel + 1]};
                convolve(conv, input, y, x, rows, columns, weights, alone ? 0 : taps, sums);
                *output++ = td_requantize(&conv->output_stage, channel, sums[0]);
                if (!alone) {
                    *output++ = td_requantize(&conv->output_stage, channel + 1, sums[1]);
                }
                weights += 2 * taps;
            }
        }
    }
}
