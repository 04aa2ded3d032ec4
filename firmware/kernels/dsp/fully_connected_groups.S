/* The outputs of one row of a fully connected layer, see td_fully_connected_rows.h, for Armv7E-M and Armv8-M with the
 * DSP extension.
 *
 *     void td_fully_connected_groups(const int32_t *values, const int32_t *end,
 *                                    const struct td_fully_connected_rows *layer, int8_t *output)
 *
 * Assembler, since it loads 4 words of constants by one instruction: 16 multiplications take 14 instructions and 2 more
 * every 4 steps, 4 channels 43 around them (50 with factors of their own). GCC 12 takes 22 for 16 multiplications, or 18
 * unrolled: it has no way to say LDM. With a shift that is part of the instruction an output would take 2 less.
 */
    .syntax unified
    .thumb

/* Registers. None is free in a step: what is needed once in 4 channels stands in the frame. */
sum0    .req r0         /* 256 times the first channel's and the second's, until the second's is subtracted */
sum1    .req r1
sum2    .req r2         /* 256 times the third channel's and the fourth's */
sum3    .req r3
weight0 .req r4
weight1 .req r5
weight2 .req r6
weight3 .req r7
second  .req r8         /* weights of the second channel of a pair */
value0  .req r9
value1  .req r10
end     .req r11        /* of the values */
stream  .req r12        /* the next constants */
values  .req lr         /* the next values */

/* While sums become outputs. */
mult    .req r4
offset  .req r5
shift   .req r6
rounder .req r7

/* The frame: words at sp. */
    .equ FRAME_OUTPUT, 0    /* where the next output goes */
    .equ FRAME_CHANNELS, 4  /* still to do */
    .equ FRAME_VALUES, 8    /* their start */
    .equ FRAME_ENTRY, 12    /* where the loop over the values is entered */
    .equ FRAME_LAYER, 16
    .equ FRAME_BYTES, 20

/* struct td_fully_connected_rows; fully_connected_rows.c asserts the offsets */
    .equ LAYER_CHANNELS, 6
    .equ LAYER_MULTIPLIER, 8    /* offset and shift behind it */
    .equ LAYER_STREAM, 20

/* 4 values times 4 channels. */
.macro  step
    ldm     stream!, {weight0, weight1, weight2, weight3}
    ldrd    value0, value1, [values], #8
    sxtb16  second, weight0
    smlad   sum0, weight0, value0, sum0
    smlad   sum1, second, value0, sum1
    sxtb16  second, weight1
    smlad   sum2, weight1, value0, sum2
    smlad   sum3, second, value0, sum3
    sxtb16  second, weight2
    smlad   sum0, weight2, value1, sum0
    smlad   sum1, second, value1, sum1
    sxtb16  second, weight3
    smlad   sum2, weight3, value1, sum2
    smlad   sum3, second, value1, sum3
.endm

/* An output from its sum, of which `doubled` makes 2 times the accumulator. */
.macro  requantize sum, doubled:vararg
    add     rounder, offset, \sum, asr #31
    \doubled
    smmlar  \sum, \sum, mult, rounder
    asrs    \sum, \sum, shift
    ssat    \sum, #8, \sum
.endm

    .section .text.td_fully_connected_groups, "ax", %progbits
    .balign 4
    .global td_fully_connected_groups
    .type   td_fully_connected_groups, %function
    .thumb_func
td_fully_connected_groups:
    push    {r4-r11, lr}
    sub     sp, #FRAME_BYTES
    mov     end, r1
    ldrh    r4, [r2, #LAYER_CHANNELS]
    ldr     stream, [r2, #LAYER_STREAM]
    /* The loop has 4 steps, some of which are skipped at first: minus the number of all steps, modulo 4. */
    subs    r5, r0, r1
    ubfx    r5, r5, #3, #2
    movs    r6, #(3f - 2f)
    adr     r7, 2f + 1                      /* Thumb */
    mla     r5, r5, r6, r7
    strd    r3, r4, [sp, #FRAME_OUTPUT]
    strd    r0, r5, [sp, #FRAME_VALUES]
    str     r2, [sp, #FRAME_LAYER]
1:
    ldm     stream!, {sum0, sum1, sum2, sum3}
    ldr     values, [sp, #FRAME_VALUES]
    ldr     pc, [sp, #FRAME_ENTRY]
    .balign 4
2:
    step
3:
    step
    step
    step
    cmp     values, end
    bne     2b

    subs    sum0, sum0, sum1
    subs    sum2, sum2, sum3
    ldr     r7, [sp, #FRAME_LAYER]
    adds    r7, #LAYER_MULTIPLIER
    ldm     r7, {mult, offset, shift}
    cbz     shift, 5f
    requantize sum0, asrs sum0, sum0, #7
    requantize sum1, lsls sum1, sum1, #1
    requantize sum2, asrs sum2, sum2, #7
    requantize sum3, lsls sum3, sum3, #1
4:
    ldrd    r4, r5, [sp, #FRAME_OUTPUT]
    subs    r5, #4
    blt     6f
    strb    sum0, [r4], #1
    strb    sum1, [r4], #1
    strb    sum2, [r4], #1
    strb    sum3, [r4], #1
    strd    r4, r5, [sp, #FRAME_OUTPUT]
    bne     1b
    b       7f
5:
    /* Each channel has factors of its own. */
    ldm     stream!, {mult, offset, shift}
    requantize sum0, asrs sum0, sum0, #7
    ldm     stream!, {mult, offset, shift}
    requantize sum1, lsls sum1, sum1, #1
    ldm     stream!, {mult, offset, shift}
    requantize sum2, asrs sum2, sum2, #7
    ldm     stream!, {mult, offset, shift}
    requantize sum3, lsls sum3, sum3, #1
    b       4b
6:
    /* 1 to 3 channels are left: r5 is -3 to -1. */
    strb    sum0, [r4]
    adds    r5, #2
    it      ge
    strbge  sum1, [r4, #1]
    it      gt
    strbgt  sum2, [r4, #2]
7:
    add     sp, #FRAME_BYTES
    pop     {r4-r11, pc}
    .size   td_fully_connected_groups, . - td_fully_connected_groups
