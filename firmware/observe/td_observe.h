/* An inference that stops between its layers, so that a host can look at its memory: docs/protocol.md, OBSERVE.
 *
 * Only of firmwares that `tinydeploy verify --localize` builds; no other has any of this. As for td_device.h, all calls
 * must be serialised. */
#ifndef TD_OBSERVE_H
#define TD_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "td_messages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Stands for no layer where one is named. */
#define TD_NO_LAYER 0xFFFFu

enum td_observed { TD_OBSERVED_ARENA, TD_OBSERVED_INPUT, TD_OBSERVED_OUTPUT, TD_OBSERVED_MEMORIES };

struct td_observation {
    uint16_t stop_after;    /* the layer that the host wants to see */
    uint16_t stopped_after; /* the layer that the inference stands behind now */
    uint8_t memory;         /* of enum td_observed: what is to be shown, */
    uint32_t offset;        /* and from where on */
    const uint8_t *input;   /* of the inference in hand, or the latest */
    const uint8_t *output;
};

/* The generated model's arena, td_model.arena->reserved bytes; NULL where it has none. */
extern const uint8_t *const td_observed_arena;

/* Nothing is observed: an inference that stands goes on. */
void td_observation_reset(struct td_observation *observation);

/* Takes an OBSERVE. An inference that stands behind another layer goes on. */
enum td_error td_observation_take(struct td_observation *observation, const uint8_t *payload);

/* Whether the inference, which has just computed this layer, is to stand. */
bool td_observation_stops(struct td_observation *observation, uint16_t layer);

/* What a reply shows, at most TD_CHUNK_BYTES of it; nothing while no inference stands. */
const uint8_t *td_observation_data(const struct td_observation *observation, uint32_t *size);

#ifdef __cplusplus
}
#endif

#endif
