#include "td_depthwise_conv_2d.h"

#include "td_window.h"

/* values . weights over rows x columns taps; `skip` weights are left out behind each row.
 * Not inlined: among the loops around it GCC 12 keeps its pointers in memory. */
static __attribute__((noinline)) int32_t dot(const int8_t *values, int32_t step, int32_t row_step, int32_t rows,
                                             int32_t columns, const int8_t *weights, int32_t skip)
{
    int32_t sum = 0;

    for (int32_t row = 0; row < rows; row++) {
        const int8_t *value = values + row * row_step;
        for (const int8_t *const end = weights + columns; weights < end; value += step) {
            sum += *value * *weights++;
        }
        weights += skip;
    }
    return sum;
}

static int32_t sum_of(const int8_t *weights, int32_t n)
{
    int32_t sum = 0;
    for (const int8_t *const end = weights + n; weights < end;) {
        sum += *weights++;
    }
    return sum;
}

/* The sum of the weights whose taps fall outside the input. */
static int32_t sum_outside(const struct td_depthwise_conv_2d *conv, struct td_taps rows, struct td_taps columns,
                           const int8_t *weights)
{
    const int32_t width = conv->kernel_width;
    int32_t sum = sum_of(weights, rows.begin * width);
    for (int32_t row = rows.begin; row < rows.end; row++) {
        sum += sum_of(weights + row * width, columns.begin);
        sum += sum_of(weights + (row * width + columns.end), width - columns.end);
    }
    return sum + sum_of(weights + rows.end * width, (conv->kernel_height - rows.end) * width);
}

/* All output channels at the position where the kernel's first tap stands at (y, x) of the input. */
static void convolve(const struct td_depthwise_conv_2d *conv, const int8_t *input, int32_t y, int32_t x, int8_t *output)
{
    const struct td_taps rows = td_taps_inside(y, conv->dilation_height, conv->kernel_height, conv->input_height);
    const struct td_taps columns = td_taps_inside(x, conv->dilation_width, conv->kernel_width, conv->input_width);
    const int32_t row_count = rows.end - rows.begin;
    const int32_t column_count = columns.end - columns.begin;
    const int32_t step = conv->dilation_width * conv->input_channels;
    const int32_t row_step = conv->dilation_height * conv->input_width * conv->input_channels;
    const int32_t taps = conv->kernel_height * conv->kernel_width;
    const int32_t first_tap = rows.begin * conv->kernel_width + columns.begin;
    const int8_t *values = input + ((y * conv->input_width + x) * conv->input_channels + rows.begin * row_step +
                                    columns.begin * step);
    const int8_t *weights = conv->weights;
    int32_t channel = 0;

    for (; channel < conv->output_channels; values++) {
        for (int32_t copy = 0; copy < conv->depth_multiplier; copy++, channel++, weights += taps) {
            int32_t sum = conv->bias[channel] + dot(values, step, row_step, row_count, column_count,
                                                    weights + first_tap, conv->kernel_width - column_count);
            if (row_count * column_count < taps) { /* where the kernel hangs over, it sees the zero point */
                sum += conv->input_zero_point * sum_outside(conv, rows, columns, weights);
            }
            output[channel] = td_requantize(&conv->output_stage, channel, sum);
        }
    }
}

void td_depthwise_conv_2d(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output)
{
    for (int32_t output_y = 0; output_y < conv->output_height; output_y++) {
        const int32_t y = output_y * conv->stride_height - conv->pad_top;
        for (int32_t output_x = 0; output_x < conv->output_width; output_x++, output += conv->output_channels) {
            const int32_t x = output_x * conv->stride_width - conv->pad_left;
            convolve(conv, input, y, x, output);
        }
    }
}
