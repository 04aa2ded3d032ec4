#include "td_conv_2d.h"

#include "td_mve_dot.h"
#include "td_window.h"

/* Products of sixteen values at once, at three positions and of two channels at a time. Small windows are gathered
 * on the stack first: then padding, dilation and rows that are no multiple of sixteen long cost next to nothing.
 * Larger ones are read in place where they lie wholly inside the input, undilated; elsewhere they are gathered one
 * at a time, or, beyond the buffer, read run by run. */

/* Bytes on the stack for windows. */
enum { BUFFER = 1792 };

/* What a window has in the input, as runs of `n` values: `rows` times `columns` of them. */
struct window {
    const int8_t *values;
    int32_t n, rows, row_step, columns, column_step;
    int32_t before, between, behind; /* weights in front of the first row, between two and behind the last */
};

/* The sum of the weights that see the zero point. */
static int32_t sum_outside(const struct window *window, const int8_t *weights)
{
    int32_t sum = td_mve_sum(weights, window->before);
    weights += window->before;
    for (int32_t row = 1; row < window->rows; row++) {
        weights += window->columns * window->n;
        sum += td_mve_sum(weights, window->between);
        weights += window->between;
    }
    weights += window->rows > 0 ? window->columns * window->n : 0;
    return sum + td_mve_sum(weights, window->behind);
}

/* All output channels at one position, run by run, four channels at a time. */
static void convolve_runs(const struct td_mve_matrix *matrix, const struct window *window, int32_t zero_point,
                          int8_t *output)
{
    const int32_t row_taps = window->columns * window->n + window->between;

    for (int32_t channel = 0; channel < matrix->channels; channel += 4) {
        const mve_pred16_t lanes = td_mve_lanes(matrix->channels - channel);
        const int8_t *weights[4];
        int32_t sums[4];
        for (int32_t i = 0; i < 4; i++) {
            const int32_t used = channel + i < matrix->channels ? channel + i : channel;
            weights[i] = matrix->weights + used * matrix->depth;
            sums[i] = matrix->bias[used] + zero_point * sum_outside(window, weights[i]);
            weights[i] += window->before;
        }
        for (int32_t row = 0; row < window->rows; row++) {
            td_mve_dot_1x4(sums, window->values + row * window->row_step, window->column_step, weights, window->n,
                           window->columns);
            for (int32_t i = 0; i < 4; i++) {
                weights[i] += row_taps;
            }
        }
        td_mve_requantize(matrix->stage, td_mve_load_factors(matrix->stage, channel, lanes), vldrwq_s32(sums),
                          output + channel, lanes);
    }
}

/* The window whose first tap stands at (y, x) of the input. */
static struct window window_at(const struct td_conv_2d *conv, const int8_t *input, int32_t y, int32_t x)
{
    const struct td_taps rows = td_taps_inside(y, conv->dilation_height, conv->kernel_height, conv->input_height);
    const struct td_taps columns = td_taps_inside(x, conv->dilation_width, conv->kernel_width, conv->input_width);
    const int32_t channels = conv->input_channels;
    const int32_t line = conv->input_width * channels;
    const int32_t row_taps = conv->kernel_width * channels;
    const int32_t width = columns.end - columns.begin;
    const bool is_dilated = conv->dilation_width > 1;
    struct window window = {
        .values = input + (y + rows.begin * conv->dilation_height) * line +
                  (x + columns.begin * conv->dilation_width) * channels,
        .n = is_dilated ? channels : width * channels,
        .rows = rows.end - rows.begin,
        .row_step = conv->dilation_height * line,
        .columns = is_dilated ? width : 1,
        .column_step = conv->dilation_width * channels,
        .before = rows.begin * row_taps + columns.begin * channels,
        .between = row_taps - width * channels,
        .behind = (conv->kernel_height - rows.end) * row_taps + (conv->kernel_width - columns.end) * channels,
    };
    if (window.rows == 0 || width == 0) { /* nothing of it */
        window.rows = 0;
        window.before = conv->kernel_height * row_taps;
        window.between = window.behind = 0;
    }
    return window;
}

/* Copies a window, with the zero point for what is not in the input. */
static __attribute__((noinline)) void gather(const struct window *window, int32_t zero_point, int8_t *to)
{
    td_mve_fill(to, zero_point, window->before);
    to += window->before;
    for (int32_t row = 0; row < window->rows; row++) {
        const int8_t *values = window->values + row * window->row_step;
        for (int32_t column = 0; column < window->columns; column++, to += window->n) {
            td_mve_copy(to, values + column * window->column_step, window->n);
        }
        const int32_t outside = row + 1 < window->rows ? window->between : window->behind;
        td_mve_fill(to, zero_point, outside);
        to += outside;
    }
}

/* The columns [begin, end) of an output row whose windows lie wholly inside the input and have one run a row. */
static struct td_taps columns_inside(const struct td_conv_2d *conv, int32_t y)
{
    const int32_t below = y + (conv->kernel_height - 1) * conv->dilation_height;
    const int32_t spare = conv->input_width + conv->pad_left - conv->kernel_width;
    struct td_taps inside = {0, 0};

