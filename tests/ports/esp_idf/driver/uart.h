/* As much of ESP-IDF's UART driver as the port uses, on this machine. */
#ifndef DRIVER_UART_H
#define DRIVER_UART_H

#include <stddef.h>
#include <stdint.h>

#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "host_line.h"

typedef int uart_port_t;
enum { UART_NUM_0 };
enum { UART_DATA_8_BITS, UART_PARITY_DISABLE, UART_STOP_BITS_1, UART_HW_FLOWCTRL_DISABLE, UART_SCLK_DEFAULT };
#define UART_PIN_NO_CHANGE (-1)

typedef struct {
    int baud_rate;
    int data_bits;
    int parity;
    int stop_bits;
    int flow_ctrl;
    int source_clk;
} uart_config_t;

static inline esp_err_t uart_driver_install(uart_port_t port, int receive, int transmit, int depth, void *queue, int flags)
{
    (void)port, (void)transmit, (void)depth, (void)queue, (void)flags;
    host_line_open((size_t)receive);
    return ESP_OK;
}

static inline esp_err_t uart_param_config(uart_port_t port, const uart_config_t *config)
{
    (void)port, (void)config;
    return ESP_OK;
}

static inline esp_err_t uart_set_pin(uart_port_t port, int tx, int rx, int rts, int cts)
{
    (void)port, (void)tx, (void)rx, (void)rts, (void)cts;
    return ESP_OK;
}

static inline int uart_read_bytes(uart_port_t port, void *bytes, uint32_t size, TickType_t wait)
{
    (void)port;
    if (host_line_available() == 0 && wait > 0) {
        host_line_wait_us(1000u * wait);
    }
    return (int)host_line_read(bytes, size);
}

static inline esp_err_t uart_get_tx_buffer_free_size(uart_port_t port, size_t *size)
{
    (void)port;
    *size = HOST_LINE_ROOM;
    return ESP_OK;
}

static inline int uart_write_bytes(uart_port_t port, const void *bytes, size_t size)
{
    (void)port;
    host_line_write(bytes, size);
    return (int)size;
}

#endif
