#include "td_conv_2d_gemm.h"

/* What is the same for all windows. */
struct shape {
    int32_t row_bytes; /* of the kernel */
    int32_t groups;    /* of 4 values in a kernel row */
    int32_t window_bytes; /* of a copy */
    int32_t row_step;  /* from one row of a window to the next in the input, bytes */
    int32_t last_y;    /* the greatest place of a window's first value that is wholly inside; negative: there is none */
    int32_t last_x;
};

static struct shape shape_of(const struct td_conv_2d_gemm *conv)
{
    const int32_t row_bytes = conv->kernel_width * conv->input_channels;
    return (struct shape){
        .row_bytes = row_bytes,
        .groups = row_bytes / 4,
        .window_bytes = (conv->kernel_height * row_bytes + 15) / 16 * 16,
        .row_step = conv->dilation_height * conv->input_width * conv->input_channels,
        .last_y = conv->input_height - 1 - (conv->kernel_height - 1) * conv->dilation_height,
        /* Taps that are apart are never read in one go. */
        .last_x = conv->dilation_width > 1 ? -1 : conv->input_width - conv->kernel_width,
    };
}

/* The taps [begin, end) of one side of a window that are inside; tap i stands at origin + i * dilation. */
struct taps {
    int32_t begin, end;
};

static struct taps taps_inside(int32_t origin, int32_t dilation, int32_t taps, int32_t size)
{
    const int32_t before = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
    const int32_t up_to_end = origin < size ? (size - origin + dilation - 1) / dilation : 0;
    const int32_t end = up_to_end < taps ? up_to_end : taps;
    return (struct taps){before < end ? before : end, end};
}

static void fill(int8_t *to, uint32_t word, int32_t bytes)
{
    for (int32_t at = 0; at < bytes; at += 16) {
        td_store4(to + at, word);
        td_store4(to + at + 4, word);
        td_store4(to + at + 8, word);
        td_store4(to + at + 12, word);
    }
}

/* Copies `rows` runs of `bytes` that are so many bytes apart. Not inlined: GCC 12 runs out of registers among the rest. */
static __attribute__((noinline)) void copy_rows(int8_t *to, int32_t to_step, const int8_t *from, int32_t from_step,
                                                int32_t rows, int32_t bytes)
{
    for (; rows > 0; rows--, to += to_step, from += from_step) {
        int32_t at = 0;
        for (; at + 16 <= bytes; at += 16) {
            td_store4(to + at, td_load4(from + at));
            td_store4(to + at + 4, td_load4(from + at + 4));
            td_store4(to + at + 8, td_load4(from + at + 8));
            td_store4(to + at + 12, td_load4(from + at + 12));
        }
        for (; at + 4 <= bytes; at += 4) {
            td_store4(to + at, td_load4(from + at));
        }
        if (at == bytes) {
            continue;
        }
        if (at > 0) { /* The last 4 bytes, some of them again. */
            td_store4(to + bytes - 4, td_load4(from + bytes - 4));
        } else { /* 1 to 3 bytes */
            to[0] = from[0];
            to[bytes / 2] = from[bytes / 2];
            to[bytes - 1] = from[bytes - 1];
        }
    }
}

/* Copies the window whose first value is at (y, x), possibly outside, and puts the zero point where there is no input. */
static void copy_window(const struct td_conv_2d_gemm *conv, const struct shape *shape, const int8_t *input, int32_t y,
                        int32_t x, int8_t *to)
{
    const int32_t channels = conv->input_channels;
    const int32_t dilation = conv->dilation_width;
    const struct taps rows = taps_inside(y, conv->dilation_height, conv->kernel_height, conv->input_height);
    const struct taps columns = taps_inside(x, dilation, conv->kernel_width, conv->input_width);
    /* Undilated, the taps of a row are one run; else each tap is a run of its own. */
    const int32_t taps = columns.end - columns.begin;
    const int32_t run = dilation == 1 ? taps * channels : channels;

    fill(to, (uint32_t)(uint8_t)conv->input_zero_point * 0x01010101u, shape->window_bytes);
    y += rows.begin * conv->dilation_height;
    x += columns.begin * dilation;
    input += (y * conv->input_width + x) * channels;
    to += rows.begin * shape->row_bytes + columns.begin * channels;
    for (int32_t at = 0; at < taps * channels; at += run, input += dilation * channels) {
        copy_rows(to + at, shape->row_bytes, input, shape->row_step, rows.end - rows.begin, run);
    }
}

/* Where the first bytes behind the whole groups of 4 rows are, the first of them `row`. Behind the last row come weights
 * of 0, so it does not matter what else is read. */
struct single_bytes {
    int32_t first, second, third, fourth;
};

TD_ALWAYS_INLINE struct single_bytes single_bytes(int32_t row, int32_t rows, int32_t groups, int32_t skip)
{
    const int32_t step = 4 * groups + skip;
    const int32_t first = 4 * groups + row * step;
    return (struct single_bytes){
        .first = first,
        .second = row + 1 < rows ? first + step : first,
        .third = row + 2 < rows ? first + 2 * step : first,
        .fourth = row + 3 < rows ? first + 3 * step : first,
    };
}

/* Writes what is behind the last whole group of every row to the buffer: 1 byte a row. */
static __attribute__((noinline)) void expand_single(int32_t *buffer, const struct td_gemm_windows *windows,
                                                    int32_t rows, int32_t groups)
{
    for (int32_t row = 0; row < rows; row += 4, buffer += 2 * TD_GEMM_PIXELS) {
        int32_t skip = windows->skip[0];
        struct single_bytes at = single_bytes(row, rows, groups, skip);
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            const int8_t *const from = windows->from[i];
            if (windows->skip[i] != skip) {
                skip = windows->skip[i];
                at = single_bytes(row, rows, groups, skip);
            }
            buffer[i] = (int32_t)td_pkhbt((uint32_t)from[at.first], (uint32_t)from[at.third]);
            buffer[TD_GEMM_PIXELS + i] = (int32_t)td_pkhbt((uint32_t)from[at.second], (uint32_t)from[at.fourth]);
        }
    }
}

