#include "td_lookup.h"

void td_lookup(const struct td_lookup *lookup, const int8_t *input, int8_t *output)
{
    const int8_t *const table = lookup->table;

    for (const int8_t *const end = output + lookup->count; output < end;) {
        *output++ = table[(uint8_t)*input++];
    }
}
