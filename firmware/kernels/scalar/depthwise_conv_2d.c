#include "td_depthwise_conv_2d.h"

#include <string.h>

#include "td_dot.h"
#include "td_outside.h"
#include "td_scale.h"

/* One channel's rows are copied to a strip, with the zero point around them: there no window hangs over, and
 * neighbouring values are neighbours. Kernels that are dilated in width, and those whose rows do not fit, are computed
 * one position at a time instead. */
#define STRIP_BYTES 512

/* So many positions are computed at once, for which each weight is loaded only once. */
#define TILE 3

/* So many sums are scaled at once, at most. */
#define SUMS 30

/* Rows of a strip, in values; `rows` of the output are computed from the `height` of a strip. */
struct strip {
    int32_t rows, height, width;
};

static struct strip strip_of(const struct td_depthwise_conv_2d *conv)
{
    const int32_t span = (conv->kernel_height - 1) * conv->dilation_height + 1;
    const int32_t width = (conv->output_width - 1) * conv->stride_width + conv->kernel_width;
    const int32_t fitting = (STRIP_BYTES - (TILE - 1) * conv->stride_width) / width; /* a tile may end behind a row */
    const int32_t rows = fitting < span || conv->dilation_width > 1 ? 0 : (fitting - span) / conv->stride_height + 1;
    const int32_t used = rows < conv->output_height ? rows : conv->output_height;
    return (struct strip){.rows = used, .height = (used - 1) * conv->stride_height + span, .width = width};
}

/* What computes the sums at three positions of a strip, whose rows are `row_step` taps apart from each other.
 * None is inlined: among the loops around them GCC 12 keeps their pointers in memory. */
typedef void dot_fn(int32_t sums[TILE], const struct td_depthwise_conv_2d *conv, const int8_t *values, int32_t row_step,
                    const int8_t *weights);

