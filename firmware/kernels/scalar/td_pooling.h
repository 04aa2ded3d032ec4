/* The windows of pooling kernels. */
#ifndef TD_POOLING_H
#define TD_POOLING_H

#include "td_pool.h"
#include "td_window.h"

/* The part of a window that is inside the input: `height` rows of `width` positions. */
struct td_pooled {
    const int8_t *values; /* the first channel of its first position */
    int32_t height, width;
};

static inline struct td_pooled td_pooled_at(const struct td_pool *pool, const int8_t *input, int32_t row,
                                            int32_t column)
{
    const int32_t y = row * pool->stride_height - pool->pad_top;
    const int32_t x = column * pool->stride_width - pool->pad_left;
    const struct td_taps rows = td_taps_inside(y, 1, pool->filter_height, pool->input_height);
    const struct td_taps columns = td_taps_inside(x, 1, pool->filter_width, pool->input_width);
    return (struct td_pooled){
        .values = input + ((y + rows.begin) * pool->input_width + x + columns.begin) * pool->channels,
        .height = rows.end - rows.begin,
        .width = columns.end - columns.begin,
    };
}

#endif
