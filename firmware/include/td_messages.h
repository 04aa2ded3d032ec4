/* The messages of the link: numbers, sizes and byte order. docs/protocol.md is the contract; this is its C form. */
#ifndef TD_MESSAGES_H
#define TD_MESSAGES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TD_PROTOCOL_VERSION 2

/* What begins every body: message (1), sequence (2), session (4). */
#define TD_HEADER_BYTES 7

/* Texts are this long, padded with zeros. */
#define TD_TEXT_BYTES 32

enum td_message {
    TD_MSG_HELLO = 0x01,
    TD_MSG_TENSOR = 0x02,
    TD_MSG_INPUT = 0x03,
    TD_MSG_RESULT = 0x04,
    TD_MSG_LAYERS = 0x05,
    TD_MSG_STATS = 0x06,
    TD_MSG_RESET = 0x07,
    TD_MSG_OBSERVE = 0x08, /* of firmwares with TD_OBSERVABLE */
    TD_MSG_ERROR = 0x7F, /* as a reply only */
    TD_MSG_REPLY = 0x80, /* set in what the device sends */
};

/* Sizes of the requests' payloads; of an INPUT without its data. */
#define TD_HELLO_REQUEST_BYTES 1u
#define TD_TENSOR_REQUEST_BYTES 2u
#define TD_INPUT_REQUEST_BYTES 9u
#define TD_RESULT_REQUEST_BYTES 9u
#define TD_LAYERS_REQUEST_BYTES 6u
#define TD_OBSERVE_REQUEST_BYTES 7u

/* Flags of an INPUT. */
#define TD_INPUT_MASKED 0x01u /* no interrupt of the link during the inference */
#define TD_INPUT_LAYERS 0x02u /* time each layer */

enum td_error {
    TD_ERROR_NONE = 0,
    TD_ERROR_UNKNOWN_MESSAGE = 1,
    TD_ERROR_NO_SESSION = 2,
    TD_ERROR_BAD_REQUEST = 3,
    TD_ERROR_MODEL_FAILED = 4, /* the detail is the status of td_model.init() */
    TD_ERROR_GONE = 5,
};

static inline uint16_t td_get_u16(const uint8_t *from)
{
    return (uint16_t)(from[0] | (from[1] << 8));
}

static inline uint32_t td_get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | ((uint32_t)from[1] << 8) | ((uint32_t)from[2] << 16) | ((uint32_t)from[3] << 24);
}

/* Each of these returns the place behind what it wrote. */
static inline uint8_t *td_put_u8(uint8_t *to, uint32_t value)
{
    *to = (uint8_t)value;
    return to + 1;
}

static inline uint8_t *td_put_u16(uint8_t *to, uint32_t value)
{
    to = td_put_u8(to, value);
    return td_put_u8(to, value >> 8);
}

static inline uint8_t *td_put_u32(uint8_t *to, uint32_t value)
{
    to = td_put_u16(to, value);
    return td_put_u16(to, value >> 16);
}

static inline uint8_t *td_put_u64(uint8_t *to, uint64_t value)
{
    to = td_put_u32(to, (uint32_t)value);
    return td_put_u32(to, (uint32_t)(value >> 32));
}

static inline uint8_t *td_put_bytes(uint8_t *to, const uint8_t *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

/* At most TD_TEXT_BYTES - 1 characters of `text`. */
static inline uint8_t *td_put_text(uint8_t *to, const char *text)
{
    memset(to, 0, TD_TEXT_BYTES);
    for (size_t i = 0; i < TD_TEXT_BYTES - 1 && text[i] != '\0'; i++) {
        to[i] = (uint8_t)text[i];
    }
    return to + TD_TEXT_BYTES;
}

#endif
