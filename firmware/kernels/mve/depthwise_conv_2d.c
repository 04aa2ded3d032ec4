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

/* Constants of the channels in sixteen lanes. Of the vectors of four the first has channels 0, 4, 8, 12, the next 1, 5, 9, 13 and so
 * on: that is the order in which widening leaves them. */
struct group {
    int32_t channel, count; /* the first, and how many there are */
    uint32_t mask;          /* lane i has channel i & mask of them; without where that is not less than `count` */
    struct td_mve_factors factors[4];
    int32x4_t bias[4];
    bool has_left; /* some factor has a shift to the left */
};

/* Places in the buffer and how far things are apart in it. */
struct stretch {
    const struct td_depthwise_conv_2d *conv;
    int8_t *weights; /* [taps][16] */
    int8_t *values;  /* [kernel_height][columns][column_bytes], a ring of rows */
    int32_t columns, column_bytes;
    int32_t first; /* the ring's row that the kernel's first one sees */
    bool may_pair; /* two products may be added in 16 bits */
};

static inline mve_pred16_t byte_lanes(int32_t count)
{
    return vctp8q((uint32_t)count);
}

/* Four lanes' channels in the group: those of lanes first, first + step and so on. */
TD_MVE_INLINE int32x4_t channels_of(const struct group *group, int32_t first, int32x4_t lanes)
{
    return vandq_s32(vaddq_n_s32(lanes, first), vdupq_n_s32((int32_t)group->mask));
}

static void load_group(struct group *group, const struct td_depthwise_conv_2d *conv)
{
    const struct td_output_stage *stage = &conv->output_stage;
    const int32_t first = group->channel;

    group->has_left = false;
    for (int32_t i = 0; i < 4; i++) {
        const int32x4_t channels = channels_of(group, i, vreinterpretq_s32_u32(vidupq_n_u32(0, 4)));
        const uint32x4_t offsets = vreinterpretq_u32_s32(channels);
        const mve_pred16_t lanes = vcmpltq_n_s32(channels, group->count);
        struct td_mve_factors factors = td_mve_same_factors(stage->mantissa[0], stage->shift[0]);
        if (stage->per_channel) {
            const int32x4_t shift = vldrbq_gather_offset_z_s32(stage->shift + first, offsets, lanes);
            factors.mantissa = vldrwq_gather_shifted_offset_z_s32(stage->mantissa + first, offsets, lanes);
            factors.left = vmaxq_s32(shift, vdupq_n_s32(0));
            factors.right = vminq_s32(shift, vdupq_n_s32(0));
        }
        group->bias[i] = vldrwq_gather_shifted_offset_z_s32(conv->bias + first, offsets, lanes);
        group->factors[i] = factors;
        group->has_left = group->has_left || vmaxvq_s32(0, factors.left) > 0;
    }
}

/* Sorts the group's weights by taps. */
static void load_weights(struct stretch *stretch, const struct group *group)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t taps = conv->kernel_height * conv->kernel_width;
    const int8_t *weights = conv->weights + group->channel * taps;
    int32_t lowest = 0;

    for (int32_t lane = 0; lane < LANES; lane += 4) {
        const int32x4_t channels = channels_of(group, lane, vreinterpretq_s32_u32(vidupq_n_u32(0, 1)));
        const mve_pred16_t lanes = vcmpltq_n_s32(channels, group->count);
        const uint32x4_t offsets = vreinterpretq_u32_s32(vmulq_n_s32(channels, taps));
        for (int32_t tap = 0; tap < taps; tap++) {
            const int32x4_t four = vldrbq_gather_offset_z_s32(weights + tap, offsets, lanes);
            lowest = vminvq_s32(lowest, four);
            vstrbq_s32(stretch->weights + tap * LANES + lane, four);
        }
    }
    /* (-128 * -128) * 2 is the one sum of two products that 16 bits do not hold. */
    stretch->may_pair = lowest > INT8_MIN;
}

/* Copies sixteen channels, or `channels`, of positions `step` apart. */
static inline void copy_columns(int8_t *to, const int8_t *from, int32_t step, int32_t count, int32_t channels)
{
    const mve_pred16_t lanes = byte_lanes(channels);

    if (channels == LANES) {
        for (; count > 0; count--, from += step, to += LANES) {
            vstrbq_s8(to, vldrbq_s8(from));
        }
    }
    for (; count > 0; count--, from += step, to += LANES) {
        vstrbq_s8(to, vldrbq_z_s8(from, lanes));
    }
}

