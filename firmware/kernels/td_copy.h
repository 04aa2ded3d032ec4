/* Copies a tensor that two places need. */
#ifndef TD_COPY_H
#define TD_COPY_H

#include <stdint.h>

struct td_copy {
    uint32_t bytes;
};

/* `input` and `output` must not overlap. */
void td_copy(const struct td_copy *copy, const void *input, void *output);

#endif
