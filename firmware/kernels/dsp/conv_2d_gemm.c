#include "td_conv_2d_gemm.h"

#include "td_window.h"

/* What is the same for all windows. */
struct shape {
    int32_t row_bytes; /* of the kernel */
    int32_t groups;    /* of 4 values in a kernel row */
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
        .row_step = conv->dilation_height * conv->input_width * conv->input_channels,
        .last_y = conv->input_height - 1 - (conv->kernel_height - 1) * conv->dilation_height,
        /* Taps that are apart are never read in one go. */
        .last_x = conv->dilation_width > 1 ? -1 : conv->input_width - conv->kernel_width,
    };
}

static int8_t *copy(int8_t *to, const int8_t *from, int32_t bytes)
{
    for (; bytes >= 4; bytes -= 4, from += 4, to += 4) {
        td_store4(to, td_load4(from));
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
    return to;
}

static int8_t *fill(int8_t *to, int32_t value, int32_t bytes)
{
    const uint32_t word = (uint32_t)(uint8_t)value * 0x01010101u;
    for (; bytes >= 4; bytes -= 4, to += 4) {
        td_store4(to, word);
    }
    for (; bytes > 0; bytes--) {
        *to++ = (int8_t)value;
    }
    return to;
}

/* Copies the window whose first value is at (y, x), possibly outside, and puts the zero point where there is no input. */
static void copy_window(const struct td_conv_2d_gemm *conv, const int8_t *input, int32_t y, int32_t x, int8_t *to)
{
    const int32_t channels = conv->input_channels;
    const int32_t zero_point = conv->input_zero_point;
    const struct td_taps columns = td_taps_inside(x, conv->dilation_width, conv->kernel_width, conv->input_width);
    const int32_t inside = columns.end - columns.begin;
    const int32_t runs = conv->dilation_width == 1 ? inside > 0 : inside;
    const int32_t run = conv->dilation_width == 1 ? inside * channels : channels;
    const int32_t first = x + columns.begin * conv->dilation_width;

    for (int32_t row = 0; row < conv->kernel_height; row++, y += conv->dilation_height) {
        if (y < 0 || y >= conv->input_height) {
            to = fill(to, zero_point, conv->kernel_width * channels);
            continue;
        }
        const int8_t *from = input + (y * conv->input_width + first) * channels;
        to = fill(to, zero_point, columns.begin * channels);
        for (int32_t i = 0; i < runs; i++, from += conv->dilation_width * channels) {
            to = copy(to, from, run);
        }
        to = fill(to, zero_point, (conv->kernel_width - columns.end) * channels);
    }
}

/* Writes 4 windows to the buffer. `windows->skip`: from the end of a row's last group to the next row. */
static void expand(const struct td_conv_2d_gemm *conv, const struct shape *shape, const struct td_gemm_windows *windows,
                   int32_t *buffer)
{
    if (shape->groups > 0) {
        td_gemm_expand(buffer, windows, conv->kernel_height, shape->groups);
    }
    if (shape->row_bytes == 4 * shape->groups) {
        return;
    }
    struct td_gemm_windows rest = *windows;
    int32_t value = 4 * shape->groups * conv->kernel_height;
    for (int32_t row = 0; row < conv->kernel_height; row++) {
        for (int32_t at = 4 * shape->groups; at < shape->row_bytes; at++, value++) {
            td_gemm_expand_value(buffer, value, rest.from, at);
        }
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            rest.from[i] += 4 * shape->groups + rest.skip[i];
        }
    }
}

/* Finds pixel `i` of a tile: in the input where it is wholly inside, else in a copy. */
TD_ALWAYS_INLINE void find_window(const struct td_conv_2d_gemm *conv, const struct shape *shape, const int8_t *input,
                                  struct td_gemm_position position, int32_t i, struct td_gemm_windows *windows,
                                  int8_t *copies)
{
    const int32_t y = position.row * conv->stride_height - conv->pad_top;
    const int32_t x = position.column * conv->stride_width - conv->pad_left;
    if (y >= 0 && y <= shape->last_y && x >= 0 && x <= shape->last_x) {
        windows->from[i] = input + (y * conv->input_width + x) * conv->input_channels;
        windows->skip[i] = shape->row_step - 4 * shape->groups;
    } else {
        int8_t *const window = copies + i * ((conv->kernel_height * shape->row_bytes + 3) & ~3);
        copy_window(conv, input, y, x, window);
        windows->from[i] = window;
        windows->skip[i] = shape->row_bytes - 4 * shape->groups;
    }
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
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            find_window(conv, &shape, input, position, i, &windows, copies);
            offsets[i] = td_gemm_offset(gemm, position);
            td_gemm_next(gemm, &position);
        }
        expand(conv, &shape, &windows, buffer);
        td_gemm_multiply(gemm, buffer, output);
    }
}
