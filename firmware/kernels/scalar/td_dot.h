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

/* Not inlined, all of these: among the loops around them GCC 12 keeps the pointers in memory. */

/* Adds to four sums; the weights of neighbouring channels stand `next` apart. */
#if defined(__thumb__) && !defined(__thumb2__)
/* 15 instructions for 4 products. */
static __attribute__((noinline, unused)) void td_dot_four(int32_t sums[4], const struct td_runs *runs,
                                                          const int8_t *values, const int8_t *weights, int32_t next)
{
    const int32_t length = runs->length;
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];

    for (int32_t count = runs->count; count > 0; count--) {
        const int8_t *value = values + length;
        const int8_t *first = weights + length;
        const int8_t *second = first + next;
        const int8_t *third = second + next;
        const int8_t *fourth = third + next;
        TD_AS_WRITTEN(value);
        TD_AS_WRITTEN(second);
        TD_AS_WRITTEN(third);
        TD_AS_WRITTEN(fourth);
        for (int32_t i = -length; i != 0;) {
            const int32_t factor = value[i];
            TD_ADD(a, factor * first[i]);
            TD_ADD(b, factor * second[i]);
            TD_ADD(c, factor * third[i]);
            TD_ADD(d, factor * fourth[i]);
            i++;
            TD_AS_WRITTEN(i);
        }
        values += runs->step;
        weights = first + runs->skip;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}
#else
#define TD_DOT_FOUR_STEP                \
    do {                                \
        const int32_t factor = *value++; \
        a += factor * *first++;         \
        b += factor * *second++;        \
        c += factor * *third++;         \
        d += factor * *fourth++;        \
        TD_AS_WRITTEN(value);           \
        TD_AS_WRITTEN(first);           \
        TD_AS_WRITTEN(second);          \
        TD_AS_WRITTEN(third);           \
        TD_AS_WRITTEN(fourth);          \
    } while (0)

/* 9 instructions for 4 products, and 2 for 16. */
static __attribute__((noinline, unused)) void td_dot_four(int32_t sums[4], const struct td_runs *runs,
                                                          const int8_t *values, const int8_t *weights, int32_t next)
{
    const int8_t *first = weights;
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];

    for (int32_t count = runs->count; count > 0; count--) {
        const int8_t *value = values;
        const int8_t *second = first + next;
        const int8_t *third = second + next;
        const int8_t *fourth = third + next;
        for (const int8_t *const end = value + (runs->length & ~3); value != end;) {
            TD_DOT_FOUR_STEP;
            TD_DOT_FOUR_STEP;
            TD_DOT_FOUR_STEP;
            TD_DOT_FOUR_STEP;
        }
        for (const int8_t *const end = value + (runs->length & 3); value != end;) {
            TD_DOT_FOUR_STEP;
        }
        values += runs->step;
        first += runs->skip;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}
#endif

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
