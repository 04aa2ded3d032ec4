#include "td_pointwise.h"

/* Channels of 4 pixels that follow each other in memory, 4 channels a group: a word has one channel of all pixels. */
static void expand_neighbours(int32_t *buffer, const int8_t *from, int32_t plane_bytes, int32_t groups)
{
    for (const int32_t *const end = buffer + 8 * groups; buffer < end; from += 4 * plane_bytes) {
        for (int32_t half = 0; half < 2; half++, buffer += 4) {
            const uint32_t low = td_load4(from + half * plane_bytes);
            const uint32_t high = td_load4(from + (half + 2) * plane_bytes);
            const uint32_t low_even = td_sxtb16(low);
            const uint32_t low_odd = td_sxtb16_ror8(low);
            const uint32_t high_even = td_sxtb16(high);
            const uint32_t high_odd = td_sxtb16_ror8(high);
            buffer[0] = (int32_t)td_pkhbt(low_even, high_even);
            buffer[1] = (int32_t)td_pkhbt(low_odd, high_odd);
            buffer[2] = (int32_t)td_pkhtb(high_even, low_even);
            buffer[3] = (int32_t)td_pkhtb(high_odd, low_odd);
        }
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

/* Writes all channels of 4 pixels, whose first channels are at `windows->from`, to the buffer. */
static void expand(const struct td_pointwise *pointwise, const struct td_gemm_windows *windows, int32_t *buffer)
{
    const int8_t *const *from = windows->from;
    const int32_t plane_bytes = pointwise->plane_bytes;
    const int32_t groups = pointwise->input_channels / 4;

    if (groups > 0) {
        if (plane_bytes == 1) {
            td_gemm_expand(buffer, windows, 1, groups);
        } else if (from[3] - from[0] == 3) {
            expand_neighbours(buffer, from[0], plane_bytes, groups);
        } else {
            expand_scattered(buffer, from, plane_bytes, groups);
        }
    }
    for (int32_t channel = 4 * groups; channel < pointwise->input_channels; channel++) {
        td_gemm_expand_value(buffer, channel, from, channel * plane_bytes);
    }
}

/* Where the 4 pixels of a tile come from and go to. */
static void find_pixels(const struct td_pointwise *pointwise, struct td_gemm_position position, const int8_t *input,
                        const int8_t *from[4], int32_t offsets[4])
{
    const struct td_gemm *gemm = &pointwise->gemm;
    const int32_t input_step = pointwise->input_pixel_step;
    const int32_t output_step = gemm->pixel_step;

    if (position.column + TD_GEMM_PIXELS <= gemm->columns) {
        input += pointwise->input_origin + position.row * pointwise->input_row_step + position.column * input_step;
        const int32_t offset = td_gemm_offset(gemm, position);
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            from[i] = input + i * input_step;
            offsets[i] = offset + i * output_step;
        }
        return;
    }
    input += pointwise->input_origin;
    for (int32_t i = 0; i < TD_GEMM_PIXELS; i++, td_gemm_next(gemm, &position)) {
        from[i] = input + position.row * pointwise->input_row_step + position.column * input_step;
        offsets[i] = td_gemm_offset(gemm, position);
    }
}

void td_pointwise(const struct td_pointwise *pointwise, const int8_t *input, int8_t *output, int8_t *scratch)
{
    const struct td_gemm *gemm = &pointwise->gemm;
    int32_t *const buffer = (int32_t *)(void *)scratch;
    int32_t *const offsets = td_gemm_offsets(gemm, buffer);
    const int32_t tiles = (gemm->rows * gemm->columns + TD_GEMM_PIXELS - 1) / TD_GEMM_PIXELS;
    struct td_gemm_windows windows = {.skip = {0}};
    struct td_gemm_position position = {0, 0};

    if (pointwise->backwards) {
        td_gemm_move(gemm, &position, TD_GEMM_PIXELS * (tiles - 1));
    }
    for (int32_t tile = 0; tile < tiles; tile++) {
        find_pixels(pointwise, position, input, windows.from, offsets);
        expand(pointwise, &windows, buffer);
        td_gemm_multiply(gemm, buffer, output);
        td_gemm_move(gemm, &position, pointwise->backwards ? -TD_GEMM_PIXELS : TD_GEMM_PIXELS);
    }
}
