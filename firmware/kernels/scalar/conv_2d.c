#include "td_conv_2d.h"

#include "td_dot.h"
#include "td_outside.h"
#include "td_scale.h"

#if !TD_NARROW_MULTIPLY
#include "td_tile.h"
#endif

/* Where the kernel's taps lie for one output position, as far as they are inside the input: runs of contiguous values,
 * a run for each row of the kernel. Dilated, each tap is a run, and each row a block of them. */
struct window {
    struct td_taps rows, columns;
    int32_t blocks, block_step, weights_step; /* how many, and how far apart in the input and in the weights */
    struct td_runs runs;
    const int8_t *values;
    int32_t first_weight;
    bool is_whole;
};

/* Places the window whose first tap is at (y, x) of the input. */
static void place(struct window *window, const struct td_conv_2d *conv, const int8_t *input, int32_t y, int32_t x,
                  struct td_taps rows, struct td_taps columns)
{
    const int32_t channels = conv->input_channels;
    const int32_t height = rows.end - rows.begin;
    const int32_t width = columns.end - columns.begin;
    const int32_t line = conv->input_width * channels;
    const int32_t first_x = x + columns.begin * conv->dilation_width;
    const int32_t first_y = y + rows.begin * conv->dilation_height;

    window->rows = rows;
    window->columns = columns;
    window->is_whole = height == conv->kernel_height && width == conv->kernel_width;
    window->values = input + (first_y * line + first_x * channels);
    window->first_weight = (rows.begin * conv->kernel_width + columns.begin) * channels;
    window->block_step = conv->dilation_height * line;
    window->weights_step = conv->kernel_width * channels;
    if (conv->dilation_width == 1) {
        window->blocks = width > 0 && height > 0;
        window->runs = (struct td_runs){.count = height,
                                        .length = width * channels,
                                        .step = conv->dilation_height * line,
                                        .skip = (conv->kernel_width - width) * channels};
    } else {
        window->blocks = width > 0 ? height : 0;
        window->runs = (struct td_runs){
            .count = width, .length = channels, .step = conv->dilation_width * channels, .skip = 0};
    }
}

/* What one channel's taps outside the input give. */
static int32_t padding(const struct td_conv_2d *conv, const struct window *window, const int8_t *weights)
{
    return conv->input_zero_point * td_sum_outside(weights, conv->kernel_height, conv->kernel_width,
                                                   conv->input_channels, window->rows, window->columns);
}

/* So many output channels are computed, and then scaled, at once at one position. */
#define GROUP 16

/* All output channels at one position: four share each input value that is loaded, the last go one by one. */
static void convolve_one(const struct td_conv_2d *conv, const struct window *window, int8_t *output)
{
    const int32_t taps = conv->kernel_height * conv->kernel_width * conv->input_channels;
    const int32_t channels = conv->output_channels;
    const int8_t *weights = conv->weights;

    for (int32_t channel = 0; channel < channels;) {
        const int32_t fours = (channels - channel) & ~3;
        const int32_t count = fours == 0 ? 1 : fours < GROUP ? fours : GROUP;
        const int32_t *starts = conv->bias + channel;
        const int8_t *values = window->values;
        const int8_t *inside = weights + window->first_weight;
        int32_t sums[GROUP];
        for (int32_t block = 0; block < window->blocks; block++, starts = sums) {
            if (count == 1) {
                sums[0] = *starts + td_dot_one(&window->runs, values, inside);
            } else {
                td_dot_fours(sums, starts, count, &window->runs, values, inside, taps);
            }
            values += window->block_step;
            inside += window->weights_step;
        }
        for (int32_t i = 0; i < count && !window->is_whole; i++) {
            sums[i] = (window->blocks > 0 ? sums : starts)[i] + padding(conv, window, weights + i * taps);
        }
        td_scale_channels(&conv->output_stage, channel, sums, count, output + channel);
        channel += count;
        weights += count * taps;
    }
}

#if TD_NARROW_MULTIPLY
/* With eight registers, three positions at once are no gain. */
#define TILE 1
#define convolve_tile(conv, window, distance, output, step) convolve_one(conv, window, output)
#else
#define TILE TD_TILE_POSITIONS

/* All output channels at three positions, `distance` apart in the input and `step` in the output: two channels at once,
 * so that five loads serve six multiplications. The last of an odd number of channels is computed twice. */
