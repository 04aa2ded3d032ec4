#include "td_buffers.h"

#if TD_BUFFERS < 1 || TD_BUFFERS > 2
#error "TD_BUFFERS must be 1 or 2"
#endif

void td_inputs_reset(struct td_inputs *inputs)
{
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        struct td_input *input = &inputs->buffer[i];
        if (input->state != TD_INPUT_IN_USE && input->state != TD_INPUT_LENT) {
            input->state = TD_INPUT_EMPTY;
        }
    }
    inputs->next_id = 0;
    inputs->run_id = 0;
    inputs->filled = 0;
}

static struct td_input *find_input(struct td_inputs *inputs, enum td_input_state state)
{
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        if (inputs->buffer[i].state == state) {
            return &inputs->buffer[i];
        }
    }
    return NULL;
}

struct td_input *td_inputs_to_fill(struct td_inputs *inputs)
{
    struct td_input *begun = find_input(inputs, TD_INPUT_FILLING);
    return begun != NULL ? begun : find_input(inputs, TD_INPUT_EMPTY);
}

void td_inputs_accept(struct td_inputs *inputs, struct td_input *input, uint32_t size, uint8_t flags)
{
    input->state = TD_INPUT_FILLING;
    input->id = inputs->next_id;
    input->flags = flags;
    input->of_app = false;
    inputs->filled += size;
    if (inputs->filled == TD_INPUT_BYTES) {
        input->state = TD_INPUT_READY;
        inputs->next_id++;
        inputs->filled = 0;
    }
}

struct td_input *td_inputs_lent(struct td_inputs *inputs)
{
    return find_input(inputs, TD_INPUT_LENT);
}

struct td_input *td_inputs_lend(struct td_inputs *inputs)
{
    struct td_input *input = td_inputs_lent(inputs);
    if (input == NULL) {
        input = find_input(inputs, TD_INPUT_EMPTY);
    }
    if (input != NULL) {
        input->state = TD_INPUT_LENT;
    }
    return input;
}

void td_inputs_complete(struct td_inputs *inputs, struct td_input *input)
{
    input->state = TD_INPUT_READY;
    input->id = inputs->next_id++;
    input->flags = 0;
    input->of_app = true;
}

uint32_t td_inputs_free(const struct td_inputs *inputs)
{
    uint32_t count = 0;
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        const enum td_input_state state = inputs->buffer[i].state;
        count += (state == TD_INPUT_EMPTY || state == TD_INPUT_FILLING) ? 1u : 0u;
    }
    return count;
}

struct td_input *td_inputs_ready(struct td_inputs *inputs)
{
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        struct td_input *input = &inputs->buffer[i];
        if (input->state == TD_INPUT_READY && input->id == inputs->run_id) {
            return input;
        }
    }
    return NULL;
}

void td_inputs_take(struct td_inputs *inputs, struct td_input *input)
{
    input->state = TD_INPUT_IN_USE;
    inputs->run_id++;
}

void td_inputs_release(struct td_input *input)
{
    input->state = TD_INPUT_EMPTY;
}

void td_outputs_reset(struct td_outputs *outputs)
{
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        struct td_output *output = &outputs->buffer[i];
        if (output->state == TD_OUTPUT_COMPUTING) {
            output->abandoned = true;
        } else {
            output->state = TD_OUTPUT_FREE;
            output->sending = false;
        }
    }
}

struct td_output *td_outputs_free(struct td_outputs *outputs, const struct td_output *except)
{
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        if (outputs->buffer[i].state == TD_OUTPUT_FREE && &outputs->buffer[i] != except) {
            return &outputs->buffer[i];
        }
    }
    return NULL;
}

void td_outputs_take(struct td_output *output, const struct td_input *input)
{
    output->state = TD_OUTPUT_COMPUTING;
    output->id = input->id;
    output->abandoned = input->of_app;
}

void td_outputs_publish(struct td_output *output, int32_t status, uint32_t ticks)
{
    if (output->abandoned) {
        output->state = TD_OUTPUT_FREE;
        return;
    }
    output->status = status;
    output->ticks = ticks;
    output->sent = 0;
    output->sending = true;
    output->state = TD_OUTPUT_HELD;
}

struct td_output *td_outputs_find(struct td_outputs *outputs, uint32_t id)
{
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        struct td_output *output = &outputs->buffer[i];
        if (output->state != TD_OUTPUT_FREE && !output->abandoned && output->id == id) {
            return output;
        }
    }
    return NULL;
}

void td_outputs_release_before(struct td_outputs *outputs, uint32_t id)
{
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        struct td_output *output = &outputs->buffer[i];
        if (output->state == TD_OUTPUT_HELD && output->id < id) {
            output->state = TD_OUTPUT_FREE;
            output->sending = false;
        }
    }
}

struct td_output *td_outputs_to_send(struct td_outputs *outputs)
{
    struct td_output *oldest = NULL;
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        struct td_output *output = &outputs->buffer[i];
        if (output->sending && (oldest == NULL || output->id < oldest->id)) {
            oldest = output;
        }
    }
    return oldest;
}