    if (conv->dilation_width == 1 && y >= 0 && below < conv->input_height && spare >= 0) {
        const int32_t end = spare / conv->stride_width + 1;
        inside.begin = (conv->pad_left + conv->stride_width - 1) / conv->stride_width;
        inside.end = end < conv->output_width ? end : conv->output_width;
        inside.begin = inside.begin < inside.end ? inside.begin : inside.end;
    }
    return inside;
}

static struct td_mve_matrix matrix_of(const struct td_conv_2d *conv)
{
    const struct td_mve_matrix matrix = {
        .weights = conv->weights,
        .bias = conv->bias,
        .stage = &conv->output_stage,
        .channels = conv->output_channels,
        .depth = conv->kernel_height * conv->kernel_width * conv->input_channels,
    };
    return matrix;
}

/* Copies a window that is inside with one run a row. */
static inline void gather_inside(const struct td_conv_2d *conv, const int8_t *from, int8_t *to)
{
    const int32_t n = conv->kernel_width * conv->input_channels;
    const int32_t step = conv->dilation_height * conv->input_width * conv->input_channels;

    for (int32_t row = conv->kernel_height; row > 0; row--, from += step, to += n) {
        td_mve_copy(to, from, n);
    }
}

/* Small windows, three in the buffer at a time. */
static void convolve_gathered(const struct td_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const struct td_mve_matrix matrix = matrix_of(conv);
    const int32_t channels = conv->input_channels;
    int8_t buffer[BUFFER];
    int8_t *to = buffer;
    int8_t *const full = buffer + 3 * matrix.depth;
    struct td_mve_tile tile;

    td_mve_prepare(&tile, &matrix, matrix.depth, 0, matrix.depth);
    for (int32_t row = 0; row < conv->output_height; row++) {
        const int32_t y = row * conv->stride_height - conv->pad_top;
        const struct td_taps inside = columns_inside(conv, y);
        int32_t x = -conv->pad_left;
        for (int32_t column = 0; column < conv->output_width; column++, x += conv->stride_width) {
            if (column >= inside.begin && column < inside.end) {
                gather_inside(conv, input + (y * conv->input_width + x) * channels, to);
            } else {
                const struct window window = window_at(conv, input, y, x);
                gather(&window, conv->input_zero_point, to);
            }
            to += matrix.depth;
            if (to == full) {
                td_mve_multiply_three(&tile, &matrix, buffer, output);
                output += 3 * matrix.channels;
                to = buffer;
            }
        }
    }
    td_mve_multiply_matrix(&matrix, buffer, (to - buffer) / matrix.depth, output);
}

/* One position, from the buffer if that saves the sums of what is outside. */
static void convolve_alone(const struct td_conv_2d *conv, const int8_t *input, int32_t y, int32_t x, int8_t *output)
{
    const struct td_mve_matrix matrix = matrix_of(conv);
    const struct window window = window_at(conv, input, y, x);
    int8_t buffer[BUFFER];

    if (matrix.depth > BUFFER) {
        convolve_runs(&matrix, &window, conv->input_zero_point, output);
    } else {
        gather(&window, conv->input_zero_point, buffer);
        td_mve_outputs_1(&matrix, buffer, output);
    }
}

/* Large windows. */
static void convolve_in_place(const struct td_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const struct td_mve_matrix matrix = matrix_of(conv);
    const int32_t line = conv->input_width * conv->input_channels;
    struct td_mve_tile tile;

    td_mve_prepare(&tile, &matrix, conv->stride_width * conv->input_channels, conv->dilation_height * line,
                   conv->kernel_width * conv->input_channels);
    for (int32_t row = 0; row < conv->output_height; row++) {
        const int32_t y = row * conv->stride_height - conv->pad_top;
        const struct td_taps inside = columns_inside(conv, y);
        for (int32_t column = 0; column < conv->output_width;) {
            const int32_t x = column * conv->stride_width - conv->pad_left;
            const bool is_tile = matrix.channels >= 4 && column >= inside.begin && column + 3 <= inside.end;
            if (is_tile) {
                td_mve_outputs_3(&tile, &matrix, input + y * line + x * conv->input_channels, output);
            } else {
                convolve_alone(conv, input, y, x, output);
            }
            column += is_tile ? 3 : 1;
            output += (is_tile ? 3 : 1) * matrix.channels;
        }
    }
}

static bool is_pointwise(const struct td_conv_2d *conv)
{
    return conv->kernel_height == 1 && conv->kernel_width == 1 && conv->stride_height == 1 && conv->stride_width == 1 &&
           conv->pad_top == 0 && conv->pad_left == 0 && conv->output_height == conv->input_height &&
           conv->output_width == conv->input_width;
}

void td_conv_2d(const struct td_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const struct td_mve_matrix matrix = matrix_of(conv);

    if (is_pointwise(conv)) {
        td_mve_multiply_matrix(&matrix, input, conv->output_height * conv->output_width, output);
    } else if (3 * matrix.depth <= BUFFER) {
        convolve_gathered(conv, input, output);
    } else {
        convolve_in_place(conv, input, output);
    }
}
