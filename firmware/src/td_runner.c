#include "td_runner.h"

#include "td_app.h"
#include "td_device.h"
#include "td_link.h"
#include "td_port.h"

#if TD_INPUT_BYTES < 1 || TD_OUTPUT_BYTES < 1 || TD_LAYERS < 1 || TD_LAYERS > 65535
#error "a model has an input, an output and a layer at least"
#endif
#if TD_CHUNK_BYTES < 16 || TD_CHUNK_BYTES > 65535
#error "TD_CHUNK_BYTES must be 16 to 65535"
#endif

#define ALIGN_UP(bytes) (((bytes) + TD_ALIGN - 1) / TD_ALIGN * TD_ALIGN)
#define ALIGNED __attribute__((aligned(TD_ALIGN)))

static uint8_t input_bytes[TD_BUFFERS][ALIGN_UP(TD_INPUT_BYTES)] ALIGNED;
static uint8_t output_bytes[TD_BUFFERS][ALIGN_UP(TD_OUTPUT_BYTES)] ALIGNED;
static uint8_t layer_ticks[4 * TD_LAYERS];

/* Shared with the port's interrupts; in the main program only touched while td_port_lock() is held, which is a barrier
 * to the compiler as well: a call to another translation unit. */
static struct td_device device;
static volatile bool is_started;

/* Only the main program uses these. */
static uint32_t layer_began;
static bool app_is_running;

/* Set by the application, in interrupts too; cleared before it gets its turn. */
static volatile bool app_is_awake;

void td_link_receive(const uint8_t *bytes, size_t size)
{
    if (is_started) {
        td_device_receive(&device, bytes, size);
    }
}

bool td_link_is_sending(void)
{
    return is_started && td_device_is_sending(&device);
}

int td_link_transmit(void)
{
    return is_started ? td_device_transmit(&device) : -1;
}

void td_app_wake(void)
{
    app_is_awake = true;
}

void td_app_overrun(void)
{
    device.app_overruns++;
}

/* The application's turn: an input of its own, or the end of its part. Called and left with the lock held, but the
 * application is called without it. */
static void serve_app(void)
{
    if (!app_is_running) {
        return;
    }
    if (device.session != 0) {
        app_is_running = false;
        td_port_unlock();
        td_app_stop();
        td_port_lock();
        td_device_reclaim(&device);
        td_port_start_transmit();
        return;
    }
    app_is_awake = false;
    struct td_input *input = td_inputs_lend(&device.inputs);
    if (input == NULL) {
        return;
    }
    td_port_unlock();
    const bool is_complete = td_app_input(input->data);
    td_port_lock();
    if (is_complete && device.session == 0) {
        td_inputs_complete(&device.inputs, input);
    }
}

static void between_layers(void)
{
    td_port_poll();
    if (app_is_running && app_is_awake) {
        td_port_lock();
        serve_app();
        td_port_unlock();
    }
}

#ifdef TD_OBSERVABLE
/* Sleeps as long as the host wants to see what this layer has left. */
static void stop_where_observed(uint16_t layer)
{
    td_port_lock();
    while (td_observation_stops(&device.observation, layer)) {
        td_port_sleep();
    }
    td_port_unlock();
}
#endif

static void after_layer(uint16_t layer)
{
    between_layers();
#ifdef TD_OBSERVABLE
    stop_where_observed(layer);
#else
    (void)layer;
#endif
}

/* The time that this function takes itself is in no layer. */
static void time_layer(uint16_t layer)
{
    const uint32_t now = td_port_ticks();
    if (layer < TD_LAYERS) {
        td_put_u32(&layer_ticks[4u * layer], now - layer_began);
    }
    layer_began = td_port_ticks();
}

static void time_layer_and_go_on(uint16_t layer)
{
    time_layer(layer);
    between_layers();
    layer_began = td_port_ticks();
}

/* What follows each layer: nothing but what was asked for where the inference is not to be disturbed. */
static td_layer_fn *layer_hook(uint8_t flags)
{
    if (flags & TD_INPUT_LAYERS) {
        return (flags & TD_INPUT_MASKED) ? time_layer : time_layer_and_go_on;
    }
    return (flags & TD_INPUT_MASKED) ? NULL : after_layer;
}

static int invoke(const struct td_job *job, uint32_t *ticks)
{
    const uint32_t began = td_port_ticks();
    layer_began = began;
    const int status = td_model.invoke(job->input->data, job->output->data, layer_hook(job->input->flags));
    *ticks = td_port_ticks() - began;
    return status;
}

/* Called and left with the lock held. */
static void compute(const struct td_job *job)
{
    const bool masked = (job->input->flags & TD_INPUT_MASKED) != 0;
    const bool layers = (job->input->flags & TD_INPUT_LAYERS) != 0;
    uint32_t ticks = 0;
    if (layers) {
        device.layers_valid = false;
    }
#ifdef TD_OBSERVABLE
    device.observation.input = job->input->data;
    device.observation.output = job->output->data;
#endif
    /* What is being sent would be stuck for the whole inference, or disturb it. */
    while (masked && td_device_is_sending(&device)) {
        td_port_sleep();
    }
    if (!masked) {
        td_port_unlock();
    }
    const int status = invoke(job, &ticks);
    if (job->input->of_app) {
        td_app_output(job->output->data, status);
    }
    if (!masked) {
        td_port_lock();
    }
    if (layers && !job->output->abandoned) {
        device.layers_id = job->output->id;
        device.layers_valid = true;
    }
    td_device_end(&device, job, status, ticks);
    td_port_start_transmit();
}

static void set_up(void)
{
    for (size_t i = 0; i < TD_BUFFERS; i++) {
        device.inputs.buffer[i].data = input_bytes[i];
        device.outputs.buffer[i].data = output_bytes[i];
    }
    device.layer_ticks = layer_ticks;
    const int status = td_model.init();
    td_device_init(&device, status);
    td_app_start(status);
    app_is_running = status == 0;
}

void td_runner_run(void)
{
    struct td_job job;
    set_up();
    td_port_lock();
    is_started = true;
    for (;;) {
        serve_app();
        if (td_device_begin(&device, &job)) {
            serve_app(); /* it may fill the other buffer meanwhile */
            compute(&job);
        } else if (!(app_is_running && app_is_awake)) {
            td_port_sleep();
        }
    }
}
