/* Cores without an operating system, on a Cortex-M3 or later, whose stack is at the top of RAM: STM32duino, Teensyduino. */
#include <Arduino.h>

#include "td_arduino.h"
#include "td_config.h"
#include "td_port.h"

/* The linker scripts of both: where variables end. */
extern "C" char _ebss[];

/* newlib: where the heap ends. It begins behind the variables; on a Teensy 4 it is in another memory. */
extern "C" char *_sbrk(int increment);

/* On a Teensy 4, between variables and stack, a guard that faults when it is written to (teensy4/startup.c, 1.62). */
#define GUARD_BYTES 32u

void td_chip_init(void)
{
    const uintptr_t variables = reinterpret_cast<uintptr_t>(_ebss) + GUARD_BYTES;
    const uintptr_t heap = reinterpret_cast<uintptr_t>(_sbrk(0));
    const uintptr_t stack = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    td_dwt_init();
    td_stack_paint(heap > variables && heap < stack ? heap : variables);
}

void td_serial_open(void)
{
    Serial.begin(TD_LINE_BAUD);
}

int td_serial_room(void)
{
    return Serial.availableForWrite();
}

/* Both cores have a SysTick interrupt every millisecond. */
void td_chip_idle(void)
{
    __asm__ volatile("dsb\n"
                     "wfi" ::: "memory");
}

uint32_t td_port_ticks(void)
{
    return td_dwt_cycles();
}

uint32_t td_port_stack_used(void)
{
    return td_stack_painted_used();
}

void td_port_reset(void)
{
    td_cortex_m_reset();
}
