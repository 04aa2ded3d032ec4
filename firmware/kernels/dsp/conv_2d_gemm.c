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

TD_ALWAYS_INLINE void copy(int8_t *to, const int8_t *from, int32_t bytes)
{
    for (; bytes >= 16; bytes -= 16, from += 16, to += 16) {
        td_store4(to, td_load4(from));
        td_store4(to + 4, td_load4(from + 4));
        td_store4(to + 8, td_load4(from + 8));
        td_store4(to + 12, td_load4(from + 12));
    }
    for (; bytes >= 4; bytes -= 4, from += 4, to += 4) {
        td_store4(to, td_load4(from));
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
}

/* Copies the window whose first value is at (y, x), possibly outside, and puts the zero point where there is no input. */
static __attribute__((noinline)) void copy_window(const struct td_conv_2d_gemm *conv, const struct shape *shape,
                                                  const int8_t *input, int32_t y, int32_t x, int8_t *to)
{
    const int32_t channels = conv->input_channels;
    const int32_t step = conv->dilation_width;
    const int32_t begin = x < 0 ? (-x + step - 1) / step : 0;
    const int32_t fitting = (conv->input_width - x + step - 1) / step;
    const int32_t end = fitting < conv->kernel_width ? fitting : conv->kernel_width;
    const uint32_t zero_points = (uint32_t)(uint8_t)conv->input_zero_point * 0x01010101u;

    for (int32_t at = 0; at < shape->window_bytes; at += 16) {
        td_store4(to + at, zero_points);
        td_store4(to + at + 4, zero_points);
        td_store4(to + at + 8, zero_points);
        td_store4(to + at + 12, zero_points);
    }
    if (x >= conv->input_width || begin >= end) {
        return;
    }
    const int8_t *from = input + (y * conv->input_width + x + begin * step) * channels;
    to += begin * channels;
    for (int32_t row = 0; row < conv->kernel_height; row++) {
        if ((uint32_t)y < conv->input_height) {
            if (step == 1) {
                copy(to, from, (end - begin) * channels);
            } else {
                for (int32_t i = 0; i < end - begin; i++) {
                    copy(to + i * channels, from + i * step * channels, channels);
                }
            }
        }
        y += conv->dilation_height;
        from += shape->row_step;
        to += shape->row_bytes;
    }
}

/* Writes what is behind the last whole group of every row to the buffer: 1 byte a row. */
static void expand_single(int32_t *buffer, const struct td_gemm_windows *windows, int32_t rows, int32_t groups)
{
    for (int32_t row = 0; row < rows; row += 4, buffer += 2 * TD_GEMM_PIXELS) {
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            const int32_t step = 4 * groups + windows->skip[i];
            const int8_t *from = windows->from[i] + 4 * groups + row * step;
            const uint32_t first = (uint32_t)*from;
            /* Behind the last row come weights of 0, so it does not matter what else is read. */
            from += row + 1 < rows ? step : 0;
            const uint32_t second = (uint32_t)*from;
            from += row + 2 < rows ? step : 0;
            const uint32_t third = (uint32_t)*from;
            from += row + 3 < rows ? step : 0;
            buffer[i] = (int32_t)td_pkhbt(first, third);
            buffer[TD_GEMM_PIXELS + i] = (int32_t)td_pkhbt(second, (uint32_t)*from);
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
