/* A model that copies its input. */
#include <string.h>

#include "td_model.h"

static const uint8_t weights[1000] = {1};

static int init(void)
{
    return weights[0] - 1;
}

static int invoke(const uint8_t *inputs, uint8_t *outputs, td_layer_fn *after_layer)
{
    memcpy(outputs, inputs, 16);
    if (after_layer) {
        after_layer(0);
    }
    return weights[outputs[0] % sizeof weights] - weights[0];
}

static const struct td_tensor tensor = {
    .name = "copied", .dtype = TD_INT8, .rank = 2, .shape = {1, 16}, .scale = 1.0f, .bytes = 16};

const struct td_model td_model = {
    .engine = TD_ENGINE_AOT, .arena_bytes = 16, .layers = 1, .inputs = 1, .outputs = 1, .input = &tensor,
    .output = &tensor, .init = init, .invoke = invoke};
