#include "td_runner.h"

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

static uint32_t layer_began;

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

/* The time that this function takes itself is in no layer. */
static void after_layer(uint16_t layer)
{
    const uint32_t now = td_port_ticks();
    if (layer < TD_LAYERS) {
        td_put_u32(&layer_ticks[4u * layer], now - layer_began);
    }
    layer_began = td_port_ticks();
}

static int invoke(const struct td_job *job, uint32_t *ticks)
{
    td_layer_fn *hook = (job->input->flags & TD_INPUT_LAYERS) ? after_layer : NULL;
    const uint32_t began = td_port_ticks();
    layer_began = began;
    const int status = td_model.invoke(job->input->data, job->output->data, hook);
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
    /* What is being sent would be stuck for the whole inference, or disturb it. */
    while (masked && td_device_is_sending(&device)) {
        td_port_sleep();
    }
    if (!masked) {
        td_port_unlock();
    }
    const int status = invoke(job, &ticks);
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
    td_device_init(&device, td_model.init());
}

void td_runner_run(void)
{
    struct td_job job;
    set_up();
    td_port_lock();
    is_started = true;
    for (;;) {
        while (!td_device_begin(&device, &job)) {
            td_port_sleep();
        }
        compute(&job);
    }
}
