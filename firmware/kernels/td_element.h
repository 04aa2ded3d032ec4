/* Element types of the kernels that convert between them. Wide elements are copied in and out: the buffers that they are
 * in are declared as bytes, which C lets nothing else be read from. */
#ifndef TD_ELEMENT_H
#define TD_ELEMENT_H

#include <stdint.h>
#include <string.h>

enum td_element {
    TD_ELEMENT_INT8,
    TD_ELEMENT_UINT8,
    TD_ELEMENT_INT16,
};

static inline int32_t td_load(const void *values, enum td_element type, int32_t index)
{
    int16_t wide;

    switch (type) {
    case TD_ELEMENT_INT16:
        memcpy(&wide, (const uint8_t *)values + 2 * index, sizeof wide);
        return wide;
    case TD_ELEMENT_UINT8:
        return ((const uint8_t *)values)[index];
    default:
        return ((const int8_t *)values)[index];
    }
}

/* `value` is in the type's range. */
static inline void td_store(void *values, enum td_element type, int32_t index, int32_t value)
{
    const int16_t wide = (int16_t)value;

    switch (type) {
    case TD_ELEMENT_INT16:
        memcpy((uint8_t *)values + 2 * index, &wide, sizeof wide);
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
