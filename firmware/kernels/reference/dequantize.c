#include "td_dequantize.h"

void td_dequantize(const struct td_dequantize *dequantize, const void *input, void *output)
{
    for (int32_t i = 0; i < dequantize->count; i++) {
        /* The same as TFLM's product in double precision, rounded to float: the difference has at most 17 bits and the
         * scale 24, so a double holds their product exactly, and a float multiplication rounds the same product. */
        const int32_t difference = td_load(input, dequantize->input_type, i) - dequantize->zero_point;
        const float value = (float)difference * dequantize->scale;
        memcpy((uint8_t *)output + 4 * i, &value, sizeof value);
    }
}
