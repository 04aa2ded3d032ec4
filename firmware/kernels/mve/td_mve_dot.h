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

/* Three vectors in memory, each of `runs` runs of `n` values; in the weights the runs follow each other. */
struct td_mve_vectors {
    const int8_t *values[3];
    int32_t skip;   /* from where one run's last turn of the loop ends to the next run */
    int32_t n;      /* >= 1 */
    int32_t beyond; /* how far the last turn, a whole step of sixteen, goes beyond a run: -n mod 16 */
    int32_t runs;   /* >= 1 */
    int32_t depth;  /* runs * n */
};

static inline struct td_mve_vectors td_mve_vectors(const int8_t *values, int32_t next, int32_t run_step, int32_t n,
                                                   int32_t runs)
{
    const int32_t beyond = -n & 15;
    const struct td_mve_vectors vectors = {
        {values, values + next, values + 2 * next}, run_step - n - beyond, n, beyond, runs, runs * n};
    return vectors;
}

/* sums[i][c] = bias[c] + vector i . weights[c] for three vectors and four channels; `sums` is aligned to 16 bytes.
 *
 * Two channels at a time: five loads and six VMLADAVA, whose sums must be in even registers, for 96 products. In C, of the
 * 14 registers that this needs, GCC 12 spilled so many that a layer of depth 64 took a third more instructions.
 *
 *   r0 r6   r2 r8   r4 r10   sums of vectors 0, 1, 2 with the two channels
 *   r1      r3      r5       the vectors
 *   r7 r9                    the channels' weights
 *   r11                      runs left
 *   r12                      `vectors`
 *   lr                       the loop's count; between loops, whatever is needed
 *   sp[0], sp[4]             the next channels' bias, `sums` */
static __attribute__((naked, noinline)) void td_mve_dot_3x4(const struct td_mve_vectors *vectors TD_MVE_UNNAMED,
                                                            const int8_t *weights TD_MVE_UNNAMED,
                                                            const int32_t *bias TD_MVE_UNNAMED,
                                                            int32_t sums[3][4] TD_MVE_UNNAMED)
{
    __asm__ volatile("push {r2-r11, lr}\n"
                     "mov r12, r0\n"
                     "mov r7, r1\n"
                     "1:\n"
                     "ldr lr, [r12, #28]\n" /* depth */
                     "ldr r1, [sp]\n"
                     "add r9, r7, lr\n"
                     "ldrd r0, r6, [r1], #8\n"
                     "ldr lr, [r12, #16]\n" /* n */
                     "str r1, [sp]\n"
                     "mov r2, r0\n"
                     "mov r8, r6\n"
                     "mov r4, r0\n"
                     "mov r10, r6\n"
                     "ldrd r1, r3, [r12]\n" /* values */
                     "ldr r5, [r12, #8]\n"
                     "ldr r11, [r12, #24]\n" /* runs */
                     "2:\n"
                     "dlstp.8 lr, lr\n"
                     "3:\n"
                     "vldrb.8 q0, [r7], #16\n"
                     "vldrb.8 q1, [r1], #16\n"
                     "vmladava.s8 r0, q0, q1\n"
                     "vldrb.8 q2, [r3], #16\n"
                     "vmladava.s8 r2, q0, q2\n"
                     "vldrb.8 q3, [r5], #16\n"
                     "vmladava.s8 r4, q0, q3\n"
                     "vldrb.8 q0, [r9], #16\n"
                     "vmladava.s8 r6, q0, q1\n"
                     "vmladava.s8 r8, q0, q2\n"
                     "vmladava.s8 r10, q0, q3\n"
                     "letp lr, 3b\n"
                     "ldr lr, [r12, #20]\n" /* beyond */
                     "sub r9, r9, lr\n"
                     "subs r11, r11, #1\n"
                     "beq 4f\n"
                     "sub r7, r7, lr\n"
                     "ldr lr, [r12, #12]\n" /* skip */
                     "add r1, r1, lr\n"
                     "add r3, r3, lr\n"
                     "add r5, r5, lr\n"
                     "ldr lr, [r12, #16]\n" /* n */
                     "b 2b\n"
                     "4:\n"
                     "ldr lr, [sp, #4]\n"
                     "mov r7, r9\n" /* the next channel's weights */
                     "strd r0, r6, [lr], #8\n"
                     "strd r2, r8, [lr, #8]\n"
                     "strd r4, r10, [lr, #24]\n"
                     "str lr, [sp, #4]\n"
                     "tst lr, #8\n"
                     "bne 1b\n"
                     "add sp, sp, #8\n"
                     "pop {r4-r11, pc}\n");
}

/* All channels of three vectors, which are read as td_mve_dot_3x4() does. At least four channels: the last four
 * overlap those before where their number is no multiple of four. `output` is [3][channels]. */
static inline void td_mve_outputs_3(const struct td_mve_matrix *matrix, const struct td_mve_vectors *vectors,
                                    int8_t *output)
{
    const struct td_output_stage stage = *matrix->stage;
    const mve_pred16_t all = td_mve_lanes(4);
    const int32_t channels = matrix->channels;
    int32_t sums[3][4] __attribute__((aligned(16)));

    for (int32_t next = 0; next < channels; next += 4) {
        const int32_t channel = next + 4 <= channels ? next : channels - 4;
        td_mve_dot_3x4(vectors, matrix->weights + channel * matrix->depth, matrix->bias + channel, sums);
        const struct td_mve_factors factors = td_mve_load_factors(&stage, channel, all);
        for (int32_t i = 0; i < 3; i++) {
            const int32x4_t scaled = td_mve_multiply(vldrwq_s32(sums[i]), factors);
            vstrbq_s32(output + i * channels + channel,
                       td_mve_output(scaled, stage.zero_point, stage.min, stage.max));
        }
    }
}

/* Adds values . weights of `runs` >= 1 runs of `n` >= 1 bytes, of one vector and four channels. The runs are `step` apart
 * in the values and follow each other in the weights. 10 instructions for 64 products. */
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

/* All channels of `count` vectors that follow each other. `output` is [count][channels]. */
static inline void td_mve_multiply_matrix(const struct td_mve_matrix *matrix, const int8_t *values, int32_t count,
                                          int8_t *output)
{
    if (matrix->channels >= 4) {
        for (; count >= 3; count -= 3, values += 3 * matrix->depth, output += 3 * matrix->channels) {
            const struct td_mve_vectors vectors = td_mve_vectors(values, matrix->depth, 0, matrix->depth, 1);
            td_mve_outputs_3(matrix, &vectors, output);
        }
    }
    for (; count > 0; count--, values += matrix->depth, output += matrix->channels) {
        td_mve_outputs_1(matrix, values, output);
    }
}

#endif
