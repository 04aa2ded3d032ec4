#include "td_frame.h"

#include <stddef.h>

/* A block with this code holds 254 bytes and is not followed by a zero. */
#define COBS_FULL 0xFFu

enum step { STEP_IDLE, STEP_CODE, STEP_BYTES, STEP_DELIMITER };

void td_decoder_init(struct td_decoder *decoder)
{
    decoder->crc = TD_CRC_START;
    decoder->code = 0;
    decoder->left = 0;
}

static enum td_decoded end_of_frame(struct td_decoder *decoder)
{
    enum td_decoded result = TD_DECODED_DAMAGED;
    if (decoder->code == 0) {
        result = TD_DECODED_NOTHING; /* delimiters in a row */
    } else if (decoder->left == 0 && decoder->crc == TD_CRC_RESIDUE) {
        result = TD_DECODED_FRAME;
    }
    td_decoder_init(decoder);
    return result;
}

enum td_decoded td_decoder_take(struct td_decoder *decoder, uint8_t byte, uint8_t *body)
{
    if (byte == 0) {
        return end_of_frame(decoder);
    }
    if (decoder->left > 0) {
        decoder->left--;
        *body = byte;
    } else {
        const uint8_t previous = decoder->code;
        decoder->code = byte;
        decoder->left = (uint8_t)(byte - 1u);
        if (previous == 0 || previous == COBS_FULL) {
            return TD_DECODED_NOTHING;
        }
        *body = 0; /* the zero between two blocks, known to be one only now that the second has begun */
    }
    decoder->crc = td_crc_update(decoder->crc, *body);
    return TD_DECODED_BYTE;
}

void td_encoder_start(struct td_encoder *encoder, const uint8_t *head, uint32_t head_size, const uint8_t *data,
                      uint32_t data_size)
{
    encoder->head = head;
    encoder->data = data;
    encoder->head_size = head_size;
    encoder->body_size = head_size + data_size;
    encoder->position = 0;
    encoder->scanned = 0;
    encoder->crc = TD_CRC_START;
    encoder->left = 0;
    encoder->step = STEP_CODE;
}

/* Byte `index` of the body and the CRC behind it. A byte of the CRC may be read once the body has been scanned. */
static uint8_t byte_at(const struct td_encoder *encoder, uint32_t index)
{
    if (index < encoder->head_size) {
        return encoder->head[index];
    }
    if (index < encoder->body_size) {
        return encoder->data[index - encoder->head_size];
    }
    return (uint8_t)(~encoder->crc >> (8u * (index - encoder->body_size)));
}

/* Looks ahead to the end of the block that starts at `position` and returns its code. Every byte is scanned once, so the
 * CRC is complete exactly when its own bytes are reached. */
static uint8_t scan_block(struct td_encoder *encoder)
{
    const uint32_t size = encoder->body_size + TD_CRC_BYTES;
    uint8_t code = 1;
    while (encoder->scanned < size && code < COBS_FULL) {
        const uint8_t byte = byte_at(encoder, encoder->scanned);
        if (encoder->scanned < encoder->body_size) {
            encoder->crc = td_crc_update(encoder->crc, byte);
        }
        encoder->scanned++;
        if (byte == 0) {
            break;
        }
        code++;
    }
    return code;
}

static int start_block(struct td_encoder *encoder)
{
    const uint8_t code = scan_block(encoder);
    encoder->left = (uint8_t)(code - 1u);
    encoder->step = STEP_BYTES;
    return code;
}

/* After the last byte of a block: over the zero that it stands for, to the next block or the end. */
static void end_block(struct td_encoder *encoder)
{
    const uint32_t size = encoder->body_size + TD_CRC_BYTES;
    const bool zero_follows = encoder->position < encoder->scanned;
    encoder->position = encoder->scanned;
    /* A zero as the very last byte needs one more, empty block behind it. */
    encoder->step = (encoder->position < size || zero_follows) ? STEP_CODE : STEP_DELIMITER;
}

int td_encoder_next(struct td_encoder *encoder)
{
    if (encoder->step == STEP_BYTES && encoder->left == 0) {
        end_block(encoder);
    }
    switch (encoder->step) {
    case STEP_CODE:
        return start_block(encoder);
    case STEP_BYTES:
        encoder->left--;
        return byte_at(encoder, encoder->position++);
    case STEP_DELIMITER:
        encoder->step = STEP_IDLE;
        return 0;
    default:
        return -1;
    }
}

bool td_encoder_is_idle(const struct td_encoder *encoder)
{
    return encoder->step == STEP_IDLE;
}
