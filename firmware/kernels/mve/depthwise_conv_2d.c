#include "td_depthwise_conv_2d.h"

#include "td_mve_dot.h"
#include "td_window.h"

/* Sixteen channels at once, or several positions of one, two, four or eight. For each sixteen, their weights are put
 * in the order of the taps, and for a stretch of an output row the input that it sees is copied, with the zero point
 * where there is none: after that there are neither borders nor depth multipliers. Products are added in pairs in 16
 * bits (VMULLB and VMULLT widen the even and the odd lanes), then in 32: 0.64 instructions each. MVE has no
 * multiply-accumulate of two vectors.
 *
 * What does not fit into the buffer (kernels of more than 48 taps, or dilated as widely) is computed in plain C. */

/* Bytes on the stack, for the weights and the input of one stretch; a multiple of 16. */
enum { LANES = 16, BUFFER = 1536 };

/* Constants of the channels in sixteen lanes. Of the vectors of four the first has lanes 0, 4, 8, 12, the next 1, 5,
 * 9, 13 and so on: that is the order in which widening leaves them. The assembler below knows where the first two
 * are. */
struct group {
    int32x4_t mantissa[4]; /*  0 */
    int32x4_t right[4];    /* 64: shifts, 0 or less */
    int32x4_t left[4];     /* shifts, 0 or more */
    int32x4_t bias[4];
    bool has_left; /* some shift is to the left */
    int32_t channel, count; /* the first, and how many there are */
    uint32_t mask;          /* lane i has channel i & mask of them; none where that is not less than `count` */
    int32_t positions;      /* how many neighbouring outputs are computed at once: 16 / (mask + 1) */
};

/* Places in the buffer and how far things are apart in it. */
struct stretch {
    const struct td_depthwise_conv_2d *conv;
    int8_t *weights; /* [taps][16] */
    int8_t *values;  /* [kernel_height][columns][16], a ring of rows */
    int32_t columns;
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
        group->mantissa[i] = factors.mantissa;
        group->right[i] = factors.right;
        group->left[i] = factors.left;
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
    const int32_t step = conv->input_channels;
    const int32_t begin = x < 0 ? -x : 0;
    const int32_t last = conv->input_width - x;
    const int32_t end = last < stretch->columns ? last : stretch->columns;
    const int32_t count = end - begin;

    if (y < 0 || y >= conv->input_height || count <= 0) {
        td_mve_fill(to, zero_point, stretch->columns * LANES);
        return;
    }
    const int8_t *from = input + (y * conv->input_width + x + begin) * step;
    if (group->mask < LANES - 1) {
        /* First as they are at the end of the row's place, then each with its neighbours. The last ones' neighbours
         * are anything: no output needs them. */
        int8_t *const packed = to + stretch->columns * (LANES - step);
        td_mve_fill(packed, zero_point, begin * step);
        td_mve_copy(packed + begin * step, from, count * step);
        td_mve_fill(packed + end * step, zero_point, (stretch->columns - end) * step);
        copy_columns(to, packed, step, stretch->columns, LANES);
        return;
    }
    td_mve_fill(to, zero_point, begin * LANES);
    to += begin * LANES;
    if (conv->depth_multiplier == 1) {
        copy_columns(to, from + group->channel, step, count, group->count);
    } else {
        copy_shared_columns(to, from, step, count, group, conv->depth_multiplier);
    }
    td_mve_fill(to + count * LANES, zero_point, (stretch->columns - end) * LANES);
}

/* Copies the input that output row `output_y` sees in the stretch's columns, `x` the first: what the row before has
 * seen, too, stays where it is. */
static void load_rows(struct stretch *stretch, const struct group *group, const int8_t *input, int32_t output_y,
                      int32_t x)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t height = conv->kernel_height;
    const bool is_next = output_y > 0 && conv->dilation_height == 1 && conv->stride_height < height;
    const int32_t row_bytes = stretch->columns * LANES;
    int32_t y = output_y * conv->stride_height - conv->pad_top;
    int32_t row = 0;

    stretch->first = is_next ? (stretch->first + conv->stride_height) % height : 0;
    row = is_next ? height - conv->stride_height : 0;
    for (y += row * conv->dilation_height; row < height; row++, y += conv->dilation_height) {
        load_row(stretch, group, input, y, x, stretch->values + (stretch->first + row) % height * row_bytes);
    }
}

