#include "td_depthwise_conv_2d.h"

#include "td_mve.h"

/* Sixteen channels at once. For each sixteen, their weights are put in the order of the taps, and for a stretch of an
 * output row the input that it sees is copied, with the zero point where there is none: after that there are neither
 * borders nor depth multipliers. Products are added in pairs in 16 bits (VMULLB and VMULLT widen the even and the odd
 * channels), then in 32: less than 0.6 instructions each. MVE has no multiply-accumulate of two vectors.
 *
 * Sixteen channels that do not fit into the buffer (kernels of more than 48 taps, or dilated as widely) are computed in
 * plain C. */

/* Bytes on the stack, for the weights and the input of one stretch; a multiple of 16. */
enum { LANES = 16, BUFFER = 1536 };

/* Constants of sixteen channels. Of the vectors of four the first has channels 0, 4, 8, 12, the next 1, 5, 9, 13 and so
 * on: that is the order in which widening leaves them. */
struct group {
    int32_t channel, count; /* the first, and how many there are */
    struct td_mve_factors factors[4];
    int32x4_t bias[4];
    bool has_left; /* some factor has a shift to the left */
};

/* Places in the buffer and how far things are apart in it. */
struct stretch {
    const struct td_depthwise_conv_2d *conv;
    int8_t *weights; /* [taps][16] */
    int8_t *values;  /* [kernel_height][columns][16] */
    int32_t columns;
    int32_t pairs; /* of taps that may be added in 16 bits */
};

static inline mve_pred16_t byte_lanes(int32_t count)
{
    return vctp8q((uint32_t)count);
}

static void load_group(struct group *group, const struct td_depthwise_conv_2d *conv)
{
    const struct td_output_stage *stage = &conv->output_stage;
    const uint32x4_t every_fourth = vidupq_n_u32(0, 4);

    group->has_left = false;
    for (int32_t i = 0; i < 4; i++) {
        const mve_pred16_t lanes = vcmpltq_n_s32(vreinterpretq_s32_u32(every_fourth), group->count - i);
        const int32_t first = group->channel + i;
        group->bias[i] = vldrwq_gather_shifted_offset_z_s32(conv->bias + first, every_fourth, lanes);
        group->factors[i] = td_mve_same_factors(stage->mantissa[0], stage->shift[0]);
        if (stage->per_channel) {
            const int32x4_t shift = vldrbq_gather_offset_z_s32(stage->shift + first, every_fourth, lanes);
            group->factors[i].mantissa =
                vldrwq_gather_shifted_offset_z_s32(stage->mantissa + first, every_fourth, lanes);
            group->factors[i].left = vmaxq_s32(shift, vdupq_n_s32(0));
            group->factors[i].right = vminq_s32(shift, vdupq_n_s32(0));
        }
        group->has_left = group->has_left || vmaxvq_s32(0, group->factors[i].left) > 0;
    }
}

/* Sorts the group's weights by taps. */
static void load_weights(struct stretch *stretch, const struct group *group)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t taps = conv->kernel_height * conv->kernel_width;
    const int8_t *weights = conv->weights + group->channel * taps;
    int32_t lowest = 0;

    for (int32_t tap = 0; tap < taps; tap++) {
        for (int32_t lane = 0; lane < LANES; lane += 4) {
            const uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32((uint32_t)lane, 1), (uint32_t)taps);
            const mve_pred16_t lanes = td_mve_lanes(group->count - lane > 0 ? group->count - lane : 0);
            const int32x4_t four = vldrbq_gather_offset_z_s32(weights + tap, offsets, lanes);
            lowest = vminvq_s32(lowest, four);
            vstrbq_s32(stretch->weights + tap * LANES + lane, four);
        }
    }
    /* (-128 * -128) * 2 is the one sum of two products that 16 bits do not hold. */
    stretch->pairs = lowest == INT8_MIN ? 0 : taps / 2;
}

/* Copies the input of `columns` columns from `x` on, for output row `output_y`. */
static void load_values(const struct stretch *stretch, const struct group *group, const int8_t *input, int32_t output_y,
                        int32_t x)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t channels = conv->input_channels;
    const int32_t multiplier = conv->depth_multiplier;
    const int32_t channel = group->channel / multiplier;
    const int8x16_t zero_point = vdupq_n_s8((int8_t)conv->input_zero_point);
    const mve_pred16_t lanes = byte_lanes(group->count);
    uint8_t offset[LANES];
    int8_t *to = stretch->values;

    for (int32_t lane = 0; lane < LANES; lane++) {
        offset[lane] = (uint8_t)((group->channel + lane) / multiplier - channel);
    }
    for (int32_t row = 0; row < conv->kernel_height; row++) {
        const int32_t y = output_y * conv->stride_height - conv->pad_top + row * conv->dilation_height;
        const bool has_row = y >= 0 && y < conv->input_height;
        const int8_t *from = input + (y * conv->input_width + x) * channels + channel;
        for (int32_t column = x; column < x + stretch->columns; column++, from += channels, to += LANES) {
            int8x16_t values = zero_point;
            if (has_row && column >= 0 && column < conv->input_width) {
                values = multiplier == 1 ? vldrbq_z_s8(from, lanes)
                                         : vldrbq_gather_offset_z_s8(from, vldrbq_u8(offset), lanes);
            }
            vstrbq_s8(to, values);
        }
    }
}

