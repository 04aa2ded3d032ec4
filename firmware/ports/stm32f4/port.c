/* STM32F405 (ST RM0090): USART1 on PA9/PA10 and TIM2, on the 16 MHz HSI oscillator that the chip starts with. */
#include <stdint.h>

#include "td_config.h"
#include "td_cortex_m.h"
#include "td_link.h"
#include "td_port.h"

/* 7.3: clock enables */
#define RCC_AHB1ENR 0x40023830u
#define RCC_AHB1ENR_GPIOA (1u << 0)
#define RCC_APB1ENR 0x40023840u
#define RCC_APB1ENR_TIM2 (1u << 0)
#define RCC_APB2ENR 0x40023844u
#define RCC_APB2ENR_USART1 (1u << 4)

/* 8.4: pins 9 and 10 of port A to alternate function 7 */
#define GPIOA_MODER 0x40020000u
#define GPIOA_AFRH 0x40020024u
#define MODER_PINS_9_10 (0xFu << 18)
#define MODER_ALTERNATE (0xAu << 18)
#define AFRH_PINS_9_10 (0xFFu << 4)
#define AFRH_USART1 (0x77u << 4)

/* 30.6 */
struct stm32_usart {
    volatile uint32_t sr;
    volatile uint32_t dr;
    volatile uint32_t brr;
    volatile uint32_t cr1;
};
#define SR_ORE (1u << 3)
#define SR_RXNE (1u << 5)
#define SR_TXE (1u << 7)
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_RXNEIE (1u << 5)
#define CR1_TXEIE (1u << 7)
#define CR1_UE (1u << 13)

/* 18.4 */
#define TIM_CR1 (TD_TIMER_BASE + 0x00u)
#define TIM_EGR (TD_TIMER_BASE + 0x14u)
#define TIM_CNT (TD_TIMER_BASE + 0x24u)
#define TIM_PSC (TD_TIMER_BASE + 0x28u)
#define TIM_ARR (TD_TIMER_BASE + 0x2Cu)
#define TIM_CR1_CEN (1u << 0)
#define TIM_EGR_UG (1u << 0)

static struct stm32_usart *const usart = (struct stm32_usart *)TD_UART_BASE;

static void init_timer(void)
{
    *td_register(TIM_PSC) = 0;
    *td_register(TIM_ARR) = UINT32_MAX;
    *td_register(TIM_EGR) = TIM_EGR_UG;
    *td_register(TIM_CR1) = TIM_CR1_CEN;
}

void td_port_init(void)
{
    *td_register(RCC_AHB1ENR) |= RCC_AHB1ENR_GPIOA;
    *td_register(RCC_APB1ENR) |= RCC_APB1ENR_TIM2;
    *td_register(RCC_APB2ENR) |= RCC_APB2ENR_USART1;
    *td_register(GPIOA_AFRH) = (*td_register(GPIOA_AFRH) & ~AFRH_PINS_9_10) | AFRH_USART1;
    *td_register(GPIOA_MODER) = (*td_register(GPIOA_MODER) & ~MODER_PINS_9_10) | MODER_ALTERNATE;
    init_timer();
    /* 16-fold oversampling: the value is the divisor in sixteenths, here the nearest one */
    usart->brr = (TD_UART_CLOCK_HZ + TD_UART_BAUD / 2) / TD_UART_BAUD;
    usart->cr1 = CR1_UE | CR1_TE | CR1_RE | CR1_RXNEIE;
    (void)usart->dr; /* whatever came before there was anybody to take it */
    td_irq_enable(TD_UART_RX_IRQ);
    td_port_unlock();
}

uint32_t td_port_ticks(void)
{
    return *td_register(TIM_CNT);
}

/* TXE is a level: its interrupt is on only while there is more to send. QEMU 7.2 sends at once and has no such
 * interrupt. */
static void send(void)
{
    while (usart->sr & SR_TXE) {
        int byte = td_link_transmit();
        if (byte < 0) {
            usart->cr1 &= ~CR1_TXEIE;
            return;
        }
        usart->dr = (uint32_t)byte;
    }
    usart->cr1 |= CR1_TXEIE;
}

/* Reading SR, then DR, also clears an overrun, which would interrupt for ever. */
void td_uart_isr(void)
{
    while (usart->sr & (SR_RXNE | SR_ORE)) {
        uint8_t byte = (uint8_t)usart->dr;
        td_link_receive(&byte, 1);
    }
    send();
}
