/* Where a sliding window lies on its input. */
#ifndef TD_WINDOW_H
#define TD_WINDOW_H

#include <stdint.h>

/* The taps [begin, end) of a window's side. */
struct td_taps {
    int32_t begin, end;
};

/* The taps that fall into [0, size), possibly none: tap i stands at origin + i * dilation. */
static inline struct td_taps td_taps_inside(int32_t origin, int32_t dilation, int32_t taps, int32_t size)
{
    struct td_taps inside = {0, taps};
    while (inside.begin < taps && origin + inside.begin * dilation < 0) {
        inside.begin++;
    }
    while (inside.end > inside.begin && origin + (inside.end - 1) * dilation >= size) {
        inside.end--;
    }
    return inside;
}

#endif
