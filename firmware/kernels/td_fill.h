/* Sets all elements of a tensor, as padding for what is then copied into it. */
#ifndef TD_FILL_H
#define TD_FILL_H

#include <stdint.h>

struct td_fill {
    uint32_t count;
    int8_t value;
};

void td_fill(const struct td_fill *fill, int8_t *output);

#endif
