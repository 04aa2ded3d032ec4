/* The tile functions that td_conv_2d_winograd.h declares, for Armv7E-M and Armv8-M with the DSP extension.
 *
 * Assembler, since the products need 14 registers at once, and so do the sums on their way to outputs: in C a layer
 * takes 1.9 times as many instructions (GCC 12.2, -O2), or 1.3 to 1.4 times with -fno-schedule-insns. 2 channels of 4
 * tiles, 288 multiplications of a plain convolution for each input channel, take 88 instructions for each input channel
 * and 10 or more for each of 16 positions, then 350 until the outputs are stored, 450 by the general form.
 * One instance for every output shift that a model uses: td_shifts.h, generated, lists them.
 */
#include "td_shifts.h"

#ifndef TD_WINOGRAD_SHIFTS
#define TD_WINOGRAD_SHIFTS(X)
#endif

    .syntax unified
    .thumb

/* Registers while products are summed up. None is free: what is needed once a position stands in the frame. */
first0  .req r0     /* sums of the pair's first channel, by tile */
first1  .req r1
first2  .req r2
first3  .req r3
second0 .req r4     /* and of its second */
second1 .req r5
second2 .req r6
second3 .req r7
stream  .req r8     /* the next constants */
values  .req r9     /* the next values */
weight0 .req r10
weight1 .req r11
value0  .req r12
value1  .req lr

/* While sums become outputs, those of 2 tiles at a time:
 *   r0-r7   upper left, upper right, lower left, lower right, of each tile
 *   r8, r9  sums; then constants; then the tiles' addresses
 *   r10-lr  sums; then constants; then steps between the outputs */

/* The frame: words at sp. Whole lists of registers are loaded from it: order counts. */
    .equ FRAME_SUMS, 0          /* where the next position's go */
    .equ FRAME_END, 4           /* of the position's values */
    .equ FRAME_TO_NEXT, 8       /* from there to the next position's values */
    .equ FRAME_LAST, 12         /* where the sums end */
    .equ FRAME_ENTRY, 16        /* where the loop over the values is entered */
    .equ FRAME_STREAM_END, 20
    .equ FRAME_VALUES, 24       /* the first position's; behind it the end of them */
    .equ FRAME_FIRST_END, 28
    .equ FRAME_PLACES, 32       /* the upper left outputs of 4 tiles, channel 0 */
    .equ FRAME_COLUMN_STEP, 48
    .equ FRAME_ROW_STEP, 52
    .equ FRAME_BOTH_STEPS, 56   /* their sum */
    .equ FRAME_STREAM, 60
    .equ FRAME_POSITIONS, 64    /* sums: [position 16][channel 2][tile 4] */
    .equ FRAME_BYTES, 64 + 512

    .equ POSITION_BYTES, 32     /* of sums; and of 4 input channels' values */
    .equ GROUP_BYTES, 512       /* of 4 input channels' values, all positions */

/* 2 input channels: 16 multiplications. `advance`: from the last 2 tiles' values to the next. */
.macro step advance
    ldrd    weight0, weight1, [stream], #8
    ldrd    value0, value1, [values], #8
    smlad   first0, value0, weight0, first0
    smlad   first1, value1, weight0, first1
    smlad   second0, value0, weight1, second0
    smlad   second1, value1, weight1, second1
    ldrd    value0, value1, [values], #\advance
    smlad   first2, value0, weight0, first2
    smlad   first3, value1, weight0, first3
    smlad   second2, value0, weight1, second2
    smlad   second3, value1, weight1, second3
.endm

