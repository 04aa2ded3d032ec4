/* Frames: a body and its CRC-32, COBS-encoded, ended by a zero byte. See docs/protocol.md.
 *
 * Both directions work byte by byte and hold no frame: the decoder hands out each body byte as it arrives, the encoder
 * reads the body where it lies. Neither calls anything, so both may run in an interrupt. */
#ifndef TD_FRAME_H
#define TD_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "td_crc.h"

enum td_decoded {
    TD_DECODED_NOTHING, /* more bytes are needed */
    TD_DECODED_BYTE,    /* one more byte of the body, or of the CRC that follows it */
    TD_DECODED_FRAME,   /* the frame has ended and its CRC is right: the last four bytes handed out were the CRC */
    TD_DECODED_DAMAGED, /* the frame has ended and cannot be used */
};

struct td_decoder {
    uint32_t crc;
    uint8_t code; /* of the current COBS block; 0 before the first one */
    uint8_t left; /* bytes still to come in it */
};

void td_decoder_init(struct td_decoder *decoder);

/* Takes the next byte from the wire. `body` is written where the result is TD_DECODED_BYTE. Any bytes are allowed; after
 * a zero the decoder is as new. */
enum td_decoded td_decoder_take(struct td_decoder *decoder, uint8_t byte, uint8_t *body);

struct td_encoder {
    const uint8_t *head; /* the body's first part */
    const uint8_t *data; /* and its second */
    uint32_t head_size;
    uint32_t body_size; /* head and data */
    uint32_t position;  /* the next byte to encode */
    uint32_t scanned;   /* how far the look-ahead for zeros has come; the CRC is computed on the way */
    uint32_t crc;
    uint8_t left; /* bytes still to be sent of the current COBS block */
    uint8_t step;
};

/* Starts a frame whose body is `head` followed by `data`. Both stay the caller's and must not move until the frame has
 * been sent; changing them meanwhile damages the frame but nothing else. */
void td_encoder_start(struct td_encoder *encoder, const uint8_t *head, uint32_t head_size, const uint8_t *data,
                      uint32_t data_size);

/* The next byte for the wire, or -1 when the frame has been sent. A zeroed encoder has nothing to send. Looks at most
 * 255 bytes ahead per call. */
int td_encoder_next(struct td_encoder *encoder);

bool td_encoder_is_idle(const struct td_encoder *encoder);

#endif
