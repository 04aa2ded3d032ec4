#include "td_device.h"

#include "td_port.h"

static void restart_receiver(struct td_receiver *receiver)
{
    receiver->size = 0;
    receiver->input = NULL;
}

void td_device_init(struct td_device *device, int32_t model_status)
{
    device->model_status = model_status;
    td_decoder_init(&device->receiver.decoder);
    restart_receiver(&device->receiver);
    td_inputs_reset(&device->inputs);
    td_outputs_reset(&device->outputs);
    device->times.since = td_port_ticks();
#ifdef TD_OBSERVABLE
    td_observation_reset(&device->observation);
#endif
}

void td_times_enter(struct td_times *times, enum td_phase phase)
{
    const uint32_t now = td_port_ticks();
    times->spent[times->phase] += now - times->since;
    times->since = now;
    times->phase = phase;
}

/* Leaves a reply to the request in hand, in place of an older one of the same kind that has not been sent yet. */
static void answer(struct td_device *device, enum td_message message)
{
    device->replies.pending |= 1u << message;
    device->replies.sequence[message] = td_get_u16(&device->receiver.head[1]);
}

static void refuse(struct td_device *device, enum td_error error)
{
    const uint8_t *head = device->receiver.head;
    device->counters.dropped++;
    device->replies.pending |= TD_PENDING_ERROR;
    device->replies.error = error;
    device->replies.error_message = head[0];
    device->replies.error_sequence = td_get_u16(&head[1]);
    device->replies.error_session = td_get_u32(&head[3]);
}

static void start_session(struct td_device *device, uint32_t session)
{
    device->session = session;
    device->replies.pending = 0;
    device->replies.sequence[TD_MSG_INPUT] = 0;
    device->layers_valid = false;
    device->unnamed_id = 0;
    device->result_most = 0;
    td_inputs_reset(&device->inputs);
    td_outputs_reset(&device->outputs);
#ifdef TD_OBSERVABLE
    td_observation_reset(&device->observation);
#endif
}

static enum td_error take_hello(struct td_device *device, uint32_t session)
{
    if (session == 0) {
        return TD_ERROR_BAD_REQUEST;
    }
    if (session != device->session) { /* a repeated HELLO must not disturb the session that it began */
        start_session(device, session);
    }
    answer(device, TD_MSG_HELLO);
    return TD_ERROR_NONE;
}

static enum td_error take_tensor(struct td_device *device, const uint8_t *payload)
{
    const uint8_t count = payload[0] == 0 ? td_model.inputs : td_model.outputs;
    if (payload[0] > 1 || payload[1] >= count) {
        return TD_ERROR_BAD_REQUEST;
    }
    device->replies.tensor_kind = payload[0];
    device->replies.tensor_index = payload[1];
    answer(device, TD_MSG_TENSOR);
    return TD_ERROR_NONE;
}

/* Called when the head of a frame is there and an INPUT's data are about to come: picks the place where they belong if
 * they are exactly the next ones. Until the CRC has proved this head right, nothing but bytes behind `filled` may
 * change. The buffer is kept in mind, as another one may become free while this frame arrives. */
static void aim(struct td_device *device)
{
    struct td_receiver *receiver = &device->receiver;
    struct td_inputs *inputs = &device->inputs;
    const uint8_t *payload = &receiver->head[TD_HEADER_BYTES];
    const bool is_of_session = device->session != 0 && td_get_u32(&receiver->head[3]) == device->session;
    const bool is_next = td_get_u32(&payload[0]) == inputs->next_id && td_get_u32(&payload[4]) == inputs->filled;
    if (receiver->head[0] == TD_MSG_INPUT && is_of_session && is_next && device->model_status == 0) {
        receiver->input = td_inputs_to_fill(inputs);
    }
}

static enum td_error take_input(struct td_device *device, const uint8_t *payload, uint32_t size)
{
    struct td_inputs *inputs = &device->inputs;
    struct td_input *input = device->receiver.input;
    const uint32_t data_size = size - TD_INPUT_REQUEST_BYTES;
    if (device->model_status != 0) {
        return TD_ERROR_MODEL_FAILED;
    }
    if (input != NULL && data_size > TD_INPUT_BYTES - inputs->filled) {
        return TD_ERROR_BAD_REQUEST;
    }
    if (input != NULL) {
        td_inputs_accept(inputs, input, data_size, payload[8]);
    } else if (td_get_u32(&payload[0]) == inputs->next_id && td_inputs_free(inputs) == 0) {
        device->counters.overruns++;
    } else {
        device->counters.dropped++;
    }
    answer(device, TD_MSG_INPUT);
    return TD_ERROR_NONE;
}

