#include "td_fully_connected.h"

void td_fully_connected(const struct td_fully_connected *layer, const int8_t *input, int8_t *output)
{
    const int32_t depth = layer->input_depth;

    for (int32_t row = 0; row < layer->rows; row++, input += depth) {
        const int8_t *weights = layer->weights;
        for (int32_t channel = 0; channel < layer->output_depth; channel++) {
            int32_t sum = layer->bias[channel];
            /* Four at a time: the loop's own instructions would be a third of the work. */
            const int8_t *value = input;
            for (const int8_t *const end = input + (depth & ~3); value < end; value += 4, weights += 4) {
                sum += value[0] * weights[0] + value[1] * weights[1];
                sum += value[2] * weights[2] + value[3] * weights[3];
            }
            for (const int8_t *const end = input + depth; value < end;) {
                sum += *value++ * *weights++;
            }
            *output++ = td_requantize(&layer->output_stage, channel, sum);
        }
    }
}
