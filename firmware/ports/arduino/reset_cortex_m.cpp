/* A reset asked for by software: Armv7-M ARM (DDI 0403E) B3.2.6, Armv8-M ARM (DDI 0553) D1.2, AIRCR. */
#include <stdint.h>

#include "td_arduino.h"

#define AIRCR 0xE000ED0Cu
#define AIRCR_KEY 0x05FA0000u
#define AIRCR_SYSRESETREQ 0x4u

void td_cortex_m_reset(void)
{
    __asm__ volatile("dsb" ::: "memory");
    *reinterpret_cast<volatile uint32_t *>(AIRCR) = AIRCR_KEY | AIRCR_SYSRESETREQ;
    __asm__ volatile("dsb" ::: "memory");
    for (;;) {
    }
}
