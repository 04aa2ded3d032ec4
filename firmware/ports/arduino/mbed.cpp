/* The cores on Mbed OS, with the serial port that is the chip's own USB: Arduino Nano 33 BLE. */
#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>
#include <rtx_os.h>

#include "td_arduino.h"
#include "td_config.h"
#include "td_port.h"

/* RTX keeps a magic number in the lowest word of a thread's stack. */
#define MAGIC_BYTES 8u

/* setup() and loop() run in Mbed's main thread. */
void td_chip_init(void)
{
    const osRtxThread_t *thread = static_cast<const osRtxThread_t *>(osThreadGetId());
    td_dwt_init();
    td_stack_paint(reinterpret_cast<uintptr_t>(thread->stack_mem) + MAGIC_BYTES);
}

void td_serial_open(void)
{
    Serial.begin(TD_LINE_BAUD);
}

/* The core does not say. Its write() waits for the host to fetch the packet, and gives up when that hangs up. */
int td_serial_room(void)
{
    return 64;
}

void td_chip_idle(void)
{
    delay(1);
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
