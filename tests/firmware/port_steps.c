/* A board that does everything in turn, so that every run is the same: it takes a packet from standard input (a 16-bit
 * size, a 16-bit limit of what is to come back, and as many bytes as the size says), works until there is nothing left to
 * do, and puts what it has to send on standard output, a 16-bit size and the bytes. Beyond the limit it waits for the next
 * packet. Ticks count how often somebody has looked at them. */
#include "td_port.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "td_link.h"
#include "td_runner.h"

static uint8_t packet[65536];
static size_t most_to_send;
static bool is_locked;
static bool has_started;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

void td_port_init(void)
{
}

void td_port_start_transmit(void)
{
}

uint32_t td_port_ticks(void)
{
    static uint32_t ticks = UINT32_MAX - 1000; /* wraps soon */
    return ticks += 10;
}

void td_port_lock(void)
{
    check(!is_locked);
    is_locked = true;
}

void td_port_unlock(void)
{
    check(is_locked);
    is_locked = false;
}

static void send_packet(void)
{
    size_t size = 0;
    for (int byte; size < most_to_send && (byte = td_link_transmit()) >= 0;) {
        packet[size++] = (uint8_t)byte;
    }
    const uint8_t header[2] = {(uint8_t)size, (uint8_t)(size >> 8)};
    fwrite(header, 1, 2, stdout);
    fwrite(packet, 1, size, stdout);
    fflush(stdout);
}

/* The runner sleeps when it has done what the last packet asked for: answers that one and takes the next. */
void td_port_sleep(void)
{
    uint8_t header[4];
    check(is_locked);
    if (has_started) {
        send_packet();
    }
    has_started = true;
    if (fread(header, 1, sizeof header, stdin) != sizeof header) {
        exit(0);
    }
    const size_t size = header[0] + 256u * header[1];
    most_to_send = header[2] + 256u * header[3];
    check(fread(packet, 1, size, stdin) == size);
    td_link_receive(packet, size);
}

void td_port_poll(void)
{
}

uint32_t td_port_stack_used(void)
{
    return 321;
}

void td_port_reset(void)
{
    exit(7);
}

int main(void)
{
    td_port_init();
    td_runner_run();
}
