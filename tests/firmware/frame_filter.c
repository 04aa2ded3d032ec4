/* Encodes and decodes for the tests.
 *
 *     frame_filter encode   packets (a 16-bit size and a body) to encoded frames; each in two parts, cut in the middle
 *     frame_filter decode   any bytes to packets, one for each intact frame: the body and its CRC; of damaged ones, "" */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "td_frame.h"


static uint8_t body[65536];

static void encode(void)
{
    static struct td_encoder encoder;
    uint8_t header[2];
    while (fread(header, 1, 2, stdin) == 2) {
        const uint32_t size = header[0] + 256u * header[1];
        if (fread(body, 1, size, stdin) != size) {
            return;
        }
        td_encoder_start(&encoder, body, size / 2, &body[size / 2], size - size / 2);
        for (int byte; (byte = td_encoder_next(&encoder)) >= 0;) {
            putchar(byte);
        }
    }
}

static void decode(void)
{
    struct td_decoder decoder;
    uint32_t size = 0;
    td_decoder_init(&decoder);
    for (int input; (input = getchar()) != EOF;) {
        const enum td_decoded decoded = td_decoder_take(&decoder, (uint8_t)input, &body[size % sizeof body]);
        if (decoded == TD_DECODED_BYTE) {
            size++;
        } else if (decoded != TD_DECODED_NOTHING) {
            size = decoded == TD_DECODED_FRAME ? size : 0;
            putchar((int)(size & 255u));
            putchar((int)(size >> 8));
            fwrite(body, 1, size, stdout);
            size = 0;
        }
    }
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "encode") == 0) {
        encode();
    } else {
        decode();
    }
    return 0;
}
