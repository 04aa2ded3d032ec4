/* Runs models compiled by the aot engine: requests on standard input, outputs on standard output.
 *
 * A request is two 32-bit numbers, which model and how many samples, and then that many input buffers as td_model.h
 * lays them out; the answer is as many output buffers. On the host every buffer is allocated at its exact size, so that
 * the address sanitizer sees any access beyond it; cores, which have none, get marks behind the buffers and around the
 * arenas (core_engine.py, core_start.c). */
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

#define MARK 0xa5

#if defined(__arm__)
#include <malloc.h>

#define BEHIND 64 /* bytes of marks behind a buffer */

/* The memory of all models' arenas, and some around it; the linker script's. */
extern uint8_t arenas_start[], arenas_end[];

static uint8_t *allocate(uint32_t bytes)
{
    uint8_t *const memory = memalign(TD_ALIGN, bytes + BEHIND);
    memset(memory, MARK, bytes + BEHIND);
    return memory;
}

static int is_marked(const uint8_t *memory, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        if (memory[i] != MARK) {
            return 0;
        }
    }
    return 1;
}

static int wrote_behind(const uint8_t *memory, uint32_t bytes)
{
    return !is_marked(memory + bytes, BEHIND);
}

static void mark_arenas(void)
{
    memset(arenas_start, MARK, (size_t)(arenas_end - arenas_start));
}

/* Whether what has been written of the arenas' memory since it was marked is larger than the model's arena. */
static int wrote_beyond_arena(const struct td_model *model)
{
    const uint8_t *first = arenas_start;
    const uint8_t *last = arenas_end;
    while (first < last && *first == MARK) {
        first++;
    }
    while (last > first && last[-1] == MARK) {
        last--;
    }
    return (uint32_t)(last - first) > model->arena->reserved;
}
#else
/* malloc aligns to 16 bytes, TD_ALIGN, on the hosts that tests run on. */
static uint8_t *allocate(uint32_t bytes)
{
    uint8_t *const memory = malloc(bytes);
    memset(memory, MARK, bytes);
    return memory;
}

static int wrote_behind(const uint8_t *memory, uint32_t bytes)
{
    (void)memory;
    (void)bytes;
    return 0;
}

static void mark_arenas(void)
{
}

static int wrote_beyond_arena(const struct td_model *model)
{
    (void)model;
    return 0;
}
#endif

static uint16_t layers_done;

static void after_layer(uint16_t layer)
{
    layers_done = (uint16_t)(layers_done + (layer == layers_done));
}

static int run(const struct td_model *model)
{
    const uint32_t input_bytes = buffer_bytes(model->input, model->inputs);
    const uint32_t output_bytes = buffer_bytes(model->output, model->outputs);
    uint8_t *const inputs = allocate(input_bytes);
    uint8_t *const before = allocate(input_bytes);
    uint8_t *const outputs = allocate(output_bytes);
    int failed = fread(inputs, input_bytes, 1, stdin) != 1;

    memcpy(before, inputs, input_bytes);
    mark_arenas();
    layers_done = 0;
    failed |= model->invoke(inputs, outputs, after_layer);
    failed |= layers_done != model->layers;
    failed |= memcmp(before, inputs, input_bytes) != 0;
    failed |= wrote_behind(inputs, input_bytes) || wrote_behind(outputs, output_bytes) || wrote_beyond_arena(model);
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
                fprintf(stderr, "model %u, sample %u: failed, or wrote where it must not\n", (unsigned)request[0],
                        (unsigned)sample);
                return 3;
            }
        }
    }
    return 0;
}
