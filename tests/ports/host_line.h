/* A serial port of this machine with the limits of a chip's: a receive buffer that a thread, the interrupt, fills from
 * standard input. What finds it full is lost, as without flow control, and told on standard error at the end. */
#ifndef HOST_LINE_H
#define HOST_LINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void host_line_open(size_t receive_bytes);
size_t host_line_available(void);
size_t host_line_read(uint8_t *bytes, size_t size);

/* A chip's transmit buffer may be as small. */
#define HOST_LINE_ROOM 24
void host_line_write(const uint8_t *bytes, size_t size);

/* Starts the program anew, on the same line. */
void host_line_restart(void);

/* Microseconds since some moment. */
uint32_t host_line_us(void);
void host_line_wait_us(unsigned us);

#ifdef __cplusplus
}
#endif

#endif