/* The first RESULT that names an id says that the host has all before it: this one has been sent unasked, or will be. */
static enum td_error take_result(struct td_device *device, const uint8_t *payload)
{
    const uint32_t id = td_get_u32(&payload[0]);
    const uint32_t offset = td_get_u32(&payload[4]);
    if (id > device->inputs.next_id || offset >= TD_OUTPUT_BYTES) {
        return TD_ERROR_BAD_REQUEST;
    }
    device->result_most = payload[8];
    const bool is_asked_for = id < device->unnamed_id;
    td_outputs_release_before(&device->outputs, id);
    struct td_output *output = td_outputs_find(&device->outputs, id);
    if (output == NULL && id < device->inputs.run_id) {
        return TD_ERROR_GONE;
    }
    if (!is_asked_for) {
        device->unnamed_id = id + 1;
    }
    if (is_asked_for && output != NULL && output->state == TD_OUTPUT_HELD) {
        output->sent = offset;
        output->sending = true;
    } else {
        answer(device, TD_MSG_INPUT);
    }
    return TD_ERROR_NONE;
}

static enum td_error take_layers(struct td_device *device, const uint8_t *payload)
{
    const uint32_t id = td_get_u32(&payload[0]);
    const uint16_t first = td_get_u16(&payload[4]);
    if (first >= TD_LAYERS) {
        return TD_ERROR_BAD_REQUEST;
    }
    if (!device->layers_valid || id != device->layers_id) {
        return TD_ERROR_GONE;
    }
    device->replies.layers_id = id;
    device->replies.layers_first = first;
    answer(device, TD_MSG_LAYERS);
    return TD_ERROR_NONE;
}

static bool has_right_size(uint8_t message, uint32_t size)
{
    switch (message) {
    case TD_MSG_HELLO:
        return size >= TD_HELLO_REQUEST_BYTES; /* later versions may say more */
    case TD_MSG_TENSOR:
        return size == TD_TENSOR_REQUEST_BYTES;
    case TD_MSG_INPUT:
        return size > TD_INPUT_REQUEST_BYTES && size <= TD_INPUT_REQUEST_BYTES + TD_CHUNK_BYTES;
    case TD_MSG_RESULT:
        return size == TD_RESULT_REQUEST_BYTES;
    case TD_MSG_LAYERS:
        return size == TD_LAYERS_REQUEST_BYTES;
#ifdef TD_OBSERVABLE
    case TD_MSG_OBSERVE:
        return size == TD_OBSERVE_REQUEST_BYTES;
#endif
    default:
        return size == 0;
    }
}

/* An intact frame has arrived, whose payload has `size` bytes; `head` holds them, apart from an INPUT's data. */
static enum td_error take_frame(struct td_device *device, uint32_t size)
{
    const uint8_t *head = device->receiver.head;
    const uint8_t *payload = &head[TD_HEADER_BYTES];
    const uint32_t session = td_get_u32(&head[3]);
    if (head[0] < TD_MSG_HELLO || head[0] > TD_MSG_LAST) {
        return TD_ERROR_UNKNOWN_MESSAGE;
    }
    if (!has_right_size(head[0], size)) {
        return TD_ERROR_BAD_REQUEST;
    }
    if (head[0] == TD_MSG_HELLO) {
        return take_hello(device, session);
    }
    if (head[0] == TD_MSG_RESET) {
        td_port_reset();
    }
    if (device->session == 0 || session != device->session) {
        return TD_ERROR_NO_SESSION;
    }
    switch (head[0]) {
    case TD_MSG_TENSOR:
        return take_tensor(device, payload);
    case TD_MSG_INPUT:
        return take_input(device, payload, size);
    case TD_MSG_RESULT:
        return take_result(device, payload);
    case TD_MSG_LAYERS:
        return take_layers(device, payload);
#ifdef TD_OBSERVABLE
    case TD_MSG_OBSERVE:
        answer(device, TD_MSG_OBSERVE);
        return td_observation_take(&device->observation, payload);
#endif
    default:
        answer(device, TD_MSG_STATS);
        return TD_ERROR_NONE;
    }
}

