#include "td_pointwise.h"

/* Two channels of 4 pixels that follow each other in memory, a word each, to where the buffer has them. */
TD_ALWAYS_INLINE void expand_words(int32_t *buffer, uint32_t low, uint32_t high)
{
    const uint32_t low_even = td_sxtb16(low);
    const uint32_t low_odd = td_sxtb16_ror8(low);
    const uint32_t high_even = td_sxtb16(high);
    const uint32_t high_odd = td_sxtb16_ror8(high);
    buffer[0] = (int32_t)td_pkhbt(low_even, high_even);
    buffer[1] = (int32_t)td_pkhbt(low_odd, high_odd);
    buffer[2] = (int32_t)td_pkhtb(high_even, low_even);
    buffer[3] = (int32_t)td_pkhtb(high_odd, low_odd);
}

/* Channels of 4 pixels that follow each other in memory, 4 channels a group. */
static void expand_neighbours(int32_t *buffer, const int8_t *from, int32_t plane_bytes, int32_t groups)
{
    const int32_t two_planes = 2 * plane_bytes;
    const int32_t three_planes = 3 * plane_bytes;

    for (const int32_t *const end = buffer + 8 * groups; buffer < end; buffer += 8) {
        expand_words(buffer, td_load4(from), td_load4(from + two_planes));
        expand_words(buffer + 4, td_load4(from + plane_bytes), td_load4(from + three_planes));
        from += 4 * plane_bytes;
    }
}

/* The same for 4 pixels anywhere. */
static void expand_scattered(int32_t *buffer, const int8_t *const from[4], int32_t plane_bytes, int32_t groups)
{
    const int8_t *const from_0 = from[0];
    const int8_t *const from_1 = from[1];
    const int8_t *const from_2 = from[2];
    const int8_t *const from_3 = from[3];
    int32_t low = 0;

    for (const int32_t *const end = buffer + 8 * groups; buffer < end; low += 2 * plane_bytes) {
        for (int32_t half = 0; half < 2; half++, buffer += 4, low += plane_bytes) {
            const int32_t high = low + 2 * plane_bytes;
            buffer[0] = (int32_t)td_pkhbt((uint32_t)from_0[low], (uint32_t)from_0[high]);
            buffer[1] = (int32_t)td_pkhbt((uint32_t)from_1[low], (uint32_t)from_1[high]);
            buffer[2] = (int32_t)td_pkhbt((uint32_t)from_2[low], (uint32_t)from_2[high]);
            buffer[3] = (int32_t)td_pkhbt((uint32_t)from_3[low], (uint32_t)from_3[high]);
        }
    }
}

/* Channels behind the last group. */
static void expand_rest(int32_t *buffer, const int8_t *const from[4], int32_t plane_bytes, int32_t channel,
                        int32_t channels)
{
    for (; channel < channels; channel++) {
        int8_t *to = (int8_t *)(buffer + (channel >> 2) * 8 + (channel & 1) * 4) + (channel & 2);
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++, to += 4) {
            const int16_t value = from[i][channel * plane_bytes];
            memcpy(to, &value, sizeof value);
        }
    }
}

/* Writes all channels of 4 pixels in planes, whose first channels are at `from`, to the buffer. */
static __attribute__((noinline)) void expand_planes(int32_t *buffer, const int8_t *const from[4], int32_t plane_bytes,
                                                    int32_t groups)
{
    if (from[3] - from[0] == 3) {
        expand_neighbours(buffer, from[0], plane_bytes, groups);
    } else {
        expand_scattered(buffer, from, plane_bytes, groups);
    }
}

/* Where 4 pixels that are not all in one row come from and go to. */
static __attribute__((noinline)) void find_pixels(const struct td_pointwise *pointwise, const int8_t *input,
                                                  struct td_gemm_position position, const int8_t *from[4],
                                                  int32_t offsets[4])
{
    for (int32_t i = 0; i < TD_GEMM_PIXELS; i++, td_gemm_next(&pointwise->gemm, &position)) {
        from[i] = input + position.row * pointwise->input_row_step + position.column * pointwise->input_pixel_step;
        offsets[i] = td_gemm_offset(&pointwise->gemm, position);
    }
}

/* What is rare stands in functions that are not inlined: among it GCC 12 keeps what every tile needs in memory. */
void td_pointwise(const struct td_pointwise *pointwise, const int8_t *input, int8_t *output, int8_t *scratch)
{
    const struct td_gemm *gemm = &pointwise->gemm;
    int32_t *const buffer = (int32_t *)(void *)scratch;
    const int32_t pixels = pointwise->backwards ? -TD_GEMM_PIXELS : TD_GEMM_PIXELS;
    const int32_t groups = pointwise->input_channels / 4;
    int32_t tiles = (gemm->rows * gemm->columns + TD_GEMM_PIXELS - 1) / TD_GEMM_PIXELS;
    struct td_gemm_position position = {0, 0};
    struct td_gemm_windows windows;
    bool has_row_offsets = false;

    input += pointwise->input_origin;
    if (pixels < 0) {
        td_gemm_move(gemm, &position, TD_GEMM_PIXELS * (tiles - 1));
    }
    for (; tiles > 0; tiles--) {
        int8_t *to = output;
        if (position.column + TD_GEMM_PIXELS <= gemm->columns) {
            const int32_t step = pointwise->input_pixel_step;
            const int8_t *const from = input + position.row * pointwise->input_row_step + position.column * step;
            windows.from[0] = from;
            windows.from[1] = from + step;
            windows.from[2] = from + 2 * step;
            windows.from[3] = from + 3 * step;
            to += td_gemm_offset(gemm, position);
            if (!has_row_offsets) {
                td_gemm_offsets_in_row(gemm, td_gemm_offsets(gemm, buffer));
                has_row_offsets = true;
            }
        } else {
            find_pixels(pointwise, input, position, windows.from, td_gemm_offsets(gemm, buffer));
            has_row_offsets = false;
        }
        if (pointwise->plane_bytes > 1) {
            expand_planes(buffer, windows.from, pointwise->plane_bytes, groups);
        } else if (groups > 0) {
            td_gemm_expand(buffer, &windows, 1, groups);
        }
        if (4 * groups < pointwise->input_channels) {
            expand_rest(buffer, windows.from, pointwise->plane_bytes, 4 * groups, pointwise->input_channels);
        }
        td_gemm_multiply(gemm, buffer, to);
        td_gemm_move(gemm, &position, pixels);
    }
}
