/* Packets on standard input (a 16-bit size and that many bytes) to their SHA-256 on standard output. Each packet lies in
 * memory of exactly its size, so that the address sanitizer sees any access beyond it. */
#include <stdio.h>
#include <stdlib.h>

#include "td_sha256.h"

int main(void)
{
    uint8_t header[2];
    while (fread(header, 1, 2, stdin) == 2) {
        const size_t size = header[0] + 256u * header[1];
        uint8_t *data = malloc(size);
        uint8_t digest[32];
        if (fread(data, 1, size, stdin) != size) {
            return 1;
        }
        td_sha256(data, size, digest);
        fwrite(digest, 1, sizeof digest, stdout);
        free(data);
    }
    return 0;
}
