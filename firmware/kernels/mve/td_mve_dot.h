/* Dot products of int8 vectors with the weights of many channels, sixteen products an instruction (VMLADAVA). */
#ifndef TD_MVE_DOT_H
#define TD_MVE_DOT_H

#include "td_mve.h"

/* An argument that assembler takes from its register. */
#define TD_MVE_UNNAMED __attribute__((unused))

/* A matrix of weights and what becomes of the sums. */
struct td_mve_matrix {
    const int8_t *weights; /* [channels][depth] */
    const int32_t *bias;   /* [channels] */
    const struct td_output_stage *stage;
    int32_t channels, depth;
};

/* Three vectors in memory, each of `runs` runs of `n` values, which in the weights follow each other; and the channels
 * to compute. The assembler below knows the places of these fields. */
struct td_mve_tile {
    const int8_t *values[3];  /*  0 */
    int32_t skip;             /* 12: from where the loop over one run ends to the next */
    int32_t n;                /* 16: >= 1 */
    int32_t runs;             /* 20: >= 1 */
    int32_t beyond;           /* 24: how far the loop's last turn, a step of sixteen, goes beyond a run: -n mod 16 */
    int32_t depth;            /* 28: runs * n */
    const int8_t *weights;    /* 32: of the first channel */
    int32_t groups;           /* 36: of four channels, >= 1 */
    const int32_t *bias;      /* 40 */
    int8_t *output;           /* 44 */
    const int32_t *mantissa;  /* 48 */
    const int8_t *shift;      /* 52 */
    int32_t mantissa_step;    /* 56: from one group to the next, in bytes: 16 or 0 */
    int32_t shift_step;       /* 60: 4 or 0 */
    int32_t channels;         /* 64: from one vector's outputs to the next one's */
    int32_t zero_point;       /* 68 */
    int32_t min, max;         /* 72, 76 */
    int32_t has_left;         /* 80: some shift is to the left */
    int32_t is_rectified;     /* 84: min >= zero_point: how negative values are rounded makes no difference */
    int32_t next;             /* from one vector to the next; from here on unknown to the assembler */
    int32_t same_mantissa[4]; /* where one multiplier is for all channels */
    int8_t same_shift[4];
};

/* Sums of three vectors with the channels whose weights are at r7 and r9, and whose biases are `first` and `second`
 * bytes from those of the group on; into lanes `lane` and `lane_behind` of q5, q6 and q7. Five loads and six VMLADAVA,
 * whose sums must be in even registers, for 96 products. */
#define TD_MVE_PAIR(first, second, lane, lane_behind)                                                                  \
    "ldr lr, [r12, #40]\n"                                                                                             \
    "ldrd r1, r3, [r12]\n"                                                                                             \
    "ldr r0, [lr, #" first "]\n"                                                                                       \
    "ldr r6, [lr, #" second "]\n"                                                                                      \
    "ldr r5, [r12, #8]\n"                                                                                              \
    "ldrd lr, r11, [r12, #16]\n"                                                                                       \
    "mov r2, r0\n"                                                                                                     \
    "mov r4, r0\n"                                                                                                     \
    "mov r8, r6\n"                                                                                                     \
    "mov r10, r6\n"                                                                                                    \
    "1: dlstp.8 lr, lr\n"                                                                                              \
    "2: vldrb.8 q0, [r7], #16\n"                                                                                       \
    "vldrb.8 q1, [r1], #16\n"                                                                                          \
    "vmladava.s8 r0, q0, q1\n"                                                                                         \
    "vldrb.8 q2, [r3], #16\n"                                                                                          \
    "vmladava.s8 r2, q0, q2\n"                                                                                         \
    "vldrb.8 q3, [r5], #16\n"                                                                                          \
    "vmladava.s8 r4, q0, q3\n"                                                                                         \
    "vldrb.8 q0, [r9], #16\n"                                                                                          \
    "vmladava.s8 r6, q0, q1\n"                                                                                         \
    "vmladava.s8 r8, q0, q2\n"                                                                                         \
    "vmladava.s8 r10, q0, q3\n"                                                                                        \
    "letp lr, 2b\n"                                                                                                    \
    "ldr lr, [r12, #24]\n"                                                                                             \
    "sub r7, r7, lr\n"                                                                                                 \
    "sub r9, r9, lr\n"                                                                                                 \
    "subs r11, r11, #1\n"                                                                                              \
    "beq 3f\n"                                                                                                         \
    "ldr lr, [r12, #12]\n"                                                                                             \
    "add r1, r1, lr\n"                                                                                                 \
    "add r3, r3, lr\n"                                                                                                 \
    "add r5, r5, lr\n"                                                                                                 \
    "ldr lr, [r12, #16]\n"                                                                                             \
    "b 1b\n"                                                                                                           \
    "3: vmov q5[" lane_behind "], q5[" lane "], r0, r6\n"                                                              \
    "vmov q6[" lane_behind "], q6[" lane "], r2, r8\n"                                                                 \
    "vmov q7[" lane_behind "], q7[" lane "], r4, r10\n"

