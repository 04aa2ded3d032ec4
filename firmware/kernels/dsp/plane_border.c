#include "td_plane_border.h"

#include "td_dsp.h"

static void fill(int8_t *to, int32_t bytes, uint32_t word)
{
    for (; bytes >= 4; bytes -= 4, to += 4) {
        td_store4(to, word);
    }
    if (bytes & 2) {
        const uint16_t half = (uint16_t)word;
        memcpy(to, &half, sizeof half);
        to += 2;
    }
    if (bytes & 1) {
        *to = (int8_t)(word & 0xffu);
    }
}

/* Between rows, `gaps` times. One or two bytes are what a border of one column leaves, behind rows or on both sides. */
static void fill_gaps(int8_t *to, int32_t gaps, int32_t bytes, int32_t pitch, uint32_t word)
{
    const uint16_t half = (uint16_t)word;

    if (bytes == 2) {
        for (; gaps > 0; gaps--, to += pitch) {
            memcpy(to, &half, sizeof half);
        }
    } else if (bytes == 1) {
        for (; gaps > 0; gaps--, to += pitch) {
            *to = (int8_t)(word & 0xffu);
        }
    } else if (bytes > 0) {
        for (; gaps > 0; gaps--, to += pitch) {
            fill(to, bytes, word);
        }
    }
}

void td_plane_border(const struct td_plane_border *border, int8_t *planes)
{
    const struct td_planes *const shape = &border->planes;
    const uint32_t word = (uint8_t)border->value * UINT32_C(0x01010101);
    const int32_t first_gap = shape->origin + shape->width;
    const int32_t tail = first_gap + (shape->height - 1) * shape->pitch;

    for (int32_t channel = shape->channels; channel > 0; channel--, planes += shape->plane_bytes) {
        fill(planes, shape->origin, word);
        fill_gaps(planes + first_gap, shape->height - 1, shape->pitch - shape->width, shape->pitch, word);
        fill(planes + tail, shape->plane_bytes - tail, word);
    }
}
