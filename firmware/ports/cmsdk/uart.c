/* The UART of Arm's Cortex-M System Design Kit (Arm DDI 0479, APB UART): one byte of buffer in each direction. */
#include <stdint.h>

#include "td_cmsdk.h"
#include "td_config.h"
#include "td_cortex_m.h"
#include "td_link.h"
#include "td_port.h"

struct cmsdk_uart {
    volatile uint32_t data;
    volatile uint32_t state;
    volatile uint32_t ctrl;
    volatile uint32_t intclear;
    volatile uint32_t bauddiv;
};

#define STATE_TX_FULL 0x1u
#define STATE_RX_FULL 0x2u
#define CTRL_TX_ENABLE 0x1u
#define CTRL_RX_ENABLE 0x2u
#define CTRL_TX_INTERRUPT 0x4u
#define CTRL_RX_INTERRUPT 0x8u
#define INT_TX 0x1u
#define INT_RX 0x2u

static struct cmsdk_uart *const uart = (struct cmsdk_uart *)TD_UART_BASE;

void td_port_init(void)
{
    td_timer_init();
    /* the nearest divisor */
    uart->bauddiv = (TD_UART_CLOCK_HZ + TD_UART_BAUD / 2) / TD_UART_BAUD;
    uart->ctrl = CTRL_TX_ENABLE | CTRL_RX_ENABLE | CTRL_TX_INTERRUPT | CTRL_RX_INTERRUPT;
    (void)uart->data; /* whatever came before there was anybody to take it */
    td_irq_enable(TD_UART_RX_IRQ);
    td_irq_enable(TD_UART_TX_IRQ);
    td_port_unlock();
}

/* The TX interrupt comes when a byte has left, so the one that is written last asks for the next. The link is asked
 * before the UART, which an emulator takes far longer to answer for. */
static void send(void)
{
    while (td_link_is_sending() && !(uart->state & STATE_TX_FULL)) {
        const int byte = td_link_transmit();
        if (byte < 0) {
            return;
        }
        uart->data = (uint32_t)byte;
    }
}

/* Causes are cleared before they are served: what happens meanwhile raises the interrupt again. */
void td_uart_isr(void)
{
    uart->intclear = INT_TX | INT_RX;
    if (uart->state & STATE_RX_FULL) {
        const uint8_t byte = (uint8_t)uart->data;
        td_link_receive(&byte, 1);
    }
    send();
}
