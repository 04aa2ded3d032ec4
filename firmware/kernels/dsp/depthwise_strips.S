/* 3x3 depthwise convolution on channel planes, see td_depthwise_planes.h.
 *
 * A plane is done in strips of two columns, from the top down (an odd last column alone). Two sums per column roll
 * along, so that every row is loaded once: a row completes `sum`, whose outputs are stored; it then is the middle row
 * of `next`, which becomes `sum`, and the first row of a new `next`. With stride 2 there is no `next`: a row that
 * completes a sum starts the following one.
 *
 * One word holds a row's four values x0..x3: `even` = (x0, x2), `odd` = (x1, x3) as int16, so that two outputs are
 *     left  = SMLAD(even, outer) + odd.bottom * centre        x0*w0 + x2*w2 + x1*w1
 *     right = SMLAD(odd, outer) + even.top * centre           x1*w0 + x3*w2 + x2*w1
 *
 * Instructions per output, in all: 12.7 at 48x48, 12.9 at 24x24, 14.5 at 6x6; stride 2: 18.5, 19.1, 20.6 from the same
 * inputs; general form: 3.5 more. C with intrinsics takes 15.3 and 19.2 with stride 1: GCC 12 keeps three pointers for
 * one and reloads weights. No FPU register is used, as some cores have none: what finds no room lies in the frame.
 */
#include "td_shifts.h"

#ifndef TD_DEPTHWISE_SHIFTS
#define TD_DEPTHWISE_SHIFTS(X)
#endif

        .syntax unified
        .thumb

/* struct td_depthwise_planes */
        .equ    CONV_CONSTANTS, 4
        .equ    CONV_CHANNELS, 12
        .equ    CONV_ROWS, 16
        .equ    CONV_COLUMNS, 20
        .equ    CONV_PITCH, 24
        .equ    CONV_PLANE, 28
        .equ    CONV_OUTPUT_PITCH, 32
        .equ    CONV_OUTPUT_PLANE, 36

/* The frame. What is loaded together by LDRD stands together. */
        .equ    PITCH, 0            /* of the input */
        .equ    LAST, 4             /* value of `at` in the last turn of a strip's loop */
        .equ    TO_NEXT, 8          /* from `at` at the end of a strip to the next strip */
        .equ    STRIPS_END, 12      /* value of `at` behind the last strip of two columns */
        .equ    STEP, 16            /* stride 2: the input's pitch ... */
        .equ    OUTPUT_STEP, 20     /* ... and the output's */
        .equ    SAVED, 24           /* general form: `even` and `odd` */
        .equ    BIAS, 32
        .equ    RIGHT_SHIFT, 36     /* general form */
        .equ    SPAN, 40            /* from `at` before a strip's loop to LAST */
        .equ    ENTRY, 44           /* stride 1: where a strip enters its loop */
        .equ    OUTPUT_TO_NEXT, 44  /* stride 2: from `to` at the end of a strip to the next strip */
        .equ    CONV, 48
        .equ    CONSTANTS, 52       /* address of the next channel's */
        .equ    CHANNELS, 56        /* still to do */
        .equ    PLANE, 60           /* address of the channel's input ... */
        .equ    OUTPUT, 64          /* ... and, for stride 2, of its output */
        .equ    FRAME, 68

/* Registers of both strides. */
sum0    .req    r0                  /* of the left column */
sum1    .req    r1                  /* of the right column */
outer0  .req    r4                  /* (w00, w02) */
outer1  .req    r5                  /* (w10, w12) */
outer2  .req    r6                  /* (w20, w22) */
centre  .req    r7                  /* (w01, w11) */
centre2 .req    r8                  /* (w21, 0) */
mult    .req    r9
offset  .req    r10
even    .req    r11
odd     .req    r12
at      .req    lr                  /* address of a row: stride 1, of outputs; stride 2, of inputs */

/* Two columns, stride 1. */
next0   .req    r2                  /* of a single column, too */
next1   .req    r3

/* Two columns, stride 2. */
to      .req    r2                  /* address of a row of outputs; of a single column, too */
even2   .req    r3                  /* (x2, x4) */

/* A single column has room for two more constants. */
pitch   .req    r1
bias    .req    r3

/* The row that `odd` holds, split. */
.macro  split
        sxtb16  even, odd
        sxtb16  odd, odd, ror #8
.endm

