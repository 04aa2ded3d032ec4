/* The functions of td_port.h that are the same on every Cortex-M. */
#include <stddef.h>
#include <stdint.h>

#include "td_config.h"
#include "td_cortex_m.h"
#include "td_port.h"
#include "td_stack.h"

#define NVIC_ISER 0xE000E100u
#define NVIC_ISPR 0xE000E200u
#define NVIC_IPR 0xE000E400u
#define NVIC_LOWEST 0xC0u /* every core has the two upper bits */
#define AIRCR 0xE000ED0Cu
#define AIRCR_KEY 0x05FA0000u
#define AIRCR_SYSRESETREQ 0x4u

void td_irq_enable(uint32_t irq)
{
    /* Below the faults, which could not interrupt it otherwise. A word access, as Armv6-M wants it. */
    *td_register(NVIC_IPR + 4u * (irq / 4u)) |= NVIC_LOWEST << (8u * (irq % 4u));
    *td_register(NVIC_ISER + 4u * (irq / 32u)) = 1u << (irq % 32u);
}

/* Asks for the serial port's interrupt, which does all sending: it runs as soon as the lock, or the interrupt that
 * calls this, lets it. So td_link_transmit() is never called from within td_link_receive(). */
void td_port_start_transmit(void)
{
    *td_register(NVIC_ISPR + 4u * (TD_UART_TX_IRQ / 32u)) = 1u << (TD_UART_TX_IRQ % 32u);
}

void td_port_lock(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

void td_port_unlock(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

/* WFI ends with a pending interrupt even while PRIMASK holds it back, so one that came between the caller's check and
 * this call is not slept through. The ISB lets it run before the lock is taken again. */
void td_port_sleep(void)
{
    __asm__ volatile("dsb\n"
                     "wfi\n"
                     "cpsie i\n"
                     "isb\n"
                     "cpsid i" ::: "memory");
}

/* Everything happens in interrupts. */
void td_port_poll(void)
{
}

uint32_t td_port_stack_used(void)
{
    const uint32_t *word = td_stack_bottom;
    while (word < td_stack_top && *word == TD_STACK_PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)td_stack_top - (uintptr_t)word);
}

void td_port_reset(void)
{
    __asm__ volatile("dsb" ::: "memory");
    *td_register(AIRCR) = AIRCR_KEY | AIRCR_SYSRESETREQ;
    __asm__ volatile("dsb" ::: "memory");
    for (;;) {
    }
}
