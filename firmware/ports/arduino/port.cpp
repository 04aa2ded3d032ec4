/* The functions of td_port.h over the Arduino API, for whatever core implements it.
 *
 * No interrupt calls the link: the core's own interrupts fill its receive buffer, and this port looks into it between
 * layers and when there is nothing to compute. So there is nothing to lock. What a host may have under way without an
 * answer, TD_RECEIVE_BYTES, has room in that buffer, however long a layer takes. */
#include <Arduino.h>

#include "td_arduino.h"
#include "td_config.h"
#include "td_link.h"
#include "td_port.h"

/* A packet of full-speed USB. Between layers no more is sent at once: the model waits for it. */
#define PIECE 64

/* Hands on what had arrived when this was called. Returns whether there was anything. */
static bool receive(void)
{
    const int waiting = Serial.available();
    uint8_t bytes[PIECE];
    for (int left = waiting; left > 0;) {
        const size_t size = (size_t)(left < PIECE ? left : PIECE);
        const size_t read = Serial.readBytes(reinterpret_cast<char *>(bytes), size);
        if (read == 0) {
            break;
        }
        td_link_receive(bytes, read);
        left -= (int)read;
    }
    return waiting > 0;
}

/* Sends one piece, as far as `Serial` takes it without waiting. Returns whether it took anything. */
static bool transmit(void)
{
    uint8_t bytes[PIECE];
    size_t size = 0;
    if (!td_link_is_sending()) {
        return false;
    }
    const int room = td_serial_room();
    while (size < PIECE && (int)size < room) {
        const int byte = td_link_transmit();
        if (byte < 0) {
            break;
        }
        bytes[size++] = (uint8_t)byte;
    }
    if (size > 0) {
        Serial.write(bytes, size);
    }
    return size > 0;
}

void td_port_init(void)
{
    td_chip_init();
    td_serial_open();
}

/* What there is to send is asked for at the next look. */
void td_port_start_transmit(void)
{
}

void td_port_lock(void)
{
}

void td_port_unlock(void)
{
}

void td_port_poll(void)
{
    receive();
    transmit();
}

void td_port_sleep(void)
{
    const bool received = receive();
    const bool sent = transmit();
    if (!received && !sent) {
        td_chip_idle();
    }
}
