/* What port_threads.c offers beyond td_port.h. */
#ifndef PORT_THREADS_H
#define PORT_THREADS_H

/* Calls `handler` as an interrupt of the board would; from any thread but the main one. */
void port_threads_interrupt(void (*handler)(void));

#endif