static __attribute__((noinline)) void dot_any(int32_t sums[TILE], const struct td_depthwise_conv_2d *conv,
                                              const int8_t *values, int32_t row_step, const int8_t *weights)
{
    const int32_t width = conv->kernel_width;
    const int32_t stride = conv->stride_width;
    int32_t a = sums[0], b = sums[1], c = sums[2];

    weights += width;
    values += width;
    for (int32_t rows = conv->kernel_height; rows > 0; rows--, values += row_step, weights += width) {
        const int8_t *second = values + stride;
        const int8_t *third = second + stride;
        int32_t i = -width;
        TD_AS_WRITTEN(second);
        TD_AS_WRITTEN(third);
        do {
            const int32_t weight = weights[i];
            TD_ADD(a, values[i] * weight);
            TD_ADD(b, second[i] * weight);
            TD_ADD(c, third[i] * weight);
            i++;
            TD_AS_WRITTEN(i);
        } while (i != 0);
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
}

/* Kernels that are three wide, with a stride that is a constant where this is inlined: values are loaded once. */
static inline void dot_three_wide(int32_t sums[TILE], int32_t rows, const int8_t *values, int32_t row_step,
                                  const int8_t *weights, int32_t stride)
{
    int32_t a = sums[0], b = sums[1], c = sums[2];

    for (; rows > 0; rows--, values += row_step, weights += 3) {
        const int32_t left = weights[0], middle = weights[1], right = weights[2];
        const int8_t *const second = values + stride;
        const int8_t *const third = second + stride;
        a += values[0] * left + values[1] * middle + values[2] * right;
        b += second[0] * left + second[1] * middle + second[2] * right;
        c += third[0] * left + third[1] * middle + third[2] * right;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
}

static __attribute__((noinline)) void dot_stride_1(int32_t sums[TILE], const struct td_depthwise_conv_2d *conv,
                                                   const int8_t *values, int32_t row_step, const int8_t *weights)
{
    dot_three_wide(sums, conv->kernel_height, values, row_step, weights, 1);
}

static __attribute__((noinline)) void dot_stride_2(int32_t sums[TILE], const struct td_depthwise_conv_2d *conv,
                                                   const int8_t *values, int32_t row_step, const int8_t *weights)
{
    dot_three_wide(sums, conv->kernel_height, values, row_step, weights, 2);
}

static dot_fn *dot_of(const struct td_depthwise_conv_2d *conv)
{
    if (conv->kernel_width != 3 || conv->stride_width > 2) {
        return dot_any;
    }
    return conv->stride_width == 1 ? dot_stride_1 : dot_stride_2;
}

/* Copies one channel of the input into a strip whose first row stands at `y` of the input. */
static void fill(const struct td_depthwise_conv_2d *conv, const struct strip *strip, const int8_t *input, int32_t y,
                 int8_t *values)
{
    const int32_t channels = conv->input_channels;
    const struct td_taps rows = td_taps_inside(y, 1, strip->height, conv->input_height);
    const struct td_taps columns = td_taps_inside(-conv->pad_left, 1, strip->width, conv->input_width);
    const int8_t *line = input + ((y + rows.begin) * conv->input_width - conv->pad_left + columns.begin) * channels;

    values += rows.begin * strip->width;
    for (int32_t row = rows.begin; row < rows.end; row++, values += strip->width) {
        const int8_t *value = line;
        for (int32_t column = columns.begin; column < columns.end; column++, value += channels) {
            values[column] = *value;
        }
        line += conv->input_width * channels;
    }
}

/* One channel of `rows` rows of the output. */
static void convolve_strip(const struct td_depthwise_conv_2d *conv, const struct strip *strip, int32_t rows,
                           const int8_t *values, int32_t channel, int8_t *output)
{
    dot_fn *const dot = dot_of(conv);
    const int8_t *const weights = conv->weights + channel * conv->kernel_height * conv->kernel_width;
    const int32_t row_step = conv->dilation_height * strip->width;
    const int32_t bias = conv->bias[channel];
    int32_t sums[SUMS];
    int32_t count = 0;

    for (int32_t row = 0; row < rows; row++, values += conv->stride_height * strip->width) {
        for (int32_t position = 0; position < conv->output_width;) {
            const int32_t left = conv->output_width - position;
            if (count > SUMS - TILE) {
                td_scale_alike(&conv->output_stage, channel, sums, count, output, conv->output_channels);
                output += count * conv->output_channels;
                count = 0;
            }
            sums[count] = sums[count + 1] = sums[count + 2] = bias;
            dot(sums + count, conv, values + position * conv->stride_width, row_step, weights);
            count += left < TILE ? left : TILE;
            position += TILE;
        }
    }
    td_scale_alike(&conv->output_stage, channel, sums, count, output, conv->output_channels);
}

static void convolve_in_strips(const struct td_depthwise_conv_2d *conv, const struct strip *strip, const int8_t *input,
                               int8_t *output)
{
    int8_t values[STRIP_BYTES];

    for (int32_t row = 0; row < conv->output_height; row += strip->rows) {
        const int32_t left = conv->output_height - row;
        const int32_t rows = left < strip->rows ? left : strip->rows;
        memset(values, conv->input_zero_point, sizeof values);
        for (int32_t channel = 0; channel < conv->output_channels; channel++) {
            if (channel % conv->depth_multiplier == 0) {
                fill(conv, strip, input + channel / conv->depth_multiplier, row * conv->stride_height - conv->pad_top,
                     values);
            }
            convolve_strip(conv, strip, rows, values, channel, output + channel);
        }
        output += rows * conv->output_width * conv->output_channels;
    }
}

/* One channel at the position where the kernel's first tap stands at (y, x) of the input. */
static int32_t convolve_one(const struct td_depthwise_conv_2d *conv, const int8_t *input, int32_t y, int32_t x,
                            int32_t channel)
{
    const struct td_taps rows = td_taps_inside(y, conv->dilation_height, conv->kernel_height, conv->input_height);
    const struct td_taps columns = td_taps_inside(x, conv->dilation_width, conv->kernel_width, conv->input_width);
    const int32_t width = conv->kernel_width;
    const int8_t *const weights = conv->weights + channel * conv->kernel_height * width;
    const int32_t step = conv->dilation_width * conv->input_channels;
    int32_t sum = conv->bias[channel];

    sum += conv->input_zero_point * td_sum_outside(weights, conv->kernel_height, width, 1, rows, columns);
    for (int32_t row = rows.begin; row < rows.end; row++) {
        const int32_t line = (y + row * conv->dilation_height) * conv->input_width;
        const int8_t *value = input + ((line + x) * conv->input_channels + columns.begin * step);
        const int8_t *weight = weights + (row * width + columns.begin);
        for (const int8_t *const end = weights + (row * width + columns.end); weight < end; value += step) {
            sum += *value * *weight++;
        }
    }
    return sum;
}

static void convolve_in_place(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < conv->output_height; row++) {
        for (int32_t column = 0; column < conv->output_width; column++) {
            for (int32_t channel = 0; channel < conv->output_channels; channel++) {
                const int32_t sum =
                    convolve_one(conv, input + channel / conv->depth_multiplier,
                                 row * conv->stride_height - conv->pad_top,
                                 column * conv->stride_width - conv->pad_left, channel);
                td_scale_channels(&conv->output_stage, channel, &sum, 1, output++);
            }
        }
    }
}

void td_depthwise_conv_2d(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const struct strip strip = strip_of(conv);

    if (strip.rows > 0) {
        convolve_in_strips(conv, &strip, input, output);
    } else {
        convolve_in_place(conv, input, output);
    }
    td_bound(&conv->output_stage, output, conv->output_height * conv->output_width * conv->output_channels);
}
