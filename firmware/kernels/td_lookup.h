/* Any op from one 8-bit value to another, as a table. */
#ifndef TD_LOOKUP_H
#define TD_LOOKUP_H

#include <stdint.h>

struct td_lookup {
    int32_t count;
    const int8_t *table; /* [256], indexed by the input's bits as an unsigned number */
};

/* `count` values, signed or unsigned. `output` may be the same memory as `input`; otherwise they must not overlap. */
void td_lookup(const struct td_lookup *lookup, const int8_t *input, int8_t *output);

#endif