/* The same instruction for the sums of all three vectors. */
#define TD_MVE_EACH(instruction, operands)                                                                             \
    instruction " q5, q5, " operands "\n" instruction " q6, q6, " operands "\n" instruction " q7, q7, " operands "\n"

/* td_mve_divide_by_pot()'s correction, of `values`. */
#define TD_MVE_CORRECT(values)                                                                                         \
    "vand q2, " values ", q1\n"                                                                                        \
    "vshr.s32 q2, q2, #31\n"                                                                                           \
    "vqadd.s32 " values ", " values ", q2\n"

/* The outputs of a tile. For 12 outputs 83 instructions, 9 more if nothing is rectified, and 24 for each 16 of depth.
 *
 * In C, of the 14 registers that the inner loop needs, GCC 12 spills so many that it takes half as many again at a
 * depth of 64.
 *
 *   r0 r6    r2 r8    r4 r10    sums of vectors 0, 1, 2 with the two channels
 *   r1       r3       r5        the vectors
 *   r7 r9                       the channels' weights
 *   r11                         runs left
 *   r12                         `tile`, whose pointers move on
 *   lr                          the loop's count; elsewhere whatever is needed
 *   q5 q6 q7                    vectors 0, 1, 2: sums of four channels
 *   q0 q1                       mantissas and shifts
 *
 * `noipa`: the compiler must not conclude from what it knows of the function which registers are left alone. */
static __attribute__((naked, noipa)) void td_mve_outputs_of_tile(struct td_mve_tile *tile TD_MVE_UNNAMED)
{
    __asm__ volatile("push {r4-r11, lr}\n"
                     "vpush {d10-d15}\n"
                     "mov r12, r0\n"
                     "ldr r7, [r12, #32]\n"
                     "4: ldr r9, [r12, #28]\n"
                     "add r9, r7, r9, lsl #1\n"
                     /* Two lanes of a vector are set at once, and those are two apart. */
                     TD_MVE_PAIR("0", "8", "0", "2")
                     TD_MVE_PAIR("4", "12", "1", "3")
                     "ldrd r0, r1, [r12, #48]\n"
                     "ldr r2, [r12, #80]\n"
                     "vldrw.32 q0, [r0]\n"
                     "vldrb.s32 q1, [r1]\n"
                     "cbz r2, 5f\n"
                     "vmov.i32 q2, #0\n"
                     "vmax.s32 q3, q1, q2\n"
                     "vmin.s32 q1, q1, q2\n"
                     TD_MVE_EACH("vshl.s32", "q3")
                     "5:\n"
                     TD_MVE_EACH("vqrdmulh.s32", "q0")
                     "ldr r3, [r12, #84]\n"
                     "cbnz r3, 6f\n"
                     TD_MVE_CORRECT("q5") TD_MVE_CORRECT("q6") TD_MVE_CORRECT("q7")
                     "6: ldrd r4, r5, [r12, #72]\n"
                     TD_MVE_EACH("vrshl.s32", "q1")
                     "ldrd r8, r10, [r12, #64]\n"
                     "vdup.32 q2, r4\n"
                     "vdup.32 q3, r5\n"
                     TD_MVE_EACH("vadd.i32", "r10")
                     "ldrd r2, r3, [r12, #40]\n" /* bias, output */
                     TD_MVE_EACH("vmax.s32", "q2")
                     "ldrd r4, r5, [r12, #56]\n" /* steps of mantissa and shift */
                     TD_MVE_EACH("vmin.s32", "q3")
                     "add r6, r3, r8\n"
                     "vstrb.32 q5, [r3], #4\n"
                     "add r2, r2, #16\n"
                     "vstrb.32 q6, [r6]\n"
                     "strd r2, r3, [r12, #40]\n"
                     "add r6, r6, r8\n"
                     "add r0, r0, r4\n"
                     "vstrb.32 q7, [r6]\n"
                     "add r1, r1, r5\n"
                     "ldr r2, [r12, #36]\n"
                     "strd r0, r1, [r12, #48]\n"
                     "mov r7, r9\n" /* the next channel's weights */
                     "subs r2, r2, #1\n"
                     "str r2, [r12, #36]\n"
                     "bne 4b\n"
                     "vpop {d10-d15}\n"
                     "pop {r4-r11, pc}\n");
}