/* The same where output channels share an input channel. */
static inline void copy_shared_columns(int8_t *to, const int8_t *from, int32_t step, int32_t count,
                                       const struct group *group, int32_t multiplier)
{
    const int32_t first = group->channel / multiplier;
    uint8_t offsets[LANES];

    from += first;
    for (int32_t lane = 0; lane < LANES; lane++) {
        offsets[lane] = (uint8_t)(lane < group->count ? (group->channel + lane) / multiplier - first : 0);
    }
    for (; count > 0; count--, from += step, to += LANES) {
        vstrbq_s8(to, vldrbq_gather_offset_s8(from, vldrbq_u8(offsets)));
    }
}

/* Copies what row `y` of the input has in the stretch's columns, `x` the first. */
static void load_row(const struct stretch *stretch, const struct group *group, const int8_t *input, int32_t y,
                     int32_t x, int8_t *to)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t zero_point = conv->input_zero_point;
    const int32_t bytes = stretch->column_bytes;
    const int32_t step = conv->input_channels;
    const int32_t begin = x < 0 ? -x : 0;
    const int32_t last = conv->input_width - x;
    const int32_t end = last < stretch->columns ? last : stretch->columns;
    const int32_t count = end - begin;

    if (y < 0 || y >= conv->input_height || count <= 0) {
        td_mve_fill(to, zero_point, stretch->columns * bytes);
        return;
    }
    const int8_t *from = input + (y * conv->input_width + x + begin) * step;
    td_mve_fill(to, zero_point, begin * bytes);
    to += begin * bytes;
    if (bytes < LANES) {
        td_mve_copy(to, from, count * bytes);
    } else if (conv->depth_multiplier == 1) {
        copy_columns(to, from + group->channel, step, count, group->count);
    } else {
        copy_shared_columns(to, from, step, count, group, conv->depth_multiplier);
    }
    td_mve_fill(to + count * bytes, zero_point, (stretch->columns - end) * bytes);
}

/* Copies the input that output row `output_y` sees in the stretch's columns, `x` the first: what the row before has seen,
 * too, stays where it is. */
static void load_rows(struct stretch *stretch, const struct group *group, const int8_t *input, int32_t output_y,
                      int32_t x)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t height = conv->kernel_height;
    const bool is_next = output_y > 0 && conv->dilation_height == 1 && conv->stride_height < height;
    const int32_t row_bytes = stretch->columns * stretch->column_bytes;
    int32_t y = output_y * conv->stride_height - conv->pad_top;
    int32_t row = 0;

    stretch->first = is_next ? (stretch->first + conv->stride_height) % height : 0;
    row = is_next ? height - conv->stride_height : 0;
    for (y += row * conv->dilation_height; row < height; row++, y += conv->dilation_height) {
        load_row(stretch, group, input, y, x, stretch->values + (stretch->first + row) % height * row_bytes);
    }
}

/* Sixteen products of two taps each, or of one, added to four vectors of accumulators. All eight vector registers are in
 * use, so the first tap's values are loaded twice. In C, GCC 12 loads ahead and spills: three times as many
 * instructions. */
#define PAIR(x, next_x)                                                                                                 \
    "vldrb.8 %q[a], [" x "]\n"                                                                                          \
    "vldrb.8 %q[b], [%[w]], #16\n"                                                                                      \
    "vmullb.s8 %q[c], %q[a], %q[b]\n"                                                                                   \
    "vldrb.8 %q[a], [" next_x "]\n"                                                                                     \
    "vldrb.8 %q[b], [%[w]], #16\n"                                                                                      \
    "vmullb.s8 %q[d], %q[a], %q[b]\n"                                                                                   \
    "vmullt.s8 %q[a], %q[a], %q[b]\n"                                                                                   \
    "vadd.i16 %q[c], %q[c], %q[d]\n"                                                                                    \
    "vldrb.8 %q[b], [" x "]\n"                                                                                          \
    "vldrb.8 %q[d], [%[w], #-32]\n"                                                                                     \
    "vmullt.s8 %q[b], %q[b], %q[d]\n"                                                                                   \
    "vadd.i16 %q[a], %q[a], %q[b]\n" WIDEN("%q[c]", "%q[a]")
#define SINGLE(x)                                                                                                       \
    "vldrb.8 %q[a], [" x "]\n"                                                                                          \
    "vldrb.8 %q[b], [%[w]], #16\n"                                                                                      \
    "vmullb.s8 %q[c], %q[a], %q[b]\n"                                                                                   \
    "vmullt.s8 %q[a], %q[a], %q[b]\n" WIDEN("%q[c]", "%q[a]")
