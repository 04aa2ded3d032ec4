/* libFuzzer's target: frames, messages, buffers and runner of the firmware with the increment model.
 *
 * Each input is a script of what happens to a device: bytes and whole frames arrive, in pieces and at the moments that
 * the script says (while the device sleeps, and between two layers), so many bytes are sent, the application has an
 * input. A byte of the script is an operation (its lowest three bits) and a number (the others); more bytes may follow.
 * Time advances by the same amount whenever somebody looks at it. What must hold of any script is checked as it goes, and
 * at its end a host begins a session and has one inference made: nothing may keep the device from that. */
#include <setjmp.h>
#include <stdlib.h>

#include "td_runner.c" /* its state is its own: here it starts anew for each script */

#define check(ok) ((ok) ? (void)0 : abort())

#define OTHER_SESSION 0x0000BAD5u
#define LAST_SESSION 0x7A57C0DEu
#define SENT_BYTES 256u /* longer than any frame of this configuration */
#define RESULTS 8u
#define TURNS 4 /* enough to compute all inputs that a device holds, and to send what comes of it */

enum op { OP_TURN, OP_BYTES, OP_FRAME, OP_INPUT, OP_RESULT, OP_HELLO, OP_TRANSMIT, OP_APP };

struct result {
    uint32_t epoch, id, known; /* a bit for each byte */
    uint8_t data[TD_OUTPUT_BYTES];
};

/* Larger than the bits of `known`: the last bytes of an output are not compared. */
#define COMPARED_BYTES (TD_OUTPUT_BYTES < 32u ? TD_OUTPUT_BYTES : 32u)

static const uint8_t *script;
static size_t script_left;
static jmp_buf left_runner;
static bool has_reset;

static bool is_locked;
static bool app_is_ready;
static int closing;
static bool last_was_computed;

/* What the host's side has seen. */
static struct {
    struct td_counters counters;
    uint32_t session, next_id, completed;
    uint32_t epoch, frame_epoch; /* sessions so far: now, and when the frame that is being sent began */
    struct result results[RESULTS];
    struct td_decoder decoder;
    uint32_t size;
    uint8_t body[SENT_BYTES];
} seen;

static uint8_t next_byte(void)
{
    if (script_left == 0) {
        return 0;
    }
    script_left--;
    return *script++;
}

/* Inputs that have become complete, and counters: call it before and after each frame that arrives. */
static void observe(void)
{
    const struct td_inputs *inputs = &device.inputs;
    uint32_t filling = 0;
    if (device.session != seen.session) {
        seen.session = device.session;
        seen.next_id = 0;
        seen.epoch++;
    }
    check(inputs->next_id - seen.next_id <= 1);
    seen.completed += inputs->next_id - seen.next_id;
    seen.next_id = inputs->next_id;
    check(device.counters.inferences <= seen.completed);
    check(inputs->filled < TD_INPUT_BYTES);
    check(inputs->next_id - inputs->run_id <= TD_BUFFERS);
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        filling += inputs->buffer[i].state == TD_INPUT_FILLING;
    }
    check(filling == (inputs->filled > 0));

    check(device.counters.inferences >= seen.counters.inferences);
    check(device.counters.frames >= seen.counters.frames);
    check(device.counters.damaged >= seen.counters.damaged);
    check(device.counters.dropped >= seen.counters.dropped);
    check(device.counters.overruns >= seen.counters.overruns);
    seen.counters = device.counters;
}

/* A frame ends at each zero: so that no two inputs become complete, and no session begins, unobserved. */
static void arrive(const uint8_t *bytes, size_t size)
{
    size_t begin = 0;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == 0 || i == size - 1) {
            observe();
            td_link_receive(&bytes[begin], i + 1 - begin);
            observe();
            begin = i + 1;
        }
    }
}

static void arrive_frame(enum td_message message, uint32_t session, const uint8_t *payload, uint32_t size, bool damaged)
{
    static uint16_t sequence;
    uint8_t head[TD_HEADER_BYTES];
    uint8_t encoded[SENT_BYTES];
    struct td_encoder encoder = {0};
    size_t length = 0;
    sequence = (uint16_t)(sequence % 65535u + 1u);
    td_put_u32(td_put_u16(td_put_u8(head, message), sequence), session);
    td_encoder_start(&encoder, head, sizeof head, payload, size);
    for (int byte; (byte = td_encoder_next(&encoder)) >= 0;) {
        encoded[length++] = (uint8_t)byte;
    }
    if (damaged) {
        encoded[length / 2] ^= 0x10;
    }
    arrive(encoded, length);
}

