/* The configuration of the firmware that the tests compile for the host; -D changes it. */
#ifndef TD_CONFIG_H
#define TD_CONFIG_H

#ifndef TD_BUFFERS
#define TD_BUFFERS 2
#endif
#ifndef TD_INPUT_BYTES
#define TD_INPUT_BYTES 1000
#endif
#ifndef TD_OUTPUT_BYTES
#define TD_OUTPUT_BYTES 644
#endif
#ifndef TD_CHUNK_BYTES
#define TD_CHUNK_BYTES 128
#endif
#ifndef TD_LAYERS
#define TD_LAYERS 40
#endif
#define TD_BUILD_ID_INIT {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}
#define TD_BOARD "host"
#define TD_CLOCK_HZ 1000000000
#define TD_TICK_HZ 1000000

#endif
