/* Writes the replies, each at the moment its frame begins: what it says is never older than that. */
#include "td_device.h"
#include "td_port.h"

static const uint8_t build_id[8] = TD_BUILD_ID_INIT;

static uint8_t *put_header(struct td_device *device, enum td_message message, uint16_t sequence, uint32_t session)
{
    uint8_t *to = td_put_u8(device->reply, (uint32_t)message | TD_MSG_REPLY);
    to = td_put_u16(to, sequence);
    return td_put_u32(to, session);
}

static void start(struct td_device *device, const uint8_t *end, const uint8_t *data, uint32_t data_size)
{
    device->encoding = NULL;
    td_encoder_start(&device->encoder, device->reply, (uint32_t)(end - device->reply), data, data_size);
}

static uint8_t *put_hello(const struct td_device *device, uint8_t *to)
{
    to = td_put_u8(to, TD_PROTOCOL_VERSION);
    to = td_put_u8(to, td_model.engine);
    to = td_put_u8(to, TD_BUFFERS);
    to = td_put_u8(to, td_model.inputs);
    to = td_put_u8(to, td_model.outputs);
    to = td_put_u16(to, TD_LAYERS);
    to = td_put_u16(to, TD_CHUNK_BYTES);
    to = td_put_u32(to, (uint32_t)device->model_status);
    to = td_put_u32(to, td_model.arena->used);
    to = td_put_u32(to, td_model.arena->reserved);
    to = td_put_u32(to, td_model.arena->smallest);
    to = td_put_u32(to, TD_INPUT_BYTES);
    to = td_put_u32(to, TD_OUTPUT_BYTES);
    to = td_put_u32(to, TD_CLOCK_HZ);
    to = td_put_u32(to, TD_TICK_HZ);
    to = td_put_bytes(to, build_id, sizeof build_id);
    to = td_put_bytes(to, td_model.sha256, TD_SHA256_BYTES);
    return td_put_text(to, TD_BOARD);
}

static uint8_t *put_tensor(const struct td_device *device, uint8_t *to)
{
    const uint8_t index = device->replies.tensor_index;
    const bool is_input = device->replies.tensor_kind == 0;
    const struct td_tensor *tensor = is_input ? &td_model.input[index] : &td_model.output[index];
    uint32_t scale_bits = 0;
    memcpy(&scale_bits, &tensor->scale, sizeof scale_bits);

    to = td_put_u8(to, device->replies.tensor_kind);
    to = td_put_u8(to, index);
    to = td_put_u8(to, tensor->dtype);
    to = td_put_u8(to, tensor->rank);
    for (size_t i = 0; i < TD_MAX_RANK; i++) {
        to = td_put_u16(to, i < tensor->rank ? tensor->shape[i] : 0u);
    }
    to = td_put_u32(to, scale_bits);
    to = td_put_u32(to, (uint32_t)tensor->zero_point);
    to = td_put_u32(to, tensor->bytes);
    to = td_put_u32(to, tensor->offset);
    return td_put_text(to, tensor->name);
}

static uint8_t *put_ack(const struct td_device *device, uint8_t *to)
{
    const struct td_inputs *inputs = &device->inputs;
    to = td_put_u32(to, inputs->next_id);
    to = td_put_u32(to, inputs->filled);
    return td_put_u32(to, inputs->next_id + td_inputs_free(inputs));
}

static uint8_t *put_stats(struct td_device *device, uint8_t *to)
{
    const struct td_counters *counters = &device->counters;
    td_times_enter(&device->times, device->times.phase);
    to = td_put_u32(to, counters->inferences);
    to = td_put_u32(to, counters->frames);
    to = td_put_u32(to, counters->damaged);
    to = td_put_u32(to, counters->dropped);
    to = td_put_u32(to, counters->overruns + device->app_overruns);
    to = td_put_u32(to, td_port_stack_used());
    for (size_t i = 0; i < TD_PHASES; i++) {
        to = td_put_u64(to, device->times.spent[i]);
    }
    return to;
}

static void start_layers(struct td_device *device, uint8_t *to)
{
    const uint16_t first = device->replies.layers_first;
    uint32_t size = 4u * (TD_LAYERS - (uint32_t)first);
    if (size > TD_CHUNK_BYTES) {
        size = TD_CHUNK_BYTES / 4u * 4u;
    }
    to = td_put_u32(to, device->replies.layers_id);
    to = td_put_u16(to, first);
    start(device, to, &device->layer_ticks[4u * first], size);
}

#ifdef TD_OBSERVABLE
static void start_observation(struct td_device *device, uint8_t *to)
{
    uint32_t size = 0;
    const uint8_t *data = td_observation_data(&device->observation, &size);
    to = td_put_u16(to, device->observation.stopped_after);
    to = td_put_u8(to, device->observation.memory);
    to = td_put_u32(to, device->observation.offset);
    start(device, to, data, size);
}
#endif

static void start_error(struct td_device *device)
{
    const struct td_replies *replies = &device->replies;
    uint8_t *to = put_header(device, TD_MSG_ERROR, replies->error_sequence, replies->error_session);
    to = td_put_u8(to, replies->error);
    to = td_put_u8(to, replies->error_message);
    to = td_put_u32(to, (uint32_t)device->model_status);
    start(device, to, NULL, 0);
}

static void start_result(struct td_device *device, struct td_output *output)
{
    const uint32_t offset = output->sent;
    uint32_t size = TD_OUTPUT_BYTES - offset;
    if (size > TD_CHUNK_BYTES) {
        size = TD_CHUNK_BYTES;
    }
    if (device->result_most != 0 && size > device->result_most) {
        size = device->result_most;
    }
    uint8_t *to = put_header(device, TD_MSG_RESULT, 0, device->session);
    to = td_put_u32(to, output->id);
    to = td_put_u32(to, (uint32_t)output->status);
    to = td_put_u32(to, output->ticks);
    to = td_put_u32(to, offset);
    start(device, to, &output->data[offset], size);
    device->encoding = output;
    output->sent = offset + size;
    output->sending = output->sent < TD_OUTPUT_BYTES;
}

static void start_pending(struct td_device *device, enum td_message message)
{
    uint8_t *to = put_header(device, message, device->replies.sequence[message], device->session);
    if (message == TD_MSG_LAYERS) {
        start_layers(device, to);
        return;
    }
#ifdef TD_OBSERVABLE
    if (message == TD_MSG_OBSERVE) {
        start_observation(device, to);
        return;
    }
#endif
    if (message == TD_MSG_HELLO) {
        to = put_hello(device, to);
    } else if (message == TD_MSG_TENSOR) {
        to = put_tensor(device, to);
    } else if (message == TD_MSG_INPUT) {
        to = put_ack(device, to);
    } else {
        to = put_stats(device, to);
    }
    start(device, to, NULL, 0);
}

bool td_reply_start(struct td_device *device)
{
    struct td_replies *replies = &device->replies;
    for (unsigned message = TD_MSG_HELLO; message <= TD_MSG_LAST_ANSWERED; message++) {
        if (replies->pending & (1u << message)) {
            replies->pending &= ~(1u << message);
            start_pending(device, (enum td_message)message);
            return true;
        }
    }
    if (replies->pending & TD_PENDING_ERROR) {
        replies->pending &= ~TD_PENDING_ERROR;
        start_error(device);
        return true;
    }
    struct td_output *output = td_outputs_to_send(&device->outputs);
    if (output != NULL) {
        start_result(device, output);
        return true;
    }
    return false;
}
