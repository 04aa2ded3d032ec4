/* SHA-256 (FIPS 180-4), by which the device says what is really in its flash. Small rather than fast: about 60
 * instructions per byte on a Cortex-M4, once, at start. */
#ifndef TD_SHA256_H
#define TD_SHA256_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The digest of `size` bytes, less than 2^29 of them, in the usual order: its text form is the bytes in hexadecimal. */
void td_sha256(const uint8_t *data, size_t size, uint8_t digest[32]);

#ifdef __cplusplus
}
#endif

#endif