static void check_result(const uint8_t *body, uint32_t size)
{
    const uint32_t session = td_get_u32(&body[3]), id = td_get_u32(&body[7]), offset = td_get_u32(&body[19]);
    struct result *result = &seen.results[id % RESULTS];
    check(size > 23 && offset + (size - 23) <= TD_OUTPUT_BYTES);
    check(seen.frame_epoch != seen.epoch || id < device.inputs.next_id);
    if (td_get_u32(&body[11]) != 0) {
        return; /* the engine has failed: the data mean nothing */
    }
    if (result->epoch != seen.frame_epoch || result->id != id) {
        *result = (struct result){.epoch = seen.frame_epoch, .id = id};
    }
    for (uint32_t i = offset; i < offset + (size - 23) && i < COMPARED_BYTES; i++) {
        check(!(result->known & (1u << i)) || result->data[i] == body[23 + i - offset]);
        result->known |= 1u << i;
        result->data[i] = body[23 + i - offset];
    }
    last_was_computed = last_was_computed || (session == LAST_SESSION && id == 0 && offset + (size - 23) == TD_OUTPUT_BYTES);
}

static void check_frame(const uint8_t *body, uint32_t size)
{
    static const uint8_t payload_bytes[] = {[TD_MSG_HELLO] = 113, [TD_MSG_TENSOR] = 64, [TD_MSG_INPUT] = 12,
                                            [TD_MSG_STATS] = 48};
    const unsigned message = body[0] - (unsigned)TD_MSG_REPLY;
    if (message == TD_MSG_RESULT) {
        check_result(body, size);
    } else if (message == TD_MSG_LAYERS) {
        check(size > 13 && (size - 13) % 4 == 0);
    } else if (message == TD_MSG_ERROR) {
        check(size == 13);
    } else {
        check(message >= TD_MSG_HELLO && message <= TD_MSG_STATS && size == 7u + payload_bytes[message]);
    }
}

/* Sends at most so many bytes; every frame is intact, but for layer times that were measured anew while it was sent. */
static void transmit(uint32_t count)
{
    for (; count > 0; count--) {
        uint8_t body = 0;
        if (td_encoder_is_idle(&device.encoder)) {
            seen.frame_epoch = seen.epoch;
        }
        const int byte = td_link_transmit();
        if (byte < 0) {
            return;
        }
        const enum td_decoded decoded = td_decoder_take(&seen.decoder, (uint8_t)byte, &body);
        if (decoded == TD_DECODED_BYTE) {
            check(seen.size < SENT_BYTES);
            seen.body[seen.size++] = body;
        } else if (decoded != TD_DECODED_NOTHING) {
            check(decoded == TD_DECODED_FRAME || device.reply[0] == (TD_MSG_LAYERS | TD_MSG_REPLY));
            if (decoded == TD_DECODED_FRAME) {
                check_frame(seen.body, seen.size - TD_CRC_BYTES);
            }
            seen.size = 0;
        }
    }
}

/* Any message with any payload; `how`: 1 of another session, 2 damaged. */
static void op_frame(uint8_t how)
{
    uint8_t payload[128];
    const enum td_message message = next_byte();
    const uint32_t size = next_byte() % sizeof payload;
    for (uint32_t i = 0; i < size; i++) {
        payload[i] = next_byte();
    }
    arrive_frame(message, (how & 1u) ? OTHER_SESSION : device.session, payload, size, (how & 2u) != 0);
}

/* The chunk that the device wants next, its data counted up from a byte; `how`: 1, 2 the flags, 4 damaged, 8 the wrong
 * place, 16 of another session. */
static void op_input(uint8_t how)
{
    uint8_t payload[TD_INPUT_REQUEST_BYTES + TD_CHUNK_BYTES + 1];
    const uint32_t size = next_byte() % (TD_CHUNK_BYTES + 2u);
    const uint8_t first = next_byte();
    uint8_t *to = td_put_u32(payload, device.inputs.next_id);
    to = td_put_u32(to, device.inputs.filled + ((how & 8u) ? next_byte() : 0u));
    to = td_put_u8(to, how & 3u);
    for (uint32_t i = 0; i < size; i++) {
        to[i] = (uint8_t)(first + i);
    }
    arrive_frame(TD_MSG_INPUT, (how & 16u) ? OTHER_SESSION : device.session, payload, TD_INPUT_REQUEST_BYTES + size,
                 (how & 4u) != 0);
}

