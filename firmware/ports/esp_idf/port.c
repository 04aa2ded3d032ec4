/* The functions of td_port.h on ESP-IDF 5: UART 0, the core's cycle counter, the main task.
 *
 * The driver's interrupts fill its receive buffer, and this port looks into it between layers and when there is nothing
 * to compute: nothing else calls the link, so there is nothing to lock. What a host may have under way without an answer,
 * TD_RECEIVE_BYTES, has room in that buffer, however long a layer takes. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/uart.h"
#include "esp_cpu.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "soc/uart_pins.h"

#include "td_config.h"
#include "td_link.h"
#include "td_port.h"

#define LINE UART_NUM_0

/* Between layers no more is sent at once: the model waits for it. */
#define PIECE 64
#define TRANSMIT_BYTES 1024

void td_port_init(void)
{
    const uart_config_t config = {
        .baud_rate = TD_LINE_BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };
    ESP_ERROR_CHECK(uart_driver_install(LINE, TD_RECEIVE_BYTES, TRANSMIT_BYTES, 0, NULL, 0));
    ESP_ERROR_CHECK(uart_param_config(LINE, &config));
    ESP_ERROR_CHECK(uart_set_pin(LINE, U0TXD_GPIO_NUM, U0RXD_GPIO_NUM, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE));
}

/* Hands on what is there; waits so long for the first byte where there is none. */
static void receive(TickType_t wait)
{
    uint8_t bytes[PIECE];
    for (int size = uart_read_bytes(LINE, bytes, 1, wait); size > 0; size = uart_read_bytes(LINE, bytes, PIECE, 0)) {
        td_link_receive(bytes, (size_t)size);
    }
}

/* Sends one piece, as far as the driver takes it without waiting. */
static void transmit(void)
{
    uint8_t bytes[PIECE];
    size_t room = 0;
    size_t size = 0;
    if (!td_link_is_sending() || uart_get_tx_buffer_free_size(LINE, &room) != ESP_OK) {
        return;
    }
    while (size < PIECE && size < room) {
        const int byte = td_link_transmit();
        if (byte < 0) {
            break;
        }
        bytes[size++] = (uint8_t)byte;
    }
    if (size > 0) {
        uart_write_bytes(LINE, bytes, size);
    }
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
    receive(0);
    transmit();
}

/* A byte that arrives wakes the task. While there is more to send than the driver takes, it looks again after a tick. */
void td_port_sleep(void)
{
    transmit();
    receive(1);
}

uint32_t td_port_ticks(void)
{
    return esp_cpu_get_cycle_count();
}

/* ESP-IDF counts a stack in bytes, other than FreeRTOS elsewhere. */
uint32_t td_port_stack_used(void)
{
    return TD_STACK_BYTES - (uint32_t)uxTaskGetStackHighWaterMark(NULL);
}

void td_port_reset(void)
{
    esp_restart();
}
