/* Input and output buffers: TD_BUFFERS of each, each with an explicit state.
 *
 *     input:   EMPTY -> FILLING -> READY -> IN_USE -> EMPTY        the host fills one while inference reads the other
 *              EMPTY -> LENT -> READY                              or the application does (td_app.h)
 *     output:  FREE -> COMPUTING -> HELD -> FREE                   held until the host says that it has it
 *
 * They change hands by state and pointer; nothing is copied. There are as many output buffers as input buffers, so that
 * an inference can start while the result before it is still on its way: with one, each inference would wait for a round
 * trip. Nothing here locks: the caller sees to it that calls do not overlap. */
#ifndef TD_BUFFERS_H
#define TD_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "td_config.h"

enum td_input_state { TD_INPUT_EMPTY, TD_INPUT_FILLING, TD_INPUT_LENT, TD_INPUT_READY, TD_INPUT_IN_USE };

struct td_input {
    uint8_t *data; /* TD_INPUT_BYTES, TD_ALIGN-aligned */
    uint32_t id;
    enum td_input_state state;
    uint8_t flags; /* TD_INPUT_MASKED, TD_INPUT_LAYERS */
    bool of_app;   /* the result is the application's, not the host's */
};

struct td_inputs {
    struct td_input buffer[TD_BUFFERS];
    uint32_t next_id; /* of the input being filled, or to be filled next */
    uint32_t run_id;  /* of the input to be computed next */
    uint32_t filled;  /* bytes of input next_id that are there */
};

enum td_output_state { TD_OUTPUT_FREE, TD_OUTPUT_COMPUTING, TD_OUTPUT_HELD };

struct td_output {
    uint8_t *data; /* TD_OUTPUT_BYTES, TD_ALIGN-aligned */
    uint32_t id;
    uint32_t ticks;
    uint32_t sent; /* bytes of it */
    int32_t status;
    enum td_output_state state;
    bool sending;
    bool abandoned; /* nobody on the link waits for it: its session has ended, or it is the application's */
};

struct td_outputs {
    struct td_output buffer[TD_BUFFERS];
};

/* Starts over with id 0. An input in use stays in use, one that is lent stays lent, and an output being computed is
 * abandoned: td_inputs_release() and td_outputs_publish() still take them. */
void td_inputs_reset(struct td_inputs *inputs);
void td_outputs_reset(struct td_outputs *outputs);

/* The buffer that input next_id goes to, or NULL where none is free. The producer may write at and behind
 * data[filled] as it likes; nothing of it counts before it is accepted. */
struct td_input *td_inputs_to_fill(struct td_inputs *inputs);

/* Accepts the next `size` bytes that the producer wrote. At TD_INPUT_BYTES the input is ready. */
void td_inputs_accept(struct td_inputs *inputs, struct td_input *input, uint32_t size, uint8_t flags);

/* The buffer that the application fills: the one that is lent already, or else an empty one, lent from now on; NULL
 * where there is neither. */
struct td_input *td_inputs_lend(struct td_inputs *inputs);

/* The buffer that is lent, or NULL. */
struct td_input *td_inputs_lent(struct td_inputs *inputs);

/* A lent buffer holds a complete input: it is ready. */
void td_inputs_complete(struct td_inputs *inputs, struct td_input *input);

/* Inputs that may still begin or go on: buffers that are empty or being filled. */
uint32_t td_inputs_free(const struct td_inputs *inputs);

/* The input to be computed next where it is ready, or NULL. */
struct td_input *td_inputs_ready(struct td_inputs *inputs);
void td_inputs_take(struct td_inputs *inputs, struct td_input *input);
void td_inputs_release(struct td_input *input);

/* A free output buffer other than `except`, or NULL. */
struct td_output *td_outputs_free(struct td_outputs *outputs, const struct td_output *except);
void td_outputs_take(struct td_output *output, const struct td_input *input);

/* The result is there and is to be sent. Frees it at once where it was abandoned. */
void td_outputs_publish(struct td_output *output, int32_t status, uint32_t ticks);

/* The output with this id that is being computed or held, or NULL. */
struct td_output *td_outputs_find(struct td_outputs *outputs, uint32_t id);

/* Frees the held results before this id: the host has them. */
void td_outputs_release_before(struct td_outputs *outputs, uint32_t id);

/* The oldest result that is not sent completely, or NULL. */
struct td_output *td_outputs_to_send(struct td_outputs *outputs);

#endif
