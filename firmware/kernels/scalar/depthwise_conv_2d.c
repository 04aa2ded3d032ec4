#include "td_depthwise_conv_2d.h"

#include "td_dot.h"
#include "td_outside.h"
#include "td_scale.h"

/* Three output positions of one channel are computed at once, so that each weight is loaded for three multiplications. */
#define TILE 3

/* One channel's taps that are inside the input: how many, and how far apart in it. `skip` weights are left out behind
 * each row. */
struct taps {
    int32_t rows, columns, row_step, step, skip;
};

/* Adds to the sums of three positions, `distance` apart in the input.
 * Not inlined: among the loops around it GCC 12 keeps its pointers in memory. */
static __attribute__((noinline)) void dot_three(int32_t sums[TILE], const struct taps *taps, const int8_t *values,
                                                int32_t distance, const int8_t *weights)
{
    const int32_t step = taps->step;
    int32_t a = sums[0], b = sums[1], c = sums[2];

    for (int32_t rows = taps->rows; rows > 0; rows--) {
        const int8_t *first = values;
        const int8_t *second = first + distance;
        const int8_t *third = second + distance;
        int32_t i = 0;
        TD_AS_WRITTEN(second);
        TD_AS_WRITTEN(third);
        for (const int8_t *const end = weights + taps->columns; weights != end; i += step) {
            TD_AS_WRITTEN(i);
            const int32_t weight = *weights++;
            TD_ADD(a, first[i] * weight);
            TD_ADD(b, second[i] * weight);
            TD_ADD(c, third[i] * weight);
        }
        values += taps->row_step;
        weights += taps->skip;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
}

static __attribute__((noinline)) int32_t dot_one(const struct taps *taps, const int8_t *values, const int8_t *weights)
{
    const int32_t step = taps->step;
    int32_t sum = 0;

    for (int32_t rows = taps->rows; rows > 0; rows--) {
        const int8_t *value = values;
        for (const int8_t *const end = weights + taps->columns; weights != end; value += step) {
            sum += *value * *weights++;
        }
        values += taps->row_step;
        weights += taps->skip;
    }
    return sum;
}

/* Positions in a line, all of which have the same taps inside the input. */
struct line {
    struct td_taps rows, columns;
    bool is_whole;
    struct taps taps;
    const int8_t *values;      /* of the first position and channel */
    int32_t first_weight;
    int32_t count;             /* of the positions */
    int32_t distance, step;    /* from one to the next, in the input and in the output */
};

/* One output channel of all positions. The last three lie over the ones before where the count is no multiple. */
static void convolve_channel(const struct td_depthwise_conv_2d *conv, const struct line *line, int32_t channel,
                             const int8_t *values, int8_t *output)
{
    const int8_t *const weights = conv->weights + channel * conv->kernel_height * conv->kernel_width;
    const int8_t *const inside = weights + line->first_weight;
    int32_t start = conv->bias[channel];

    if (!line->is_whole) {
        start += conv->input_zero_point *
                 td_sum_outside(weights, conv->kernel_height, conv->kernel_width, 1, line->rows, line->columns);
    }
    for (int32_t position = 0; position < line->count;) {
        int32_t sums[TILE] = {start, start, start};
        const int32_t left = line->count - position;
        const int32_t count = left == 1 || line->count < TILE ? 1 : TILE;
        const int32_t first = count <= left ? position : line->count - TILE;
        if (count == 1) {
            sums[0] += dot_one(&line->taps, values + first * line->distance, inside);
        } else {
            dot_three(sums, &line->taps, values + first * line->distance, line->distance, inside);
        }
        td_scale_alike(&conv->output_stage, channel, sums, count, output + first * line->step, line->step);
        position = first + count;
    }
}

static void convolve_line(const struct td_depthwise_conv_2d *conv, const struct line *line, int8_t *output)
{
    const int8_t *values = line->values;

    for (int32_t channel = 0; channel < conv->output_channels; values++) {
        for (int32_t copy = 0; copy < conv->depth_multiplier; copy++, channel++) {
            convolve_channel(conv, line, channel, values, output + channel);
        }
    }
}

/* The rectangle of output positions in rows and columns, at all of which the same taps are inside the input. */
static void convolve_rectangle(const struct td_depthwise_conv_2d *conv, const int8_t *input, struct td_taps rows,
                               struct td_taps columns, int8_t *output)
{
    const int32_t channels = conv->input_channels;
    const int32_t input_line = conv->input_width * channels;
    const int32_t y = rows.begin * conv->stride_height - conv->pad_top;
    const int32_t x = columns.begin * conv->stride_width - conv->pad_left;
    const struct td_taps row_taps = td_taps_inside(y, conv->dilation_height, conv->kernel_height, conv->input_height);
    const struct td_taps column_taps = td_taps_inside(x, conv->dilation_width, conv->kernel_width, conv->input_width);
    const int32_t across = conv->stride_width * channels;
    const int32_t down = conv->stride_height * input_line;
    const int32_t output_line = conv->output_width * conv->output_channels;
    const bool is_upright = columns.end - columns.begin < TILE && rows.end - rows.begin > columns.end - columns.begin;
    const struct td_taps *const lines = is_upright ? &columns : &rows;
    const struct td_taps *const positions = is_upright ? &rows : &columns;
    struct line line = {
        .rows = row_taps,
        .columns = column_taps,
        .taps = {.rows = row_taps.end - row_taps.begin,
                 .columns = column_taps.end - column_taps.begin,
                 .row_step = conv->dilation_height * input_line,
                 .step = conv->dilation_width * channels,
                 .skip = conv->kernel_width - (column_taps.end - column_taps.begin)},
        .values = input + ((y + row_taps.begin * conv->dilation_height) * input_line +
                           (x + column_taps.begin * conv->dilation_width) * channels),
        .first_weight = row_taps.begin * conv->kernel_width + column_taps.begin,
        .count = positions->end - positions->begin,
        .distance = is_upright ? down : across,
        .step = is_upright ? output_line : conv->output_channels,
    };

    line.is_whole = line.taps.rows == conv->kernel_height && line.taps.columns == conv->kernel_width;
    output += rows.begin * output_line + columns.begin * conv->output_channels;
    for (int32_t i = lines->begin; i < lines->end; i++) {
        convolve_line(conv, &line, output);
        line.values += is_upright ? across : down;
        output += is_upright ? conv->output_channels : output_line;
    }
}

void td_depthwise_conv_2d(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output)
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
