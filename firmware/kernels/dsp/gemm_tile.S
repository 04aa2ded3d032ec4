/* What td_gemm.h declares, for Armv7E-M and Armv8-M with the DSP extension: the tile functions and td_gemm_expand.
 *
 * Assembler, since a tile needs 14 registers at once: GCC 12 spills some of them, and takes 1.2 times as many instructions.
 * A pair of channels takes 12 instructions per 16 multiplications, 3 more every 16 steps, and 39 around them.
 * One instance for every output shift that a model uses: td_shifts.h, generated, lists them.
 */
#include "td_shifts.h"

#ifndef TD_GEMM_SHIFTS
#define TD_GEMM_SHIFTS(X)
#endif
#ifndef TD_GEMM_WIDE_SHIFTS
#define TD_GEMM_WIDE_SHIFTS(X)
#endif

    .syntax unified
    .thumb

/* Registers of a tile. None is free: what is needed once a pair stands in the frame.
 * While results are stored, `buffer` is the output's address, and the next four hold the pixels' offsets. */
first0  .req r0     /* sums of the pair's first channel, by pixel */
first1  .req r1
first2  .req r2
first3  .req r3
second0 .req r4     /* and of its second */
second1 .req r5
second2 .req r6
second3 .req r7
stream  .req r8     /* the next constants */
buffer  .req r9     /* the next values */
weight0 .req r10
weight1 .req r11
value0  .req r12
value1  .req lr

/* The frame of a tile: words at sp. */
    .equ FRAME_STEP, 0      /* channel_step */
    .equ FRAME_END, 4       /* of the stream */
    .equ FRAME_BUFFER, 8    /* its start */
    .equ FRAME_TAIL, 12     /* its end: output address of the next channel, then 4 offsets */
    .equ FRAME_ENTRY, 16    /* where the loop over the depth is entered */
    .equ FRAME_BYTES, 20

/* Pixels \p and \q of both channels. In a pair's first step all sums start at those of pixel 3, which come last. */
.macro multiply is_first, p, q
    ldrd    value0, value1, [buffer], #8
    .if \is_first
    smlad   first\p, value0, weight0, first3
    smlad   first\q, value1, weight0, first3
    smlad   second\p, value0, weight1, second3
    smlad   second\q, value1, weight1, second3
    .else
    smlad   first\p, value0, weight0, first\p
    smlad   first\q, value1, weight0, first\q
    smlad   second\p, value0, weight1, second\p
    smlad   second\q, value1, weight1, second\q
    .endif
.endm

/* Two values of each pixel: 16 multiplications. */
.macro step is_wide, is_first=0
    .if \is_wide
    ldrd    weight0, weight1, [stream], #8
    .else
    ldr     weight0, [stream], #4       /* 256 * a + b */
    sxtb16  weight1, weight0            /* b */
    .endif
    multiply \is_first, 0, 1
    multiply \is_first, 2, 3
.endm

/* y = saturate((sum * multiplier >> 32) + offset >> shift) */
.macro fitted channel, multiplier, offset, shift
    .irp pixel, 0, 1, 2, 3
    smmla   \channel\pixel, \channel\pixel, \multiplier, \offset
    .endr
    .irp pixel, 0, 1, 2, 3
    .if \shift
    ssat    \channel\pixel, #8, \channel\pixel, asr #\shift
    .else
    ssat    \channel\pixel, #8, \channel\pixel
    .endif
    .endr
.endm

/* t = (2 * sum * multiplier + 2^31) >> 32;  y = saturate(t + offset - (sum < 0) >> shift) */
.macro general channel, is_scaled
    ldm     stream!, {weight0, weight1, value0}     /* multiplier, offset, shift */
    .irp pixel, 0, 1, 2, 3
    add     value1, weight1, \channel\pixel, asr #31
    .if \is_scaled
    asr     \channel\pixel, \channel\pixel, #7      /* 256 * sum: 2 * sum */
    .else
    lsl     \channel\pixel, \channel\pixel, #1
    .endif
    smmlar  \channel\pixel, \channel\pixel, weight0, value1
    asr     \channel\pixel, \channel\pixel, value0
    ssat    \channel\pixel, #8, \channel\pixel
    .endr
.endm

/* A tile function. `shift`: of all outputs; -1 where each channel has its own. */
.macro tile name, is_wide, shift
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    push    {r4-r11, lr}
    ldm     r0, {r4, r5, r6, stream}        /* step, words, depth, stream */
    add     r5, stream, r5, lsl #2
    add     r7, r1, r6, lsl #3
    str     r2, [r7]                        /* the output */
    /* Of the groups of 4 values, the first stands before the loop and 8 in it, some of which are skipped at first. */
    rsb     r6, r6, #4
    ubfx    r6, r6, #2, #3
    mov     r9, #(3f - 2f) / 8
    adr     r10, 2f
    mla     r10, r6, r9, r10
    orr     r10, r10, #1                    /* Thumb */
    mov     r6, r1
    mov     buffer, r1
    push    {r4, r5, r6, r7, r10}