/* Sixteen products of two taps each, or of one, added to four vectors of accumulators. All eight vector registers
 * are in use, so the first tap's values are loaded twice. In C, GCC 12 loads ahead and spills: three times as many
 * instructions. */
#define PAIR(x, next_x)                                                                                                \
    "vldrb.8 %q[a], [" x "]\n"                                                                                         \
    "vldrb.8 %q[b], [%[w]], #16\n"                                                                                     \
    "vmullb.s8 %q[c], %q[a], %q[b]\n"                                                                                  \
    "vldrb.8 %q[a], [" next_x "]\n"                                                                                    \
    "vldrb.8 %q[b], [%[w]], #16\n"                                                                                     \
    "vmullb.s8 %q[d], %q[a], %q[b]\n"                                                                                  \
    "vmullt.s8 %q[a], %q[a], %q[b]\n"                                                                                  \
    "vadd.i16 %q[c], %q[c], %q[d]\n"                                                                                   \
    "vldrb.8 %q[b], [" x "]\n"                                                                                         \
    "vldrb.8 %q[d], [%[w], #-32]\n"                                                                                    \
    "vmullt.s8 %q[b], %q[b], %q[d]\n"                                                                                  \
    "vadd.i16 %q[a], %q[a], %q[b]\n" WIDEN("%q[c]", "%q[a]")
#define SINGLE(x)                                                                                                      \
    "vldrb.8 %q[a], [" x "]\n"                                                                                         \
    "vldrb.8 %q[b], [%[w]], #16\n"                                                                                     \
    "vmullb.s8 %q[c], %q[a], %q[b]\n"                                                                                  \
    "vmullt.s8 %q[a], %q[a], %q[b]\n" WIDEN("%q[c]", "%q[a]")
#define WIDEN(even, odd)                                                                                               \
    "vmovlb.s16 %q[d], " even "\n"                                                                                     \
    "vmovlt.s16 %q[b], " even "\n"                                                                                     \
    "vadd.i32 %q[s0], %q[s0], %q[d]\n"                                                                                 \
    "vmovlb.s16 %q[d], " odd "\n"                                                                                      \
    "vadd.i32 %q[s2], %q[s2], %q[b]\n"                                                                                 \
    "vmovlt.s16 %q[b], " odd "\n"                                                                                      \
    "vadd.i32 %q[s1], %q[s1], %q[d]\n"                                                                                 \
    "vadd.i32 %q[s3], %q[s3], %q[b]\n"

/* Runs one of these with the given inputs; `weights` moves on. */
#define ADD(instructions, ...)                                                                                         \
    do {                                                                                                               \
        int8x16_t a, b, c, d;                                                                                          \
        __asm__ volatile(instructions                                                                                  \
                         : [s0] "+w"(sums[0]), [s1] "+w"(sums[1]), [s2] "+w"(sums[2]), [s3] "+w"(sums[3]),             \
                           [a] "=&w"(a), [b] "=&w"(b), [c] "=&w"(c), [d] "=&w"(d), [w] "+r"(weights)                   \
                         : __VA_ARGS__                                                                                 \
                         : "memory");                                                                                  \
    } while (false)

/* Any kernel. `offset` is where its first column lies in a row. */
static inline void accumulate(int32x4_t sums[4], const struct stretch *stretch, int32_t offset)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const int32_t step = conv->dilation_width * LANES;
    const int32_t row_step = stretch->columns * LANES;
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

/* Four accumulators to values of the output's scale, not yet bounded, with their mantissa and shift from the group. */
#define SCALE(sum, mantissa, shift, correct)                                                                           \
    "vldrw.32 %q[a], [%[group], #" mantissa "]\n"                                                                      \
    "vqrdmulh.s32 " sum ", " sum ", %q[a]\n"                                                                           \
    "vldrw.32 %q[a], [%[group], #" shift "]\n" correct(sum)                                                            \
    "vrshl.s32 " sum ", " sum ", %q[a]\n"                                                                              \
    "vadd.i32 " sum ", " sum ", %[zero_point]\n"

