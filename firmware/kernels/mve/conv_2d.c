#include "td_conv_2d.h"

#include "td_mve_dot.h"
#include "td_window.h"

/* Products of sixteen values at once, at three positions and of two channels at a time. Small windows are gathered on the
 * stack first: then padding, dilation and rows that are no multiple of sixteen long cost next to nothing. Larger ones are
 * read in place where they lie wholly inside the input, undilated; elsewhere they are gathered one at a time, or, beyond
 * the buffer, read run by run. */

/* Bytes on the stack for windows. */
enum { BUFFER = 1024 };

/* What a window has in the input, as runs of `n` values: `rows` times `columns` of them. */
struct window {
    const int8_t *values;
    int32_t n, rows, row_step, columns, column_step;
    int32_t before, between, behind; /* weights in front of the first row, between two and behind the last */
};

static bool is_whole(const struct window *window)
{
    return window->before == 0 && window->between == 0 && window->behind == 0;
}

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
static void convolve_runs(const struct td_conv_2d *conv, const struct window *window, int8_t *output)
{
    const int32_t taps = conv->kernel_height * conv->kernel_width * conv->input_channels;
    const int32_t row_taps = window->columns * window->n + window->between;

    for (int32_t channel = 0; channel < conv->output_channels; channel += 4) {
        const mve_pred16_t lanes = td_mve_lanes(conv->output_channels - channel);
        const int8_t *weights[4];
        int32_t sums[4];
        for (int32_t i = 0; i < 4; i++) {
            const int32_t used = channel + i < conv->output_channels ? channel + i : channel;
            weights[i] = conv->weights + used * taps;
            sums[i] = conv->bias[used];
            if (!is_whole(window)) {
                sums[i] += conv->input_zero_point * sum_outside(window, weights[i]);
            }
            weights[i] += window->before;
        }
        for (int32_t row = 0; row < window->rows; row++) {
            td_mve_dot_1x4(sums, window->values + row * window->row_step, window->column_step, weights, window->n,
                           window->columns);
            for (int32_t i = 0; i < 4; i++) {
                weights[i] += row_taps;
            }
        }
        td_mve_requantize(&conv->output_stage, td_mve_load_factors(&conv->output_stage, channel, lanes),
                          vldrwq_s32(sums), output + channel, lanes);
    }
}

/* The window of the output at (output_y, output_x). */
static struct window window_at(const struct td_conv_2d *conv, const int8_t *input, int32_t output_y, int32_t output_x)
{
    const int32_t y = output_y * conv->stride_height - conv->pad_top;
    const int32_t x = output_x * conv->stride_width - conv->pad_left;
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
static void gather(const struct td_conv_2d *conv, const struct window *window, int8_t *to)
{
    td_mve_fill(to, conv->input_zero_point, window->before);
    to += window->before;
    for (int32_t row = 0; row < window->rows; row++) {
        const int8_t *values = window->values + row * window->row_step;
        for (int32_t column = 0; column < window->columns; column++, to += window->n) {
            td_mve_copy(to, values + column * window->column_step, window->n);
        }
        const int32_t outside = row + 1 < window->rows ? window->between : window->behind;
        td_mve_fill(to, conv->input_zero_point, outside);
        to += outside;
    }
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

/* Small windows, three in the buffer at a time. */
static void convolve_gathered(const struct td_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const struct td_mve_matrix matrix = matrix_of(conv);
    int8_t buffer[BUFFER];
    int32_t held = 0;

    for (int32_t y = 0; y < conv->output_height; y++) {
        for (int32_t x = 0; x < conv->output_width; x++) {
            const struct window window = window_at(conv, input, y, x);
            gather(conv, &window, buffer + held * matrix.depth);
            if (++held == 3) {
                td_mve_multiply_matrix(&matrix, buffer, 3, output);
                output += 3 * conv->output_channels;
                held = 0;
            }
        }
    }
    td_mve_multiply_matrix(&matrix, buffer, held, output);
}

/* One position, from the buffer if that saves the sums of what is outside. */
static void convolve_alone(const struct td_conv_2d *conv, const struct window *window, int8_t *output)
{
    const struct td_mve_matrix matrix = matrix_of(conv);
    int8_t buffer[BUFFER];

    if (matrix.depth > BUFFER) {
        convolve_runs(conv, window, output);
    } else {
        gather(conv, window, buffer);
        td_mve_multiply_matrix(&matrix, buffer, 1, output);
    }
}

/* Large windows. */
static void convolve_in_place(const struct td_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const struct td_mve_matrix matrix = matrix_of(conv);
    const bool has_runs = conv->dilation_width == 1 && matrix.channels >= 4;

    for (int32_t y = 0; y < conv->output_height; y++) {
        for (int32_t x = 0; x < conv->output_width;) {
            const struct window window = window_at(conv, input, y, x);
            bool is_inside = has_runs && x + 2 < conv->output_width && is_whole(&window);
            if (is_inside) {
                const struct window right = window_at(conv, input, y, x + 2);
                is_inside = is_whole(&right);
            }
            if (is_inside) {
                const struct td_mve_vectors vectors =
                    td_mve_vectors(window.values, conv->stride_width * conv->input_channels, window.row_step, window.n,
                                   window.rows);
                td_mve_outputs_3(&matrix, &vectors, output);
            } else {
                convolve_alone(conv, &window, output);
            }
            x += is_inside ? 3 : 1;
            output += (is_inside ? 3 : 1) * matrix.channels;
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