#define WIDEN(even, odd)                                                                                                \
    "vmovlb.s16 %q[d], " even "\n"                                                                                      \
    "vmovlt.s16 %q[b], " even "\n"                                                                                      \
    "vadd.i32 %q[s0], %q[s0], %q[d]\n"                                                                                  \
    "vmovlb.s16 %q[d], " odd "\n"                                                                                       \
    "vadd.i32 %q[s2], %q[s2], %q[b]\n"                                                                                  \
    "vmovlt.s16 %q[b], " odd "\n"                                                                                       \
    "vadd.i32 %q[s1], %q[s1], %q[d]\n"                                                                                  \
    "vadd.i32 %q[s3], %q[s3], %q[b]\n"

/* Runs one of these with the given inputs; `weights` moves on. */
#define ADD(instructions, ...)                                                                                          \
    do {                                                                                                                \
        int8x16_t a, b, c, d;                                                                                           \
        __asm__ volatile(instructions                                                                                   \
                         : [s0] "+w"(sums[0]), [s1] "+w"(sums[1]), [s2] "+w"(sums[2]), [s3] "+w"(sums[3]),              \
                           [a] "=&w"(a), [b] "=&w"(b), [c] "=&w"(c), [d] "=&w"(d), [w] "+r"(weights)                    \
                         : __VA_ARGS__                                                                                  \
                         : "memory");                                                                                   \
    } while (false)

/* Any kernel. `offset` is where its first column lies in a row. */
static inline void accumulate(int32x4_t sums[4], const struct stretch *stretch, int32_t offset)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t step = conv->dilation_width * stretch->column_bytes;
    const int32_t row_step = stretch->columns * stretch->column_bytes;
    const int8_t *weights = stretch->weights;
    int32_t row = stretch->first;

    for (int32_t i = 0; i < conv->kernel_height; i++) {
        const int8_t *value = stretch->values + row * row_step + offset;
        int32_t left = conv->kernel_width;
        for (; left >= 2 && stretch->may_pair; left -= 2, value += 2 * step) {
            ADD(PAIR("%[x]", "%[y]"), [x] "r"(value), [y] "r"(value + step));
        }
        for (; left > 0; left--, value += step) {
            ADD(SINGLE("%[x]"), [x] "r"(value));
        }
        row = row + 1 < conv->kernel_height ? row + 1 : 0;
    }
}

/* 3x3, undilated, sixteen channels; taps may be paired. */
TD_MVE_INLINE void accumulate_3x3(int32x4_t sums[4], const int8_t *x, const int8_t *y, const int8_t *z,
                                  const int8_t *weights)
{
    ADD(PAIR("%[x]", "%[x], #16") PAIR("%[x], #32", "%[y]") PAIR("%[y], #16", "%[y], #32")
            PAIR("%[z]", "%[z], #16") SINGLE("%[z], #32"),
        [x] "r"(x), [y] "r"(y), [z] "r"(z));
}

/* The outputs of sixteen accumulators. */
TD_MVE_INLINE int8x16_t outputs_of(int32x4_t sums[4], const struct group *group, const struct td_output_stage *stage)
{
    /* Without a factor's rounding of negative values: they all become less than the zero point. */
    const bool is_rectified = stage->min >= stage->zero_point;
    int16x8_t pairs[2];

#pragma GCC unroll 2
    for (int32_t i = 0; i < 2; i++) { /* vectors 0 and 2 are the even channels, 1 and 3 the odd ones */
        int32x4_t scaled[2];
#pragma GCC unroll 2
        for (int32_t j = 0; j < 2; j++) {
            const struct td_mve_factors *const factors = &group->factors[i + 2 * j];
            const int32x4_t sum = sums[i + 2 * j];
            const int32x4_t product = vqrdmulhq_s32(group->has_left ? vshlq_s32(sum, factors->left) : sum,
                                                    factors->mantissa);
            scaled[j] = is_rectified ? vrshlq_s32(product, factors->right)
                                     : td_mve_divide_by_pot(product, factors->right);
            scaled[j] = vaddq_n_s32(scaled[j], stage->zero_point);
        }
        pairs[i] = vqmovntq_s32(vqmovnbq_s32(vuninitializedq_s16(), scaled[0]), scaled[1]);
    }
    const int8x16_t all = vqmovntq_s16(vqmovnbq_s16(vuninitializedq_s8(), pairs[0]), pairs[1]);
    return vminq_s8(vmaxq_s8(all, vdupq_n_s8((int8_t)stage->min)), vdupq_n_s8((int8_t)stage->max));
}

