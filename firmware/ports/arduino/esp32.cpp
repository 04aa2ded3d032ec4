/* Every ESP32 with Espressif's core 3; the serial port is UART 0, to which most boards have a USB bridge. */
#include <Arduino.h>

#include "td_arduino.h"
#include "td_config.h"
#include "td_port.h"

SET_LOOP_TASK_STACK_SIZE(TD_STACK_BYTES)

/* The idle task, which feeds the watchdog of its core, has no turn during an inference. */
void td_chip_init(void)
{
    disableCore0WDT();
}

void td_serial_open(void)
{
    Serial.setRxBufferSize(TD_RECEIVE_BYTES);
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

/* Each core has its own; loop() stays on one. */
uint32_t td_port_ticks(void)
{
    return ESP.getCycleCount();
}

/* ESP-IDF counts a stack in bytes, other than FreeRTOS elsewhere. */
uint32_t td_port_stack_used(void)
{
    return TD_STACK_BYTES - uxTaskGetStackHighWaterMark(nullptr);
}

void td_port_reset(void)
{
    ESP.restart();
    for (;;) {
    }
}