/* td_mve_divide_by_pot()'s correction, or none: of a stage that bounds outputs by the zero point or more, since all
 * that it could change is below that. */
#define CORRECT(sum)                                                                                                   \
    "vand %q[b], " sum ", %q[a]\n"                                                                                     \
    "vshr.s32 %q[b], %q[b], #31\n"                                                                                     \
    "vqadd.s32 " sum ", " sum ", %q[b]\n"
#define NO_CORRECTION(sum)

#define OUTPUTS(correct)                                                                                               \
    __asm__(SCALE("%q[s0]", "0", "64", correct) SCALE("%q[s1]", "16", "80", correct)                                   \
            SCALE("%q[s2]", "32", "96", correct) SCALE("%q[s3]", "48", "112", correct)                                 \
            "vqmovnb.s32 %q[a], %q[s0]\n"                                                                              \
            "vqmovnb.s32 %q[b], %q[s1]\n"                                                                              \
            "vqmovnt.s32 %q[a], %q[s2]\n"                                                                              \
            "vqmovnt.s32 %q[b], %q[s3]\n"                                                                              \
            "vqmovnb.s16 %q[c], %q[a]\n"                                                                               \
            "vdup.8 %q[a], %[min]\n"                                                                                   \
            "vqmovnt.s16 %q[c], %q[b]\n"                                                                               \
            "vdup.8 %q[b], %[max]\n"                                                                                   \
            "vmax.s8 %q[c], %q[c], %q[a]\n"                                                                            \
            "vmin.s8 %q[c], %q[c], %q[b]\n"                                                                            \
            : [s0] "+w"(sums[0]), [s1] "+w"(sums[1]), [s2] "+w"(sums[2]), [s3] "+w"(sums[3]), [a] "=&w"(a),            \
              [b] "=&w"(b), [c] "=&w"(outputs)                                                                         \
            : [group] "r"(group), "m"(*group), [zero_point] "r"((int32_t)stage->zero_point),                           \
              [min] "r"((int32_t)stage->min), [max] "r"((int32_t)stage->max))

/* The outputs of sixteen accumulators. In C, GCC 12 takes twice as many instructions, for addresses. */
TD_MVE_INLINE int8x16_t outputs_of(int32x4_t sums[4], const struct group *group, const struct td_output_stage *stage)
{
    int8x16_t a, b, outputs;

    if (group->has_left) {
        sums[0] = vshlq_s32(sums[0], group->left[0]);
        sums[1] = vshlq_s32(sums[1], group->left[1]);
        sums[2] = vshlq_s32(sums[2], group->left[2]);
        sums[3] = vshlq_s32(sums[3], group->left[3]);
    }
    if (stage->min >= stage->zero_point) {
        OUTPUTS(NO_CORRECTION);
    } else {
        OUTPUTS(CORRECT);
    }
    return outputs;
}

/* `vectors` of sixteen outputs in a row from the buffer. Not inlined: from the stack GCC 12 computes the address of
 * every constant of the group anew. */
static __attribute__((noinline)) void convolve_3x3(const struct stretch *stretch, const struct group *group,
                                                   int32_t vectors, int8_t *output)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const struct td_output_stage stage = conv->output_stage;
    const int32_t step = group->positions * conv->stride_width * LANES;
    const int32_t output_step = group->positions * conv->output_channels;
    const int32_t row_step = stretch->columns * LANES;
    const int8_t *x = stretch->values + stretch->first * row_step;
    const int8_t *y = stretch->values + (stretch->first + 1) % 3 * row_step;
    const int8_t *z = stretch->values + (stretch->first + 2) % 3 * row_step;

    for (; vectors > 0; vectors--, x += step, y += step, z += step, output += output_step) {
        int32x4_t sums[4] = {group->bias[0], group->bias[1], group->bias[2], group->bias[3]};
        accumulate_3x3(sums, x, y, z, stretch->weights);
        vstrbq_s8(output, outputs_of(sums, group, &stage));
    }
}