1:
    ldrd    first3, second3, [stream], #8
    step    \is_wide, 1
    step    \is_wide
    ldr     pc, [sp, #FRAME_ENTRY]
    .balign 4
2:
    .rept 16
    step    \is_wide
    .endr
3:
    ldr     weight0, [sp, #FRAME_TAIL]
    cmp     buffer, weight0
    bne     2b

    .if !\is_wide
    sub     first0, first0, second0
    sub     first1, first1, second1
    sub     first2, first2, second2
    sub     first3, first3, second3         /* 256 times the sum */
    .endif
    .if \shift >= 0
    ldm     stream!, {weight0, weight1, value0, value1}
    .if \is_wide
    fitted  first, weight0, weight1, \shift
    .else
    fitted  first, weight0, weight1, (\shift + 8)
    .endif
    fitted  second, value0, value1, \shift
    .else
    general first, !\is_wide
    general second, 0
    .endif

    ldm     buffer, {buffer, weight0, weight1, value0, value1}
    strb    first0, [buffer, weight0]
    strb    first1, [buffer, weight1]
    strb    first2, [buffer, value0]
    strb    first3, [buffer, value1]
    ldm     sp, {r0-r3}                     /* step, end, buffer, tail */
    add     buffer, buffer, r0
    strb    second0, [buffer, weight0]
    strb    second1, [buffer, weight1]
    strb    second2, [buffer, value0]
    strb    second3, [buffer, value1]
    add     buffer, buffer, r0
    str     buffer, [r3]
    mov     buffer, r2
    cmp     stream, r1
    bne     1b
    add     sp, sp, #FRAME_BYTES
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

#define FITTED(shift) tile td_gemm_4x2_shift_##shift, 0, shift;
#define FITTED_WIDE(shift) tile td_gemm_4x2_wide_shift_##shift, 1, shift;

TD_GEMM_SHIFTS(FITTED)
TD_GEMM_WIDE_SHIFTS(FITTED_WIDE)
    tile td_gemm_4x2_general, 0, -1
    tile td_gemm_4x2_wide_general, 1, -1

/* td_gemm_expand(buffer, windows, rows, groups): 13 instructions for 16 values, 2 more every 4 groups, 13 a row.
 *   r0-r7   words: values 0 and 2 of pixel 0..3, values 1 and 3 of pixel 0..3
 *   r8-r11  the pixels' next values
 *   r12     where to write, lr: where the row ends
 * The frame: entry of the loop, bytes of a row in the buffer, rows left, &windows->skip. */
    .section .text.td_gemm_expand, "ax", %progbits
    .balign 4
    .global td_gemm_expand
    .type   td_gemm_expand, %function
    .thumb_func
td_gemm_expand:
    push    {r4-r11, lr}
    ldm     r1!, {r8-r11}
    mov     r12, r0
    mov     r7, r1
    mov     r6, r2
    lsl     r5, r3, #5
    add     lr, r0, r5
    rsb     r4, r3, #0
    and     r4, r4, #3                      /* groups to skip at first */
    mov     r0, #(3f - 2f) / 4
    adr     r1, 2f
    mla     r4, r4, r0, r1
    orr     r4, r4, #1                      /* Thumb */
    push    {r4-r7}
1:
    bx      r4
    .balign 4
2:
    .rept 4
    ldr     r4, [r8], #4
    ldr     r5, [r9], #4
    ldr     r6, [r10], #4
    ldr     r7, [r11], #4
    sxtb16  r0, r4
    sxtb16  r1, r5
    sxtb16  r2, r6
    sxtb16  r3, r7
    sxtb16  r4, r4, ror #8
    sxtb16  r5, r5, ror #8
    sxtb16  r6, r6, ror #8
    sxtb16  r7, r7, ror #8
    stm     r12!, {r0-r7}
    .endr
3:
    cmp     r12, lr
    bne     2b
    ldm     sp, {r4-r7}
    subs    r6, r6, #1
    beq     4f
    str     r6, [sp, #8]
    ldm     r7, {r0-r3}
    add     r8, r8, r0
    add     r9, r9, r1
    add     r10, r10, r2
    add     r11, r11, r3
    add     lr, lr, r5
    b       1b
4:
    add     sp, sp, #16
    pop     {r4-r11, pc}
    .size   td_gemm_expand, . - td_gemm_expand