/* `count` outputs in a row from the buffer, a vector of sixteen channels each. */
static void convolve_3x3(const struct stretch *stretch, const struct group *group, int32_t count, int8_t *output)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const struct td_output_stage stage = conv->output_stage;
    const int32_t step = conv->stride_width * LANES;
    const int32_t output_step = conv->output_channels;
    const int32_t row_step = stretch->columns * LANES;
    const int8_t *x = stretch->values + stretch->first * row_step;
    const int8_t *y = stretch->values + (stretch->first + 1) % 3 * row_step;
    const int8_t *z = stretch->values + (stretch->first + 2) % 3 * row_step;

    for (; count > 0; count--, x += step, y += step, z += step, output += output_step) {
        int32x4_t sums[4] = {group->bias[0], group->bias[1], group->bias[2], group->bias[3]};
        accumulate_3x3(sums, x, y, z, stretch->weights);
        vstrbq_s8(output, outputs_of(sums, group, &stage));
    }
}

/* The same of any kernel. With fewer than sixteen channels the lanes may be several positions. */
static void convolve(const struct stretch *stretch, const struct group *group, int32_t count, int8_t *output)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const struct td_output_stage stage = conv->output_stage;
    const bool is_dense = stretch->column_bytes < LANES;
    const int32_t step = is_dense ? LANES : conv->stride_width * LANES;
    const int32_t output_step = is_dense ? LANES : conv->output_channels;
    const int32_t values = is_dense ? LANES : group->count; /* of one vector */
    int32_t offset = 0;

    for (int32_t left = count * group->count; left > 0; left -= values, offset += step, output += output_step) {
        int32x4_t sums[4] = {group->bias[0], group->bias[1], group->bias[2], group->bias[3]};
        accumulate(sums, stretch, offset);
        vstrbq_p_s8(output, outputs_of(sums, group, &stage), byte_lanes(left < values ? left : values));
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

/* How far apart columns are in the buffer: sixteen channels, or all of one position if their number divides sixteen and
 * neighbouring outputs' windows are neighbours. Then the lanes are several positions. */
static int32_t column_bytes_of(const struct td_depthwise_conv_2d *conv)
{
    const bool is_dense = conv->depth_multiplier == 1 && conv->stride_width == 1 && LANES % conv->output_channels == 0;
    return is_dense ? conv->output_channels : LANES;
}

/* How many outputs of a row fit into the buffer at a time, at most all; 0 if not even one does. */
static int32_t stretch_of(const struct td_depthwise_conv_2d *conv, int32_t column_bytes)
{
    const int32_t taps = conv->kernel_height * conv->kernel_width;
    /* The last vector may reach beyond the last column. */
    const int32_t columns = (BUFFER - (taps + 1) * LANES) / column_bytes / conv->kernel_height;
    const int32_t spare = columns - 1 - (conv->kernel_width - 1) * conv->dilation_width;
    const int32_t count = spare < 0 ? 0 : spare / conv->stride_width + 1;
    return count < conv->output_width ? count : conv->output_width;
}

/* All outputs of one group, in stretches of `count` columns from top to bottom. */
static void convolve_group(struct stretch *stretch, const struct group *group, int32_t count, const int8_t *input,
                           int8_t *output)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const bool is_3x3 = conv->kernel_height == 3 && conv->kernel_width == 3 && conv->dilation_width == 1;
    const bool is_fast = is_3x3 && stretch->may_pair && stretch->column_bytes == LANES && group->count == LANES;

    for (int32_t x = 0; x < conv->output_width; x += count) {
        const int32_t rest = conv->output_width - x;
        const int32_t now = rest < count ? rest : count;
        int8_t *to = output + x * conv->output_channels + group->channel;
        stretch->columns = (now - 1) * conv->stride_width + (conv->kernel_width - 1) * conv->dilation_width + 1;
        for (int32_t y = 0; y < conv->output_height; y++, to += conv->output_width * conv->output_channels) {
            load_rows(stretch, group, input, y, x * conv->stride_width - conv->pad_left);
            if (is_fast) {
                convolve_3x3(stretch, group, now, to);
            } else {
                convolve(stretch, group, now, to);
            }
        }
    }
}

void td_depthwise_conv_2d(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const int32_t channels = conv->output_channels;
    const int32_t column_bytes = column_bytes_of(conv);
    const int32_t count = stretch_of(conv, column_bytes);
    int8_t buffer[BUFFER];
    struct stretch stretch = {
        .conv = conv,
        .weights = buffer,
        .values = buffer + conv->kernel_height * conv->kernel_width * LANES,
        .column_bytes = column_bytes,
    };

    if (count <= 0) {
        for (int32_t channel = 0; channel < channels; channel++) {
            convolve_plainly(conv, input, channel, output);
        }
        return;
    }
    for (int32_t channel = 0; channel < channels; channel += LANES) {
        const int32_t left = channels - channel;
        struct group group = {
            .channel = channel,
            .count = left < LANES ? left : LANES,
            .mask = (uint32_t)column_bytes - 1,
        };
        load_group(&group, conv);
        load_weights(&stretch, &group);
        convolve_group(&stretch, &group, count, input, output);
    }
}
