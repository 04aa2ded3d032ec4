/* What a port calls for its serial line. All may be called from interrupts, but their calls must not overlap, neither
 * with each other nor with a held td_port_lock(). Before td_runner_run() has set up the model, what is received is
 * dropped and nothing is sent: the host repeats itself. */
#ifndef TD_LINK_H
#define TD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Takes what has arrived; any number of bytes at a time. Bounded work per byte, without loops, and more where a frame
 * ends. Input data are written to their buffer as they arrive. */
void td_link_receive(const uint8_t *bytes, size_t size);

/* Whether there is something to send. Costs less than to ask a UART whether it has room. */
bool td_link_is_sending(void);

/* The next byte to send, or -1 where there is none for now. Encodes as it goes: there is no buffer to fill. */
int td_link_transmit(void);

#ifdef __cplusplus
}
#endif

#endif
