/* An application whose inputs come in an interrupt, as by DMA: a thread writes to the buffer that it has, a piece at a time,
 * without end and without care for what the runner does. Its first byte makes the engine fail: a host whose input it
 * damages will notice. */
#define _DEFAULT_SOURCE
#include "td_app.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port_threads.h"
#include "td_config.h"
#include "td_port.h"

#define PIECE_BYTES (TD_INPUT_BYTES / 10u)
#define POISON 0xEE
#define ENGINE_FAILED (-5)

/* Shared with the interrupt; the main program holds the lock. */
static uint8_t *lent;
static uint32_t filled;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void next_piece(void)
{
    if (lent == NULL || filled == TD_INPUT_BYTES) {
        td_app_overrun();
        return;
    }
    memset(&lent[filled], POISON, PIECE_BYTES);
    filled += PIECE_BYTES;
    if (filled == TD_INPUT_BYTES) {
        td_app_wake();
    }
}

static void *interrupts(void *unused)
{
    for (;;) {
        port_threads_interrupt(next_piece);
        usleep(100);
    }
    return unused;
}

void td_app_start(int status)
{
    pthread_t thread;
    check(status == 0);
    check(pthread_create(&thread, NULL, interrupts, NULL) == 0);
}

bool td_app_input(uint8_t *inputs)
{
    td_port_lock();
    check(lent == NULL || lent == inputs);
    const bool is_complete = lent != NULL && filled == TD_INPUT_BYTES;
    lent = is_complete ? NULL : inputs;
    filled = is_complete ? 0 : filled;
    td_port_unlock();
    return is_complete;
}

void td_app_output(const uint8_t *outputs, int status)
{
    (void)outputs;
    check(status == ENGINE_FAILED);
}

void td_app_stop(void)
{
    td_port_lock();
    lent = NULL;
    td_port_unlock();
}
