#include "td_observe.h"

#include "td_config.h"
#include "td_model.h"

void td_observation_reset(struct td_observation *observation)
{
    observation->stop_after = TD_NO_LAYER;
    observation->stopped_after = TD_NO_LAYER;
    observation->memory = TD_OBSERVED_ARENA;
    observation->offset = 0;
}

enum td_error td_observation_take(struct td_observation *observation, const uint8_t *payload)
{
    if (payload[2] >= TD_OBSERVED_MEMORIES) {
        return TD_ERROR_BAD_REQUEST;
    }
    observation->stop_after = td_get_u16(&payload[0]);
    observation->memory = payload[2];
    observation->offset = td_get_u32(&payload[3]);
    if (observation->stopped_after != observation->stop_after) {
        observation->stopped_after = TD_NO_LAYER; /* it is about to go on */
    }
    return TD_ERROR_NONE;
}

bool td_observation_stops(struct td_observation *observation, uint16_t layer)
{
    const bool stops = observation->stop_after == layer;
    observation->stopped_after = stops ? layer : (uint16_t)TD_NO_LAYER;
    return stops;
}

static const uint8_t *memory_of(const struct td_observation *observation, uint32_t *size)
{
    switch (observation->memory) {
    case TD_OBSERVED_INPUT:
        *size = TD_INPUT_BYTES;
        return observation->input;
    case TD_OBSERVED_OUTPUT:
        *size = TD_OUTPUT_BYTES;
        return observation->output;
    default:
        *size = td_model.arena->reserved;
        return td_observed_arena;
    }
}

const uint8_t *td_observation_data(const struct td_observation *observation, uint32_t *size)
{
    uint32_t all = 0;
    const uint8_t *memory = memory_of(observation, &all);
    *size = 0;
    if (memory == NULL || observation->stopped_after == TD_NO_LAYER || observation->offset >= all) {
        return NULL;
    }
    *size = all - observation->offset;
    if (*size > TD_CHUNK_BYTES) {
        *size = TD_CHUNK_BYTES;
    }
    return &memory[observation->offset];
}
