/* 5 layers, 312 multiply-accumulates
 *
 * Compiled by tinydeploy from a .tflite file with the SHA-256
 * a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf.
 * Arena 48 bytes, constants 308 bytes.
 *
 * Memory: inputs are read where the link received them, outputs are written where it sends them from, and all
 * other tensors share the arena, each at the offset that the memory plan gave it. */
#include "td_model.h"

#include "dsp/td_fully_connected_rows.h"
#include "td_conv_2d.h"
#include "td_max_pool_2d.h"
#include "td_softmax.h"

static int8_t arena[48] __attribute__((aligned(TD_ALIGN)));

/* Layer 0: CONV_2D, 1x4x4x1 -> 1x4x4x2, 288 multiply-accumulates */
static void layer_0_conv_2d(const int8_t *input, int8_t *output)
{
    static const int8_t weights[2 * 3 * 3 * 1] TD_IN_FLASH = {
        -127, -114, -101, -88, -75, -62, -49, -36, -23, -10, 3, 16, 29, 42, 55, 68,
        81, 94
    };
    static const int32_t bias[2] TD_IN_FLASH = {
        -2075, 1184
    };
    static const int32_t output_stage_mantissa[2] TD_IN_FLASH = {
        1374389504, 1374389504
    };
    static const int8_t output_stage_shift[2] TD_IN_FLASH = {
        -6, -5
    };
    static const struct td_conv_2d conv_2d = {
        .input_height = 4,
        .input_width = 4,
        .input_channels = 1,
        .output_height = 4,
        .output_width = 4,
        .output_channels = 2,
        .kernel_height = 3,
        .kernel_width = 3,
        .stride_height = 1,
        .stride_width = 1,
        .dilation_height = 1,
        .dilation_width = 1,
        .pad_top = 1,
        .pad_left = 1,
        .input_zero_point = -3,
        .weights = weights,
        .bias = bias,
        .output_stage = {
            .mantissa = output_stage_mantissa,
            .shift = output_stage_shift,
            .per_channel = 1,
            .zero_point = -3,
            .min = -3,
            .max = 127,
        },
    };
    td_conv_2d(&conv_2d, input, output);
}

/* Layer 1: MAX_POOL_2D, 1x4x4x2 -> 1x2x2x2 */
static void layer_1_max_pool_2d(const int8_t *input, int8_t *output)
{
    static const struct td_max_pool_2d max_pool_2d = {
        .window = {
            .input_height = 4,
            .input_width = 4,
            .channels = 2,
            .output_height = 2,
            .output_width = 2,
            .filter_height = 2,
            .filter_width = 2,
            .stride_height = 2,
            .stride_width = 2,
            .pad_top = 0,
            .pad_left = 0,
            .min = -128,
            .max = 127,
        },
    };
    td_max_pool_2d(&max_pool_2d, input, output);
}

/* Layer 3: FULLY_CONNECTED, 1x8 -> 1x3, 24 multiply-accumulates, row by row, 4 channels at a time */
static void layer_3_fully_connected(const int8_t *input, int8_t *output, int8_t *scratch)
{
    static const uint32_t stream[1 * 12] TD_IN_FLASH = {
        4294454350, 590, 16896, 0, 2600698089, 1795182848, 2819657206, 2013289984,
        3476534557, 2600501504, 3695493674, 2818608640
    };
    static const struct td_fully_connected_rows fully_connected_rows = {
        .rows = 1,
        .input_depth = 8,
        .output_depth = 3,
        .multiplier = 1374389504,
        .offset = 48,
        .shift = 5,
        .stream = stream,
    };
    td_fully_connected_rows(&fully_connected_rows, input, output, scratch);
}

/* Layer 4: SOFTMAX, 1x3 -> 1x3 */
static void layer_4_softmax(const int8_t *input, int8_t *output)
{
    static const int32_t exponentials[56] TD_IN_FLASH = {
        2147483647, 1672462419, 1302515042, 1014399735, 790015308, 615264540, 479168506, 373176807,
        290630390, 226343175, 176276242, 137284076, 106916946, 83267001, 64848406, 50503989,
        39332546, 30632218, 23856395, 18579379, 14469635, 11268963, 8776277, 6834972,
        5323081, 4145620, 3228612, 2514446, 1958252, 1525088, 1187740, 925013,
        720401, 561049, 436945, 340293, 265021, 206398, 160743, 125187,
        97496, 75930, 59134, 46054, 35867, 27933, 21754, 16942,
        13195, 10276, 8003, 6233, 4854, 3780, 2944, 2293
    };
    static const struct td_softmax softmax = {
        .rows = 1,
        .depth = 3,
        .entries = 56,
        .exponentials = exponentials,
    };
    td_softmax(&softmax, input, output);
}

/* Layers are told apart in time only if the caller asks for it. */
static inline void report(td_layer_fn *after_layer, uint16_t layer)
{
    if (after_layer != NULL) {
        after_layer(layer);
    }
}

static int invoke(const uint8_t *inputs, uint8_t *outputs, td_layer_fn *after_layer)
{
    const int8_t *const in = (const int8_t *)inputs;
    int8_t *const out = (int8_t *)outputs;

    layer_0_conv_2d(in, arena);
    report(after_layer, 0);
    layer_1_max_pool_2d(arena, arena + 32);
    report(after_layer, 1);
    /* Layer 2: RESHAPE only renames its input. */
    report(after_layer, 2);
    layer_3_fully_connected(arena + 32, arena, arena + 16);
    report(after_layer, 3);
    layer_4_softmax(arena, out);
    report(after_layer, 4);
    return 0;
}

static int init(void)
{
    return 0;
}

static const struct td_tensor model_inputs[] = {
    {
        .name = "image",
        .dtype = TD_INT8,
        .rank = 4,
        .shape = {1, 4, 4, 1},
        .scale = 0.5f,
        .zero_point = -3,
        .bytes = 16,
        .offset = 0,
    },
};

static const struct td_tensor model_outputs[] = {
    {
        .name = "classes",
        .dtype = TD_INT8,
        .rank = 2,
        .shape = {1, 3},
        .scale = 0.00390625f,
        .zero_point = -128,
        .bytes = 3,
        .offset = 0,
    },
};

static const uint8_t sha256[TD_SHA256_BYTES] = {
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
    0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf
};

static const struct td_arena arena_size = {.used = 48, .reserved = 48};

const struct td_model td_model = {
    .engine = TD_ENGINE_AOT,
    .sha256 = sha256,
    .arena = &arena_size,
    .layers = 5,
    .inputs = 1,
    .outputs = 1,
    .input = model_inputs,
    .output = model_outputs,
    .init = init,
    .invoke = invoke,
};