/* A request for one of the latest results, or of those to come. */
static void op_result(uint8_t back)
{
    uint8_t payload[TD_RESULT_REQUEST_BYTES];
    uint8_t *to = td_put_u32(payload, device.inputs.next_id + 1u - back % 8u);
    to = td_put_u32(to, next_byte());
    td_put_u8(to, back / 8u * 5u); /* in parts of up to so many bytes; 0: of a chunk's */
    arrive_frame(TD_MSG_RESULT, device.session, payload, sizeof payload, false);
}

/* What happens until the runner has its next turn; false where the script has ended. */
static bool follow_script(void)
{
    uint8_t bytes[32];
    while (script_left > 0) {
        const uint8_t step = next_byte();
        const uint8_t number = step / 8u;
        switch ((enum op)(step % 8u)) {
        case OP_TURN:
            return true;
        case OP_BYTES:
            for (size_t i = 0; i <= number; i++) {
                bytes[i] = next_byte();
            }
            arrive(bytes, number + 1u);
            break;
        case OP_FRAME:
            op_frame(number);
            break;
        case OP_INPUT:
            op_input(number);
            break;
        case OP_RESULT:
            op_result(number);
            break;
        case OP_HELLO:
            arrive_frame(TD_MSG_HELLO, number, (const uint8_t[]){TD_PROTOCOL_VERSION}, 1, false);
            break;
        case OP_TRANSMIT:
            transmit(number == 31 ? UINT32_MAX : number + 1u);
            break;
        case OP_APP:
            app_is_ready = true;
            td_app_wake();
            if (number & 1u) {
                td_app_overrun();
            }
            break;
        }
    }
    return false;
}

/* After the script, a new host: each call is one turn of the runner. */
static void close_script(void)
{
    static const uint8_t end[] = {0};
    transmit(UINT32_MAX);
    closing++;
    if (closing == TURNS) {
        arrive(end, sizeof end);
        arrive_frame(TD_MSG_HELLO, LAST_SESSION, (const uint8_t[]){TD_PROTOCOL_VERSION}, 1, false);
    } else if (closing == 2 * TURNS) {
        check(device.session == LAST_SESSION && td_inputs_free(&device.inputs) == TD_BUFFERS);
        while (device.inputs.next_id == 0) {
            uint8_t payload[TD_INPUT_REQUEST_BYTES + 1] = {0};
            td_put_u32(&payload[4], device.inputs.filled);
            arrive_frame(TD_MSG_INPUT, LAST_SESSION, payload, sizeof payload, false);
        }
    } else if (closing == 3 * TURNS) {
        check(last_was_computed && !td_link_is_sending());
        longjmp(left_runner, 1);
    }
}

void td_port_start_transmit(void)
{
}

uint32_t td_port_ticks(void)
{
    static uint32_t ticks = UINT32_MAX - 1000;
    return ticks += 10;
}

void td_port_lock(void)
{
    check(!is_locked);
    is_locked = true;
}

void td_port_unlock(void)
{
    check(is_locked);
    is_locked = false;
}

void td_port_sleep(void)
{
    check(is_locked);
    if (!follow_script()) {
        close_script();
    }
}

void td_port_poll(void)
{
    td_port_lock();
    (void)follow_script();
    td_port_unlock();
}

uint32_t td_port_stack_used(void)
{
    return 321;
}

void td_port_reset(void)
{
    has_reset = true;
    longjmp(left_runner, 1);
}

void td_app_start(int status)
{
    check(status == 0);
}

bool td_app_input(uint8_t *inputs)
{
    const bool is_ready = app_is_ready;
    check(device.session == 0 && (uintptr_t)inputs % TD_ALIGN == 0);
    memset(inputs, 1, TD_INPUT_BYTES);
    app_is_ready = false;
    observe();
    return is_ready;
}

void td_app_output(const uint8_t *outputs, int status)
{
    check(status == 0 && outputs[0] == 2);
}

void td_app_stop(void)
{
}

static void start_over(void)
{
    memset(&device, 0, sizeof device);
    memset(&seen, 0, sizeof seen);
    is_started = app_is_running = app_is_awake = false;
    is_locked = app_is_ready = has_reset = last_was_computed = false;
    closing = 0;
    td_decoder_init(&seen.decoder);
}

static void run(void)
{
    start_over();
    if (setjmp(left_runner) == 0) {
        td_runner_run();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script = data;
    script_left = size;
    do {
        run();
    } while (has_reset);
    return 0;
}