/* Sums become outputs, where they are. shift: that of the fitted form, or 0 for the general form. */
.macro  requantise shift, first, second
    .if \shift
        smmla   \first, \first, mult, offset
        .ifnb \second
        smmla   \second, \second, mult, offset
        .endif
        ssat    \first, #8, \first, asr #\shift
        .ifnb \second
        ssat    \second, #8, \second, asr #\shift
        .endif
    .else
        strd    even, odd, [sp, #SAVED]
        ldr     even, [sp, #RIGHT_SHIFT]
        requantise_general \first
        .ifnb \second
        requantise_general \second
        .endif
        ldrd    even, odd, [sp, #SAVED]
    .endif
.endm

/* The sum is doubled already, as the weights and the bias are. `even` is the right shift, `odd` is lost. */
.macro  requantise_general sum
        add     odd, offset, \sum, asr #31
        smmlar  \sum, \sum, mult, odd
        asr     \sum, \sum, even
        ssat    \sum, #8, \sum
.endm

/* The constants of the next channel to registers and frame. */
.macro  load_channel shift
        ldr     r0, [sp, #CONSTANTS]
    .if \shift
        ldm     r0!, {r1, r2, r3, r9, r10, r11}
        str     r9, [sp, #BIAS]
        mov     mult, r10
        mov     offset, r11
    .else
        ldm     r0!, {r1, r2, r3, r9, r10, r11, r12}
        lsl     r9, r9, #1
        str     r9, [sp, #BIAS]
        mov     mult, r10
        mov     offset, r11
        str     r12, [sp, #RIGHT_SHIFT]
    .endif
        str     r0, [sp, #CONSTANTS]
        sxtb16  outer0, r1
        sxtb16  centre, r1, ror #8
        sxtb16  outer1, r2
        sxtb16  centre2, r2, ror #8
        sxtb16  outer2, r3
    .ifeq \shift
        sadd16  outer0, outer0, outer0
        sadd16  centre, centre, centre
        sadd16  outer1, outer1, outer1
        sadd16  centre2, centre2, centre2
        sadd16  outer2, outer2, outer2
    .endif
.endm

/* ---- Stride 1 ---- */

.macro  first_row_pair sum0, sum1
        ldr     \sum0, [sp, #BIAS]
        smlad   \sum1, odd, outer0, \sum0
        smlad   \sum0, even, outer0, \sum0
        smlatb  \sum1, even, centre, \sum1
        smlabb  \sum0, odd, centre, \sum0
.endm

/* to = from + the row as the kernel's middle one */
.macro  middle_row_pair to0, to1, from0, from1
        smlad   \to0, even, outer1, \from0
        smlad   \to1, odd, outer1, \from1
        smlabt  \to0, odd, centre, \to0
        smlatt  \to1, even, centre, \to1
.endm

.macro  last_row_pair shift
        smlad   sum0, even, outer2, sum0
        smlad   sum1, odd, outer2, sum1
        smlabb  sum0, odd, centre2, sum0
        smlatb  sum1, even, centre2, sum1
        requantise \shift, sum0, sum1
        strb    sum0, [at]
        strb    sum1, [at, #1]
.endm

.macro  row_pair shift
        last_row_pair \shift
        middle_row_pair sum0, sum1, next0, next1
        first_row_pair next0, next1
.endm

/* On to the next row of outputs; the last row of inputs for it is loaded. */
.macro  advance pitch
        add     at, at, \pitch
        ldr     odd, [at, \pitch, lsl #1]
        split
.endm

/* The strip whose first row of inputs is `at`. At the end `at` is its last row of outputs. Labels 20 to 24 are its. */
.macro  strip_pair_1 shift
        ldr     odd, [at]
        split
        first_row_pair sum0, sum1
        ldr     even, [sp, #PITCH]
        ldr     odd, [at, even]
        sub     at, at, even
        ldr     even, [sp, #SPAN]
        add     even, even, at
        str     even, [sp, #LAST]
        split
        middle_row_pair sum0, sum1, sum0, sum1
        first_row_pair next0, next1
        ldr     pc, [sp, #ENTRY]
20:     ldr     even, [sp, #PITCH]          /* rows - 2 turns, two at a time */
        advance even
        row_pair \shift
21:     ldrd    even, odd, [sp, #PITCH]     /* and LAST */
        add     at, at, even
        cmp     at, odd
        ldr     odd, [at, even, lsl #1]
        split
        row_pair \shift
        bne     20b
22:     ldr     even, [sp, #PITCH]
        advance even
        last_row_pair \shift
        middle_row_pair sum0, sum1, next0, next1
23:     ldr     even, [sp, #PITCH]
        advance even
        last_row_pair \shift
.endm

/* The same for one column, all rows of outputs in the loop: beyond the last two, sums begin that nobody wants. */
.macro  strip_single_1 shift
        ldrd    pitch, bias, [sp, #PITCH]
        ldr     bias, [sp, #BIAS]
        ldr     odd, [at]
        split
        smlad   sum0, even, outer0, bias
        smlabb  sum0, odd, centre, sum0
        ldr     odd, [at, pitch]
        sub     at, at, pitch
        ldr     next0, [sp, #SPAN]
        add     next0, next0, at
        add     next0, next0, pitch, lsl #1
        str     next0, [sp, #LAST]
        split
        smlad   next0, even, outer0, bias
        smlabb  next0, odd, centre, next0
        smlad   sum0, even, outer1, sum0
        smlabt  sum0, odd, centre, sum0
30:     ldr     even, [sp, #LAST]
        add     at, at, pitch
        cmp     at, even
        ldr     odd, [at, pitch, lsl #1]
        split
        smlad   sum0, even, outer2, sum0
        smlabb  sum0, odd, centre2, sum0
        requantise \shift, sum0
        strb    sum0, [at]
        smlad   sum0, even, outer1, next0
        smlabt  sum0, odd, centre, sum0
        smlad   next0, even, outer0, bias
        smlabb  next0, odd, centre, next0
        bne     30b
.endm

/* What does not change from strip to strip. r0: conv, r4: pitch, r5: rows. r6 is lost. */
.macro  set_up_1
        sub     r6, r5, #2
        mul     r6, r6, r4
        str     r6, [sp, #SPAN]             /* (rows - 2) * pitch */
        add     r6, r6, r4
        rsb     r6, r6, #2
        str     r6, [sp, #TO_NEXT]          /* 2 - (rows - 1) * pitch */
        adr     r6, 20f
        lsls    r5, r5, #31
        it      ne
        adrne   r6, 21f
        ldr     r5, [r0, #CONV_ROWS]
        cmp     r5, #2
        it      eq
        adreq   r6, 22f
        it      lt
        adrlt   r6, 23f
        orr     r6, r6, #1                  /* Thumb */
        str     r6, [sp, #ENTRY]
.endm

/* ---- Stride 2 ---- */

.macro  load_row_pair
        ldr     odd, [at]
        ldr     even2, [at, #2]
        split
        sxtb16  even2, even2
.endm

.macro  begin_pair
        ldr     sum0, [sp, #BIAS]
        smlad   sum1, even2, outer0, sum0
        smlad   sum0, even, outer0, sum0
        smlatb  sum1, odd, centre, sum1
        smlabb  sum0, odd, centre, sum0
.endm

/* The strip whose first row of inputs is `at`, and `to` the row above its outputs. At the end `at` is its last row of
 * inputs and `to` that of its outputs. The last turn begins a sum that nobody wants. */
.macro  strip_pair_2 shift
        ldr     even, [sp, #SPAN]
        add     even, even, at
        str     even, [sp, #LAST]
        load_row_pair
        begin_pair
40:     ldrd    even, odd, [sp, #STEP]      /* and OUTPUT_STEP */
        add     at, at, even
        add     to, to, odd
        load_row_pair
        smlad   sum0, even, outer1, sum0
        smlad   sum1, even2, outer1, sum1
        smlabt  sum0, odd, centre, sum0
        smlatt  sum1, odd, centre, sum1
        ldrd    even, odd, [sp, #PITCH]     /* and LAST */
        add     at, at, even
        cmp     at, odd
        load_row_pair
        smlad   sum0, even, outer2, sum0
        smlad   sum1, even2, outer2, sum1
        smlabb  sum0, odd, centre2, sum0
        smlatb  sum1, odd, centre2, sum1
        requantise \shift, sum0, sum1
        strb    sum0, [to]
        strb    sum1, [to, #1]
        begin_pair
        bne     40b
.endm

.macro  strip_single_2 shift
        ldr     pitch, [sp, #PITCH]
        ldr     bias, [sp, #BIAS]
        ldr     even, [sp, #SPAN]
        add     even, even, at
        str     even, [sp, #LAST]
        ldr     odd, [at]
        split
        smlad   sum0, even, outer0, bias
        smlabb  sum0, odd, centre, sum0
50:     ldr     odd, [sp, #OUTPUT_STEP]
        add     to, to, odd
        ldr     odd, [at, pitch]
        split
        smlad   sum0, even, outer1, sum0
        smlabt  sum0, odd, centre, sum0
        ldr     even, [sp, #LAST]
        add     at, at, pitch, lsl #1
        cmp     at, even
        ldr     odd, [at]
        split
        smlad   sum0, even, outer2, sum0
        smlabb  sum0, odd, centre2, sum0
        requantise \shift, sum0
        strb    sum0, [to]
        smlad   sum0, even, outer0, bias
        smlabb  sum0, odd, centre, sum0
        bne     50b
.endm

.macro  set_up_2
        str     r4, [sp, #STEP]
        str     r2, [sp, #OUTPUT]
        mul     r6, r5, r4
        lsl     r6, r6, #1
        str     r6, [sp, #SPAN]             /* 2 * rows * pitch */
        rsb     r6, r6, #4
        str     r6, [sp, #TO_NEXT]
        ldr     r4, [r0, #CONV_OUTPUT_PITCH]
        str     r4, [sp, #OUTPUT_STEP]
        mul     r6, r5, r4
        rsb     r6, r6, #2
        str     r6, [sp, #OUTPUT_TO_NEXT]   /* 2 - rows * output pitch */
.endm

/* ---- The function: all channels ---- */

.macro  depthwise_planes stride, shift, name
        .section .text.\name, "ax", %progbits
        .balign 4
        .global \name
        .type   \name, %function
        .thumb_func
\name:                                      /* r0: conv, r1: input, r2: output */
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        str     r0, [sp, #CONV]
        str     r1, [sp, #PLANE]
        ldr     r3, [r0, #CONV_CONSTANTS]
        str     r3, [sp, #CONSTANTS]
        ldr     r3, [r0, #CONV_CHANNELS]
        str     r3, [sp, #CHANNELS]
        ldr     r4, [r0, #CONV_PITCH]
        str     r4, [sp, #PITCH]
        ldr     r5, [r0, #CONV_ROWS]
        set_up_\stride
10:     load_channel \shift
        ldrd    at, to, [sp, #PLANE]        /* and OUTPUT */
    .if \stride == 2
        ldr     even, [sp, #OUTPUT_STEP]
        sub     to, to, even
    .endif
        ldr     even, [sp, #CONV]
        ldr     even, [even, #CONV_COLUMNS]
        bics    even, even, #1
        beq     12f
    .if \stride == 2
        lsl     even, even, #1
    .endif
        add     even, even, at
        str     even, [sp, #STRIPS_END]
11:     strip_pair_\stride \shift
        ldrd    even, odd, [sp, #TO_NEXT]   /* and STRIPS_END */
        add     at, at, even
    .if \stride == 2
        ldr     even, [sp, #OUTPUT_TO_NEXT]
        add     to, to, even
    .endif
        cmp     at, odd
        bne     11b
12:     ldr     r0, [sp, #CONV]
        ldr     r0, [r0, #CONV_COLUMNS]
        lsls    r0, r0, #31
        beq     13f
        strip_single_\stride \shift
13:     ldr     r0, [sp, #CONV]
    .if \stride == 2
        ldr     r2, [r0, #CONV_OUTPUT_PLANE]
        ldr     r3, [sp, #OUTPUT]
        add     r2, r2, r3
        str     r2, [sp, #OUTPUT]
    .endif
        ldr     r0, [r0, #CONV_PLANE]
        ldrd    r1, r2, [sp, #CHANNELS]     /* and PLANE */
        add     r0, r0, r2
        subs    r1, r1, #1
        strd    r1, r0, [sp, #CHANNELS]
        bne     10b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   \name, . - \name
.endm

#define INSTANCE(shift)                                                 \
        depthwise_planes 1, shift, td_depthwise_planes_1_shift_##shift; \
        depthwise_planes 2, shift, td_depthwise_planes_2_shift_##shift;

TD_DEPTHWISE_SHIFTS(INSTANCE)
        depthwise_planes 1, 0, td_depthwise_planes_1_general
        depthwise_planes 2, 0, td_depthwise_planes_2_general