static void convolve_tile(const struct td_conv_2d *conv, const struct window *window, int32_t distance, int8_t *output,
                          int32_t step)
{
    const int32_t taps = conv->kernel_height * conv->kernel_width * conv->input_channels;
    const int32_t channels = conv->output_channels;
    const int8_t *weights = conv->weights;
    struct td_tile tile;

    tile.distance = distance;
    for (int32_t channel = 0; channel < channels; channel += 2, weights += 2 * taps) {
        const int32_t next = channel + 1 < channels ? 1 : 0;
        int32_t first = conv->bias[channel];
        int32_t second = conv->bias[channel + next];
        if (!window->is_whole) {
            first += padding(conv, window, weights);
            second += padding(conv, window, weights + next * taps);
        }
        for (int32_t i = 0; i < TILE; i++) {
            tile.sums[i] = first;
            tile.sums[TILE + i] = second;
        }
        tile.next = next * taps;
        tile.values = window->values;
        tile.weights = weights + window->first_weight;
        for (int32_t block = window->blocks; block > 0; block--) {
            td_dot_tile(&tile, &window->runs);
            tile.values += window->block_step;
            tile.weights += window->weights_step;
        }
        td_scale_alike(&conv->output_stage, channel, tile.sums, TILE, output + channel, step);
        td_scale_alike(&conv->output_stage, channel + next, tile.sums + TILE, TILE, output + channel + next,
                           step);
    }
}
#endif

/* `count` positions in a line with windows alike, each `distance` behind the one before in the input and `step` in the
 * output. The last tile lies over the one before it where the count is not a multiple of its size. */
static void convolve_line(const struct td_conv_2d *conv, struct window window, int32_t count, int32_t distance,
                          int8_t *output, int32_t step)
{
    const int8_t *const values = window.values;

    for (int32_t position = 0; position < count;) {
        const int32_t left = count - position;
        if (left == 1 || count < TILE) {
            window.values = values + position * distance;
            convolve_one(conv, &window, output + position * step);
            position++;
        } else {
            const int32_t first = left >= TILE ? position : count - TILE;
            window.values = values + first * distance;
            convolve_tile(conv, &window, distance, output + first * step, step);
            position = first + TILE;
        }
    }
}

/* The rectangle of output positions in rows and columns, at all of which the same taps are inside the input. */
static void convolve_rectangle(const struct td_conv_2d *conv, const int8_t *input, struct td_taps rows,
                               struct td_taps columns, int8_t *output)
{
    const int32_t y = rows.begin * conv->stride_height - conv->pad_top;
    const int32_t x = columns.begin * conv->stride_width - conv->pad_left;
    const int32_t height = rows.end - rows.begin;
    const int32_t width = columns.end - columns.begin;
    const int32_t across = conv->stride_width * conv->input_channels;
    const int32_t down = conv->stride_height * conv->input_width * conv->input_channels;
    const int32_t step = conv->output_channels;
    const int32_t line = conv->output_width * step;
    struct window window;

    place(&window, conv, input, y, x,
          td_taps_inside(y, conv->dilation_height, conv->kernel_height, conv->input_height),
          td_taps_inside(x, conv->dilation_width, conv->kernel_width, conv->input_width));
    output += rows.begin * line + columns.begin * step;
    if (width == conv->output_width && width * across == down) { /* line follows line: 1x1 */
        convolve_line(conv, window, height * width, across, output, step);
    } else if (width < TILE && height >= TILE) {
        for (int32_t column = 0; column < width; column++, window.values += across, output += step) {
            convolve_line(conv, window, height, down, output, line);
        }
    } else {
        for (int32_t row = 0; row < height; row++, window.values += down, output += line) {
            convolve_line(conv, window, width, across, output, step);
        }
    }
}

void td_conv_2d(const struct td_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const struct td_taps inner_rows =
        td_positions_inside(conv->output_height, conv->stride_height, conv->pad_top,
                            (conv->kernel_height - 1) * conv->dilation_height + 1, conv->input_height);
    const struct td_taps inner_columns =
        td_positions_inside(conv->output_width, conv->stride_width, conv->pad_left,
                            (conv->kernel_width - 1) * conv->dilation_width + 1, conv->input_width);
    struct td_taps rows = {0, 0};

    for (; rows.begin < conv->output_height; rows.begin = rows.end) {
        struct td_taps columns = {0, 0};
        rows.end = td_end_of_alike(rows.begin, inner_rows);
        for (; columns.begin < conv->output_width; columns.begin = columns.end) {
            columns.end = td_end_of_alike(columns.begin, inner_columns);
            convolve_rectangle(conv, input, rows, columns, output);
        }
    }
    td_bound(&conv->output_stage, output, conv->output_height * conv->output_width * conv->output_channels);
}
