#include "td_depthwise_conv_2d.h"

#include "td_window.h"

static inline int32_t sum_of(const int8_t *weights, int32_t n)
{
    int32_t sum = 0;
    for (const int8_t *const end = weights + n; weights < end;) {
        sum += *weights++;
    }
    return sum;
}

/* The accumulator of one channel at one output position. `input` is the channel's first value, `y` and `x` where the
 * kernel's first tap stands. Padding has the zero point's value, so its weights count with that. */
static int32_t convolve(const struct td_depthwise_conv_2d *conv, const int8_t *input, int32_t y, int32_t x,
                        struct td_taps rows, struct td_taps columns, const int8_t *weights)
{
    const int32_t channels = conv->input_channels;
    const int32_t width = conv->kernel_width;
    const int32_t step = conv->dilation_width * channels;
    const int32_t behind = width - columns.end;
    int32_t sum = 0;
    int32_t padding = sum_of(weights, rows.begin * width);

    weights += rows.begin * width;
    for (int32_t row = rows.begin; row < rows.end; row++) {
        padding += sum_of(weights, columns.begin);
        weights += columns.begin;
        const int32_t line = (y + row * conv->dilation_height) * conv->input_width;
        const int8_t *values = input + ((line + x) * channels + columns.begin * step);
        for (const int8_t *const end = weights + (columns.end - columns.begin); weights < end; values += step) {
            sum += *values * *weights++;
        }
        padding += sum_of(weights, behind);
        weights += behind;
    }
    padding += sum_of(weights, (conv->kernel_height - rows.end) * width);
    return sum + conv->input_zero_point * padding;
}

void td_depthwise_conv_2d(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const int32_t taps = conv->kernel_height * conv->kernel_width;

    for (int32_t output_y = 0; output_y < conv->output_height; output_y++) {
        const int32_t y = output_y * conv->stride_height - conv->pad_top;
        const struct td_taps rows =
            td_taps_inside(y, conv->dilation_height, conv->kernel_height, conv->input_height);
        for (int32_t output_x = 0; output_x < conv->output_width; output_x++) {
            const int32_t x = output_x * conv->stride_width - conv->pad_left;
            const struct td_taps columns =
                td_taps_inside(x, conv->dilation_width, conv->kernel_width, conv->input_width);
            const int8_t *weights = conv->weights;
            int32_t channel = 0;
            for (const int8_t *values = input; channel < conv->output_channels; values++) {
                for (int32_t copy = 0; copy < conv->depth_multiplier; copy++, channel++) {
                    const int32_t sum = convolve(conv, values, y, x, rows, columns, weights);
                    *output++ = td_requantize(&conv->output_stage, channel, conv->bias[channel] + sum);
                    weights += taps;
                }
            }
        }
    }
}
