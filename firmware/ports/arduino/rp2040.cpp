/* RP2040 and RP2350 with Earle Philhower's core; the serial port is the chip's own USB. */
#include <Arduino.h>

#include "td_arduino.h"
#include "td_config.h"
#include "td_port.h"

/* The core's linker scripts: what is below the first core's stack, which may grow over that of the second core: nothing
 * runs there. */
extern "C" char __scratch_x_end__[];

void td_chip_init(void)
{
    td_stack_paint(reinterpret_cast<uintptr_t>(__scratch_x_end__));
}

void td_serial_open(void)
{
    Serial.begin(TD_LINE_BAUD);
}

int td_serial_room(void)
{
    return Serial.availableForWrite();
}

void td_chip_idle(void)
{
    delay(1);
}

/* The core makes 32 bits of the 24 of SysTick, which counts the core's clock. */
uint32_t td_port_ticks(void)
{
    return rp2040.getCycleCount();
}

uint32_t td_port_stack_used(void)
{
    return td_stack_painted_used();
}

void td_port_reset(void)
{
    rp2040.reboot();
    for (;;) {
    }
}
