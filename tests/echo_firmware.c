/* Stands in for link and runner in tests of boards and ports. Bytes below 0xF8 are echoed; the others are commands,
 * of which the answer is 4 bytes, little endian. */
#include <stddef.h>
#include <stdint.h>

#include "td_link.h"
#include "td_port.h"
#include "td_runner.h"

enum {
    TIME_SHORT_LOOP = 0xF8,
    TIME_LONG_LOOP = 0xF9, /* 20,000 passes of two instructions more */
    STACK_USED = 0xFA,
    USE_STACK = 0xFB, /* 512 bytes of it */
    INITIALISED_DATA = 0xFC,
    RESET = 0xFD,
    OVERFLOW = 0xFE,
};

static volatile uint8_t queue[4096];
static volatile uint32_t head, tail;
static volatile uint8_t command;
static volatile uint32_t initialised = 0x600DF00D;

void td_link_receive(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] >= TIME_SHORT_LOOP) {
            command = bytes[i];
        } else {
            queue[head++ % sizeof queue] = bytes[i];
            td_port_start_transmit();
        }
    }
}

bool td_link_is_sending(void)
{
    return head != tail;
}

int td_link_transmit(void)
{
    return head == tail ? -1 : queue[tail++ % sizeof queue];
}

static void answer(uint32_t word)
{
    td_port_lock();
    for (int i = 0; i < 4; i++) {
        queue[head++ % sizeof queue] = (uint8_t)(word >> (8 * i));
    }
    td_port_start_transmit();
    td_port_unlock();
}

/* Not inlined: loading a constant may take one instruction or two. */
__attribute__((noipa)) static uint32_t time_loop(uint32_t count)
{
    uint32_t start = td_port_ticks();
    __asm__ volatile(".syntax unified\n"
                     "1: subs %0, %0, #1\n"
                     "bne 1b"
                     : "+l"(count)
                     :
                     : "cc");
    return td_port_ticks() - start;
}

static uint32_t use_stack(void)
{
    volatile uint8_t frame[512];
    for (uint32_t i = 0; i < sizeof frame; i++) {
        frame[i] = 0;
    }
    return frame[0];
}

static uint32_t overflow(uint32_t depth)
{
    volatile uint32_t frame[64];
    frame[0] = depth;
    return depth == UINT32_MAX ? 0 : overflow(depth + 1) + frame[0];
}

static void obey(uint8_t what)
{
    switch (what) {
    case TIME_SHORT_LOOP: answer(time_loop(10000)); break;
    case TIME_LONG_LOOP: answer(time_loop(30000)); break;
    case STACK_USED: answer(td_port_stack_used()); break;
    case USE_STACK: answer(use_stack()); break;
    case INITIALISED_DATA: answer(initialised); break;
    case RESET: initialised = 0; td_port_reset(); break;
    case OVERFLOW: answer(overflow(0)); break;
    default: break;
    }
}

void td_runner_run(void)
{
    td_port_lock();
    for (;;) {
        while (!command) {
            td_port_sleep();
        }
        uint8_t what = command;
        command = 0;
        td_port_unlock();
        obey(what);
        td_port_lock();
    }
}