/* Adds sixteen sums of two products, or products, to the accumulators. */
TD_MVE_INLINE void widen(int32x4_t sums[4], int16x8_t even, int16x8_t odd)
{
    sums[0] = vaddq_s32(sums[0], vmovlbq_s16(even));
    sums[2] = vaddq_s32(sums[2], vmovltq_s16(even));
    sums[1] = vaddq_s32(sums[1], vmovlbq_s16(odd));
    sums[3] = vaddq_s32(sums[3], vmovltq_s16(odd));
}

TD_MVE_INLINE void add_pair(int32x4_t sums[4], const int8_t *x, const int8_t *next_x, const int8_t *weights)
{
    const int8x16_t a = vldrbq_s8(x), b = vldrbq_s8(weights);
    int16x8_t even = vmullbq_int_s8(a, b), odd = vmulltq_int_s8(a, b);
    const int8x16_t c = vldrbq_s8(next_x), d = vldrbq_s8(weights + LANES);
    even = vaddq_s16(even, vmullbq_int_s8(c, d));
    odd = vaddq_s16(odd, vmulltq_int_s8(c, d));
    widen(sums, even, odd);
}

TD_MVE_INLINE void add_single(int32x4_t sums[4], const int8_t *x, const int8_t *weights)
{
    const int8x16_t a = vldrbq_s8(x), b = vldrbq_s8(weights);
    widen(sums, vmullbq_int_s8(a, b), vmulltq_int_s8(a, b));
}

/* Any kernel. `x` is its first tap's place in the buffer. */
static inline void accumulate(int32x4_t sums[4], const struct stretch *stretch, const int8_t *x)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t step = conv->dilation_width * LANES;
    const int32_t row_step = stretch->columns * LANES;
    const int8_t *weights = stretch->weights;

    for (int32_t row = 0; row < conv->kernel_height; row++, x += row_step) {
        const int8_t *value = x;
        int32_t left = conv->kernel_width;
        for (; left >= 2 && stretch->pairs > 0; left -= 2, value += 2 * step, weights += 2 * LANES) {
            add_pair(sums, value, value + step, weights);
        }
        for (; left > 0; left--, value += step, weights += LANES) {
            add_single(sums, value, weights);
        }
    }
}

/* 3x3, undilated. */
static inline void accumulate_3x3(int32x4_t sums[4], const struct stretch *stretch, const int8_t *x)
{
    const int8_t *const y = x + stretch->columns * LANES;
    const int8_t *const z = y + stretch->columns * LANES;
    const int8_t *const weights = stretch->weights;

    add_pair(sums, x, x + LANES, weights);
    add_pair(sums, x + 2 * LANES, y, weights + 2 * LANES);
    add_pair(sums, y + LANES, y + 2 * LANES, weights + 4 * LANES);
    add_pair(sums, z, z + LANES, weights + 6 * LANES);
    add_single(sums, z + 2 * LANES, weights + 8 * LANES);
}

/* The outputs of sixteen accumulators. */
TD_MVE_INLINE int8x16_t outputs_of(int32x4_t sums[4], const struct group *group, const struct td_output_stage *stage)
{
    /* Without a factor's rounding of negative values: they all become less than the zero point. */
    const bool is_rectified = stage->min >= stage->zero_point;

    for (int32_t i = 0; i < 4; i++) {
        const struct td_mve_factors *const factors = &group->factors[i];
        const int32x4_t shifted = group->has_left ? vshlq_s32(sums[i], factors->left) : sums[i];
        const int32x4_t product = vqrdmulhq_s32(shifted, factors->mantissa);
        sums[i] = is_rectified ? vrshlq_s32(product, factors->right) : td_mve_divide_by_pot(product, factors->right);
        sums[i] = vaddq_n_s32(sums[i], stage->zero_point);
    }
    const int16x8_t even = vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), sums[0]), sums[2]);
    const int16x8_t odd = vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), sums[1]), sums[3]);
    const int8x16_t all = vqmovntq_s16(vqmovnbq_s16(vdupq_n_s8(0), even), odd);
    return vminq_s8(vmaxq_s8(all, vdupq_n_s8((int8_t)stage->min)), vdupq_n_s8((int8_t)stage->max));
}

