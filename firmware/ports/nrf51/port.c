/* nRF51 (Nordic nRF51 Series Reference Manual v3.0): UART0 on the micro:bit's interface chip, and TIMER0. */
#include <stdbool.h>
#include <stdint.h>

#include "td_config.h"
#include "td_cortex_m.h"
#include "td_link.h"
#include "td_port.h"

/* Chapter 29 */
#define UART_STARTRX (TD_UART_BASE + 0x000u)
#define UART_STARTTX (TD_UART_BASE + 0x008u)
#define UART_RXDRDY (TD_UART_BASE + 0x108u)
#define UART_TXDRDY (TD_UART_BASE + 0x11Cu)
#define UART_INTENSET (TD_UART_BASE + 0x304u)
#define UART_ENABLE (TD_UART_BASE + 0x500u)
#define UART_PSELTXD (TD_UART_BASE + 0x50Cu)
#define UART_PSELRXD (TD_UART_BASE + 0x514u)
#define UART_RXD (TD_UART_BASE + 0x518u)
#define UART_TXD (TD_UART_BASE + 0x51Cu)
#define UART_BAUDRATE (TD_UART_BASE + 0x524u)
#define UART_ENABLED 4u
#define UART_INT_RXDRDY (1u << 2)
#define UART_INT_TXDRDY (1u << 7)
#define UART_BAUD_115200 0x01D7E000u

/* micro:bit V1 schematic: the interface chip's serial lines */
#define PIN_TXD 24u
#define PIN_RXD 25u
#define GPIO_OUTSET 0x50000508u
#define GPIO_DIRSET 0x50000518u
#define GPIO_PIN_CNF(pin) (0x50000700u + 4u * (pin)) /* chapter 14; 0 is a connected input */

/* Chapter 18 */
#define TIMER_START (TD_TIMER_BASE + 0x000u)
#define TIMER_CAPTURE0 (TD_TIMER_BASE + 0x040u)
#define TIMER_BITMODE (TD_TIMER_BASE + 0x508u)
#define TIMER_PRESCALER (TD_TIMER_BASE + 0x510u)
#define TIMER_CC0 (TD_TIMER_BASE + 0x540u)
#define TIMER_32_BITS 3u

#if TD_UART_BAUD != 115200
#error "the nrf51 port knows 115,200 baud only"
#endif

/* Whether a byte is on its way. There is no register that says so before the first one. */
static bool sending;

void td_port_init(void)
{
    *td_register(TIMER_BITMODE) = TIMER_32_BITS;
    *td_register(TIMER_PRESCALER) = 0;
    *td_register(TIMER_START) = 1;

    *td_register(GPIO_OUTSET) = 1u << PIN_TXD; /* idle level, before the pin drives it */
    *td_register(GPIO_DIRSET) = 1u << PIN_TXD;
    *td_register(GPIO_PIN_CNF(PIN_RXD)) = 0;
    *td_register(UART_PSELTXD) = PIN_TXD;
    *td_register(UART_PSELRXD) = PIN_RXD;
    *td_register(UART_BAUDRATE) = UART_BAUD_115200;
    *td_register(UART_ENABLE) = UART_ENABLED;
    *td_register(UART_INTENSET) = UART_INT_RXDRDY | UART_INT_TXDRDY;
    *td_register(UART_STARTRX) = 1;
    *td_register(UART_STARTTX) = 1;
    (void)*td_register(UART_RXD); /* whatever came before there was anybody to take it */
    td_irq_enable(TD_UART_RX_IRQ);
    td_port_unlock();
}

/* Reads the timer through capture register 0. An interrupt in between that also asks for the time would only make the
 * answer more recent. */
uint32_t td_port_ticks(void)
{
    *td_register(TIMER_CAPTURE0) = 1;
    return *td_register(TIMER_CC0);
}

static void send(void)
{
    for (;;) {
        if (sending) {
            if (!*td_register(UART_TXDRDY)) {
                return;
            }
            *td_register(UART_TXDRDY) = 0;
            sending = false;
        }
        int byte = td_link_transmit();
        if (byte < 0) {
            return;
        }
        *td_register(UART_TXD) = (uint32_t)byte;
        sending = true;
    }
}

/* The event is cleared before the byte is taken: the hardware's FIFO raises it again if there is another. */
void td_uart_isr(void)
{
    while (*td_register(UART_RXDRDY)) {
        *td_register(UART_RXDRDY) = 0;
        uint8_t byte = (uint8_t)*td_register(UART_RXD);
        td_link_receive(&byte, 1);
    }
    send();
}