static void end_frame(struct td_device *device)
{
    const uint32_t size = device->receiver.size;
    if (size < TD_HEADER_BYTES + TD_CRC_BYTES) {
        device->counters.damaged++;
        return;
    }
    device->counters.frames++;
    const enum td_error error = take_frame(device, size - TD_HEADER_BYTES - TD_CRC_BYTES);
    if (error != TD_ERROR_NONE) {
        refuse(device, error);
    }
}

static void take_byte(struct td_device *device, uint8_t byte)
{
    struct td_receiver *receiver = &device->receiver;
    const uint32_t index = receiver->size;
    if (index == UINT32_MAX) {
        return; /* 4 GiB without a zero: far too long for anything */
    }
    receiver->size = index + 1;
    if (index < TD_REQUEST_BYTES) {
        receiver->head[index] = byte;
        if (index == TD_REQUEST_BYTES - 1) {
            aim(device);
        }
        return;
    }
    /* The CRC lands behind the data, where the next chunk's first bytes will overwrite it. */
    const uint32_t offset = index - TD_REQUEST_BYTES;
    if (receiver->input != NULL && offset < TD_INPUT_BYTES - device->inputs.filled) {
        receiver->input->data[device->inputs.filled + offset] = byte;
    }
}

void td_device_receive(struct td_device *device, const uint8_t *bytes, size_t size)
{
    struct td_receiver *receiver = &device->receiver;
    bool frame_ended = false;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = 0;
        const enum td_decoded decoded = td_decoder_take(&receiver->decoder, bytes[i], &byte);
        if (decoded == TD_DECODED_BYTE) {
            take_byte(device, byte);
        } else if (decoded != TD_DECODED_NOTHING) {
            if (decoded == TD_DECODED_FRAME) {
                end_frame(device);
            } else {
                device->counters.damaged++;
            }
            restart_receiver(receiver);
            frame_ended = true;
        }
    }
    if (frame_ended && td_device_is_sending(device)) {
        td_port_start_transmit();
    }
}

bool td_device_is_sending(const struct td_device *device)
{
    bool results = false;
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        results = results || device->outputs.buffer[i].sending;
    }
    return results || device->replies.pending != 0 || !td_encoder_is_idle(&device->encoder);
}

int td_device_transmit(struct td_device *device)
{
    int byte = td_encoder_next(&device->encoder);
    if (byte < 0 && td_reply_start(device)) {
        byte = td_encoder_next(&device->encoder);
    }
    return byte;
}

bool td_device_begin(struct td_device *device, struct td_job *job)
{
    job->input = td_inputs_ready(&device->inputs);
    /* A result that is sent once more may have been taken meanwhile: its buffer is free, but still being read. */
    const struct td_output *in_use = td_encoder_is_idle(&device->encoder) ? NULL : device->encoding;
    job->output = td_outputs_free(&device->outputs, in_use);
    if (job->input == NULL || job->output == NULL) {
        td_times_enter(&device->times, job->input == NULL ? TD_PHASE_WAITING : TD_PHASE_BLOCKED);
        return false;
    }
    td_inputs_take(&device->inputs, job->input);
    td_outputs_take(job->output, job->input);
    td_times_enter(&device->times, TD_PHASE_COMPUTING);
    return true;
}

/* Tells the host at once, where there is one. */
static void free_input(struct td_device *device, struct td_input *input)
{
    td_inputs_release(input);
    if (device->session != 0) {
        device->replies.pending |= 1u << TD_MSG_INPUT;
    }
}

void td_device_end(struct td_device *device, const struct td_job *job, int32_t status, uint32_t ticks)
{
    td_times_enter(&device->times, TD_PHASE_WAITING);
    device->counters.inferences++;
    td_outputs_publish(job->output, status, ticks);
    free_input(device, job->input);
}

void td_device_reclaim(struct td_device *device)
{
    struct td_input *input = td_inputs_lent(&device->inputs);
    if (input != NULL) {
        free_input(device, input);
    }
}
