/* What a window that hangs over the input's edge sees there: the zero point. */
#ifndef TD_OUTSIDE_H
#define TD_OUTSIDE_H

#include "td_window.h"

static inline int32_t td_sum_of(const int8_t *weights, int32_t n)
{
    int32_t sum = 0;
    for (const int8_t *const end = weights + n; weights < end;) {
        sum += *weights++;
    }
    return sum;
}

/* The sum of the weights whose taps are not in rows x columns. A tap has `depth` weights, a row `width` taps. */
static __attribute__((noinline, unused)) int32_t td_sum_outside(const int8_t *weights, int32_t height, int32_t width,
                                                                int32_t depth, struct td_taps rows,
                                                                struct td_taps columns)
{
    const int32_t line = width * depth;
    const int32_t begin = columns.begin * depth;
    const int32_t end = columns.end * depth;
    int32_t sum = td_sum_of(weights, rows.begin * line);

    weights += rows.begin * line;
    if (begin > 0 || end < line) {
        for (int32_t row = rows.begin; row < rows.end; row++, weights += line) {
            sum += td_sum_of(weights, begin) + td_sum_of(weights + end, line - end);
        }
    } else {
        weights += (rows.end - rows.begin) * line;
    }
    return sum + td_sum_of(weights, (height - rows.end) * line);
}

/* The positions [begin, end) of `count` along one side at which a window is wholly inside. */
static inline struct td_taps td_positions_inside(int32_t count, int32_t stride, int32_t pad, int32_t span, int32_t size)
{
    struct td_taps inside = {0, count};
    while (inside.begin < count && inside.begin * stride < pad) {
        inside.begin++;
    }
    while (inside.end > inside.begin && (inside.end - 1) * stride - pad + span > size) {
        inside.end--;
    }
    return inside;
}

/* Where the positions end that see the input as the one at `begin` does: those inside do, all others differ. */
static inline int32_t td_end_of_alike(int32_t begin, struct td_taps inside)
{
    return begin == inside.begin && inside.end > begin ? inside.end : begin + 1;
}

#endif
