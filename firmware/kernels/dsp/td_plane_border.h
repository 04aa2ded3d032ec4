/* What lies around the values of channel planes. */
#ifndef TD_PLANE_BORDER_H
#define TD_PLANE_BORDER_H

#include <stdint.h>

/* Value (c, y, x) is at byte c * plane_bytes + origin + y * pitch + x, for y < height and x < width. */
struct td_planes {
    int32_t channels, height, width;
    int32_t pitch, plane_bytes, origin;
};

struct td_plane_border {
    struct td_planes planes;
    int32_t value; /* int8, as a rule the zero point */
};

/* Gives all bytes of the planes that are no values, before, between and behind rows, this value. About 4 instructions
 * for each row and for each 4 bytes of longer gaps, and 40 for each plane. No alignment is needed. */
void td_plane_border(const struct td_plane_border *border, int8_t *planes);

#endif
