/* A model whose results are easy to check: each output byte is an input byte plus one, and the last output tensor
 * counts the inferences since start, so that one made twice or left out shows. */
#define _DEFAULT_SOURCE
#include <unistd.h>

#include "td_config.h"
#include "td_messages.h"
#include "td_model.h"
#ifdef TD_OBSERVABLE
#include "td_observe.h"
#endif

#ifndef TEST_COMPUTE_US
#define TEST_COMPUTE_US 0
#endif
#ifndef TEST_INIT_STATUS
#define TEST_INIT_STATUS 0
#endif

/* An input that begins with this byte makes the engine fail. */
#define TEST_POISON 0xEE

#define SUM_BYTES (TD_OUTPUT_BYTES - 4)

static const struct td_tensor input[] = {
    {"first", TD_INT8, 2, {1, 16}, 0.5f, -128, 16, 0},
    {"second", TD_UINT8, 3, {1, 1, TD_INPUT_BYTES - 16}, 0.0f, 0, TD_INPUT_BYTES - 16, 16},
};
static const struct td_tensor output[] = {
    {"sum", TD_INT8, 2, {1, SUM_BYTES}, 0.25f, 3, SUM_BYTES, 0},
    {"count", TD_INT32, 1, {1}, 0.0f, 0, 4, SUM_BYTES},
};

#ifdef TD_OBSERVABLE
/* After each layer: byte i is the layer plus i plus the input's second byte. */
static uint8_t arena[4336];
const uint8_t *const td_observed_arena = arena;

static void leave_traces(uint16_t layer, const uint8_t *in)
{
    for (uint32_t i = 0; i < sizeof arena; i++) {
        arena[i] = (uint8_t)(layer + i + in[1]);
    }
}
#else
static void leave_traces(uint16_t layer, const uint8_t *in)
{
    (void)layer;
    (void)in;
}
#endif

static int init(void)
{
    return TEST_INIT_STATUS;
}

static int invoke(const uint8_t *in, uint8_t *out, td_layer_fn *after_layer)
{
    static uint32_t count;
    if (in[0] == TEST_POISON) {
        return -5;
    }
    for (uint16_t layer = 0; layer < TD_LAYERS; layer++) {
        for (uint32_t i = layer; i < SUM_BYTES; i += TD_LAYERS) {
            out[i] = (uint8_t)(in[i % TD_INPUT_BYTES] + 1u);
        }
        if (TEST_COMPUTE_US > 0) {
            usleep(TEST_COMPUTE_US / TD_LAYERS);
        }
        leave_traces(layer, in);
        if (after_layer != NULL) {
            after_layer(layer);
        }
    }
    td_put_u32(&out[SUM_BYTES], ++count);
    return 0;
}

static const uint8_t sha256[TD_SHA256_BYTES] = {0xAA, 0xBB};

static const struct td_arena arena_size = {.used = 4321, .reserved = 4336, .smallest = 4336};

const struct td_model td_model = {
    .engine = TD_ENGINE_AOT,
    .sha256 = sha256,
    .arena = &arena_size,
    .layers = TD_LAYERS,
    .inputs = 2,
    .outputs = 2,
    .input = input,
    .output = output,
    .init = init,
    .invoke = invoke,
};
