/* Element types of the kernels that convert between them. */
#ifndef TD_ELEMENT_H
#define TD_ELEMENT_H

#include <stdint.h>

enum td_element {
    TD_ELEMENT_INT8,
    TD_ELEMENT_UINT8,
    TD_ELEMENT_INT16,
};

static inline int32_t td_load(const void *values, enum td_element type, int32_t index)
{
    switch (type) {
    case TD_ELEMENT_INT16:
        return ((const int16_t *)values)[index];
    case TD_ELEMENT_UINT8:
        return ((const uint8_t *)values)[index];
    default:
        return ((const int8_t *)values)[index];
    }
}

/* `value` is in the type's range. */
static inline void td_store(void *values, enum td_element type, int32_t index, int32_t value)
{
    switch (type) {
    case TD_ELEMENT_INT16:
        ((int16_t *)values)[index] = (int16_t)value;
        break;
    case TD_ELEMENT_UINT8:
        ((uint8_t *)values)[index] = (uint8_t)value;
        break;
    default:
        ((int8_t *)values)[index] = (int8_t)value;
        break;
    }
}

#endif
