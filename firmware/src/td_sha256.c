/* Section numbers are those of FIPS 180-4. */
#include "td_sha256.h"

#include <string.h>

#define BLOCK_BYTES 64u
#define LENGTH_BYTES 8u

/* 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes */
static const uint32_t round_constants[64] = {
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
};

static uint32_t rotate_right(uint32_t value, unsigned bits)
{
    return (value >> bits) | (value << (32u - bits));
}

/* 6.2.2, step 1, the words as they are needed: schedule[t % 16] is word t. */
static uint32_t next_word(uint32_t schedule[16], unsigned t)
{
    if (t >= 16) {
        const uint32_t before_15 = schedule[(t - 15) % 16];
        const uint32_t before_2 = schedule[(t - 2) % 16];
        const uint32_t sigma_0 = rotate_right(before_15, 7) ^ rotate_right(before_15, 18) ^ (before_15 >> 3);
        const uint32_t sigma_1 = rotate_right(before_2, 17) ^ rotate_right(before_2, 19) ^ (before_2 >> 10);
        schedule[t % 16] += sigma_0 + schedule[(t - 7) % 16] + sigma_1;
    }
    return schedule[t % 16];
}

/* 6.2.2, steps 2 to 4; v[0] to v[7] are a to h. */
static void add_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t schedule[16];
    uint32_t v[8];
    for (unsigned t = 0; t < 16; t++) {
        const uint8_t *bytes = &block[4 * t];
        schedule[t] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    }
    memcpy(v, state, sizeof v);
    for (unsigned t = 0; t < 64; t++) {
        const uint32_t sum_1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        const uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        const uint32_t first = v[7] + sum_1 + choice + round_constants[t] + next_word(schedule, t);
        const uint32_t sum_0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        const uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(&v[1], &v[0], 7 * sizeof v[0]);
        v[4] += first;
        v[0] = first + sum_0 + majority;
    }
    for (unsigned i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (24u - 8u * i));
    }
}

void td_sha256(const uint8_t *data, size_t size, uint8_t digest[32])
{
    /* 5.3.3: the square roots of the first 8 primes */
    uint32_t state[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
    /* 5.1.1: a one, zeros, and the length in bits at the end of one or two blocks */
    uint8_t last[2 * BLOCK_BYTES] = {0};
    const size_t whole = size / BLOCK_BYTES * BLOCK_BYTES;
    const size_t rest = size - whole;
    const size_t padded = rest + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    for (size_t i = 0; i < whole; i += BLOCK_BYTES) {
        add_block(state, &data[i]);
    }
    if (rest > 0) {
        memcpy(last, &data[whole], rest);
    }
    last[rest] = 0x80;
    put_u32(&last[padded - 4], (uint32_t)(size * 8u));
    for (size_t i = 0; i < padded; i += BLOCK_BYTES) {
        add_block(state, &last[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        put_u32(&digest[4 * i], state[i]);
    }
}
