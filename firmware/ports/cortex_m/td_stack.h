/* The stack lies at the bottom of RAM, growing away from everything else: when it overflows it leaves RAM, and the core
 * faults (faults.c) instead of overwriting data. */
#ifndef TD_STACK_H
#define TD_STACK_H

#include <stdint.h>

/* linker.ld */
extern uint32_t td_stack_bottom[], td_stack_top[];

/* Four different bytes, so that no compiler makes a call of memset() out of the loop that writes it. */
#define TD_STACK_PAINT 0x5AC3A53Cu

/* Fills what is unused of the stack. Inline, because what it calls would be painted over. */
static inline __attribute__((always_inline)) void td_stack_paint(void)
{
    uint32_t *used;
    __asm__ volatile("mov %0, sp" : "=r"(used));
    for (uint32_t *word = td_stack_bottom; word < used;) {
        *word++ = TD_STACK_PAINT;
    }
}

#endif
