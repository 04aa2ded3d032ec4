/* CRC-32 as in Ethernet, zlib and PNG: reflected polynomial 0xEDB88320, start and final XOR 0xFFFFFFFF. */
#ifndef TD_CRC_H
#define TD_CRC_H

#include <stdint.h>

#define TD_CRC_BYTES 4

/* The register before the first byte. The CRC of a message is the complement of the register after its last byte. */
#define TD_CRC_START 0xFFFFFFFFu

/* The register after a message that is followed by its own CRC, little endian: the receiver needs to compare nothing
 * else, and needs not to know where the message ends before it has ended. */
#define TD_CRC_RESIDUE 0xDEBB20E3u

/* One table entry per nibble: 64 bytes of flash instead of 1024 for about 8 more instructions per byte. */
extern const uint32_t td_crc_table[16];

static inline uint32_t td_crc_update(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    crc = (crc >> 4) ^ td_crc_table[crc & 15u];
    return (crc >> 4) ^ td_crc_table[crc & 15u];
}

#endif
