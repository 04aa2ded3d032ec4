/* What every Cortex-M port shares (startup.c, core.c, faults.c), and what a port provides to it. Register addresses and
 * bits: Armv6-M (DDI 0419), Armv7-M (DDI 0403) and Armv8-M (DDI 0553) Architecture Reference Manuals, system control
 * space. */
#ifndef TD_CORTEX_M_H
#define TD_CORTEX_M_H

#include <stdint.h>

/* The serial port's interrupt, provided by the port: hands on what was received, then sends what there is to send for
 * as long as the hardware takes more. May be called without a cause. Lines TD_UART_RX_IRQ and TD_UART_TX_IRQ have the
 * same priority, so one call never interrupts another. */
void td_uart_isr(void);

/* Lets interrupt line `irq` of the chip through the NVIC. */
void td_irq_enable(uint32_t irq);

/* A memory-mapped register. */
static inline volatile uint32_t *td_register(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

#endif
