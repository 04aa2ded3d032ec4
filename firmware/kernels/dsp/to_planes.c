#include "td_to_planes.h"

#include "td_dsp.h"

#define EVEN_BYTES UINT32_C(0x00ff00ff)

/* 4 pixels of 4 channels: pixels[i] has channels 0..3 of pixel i. Row c of the square goes to output + c * plane. */
static inline void turn(const uint32_t pixels[4], int8_t *output, int32_t plane)
{
    const uint32_t even01 = (pixels[0] & EVEN_BYTES) | (pixels[1] & EVEN_BYTES) << 8;
    const uint32_t even23 = (pixels[2] & EVEN_BYTES) | (pixels[3] & EVEN_BYTES) << 8;
    const uint32_t odd01 = (pixels[0] >> 8 & EVEN_BYTES) | (pixels[1] & ~EVEN_BYTES);
    const uint32_t odd23 = (pixels[2] >> 8 & EVEN_BYTES) | (pixels[3] & ~EVEN_BYTES);
    td_store4(output, td_pkhbt(even01, even23));
    td_store4(output + plane, td_pkhbt(odd01, odd23));
    td_store4(output + 2 * plane, td_pkhtb(even23, even01));
    td_store4(output + 3 * plane, td_pkhtb(odd23, odd01));
}

/* One row of 4 channels. */
static void row_of_4(const int8_t *input, int32_t channels, int32_t width, int8_t *output, int32_t plane)
{
    for (; width >= 4; width -= 4, input += 4 * channels, output += 4) {
        const uint32_t pixels[4] = {td_load4(input), td_load4(input + channels), td_load4(input + 2 * channels),
                                    td_load4(input + 3 * channels)};
        turn(pixels, output, plane);
    }
    for (; width > 0; width--, input += channels, output++) {
        for (int32_t channel = 0; channel < 4; channel++) {
            output[channel * plane] = input[channel];
        }
    }
}

static void row_of_1(const int8_t *input, int32_t channels, int32_t width, int8_t *output)
{
    for (int8_t *const end = output + width; output != end; input += channels) {
        *output++ = *input;
    }
}

void td_to_planes(const struct td_to_planes *to_planes, const int8_t *input, int8_t *output)
{
    const struct td_planes *const shape = &to_planes->planes;
    const int32_t channels = shape->channels;

    for (int32_t y = 0; y < shape->height; y++, input += shape->width * channels) {
        int8_t *to = output + shape->origin + y * shape->pitch;
        int32_t channel = 0;
        for (; channel + 4 <= channels; channel += 4, to += 4 * shape->plane_bytes) {
            row_of_4(input + channel, channels, shape->width, to, shape->plane_bytes);
        }
        for (; channel < channels; channel++, to += shape->plane_bytes) {
            row_of_1(input + channel, channels, shape->width, to);
        }
    }
}