static inline bool td_mve_has_left_shift(const struct td_mve_matrix *matrix)
{
    const struct td_output_stage *const stage = matrix->stage;
    const int32_t count = stage->per_channel ? matrix->channels : 1;
    int32_t highest = 0;

    for (int32_t i = 0; i < count; i += 16) { /* beyond the last there are zeros */
        const int8x16_t shifts = vldrbq_z_s8(stage->shift + i, vctp8q((uint32_t)(count - i)));
        highest = vmaxvq_s8((int8_t)highest, shifts);
    }
    return highest > 0;
}

/* What is the same for all tiles of a matrix: vectors `next` apart, with runs of `n` values `run_step` apart. */
static __attribute__((noinline)) void td_mve_prepare(struct td_mve_tile *tile, const struct td_mve_matrix *matrix,
                                                     int32_t next, int32_t run_step, int32_t n)
{
    const struct td_output_stage *const stage = matrix->stage;

    tile->next = next;
    tile->n = n;
    tile->runs = matrix->depth / n;
    tile->depth = matrix->depth;
    tile->beyond = -n & 15;
    tile->skip = run_step - n - tile->beyond;
    tile->mantissa_step = stage->per_channel ? 16 : 0;
    tile->shift_step = stage->per_channel ? 4 : 0;
    tile->channels = matrix->channels;
    tile->zero_point = stage->zero_point;
    tile->min = stage->min;
    tile->max = stage->max;
    tile->is_rectified = stage->min >= stage->zero_point;
    tile->has_left = td_mve_has_left_shift(matrix);
    for (int32_t i = 0; i < 4; i++) {
        tile->same_mantissa[i] = stage->mantissa[0];
        tile->same_shift[i] = stage->shift[0];
    }
}

/* `groups` of four channels of three vectors. */
static inline void td_mve_outputs_of_groups(struct td_mve_tile *tile, const struct td_mve_matrix *matrix,
                                            const int8_t *values, int32_t channel, int32_t groups, int8_t *output)
{
    const struct td_output_stage *const stage = matrix->stage;

    tile->values[0] = values;
    tile->values[1] = values + tile->next;
    tile->values[2] = values + 2 * tile->next;
    tile->weights = matrix->weights + channel * matrix->depth;
    tile->groups = groups;
    tile->bias = matrix->bias + channel;
    tile->output = output + channel;
    tile->mantissa = stage->per_channel ? stage->mantissa + channel : tile->same_mantissa;
    tile->shift = stage->per_channel ? stage->shift + channel : tile->same_shift;
    td_mve_outputs_of_tile(tile);
}

/* All channels, at least four, of three vectors. `output` is [3][channels]. */
static __attribute__((noinline)) void td_mve_outputs_3(struct td_mve_tile *tile, const struct td_mve_matrix *matrix,
                                                       const int8_t *values, int8_t *output)
{
    td_mve_outputs_of_groups(tile, matrix, values, 0, matrix->channels / 4, output);
    if (matrix->channels % 4 != 0) { /* the last four overlap those before */
        td_mve_outputs_of_groups(tile, matrix, values, matrix->channels - 4, 1, output);
    }
}

