/* Inside the Arduino port: what the cores do in different ways. port.cpp is the same for all; a board's file names the
 * others that it needs. */
#ifndef TD_ARDUINO_H
#define TD_ARDUINO_H

#include <stdint.h>

/* The chip's own file (cortex_m.cpp, rp2040.cpp, mbed.cpp, esp32.cpp): */

/* Before all else: starts the timer of td_port_ticks(), and whatever td_port_stack_used() needs. */
void td_chip_init(void);

/* Opens the core's serial object, `Serial`, with TD_LINE_BAUD and room for TD_RECEIVE_BYTES where the core lets that be
 * chosen. Where it does not, the line must have flow control, as USB has. */
void td_serial_open(void);

/* How many bytes `Serial` takes now without waiting; may be 0. */
int td_serial_room(void);

/* Nothing to do: waits for the next interrupt, but for a millisecond at most, as nothing wakes it for bytes that arrived
 * just before. */
void td_chip_idle(void);

/* dwt.cpp: the cycle counter of Armv7-M and Armv8-M. */
void td_dwt_init(void);
uint32_t td_dwt_cycles(void);

/* painted_stack.cpp: fills the unused stack from `bottom`, the lowest address that it may grow to, but TD_STACK_BYTES at
 * most. Then, the bytes of it that have been used below the caller of td_stack_paint(). */
void td_stack_paint(uintptr_t bottom);
uint32_t td_stack_painted_used(void);

/* reset_cortex_m.cpp: asks the core for a reset of the chip. Does not return. */
void td_cortex_m_reset(void);

#endif
