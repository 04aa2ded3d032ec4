/* Runs models compiled by the aot engine on the host: requests on standard input, outputs on standard output.
 *
 * A request is two 32-bit numbers, which model and how many samples, and then that many input buffers as td_model.h
 * lays them out; the answer is as many output buffers. Every buffer is allocated at its exact size, so that the address
 * sanitizer sees any access beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "td_model.h"

extern const struct td_model *const models[];

static uint32_t buffer_bytes(const struct td_tensor *tensors, uint8_t count)
{
    const struct td_tensor *const last = &tensors[count - 1];
    return last->offset + last->bytes;
}

static uint16_t layers_done;

static void after_layer(uint16_t layer)
{
    layers_done = (uint16_t)(layers_done + (layer == layers_done));
}

static int run(const struct td_model *model)
{
    const uint32_t input_bytes = buffer_bytes(model->input, model->inputs);
    const uint32_t output_bytes = buffer_bytes(model->output, model->outputs);
    /* malloc aligns to 16 bytes, TD_ALIGN, on the hosts that tests run on. */
    uint8_t *const inputs = malloc(input_bytes);
    uint8_t *const before = malloc(input_bytes);
    uint8_t *const outputs = malloc(output_bytes);
    int failed = fread(inputs, input_bytes, 1, stdin) != 1;

    memcpy(before, inputs, input_bytes);
    memset(outputs, 0xa5, output_bytes);
    layers_done = 0;
    failed |= model->invoke(inputs, outputs, after_layer);
    failed |= layers_done != model->layers;
    failed |= memcmp(before, inputs, input_bytes) != 0;
    failed |= fwrite(outputs, output_bytes, 1, stdout) != 1;
    free(inputs);
    free(before);
    free(outputs);
    return failed;
}

int main(void)
{
    uint32_t request[2];
    while (fread(request, sizeof request, 1, stdin) == 1) {
        const struct td_model *const model = models[request[0]];
        if (model->init() != 0) {
            return 2;
        }
        for (uint32_t sample = 0; sample < request[1]; sample++) {
            if (run(model)) {
                fprintf(stderr, "model %u, sample %u: failed, or wrote to its inputs\n", request[0], sample);
                return 3;
            }
        }
    }
    return 0;
}
