/* The device's side of the link: takes bytes, changes the state of the buffers, gives bytes.
 *
 * All calls on one device must be serialised: from the port's interrupts, or from the main program while it holds
 * td_port_lock(). Any sequence of received bytes is allowed. */
#ifndef TD_DEVICE_H
#define TD_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "td_buffers.h"
#include "td_config.h"
#include "td_frame.h"
#include "td_messages.h"
#include "td_model.h"
#ifdef TD_OBSERVABLE
#include "td_observe.h"
#endif

/* The last of the requests, and the last of those that have a reply of their own kind. */
#ifdef TD_OBSERVABLE
#define TD_MSG_LAST TD_MSG_OBSERVE
#define TD_MSG_LAST_ANSWERED TD_MSG_OBSERVE
#else
#define TD_MSG_LAST TD_MSG_RESET
#define TD_MSG_LAST_ANSWERED TD_MSG_STATS
#endif

/* What precedes the data of an INPUT; no other request is longer. */
#define TD_REQUEST_BYTES (TD_HEADER_BYTES + TD_INPUT_REQUEST_BYTES)

/* The longest reply without its data: HELLO's. */
#define TD_REPLY_BYTES (TD_HEADER_BYTES + 113u)

enum td_phase { TD_PHASE_WAITING, TD_PHASE_BLOCKED, TD_PHASE_COMPUTING, TD_PHASES };

/* Ticks spent in each phase. Counts right where td_times_enter() is called, or STATS asked for, at least once per wrap
 * of td_port_ticks(). */
struct td_times {
    uint64_t spent[TD_PHASES];
    uint32_t since;
    enum td_phase phase;
};

struct td_counters {
    uint32_t inferences;
    uint32_t frames;   /* that arrived intact */
    uint32_t damaged;  /* that did not: encoding, length or CRC wrong */
    uint32_t dropped;  /* intact but of no use: unknown, malformed, of another session, or not the next of the input */
    uint32_t overruns; /* the next of the input, but no buffer was free */
};

/* The frame that is being received. */
struct td_receiver {
    struct td_decoder decoder;
    uint32_t size; /* of the body and its CRC, so far */
    uint8_t head[TD_REQUEST_BYTES];
    struct td_input *input; /* where an INPUT's data go; NULL drops them */
};

/* What waits to be sent, apart from results: one reply of each kind, the latest. Bit n of `pending` is message n. */
struct td_replies {
    uint32_t pending;
    uint16_t sequence[TD_MSG_LAST_ANSWERED + 1];
    uint8_t tensor_kind;
    uint8_t tensor_index;
    uint32_t layers_id;
    uint16_t layers_first;
    enum td_error error;
    uint16_t error_sequence;
    uint32_t error_session;
    uint8_t error_message;
};

struct td_device {
    struct td_receiver receiver;
    struct td_encoder encoder;
    const struct td_output *encoding; /* whose data the encoder reads; NULL where it reads no output */
    uint8_t reply[TD_REPLY_BYTES];
    struct td_replies replies;
    struct td_inputs inputs;
    struct td_outputs outputs;
    struct td_times times;
    struct td_counters counters;
    volatile uint32_t app_overruns; /* written by the application alone */
    uint32_t session;               /* 0: none */
    uint32_t unnamed_id;            /* no RESULT of the session has named this id, or a later one */
    int32_t model_status;           /* of td_model.init() */
    uint8_t *layer_ticks;           /* TD_LAYERS times 32 bits, little endian */
    uint32_t layers_id;             /* the inference they are of */
    bool layers_valid;
    uint8_t result_most; /* data in a part of a result, as the host's latest RESULT says; 0: TD_CHUNK_BYTES */
#ifdef TD_OBSERVABLE
    struct td_observation observation;
#endif
};

/* The bit of td_replies.pending that stands for an ERROR. */
#define TD_PENDING_ERROR (1u << 31)

/* Starts without a session. The buffers' data pointers and `layer_ticks` must have been set. */
void td_device_init(struct td_device *device, int32_t model_status);

/* Takes what has arrived. Calls td_port_start_transmit() where that brought something to send, td_port_stack_used() for
 * a STATS, td_port_reset() for a RESET. */
void td_device_receive(struct td_device *device, const uint8_t *bytes, size_t size);

/* The next byte to send, or -1. */
int td_device_transmit(struct td_device *device);

/* Whether td_device_transmit() has something. */
bool td_device_is_sending(const struct td_device *device);

/* Adds the ticks since the last call to the phase of that time, and goes on in this one. */
void td_times_enter(struct td_times *times, enum td_phase phase);

/* An inference that is being made. */
struct td_job {
    struct td_input *input;
    struct td_output *output;
};

/* Begins the next inference where its input is ready and an output buffer is free; enters the phase that follows from
 * that. */
bool td_device_begin(struct td_device *device, struct td_job *job);

/* Ends it: publishes the result and gives the input buffer back. */
void td_device_end(struct td_device *device, const struct td_job *job, int32_t status, uint32_t ticks);

/* Gives the buffer that was lent to the application back, for the host, and tells it. */
void td_device_reclaim(struct td_device *device);

/* For td_device.c and td_reply.c: starts the frame of the most urgent reply. False where nothing waits. */
bool td_reply_start(struct td_device *device);

#endif
