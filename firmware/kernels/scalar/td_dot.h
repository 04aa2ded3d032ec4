/* Products of values and weights, summed for one position and four channels, or one. */
#ifndef TD_DOT_H
#define TD_DOT_H

#include <stdint.h>

/* Where the values stand: `count` runs of `length` contiguous values, `step` apart. The weights follow each other, but
 * `skip` of them are left out behind each run. */
struct td_runs {
    int32_t count, length, step, skip;
};

/* Keeps GCC from rewriting how a pointer or an index moves: it then uses a load that increments (Armv7-M), or one index
 * for all arrays (Armv6-M), where left alone it takes an addition for each array. */
#if defined(__thumb__) && !defined(__thumb2__)
#define TD_AS_WRITTEN(pointer) __asm__("" : "+l"(pointer))
/* Eight registers can be operands of a multiplication; the others can be added to, which GCC does not come up with. */
#define TD_ADD(sum, product) __asm__("add %0, %1" : "+h"(sum) : "l"(product))
#else
#define TD_AS_WRITTEN(pointer) __asm__("" : "+r"(pointer))
#define TD_ADD(sum, product) ((sum) += (product))
#endif

/* One run for four channels; all pointers move behind it. */
#if defined(__thumb__) && !defined(__thumb2__)
/* 14 instructions for 4 products, and 2 for 16. */
#define TD_DOT_STEP                     \
    do {                                \
        const int32_t factor = value[i]; \
        TD_ADD(a, factor * first[i]);   \
        TD_ADD(b, factor * second[i]);  \
        TD_ADD(c, factor * third[i]);   \
        TD_ADD(d, factor * fourth[i]);  \
        i++;                            \
        TD_AS_WRITTEN(i);               \
    } while (0)
#define TD_DOT_RUN(length)        \
    do {                          \
        int32_t i = -(length);    \
        value += (length);        \
        first += (length);        \
        second += (length);       \
        third += (length);        \
        fourth += (length);       \
        TD_AS_WRITTEN(value);     \
        TD_AS_WRITTEN(second);    \
        TD_AS_WRITTEN(third);     \
        TD_AS_WRITTEN(fourth);    \
        while ((i & 3) != 0) {    \
            TD_DOT_STEP;          \
        }                         \
        while (i != 0) {          \
            TD_DOT_STEP;          \
            TD_DOT_STEP;          \
            TD_DOT_STEP;          \
            TD_DOT_STEP;          \
        }                         \
    } while (0)
#else
/* 9 instructions for 4 products, and 2 for 16. */
#define TD_DOT_STEP                      \
    do {                                 \
        const int32_t factor = *value++; \
        a += factor * *first++;          \
        b += factor * *second++;         \
        c += factor * *third++;          \
        d += factor * *fourth++;         \
        TD_AS_WRITTEN(value);            \
        TD_AS_WRITTEN(first);            \
        TD_AS_WRITTEN(second);           \
        TD_AS_WRITTEN(third);            \
        TD_AS_WRITTEN(fourth);           \
    } while (0)
#define TD_DOT_RUN(length)                                                      \
    do {                                                                        \
        for (const int8_t *const end = value + ((length) & ~3); value != end;) { \
            TD_DOT_STEP;                                                        \
            TD_DOT_STEP;                                                        \
            TD_DOT_STEP;                                                        \
            TD_DOT_STEP;                                                        \
        }                                                                       \
        for (const int8_t *const end = value + ((length) & 3); value != end;) { \
            TD_DOT_STEP;                                                        \
        }                                                                       \
    } while (0)
#endif

/* Not inlined, these: among the loops around them GCC 12 keeps the pointers in memory. */

/* Computes `channels` sums, a multiple of four, from what they start with, and `sums` may be `starts`. The weights of
 * neighbouring channels stand `next` apart. */
static __attribute__((noinline, unused)) void td_dot_fours(int32_t *sums, const int32_t *starts, int32_t channels,
                                                           const struct td_runs *runs, const int8_t *values,
                                                           const int8_t *weights, int32_t next)
{
    for (; channels > 0; channels -= 4, weights += 4 * next) {
        int32_t a = *starts++;
        int32_t b = *starts++;
        int32_t c = *starts++;
        int32_t d = *starts++;
        const int8_t *line = values;
        const int8_t *first = weights;
        for (int32_t count = runs->count; count > 0; count--, line += runs->step, first += runs->skip) {
            const int8_t *value = line;
            const int8_t *second = first + next;
            const int8_t *third = second + next;
            const int8_t *fourth = third + next;
            TD_DOT_RUN(runs->length);
        }
        *sums++ = a;
        *sums++ = b;
        *sums++ = c;
        *sums++ = d;
    }
}

/* The sum of one channel. */
static __attribute__((noinline, unused)) int32_t td_dot_one(const struct td_runs *runs, const int8_t *values,
                                                            const int8_t *weights)
{
    int32_t sum = 0;

    for (int32_t count = runs->count; count > 0; count--) {
        const int8_t *value = values;
        /* Four at a time: the loop's own instructions would be a third of the work. */
        for (const int8_t *const end = value + (runs->length & ~3); value != end; value += 4, weights += 4) {
            sum += value[0] * weights[0] + value[1] * weights[1];
            sum += value[2] * weights[2] + value[3] * weights[3];
        }
        for (const int8_t *const end = value + (runs->length & 3); value != end;) {
            sum += *value++ * *weights++;
        }
        values += runs->step;
        weights += runs->skip;
    }
    return sum;
}

#endif
