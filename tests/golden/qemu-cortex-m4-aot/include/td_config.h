/* The figures of this firmware: tiny.tflite on Cortex-M4F (QEMU mps2-an386). */
#ifndef TD_CONFIG_H
#define TD_CONFIG_H

/* First 8 bytes of the SHA-256 over all else in this project but README.md, src/app.c and the model's name; the host
 * recognises the firmware by it. */
#define TD_BUILD_ID_INIT {0}
#define TD_BOARD "qemu-cortex-m4"

/* The model: src/ */
#define TD_INPUT_BYTES 16
#define TD_OUTPUT_BYTES 16
#define TD_LAYERS 5

/* The link: input buffers, and the most bytes of payload in one frame */
#define TD_BUFFERS 2
#define TD_CHUNK_BYTES 512

/* The board: qemu-cortex-m4.toml says where these come from */
#define TD_CLOCK_HZ 25000000u
#define TD_TICK_HZ 25000000u
#define TD_IRQS 32
#define TD_UART_BASE 0x40004000u
#define TD_UART_RX_IRQ 0
#define TD_UART_TX_IRQ 1
#define TD_UART_CLOCK_HZ 25000000u
#define TD_UART_BAUD 115200
#define TD_TIMER_BASE 0x40000000u

#endif
