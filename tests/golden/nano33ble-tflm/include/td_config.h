/* The figures of this firmware: tiny.tflite on Arduino Nano 33 BLE. */
#ifndef TD_CONFIG_H
#define TD_CONFIG_H

/* First 8 bytes of the SHA-256 over all else in this project but README.md, src/app.c and the model's name; the host
 * recognises the firmware by it. */
#define TD_BUILD_ID_INIT {0}
#define TD_BOARD "nano33ble"

/* The model: src/ */
#define TD_INPUT_BYTES 16
#define TD_OUTPUT_BYTES 16
#define TD_LAYERS 5

/* The link: input buffers, and the most bytes of payload in one frame */
#define TD_BUFFERS 2
#define TD_CHUNK_BYTES 512

/* The board: nano33ble.toml says where these come from */
#define TD_CLOCK_HZ 64000000u
#define TD_TICK_HZ 64000000u
#define TD_STACK_BYTES 32768u
#define TD_LINE_BAUD 115200

/* The most that a host sends before it waits for an answer: docs/protocol.md of tinydeploy */
#define TD_RECEIVE_BYTES 4608

#endif
