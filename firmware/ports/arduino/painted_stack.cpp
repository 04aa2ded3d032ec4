/* The high-water mark of a Cortex-M's stack: what is unused of it is painted once, and what has been written to since has
 * lost its paint. */
#include <stdint.h>

#include "td_arduino.h"
#include "td_config.h"

#define PAINT 0x5AC3A53Cu

static uint32_t *painted;
static uint32_t *top;

static uint32_t *word_at(uintptr_t address)
{
    return reinterpret_cast<uint32_t *>((address + 3u) & ~uintptr_t{3});
}

void td_stack_paint(uintptr_t bottom)
{
    uintptr_t used;
    __asm__ volatile("mov %0, sp" : "=r"(used));
    const uintptr_t reserve = used - TD_STACK_BYTES;
    top = word_at(used);
    painted = word_at(bottom > reserve ? bottom : reserve);
    for (volatile uint32_t *word = painted; word < top;) { /* volatile: a call of memset() would be painted over */
        *word++ = PAINT;
    }
}

uint32_t td_stack_painted_used(void)
{
    const volatile uint32_t *word = painted;
    while (word < top && *word == PAINT) {
        word++;
    }
    return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(top) - reinterpret_cast<uintptr_t>(word));
}