/* Adds values . weights of `runs` >= 1 runs of `n` >= 1 bytes, of one vector and four channels. The runs are `step`
 * apart in the values and follow each other in the weights. 10 instructions for 64 products. */
TD_MVE_INLINE void td_mve_dot_1x4(int32_t sums[4], const int8_t *x, int32_t step, const int8_t *const weights[4],
                                  int32_t n, int32_t runs)
{
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    const int8_t *w0 = weights[0], *w1 = weights[1], *w2 = weights[2], *w3 = weights[3];

    for (;;) {
        register int32_t left __asm__("lr") = n;
        __asm__ volatile("dlstp.8 lr, lr\n"
                         "1: vldrb.8 q0, [%[x]], #16\n"
                         "vldrb.8 q1, [%[w0]], #16\n"
                         "vmladava.s8 %[s0], q0, q1\n"
                         "vldrb.8 q2, [%[w1]], #16\n"
                         "vmladava.s8 %[s1], q0, q2\n"
                         "vldrb.8 q3, [%[w2]], #16\n"
                         "vmladava.s8 %[s2], q0, q3\n"
                         "vldrb.8 q4, [%[w3]], #16\n"
                         "vmladava.s8 %[s3], q0, q4\n"
                         "letp lr, 1b\n"
                         : [s0] "+Te"(s0), [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3), [x] "+r"(x), [w0] "+r"(w0),
                           [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), "+r"(left)
                         :
                         : "q0", "q1", "q2", "q3", "q4", "memory");
        if (--runs == 0) {
            break;
        }
        const int32_t beyond = -n & 15; /* the last turn's step is a whole vector, too */
        x += step - n - beyond;
        w0 -= beyond;
        w1 -= beyond;
        w2 -= beyond;
        w3 -= beyond;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* All channels of one vector of `depth` values. */
static inline void td_mve_outputs_1(const struct td_mve_matrix *matrix, const int8_t *values, int8_t *output)
{
    const struct td_output_stage stage = *matrix->stage;

    for (int32_t channel = 0; channel < matrix->channels; channel += 4) {
        const mve_pred16_t lanes = td_mve_lanes(matrix->channels - channel);
        const int8_t *weights[4];
        int32_t sums[4];
        vstrwq_s32(sums, vldrwq_z_s32(matrix->bias + channel, lanes));
        for (int32_t i = 0; i < 4; i++) { /* beyond the last channel, the first of the four again */
            const int32_t used = channel + i < matrix->channels ? channel + i : channel;
            weights[i] = matrix->weights + used * matrix->depth;
        }
        td_mve_dot_1x4(sums, values, 0, weights, matrix->depth, 1);
        td_mve_requantize(&stage, td_mve_load_factors(&stage, channel, lanes), vldrwq_s32(sums), output + channel,
                          lanes);
    }
}

/* The same of three vectors, whatever the number of channels. */
static inline void td_mve_multiply_three(struct td_mve_tile *tile, const struct td_mve_matrix *matrix,
                                         const int8_t *values, int8_t *output)
{
    if (matrix->channels >= 4) {
        td_mve_outputs_3(tile, matrix, values, output);
        return;
    }
    for (int32_t i = 0; i < 3; i++) {
        td_mve_outputs_1(matrix, values + i * tile->next, output + i * matrix->channels);
    }
}

/* All channels of `count` vectors that follow each other. `output` is [count][channels]. */
static inline void td_mve_multiply_matrix(const struct td_mve_matrix *matrix, const int8_t *values, int32_t count,
                                          int8_t *output)
{
    if (count >= 3) {
        struct td_mve_tile tile;
        td_mve_prepare(&tile, matrix, matrix->depth, 0, matrix->depth);
        for (; count >= 3; count -= 3, values += 3 * matrix->depth, output += 3 * matrix->channels) {
            td_mve_multiply_three(&tile, matrix, values, output);
        }
    }
    for (; count > 0; count--, values += matrix->depth, output += matrix->channels) {
        td_mve_outputs_1(matrix, values, output);
    }
}

#endif
