#include "td_copy.h"

#include <string.h>

void td_copy(const struct td_copy *copy, const void *input, void *output)
{
    memcpy(output, input, copy->bytes);
}
