/* What gemm_tile.S has for DSP cores, for hosts: instruction by instruction the same, to test what is around it. */
#include "td_gemm.h"

#ifndef __ARM_FEATURE_DSP

/* Sums of a pair of channels: first[pixel], second[pixel]. */
struct sums {
    int32_t first[TD_GEMM_PIXELS], second[TD_GEMM_PIXELS];
};

static const uint32_t *sum_up(struct sums *sums, const int32_t *values, int32_t depth, const uint32_t *stream,
                              bool is_wide)
{
    for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
        sums->first[i] = (int32_t)stream[0];
        sums->second[i] = (int32_t)stream[1];
    }
    stream += 2;
    for (int32_t k = 0; k < depth; k += 2, values += TD_GEMM_PIXELS) {
        const uint32_t first = *stream++;
        const uint32_t second = is_wide ? *stream++ : td_sxtb16(first);
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            sums->first[i] = td_smlad((uint32_t)values[i], first, sums->first[i]);
            sums->second[i] = td_smlad((uint32_t)values[i], second, sums->second[i]);
        }
    }
    for (int32_t i = 0; i < TD_GEMM_PIXELS && !is_wide; i++) {
        sums->first[i] = td_wrapping_sum(sums->first[i], (int32_t)(0u - (uint32_t)sums->second[i]));
    }
    return stream;
}

/* `extra`: bits that the sums have below those of their value. */
static int32_t output_of(int32_t sum, const uint32_t *constants, int32_t shift, int32_t extra)
{
    const int32_t multiplier = (int32_t)constants[0];
    const int32_t offset = (int32_t)constants[1];
    if (shift >= 0) {
        return td_ssat8(td_smmla(sum, multiplier, offset), shift + extra);
    }
    const int32_t doubled = extra ? sum >> (extra - 1) : td_wrapping_sum(sum, sum);
    return td_ssat8(td_smmlar(doubled, multiplier, td_wrapping_sum(offset, sum >> 31)), (int32_t)constants[2]);
}

static void tile(const struct td_gemm_channels *channels, int32_t *buffer, int8_t *output, bool is_wide, int32_t shift)
{
    const int32_t *const offsets = buffer + channels->depth * 2 + 1;
    const int32_t constants = shift >= 0 ? 2 : 3;
    const uint32_t *stream = channels->stream;

    while (stream < channels->stream + channels->words) {
        struct sums sums;
        stream = sum_up(&sums, buffer, channels->depth, stream, is_wide);
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            output[offsets[i]] = (int8_t)output_of(sums.first[i], stream, shift, is_wide ? 0 : 8);
        }
        output += channels->channel_step;
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            output[offsets[i]] = (int8_t)output_of(sums.second[i], stream + constants, shift, 0);
        }
        output += channels->channel_step;
        stream += 2 * constants;
    }
}

#define TILE(name, is_wide, shift)                                                                \
    void name(const struct td_gemm_channels *channels, int32_t *buffer, int8_t *output)           \
    {                                                                                             \
        tile(channels, buffer, output, is_wide, shift);                                           \
    }
#define FITTED(shift) TILE(td_gemm_4x2_shift_##shift, false, shift)
#define FITTED_WIDE(shift) TILE(td_gemm_4x2_wide_shift_##shift, true, shift)

TD_GEMM_SHIFTS(FITTED)
TD_GEMM_WIDE_SHIFTS(FITTED_WIDE)
TILE(td_gemm_4x2_general, false, -1)
TILE(td_gemm_4x2_wide_general, true, -1)

void td_gemm_expand(int32_t *buffer, const struct td_gemm_windows *windows, int32_t rows, int32_t groups)
{
    struct td_gemm_windows at = *windows;

    for (int32_t row = 0; row < rows; row++) {
        for (int32_t group = 0; group < groups; group++, buffer += 2 * TD_GEMM_PIXELS) {
            for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
                const uint32_t word = td_load4(at.from[i]);
                buffer[i] = (int32_t)td_sxtb16(word);
                buffer[TD_GEMM_PIXELS + i] = (int32_t)td_sxtb16_ror8(word);
                at.from[i] += 4;
            }
        }
        for (int32_t i = 0; i < TD_GEMM_PIXELS; i++) {
            at.from[i] += row + 1 < rows ? at.skip[i] : 0;
        }
    }
}

#endif
