/* What winograd_tile.S has for DSP cores, for hosts: the same arithmetic, to test what is around it. */
#include "td_conv_2d_winograd.h"

#ifndef __ARM_FEATURE_DSP

/* Of a pair of channels: [position][channel][tile]. */
typedef int32_t position_sums[TD_WINOGRAD_POSITIONS][2][TD_WINOGRAD_TILES];

/* Sums that go on from each position to the next. */
static const uint32_t *sum_up(position_sums sums, const uint32_t *values, int32_t groups, const uint32_t *stream)
{
    int32_t running[2][TD_WINOGRAD_TILES];

    for (int32_t i = 0; i < 2 * TD_WINOGRAD_TILES; i++) {
        running[i / TD_WINOGRAD_TILES][i % TD_WINOGRAD_TILES] = (int32_t)stream[i / TD_WINOGRAD_TILES];
    }
    stream += 2;
    for (int32_t position = 0; position < TD_WINOGRAD_POSITIONS; position++, values += 2 * TD_WINOGRAD_TILES) {
        for (int32_t word = 0; word < 2 * groups; word++, stream += 2) {
            const uint32_t *const from =
                values + word / 2 * TD_WINOGRAD_GROUP_WORDS + word % 2 * TD_WINOGRAD_TILES;
            for (int32_t tile = 0; tile < TD_WINOGRAD_TILES; tile++) {
                running[0][tile] = td_smlad(from[tile], stream[0], running[0][tile]);
                running[1][tile] = td_smlad(from[tile], stream[1], running[1][tile]);
            }
        }
        memcpy(sums[position], running, sizeof running);
    }
    return stream;
}

/* 4 times the accumulators of a tile's outputs, row by row, from the sums after each position. */
static void accumulators_of(uint32_t result[4], position_sums sums, int32_t channel, int32_t tile)
{
    uint32_t at[1 + TD_WINOGRAD_POSITIONS] = {0}; /* before and after each position */
    uint32_t p[4], q[4];                          /* of columns 1, 2, 0, 3: rows 0 + 1 + 2, and 1 - 2 - 3 */

    for (int32_t i = 0; i < TD_WINOGRAD_POSITIONS; i++) {
        at[1 + i] = (uint32_t)sums[i][channel][tile];
    }
    for (int32_t column = 0; column < 4; column++) {
        const uint32_t *const of = at + 4 * column;
        p[column] = of[4] + of[1] - 2u * of[2];
        q[column] = of[3] - of[0];
    }
    p[0] = at[4] - at[3] + 2u * at[1] - at[2];
    result[0] = p[0] + p[1] + p[2];
    result[1] = p[0] - p[1] - p[3];
    result[2] = q[0] + q[1] + q[2];
    result[3] = q[0] - q[1] - q[3];
}

static int8_t output_of(int32_t sum, const uint32_t *constants, int32_t shift)
{
    const int32_t multiplier = (int32_t)constants[0];
    const int32_t offset = (int32_t)constants[1];
    if (shift >= 0) {
        return (int8_t)td_ssat8(td_smmla(sum, multiplier, offset), shift + 2);
    }
    const int32_t scaled = td_smmlar(sum >> 1, multiplier, td_wrapping_sum(offset, sum >> 31));
    return (int8_t)td_ssat8(scaled, (int32_t)constants[2]);
}

static void tile_in_c(const struct td_winograd_channels *channels, const uint32_t *values, int8_t *output,
                      int32_t shift)
{
    const uint32_t *const offsets = values + channels->groups * TD_WINOGRAD_GROUP_WORDS;
    const int32_t constants = shift >= 0 ? 3 : 4;
    const uint32_t *stream = channels->stream;
    position_sums sums;

    while (stream < channels->stream + channels->words) {
        stream = sum_up(sums, values, channels->groups, stream);
        for (int32_t channel = 0; channel < 2; channel++, stream += constants) {
            for (int32_t tile = 0; tile < TD_WINOGRAD_TILES; tile++) {
                int8_t *const to = output + (int32_t)offsets[tile] + (int32_t)stream[constants - 1];
                uint32_t results[4];
                accumulators_of(results, sums, channel, tile);
                for (int32_t i = 3; i >= 0; i--) {
                    const int32_t step = i / 2 * channels->row_step + i % 2 * channels->column_step;
                    to[step] = output_of((int32_t)results[i], stream, shift);
                }
            }
        }
    }
}

#define FITTED(shift)                                                                                          \
    void td_winograd_tile_shift_##shift(const struct td_winograd_channels *channels, const uint32_t *values,   \
                                        int8_t *output)                                                        \
    {                                                                                                          \
        tile_in_c(channels, values, output, shift);                                                            \
    }

TD_WINOGRAD_SHIFTS(FITTED)

void td_winograd_tile_general(const struct td_winograd_channels *channels, const uint32_t *values, int8_t *output)
{
    tile_in_c(channels, values, output, -1);
}

#endif
