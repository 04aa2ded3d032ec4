#include "td_fill.h"

#include <string.h>

void td_fill(const struct td_fill *fill, int8_t *output)
{
    memset(output, fill->value, fill->count);
}
