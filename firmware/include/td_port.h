/* What a board must provide: these functions, in firmware/ports/. Nothing else in the firmware knows the hardware.
 *
 * The port calls up into td_link.h: td_link_receive() for what arrives, td_link_transmit() for what is to be sent.
 * Both may be called from an interrupt; the port must not let two of their calls overlap. */
#ifndef TD_PORT_H
#define TD_PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Clocks, serial port, timer. On return reception runs and interrupts are on. */
void td_port_init(void);

/* The link has bytes to send: take them from td_link_transmit() until it has none. Does not wait for them to be
 * sent. Called with td_port_lock() held, or from td_link_receive(). Calling it while sending is harmless. */
void td_port_start_transmit(void);

/* A free-running timer that counts up and wraps at 2^32. */
uint32_t td_port_ticks(void);

/* Critical section against td_link_receive() and td_link_transmit(): while it is held, neither runs. Does not nest.
 * Received bytes wait in the hardware or in the port's buffer meanwhile. */
void td_port_lock(void);
void td_port_unlock(void);

/* Sleeps until something may have happened. Called with the lock held and returns with it held, but lets interrupts
 * in between: an event after the caller's check is never missed. A port without interrupts serves its line here. */
void td_port_sleep(void);

/* Called between the layers of an inference that is not masked, without the lock. A port without interrupts serves its
 * line here too; others do nothing. */
void td_port_poll(void);

/* High-water mark of the stack since start, in bytes; 0 where the port cannot tell. */
uint32_t td_port_stack_used(void);

/* Restarts the board. Does not return. */
void td_port_reset(void);

#ifdef __cplusplus
}
#endif

#endif
