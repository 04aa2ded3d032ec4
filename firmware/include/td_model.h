/* The seam between an engine and the runner: what the generated code of a model provides, whichever engine made it. */
#ifndef TD_MODEL_H
#define TD_MODEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Element types, as they stand in the link's hello message (docs/protocol.md). */
enum td_dtype {
    TD_FLOAT32 = 0,
    TD_INT8 = 1,
    TD_UINT8 = 2,
    TD_INT16 = 3,
    TD_INT32 = 4,
};

enum td_engine {
    TD_ENGINE_AOT = 1,
    TD_ENGINE_TFLM = 2,
};

#define TD_MAX_RANK 6
#define TD_SHA256_BYTES 32

/* Alignment of every buffer that holds tensors, and of every tensor in it. */
#define TD_ALIGN 16

/* Of the model's large constants. Where the board's linker script copies constants to RAM, TD_MODEL_SECTION names one
 * that stays in flash: .progmem of a Teensy. */
#ifdef TD_MODEL_SECTION
#define TD_QUOTED(word) #word
#define TD_SECTION(name) __attribute__((section(TD_QUOTED(name))))
#define TD_IN_FLASH TD_SECTION(TD_MODEL_SECTION)
#else
#define TD_IN_FLASH
#endif

/* One input or output of the model. */
struct td_tensor {
    const char *name;            /* printable ASCII, at most 31 characters */
    enum td_dtype dtype;
    uint8_t rank;
    uint16_t shape[TD_MAX_RANK]; /* the first `rank` entries count */
    float scale;                 /* real = scale * (q - zero_point); 0 where not quantised */
    int32_t zero_point;
    uint32_t bytes;
    uint32_t offset;             /* in the input or the output buffer; a multiple of TD_ALIGN */
};

/* Called after each layer when layers are timed; `layer` counts from 0. */
typedef void td_layer_fn(uint16_t layer);

/* The memory that the tensors between the layers share, in bytes. */
struct td_arena {
    uint32_t used;     /* by the engine's own account */
    uint32_t reserved; /* the array's size */
    uint32_t smallest; /* with which the model starts, found by trying; 0 where nobody has tried */
};

struct td_model {
    enum td_engine engine;
    const uint8_t *sha256;       /* TD_SHA256_BYTES: of the .tflite file. Valid after init(), as the arena's figures are */
    const struct td_arena *arena;
    uint16_t layers;
    uint8_t inputs;
    uint8_t outputs;
    const struct td_tensor *input;
    const struct td_tensor *output;

    /* Once, before the first inference. 0, or a negative number that the engine's source explains. */
    int (*init)(void);

    /* One inference. `inputs` holds every input tensor at its offset, is TD_ALIGN-aligned and stays untouched;
     * `outputs` gets every output tensor at its offset. `after_layer` may be NULL.
     * 0, or a negative number that the engine's source explains. */
    int (*invoke)(const uint8_t *inputs, uint8_t *outputs, td_layer_fn *after_layer);
};

extern const struct td_model td_model;

#ifdef __cplusplus
}
#endif

#endif
