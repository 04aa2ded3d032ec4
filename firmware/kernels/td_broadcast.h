/* Two inputs of which one or both are repeated along some dimensions, element by element. */
#ifndef TD_BROADCAST_H
#define TD_BROADCAST_H

#include <stdint.h>

/* Nested loops over the output, outermost first. An input moves on by its step at every turn of a loop: by 0 where it
 * is repeated, by 1 in the innermost loop where it is not. The output is contiguous. */
struct td_broadcast {
    int32_t count[4];
    int32_t first_step[4];
    int32_t second_step[4];
};

/* Computes `n` outputs in a row. `output` may be one of the inputs if that one's step is 1. */
typedef void td_broadcast_run(const void *kernel, int32_t n, const int8_t *first, int32_t first_step,
                              const int8_t *second, int32_t second_step, int8_t *output);

/* Calls `run` for each turn of the outer loops, so that the innermost one is a plain loop in the kernel. */
static inline void td_broadcast(const struct td_broadcast *loops, td_broadcast_run *run, const void *kernel,
                                const int8_t *first, const int8_t *second, int8_t *output)
{
    const int32_t n = loops->count[3];
    for (int32_t i = 0; i < loops->count[0]; i++) {
        for (int32_t j = 0; j < loops->count[1]; j++) {
            for (int32_t k = 0; k < loops->count[2]; k++) {
                run(kernel, n,
                    first + i * loops->first_step[0] + j * loops->first_step[1] + k * loops->first_step[2],
                    loops->first_step[3],
                    second + i * loops->second_step[0] + j * loops->second_step[1] + k * loops->second_step[2],
                    loops->second_step[3], output);
                output += n;
            }
        }
    }
}

#endif
