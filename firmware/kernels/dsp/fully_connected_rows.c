#include "td_fully_connected_rows.h"

#include <stddef.h>

#include "td_dsp.h"

/* All outputs of one row; `values` up to `end` are its inputs (k, k + 2), (k + 1, k + 3), ... as int16 pairs. */
#ifdef __ARM_FEATURE_DSP

/* In fully_connected_groups.S, which knows the offsets of the fields. */
void td_fully_connected_groups(const int32_t *values, const int32_t *end, const struct td_fully_connected_rows *layer,
                               int8_t *output);

typedef char td_offsets_are_as_in_assembler[offsetof(struct td_fully_connected_rows, output_depth) == 6 &&
                                                    offsetof(struct td_fully_connected_rows, multiplier) == 8 &&
                                                    offsetof(struct td_fully_connected_rows, stream) == 20
                                                ? 1
                                                : -1];

#else

static const uint32_t *sum_up(int32_t sums[4], const uint32_t *stream, const int32_t *values, const int32_t *end)
{
    for (int32_t i = 0; i < 4; i++) {
        sums[i] = (int32_t)*stream++;
    }
    for (; values < end; values++) {
        for (int32_t i = 0; i < 4; i += 2) {
            const uint32_t weights = *stream++;
            sums[i] = td_smlad(weights, (uint32_t)*values, sums[i]);
            sums[i + 1] = td_smlad(td_sxtb16(weights), (uint32_t)*values, sums[i + 1]);
        }
    }
    for (int32_t i = 0; i < 4; i += 2) {
        sums[i] = (int32_t)((uint32_t)sums[i] - (uint32_t)sums[i + 1]) >> 8;
    }
    return stream;
}

static void td_fully_connected_groups(const int32_t *values, const int32_t *end,
                                      const struct td_fully_connected_rows *layer, int8_t *output)
{
    const uint32_t *stream = layer->stream;
    const int32_t common[3] = {layer->multiplier, layer->offset, layer->shift};
    int32_t sums[4];

    for (int32_t channel = 0; channel < layer->output_depth; channel++) {
        if (channel % 4 == 0) {
            stream = sum_up(sums, stream, values, end);
        }
        int32_t own[3];
        const int32_t *scale = common;
        if (layer->shift == 0) {
            memcpy(own, stream, sizeof own);
            stream += 3;
            scale = own;
        }
        const int32_t sum = sums[channel % 4];
        const int32_t doubled = (int32_t)((uint32_t)sum * 2u);
        output[channel] = (int8_t)td_saturate8(td_smmlar(doubled, scale[0], scale[1] + (sum >> 31)) >> scale[2]);
    }
}

#endif

static int32_t *expand_four(int32_t *to, uint32_t four)
{
    to[0] = (int32_t)td_sxtb16(four);
    to[1] = (int32_t)td_sxtb16_ror8(four);
    return to + 2;
}

/* The row's values as the sums need them; returns the end. */
static int32_t *expand(int32_t *to, const int8_t *row, int32_t depth)
{
    for (const int8_t *const end = row + (depth & ~3); row < end; row += 4) {
        to = expand_four(to, td_load4(row));
    }
    if ((depth & 3) == 0) {
        return to;
    }
    uint32_t rest = 0;
    for (int32_t i = 0; i < (depth & 3); i++) {
        rest |= (uint32_t)(uint8_t)row[i] << 8 * i;
    }
    return expand_four(to, rest);
}

void td_fully_connected_rows(const struct td_fully_connected_rows *layer, const int8_t *input, int8_t *output,
                             int8_t *scratch)
{
    int32_t *const values = (int32_t *)(void *)scratch;

    for (int32_t row = 0; row < layer->rows; row++) {
        td_fully_connected_groups(values, expand(values, input, layer->input_depth), layer, output);
        input += layer->input_depth;
        output += layer->output_depth;
    }
}
