#include "td_strided_copy.h"

#include <stddef.h>
#include <string.h>

/* The innermost loop. */
static void copy_runs(const struct td_strided_copy *copy, const int8_t *input, int8_t *output)
{
    const int32_t input_step = copy->input_step[3];
    const int32_t output_step = copy->output_step[3];
    if (copy->run == 1) {
        for (int32_t i = 0; i < copy->count[3]; i++) {
            output[i * output_step] = input[i * input_step];
        }
        return;
    }
    for (int32_t i = 0; i < copy->count[3]; i++) {
        memcpy(output + i * output_step, input + i * input_step, (size_t)copy->run);
    }
}

void td_strided_copy(const struct td_strided_copy *copy, const int8_t *input, int8_t *output)
{
    const int32_t *const in = copy->input_step;
    const int32_t *const out = copy->output_step;
    for (int32_t i = 0; i < copy->count[0]; i++) {
        for (int32_t j = 0; j < copy->count[1]; j++) {
            for (int32_t k = 0; k < copy->count[2]; k++) {
                copy_runs(copy, input + i * in[0] + j * in[1] + k * in[2],
                          output + i * out[0] + j * out[1] + k * out[2]);
            }
        }
    }
}