/* `count` outputs in a row from the buffer. */
static void convolve(const struct stretch *stretch, const struct group *group, int32_t count, int8_t *output)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const struct td_output_stage stage = conv->output_stage;
    const bool is_3x3 = conv->kernel_height == 3 && conv->kernel_width == 3 && conv->dilation_width == 1;
    const bool is_fast = is_3x3 && stretch->pairs > 0;
    const mve_pred16_t lanes = byte_lanes(group->count);
    const int8_t *x = stretch->values;

    for (; count > 0; count--, x += conv->stride_width * LANES, output += conv->output_channels) {
        int32x4_t sums[4] = {group->bias[0], group->bias[1], group->bias[2], group->bias[3]};
        if (is_fast) {
            accumulate_3x3(sums, stretch, x);
        } else {
            accumulate(sums, stretch, x);
        }
        vstrbq_p_s8(output, outputs_of(sums, group, &stage), lanes);
    }
}

/* All of one channel. */
static void convolve_plainly(const struct td_depthwise_conv_2d *conv, const int8_t *input, int32_t channel,
                             int8_t *output)
{
    const int8_t *weights = conv->weights + channel * conv->kernel_height * conv->kernel_width;
    const int8_t *values = input + channel / conv->depth_multiplier;

    for (int32_t i = 0; i < conv->output_height * conv->output_width; i++) {
        const int32_t first_y = i / conv->output_width * conv->stride_height - conv->pad_top;
        const int32_t first_x = i % conv->output_width * conv->stride_width - conv->pad_left;
        int32_t sum = conv->bias[channel];
        for (int32_t tap = 0; tap < conv->kernel_height * conv->kernel_width; tap++) {
            const int32_t y = first_y + tap / conv->kernel_width * conv->dilation_height;
            const int32_t x = first_x + tap % conv->kernel_width * conv->dilation_width;
            const bool is_inside = y >= 0 && y < conv->input_height && x >= 0 && x < conv->input_width;
            sum += weights[tap] * (is_inside ? values[(y * conv->input_width + x) * conv->input_channels]
                                             : conv->input_zero_point);
        }
        output[i * conv->output_channels + channel] = td_requantize(&conv->output_stage, channel, sum);
    }
}

/* How many outputs of a row fit into the buffer at a time, at most all; 0 if not even one does. */
static int32_t stretch_of(const struct td_depthwise_conv_2d *conv)
{
    const int32_t taps = conv->kernel_height * conv->kernel_width;
    const int32_t columns = (BUFFER / LANES - taps) / conv->kernel_height;
    const int32_t spare = columns - 1 - (conv->kernel_width - 1) * conv->dilation_width;
    const int32_t count = spare < 0 ? 0 : spare / conv->stride_width + 1;
    return count < conv->output_width ? count : conv->output_width;
}

/* All outputs of one group. */
static void convolve_group(struct stretch *stretch, const struct group *group, int32_t count, const int8_t *input,
                           int8_t *output)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;

    for (int32_t y = 0; y < conv->output_height; y++) {
        for (int32_t x = 0; x < conv->output_width; x += count) {
            const int32_t rest = conv->output_width - x;
            const int32_t now = rest < count ? rest : count;
            stretch->columns = (now - 1) * conv->stride_width + (conv->kernel_width - 1) * conv->dilation_width + 1;
            load_values(stretch, group, input, y, x * conv->stride_width - conv->pad_left);
            convolve(stretch, group, now,
                     output + (y * conv->output_width + x) * conv->output_channels + group->channel);
        }
    }
}

void td_depthwise_conv_2d(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const int32_t channels = conv->output_channels;
    const int32_t count = stretch_of(conv);
    int8_t buffer[BUFFER];
    struct stretch stretch = {
        .conv = conv,
        .weights = buffer,
        .values = buffer + conv->kernel_height * conv->kernel_width * LANES,
    };

    if (count == 0) {
        for (int32_t channel = 0; channel < channels; channel++) {
            convolve_plainly(conv, input, channel, output);
        }
        return;
    }
    for (int32_t channel = 0; channel < channels; channel += LANES) {
        const int32_t left = channels - channel;
        struct group group = {.channel = channel, .count = left < LANES ? left : LANES};
        load_group(&group, conv);
        load_weights(&stretch, &group);
        convolve_group(&stretch, &group, count, input, output);
    }
}