/* Any kernel, and vectors that are not full: `count` outputs from the one at `begin` on. */
static void convolve(const struct stretch *stretch, const struct group *group, int32_t begin, int32_t count,
                     int8_t *output)
{
    const struct td_depthwise_conv_2d *conv = stretch->conv;
    const struct td_output_stage stage = conv->output_stage;
    const int32_t positions = group->positions;

    for (int32_t i = begin; i < count; i += positions) {
        const int32_t used = count - i < positions ? count - i : positions;
        int32x4_t sums[4] = {group->bias[0], group->bias[1], group->bias[2], group->bias[3]};
        accumulate(sums, stretch, i * conv->stride_width * LANES);
        vstrbq_p_s8(output + i * conv->output_channels, outputs_of(sums, group, &stage),
                    byte_lanes(used * group->count));
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

/* Over how many channels the lanes go before they begin again, for the next position: sixteen, or all of them if their
 * number divides sixteen and the windows of neighbouring outputs are neighbours. */
static int32_t channels_at_once(const struct td_depthwise_conv_2d *conv)
{
    const bool is_dense = conv->depth_multiplier == 1 && conv->stride_width == 1 && LANES % conv->output_channels == 0;
    return is_dense ? conv->output_channels : LANES;
}

/* How many outputs of a row fit into the buffer at a time, at most all; 0 or less if not even one does. */
static int32_t stretch_of(const struct td_depthwise_conv_2d *conv)
{
    const int32_t taps = conv->kernel_height * conv->kernel_width;
    /* The vectors of several positions may reach beyond the last column. */
    const int32_t columns = (BUFFER / LANES - taps - 1) / conv->kernel_height;
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
    const bool is_full = group->positions * group->count == LANES;
    const bool is_fast = is_3x3 && is_full && stretch->may_pair;

    for (int32_t x = 0; x < conv->output_width; x += count) {
        const int32_t rest = conv->output_width - x;
        const int32_t now = rest < count ? rest : count;
        const int32_t vectors = is_fast ? now / group->positions : 0;
        int8_t *to = output + x * conv->output_channels + group->channel;
        stretch->columns = (now - 1) * conv->stride_width + (conv->kernel_width - 1) * conv->dilation_width + 1;
        for (int32_t y = 0; y < conv->output_height; y++, to += conv->output_width * conv->output_channels) {
            load_rows(stretch, group, input, y, x * conv->stride_width - conv->pad_left);
            convolve_3x3(stretch, group, vectors, to);
            if (vectors * group->positions < now) {
                convolve(stretch, group, vectors * group->positions, now, to);
            }
        }
    }
}

/* Any layer, sixteen lanes at a time. */
static void convolve_groups(const struct td_depthwise_conv_2d *conv, int32_t count, const int8_t *input,
                            int8_t *output)
{
    const int32_t at_once = channels_at_once(conv);
    int8_t buffer[BUFFER];
    struct stretch stretch = {
        .conv = conv,
        .weights = buffer,
        .values = buffer + conv->kernel_height * conv->kernel_width * LANES,
    };

    for (int32_t channel = 0; channel < conv->output_channels; channel += at_once) {
        const int32_t left = conv->output_channels - channel;
        struct group group = {
            .channel = channel,
            .count = left < at_once ? left : at_once,
            .mask = (uint32_t)at_once - 1,
            .positions = LANES / at_once,
        };
        load_group(&group, conv);
        load_weights(&stretch, &group);
        convolve_group(&stretch, &group, count, input, output);
    }
}

void td_depthwise_conv_2d(const struct td_depthwise_conv_2d *conv, const int8_t *input, int8_t *output)
{
    const int32_t count = stretch_of(conv);

    if (count > 0) {
        convolve_groups(conv, count, input, output);
    } else {
        for (int32_t channel = 0; channel < conv->output_channels; channel++) {
            convolve_plainly(conv, input, channel, output);
        }
    }
}
