/* Products of values and weights, summed for three positions and two channels at once. */
#ifndef TD_TILE_H
#define TD_TILE_H

#include "td_dot.h"

#define TD_TILE_POSITIONS 3

struct td_tile {
    int32_t sums[2 * TD_TILE_POSITIONS]; /* the first channel's, then the second's; added to */
    const int8_t *values;                /* of the first position */
    int32_t distance;                    /* from one position's values to the next's */
    const int8_t *weights;               /* of the first channel */
    int32_t next;                        /* from there to the second channel's */
};

#if defined(__thumb2__)
/* r0 to r5 sums, r6 value, r7 distance, r8 weight, r9 next, r10 and r11 the two weights, r12 a value, lr end of values.
 * 11 instructions for 6 products, and 2 for 24. GCC 12 finds no registers for this: in C it takes 15 % more for 64
 * values in a run, and twice as much for 9. */
#define TD_TILE_STEP               \
    "ldrsb r11, [r8, r9]\n"        \
    "ldrsb r10, [r8], #1\n"        \
    "ldrsb r12, [r6, r7]\n"        \
    "mla r1, r12, r10, r1\n"       \
    "mla r4, r12, r11, r4\n"       \
    "ldrsb r12, [r6, r7, lsl #1]\n" \
    "mla r2, r12, r10, r2\n"       \
    "mla r5, r12, r11, r5\n"       \
    "ldrsb r12, [r6], #1\n"        \
    "mla r0, r12, r10, r0\n"       \
    "mla r3, r12, r11, r3\n"

static __attribute__((naked, noinline)) void td_dot_tile(struct td_tile *tile __attribute__((unused)),
                                                         const struct td_runs *runs __attribute__((unused)))
{
    __asm__("push {r0, r4-r11, lr}\n"
            "ldm r1, {r2-r5}\n"    /* count, length, step, skip */
            "subs r4, r4, r3\n"    /* from the end of a run to the next */
            "push {r2-r5}\n"
            "mov r12, r0\n"
            "add r6, r12, #24\n"
            "ldm r6, {r6-r9}\n"
            "ldm r12, {r0-r5}\n"
            "1: ldr r10, [sp, #4]\n"
            "bic lr, r10, #3\n"
            "add lr, r6\n"
            "cmp r6, lr\n"
            "beq 3f\n"
            "2:\n" TD_TILE_STEP TD_TILE_STEP TD_TILE_STEP TD_TILE_STEP
            "cmp r6, lr\n"
            "bne 2b\n"
            "ldr r10, [sp, #4]\n"
            "3: ands r10, #3\n"
            "beq 5f\n"
            "add lr, r6, r10\n"
            "4:\n" TD_TILE_STEP
            "cmp r6, lr\n"
            "bne 4b\n"
            "5: ldrd r10, r11, [sp, #8]\n"
            "add r6, r10\n"
            "add r8, r11\n"
            "ldr r10, [sp]\n"
            "subs r10, #1\n"
            "str r10, [sp]\n"
            "bgt 1b\n"
            "add sp, #16\n"
            "ldr r12, [sp]\n"
            "stm r12, {r0-r5}\n"
            "pop {r0, r4-r11, pc}\n");
}
#else
static __attribute__((noinline)) void td_dot_tile(struct td_tile *tile, const struct td_runs *runs)
{
    const int8_t *values = tile->values;
    const int8_t *weight = tile->weights;
    int32_t a = tile->sums[0], b = tile->sums[1], c = tile->sums[2];
    int32_t d = tile->sums[3], e = tile->sums[4], f = tile->sums[5];

    for (int32_t count = runs->count; count > 0; count--) {
        const int8_t *first = values;
        const int8_t *second = first + tile->distance;
        const int8_t *third = second + tile->distance;
        const int8_t *next = weight + tile->next;
        for (const int8_t *const end = first + runs->length; first != end;) {
            const int32_t weights[2] = {*weight++, *next++};
            const int32_t factors[3] = {*first++, *second++, *third++};
            a += factors[0] * weights[0];
            b += factors[1] * weights[0];
            c += factors[2] * weights[0];
            d += factors[0] * weights[1];
            e += factors[1] * weights[1];
            f += factors[2] * weights[1];
        }
        values += runs->step;
        weight += runs->skip;
    }
    tile->sums[0] = a;
    tile->sums[1] = b;
    tile->sums[2] = c;
    tile->sums[3] = d;
    tile->sums[4] = e;
    tile->sums[5] = f;
}
#endif

#endif
