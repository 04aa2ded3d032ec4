/* What a chip's file provides to the Arduino port, and what a core does around setup() and loop(). */
#include <Arduino.h>
#include <stdlib.h>

#include "td_arduino.h"
#include "td_config.h"
#include "td_port.h"

HostSerial Serial;

void td_chip_init()
{
}

void td_serial_open()
{
    host_line_open(TD_RECEIVE_BYTES);
}

int td_serial_room()
{
    return Serial.availableForWrite();
}

void td_chip_idle()
{
    host_line_wait_us(1000);
}

uint32_t td_port_ticks()
{
    return host_line_us();
}

uint32_t td_port_stack_used()
{
    return 1234;
}

void td_port_reset()
{
    host_line_restart();
}

int main()
{
    setup();
    for (;;) {
        loop();
        abort(); /* loop() does not return */
    }
}
