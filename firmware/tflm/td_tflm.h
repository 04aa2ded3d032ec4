/* A model run by TensorFlow Lite Micro (TFLM). With td_tflm.cc this is the one place that knows TFLM's interface, which
 * has changed over the years: what is generated for a model names nothing of TFLM but the ops that it needs. */
#ifndef TD_TFLM_H
#define TD_TFLM_H

#include <stdint.h>

#include "td_model.h"

namespace tflite {
class MicroOpResolver;
}

/* Why a model could not be started, or an inference failed. The host has words for these (tinydeploy/link/status.py). */
enum td_tflm_status {
    TD_TFLM_MODEL_MISALIGNED = -1,
    TD_TFLM_MODEL_ALTERED = -2,    /* what is in flash is not what the firmware was built with */
    TD_TFLM_SCHEMA_VERSION = -3,   /* the library reads another version of the .tflite format */
    TD_TFLM_OP_NOT_ADDED = -4,     /* an op has no place in the resolver */
    TD_TFLM_ARENA_MISALIGNED = -5,
    TD_TFLM_ARENA_TOO_SMALL = -6,
    TD_TFLM_OP_REFUSED = -7,       /* the library has no such op, or its kernel does not take these tensors or options */
    TD_TFLM_INPUTS_DIFFER = -8,    /* TFLM's inputs are not the ones of td_model: number, type or size */
    TD_TFLM_OUTPUTS_DIFFER = -9,
    TD_TFLM_INVOKE_FAILED = -10,   /* a kernel failed in the middle of an inference */
};

/* What a model consists of. All of it lives as long as the firmware. */
struct td_tflm_model {
    const uint8_t *data; /* the .tflite file, TD_ALIGN-aligned */
    uint32_t bytes;
    const uint8_t *sha256; /* TD_SHA256_BYTES: what the file's is meant to be */
    uint8_t *arena;        /* TD_ALIGN-aligned */
    uint32_t arena_bytes;  /* a multiple of TD_ALIGN */
};

/* SHA-256 of the model in flash, as td_tflm_start() found it. */
extern uint8_t td_tflm_sha256[TD_SHA256_BYTES];

/* Checks the model, starts an interpreter of it with `ops`, and checks that its inputs and outputs are those of td_model.
 * Writes arena->used. `ops` is NULL where one could not be added. 0, or one of td_tflm_status. */
int td_tflm_start(const td_tflm_model &model, const tflite::MicroOpResolver *ops, td_arena *arena);

/* Before td_tflm_start(): tries which is the smallest arena with which the model starts, in steps of TD_ALIGN bytes, with
 * a fresh interpreter in fresh memory every time. Writes arena->smallest; 0 where it does not start with the whole. */
void td_tflm_probe(const td_tflm_model &model, const tflite::MicroOpResolver *ops, td_arena *arena);

/* One inference, after td_tflm_start(): as td_model.invoke() says. */
int td_tflm_invoke(const uint8_t *inputs, uint8_t *outputs, td_layer_fn *after_layer);

#endif