/* Loads the sums of a position, of the 2 tiles at \group. */
.macro sums low, high, position, group
    ldrd    \low, \high, [sp, #FRAME_POSITIONS + POSITION_BYTES * (\position) + (\group)]
.endm

/* \left \operation= p, the sum of rows 0, 1 and 2 of a column. Its sums are, in the order in which rows are added,
 * c - m3, c - m3 - m2, .. + m1, .. + m0, whatever c is: p is the last + the first - 2 * the second. \opposite is sub
 * where \operation is add. Leaves the last in \last0 and \last1 for the next column, whose c it is. */
.macro upper operation, opposite, left0, left1, position, group, last0, last1
    sums    r8, r9, \position, \group
    \operation \left0, \left0, r8
    \operation \left1, \left1, r9
    sums    r8, r9, \position + 1, \group
    \opposite \left0, \left0, r8, lsl #1
    \opposite \left1, \left1, r9, lsl #1
    sums    \last0, \last1, \position + 3, \group
    \operation \left0, \left0, \last0
    \operation \left1, \left1, \last1
.endm

/* r8, r9 = q = row 1 - row 2 - row 3 of a column: its sums after 3 2 1, less those that it began with. */
.macro lower position, group, begin0, begin1
    sums    r8, r9, \position + 2, \group
    sub     r8, r8, \begin0
    sub     r9, r9, \begin1
.endm

/* r0-r7 = 4 times the accumulators of 2 tiles: p1 + p2 + p0, p1 - p2 - p3, and the same of q. 56 instructions. */
.macro outputs_of group
    /* Column 1, in the order 1 2 3 0, since the sums begin with the bias: b + m1, .. - m2, .. - m3, .. + m0. */
    sums    r0, r1, 0, \group
    sums    r8, r9, 1, \group
    rsb     r0, r8, r0, lsl #1
    rsb     r1, r9, r1, lsl #1
    sums    r4, r5, 2, \group           /* q1 */
    sums    r10, r11, 3, \group
    add     r0, r0, r10
    add     r1, r1, r11
    sub     r0, r0, r4                  /* p1 */
    sub     r1, r1, r5
    /* Column 2 */
    sums    r8, r9, 4, \group
    sums    r12, lr, 5, \group
    sub     r8, r8, r12, lsl #1
    sub     r9, r9, lr, lsl #1
    sums    r12, lr, 7, \group
    add     r8, r8, r12
    add     r9, r9, lr
    sub     r2, r0, r8
    sub     r3, r1, r9
    add     r0, r0, r8
    add     r1, r1, r9
    lower   4, \group, r10, r11
    sub     r6, r4, r8
    sub     r7, r5, r9
    add     r4, r4, r8
    add     r5, r5, r9
    /* Column 0 */
    upper   add, sub, r0, r1, 8, \group, r10, r11
    lower   8, \group, r12, lr
    add     r4, r4, r8
    add     r5, r5, r9
    /* Column 3 */
    upper   sub, add, r2, r3, 12, \group, r12, lr
    lower   12, \group, r10, r11
    sub     r6, r6, r8
    sub     r7, r7, r9
.endm

/* y = saturate((4 * sum * multiplier >> 32) + 4 * offset >> shift + 2) */
.macro fitted shift
    ldm     r8, {r8, r9, r10}               /* multiplier, offset, place */
    .irp sum, r0, r1, r2, r3, r4, r5, r6, r7
    smmla   \sum, \sum, r8, r9
    .endr
    .irp sum, r0, r1, r2, r3, r4, r5, r6, r7
    ssat    \sum, #8, \sum, asr #(\shift + 2)
    .endr
.endm

/* t = (2 * sum * multiplier + 2^31) >> 32;  y = saturate(t + offset - (sum < 0) >> shift) */
.macro general
    ldm     r8, {r8, r9, r10, r11}          /* multiplier, offset, shift, place */
    .irp sum, r0, r1, r2, r3, r4, r5, r6, r7
    add     r12, r9, \sum, asr #31
    asr     \sum, \sum, #1                  /* 4 * sum: 2 * sum */
    smmlar  \sum, \sum, r8, r12
    asr     \sum, \sum, r10
    ssat    \sum, #8, \sum
    .endr
    mov     r10, r11
.endm

/* 2 tiles of a channel, whose constants are `skip` bytes behind those of the pair's first. */
.macro store_two shift, channel, tile, skip
    outputs_of (16 * \channel + 4 * \tile)
    ldr     r8, [sp, #FRAME_STREAM]
    .if \channel
    add     r8, r8, #\skip
    .endif
    .if \shift >= 0
    fitted  \shift
    .else
    general
    .endif
    ldrd    r8, r9, [sp, #FRAME_PLACES + 4 * \tile]
    ldrd    r11, r12, [sp, #FRAME_COLUMN_STEP]
    ldr     lr, [sp, #FRAME_BOTH_STEPS]
    add     r8, r8, r10
    add     r9, r9, r10
    strb    r6, [r8, lr]
    strb    r7, [r9, lr]
    strb    r4, [r8, r12]
    strb    r5, [r9, r12]
    strb    r2, [r8, r11]
    strb    r3, [r9, r11]
    strb    r0, [r8]
    strb    r1, [r9]
.endm

/* A tile function. `shift`: of all outputs; -1 where each channel has its own. */
.macro tile name, shift
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    push    {r4-r11, lr}
    sub     sp, sp, #FRAME_BYTES
    mov     values, r1
    ldm     r0, {r3, r4, r5, r6, r7}        /* stream, words, groups, column and row step */
    mov     stream, r3
    add     r4, stream, r4, lsl #2
    str     r4, [sp, #FRAME_STREAM_END]
    add     r4, r6, r7
    strd    r6, r7, [sp, #FRAME_COLUMN_STEP]
    str     r4, [sp, #FRAME_BOTH_STEPS]
    add     r4, values, r5, lsl #9          /* groups * GROUP_BYTES */
    strd    values, r4, [sp, #FRAME_VALUES]
    ldm     r4, {r4, r6, r7, r10}           /* offsets of the tiles */
    add     r4, r4, r2
    add     r6, r6, r2
    add     r7, r7, r2
    add     r10, r10, r2
    strd    r4, r6, [sp, #FRAME_PLACES]
    strd    r7, r10, [sp, #FRAME_PLACES + 8]
    /* Of 8 groups that a pass through the loop has, some are skipped at first. */
    rsb     r6, r5, #0
    and     r6, r6, #7
    mov     r7, #(3f - 2f) / 8
    adr     r10, 2f
    mla     r10, r6, r7, r10
    orr     r10, r10, #1                    /* Thumb */
    str     r10, [sp, #FRAME_ENTRY]
    mov     r6, #POSITION_BYTES
    sub     r6, r6, r5, lsl #9
    add     r7, sp, #FRAME_BYTES
    strd    r6, r7, [sp, #FRAME_TO_NEXT]
0:
    ldrd    first3, second3, [stream], #8
    .irp tile, 0, 1, 2
    mov     first\tile, first3
    mov     second\tile, second3
    .endr
    ldrd    values, weight1, [sp, #FRAME_VALUES]
    add     weight0, sp, #FRAME_POSITIONS
    strd    weight0, weight1, [sp, #FRAME_SUMS]
1:
    ldr     pc, [sp, #FRAME_ENTRY]
    .balign 4
2:
    .rept 8
    step    8
    step    (GROUP_BYTES - 24)
    .endr
3:
    ldm     sp, {weight0, weight1, value0, value1}  /* sums, end, to next, last */
    cmp     values, weight1
    bne     2b
    stm     weight0!, {r0-r7}
    add     values, values, value0
    add     weight1, weight1, #POSITION_BYTES
    stm     sp, {weight0, weight1}
    cmp     weight0, value1
    bne     1b

    str     stream, [sp, #FRAME_STREAM]
    .if \shift >= 0
    .equ    CONSTANT_BYTES, 12
    .else
    .equ    CONSTANT_BYTES, 16
    .endif
    store_two \shift, 0, 0, CONSTANT_BYTES
    store_two \shift, 0, 2, CONSTANT_BYTES
    store_two \shift, 1, 0, CONSTANT_BYTES
    store_two \shift, 1, 2, CONSTANT_BYTES
    ldr     stream, [sp, #FRAME_STREAM]
    ldr     weight0, [sp, #FRAME_STREAM_END]
    add     stream, stream, #(2 * CONSTANT_BYTES)
    cmp     stream, weight0
    bne     0b
    add     sp, sp, #FRAME_BYTES
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

#define FITTED(shift) tile td_winograd_tile_shift_##shift, shift;

TD_WINOGRAD_SHIFTS(FITTED)
    tile td_winograd_tile_general, -1
