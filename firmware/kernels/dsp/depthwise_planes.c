#include "td_depthwise_planes.h"

#include <stdbool.h>
#include <string.h>

#include "td_dsp.h"

#ifndef __ARM_FEATURE_DSP /* else depthwise_strips.S has these functions */

/* What both forms requantise: `constants` are the channel's. */
static int32_t sum_of(const uint32_t *constants, const int8_t *values, int32_t pitch)
{
    const uint32_t first = constants[0];
    const uint32_t second = constants[1];
    const uint32_t row[3] = {td_load4(values), td_load4(values + pitch), td_load4(values + 2 * pitch)};
    const uint32_t centre = td_sxtb16_ror8(first);

    int32_t sum = td_smlad(td_sxtb16(row[0]), td_sxtb16(first), (int32_t)constants[3]);
    sum = td_smlabb(td_sxtb16_ror8(row[0]), centre, sum);
    sum = td_smlad(td_sxtb16(row[1]), td_sxtb16(second), sum);
    sum = td_smlabt(td_sxtb16_ror8(row[1]), centre, sum);
    sum = td_smlad(td_sxtb16(row[2]), td_sxtb16(constants[2]), sum);
    return td_smlabb(td_sxtb16_ror8(row[2]), td_sxtb16_ror8(second), sum);
}

/* shift: that of the fitted form, or 0 for the general form. In place no value is written before its last use, as with strips. */
static void depthwise_planes(const struct td_depthwise_planes *conv, const int8_t *input, int8_t *output,
                             int32_t stride, int32_t shift)
{
    const uint32_t *constants = conv->constants;

    for (int32_t channel = 0; channel < conv->channels; channel++, constants += conv->constant_words) {
        const int32_t multiplier = (int32_t)constants[4];
        const int32_t offset = (int32_t)constants[5];
        for (int32_t y = 0; y < conv->rows; y++) {
            for (int32_t x = 0; x < conv->columns; x++) {
                const int8_t *const values = input + (y * conv->input_pitch + x) * stride;
                const int32_t sum = sum_of(constants, values, conv->input_pitch);
                output[y * conv->output_pitch + x] =
                    (int8_t)(shift ? td_ssat8(td_smmla(sum, multiplier, offset), shift)
                                   : td_ssat8(td_smmlar(2 * sum, multiplier, offset + (sum >> 31)), constants[6]));
            }
        }
        input += conv->input_plane_bytes;
        output += conv->output_plane_bytes;
    }
}

#define FORM(name, stride, shift)                                                             \
    void name(const struct td_depthwise_planes *conv, const int8_t *input, int8_t *output)    \
    {                                                                                         \
        depthwise_planes(conv, input, output, stride, shift);                                 \
    }
#define FITTED(shift)                                   \
    FORM(td_depthwise_planes_1_shift_##shift, 1, shift) \
    FORM(td_depthwise_planes_2_shift_##shift, 2, shift)

TD_DEPTHWISE_SHIFTS(FITTED)
FORM(td_depthwise_planes_1_general, 1, 0)
FORM(td_depthwise_planes_2_general, 2, 0)

#endif

/* To a lower address, which the source may overlap. */
static void move_down(int8_t *to, const int8_t *from, int32_t bytes)
{
    for (; bytes >= 4; bytes -= 4, to += 4, from += 4) {
        td_store4(to, td_load4(from));
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
}

/* Stride 2, output == input. A strip's outputs would overwrite inputs of the strips beside it if rows came closer
 * together: with the input's pitch, output (y, x) at y * pitch + x only takes the place of input (y, x), whose last
 * use is in output (y / 2, x / 2), never later. So the first plane keeps its pitch, and then its rows move up.
 * All other planes are safe: input planes have (2 rows + 1) * (2 columns + 1) values or more, so that output plane
 * c >= 1 ends at (c + 1) * rows * columns <= 2 c * rows * columns, before input plane c begins. */
static void halve_in_place(const struct td_depthwise_planes *conv, int8_t *planes)
{
    struct td_depthwise_planes part = *conv;

    part.channels = 1;
    part.output_pitch = conv->input_pitch;
    part.form(&part, planes, planes);
    for (int32_t y = 1; y < conv->rows; y++) {
        move_down(planes + y * conv->output_pitch, planes + y * conv->input_pitch, conv->output_pitch);
    }
    if (conv->channels > 1) {
        part = *conv;
        part.channels--;
        part.constants += conv->constant_words;
        part.form(&part, planes + conv->input_plane_bytes, planes + conv->output_plane_bytes);
    }
}

void td_depthwise_planes(const struct td_depthwise_planes *conv, const int8_t *input, int8_t *output)
{
    const bool halves = conv->output_pitch != conv->input_pitch || conv->output_plane_bytes != conv->input_plane_bytes;

    if (halves && output == input) {
        halve_in_place(conv, output);
    } else if (halves || output == input) {
        conv->form(conv, input, output);
    } else {
        memcpy(output, input, (size_t)(conv->channels * conv->input_plane_bytes));
        conv->form(conv, output, output);
    }
}