static int32_t *expand_word(int32_t *to, uint32_t word)
{
    to[0] = (int32_t)td_sxtb16(word);
    to[TD_GEMM_PIXELS] = (int32_t)td_sxtb16_ror8(word);
    return to + 2 * TD_GEMM_PIXELS;
}

/* The same for 2 or 3 bytes a row. */
static void expand_several(int32_t *buffer, const struct td_gemm_windows *windows, int32_t rows, int32_t groups,
                           int32_t bytes)
{
    for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
        const int8_t *from = windows->from[i] + 4 * groups;
        int32_t *to = buffer + i;
        uint32_t word = 0;
        int32_t bits = 0;
        for (int32_t row = 0; row < rows; row++, from += 4 * groups + windows->skip[i]) {
            uint32_t values = (uint32_t)(uint8_t)from[0] | (uint32_t)(uint8_t)from[1] << 8;
            if (bytes == 3) {
                values |= (uint32_t)(uint8_t)from[2] << 16;
            }
            word |= values << bits;
            bits += 8 * bytes;
            if (bits >= 32) {
                to = expand_word(to, word);
                bits -= 32;
                word = values >> (8 * bytes - bits);
            }
        }
        if (bits > 0) {
            expand_word(to, word);
        }
    }
}

static void expand(const struct td_conv_2d_gemm *conv, const struct shape *shape, const struct td_gemm_windows *windows,
                   int32_t *buffer)
{
    const int32_t rest = shape->row_bytes - 4 * shape->groups;
    int32_t *const behind = buffer + 2 * TD_GEMM_PIXELS * shape->groups * conv->kernel_height;

    if (shape->groups > 0) {
        td_gemm_expand(buffer, windows, conv->kernel_height, shape->groups);
    }
    if (rest == 1) {
        expand_single(behind, windows, conv->kernel_height, shape->groups);
    } else if (rest > 1) {
        expand_several(behind, windows, conv->kernel_height, shape->groups, rest);
    }
}

/* Finds 4 windows of any pixels: those that are wholly inside in the input, others in copies. */
static __attribute__((noinline)) void find_windows(const struct td_conv_2d_gemm *conv, const struct shape *shape,
                                                   const int8_t *input, struct td_gemm_position position,
                                                   struct td_gemm_windows *windows, int32_t *offsets, int8_t *copies)
{
    for (int32_t i = 0; i < TD_GEMM_PIXELS; i++, copies += shape->window_bytes) {
        const int32_t y = position.row * conv->stride_height - conv->pad_top;
        const int32_t x = position.column * conv->stride_width - conv->pad_left;
        if (y >= 0 && y <= shape->last_y && x >= 0 && x <= shape->last_x) {
            windows->from[i] = input + (y * conv->input_width + x) * conv->input_channels;
            windows->skip[i] = shape->row_step - 4 * shape->groups;
        } else {
            copy_window(conv, shape, input, y, x, copies);
            windows->from[i] = copies;
            windows->skip[i] = shape->row_bytes - 4 * shape->groups;
        }
        offsets[i] = td_gemm_offset(&conv->gemm, position);
        td_gemm_next(&conv->gemm, &position);
    }
}

/* Whether 4 pixels from this one on are in one row, and their windows wholly inside. */
TD_ALWAYS_INLINE bool are_inside(const struct td_conv_2d_gemm *conv, const struct shape *shape, int32_t y, int32_t x,
                                 int32_t column)
{
    return y >= 0 && y <= shape->last_y && x >= 0 && x + 3 * conv->stride_width <= shape->last_x &&
           column + TD_GEMM_PIXELS <= conv->gemm.columns;
}

void td_conv_2d_gemm(const struct td_conv_2d_gemm *conv, const int8_t *input, int8_t *output, int8_t *scratch)
{
    const struct td_gemm *gemm = &conv->gemm;
    const struct shape shape = shape_of(conv);
    int32_t *const buffer = (int32_t *)(void *)scratch;
    int32_t *const offsets = td_gemm_offsets(gemm, buffer);
    int8_t *const copies = scratch + gemm->pairs.depth * 8 + TD_GEMM_TAIL_BYTES;
    struct td_gemm_position position = {0, 0};
    struct td_gemm_windows windows;

    for (int32_t left = gemm->rows * gemm->columns; left > 0; left -= TD_GEMM_PIXELS) {
        const int32_t y = position.row * conv->stride_height - conv->pad_top;
        const int32_t x = position.column * conv->stride_width - conv->pad_left;
        int8_t *to = output;
        if (are_inside(conv, &shape, y, x, position.column)) {
            const int8_t *from = input + (y * conv->input_width + x) * conv->input_channels;
            for (int32_t i = 0; i < TD_GEMM_PIXELS; i++, from += conv->stride_width * conv->input_channels) {
                windows.from[i] = from;
                windows.skip[i] = shape.row_step - 4 * shape.groups;
            }
            to += td_gemm_offset(gemm, position);
            td_gemm_offsets_in_row(gemm, offsets);
        } else {
            find_windows(conv, &shape, input, position, &windows, offsets, copies);
        }
        expand(conv, &shape, &windows, buffer);
        td_gemm_multiply(gemm, buffer, to);
        td_gemm_move(gemm, &position, TD_GEMM_PIXELS);
    }
}
